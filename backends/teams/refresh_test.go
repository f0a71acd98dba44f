package teams_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/sim"
)

type object = map[string]any

func text(s string) object { return object{"body": object{"contentType": "html", "content": s}} }

// post writes a message and gives its id.
func (o *office) post(path, words string) string {
	o.t.Helper()
	var got struct{ ID string }
	if err := json.Unmarshal(o.ask(o.alice, http.MethodPost, path, text(words)), &got); err != nil || got.ID == "" {
		o.t.Fatalf("posting to %s: %v", path, err)
	}
	return got.ID
}

// chat gives the directory and the path of the chat with a topic, and alice's path of it.
func (o *office) chat(r *reader, topic string) (dir, where string) {
	o.t.Helper()
	id := o.ids(o.alice, "/me/chats?$top=50")[topic]
	for name, e := range r.list(r.key("chats")) {
		if id != "" && e.Info.ServiceID == id {
			return "chats/" + name, "/chats/" + url.PathEscape(id)
		}
	}
	o.t.Fatalf("no chat %s", topic)
	return "", ""
}

// snapshot is what a conversation shows, by path.
func snapshot(r *reader, dir backends.DirKey) map[string]backends.Entry {
	found := map[string]backends.Entry{}
	for name, e := range r.sink.Names(dir) {
		found[name] = e
		if !e.IsDir || name == "files" {
			continue
		}
		for file, e := range r.sink.Names(e.Dir) {
			found[name+"/"+file] = e
		}
	}
	return found
}

// byID is what a conversation shows, by identity.
func byID(r *reader, dir backends.DirKey) map[string]backends.Entry {
	found := map[string]backends.Entry{}
	for _, e := range snapshot(r, dir) {
		found[e.ID] = e
	}
	return found
}

// changes counts the entries that are new (+), gone (-), or of another version or time (*), by what their names end in.
func changes(before, after map[string]backends.Entry) map[string]int {
	counts := map[string]int{}
	count := func(sign, p string) { counts[sign+p[strings.LastIndexByte(p, '.')+1:]]++ }
	for p := range before {
		if _, ok := after[p]; !ok {
			count("-", p)
		}
	}
	for p, e := range after {
		old, ok := before[p]
		switch {
		case !ok:
			count("+", p)
		case old.ID != e.ID, old.Version != e.Version, !old.Mtime.Equal(e.Mtime), !old.Ctime.Equal(e.Ctime):
			count("*", p)
		}
	}
	return counts
}

// TestRefresh makes changes in a channel and a chat: each is told by one request, and nothing else moves.
func TestRefresh(t *testing.T) {
	o := newOffice(t, sim.Options{})
	for _, isChannel := range []bool{true, false} {
		t.Run(fmt.Sprint("channel ", isChannel), func(t *testing.T) {
			r := o.open(false, "md", "json", "eml")
			path, where := "channels/Engineering/General", o.channel("Engineering", "General")
			if !isChannel {
				path, where = o.chat(r, "All hands Q&A")
			}
			dir := r.key(path)
			r.months(dir)
			refresh := func(what string, want map[string]int) {
				t.Helper()
				o.World().Clock.Advance(time.Minute)
				before := snapshot(r, dir)
				if n := o.requests(func() { r.list(dir) }); n != 1 {
					t.Errorf("%s: refreshing took %d requests, %v", what, n, o.World().Stats.Snapshot().Requests)
				}
				if got := changes(before, snapshot(r, dir)); !maps.Equal(got, want) {
					t.Errorf("%s: changed %v, want %v", what, got, want)
				}
				o.World().Clock.Advance(time.Minute)
			}
			all := func(sign string) map[string]int {
				return map[string]int{sign + "md": 1, sign + "json": 1, sign + "eml": 1}
			}
			moved := all("+")
			maps.Copy(moved, all("-"))

			r.list(dir) // the first round has to find its place and may have an empty page
			refresh("nothing", map[string]int{})
			messages := where + "/messages"
			id := o.post(messages, "<p>Something new</p>")
			refresh("a message", all("+"))
			one := messages + "/" + id
			last, lastID := one, id
			if isChannel {
				lastID = o.post(one+"/replies", "<p>An answer</p>")
				last = one + "/replies/" + lastID
				refresh("a reply", all("+"))
			}
			o.ask(o.alice, http.MethodPost, last+"/setReaction", object{"reactionType": "🎉"})
			refresh("a reaction", map[string]int{"*json": 1})

			// A name has the first words, so an edit moves the files; their identities stay.
			before := byID(r, dir)
			o.ask(o.alice, http.MethodPatch, one, text("<p>Something newer</p>"))
			refresh("an edit", moved)
			after := byID(r, dir)
			if !slices.Equal(slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after))) {
				t.Error("an edit changed identities")
			}
			if !isChannel {
				last = "/me" + last
			}
			o.ask(o.alice, http.MethodPost, last+"/softDelete", nil)
			refresh("a deletion", moved)
			marked := 0
			for _, e := range byID(r, dir) {
				if e.Info.ServiceID == lastID && strings.Contains(string(e.Body), "\ndeleted: ") {
					marked++
				}
			}
			if marked != 1 {
				t.Errorf("%d texts say that they are deleted", marked)
			}

			// Listing any month is as good.
			o.post(messages, "<p>One more</p>")
			o.World().Clock.Advance(time.Minute)
			for name, e := range r.sink.Names(dir) {
				if e.IsDir && name != "files" {
					if n := o.requests(func() { r.list(e.Dir) }); n != 1 {
						t.Errorf("refreshing by %s took %d requests", name, n)
					}
					break
				}
			}
			o.matches(r, dir, where, isChannel)
		})
	}
}

// matches compares what is shown of a conversation with what the service has.
func (o *office) matches(r *reader, dir backends.DirKey, where string, channel bool) {
	r.t.Helper()
	want := o.messages(where+"/messages", channel)
	got := shown(r.months(dir), "json")
	for key, m := range want {
		switch e, ok := got[key]; {
		case !ok:
			o.t.Errorf("message %s of %s is not shown", key, m.Created)
		case !sameJSON(e.Body, m.raw):
			o.t.Errorf("message %s is\n%s\nwant\n%s", key, e.Body, m.raw)
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			o.t.Errorf("message %s is shown, and the service has it not", key)
		}
	}
}

// TestResync refuses delta tokens in every way that services do, in time and too late for the delta.
func TestResync(t *testing.T) {
	for _, status := range []int{410, 400, 404} {
		for _, late := range []bool{false, true} {
			if late && status != 410 {
				continue
			}
			t.Run(fmt.Sprint(status, " late ", late), func(t *testing.T) {
				o := newOffice(t, sim.Options{})
				backendtest.Set(t, o.Sim, "teams.resync_status", status)
				r := o.open(true, "json") // a person's sign-in would not last so long
				dir, where := r.key("channels/Engineering/General"), o.channel("Engineering", "General")
				r.months(dir)
				r.list(dir)
				before := byID(r, dir)
				post := o.post(where+"/messages", "<p>Before</p>")
				o.post(where+"/messages/"+post+"/replies", "<p>After</p>")
				if late {
					o.World().Clock.Advance(260 * 24 * time.Hour)
					o.admin = o.token(true)
				}
				backendtest.Set(t, o.Sim, "teams.delta_epoch", 2)
				o.World().Clock.Advance(time.Minute)
				r.list(dir)
				o.matches(r, dir, where, true)
				after := byID(r, dir)
				for id, e := range before {
					if got, ok := after[id]; !ok || got.Version != e.Version || !e.IsDir && !got.Ctime.Equal(e.Ctime) {
						t.Errorf("%s changed or went", id)
					}
				}
				r.list(dir)
				if n := o.requests(func() { r.list(dir) }); n != 1 {
					t.Errorf("a later refresh took %d requests", n)
				}
			})
		}
	}
}
