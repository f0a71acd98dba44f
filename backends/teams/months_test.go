package teams_test

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/sim/core"
)

// script answers requests for the messages of a conversation with pages, one after the other, and the last for ever.
func (o *office) script(where string, pages ...[]any) {
	var rules []core.FaultRule
	plain, err := url.PathUnescape(where)
	if err != nil {
		o.t.Fatal(err)
	}
	for i, values := range pages {
		body := object{"value": values, "@odata.count": len(values)}
		rule := core.FaultRule{Route: "GET /v1.0" + plain + "/messages", Status: 200, Body: body}
		if i < len(pages)-1 {
			body["@odata.nextLink"] = fmt.Sprintf("%s/v1.0%s/messages?page=%d", o.Ready().Graph, where, i)
			rule.Count = 1
		}
		rules = append(rules, rule)
	}
	o.World().Faults.Set(rules...)
}

// said is a message that was written at a time, with changes.
func said(id, created string, more ...any) object {
	m := object{"id": id, "messageType": "message", "body": object{"contentType": "text", "content": "Message " + id}}
	if created != "" {
		m["createdDateTime"], m["lastModifiedDateTime"] = created, created
	}
	for i := 0; i+1 < len(more); i += 2 {
		m[more[i].(string)] = more[i+1]
	}
	return m
}

// TestAwkwardPages reads pages that no well-behaved service gives: what can be shown is shown, once.
func TestAwkwardPages(t *testing.T) {
	o := newOffice(t, sim.Options{})
	pages := [][]any{
		{
			said("1", "2026-11-19T10:00:00Z", "replies", nil), said("2", "2026-09-30T23:59:59.999Z"),
			"nonsense", object{}, said("", "2026-11-01T00:00:00Z"), said("3", "2020-03-01T00:00:00Z"),
			said("9", "2026-11-19T10:00:00Z", "id", 9),
		},
		{},
		{
			said("2", "2026-09-30T23:59:59.999Z"), // again
			said("4", ""), said("5", "0001-01-01T00:00:00Z"), said("6", "9999-12-31T23:59:59Z"), said("7", "soon"),
			said("8", "2019-12-31T23:59:59.9999999Z", "replies", []any{
				said("8", "2020-01-01T00:00:00Z", "replyToId", "8"), // the reply's id is that of its post
				said("1", "2020-03-05T00:00:00Z", "replyToId", "8"),
			}),
		},
	}
	want := map[string][]string{
		"2026-11": {"|1"}, "2026-10": nil, "2026-09": {"|2"},
		"2020-03": {"8|1", "|3"}, "2020-02": nil, "2020-01": {"8|8"}, "2019-12": {"|8"},
		"undated": {"|4", "|5", "|6", "|7"},
	}
	for _, channel := range []bool{true, false} {
		r := o.open(false, "json")
		path, where := "channels/Engineering/General", o.channel("Engineering", "General")
		if !channel {
			path, where = o.chat(r, "Standup")
			want["2020-01"], want["2020-02"], want["2020-03"] = nil, nil, []string{"|3"}
		}
		dir := r.key(path)
		o.script(where, pages...)
		got := r.months(dir)
		for name, ids := range want {
			files, listed := got[name]
			var have []string
			for key := range shown(map[string]map[string]backends.Entry{name: files}, "json") {
				have = append(have, key)
			}
			if slices.Sort(have); !listed || !slices.Equal(have, ids) {
				t.Errorf("channel %v: %s (listed: %v) has %q, want %q", channel, name, listed, have, ids)
			}
		}
		for name := range got {
			if _, ok := want[name]; !ok {
				t.Errorf("channel %v: %s is listed", channel, name)
			}
		}
		if !slices.ContainsFunc(r.b.Coverage(), func(g backends.Gap) bool { return strings.Contains(g.Reason, "can't be read") }) {
			t.Errorf("what can't be read is not reported: %v", r.b.Coverage())
		}
		o.World().Faults.Set()
	}
}

// TestNewMonths lets months pass between listings: they appear with what is in them, the quiet ones between them as well, and
// nothing has to be read for that.
func TestNewMonths(t *testing.T) {
	for _, channel := range []bool{true, false} {
		o := newOffice(t, sim.Options{})
		r := o.open(true, "md")
		path, where := "channels/Finance/General", o.channel("Finance", "General")
		if !channel {
			id := ""
			for _, raw := range o.all(o.admin, "/users/alice@contoso.com/chats?$top=50") {
				if s := string(raw); strings.Contains(s, `"topic":"Standup"`) {
					_, rest, _ := strings.Cut(s, `"id":"19:`)
					id, _, _ = strings.Cut("19:"+rest, `"`)
				}
			}
			where = "/chats/" + url.PathEscape(id)
			for name, e := range r.list(r.key("users/alice@contoso.com/chats")) {
				if e.Info.ServiceID == id {
					path = "users/alice@contoso.com/chats/" + name
				}
			}
		}
		dir := r.key(path)
		r.months(dir)
		r.list(dir)
		start := o.World().Clock.Now()
		newest := start.Format("2006-01")
		for name, e := range r.sink.Names(dir) {
			if last := time.Date(start.Year(), start.Month(), 1, 0, 0, 0, 0, time.UTC).Add(-time.Second); name == start.AddDate(0, -1, 0).Format("2006-01") && !e.Mtime.Equal(last) {
				t.Errorf("%s has the time %s, want %s", name, e.Mtime, last)
			} else if name == newest && !e.Mtime.IsZero() {
				t.Errorf("%s, which is not over, has the time %s", name, e.Mtime)
			}
		}
		o.World().Clock.Set(start.AddDate(0, 2, 0))
		o.alice, o.admin = o.token(false), o.token(true)
		id := o.post(where+"/messages", "<p>Long time no see</p>")
		o.World().Clock.Advance(time.Minute)
		now := start.AddDate(0, 2, 0).Format("2006-01")
		r.list(dir)
		root := r.sink.Names(dir)
		for i := range 3 {
			name := start.AddDate(0, i, 0).Format("2006-01")
			e, ok := root[name]
			if !ok || !r.sink.Dir(e.Dir).Whole {
				t.Errorf("channel %v: %s is listed: %v, whole: %v", channel, name, ok, r.sink.Dir(e.Dir).Whole)
				continue
			}
			entries, _ := r.sink.Entries(e.Dir)
			if name == now && (len(entries) != 1 || entries[0].Info.ServiceID != id) || i > 0 && name != now && len(entries) != 0 {
				t.Errorf("channel %v: %s holds %v", channel, name, entries)
			}
		}
		if n := o.requests(func() { r.list(root[now].Dir) }); n != 1 {
			t.Errorf("channel %v: %d requests for a month that is known", channel, n)
		}
	}
}

// TestRemount opens a service again over what was remembered: one delta for a conversation, and nothing is read anew.
func TestRemount(t *testing.T) {
	o := newOffice(t, sim.Options{})
	r := o.open(false, "md")
	chat, _ := o.chat(r, "Standup")
	for _, path := range []string{"channels/Engineering/General", chat} {
		dir := r.key(path)
		r.months(dir)
		r.list(dir)
		before := snapshot(r, dir)
		again := &reader{t, open(false, "md")(t, o.Sim, r.sink), r.sink}
		if n := o.requests(func() { again.list(dir) }); n != 1 {
			t.Errorf("%s: %d requests after a remount", path, n)
		}
		if got := changes(before, snapshot(r, dir)); len(got) > 0 {
			t.Errorf("%s: a remount changed %v", path, got)
		}
	}
}

// TestErrors checks the kinds of lasting failures.
func TestErrors(t *testing.T) {
	o := newOffice(t, sim.Options{})
	r := o.open(false, "json")
	dir, where := r.key("channels/Engineering/General"), o.channel("Engineering", "General")
	plain, _ := url.PathUnescape(where)
	for status, kind := range map[int]error{403: backends.ErrForbidden, 404: backends.ErrNotFound, 500: backends.ErrUnavailable} {
		o.World().Faults.Set(core.FaultRule{Route: "GET /v1.0" + plain + "/*", Status: status})
		if err := r.b.List(t.Context(), dir, r.sink); !errors.Is(err, kind) {
			t.Errorf("%d gives %v", status, err)
		}
		if r.sink.Dir(dir).Whole {
			t.Fatalf("a channel is whole after %d", status)
		}
	}
	o.World().Faults.Set()
	r.months(dir)
	o.World().Faults.Set(core.FaultRule{Route: "GET /v1.0" + plain + "/messages/delta", Status: 403})
	if err := r.b.List(t.Context(), dir, r.sink); !errors.Is(err, backends.ErrForbidden) {
		t.Errorf("a refused refresh gives %v", err)
	}
	if n := len(r.sink.Names(dir)); n < 10 {
		t.Errorf("after a refused refresh %d entries are left", n)
	}
	// A service without the delta of channels: refreshing reads them anew.
	o.World().Faults.Set(core.FaultRule{Route: "GET /v1.0" + plain + "/messages/delta", Status: 400,
		Body: object{"error": object{"code": "BadRequest", "message": "Resource not found for the segment 'delta'."}}})
	o.post(where+"/messages", "<p>After all</p>")
	r.list(dir)
	o.matches(r, dir, where, true)
}
