package teams_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/teams"
)

// hook is a transport that does something before requests, or when their answers have come.
type hook struct {
	http.RoundTripper
	before, after func(*http.Request)
}

func (h *hook) RoundTrip(r *http.Request) (*http.Response, error) {
	if h.before != nil {
		h.before(r)
	}
	res, err := h.RoundTripper.RoundTrip(r)
	if h.after != nil {
		h.after(r)
	}
	return res, err
}

// openWith makes alice's reader with a transport of its own.
func (o *office) openWith(h *hook) *reader {
	o.t.Helper()
	r := o.Ready()
	h.RoundTripper = backendtest.Transport(o.t)
	client, err := graph.New(graph.Config{
		BaseURL: r.Graph, Tenant: r.Tenant, ClientID: r.ClientID, Transport: h,
		Tokens: auth.NewMicrosoft(auth.MicrosoftConfig{LoginURL: r.Login, Tenant: r.Tenant, ClientID: r.ClientID},
			backendtest.Credentials(o.t, r.ClientSecret, r.RefreshToken), backendtest.Transport(o.t)),
		TeamsInterval: time.Microsecond, Backoff: backendtest.Backoff,
	})
	if err != nil {
		o.t.Fatal(err)
	}
	sink := backendtest.NewSink()
	account, err := client.Account(o.t.Context(), sink)
	if err != nil {
		o.t.Fatal(err)
	}
	b := teams.New(teams.Config{Client: client, Account: account, Options: backends.Options{Formats: []string{"json"}}, Now: o.World().Clock.Now})
	return &reader{o.t, b, sink}
}

// TestMovingConversation changes conversations between the requests of one reading: no month is ever shown without what it
// had when the reading began, and a refresh shows everything.
func TestMovingConversation(t *testing.T) {
	for _, tt := range []struct {
		order, channel string
		scale          int
	}{
		{"activity", "General", 0}, {"created", "General", 0},
		{"activity", "Build/Deploy", 3000}, {"created", "Build/Deploy", 3000},
		{"", "", 0}, // a chat
	} {
		t.Run(tt.order+" "+strings.ReplaceAll(tt.channel, "/", " "), func(t *testing.T) {
			o := newOffice(t, sim.Options{Scale: tt.scale})
			var where string
			if tt.channel != "" {
				backendtest.Set(t, o.Sim, "teams.channel_order", tt.order)
				where = o.channel("Engineering", tt.channel)
			}
			for seed := range uint64(2) {
				random := rand.New(rand.NewPCG(seed, 1))
				h := &hook{}
				r := o.openWith(h)
				path := "channels/Engineering/" + strings.ReplaceAll(tt.channel, "/", "／")
				if tt.channel == "" {
					path, where = o.chat(r, "Q4 numbers 📊")
				}
				dir := r.key(path)
				before := o.messages(where+"/messages", tt.channel != "")
				ids := slices.Sorted(maps.Keys(before))
				h.before = func(req *http.Request) {
					if !strings.Contains(req.URL.Path, "/messages") {
						return
					}
					o.World().Clock.Advance(time.Duration(random.IntN(3)) * time.Second)
					for range random.IntN(3) {
						o.disturb(random, where, before, ids)
					}
				}
				root := r.list(dir)
				var months []string
				for name, e := range root {
					if e.IsDir && name != "files" {
						months = append(months, name)
					}
				}
				slices.Sort(months)
				random.Shuffle(len(months), func(i, j int) { months[i], months[j] = months[j], months[i] })
				for _, name := range months[:random.IntN(len(months)+1)] {
					if !r.sink.Dir(root[name].Dir).Whole {
						r.list(root[name].Dir)
					}
				}
				for key, m := range before {
					month := root[m.Created.UTC().Format("2006-01")]
					if month.Dir == "" {
						t.Fatalf("seed %d: no directory for %s", seed, m.Created)
					}
					entries, whole := r.sink.Entries(month.Dir)
					if whole && !slices.ContainsFunc(entries, func(e backends.Entry) bool {
						root, id, format := partsOf(e)
						return format == "json" && root+"|"+id == key
					}) {
						t.Errorf("seed %d: %s was shown whole without %s of %s", seed, month.Name.Stem, key, m.Created)
					}
				}
				h.before = nil
				o.World().Clock.Advance(time.Minute)
				r.list(dir)
				o.matches(r, dir, where, tt.channel != "")
			}
		})
	}
}

// disturb does one thing in a conversation.
func (o *office) disturb(random *rand.Rand, where string, known map[string]truth, ids []string) {
	o.t.Helper()
	m := known[ids[random.IntN(len(ids))]]
	one := where + "/messages/" + m.ID
	if m.ReplyTo != "" {
		one = where + "/messages/" + m.ReplyTo + "/replies/" + m.ID
	}
	channel := strings.HasPrefix(where, "/teams/")
	switch n := random.IntN(4); {
	case n == 0:
		o.post(where+"/messages", fmt.Sprintf("<p>Post %d</p>", random.Int64()))
	case n == 1 && channel:
		o.post(where+"/messages/"+firstOf(m.ReplyTo, m.ID)+"/replies", fmt.Sprintf("<p>Answer %d</p>", random.Int64()))
	default:
		o.ask(o.alice, http.MethodPost, one+"/setReaction", object{"reactionType": "👍"})
	}
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// TestSpentLink refuses the link to a next page in the middle of a reading: once is no matter, always is an error and no
// listing.
func TestSpentLink(t *testing.T) {
	o := newOffice(t, sim.Options{})
	h := &hook{}
	refused, always := 0, false
	h.before = func(req *http.Request) {
		if q := req.URL.Query(); strings.Contains(req.URL.Path, "/messages") && q.Has("$skiptoken") && (always || refused == 0) {
			refused++
			q.Set("$skiptoken", "spent")
			req.URL.RawQuery = q.Encode()
		}
	}
	r := o.openWith(h)
	dir, where := r.key("channels/Engineering/General"), o.channel("Engineering", "General")
	r.months(dir)
	if refused != 1 {
		t.Fatalf("%d links were refused", refused)
	}
	o.matches(r, dir, where, true)

	always = true
	r = o.openWith(h)
	dir = r.key("channels/Engineering/General")
	if err := r.b.List(t.Context(), dir, r.sink); err == nil {
		t.Error("a channel is shown although its pages can't be followed")
	} else if !backends.Temporary(err) {
		t.Errorf("a refused link is no reason to give up: %v", err)
	}
	if r.sink.Dir(dir).Whole {
		t.Error("a channel became whole although its pages can't be followed")
	}
}

// TestInterruptedReading ends the time of an operation in the middle of a reading: the next one goes on there.
func TestInterruptedReading(t *testing.T) {
	for _, channel := range []bool{true, false} {
		o := newOffice(t, sim.Options{})
		h := &hook{}
		r := o.openWith(h)
		path, where := "channels/Engineering/General", o.channel("Engineering", "General")
		if !channel {
			path, where = o.chat(r, "Standup")
		}
		dir := r.key(path)
		// Each page is there once, so that who starts anew misses something.
		o.script(where, []any{said("5", "2026-11-05T00:00:00Z")}, []any{said("4", "2026-11-04T00:00:00Z")},
			[]any{said("3", "2026-11-03T00:00:00Z")}, []any{said("2", "2026-11-02T00:00:00Z")})
		ctx, cancel := context.WithCancel(t.Context())
		requests := 0
		h.before = func(req *http.Request) {
			if requests++; requests == 3 {
				cancel()
			}
		}
		if err := r.b.List(ctx, dir, r.sink); !errors.Is(err, context.Canceled) {
			t.Errorf("channel %v: an interrupted listing gives %v", channel, err)
		}
		cancel()
		if r.sink.Dir(dir).Whole {
			t.Errorf("channel %v: an interrupted listing is whole", channel)
		}
		h.before = nil
		if got := r.sink.Names(r.list(dir)["2026-11"].Dir); len(got) != 4 {
			t.Errorf("channel %v: %d messages, want 4", channel, len(got))
		}
	}
}
