package subscription

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/sim"
	simsub "github.com/workfs/workfs/backends/sim/subscription"
	"github.com/workfs/workfs/backends/webhook"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// ear is a Listener that keeps what it hears.
type ear struct {
	mu      sync.Mutex
	notes   []Notification
	states  map[string]State
	changes int
}

func newEar() *ear { return &ear{states: map[string]State{}} }

func (e *ear) Notified(n []Notification) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.notes = append(e.notes, n...)
}

func (e *ear) Changed(resource string, s State) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.states[resource] = s
	e.changes++
}

func (e *ear) state(resource string) State {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.states[resource]
}

// heard gives what was notified so far.
func (e *ear) heard() []Notification {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]Notification(nil), e.notes...)
}

// place is a simulator, a receiver, and what is signed in.
type place struct {
	*sim.Sim
	client   *graph.Client
	account  graph.Account
	memory   *backendtest.Sink
	receiver *webhook.Receiver
	log      *buffer
	now      func() time.Time // of the manager, the simulator's when nil
	data     bool
}

// buffer is a log that can be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func newPlace(t *testing.T, appOnly bool) *place {
	t.Helper()
	p := &place{Sim: backendtest.Start(t, sim.Options{}), memory: backendtest.NewSink(), log: &buffer{}}
	p.client, p.account = backendtest.Graph(t, p.Sim, appOnly, p.memory)
	p.listen(t, "")
	return p
}

// listen has the place receive webhooks at a public address.
func (p *place) listen(t *testing.T, address string) {
	t.Helper()
	r, err := webhook.New(webhook.Options{
		Listen: "127.0.0.1:0", Address: address, Key: []byte("0123456789abcdef"), ProbeInterval: -1, Log: slog.New(slog.NewTextHandler(p.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	p.receiver = r
}

// run runs a Manager until stop is called or the test ends.
func (p *place) run(t *testing.T) (m *Manager, stop func()) {
	t.Helper()
	m = New(p.options())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return m, stop
}

func (p *place) options() Options {
	now := p.now
	if now == nil {
		now = p.World().Clock.Now
	}
	r := p.Ready()
	return Options{
		Name: "contoso", Client: p.client, Account: p.account, ClientID: r.ClientID, LoginURL: r.Login, Memory: p.memory, Receiver: p.receiver,
		Options: backends.Options{Now: now, Tick: 5 * time.Millisecond, ResourceData: p.data, Log: slog.New(slog.NewTextHandler(p.log, nil))},
	}
}

// active gives the subscriptions that the service has.
func (p *place) active() []simsub.Status {
	var all []simsub.Status
	for _, s := range p.Clouds().Subscriptions.All() {
		if s.State == "active" || s.State == "paused" {
			all = append(all, s)
		}
	}
	return all
}

// draft makes a message in a mailbox's drafts and gives its id.
func (p *place) draft(t *testing.T, subject string) string {
	t.Helper()
	var made struct{ ID string }
	if _, err := p.client.Send(t.Context(), http.MethodPost, "/me/messages", graph.Query{}, map[string]any{"subject": subject}, &made); err != nil {
		t.Fatal(err)
	}
	return made.ID
}

// until waits for a condition.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// live waits until a resource is live.
func live(t *testing.T, e *ear, resource string) State {
	t.Helper()
	until(t, resource+" is live", func() bool { return e.state(resource).Live })
	return e.state(resource)
}

// messages is a wish for all of alice's messages.
var messages = Wish{Resource: "/me/messages", Changes: "created,updated,deleted", MaxLife: 10080 * time.Minute}

// envelope is a body as the service delivers it.
func envelope(items ...map[string]any) string {
	data, err := json.Marshal(map[string]any{"value": items})
	if err != nil {
		panic(err)
	}
	return string(data)
}

// post delivers a body and gives the status.
func post(t *testing.T, address, body string) int {
	t.Helper()
	res, err := http.Post(address, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}
