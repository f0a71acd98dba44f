package subscription

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/sim/core"
)

func TestLifecycle(t *testing.T) {
	p := newPlace(t, false)
	m, stop := p.run(t)
	e := newEar()
	m.Want(messages, e)
	m.Want(messages, e) // the same again is no second one
	s := live(t, e, "/me/messages")
	if s.ID == "" || s.Problem != "" || s.Since.After(p.World().Clock.Now()) {
		t.Errorf("state %+v", s)
	}
	left := s.Renewal.Sub(p.World().Clock.Now())
	if left < 4*24*time.Hour || left > 6*24*time.Hour {
		t.Errorf("renewed in %s, want two thirds to three quarters of a week", left)
	}
	id := p.draft(t, "Hello")
	until(t, "the notification", func() bool { return len(e.heard()) > 0 })
	n := e.heard()[0]
	if n.Subscription != s.ID || n.Resource != "/me/messages" || n.Change != "created" || n.ID != id || n.ETag == "" || n.At.IsZero() || !strings.Contains(n.Path, id) {
		t.Errorf("notification %+v of %s", n, id)
	}
	m.Want(Wish{Resource: "/me/events", Changes: "created,updated,deleted", MaxLife: 10080 * time.Minute}, e)
	live(t, e, "/me/events")
	m.Drop("/me/messages")
	until(t, "the subscription is deleted", func() bool { return len(p.active()) == 1 })
	m.Want(messages, e)
	until(t, "there is another one", func() bool { s2 := e.state("/me/messages"); return s2.Live && s2.ID != s.ID })
	stop()
	if all := p.active(); len(all) != 0 {
		t.Errorf("left behind: %+v", all)
	}
	if got := e.state("/me/events"); got.Live {
		t.Errorf("in the end %+v", got)
	}
	for _, sub := range p.Clouds().Subscriptions.All() {
		if strings.Contains(p.log.String(), sub.NotificationURL) {
			t.Error("an address is in the log")
		}
	}
}

// crash ends a Manager in a way that leaves its subscriptions.
func crash(p *place, stop func()) {
	p.World().Faults.Set(core.FaultRule{Route: "DELETE /v1.0/subscriptions/*", Status: 500})
	stop()
	p.World().Faults.Set()
}

func TestAdoption(t *testing.T) {
	p := newPlace(t, false)
	m, stop := p.run(t)
	e := newEar()
	m.Want(messages, e)
	events := messages
	events.Resource = "/me/events"
	m.Want(events, e)
	first := live(t, e, messages.Resource)
	unwanted := live(t, e, events.Resource)
	crash(p, stop)
	if len(p.active()) != 2 {
		t.Fatal("the crash left nothing")
	}
	p.World().Clock.Advance(time.Hour)
	m, stop = p.run(t)
	e = newEar()
	m.Want(messages, e)
	again := live(t, e, messages.Resource)
	if again.ID != first.ID || !again.Since.After(first.Since.Add(30*time.Minute)) {
		t.Errorf("adopted %+v, made %+v", again, first)
	}
	p.draft(t, "Hello")
	until(t, "a notification for what was adopted", func() bool { return len(e.heard()) > 0 })
	p.World().Clock.Advance(strayTime + time.Minute)
	until(t, "what nobody wants is deleted", func() bool { return len(p.active()) == 1 })
	if p.active()[0].ID == unwanted.ID {
		t.Error("the wrong one was deleted")
	}
	crash(p, stop)

	// The secret is lost: what it was for can't be verified any more.
	p.memory = backendtest.NewSink()
	m, _ = p.run(t)
	e = newEar()
	m.Want(messages, e)
	fresh := live(t, e, messages.Resource)
	if all := p.active(); fresh.ID == first.ID || len(all) != 1 || all[0].ID != fresh.ID {
		t.Errorf("after the loss %+v: %+v", fresh, all)
	}
	p.draft(t, "Hello again")
	until(t, "a notification", func() bool { return len(e.heard()) > 0 })
}

func TestAnswerThatIsLost(t *testing.T) {
	p := newPlace(t, false)
	zero := int64(0)
	p.World().Faults.Set(core.FaultRule{Route: "POST /v1.0/subscriptions", Reset: true, BodyCut: &zero, Count: 1})
	m, _ := p.run(t)
	e := newEar()
	m.Want(messages, e)
	until(t, "the failure shows", func() bool { return e.state(messages.Resource).Problem != "" })
	p.World().Clock.Advance(time.Minute)
	live(t, e, messages.Resource)
	if all := p.Clouds().Subscriptions.All(); len(all) != 1 {
		t.Errorf("%d subscriptions were made", len(all))
	}
}

// elsewhere is an address that takes every handshake.
func elsewhere(t *testing.T) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, r.URL.Query().Get("validationToken"))
	}))
	t.Cleanup(s.Close)
	return s.URL + "/secret-path"
}

func TestSomebodyElseHoldsIt(t *testing.T) {
	p := newPlace(t, true)
	r := p.Ready()
	address := elsewhere(t)
	const resource = "/teams/getAllMessages"
	other, err := Create(t.Context(), p.client, Draft{
		Resource: resource, ChangeType: "created,updated,deleted", NotificationURL: address, LifecycleNotificationURL: address,
		Expires: p.World().Clock.Now().Add(2 * 24 * time.Hour), ClientState: "theirs",
	})
	if err != nil {
		t.Fatal(err)
	}
	m, _ := p.run(t)
	e := newEar()
	m.Want(Wish{Resource: resource, Changes: "created,updated,deleted", MaxLife: 4320 * time.Minute}, e)
	until(t, "the problem shows", func() bool { return e.state(resource).Problem != "" })
	problem := e.state(resource).Problem
	for _, want := range []string{other.ID, strings.Split(address, "/")[2], r.ClientID} {
		if !strings.Contains(problem, want) {
			t.Errorf("%q does not name %s", problem, want)
		}
	}
	if strings.Contains(problem, "secret-path") {
		t.Errorf("%q tells somebody's address", problem)
	}
	if err := Delete(t.Context(), p.client, other.ID); err != nil {
		t.Fatal(err)
	}
	p.World().Clock.Advance(20 * time.Minute)
	live(t, e, resource)
}

func TestServiceEndsIt(t *testing.T) {
	p := newPlace(t, false)
	m, _ := p.run(t)
	e := newEar()
	m.Want(messages, e)
	first := live(t, e, messages.Resource)
	p.World().Clock.Advance(time.Minute)
	if !p.Clouds().Subscriptions.Remove(first.ID) {
		t.Fatal("it can't be removed")
	}
	until(t, "there is a new one", func() bool { s := e.state(messages.Resource); return s.Live && s.ID != first.ID })
	second := e.state(messages.Resource)
	if !second.Since.After(first.Since) {
		t.Errorf("nothing was missed between %+v and %+v", first, second)
	}
	if !p.Clouds().Subscriptions.Missed(second.ID) {
		t.Fatal("nothing can be missed")
	}
	until(t, "missed notifications are told", func() bool {
		for _, n := range e.heard() {
			if n.Change == "" && n.Resource == messages.Resource {
				return true
			}
		}
		return false
	})
	before := backendtest.Requests(p.Sim, "PATCH", "subscriptions")
	if !p.Clouds().Subscriptions.Challenge(second.ID) {
		t.Fatal("it can't be challenged")
	}
	until(t, "it is reauthorized", func() bool { return backendtest.Requests(p.Sim, "PATCH", "subscriptions") > before })
	// Deleted without a word: the list tells.
	if err := Delete(t.Context(), p.client, second.ID); err != nil {
		t.Fatal(err)
	}
	p.World().Clock.Advance(7 * time.Hour)
	until(t, "there is a third one", func() bool { s := e.state(messages.Resource); return s.Live && s.ID != second.ID })
}

func TestMonthsPass(t *testing.T) {
	p := newPlace(t, true)
	m, _ := p.run(t)
	e := newEar()
	wishes := []Wish{
		{Resource: "/users/" + p.Company().Alice().ID + "/messages", Changes: "created,updated,deleted", MaxLife: 10080 * time.Minute},
		{Resource: "/teams/getAllMessages", Changes: "created,updated,deleted", MaxLife: 4320 * time.Minute},
		{Resource: "/chats/getAllMessages", Changes: "created,updated,deleted", MaxLife: 4320 * time.Minute},
	}
	first := map[string]State{}
	for _, w := range wishes {
		m.Want(w, e)
		first[w.Resource] = live(t, e, w.Resource)
	}
	end := p.World().Clock.Now().Add(60 * 24 * time.Hour)
	for p.World().Clock.Now().Before(end) {
		p.World().Clock.Advance(2 * time.Hour)
		// The manager does what is due, as it would in that time. Tokens that expire by a jump can make it try again.
		tries := 0
		until(t, "what is due is renewed", func() bool {
			if tries++; tries%50 == 0 {
				p.World().Clock.Advance(time.Minute)
			}
			for _, w := range wishes {
				if !e.state(w.Resource).Renewal.After(p.World().Clock.Now()) {
					return false
				}
			}
			for _, s := range p.active() {
				if s.State == "paused" {
					return false // it is about to be reauthorized
				}
			}
			return true
		})
	}
	for _, w := range wishes {
		now := e.state(w.Resource)
		if !now.Live || now.ID != first[w.Resource].ID || !now.Since.Equal(first[w.Resource].Since) {
			t.Errorf("%s lapsed: %+v, was %+v", w.Resource, now, first[w.Resource])
		}
	}
	for _, s := range p.Clouds().Subscriptions.All() {
		if s.State != "active" {
			t.Errorf("%s is %s", s.Resource, s.State)
		}
	}
	if n := len(p.Clouds().Subscriptions.All()); n != 3 {
		t.Errorf("%d subscriptions were made", n)
	}
}

func TestClockThatIsWrong(t *testing.T) {
	for name, wrong := range map[string]time.Duration{"ahead": 30 * 24 * time.Hour, "behind": -30 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, false)
			p.now = func() time.Time { return p.World().Clock.Now().Add(wrong) }
			m, _ := p.run(t)
			e := newEar()
			m.Want(messages, e)
			s := live(t, e, messages.Resource)
			if left := s.Renewal.Sub(p.now()); left < 4*24*time.Hour || left > 6*24*time.Hour {
				t.Errorf("renewed in %s", left)
			}
		})
	}
}

func TestAddressThatIsNotReached(t *testing.T) {
	p := newPlace(t, false)
	p.listen(t, "http://127.0.0.1:1")
	m, _ := p.run(t)
	e := newEar()
	m.Want(messages, e)
	events := messages
	events.Resource = "/me/events"
	m.Want(events, e)
	until(t, "the problem shows", func() bool { return strings.Contains(e.state(messages.Resource).Problem, "http://127.0.0.1:1") })
	if n := backendtest.Requests(p.Sim, "POST", "subscriptions"); n > parallel {
		t.Errorf("%d attempts", n)
	}
}

func TestRefusals(t *testing.T) {
	p := newPlace(t, false)
	backendtest.Set(t, p.Sim, "subscriptions.max_per_mailbox", 0)
	m, _ := p.run(t)
	e := newEar()
	m.Want(messages, e)
	until(t, "the quota shows", func() bool { return strings.Contains(e.state(messages.Resource).Problem, "no more subscriptions") })
	m.Want(Wish{Resource: "/chats/getAllMessages", Changes: "created", MaxLife: time.Hour}, e)
	until(t, "the permission shows", func() bool { return strings.Contains(e.state("/chats/getAllMessages").Problem, "may not subscribe") })
	backendtest.Set(t, p.Sim, "subscriptions.max_per_mailbox", 10)
	p.World().Clock.Advance(2 * time.Hour)
	live(t, e, messages.Resource)
}

// reacher is a Receiver whose address can be broken.
type reacher struct {
	backends.Receiver
	mu      sync.Mutex
	is      backends.Reach
	changed chan struct{}
}

func (r *reacher) Reach() (backends.Reach, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.is, r.changed
}

func (r *reacher) set(is backends.Reach) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.is = is
	close(r.changed)
	r.changed = make(chan struct{})
}

func TestAddressThatFails(t *testing.T) {
	p := newPlace(t, false)
	o := p.options()
	r := &reacher{Receiver: p.receiver, changed: make(chan struct{})}
	o.Receiver = r
	m := New(o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.Run(ctx)
	}()
	defer func() {
		cancel()
		<-done
	}()

	e := newEar()
	m.Want(messages, e)
	first := live(t, e, messages.Resource)
	r.set(backends.Reach{Known: true, Down: true, Problem: "the public address does not answer"})
	until(t, "it is not live", func() bool {
		s := e.state(messages.Resource)
		return !s.Live && strings.Contains(s.Problem, "does not answer")
	})
	p.World().Clock.Advance(time.Minute)
	r.set(backends.Reach{Known: true})
	again := live(t, e, messages.Resource)
	if again.ID != first.ID || again.Since.Before(first.Since.Add(time.Minute)) {
		t.Errorf("live again %+v, before %+v", again, first)
	}
}
