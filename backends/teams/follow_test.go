package teams_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/graph/follow"
	"github.com/workfs/workfs/backends/graph/subscription"
	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/sim/core"
)

// told is a notification that a message changed, with its path in one of the forms that services write.
func told(change, path string) subscription.Notification {
	return subscription.Notification{Change: change, Path: path, At: backendtest.Now}
}

// quoted writes a request's path as Teams notifications do: "/teams/a/channels/b" is "teams('a')/channels('b')".
func quoted(path string) string {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	var b strings.Builder
	for i := 0; i+1 < len(parts); i += 2 {
		id, _ := url.PathUnescape(parts[i+1])
		fmt.Fprintf(&b, "/%s('%s')", parts[i], id)
	}
	return b.String()[1:]
}

// sync follows notifications of a collection, or everything, and gives those that were not accounted for.
func (r *reader) sync(collection string, n ...subscription.Notification) []subscription.Notification {
	r.t.Helper()
	open, err := r.b.(follow.Service).Sync(r.t.Context(), collection, n, r.sink)
	if err != nil {
		r.t.Fatalf("following %s: %v", collection, err)
	}
	for _, p := range r.sink.Problems() {
		r.t.Error(p)
	}
	return open
}

// TestFollowMessages changes a channel and a chat: each notification costs one request, which tells of all of the change.
func TestFollowMessages(t *testing.T) {
	o := newOffice(t, sim.Options{})
	for _, isChannel := range []bool{true, false} {
		t.Run(fmt.Sprint("channel ", isChannel), func(t *testing.T) {
			r := o.open(false, "md", "json")
			path, where := "channels/Engineering/General", o.channel("Engineering", "General")
			if !isChannel {
				path, where = o.chat(r, "All hands Q&A")
			}
			dir := r.key(path)
			r.months(dir)
			r.sync(string(dir))
			step := func(what string, want map[string]int, n ...subscription.Notification) {
				t.Helper()
				before := snapshot(r, dir)
				var open []subscription.Notification
				if requests := o.requests(func() { open = r.sync(string(dir), n...) }); requests != 1 || len(open) > 0 {
					t.Errorf("%s: took %d requests, left open %v", what, requests, open)
				}
				if got := changes(before, snapshot(r, dir)); !maps.Equal(got, want) {
					t.Errorf("%s: changed %v, want %v", what, got, want)
				}
				o.World().Clock.Advance(time.Minute)
			}
			both := func(sign string) map[string]int { return map[string]int{sign + "md": 1, sign + "json": 1} }
			moved := both("+")
			maps.Copy(moved, both("-"))

			messages := where + "/messages"
			one := messages + "/" + o.post(messages, "<p>Something new</p>")
			step("a message", both("+"), told("created", quoted(one)))
			last := one
			if isChannel {
				last = one + "/replies/" + o.post(one+"/replies", "<p>An answer</p>")
				step("a reply", both("+"), told("created", last))
			}
			o.ask(o.alice, http.MethodPost, last+"/setReaction", object{"reactionType": "🎉"})
			step("a reaction", map[string]int{"*json": 1}, told("updated", strings.ToUpper(quoted(last)[:5])+quoted(last)[5:]))
			o.ask(o.alice, http.MethodPatch, one, text("<p>Something newer</p>"))
			step("an edit", moved, told("updated", quoted(one)))
			deletion := last
			if !isChannel {
				deletion = "/me" + last
			}
			o.ask(o.alice, http.MethodPost, deletion+"/softDelete", nil)
			step("a deletion", moved, told("deleted", quoted(last)))
			step("the same again", map[string]int{}, told("deleted", quoted(last)), told("created", quoted(one)))

			var many []subscription.Notification
			for i := range 3 {
				many = append(many, told("created", quoted(messages+"/"+o.post(messages, fmt.Sprintf("<p>Number %d</p>", i)))))
			}
			many[0], many[2] = many[2], many[0]
			step("several", map[string]int{"+md": 3, "+json": 3}, many...)
			o.post(messages, "<p>Without news</p>")
			step("lost news", both("+"))
			o.matches(r, dir, where, isChannel)
		})
	}
}

// TestFollowEarly tells of messages before they can be read: nothing is lost, whatever else is read meanwhile.
func TestFollowEarly(t *testing.T) {
	for _, isChannel := range []bool{true, false} {
		t.Run(fmt.Sprint("channel ", isChannel), func(t *testing.T) {
			o := newOffice(t, sim.Options{})
			r := o.open(false, "json")
			path, where := "channels/Engineering/General", o.channel("Engineering", "General")
			if !isChannel {
				path, where = o.chat(r, "All hands Q&A")
			}
			dir, messages := r.key(path), where+"/messages"
			r.months(dir)
			r.sync(string(dir))
			o.World().Clock.Advance(time.Minute)
			asOf := r.sink.Dir(dir).AsOf
			early := told("created", quoted(messages+"/"+o.post(messages, "<p>Early</p>")))
			link := o.Ready().Graph + "/v1.0" + where + "/messages/delta?$deltatoken=x"
			o.World().Faults.Set(core.FaultRule{Route: "GET *messages*", Status: 200, Count: 1, Body: object{
				"value":            []any{said("1", "2026-11-20T12:02:00Z", "lastModifiedDateTime", "2026-11-20T23:00:00Z")},
				"@odata.deltaLink": link,
			}})
			if open := r.sync(string(dir), early); len(open) != 1 || open[0].Path != early.Path {
				t.Fatalf("left open %v", open)
			}
			if !r.sink.Dir(dir).AsOf.Equal(asOf) {
				t.Error("a conversation that lacks a message is said to be right")
			}
			if open := r.sync(string(dir), early); len(open) != 0 {
				t.Errorf("left open %v", open)
			}
			if !r.sink.Dir(dir).AsOf.After(asOf) {
				t.Error("a conversation that lacks nothing is not said to be right")
			}
			if _, ok := shown(r.months(dir), "json")["|"+o.idOf(early.Path)]; !ok {
				t.Error("the message is not shown")
			}
		})
	}
}

// idOf is the last key of a path.
func (o *office) idOf(path string) string {
	open := strings.LastIndex(path, "('")
	return strings.TrimSuffix(path[open+2:], "')")
}

// TestFollowWithoutDelta has the service refuse every delta of a channel: what notifications tell of is read by itself.
func TestFollowWithoutDelta(t *testing.T) {
	for _, status := range []int{400, 404, 410} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			o := newOffice(t, sim.Options{})
			r := o.open(true, "json")
			where := o.channel("Engineering", "General")
			dir, messages := r.key("channels/Engineering/General"), where+"/messages"
			r.months(dir)
			o.World().Faults.Set(core.FaultRule{Route: "GET *messages/delta*", Status: status, Body: object{"error": object{"code": "Gone", "message": "No."}}})
			// A thread of this month gets an answer in a later one.
			o.World().Clock.Advance(45 * 24 * time.Hour)
			o.admin, o.alice = o.token(true), o.token(false)
			post := messages + "/" + o.post(messages, "<p>A post</p>")
			reply := post + "/replies/" + o.post(post+"/replies", "<p>An answer</p>")
			n := []subscription.Notification{told("created", quoted(post)), told("created", quoted(reply)), told("created", quoted(messages+"/17"))}
			if open := r.sync(string(dir), n...); len(open) != 1 || open[0].Path != n[2].Path {
				t.Errorf("left open %v", open)
			}
			if _, ok := r.sink.Names(dir)["2027-01"]; !ok {
				t.Fatalf("no new month among %v", r.sink.Names(dir))
			}
			o.World().Faults.Set()
			o.matches(r, dir, where, true)
		})
	}
}

// TestFollowNewMonth posts in a later month: it appears, those between are empty, and all looks like a new listing.
func TestFollowNewMonth(t *testing.T) {
	for _, isChannel := range []bool{true, false} {
		t.Run(fmt.Sprint("channel ", isChannel), func(t *testing.T) {
			o := newOffice(t, sim.Options{})
			r := o.open(true, "json")
			path, where := "channels/Engineering/General", o.channel("Engineering", "General")
			if !isChannel {
				id := o.ids(o.alice, "/me/chats?$top=50")["All hands Q&A"]
				path, where = "", "/chats/"+url.PathEscape(id)
				for name, e := range r.list(r.key("users/alice@contoso.com/chats")) {
					if e.Info.ServiceID == id {
						path = "users/alice@contoso.com/chats/" + name
					}
				}
			}
			dir := r.key(path)
			r.months(dir)
			o.World().Clock.Advance(70 * 24 * time.Hour)
			o.admin, o.alice = o.token(true), o.token(false)
			id := o.post(where+"/messages", "<p>Next year</p>")
			if open := r.sync(string(dir), told("created", quoted(where+"/messages/"+id))); len(open) > 0 {
				t.Errorf("left open %v", open)
			}
			fresh := o.open(true, "json")
			dir2 := fresh.key(path)
			fresh.months(dir2)
			sameAs(t, r, dir, fresh, dir2)
			if _, ok := r.sink.Names(dir)["2027-01"]; !ok {
				t.Errorf("no new month among %v", r.sink.Names(dir))
			}
		})
	}
}

// sameAs tells how a directory that was followed differs from one that was listed anew.
func sameAs(t *testing.T, r *reader, dir backends.DirKey, fresh *reader, dir2 backends.DirKey) {
	t.Helper()
	got, want := snapshot(r, dir), snapshot(fresh, dir2)
	for path, w := range want {
		g, ok := got[path]
		switch {
		case !ok:
			t.Errorf("lacks %s", path)
		case g.ID != w.ID || g.Version != w.Version || g.Size != w.Size || !g.Mtime.Equal(w.Mtime) || !g.Ctime.Equal(w.Ctime) || string(g.Body) != string(w.Body):
			t.Errorf("%s is %+v, want %+v", path, g, w)
		}
	}
	for path := range got {
		if _, ok := want[path]; !ok {
			t.Errorf("shows %s", path)
		}
	}
}

// TestFollowData takes messages out of notifications: they are shown although no request succeeds, and the delta confirms.
func TestFollowData(t *testing.T) {
	o := newOffice(t, sim.Options{})
	r := o.open(true, "json")
	where := o.channel("Engineering", "General")
	dir, messages := r.key("channels/Engineering/General"), where+"/messages"
	r.months(dir)
	r.sync(string(dir))
	o.World().Clock.Advance(time.Minute)
	path := messages + "/" + o.post(messages, "<p>Within</p>")
	first := o.ask(o.admin, http.MethodGet, path, nil)
	n := told("created", quoted(path))
	n.Data = first
	body := func() string {
		for _, e := range byID(r, dir) {
			if e.Info.ServiceID == o.idOf(n.Path) {
				return string(e.Body)
			}
		}
		return ""
	}
	o.World().Faults.Set(core.FaultRule{Route: "GET *", Status: 403, Body: object{}})
	if open, err := r.b.(follow.Service).Sync(t.Context(), string(dir), []subscription.Notification{n}, r.sink); err == nil || len(open) != 1 {
		t.Errorf("left open %v, %v", open, err)
	}
	if !strings.Contains(body(), "Within") {
		t.Errorf("shows %q", body())
	}
	o.World().Faults.Set()
	o.ask(o.alice, http.MethodPatch, path, text("<p>Newer</p>"))
	if open := r.sync(string(dir), n); len(open) != 0 || !strings.Contains(body(), "Newer") {
		t.Errorf("left open %v, shows %q", open, body())
	}
	commits := r.sink.Commits()
	if open := r.sync(string(dir), n); len(open) != 0 || !strings.Contains(body(), "Newer") || r.sink.Commits() != commits+1 {
		t.Errorf("what came late left open %v, shows %q", open, body())
	}
	o.matches(r, dir, where, true)
}

// TestWatch tells what is subscribed to for each collection, and which notifications concern it.
func TestWatch(t *testing.T) {
	o := newOffice(t, sim.Options{})
	for _, appOnly := range []bool{false, true} {
		r := o.open(appOnly)
		s := r.b.(follow.Service)
		team := o.ids(o.admin, "/teams")["Engineering"]
		id := o.ids(o.admin, "/teams/"+team+"/channels")["General"]
		alice := o.me()
		channel, chat := backends.JoinKey("channel", team, id), backends.JoinKey("chat", "", "19:x@thread.v2")
		want := map[string]string{
			channel: "/teams/" + team + "/channels/" + id + "/messages",
			chat:    "/users/" + alice + "/chats/getAllMessages",
			backends.JoinKey("channel", team+">other", id): "/teams/" + team + "/channels/" + id + "/messages",
			backends.JoinKey("team", team):                 "/teams/" + team + "/channels",
			backends.JoinKey("chats", ""):                  "/users/" + alice + "/chats",
			backends.JoinKey("drive", "b!1"):               "/drives/b!1/root",
			"channels":                                     "", "root": "", "users": "",
		}
		if appOnly {
			want = map[string]string{
				channel: "/teams/getAllMessages", backends.JoinKey("chat", alice, "19:x@thread.v2"): "/chats/getAllMessages",
				backends.JoinKey("team", team): "/teams/getAllChannels", backends.JoinKey("chats", alice): "/chats",
				"channels": "/teams", "users": "",
			}
			var standing []string
			for _, w := range s.Standing() {
				standing = append(standing, w.Resource)
			}
			if strings.Join(standing, " ") != "/teams/getAllMessages /chats/getAllMessages" {
				t.Errorf("standing are %v", standing)
			}
		} else if len(s.Standing()) > 0 {
			t.Errorf("standing are %v", s.Standing())
		}
		for collection, resource := range want {
			w, ok := s.Watch(collection)
			if ok != (resource != "") || w.Wish.Resource != resource || w.Poll != strings.HasPrefix(collection, "drive") {
				t.Errorf("%s is watched by %+v, %t", collection, w, ok)
			}
			if life := w.Wish.MaxLife; ok && (life < 71*time.Hour || life > 72*time.Hour) != w.Poll {
				t.Errorf("%s is subscribed to for %s", collection, life)
			}
		}
		escaped := url.PathEscape(id)
		for path, concerns := range map[string]bool{
			"teams('" + team + "')/channels('" + id + "')/messages('1')":                         true,
			"Teams('" + strings.ToUpper(team) + "')/Channels('" + id + "')/MESSAGES('1')":        true,
			"/teams/" + team + "/channels/" + escaped + "/messages/1/replies/2":                  true,
			"teams('" + team + "')/channels('" + escaped + "')/messages('1')/replies('2')":       true,
			"teams('" + team + "')/channels('19:other@thread.tacv2')/messages('1')":              false,
			"teams('00000000-0000-0000-0000-000000000000')/channels('" + id + "')/messages('1')": false,
			"": true, "something/else": true,
		} {
			if got := s.Concerns(told("created", path), channel); got != concerns {
				t.Errorf("%q concerns the channel: %t", path, got)
			}
		}
	}
}

// me gives alice's id.
func (o *office) me() string {
	var me struct{ ID string }
	if err := json.Unmarshal(o.ask(o.alice, http.MethodGet, "/me", nil), &me); err != nil {
		o.t.Fatal(err)
	}
	return me.ID
}
