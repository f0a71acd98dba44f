package subscription_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"
)

func TestSeveralNotificationsInOnePost(t *testing.T) {
	f := newFixture(t)
	f.Set("subscriptions.latency", "30s")
	f.subscribe(f.alice, "me/messages", map[string]any{"changeType": "created"})
	f.subscribe(f.alice, "me/events", map[string]any{"changeType": "created"})
	other := f.subscribe(f.bob, "me/messages", map[string]any{"changeType": "created", "notificationUrl": f.to.url + "/bob"})
	a, b := f.newMail("inbox", "a"), f.newMail("inbox", "b")
	f.newEvent("event")
	f.bob.Do("POST", "/me/messages", map[string]any{"subject": "bob's"})
	if got := f.to.got(); len(got) != 0 {
		t.Fatalf("before its time: %v", got)
	}
	f.World.Clock.Advance(31 * time.Second)
	f.pending(other, 0)
	eventually(t, func() bool { return len(f.to.got()) == 2 })
	for _, p := range f.to.got() {
		if want := map[string]int{"/hook": 3, "/bob": 1}[p.path]; len(p.items) != want || p.tokens != nil {
			t.Errorf("%d items at %s, want %d", len(p.items), p.path, want)
		}
		if p.path == "/hook" && (p.items[0].data("id") != a || p.items[1].data("id") != b) {
			t.Errorf("order %v", p.items)
		}
	}
	f.to.items(4)
	f.Set("subscriptions.batch", 2)
	for range 5 {
		f.newMail("inbox", "more")
	}
	f.World.Clock.Advance(31 * time.Second)
	f.to.waitPosts(3)
	for i, p := range f.to.got() {
		if want := []int{2, 2, 1}[i]; len(p.items) != want {
			t.Errorf("POST %d has %d items, want %d", i, len(p.items), want)
		}
	}
}

func TestLatencyUpToTheMaximum(t *testing.T) {
	f := newFixture(t)
	f.Set("subscriptions.latency", "maximum")
	with := map[string]any{"changeType": "updated", "expirationDateTime": f.in(24 * time.Hour)}
	f.subscribe(f.alice, "me/drive/root", with)
	f.subscribe(f.alice, "me/messages", map[string]any{"changeType": "created"})
	f.alice.Do("PUT", "/me/drive/root:/new.txt:/content", []byte("content"))
	f.newMail("inbox", "new")
	f.World.Clock.Advance(2 * time.Minute)
	f.World.Clock.Advance(2 * time.Minute)
	if i := f.to.items(1)[0]; i.data("@odata.type") != "#Microsoft.Graph.Message" {
		t.Errorf("after four minutes: %v", i)
	}
	f.World.Clock.Advance(5 * time.Hour)
	time.Sleep(20 * time.Millisecond)
	if got := f.to.got(); len(got) != 0 {
		t.Errorf("after five hours: %v", got)
	}
	f.World.Clock.Advance(time.Hour)
	if i := f.to.items(1)[0]; i.data("@odata.type") != "#Microsoft.Graph.DriveItem" {
		t.Errorf("after six hours: %v", i)
	}
}

func TestFaultsOnTheWay(t *testing.T) {
	f := newFixture(t)
	id := f.subscribe(f.alice, "me/messages", map[string]any{"changeType": "created"})
	t.Run("duplicates", func(t *testing.T) {
		f.Set("subscriptions.duplicate_percent", 100)
		defer f.Set("subscriptions.duplicate_percent", 0)
		f.newMail("inbox", "twice")
		if got := f.to.items(2); got[0].text("id") != got[1].text("id") || got[0].text("id") == "" {
			t.Errorf("%v", got)
		}
	})
	t.Run("order", func(t *testing.T) {
		f.Set("subscriptions.reorder_percent", 100)
		late := f.newMail("inbox", "first")
		f.Set("subscriptions.reorder_percent", 0)
		early := f.newMail("inbox", "second")
		f.to.waitPosts(1)
		f.World.Clock.Advance(10 * time.Second)
		if got := f.to.items(2); got[0].data("id") != early || got[1].data("id") != late {
			t.Errorf("%v", got)
		}
	})
	t.Run("loss", func(t *testing.T) {
		f.Set("subscriptions.loss_percent", 100)
		f.newMail("inbox", "lost")
		f.Set("subscriptions.loss_percent", 0)
		kept := f.newMail("inbox", "kept")
		if got := f.to.items(1); got[0].data("id") != kept || f.status(id).Lost != 1 {
			t.Errorf("%v %+v", got, f.status(id))
		}
	})
	t.Run("forged item", func(t *testing.T) {
		f.Set("subscriptions.forged_percent", 100)
		defer f.Set("subscriptions.forged_percent", 0)
		f.newMail("inbox", "forged")
		if got := f.to.items(2); got[0].text("clientState") != "forged" || got[1].text("clientState") != "s3cret" || len(f.to.got()) > 1 {
			t.Errorf("%v", got)
		}
	})
	t.Run("by the seed", func(t *testing.T) {
		lost := func() (pattern string) {
			f := newFixture(t)
			id := f.subscribe(f.alice, "me/messages", map[string]any{"changeType": "created"})
			f.Set("subscriptions.loss_percent", 50)
			for n := range 20 {
				before := f.status(id).Lost
				f.newMail("inbox", fmt.Sprint(n))
				pattern += fmt.Sprint(f.status(id).Lost - before)
			}
			return pattern
		}
		if a, b := lost(), lost(); a != b || !slices.Contains([]rune(a), '0') || !slices.Contains([]rune(a), '1') {
			t.Errorf("%s, then %s", a, b)
		}
	})
}

func TestRetriesForFourHours(t *testing.T) {
	f := newFixture(t)
	id := f.subscribe(f.alice, "me/messages", map[string]any{"changeType": "created", "expirationDateTime": f.in(24 * time.Hour), "lifecycleNotificationUrl": f.to.url + "/life"})
	f.to.answer(http.StatusServiceUnavailable)
	f.newMail("inbox", "unwanted")
	f.to.waitPosts(1)
	if st := f.status(id); st.Pending != 1 || st.Delivered != 0 {
		t.Errorf("after the first attempt: %+v", st)
	}
	// 10, 20, 40 … seconds later, the same notification again.
	for n, wait := range []time.Duration{10, 20, 40, 80} {
		f.World.Clock.Advance(wait * time.Second / 2)
		time.Sleep(20 * time.Millisecond)
		if got := len(f.to.got()); got != n+1 {
			t.Fatalf("%d attempts before %d s, want %d", got, wait, n+1)
		}
		f.World.Clock.Advance(wait * time.Second / 2)
		f.to.waitPosts(n + 2)
		eventually(t, func() bool { return f.status(id).Failed == n+2 })
	}
	first := f.to.got()[0].items[0]
	for _, p := range f.to.got() {
		if len(p.items) != 1 || p.items[0].text("id") != first.text("id") {
			t.Errorf("attempt with %v", p.items)
		}
	}
	f.to.answer(http.StatusOK)
	f.World.Clock.Advance(160 * time.Second)
	f.pending(id, 0)
	if st := f.status(id); st.Delivered != 1 || st.Lost != 0 {
		t.Errorf("after success: %+v", st)
	}

	f.to.answer(http.StatusNotFound)
	f.to.items(6)
	f.newMail("inbox", "lost")
	f.to.waitPosts(1)
	f.to.answer(http.StatusOK)
	eventually(t, func() bool { return f.status(id).Failed == 6 })
	f.World.Clock.Advance(4*time.Hour + time.Second)
	eventually(t, func() bool { return f.status(id).Lost == 1 })
	// The mailbox tells that something is missing.
	f.to.waitPosts(2)
	if p := f.to.got()[1]; p.path != "/life" || p.items[0].text("lifecycleEvent") != "missed" {
		t.Errorf("after a loss: %v", p)
	}
	f.pending(id, 0)
}

func TestTimeLimits(t *testing.T) {
	f := newFixture(t)
	f.Set("subscriptions.second_ms", 200)
	id := f.subscribe(f.alice, "me/messages", map[string]any{"changeType": "created"})
	wait := make(chan time.Duration, 1)
	f.to.handle(func(_ http.ResponseWriter, r *http.Request) bool {
		select {
		case d := <-wait:
			select {
			case <-time.After(d):
			case <-r.Context().Done():
			}
		default:
		}
		return false
	})
	// Five seconds are too long for a first attempt, but not for the next.
	wait <- time.Second
	f.newMail("inbox", "slow")
	eventually(t, func() bool { return f.status(id).Failed == 1 })
	wait <- time.Second
	f.World.Clock.Advance(11 * time.Second)
	f.pending(id, 0)
	if st := f.status(id); st.Delivered != 1 || st.Failed != 1 {
		t.Errorf("%+v", st)
	}
}

// slow makes a receiver whose answers take so many seconds, of which each is 4 ms.
func (f *fixture) slow(seconds int) {
	f.Set("subscriptions.second_ms", 4)
	f.to.handle(func(_ http.ResponseWriter, r *http.Request) bool {
		if !r.URL.Query().Has("validationToken") {
			time.Sleep(time.Duration(seconds) * 4 * time.Millisecond)
		}
		return false
	})
}

func TestSlowEndpoint(t *testing.T) {
	f := newFixture(t)
	id := f.subscribe(f.alice, "me/messages", map[string]any{"changeType": "created", "expirationDateTime": f.in(48 * time.Hour)})
	f.Set("subscriptions.health_samples", 2)
	f.slow(6)
	f.newMail("inbox", "1")
	eventually(t, func() bool { return f.status(id).Failed == 1 })
	f.newMail("inbox", "2")
	eventually(t, func() bool { return f.status(id).Endpoint == "held" })
	// New ones are held back for ten minutes, the old ones repeated.
	f.to.handle(nil)
	f.Set("subscriptions.second_ms", 1000)
	f.newMail("inbox", "3")
	f.World.Clock.Advance(20 * time.Second)
	eventually(t, func() bool { return f.status(id).Delivered == 2 })
	if st := f.status(id); st.Pending != 1 || st.Endpoint != "held" {
		t.Errorf("held: %+v", st)
	}
	f.World.Clock.Advance(10 * time.Minute)
	f.pending(id, 0)
	if st := f.status(id); st.Delivered != 3 || st.Lost != 0 || st.Endpoint != "ok" {
		t.Errorf("in the end: %+v", st)
	}
}

func TestMuchTooSlowEndpoint(t *testing.T) {
	f := newFixture(t)
	id := f.subscribe(f.app, "teams/getAllMessages", map[string]any{"changeType": "created"})
	team := f.Company.Group("engineering").ID
	channel := f.alice.Get("/teams/" + team + "/channels").Items()[0]["id"].(string)
	post := func() {
		f.alice.Do("POST", "/teams/"+team+"/channels/"+escape(channel)+"/messages", map[string]any{"body": map[string]any{"content": "x"}})
	}
	f.Set("subscriptions.health_samples", 2)
	f.slow(20)
	post()
	eventually(t, func() bool { return f.status(id).Failed == 1 })
	f.World.Clock.Advance(11 * time.Second) // the second attempt, of ten seconds
	eventually(t, func() bool { return f.status(id).Endpoint == "discarding" })
	f.to.handle(nil)
	f.Set("subscriptions.second_ms", 1000)
	post()
	eventually(t, func() bool { return f.status(id).Lost == 1 })
	f.World.Clock.Advance(11 * time.Minute)
	eventually(t, func() bool { return f.status(id).Endpoint == "ok" })
	post()
	f.pending(id, 0)
	if st := f.status(id); st.Delivered != 2 || st.Lost != 1 {
		t.Errorf("in the end: %+v", st)
	}
}

func TestCloseEndsDeliveries(t *testing.T) {
	f := newFixture(t)
	f.subscribe(f.alice, "me/messages", map[string]any{"changeType": "created"})
	arrived := make(chan struct{})
	f.to.handle(func(_ http.ResponseWriter, r *http.Request) bool {
		close(arrived)
		<-r.Context().Done()
		return true
	})
	f.newMail("inbox", "endless")
	<-arrived
	f.subs.Close()
	f.to.handle(nil)
	f.newMail("inbox", "after")
	if got := f.to.got(); len(got) != 0 {
		t.Errorf("after Close: %v", got)
	}
}
