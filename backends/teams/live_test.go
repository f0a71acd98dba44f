package teams_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/graph/subscription"
	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/teams"
	"github.com/workfs/workfs/backends/webhook"
)

// feed is the Feed of a test: what is looked at comes from a channel, what is said is kept.
type feed struct {
	sink  *backendtest.Sink
	looks chan []string

	mu   sync.Mutex
	live map[string]backends.Liveness
}

func (f *feed) Sink(backends.Origin) backends.Sink { return f.sink }

func (f *feed) Looks(ctx context.Context) ([]string, error) {
	select {
	case names := <-f.looks:
		return names, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (f *feed) Live(name string, l backends.Liveness) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.live[name] = l
}

func (f *feed) Expire(...backends.DirKey) {}

func (f *feed) said(name string) backends.Liveness {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.live[name]
}

// until waits for a condition.
func (o *office) until(what string, is func() bool) {
	o.t.Helper()
	for end := time.Now().Add(30 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			o.t.Fatalf("never: %s", what)
		}
	}
}

// follow has a service follow changes until the test ends, by webhooks or by asking.
func (o *office) follow(appOnly, webhooks, data bool) (*reader, *feed) {
	o.t.Helper()
	sink := backendtest.NewSink()
	client, account := backendtest.Graph(o.t, o.Sim, appOnly, sink)
	options := backends.Options{
		Formats: []string{"json"}, Now: o.World().Clock.Now, Tick: 5 * time.Millisecond, ResourceData: data, PollInterval: 20 * time.Millisecond,
	}
	c := teams.Config{Client: client, Account: account}
	var running sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	if webhooks {
		receiver, err := webhook.New(webhook.Options{Listen: "127.0.0.1:0", Key: []byte("0123456789abcdef"), ProbeInterval: -1})
		if err != nil {
			o.t.Fatal(err)
		}
		if err := receiver.Start(); err != nil {
			o.t.Fatal(err)
		}
		o.t.Cleanup(func() { receiver.Close() })
		options.Receiver = receiver
		c.Subscriptions = subscription.New(subscription.Options{
			Name: "contoso", Client: client, Account: account, ClientID: o.Ready().ClientID, LoginURL: o.Ready().Login,
			Memory: sink, Receiver: receiver, Options: options,
		})
		running.Go(func() { c.Subscriptions.Run(ctx) })
	}
	c.Options = options
	b := teams.New(c)
	f := &feed{sink: sink, looks: make(chan []string), live: map[string]backends.Liveness{}}
	running.Go(func() { b.(backends.Follower).Follow(ctx, f) })
	o.t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return &reader{o.t, b, sink}, f
}

// TestLive follows the simulator's own notifications, with and without the changed messages in them: what changes is shown
// without a look.
func TestLive(t *testing.T) {
	for _, appOnly := range []bool{false, true} {
		for _, data := range []bool{false, true} {
			t.Run(fmt.Sprint("application ", appOnly, " data ", data), func(t *testing.T) {
				t.Parallel()
				o := newOffice(t, sim.Options{})
				r, f := o.follow(appOnly, true, data)
				where, messages := o.channel("Engineering", "General"), o.channel("Engineering", "General")+"/messages"
				dir := r.key("channels/Engineering/General")
				l := o.library("Engineering", "General")
				r.months(dir)
				filesDir := r.key("channels/Engineering/General/files")
				r.list(filesDir)
				f.looks <- []string{string(dir), l.collection(), "root"}
				for _, collection := range []string{string(dir), l.collection()} {
					o.until(collection+" is live", func() bool {
						said := f.said(collection)
						return said.By == backends.ByWebhook && !said.Since.IsZero()
					})
				}
				shows := func(id string) bool {
					for _, e := range byID(r, dir) {
						if e.Info.ServiceID == id {
							return true
						}
					}
					return false
				}
				var took []time.Duration
				for i := range 10 {
					if i == 1 {
						o.World().Stats.Reset()
					}
					began := time.Now()
					id := o.post(messages, fmt.Sprintf("<p>Number %d</p>", i))
					o.until("the message is shown", func() bool { return shows(id) })
					took = append(took, time.Since(began))
				}
				// The delta that confirms the first message's data may run late.
				if n := backendtest.Requests(o.Sim, "/messages/delta"); n > 10 {
					t.Errorf("10 messages took %d requests", n)
				}
				slices.Sort(took)
				t.Logf("posted messages are shown after %s, at most %s", took[len(took)/2], took[len(took)-1])
				l.upload(l.root, "live.txt", "x")
				o.until("the file is shown", func() bool { return r.sink.Names(filesDir)["live.txt"].ID != "" })
				o.matches(r, dir, where, true)
			})
		}
	}
}

// TestPolls follows the files of a channel without a public address.
func TestPolls(t *testing.T) {
	o := newOffice(t, sim.Options{})
	r, f := o.follow(false, false, false)
	l := o.library("Engineering", "General")
	dir, files := r.key("channels/Engineering/General"), r.key("channels/Engineering/General/files")
	r.list(files)
	r.list(dir)
	f.looks <- []string{l.collection(), string(dir)}
	l.upload(l.root, "polled.txt", "x")
	o.until("the file is shown", func() bool { return r.sink.Names(files)["polled.txt"].ID != "" })
	if said := f.said(l.collection()); said.By != "" || said.Interval == 0 {
		t.Errorf("the drive is said to be %+v", said)
	}
	if said := f.said(string(dir)); said.By != "" || said.Interval != 0 {
		t.Errorf("the channel is said to be %+v", said)
	}
}

// TestLiveLists makes, renames and ends channels and chats, and has people come: the lists and the members follow.
func TestLiveLists(t *testing.T) {
	for _, appOnly := range []bool{false, true} {
		t.Run(fmt.Sprint("application ", appOnly), func(t *testing.T) {
			t.Parallel()
			o := newOffice(t, sim.Options{})
			r, f := o.follow(appOnly, true, false)
			team := "/teams/" + o.ids(o.admin, "/teams")["Engineering"]
			teamDir, chatsPath := r.key("channels/Engineering"), "chats"
			if appOnly {
				chatsPath = "users/alice@contoso.com/chats"
			}
			chatsDir := r.key(chatsPath)
			r.list(teamDir)
			r.list(chatsDir)
			looked := []string{string(teamDir), string(chatsDir)}
			if appOnly {
				looked = append(looked, "channels")
			}
			f.looks <- looked
			for _, collection := range looked {
				o.until(collection+" is live", func() bool { return f.said(collection).By == backends.ByWebhook })
			}
			of := func(dir backends.DirKey, id string) (name string, e backends.Entry) {
				for name, e := range r.sink.Names(dir) {
					if e.Info.ServiceID == id {
						return name, e
					}
				}
				return "", e
			}
			shown := func(dir backends.DirKey, id, prefix string) backends.Entry {
				t.Helper()
				o.until(prefix+" is shown", func() bool {
					name, _ := of(dir, id)
					return name != "" && strings.HasPrefix(name, prefix)
				})
				_, e := of(dir, id)
				return e
			}
			made := func(answer []byte) string {
				t.Helper()
				var got struct{ ID string }
				if err := json.Unmarshal(answer, &got); err != nil || got.ID == "" {
					t.Fatalf("%v in %s", err, answer)
				}
				return got.ID
			}

			channel := made(o.ask(o.alice, http.MethodPost, team+"/channels", object{"displayName": "Brand new"}))
			first := shown(teamDir, channel, "Brand new")
			path := team + "/channels/" + url.PathEscape(channel)
			o.ask(o.alice, http.MethodPatch, path, object{"displayName": "Not so new"})
			if e := shown(teamDir, channel, "Not so new"); e.ID != first.ID || e.Dir != first.Dir {
				t.Errorf("renaming a channel made %+v of %+v", e, first)
			}
			o.ask(o.alice, http.MethodDelete, path, nil)
			o.until("the channel is gone", func() bool { _, e := of(teamDir, channel); return e.ID == "" })

			member := func(user string, roles ...string) object {
				return object{
					"@odata.type": "#microsoft.graph.aadUserConversationMember", "roles": roles,
					"user@odata.bind": o.Ready().Graph + "/v1.0/users('" + user + "')",
				}
			}
			users := o.ids(o.admin, "/users")
			chat := made(o.ask(o.alice, http.MethodPost, "/chats", object{
				"chatType": "group", "topic": "Launch", "members": []object{member(o.me(), "owner"), member(users["Bob Jones"], "owner")},
			}))
			first = shown(chatsDir, chat, "Launch")
			where := "/chats/" + url.PathEscape(chat)
			o.ask(o.alice, http.MethodPatch, where, object{"topic": "Landing"})
			if e := shown(chatsDir, chat, "Landing"); e.ID != first.ID || e.Dir != first.Dir {
				t.Errorf("renaming a chat made %+v of %+v", e, first)
			}
			r.list(first.Dir)
			f.looks <- []string{string(first.Dir)}
			o.until("the chat is live", func() bool { return f.said(string(first.Dir)).By == backends.ByWebhook })
			o.ask(o.alice, http.MethodPost, where+"/members", member(users["Carol Nguyen"], "owner"))
			o.until("Carol is a member", func() bool {
				return strings.Contains(string(r.sink.Names(first.Dir)["members.csv"].Body), users["Carol Nguyen"])
			})
			if appOnly {
				o.ask(o.alice, http.MethodPatch, team, object{"displayName": "Works"})
				shown(r.key("channels"), strings.TrimPrefix(team, "/teams/"), "Works")
			}
		})
	}
}

// TestLiveEarly has notifications come before messages can be read: they are shown once they can be.
func TestLiveEarly(t *testing.T) {
	t.Parallel()
	o := newOffice(t, sim.Options{})
	r, f := o.follow(false, true, false)
	dir, messages := r.key("channels/Engineering/General"), o.channel("Engineering", "General")+"/messages"
	r.months(dir)
	f.looks <- []string{string(dir)}
	o.until("the channel is live", func() bool { return f.said(string(dir)).By == backends.ByWebhook })
	backendtest.Set(t, o.Sim, "teams.replication_seconds", 2)
	ids := []string{o.post(messages, "<p>First</p>"), o.post(messages, "<p>Second</p>")}
	for _, id := range ids {
		o.until("the message is shown", func() bool {
			_, ok := shown(r.shownMonths(dir), "json")["|"+id]
			return ok
		})
	}
}

// shownMonths is what the months of a conversation hold that are listed.
func (r *reader) shownMonths(dir backends.DirKey) map[string]map[string]backends.Entry {
	found := map[string]map[string]backends.Entry{}
	for name, e := range r.sink.Names(dir) {
		if e.IsDir && name != "files" {
			found[name] = r.sink.Names(e.Dir)
		}
	}
	return found
}
