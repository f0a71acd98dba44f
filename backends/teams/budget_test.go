package teams_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/sim"
)

// counted gives the requests for pages of posts, pages of replies, and all others since the last count began.
func (o *office) counted(step func()) (pages, replies, others int) {
	o.World().Stats.Reset()
	step()
	for route, n := range o.World().Stats.Snapshot().Requests {
		switch {
		case !strings.Contains(route, "/v1.0/"):
		case strings.HasSuffix(route, "/replies"):
			replies += n
		case strings.HasSuffix(route, "/messages"):
			pages += n
		default:
			others += n
		}
	}
	return pages, replies, others
}

func ceil(n, d int) int { return (n + d - 1) / d }

// TestChannelBudget reads channels whole, with any order of posts, and counts.
func TestChannelBudget(t *testing.T) {
	for _, tt := range []struct {
		name    string
		scale   int
		order   string
		replies int
		channel string
	}{
		{name: "by activity", order: "activity", channel: "General"},
		{name: "by creation", order: "created", channel: "General"},
		{name: "many replies", order: "activity", replies: 20, channel: "General"},
		{name: "awkward", order: "activity", channel: "Odds & ends"},
		{name: "large", scale: 6000, order: "activity", channel: "Build/Deploy"},
		{name: "large by creation", scale: 6000, order: "created", channel: "Build/Deploy"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, sim.Options{Scale: tt.scale})
			backendtest.Set(t, o.Sim, "teams.channel_order", tt.order)
			if tt.replies > 0 {
				backendtest.Set(t, o.Sim, "teams.max_expanded_replies", tt.replies)
			}
			r := o.open(false, "json")
			where := o.channel("Engineering", tt.channel)
			dir := r.key("channels/Engineering/" + strings.ReplaceAll(tt.channel, "/", "／"))
			want := o.messages(where+"/messages", true)
			posts, over, threads := 0, 0, map[string]int{}
			for key, m := range want {
				if m.ReplyTo == "" {
					posts++
				} else {
					root, _, _ := strings.Cut(key, "|")
					threads[root]++
				}
			}
			for _, n := range threads {
				if tt.replies > 0 {
					over += ceil(max(0, n-tt.replies), 20)
				}
			}
			if tt.replies > 0 && over < 3 {
				t.Fatalf("the channel has only %d pages of replies", over)
			}
			// Pages after the first may be shorter than they could be.
			served := len(o.pages(where + "/messages?$top=50"))
			pages, replies, others := o.counted(func() { r.months(dir) })
			t.Logf("%d posts, %d replies: %d pages of %d, %d of replies, %d others", posts, len(want)-posts, pages, served, replies, others)
			if n := pages + others; n > served+2 || replies > over {
				t.Errorf("%d pages, %d of replies and %d others; the channel has %d and %d", pages, replies, others, served, over)
			}
			o.matches(r, dir, where, true)
		})
	}
}

// pages gives the sizes of a collection's pages.
func (o *office) pages(path string) (sizes []int) {
	o.t.Helper()
	for path != "" {
		var page struct {
			Value []json.RawMessage `json:"value"`
			Next  string            `json:"@odata.nextLink"`
		}
		if err := json.Unmarshal(o.ask(o.admin, "GET", path, nil), &page); err != nil {
			o.t.Fatal(err)
		}
		sizes, path = append(sizes, len(page.Value)), page.Next
	}
	return sizes
}

// TestOldMonthFirst lists the months of a large channel in different orders: whichever comes first, all are whole.
func TestOldMonthFirst(t *testing.T) {
	for _, order := range []string{"activity", "created"} {
		o := newOffice(t, sim.Options{Scale: 4000})
		backendtest.Set(t, o.Sim, "teams.channel_order", order)
		where := o.channel("Engineering", "Build/Deploy")
		old := o.all(o.admin, where+"/messages?$top=50")
		var m truth
		if err := json.Unmarshal(old[len(old)-30], &m); err != nil {
			t.Fatal(err)
		}
		// An answer to an old post, which in the order of creation stands far behind.
		o.post(where+"/messages/"+m.ID+"/replies", "<p>Still true</p>")
		want := o.messages(where+"/messages", true)
		for name, pick := range map[string]func(months []string) []string{
			"newest first": func(m []string) []string { slices.Reverse(m); return m },
			"oldest first": func(m []string) []string { return m },
			"middle first": func(m []string) []string { return append(m[len(m)/2:], m[:len(m)/2]...) },
		} {
			t.Run(fmt.Sprint(order, ", ", name), func(t *testing.T) {
				r := o.open(false, "json")
				dir := r.key("channels/Engineering/Build／Deploy")
				root := r.list(dir)
				var months []string
				for name, e := range root {
					if e.IsDir && name != "files" {
						months = append(months, name)
					}
				}
				slices.Sort(months)
				found := 0
				for i, name := range pick(months) {
					key := root[name].Dir
					if !r.sink.Dir(key).Whole {
						pages, _, others := o.counted(func() { r.list(key) })
						if i == 0 && order == "activity" && strings.HasPrefix(name, "2026-1") && pages+others > 4 {
							t.Errorf("the newest month took %d pages and %d others", pages, others)
						}
					}
					entries, _ := r.sink.Entries(key)
					got := map[string]bool{}
					for _, e := range entries {
						if root, id, format := partsOf(e); format == "json" {
							got[root+"|"+id] = true
						}
					}
					for key, m := range want {
						if m.Created.UTC().Format("2006-01") == name && !got[key] {
							t.Errorf("%s lacks %s of %s", name, key, m.Created)
						}
					}
					found += len(got)
				}
				if found != len(want) {
					t.Errorf("%d messages in all months, want %d", found, len(want))
				}
			})
		}
	}
}

// TestForgottenMonth takes months away from the cache while the channel is read in part: they come back whole.
func TestForgottenMonth(t *testing.T) {
	o := newOffice(t, sim.Options{Scale: 4000})
	r := o.open(false, "json")
	where := o.channel("Engineering", "Build/Deploy")
	dir := r.key("channels/Engineering/Build／Deploy")
	key := r.list(dir)["2026-08"].Dir
	r.list(key)
	before, _ := r.sink.Entries(key)
	if len(before) == 0 {
		t.Fatal("nothing in August")
	}
	r.sink.Forget(key)
	o.World().Clock.Advance(20 * time.Minute)
	o.post(where+"/messages", "<p>Meanwhile</p>")
	r.list(key)
	after, _ := r.sink.Entries(key)
	if len(after) != len(before) {
		t.Errorf("August has %d files, had %d", len(after), len(before))
	}
	// What was read an hour ago and not shown yet has changed since.
	var edited truth
	for _, m := range o.messages(where+"/messages", false) {
		if m.Created.UTC().Format("2006-01") == "2026-10" && m.ReplyTo == "" && (edited.ID == "" || m.Created.Before(edited.Created)) {
			edited = m
		}
	}
	r2 := o.open(false, "json")
	dir2 := r2.key("channels/Engineering/Build／Deploy")
	months := r2.list(dir2)
	o.World().Clock.Advance(20 * time.Minute)
	o.ask(o.alice, "POST", where+"/messages/"+edited.ID+"/setReaction", object{"reactionType": "👍"})
	o.World().Clock.Advance(time.Minute)
	r2.list(months["2026-11"].Dir)
	r2.list(months["2026-10"].Dir)
	o.matches(r2, dir2, where, true)
}

// TestChatBudget counts what chats cost.
func TestChatBudget(t *testing.T) {
	o := newOffice(t, sim.Options{})
	r := o.open(false, "md")
	chats := r.key("chats")
	all := o.all(o.alice, "/me/chats?$top=50&$expand=members")
	large := 0
	for _, raw := range all {
		var c struct{ Members []any }
		if err := json.Unmarshal(raw, &c); err != nil {
			t.Fatal(err)
		}
		if len(c.Members) >= 25 {
			large++
		}
	}
	if n := o.requests(func() { r.list(chats) }); n > ceil(len(all), 50)+large || large == 0 {
		t.Errorf("listing %d chats, %d of them large, took %d requests", len(all), large, n)
	}
	for name, e := range r.sink.Names(chats) {
		messages := len(o.messages("/chats/"+e.Info.ServiceID+"/messages", false))
		n := o.requests(func() { r.months(e.Dir) })
		months := len(r.months(e.Dir))
		if n > ceil(messages, 50)+1 {
			t.Errorf("%s: %d messages in %d months took %d requests", name, messages, months, n)
		}
	}
	// A month by itself, as after the cache has dropped it.
	dir := r.key("chats")
	for name, e := range r.sink.Names(dir) {
		for month, files := range r.months(e.Dir) {
			key := r.sink.Names(e.Dir)[month].Dir
			r.sink.Forget(key)
			if n := o.requests(func() { r.list(key) }); n > ceil(len(files), 50)+1 {
				t.Errorf("%s/%s: %d messages took %d requests", name, month, len(files), n)
			}
			if got := r.sink.Names(key); len(got) != len(files) {
				t.Errorf("%s/%s has %d files, had %d", name, month, len(got), len(files))
			}
		}
	}
}
