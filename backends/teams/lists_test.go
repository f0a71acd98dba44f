package teams_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/graph/subscription"
	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/sim/core"
)

// answer has the service answer a path differently.
func (o *office) answer(path string, status int, body any) {
	o.World().Faults.Set(core.FaultRule{Route: "GET /v1.0" + path, Status: status, Body: body})
}

// with gives a resource as the service has it, with another value.
func (o *office) with(path, member string, value any) object {
	o.t.Helper()
	var m object
	if err := json.Unmarshal(o.ask(o.admin, http.MethodGet, path, nil), &m); err != nil {
		o.t.Fatal(err)
	}
	m[member] = value
	return m
}

// TestFollowChannels renames, adds and removes channels: each costs one request, and what else is in the team stays.
func TestFollowChannels(t *testing.T) {
	o := newOffice(t, sim.Options{})
	r := o.open(false)
	dir := r.key("channels/Engineering")
	before := r.list(dir)
	team := "/teams/" + o.ids(o.admin, "/teams")["Engineering"]
	where := o.channel("Engineering", "General")
	bare := team + "/channels/" + before["General"].Info.ServiceID
	follow := func(what, change, path string, left int, names ...string) map[string]backends.Entry {
		t.Helper()
		var open []subscription.Notification
		if n := o.requests(func() { open = r.sync(string(dir), told(change, quoted(path))) }); n != 1 || len(open) != left {
			t.Errorf("%s took %d requests, left open %v", what, n, open)
		}
		got := r.sink.Names(dir)
		for _, name := range names {
			if _, ok := got[strings.TrimPrefix(name, "-")]; ok == strings.HasPrefix(name, "-") {
				t.Errorf("%s: %s is shown: %t", what, name, ok)
			}
		}
		return got
	}
	o.answer(bare, 200, o.with(where, "displayName", "Everybody"))
	got := follow("a rename", "updated", where, 0, "Everybody", "-General", "members.csv")
	if e := got["Everybody"]; e.ID != before["General"].ID || e.Dir != before["General"].Dir {
		t.Errorf("a rename made %+v of %+v", e, before["General"])
	}
	made := o.with(where, "displayName", "Made today")
	made["id"] = "19:new@thread.tacv2"
	created := team + "/channels/19:new@thread.tacv2"
	follow("early news", "created", created, 1, "-Made today")
	o.answer(created, 200, made)
	follow("a new channel", "created", created, 0, "Made today", "Everybody")
	follow("a deletion that can't be seen yet", "deleted", created, 1, "Made today")
	o.answer(created, 404, object{"error": object{"code": "NotFound", "message": "No."}})
	follow("a deletion", "deleted", created, 0, "-Made today", "Everybody", "members.csv")

	// Without news all is listed.
	o.World().Faults.Set()
	r.sync(string(dir))
	if len(r.sink.Names(dir)) != len(before) || r.sink.Names(dir)["General"].ID != before["General"].ID {
		t.Errorf("shows %v, want %v", r.sink.Names(dir), before)
	}
}

// TestFollowChats renames, adds and removes chats in the views of several users: one request tells all of them.
func TestFollowChats(t *testing.T) {
	o := newOffice(t, sim.Options{})
	for _, appOnly := range []bool{false, true} {
		t.Run(fmt.Sprint("application ", appOnly), func(t *testing.T) {
			r := o.open(appOnly)
			views := []string{"chats"}
			if appOnly {
				views = []string{"users/alice@contoso.com/chats", "users/bob@contoso.com/chats", "users/carol@contoso.com/chats"}
			}
			id := o.ids(o.alice, "/me/chats?$top=50")["All hands Q&A"]
			of := func(view string) (name string, e backends.Entry) {
				for name, e := range r.sink.Names(r.key(view)) {
					if e.Info.ServiceID == id {
						return name, e
					}
				}
				return "", backends.Entry{}
			}
			had := map[string]backends.Entry{}
			for _, view := range views {
				r.list(r.key(view))
				if _, e := of(view); e.ID != "" {
					had[view] = e
				}
			}
			if len(had) == 0 || appOnly && len(had) < 2 {
				t.Fatalf("the chat is shown in %v", had)
			}
			news := told("updated", "chats('"+id+"')")
			news.At = backendtest.Now.Add(time.Hour) // later than all that was asked
			step := func(what string, news subscription.Notification) {
				t.Helper()
				o.World().Clock.Advance(2 * time.Hour)
				o.alice, o.admin = o.token(false), o.token(true)
				r.list(r.key("channels")) // takes a new token
				news.At = o.World().Clock.Now()
				if n := o.requests(func() {
					for _, view := range views {
						if open := r.sync(string(r.key(view)), news); len(open) > 0 {
							t.Errorf("%s left open %v", what, open)
						}
					}
				}); n > 2 { // one more where it has many members
					t.Errorf("%s took %d requests", what, n)
				}
			}
			chat := o.with("/chats/"+id+"?$expand=members", "topic", "Renamed today")
			o.answer("/chats/"+id, 200, chat)
			step("a rename", news)
			for view, e := range had {
				name, got := of(view)
				if !strings.HasPrefix(name, "Renamed-today") || got.ID != e.ID || got.Dir != e.Dir {
					t.Errorf("%s shows %q: %+v, was %+v", view, name, got, e)
				}
			}
			if appOnly {
				chat["members"] = []object{{"userId": o.me(), "displayName": "Alice"}}
				o.answer("/chats/"+id, 200, chat)
				step("people left", news)
				for view := range had {
					if _, e := of(view); (e.ID != "") != strings.Contains(view, "alice") {
						t.Errorf("%s shows %+v", view, e)
					}
				}
			}
			o.answer("/chats/"+id, 404, object{"error": object{"code": "NotFound", "message": "No."}})
			news.Change = "deleted"
			step("a deletion", news)
			for view := range had {
				if name, _ := of(view); name != "" {
					t.Errorf("%s still shows %s", view, name)
				}
			}
			news.Change = "created"
			if open := r.sync(string(r.key(views[0])), news); len(open) != 1 {
				t.Errorf("news of a chat that can't be read yet left open %v", open)
			}
			o.World().Clock.Advance(time.Second)
			o.World().Faults.Set()
			if open := r.sync(string(r.key(views[0])), news); len(open) != 0 {
				t.Errorf("news that come again left open %v", open)
			}
			for view, e := range had {
				r.sync(string(r.key(view)))
				if _, got := of(view); got.ID != e.ID {
					t.Errorf("%s does not show the chat again", view)
				}
			}
		})
	}
}

// TestFollowMembers has a system message tell that somebody came: the table of members follows at once.
func TestFollowMembers(t *testing.T) {
	for _, isChannel := range []bool{true, false} {
		t.Run(fmt.Sprint("channel ", isChannel), func(t *testing.T) {
			o := newOffice(t, sim.Options{})
			r := o.open(false)
			path, where := "channels/Engineering/General", o.channel("Engineering", "General")
			if !isChannel {
				path, where = o.chat(r, "All hands Q&A")
			}
			dir := r.key(path)
			r.months(dir)
			r.sync(string(dir))
			event := said("1763700000000", "2026-11-20T13:00:00Z", "messageType", "systemEventMessage", "eventDetail",
				object{"@odata.type": "#microsoft.graph.membersAddedEventMessageDetail"})
			o.World().Faults.Set(
				core.FaultRule{Route: "GET *messages*", Status: 200, Body: object{
					"value": []any{event}, "@odata.deltaLink": o.Ready().Graph + "/v1.0" + where + "/messages/delta?$deltatoken=x",
				}},
				core.FaultRule{Route: "GET *members", Status: 200, Body: object{"value": []any{object{"displayName": "Newcomer", "userId": "n"}}}},
			)
			n := told("created", quoted(where+"/messages/1763700000000"))
			if got := o.requests(func() { r.sync(string(dir), n) }); got != 2 {
				t.Errorf("took %d requests, want the message and the members", got)
			}
			if got := string(r.sink.Names(dir)["members.csv"].Body); !strings.Contains(got, "Newcomer") {
				t.Errorf("members are\n%s", got)
			}
			if got := o.requests(func() { r.sync(string(dir), n) }); got != 1 {
				t.Errorf("the same again took %d requests", got)
			}
		})
	}
}
