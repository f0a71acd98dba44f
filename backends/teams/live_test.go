package teams_test

import (
	"context"
	"fmt"
	"slices"
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
				if n := backendtest.Requests(o.Sim, "/messages/delta"); n > 9 {
					t.Errorf("9 messages took %d requests", n)
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
