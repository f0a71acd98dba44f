package teams_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/sim/core"
)

// TestEditBeforeResuming edits a message that an interrupted reading of a chat has read, and lets a refresh tell of it
// before the reading goes on: the month has the message as it is now.
func TestEditBeforeResuming(t *testing.T) {
	o := newOffice(t, sim.Options{})
	h := &hook{}
	r := o.openWith(h)
	path, where := o.chat(r, "Standup")
	dir := r.key(path)
	next := func(page string) string { return o.Ready().Graph + "/v1.0" + where + "/messages?page=" + page }
	answer := func(link string, values ...any) {
		body := object{"value": values}
		if link != "" {
			body["@odata.nextLink"] = next(link)
		}
		o.World().Faults.Set(core.FaultRule{Route: "GET *messages*", Status: 200, Body: body})
	}
	old := said("7", "2026-09-20T00:00:00Z")
	edited := said("7", "2026-09-20T00:00:00Z", "lastModifiedDateTime", "2026-11-20T13:00:00Z", "body", object{"contentType": "text", "content": "Edited"})
	changed := false
	h.before = func(req *http.Request) {
		if !strings.HasSuffix(req.URL.Path, "/messages") {
			return
		}
		q := req.URL.Query()
		switch filter := q.Get("$filter"); {
		case strings.HasPrefix(filter, "lastModified"):
			answer("", edited)
		case strings.HasPrefix(filter, "created") && changed:
			answer("b", edited)
		case strings.HasPrefix(filter, "created"):
			answer("b", old)
		case q.Get("page") == "b":
			answer("c", said("6", "2026-09-10T00:00:00Z"))
		case q.Get("page") == "c":
			answer("", said("5", "2026-08-10T00:00:00Z"))
		default:
			answer(q.Get("page")+"a", said("9"+q.Get("page"), "2026-11-05T00:00:00Z"))
		}
	}
	month := r.list(dir)["2026-09"].Dir
	if month == "" || r.sink.Dir(month).Whole {
		t.Fatalf("%q is no month to be read", month)
	}
	ctx, cancel := context.WithCancel(t.Context())
	before := h.before
	h.before = func(req *http.Request) {
		if req.URL.Query().Get("page") == "b" {
			cancel()
		}
		before(req)
	}
	if err := r.b.List(ctx, month, r.sink); !errors.Is(err, context.Canceled) {
		t.Fatalf("an interrupted listing gives %v", err)
	}
	h.before, changed = before, true
	r.list(dir) // tells of the change
	found := ""
	for _, e := range r.list(month) {
		if e.Info.ServiceID == "7" {
			found = string(e.Body)
		}
	}
	if !strings.Contains(found, "Edited") {
		t.Errorf("the month shows the message as it was before its change: %s", found)
	}
}

// TestLinkSpentForGood answers 410 to every next page: the conversation is not gone.
func TestLinkSpentForGood(t *testing.T) {
	o := newOffice(t, sim.Options{})
	h := &hook{}
	r := o.openWith(h)
	chat, _ := o.chat(r, "Q4 numbers 📊")
	for _, path := range []string{"channels/Engineering/General", chat} {
		dir := r.key(path)
		h.before = func(req *http.Request) {
			o.World().Faults.Set()
			if strings.Contains(req.URL.Path, "/messages") && req.URL.Query().Has("$skiptoken") {
				o.World().Faults.Set(core.FaultRule{Route: "GET *messages*", Status: 410, Body: object{"error": object{"code": "syncStateNotFound"}}})
			}
		}
		err := r.b.List(t.Context(), dir, r.sink)
		if !errors.Is(err, backends.ErrUnavailable) || errors.Is(err, backends.ErrNotFound) {
			t.Errorf("%s: listing gives %v", path, err)
		}
		h.before = nil
		o.World().Faults.Set()
	}
}
