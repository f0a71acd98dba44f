package box

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

// watched is a folder with a webhook for new folders.
func (f *fixture) watched(address string) (dir, hook string) {
	f.Helper()
	f.set("box.webhook_delay_ms", 0)
	dir = f.newFolder("Watched", "0")
	return dir, f.hook("folder", dir, address, "FOLDER.CREATED")
}

func TestRetries(t *testing.T) {
	f := start(t, core.Options{}, "")
	r := f.receive(func(n int) int { return map[bool]int{true: 204, false: 503}[n == 4] })
	dir, _ := f.watched(r.url)
	f.newFolder("A", dir)
	attempts := []delivery{r.next()}
	for range 3 {
		f.advanceUntil(func() bool { return len(r.came) > 0 })
		attempts = append(attempts, r.next())
	}
	r.quiet()
	ids := map[string]bool{}
	for _, d := range attempts {
		ids[d.header.Get("Box-Delivery-Id")] = true
		if d.doc(t).str("id") != attempts[0].doc(t).str("id") || string(d.body) != string(attempts[0].body) {
			t.Errorf("a retry has another body: %s", d.body)
		}
		primary, secondary := f.s.WebhookKeys()
		f.signed(d, primary, secondary)
	}
	if len(ids) != 4 || ids[""] {
		t.Errorf("delivery ids: %v", ids)
	}

	// Twelve attempts in two hours, then no more.
	f = start(t, core.Options{}, "")
	begin := f.w.Clock.Now()
	r = f.receive(func(int) int { return 301 })
	dir, _ = f.watched(r.url)
	f.newFolder("A", dir)
	for n := range mostAttempts {
		r.next()
		if n < mostAttempts-1 {
			f.advanceUntil(func() bool { return len(r.came) > 0 })
		}
	}
	if took := f.w.Clock.Now().Sub(begin); took > 2*time.Hour+5*time.Minute {
		t.Errorf("the attempts take %v", took)
	}
	r.quiet()
}

// advanceUntil moves the clock in steps until a condition holds, but not while a receiver has a delivery in its hands: each
// has 30 seconds for its answer.
func (f *fixture) advanceUntil(done func() bool) {
	f.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			f.Fatal("it never comes true")
		}
		if len(f.s.hooks.slots) == 0 {
			f.w.Clock.Advance(5 * time.Second)
		}
	}
}

func TestSlowReceiverIsRetried(t *testing.T) {
	f := start(t, core.Options{}, "")
	came := make(chan string, 10)
	slow := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		came <- r.Header.Get("Box-Delivery-Id")
		select {
		case <-slow:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(srv.Close)
	dir, _ := f.watched(srv.URL)
	f.newFolder("A", dir)
	first := <-came
	f.w.Clock.Advance(31 * time.Second) // the answer is late
	close(slow)
	f.advanceUntil(func() bool { return len(came) > 0 })
	if second := <-came; second == first {
		t.Error("the retry has the same delivery id")
	}
	f.settled()
}

func TestDeliveryFaults(t *testing.T) {
	f := start(t, core.Options{}, "")
	r := f.receive(nil)
	dir, _ := f.watched(r.url)
	primary, secondary := f.s.WebhookKeys()
	age := func(d delivery) time.Duration {
		at, err := time.Parse(time.RFC3339, d.header.Get("Box-Delivery-Timestamp"))
		if err != nil {
			t.Fatal(err)
		}
		return f.w.Clock.Now().Sub(at)
	}
	f.set("box.webhook_next", "lose,ok,twice,stale,future,wrong,unsigned")
	f.newFolder("lose", dir)
	r.quiet()
	f.newFolder("ok", dir)
	f.signed(r.next(), primary, secondary)
	f.newFolder("twice", dir)
	one, two := r.next(), r.next()
	if one.doc(t).str("id") != two.doc(t).str("id") || one.header.Get("Box-Delivery-Id") == two.header.Get("Box-Delivery-Id") {
		t.Errorf("twice: %s, %s", one.body, two.body)
	}
	f.newFolder("stale", dir)
	d := r.next()
	f.signed(d, primary, secondary)
	if age(d) < 10*time.Minute {
		t.Errorf("stale: %v", age(d))
	}
	f.newFolder("future", dir)
	if d := r.next(); age(d) > -10*time.Minute {
		t.Errorf("future: %v", age(d))
	}
	f.newFolder("wrong", dir)
	f.signed(r.next(), primary+"x", secondary+"x")
	f.newFolder("unsigned", dir)
	f.signed(r.next(), "", "")
	f.newFolder("ok again", dir)
	f.signed(r.next(), primary, secondary)

	f.set("box.webhook_loss_percent", 100)
	f.newFolder("lost", dir)
	r.quiet()
	f.set("box.webhook_loss_percent", 0)
	f.set("box.webhook_duplicate_percent", 100)
	f.newFolder("doubled", dir)
	if one, two := r.next(), r.next(); one.doc(t).str("id") != two.doc(t).str("id") {
		t.Error("the copy has another id")
	}
	f.set("box.webhook_duplicate_percent", 0)

	// A delay of its own for each: the order is lost.
	f.set("box.webhook_delay_ms", 10000)
	var want, got []string
	for i := range 20 {
		want = append(want, f.newFolder("delayed "+string(rune('a'+i)), dir))
	}
	f.advanceUntil(func() bool { return f.s.PendingDeliveries() == 0 })
	for range want {
		got = append(got, r.next().doc(t).obj("source").str("id"))
	}
	if slices.Equal(want, got) {
		t.Error("the deliveries are in order")
	}
	slices.Sort(want)
	slices.Sort(got)
	f.same("delayed", got, want...)
}

func TestEndOfWebhooks(t *testing.T) {
	f := start(t, core.Options{}, "")
	var fail atomic.Bool
	r := f.receive(func(int) int { return map[bool]int{true: 500, false: 200}[fail.Load()] })
	dir, hook := f.watched(r.url)

	f.control(`{"action":"end_session","webhook":"` + hook + `"}`)
	made := f.newFolder("A", dir)
	d := r.next()
	if d.doc(t).str("trigger") != "NO_ACTIVE_SESSION" || len(d.doc(t).obj("source")) != 2 || d.doc(t).obj("source").str("id") == made {
		t.Errorf("no session: %s", d.body)
	}
	primary, secondary := f.s.WebhookKeys()
	f.signed(d, primary, secondary)
	f.token = f.ccg("user", f.co.Alice().BoxID)
	f.newFolder("B", dir)
	if d := r.next(); d.doc(t).str("trigger") != "FOLDER.CREATED" {
		t.Errorf("with a session again: %s", d.body)
	}

	f.control(`{"action":"delete_webhook","webhook":"` + hook + `","reason":"whim"}`)
	d = r.next()
	if d.doc(t).str("trigger") != "WEBHOOK.DELETED" || d.doc(t).obj("additional_info").str("reason") != "whim" || d.doc(t).obj("webhook").str("id") != hook {
		t.Errorf("deleted: %s", d.body)
	}
	f.refused(f.api("GET", "/webhooks/"+hook, nil), 404, "not_found")
	f.newFolder("C", dir)
	r.quiet()

	// Nobody answers for 30 days, with a trigger more than 14 days after the last success.
	hook = f.hook("folder", dir, r.url, "FOLDER.CREATED")
	f.newFolder("D", dir)
	r.next()
	r.settled()
	days := func(n int) {
		f.w.Clock.Advance(time.Duration(n) * 24 * time.Hour)
		f.token = f.ccg("user", f.co.Alice().BoxID)
	}
	days(40) // without a trigger nothing happens
	f.do("GET", "/webhooks/"+hook, nil)
	fail.Store(true)
	f.newFolder("E", dir)
	r.next()
	fail.Store(false)
	f.refused(f.api("GET", "/webhooks/"+hook, nil), 404, "not_found")
	if d := r.next(); d.doc(t).str("trigger") != "WEBHOOK.DELETED" || d.doc(t).obj("additional_info").str("reason") != "auto_cleanup" {
		t.Errorf("cleaned up: %s", d.body)
	}

	// A creator who sees the target no longer gets nothing; nor does one who is gone.
	shared := f.newFolder("Shared", "0")
	co := f.do("POST", "/collaborations", map[string]any{
		"item": map[string]string{"type": "folder", "id": shared}, "accessible_by": map[string]string{"login": f.colleague()}, "role": "editor",
	}).doc(t).str("id")
	bob := f.bob()
	bob.hook("folder", shared, r.url, "FOLDER.CREATED")
	f.newFolder("seen", shared)
	if d := r.next(); d.doc(t).obj("source").str("name") != "seen" {
		t.Errorf("collaborator's: %s", d.body)
	}
	f.do("DELETE", "/collaborations/"+co, nil)
	f.newFolder("unseen", shared)
	f.advanceUntil(func() bool { return f.s.PendingDeliveries() == 0 })
	r.quiet()
}
