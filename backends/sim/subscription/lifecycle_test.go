package subscription_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// life is a subscription with lifecycle notifications.
func (f *fixture) life(with map[string]any) map[string]any {
	d := map[string]any{"lifecycleNotificationUrl": f.to.url + "/life", "changeType": "created", "expirationDateTime": f.in(6 * 24 * time.Hour)}
	for k, v := range with {
		d[k] = v
	}
	return d
}

// event waits for one lifecycle notification and checks all of it.
func (f *fixture) event(id, event string) {
	f.T.Helper()
	f.to.waitPosts(1)
	p := f.to.got()[0]
	i := f.to.items(1)[0]
	if p.path != "/life" || i.text("lifecycleEvent") != event || i.text("subscriptionId") != id || i.text("clientState") != "s3cret" ||
		i.text("tenantId") != f.Company.TenantID || i.text("subscriptionExpirationDateTime") == "" || i["resource"] != nil {
		f.T.Errorf("%s: %v at %s", event, i, p.path)
	}
}

func TestReauthorization(t *testing.T) {
	f := newFixture(t)
	id := f.subscribe(f.alice, "me/messages", f.life(nil))
	// A day of authorization; the challenge comes three hours before its end.
	f.World.Clock.Advance(20*time.Hour + 59*time.Minute)
	time.Sleep(20 * time.Millisecond)
	if got := f.to.got(); len(got) != 0 {
		t.Fatalf("too early: %v", got)
	}
	f.World.Clock.Advance(2 * time.Minute)
	f.event(id, "reauthorizationRequired")
	if r := f.alice.Do("POST", "/subscriptions/"+id+"/reauthorize", nil); r.Status != http.StatusNoContent {
		t.Fatalf("reauthorize: %d %s", r.Status, r.Body)
	}
	f.World.Clock.Advance(4 * time.Hour)
	f.newMail("inbox", "authorized")
	if i := f.to.items(1)[0]; i.text("changeType") != "created" {
		t.Errorf("%v", i)
	}
	f.World.Clock.Advance(17 * time.Hour)
	f.event(id, "reauthorizationRequired")
	// Nobody answers: it is repeated, then delivery pauses.
	f.World.Clock.Advance(90 * time.Minute)
	f.event(id, "reauthorizationRequired")
	f.World.Clock.Advance(90 * time.Minute)
	eventually(t, func() bool { return f.status(id).State == "paused" })
	f.to.waitPosts(1)
	f.pending(id, 0)
	seen := len(f.to.got())
	f.newMail("inbox", "too old")
	f.World.Clock.Advance(3 * time.Hour)
	f.newMail("inbox", "waits")
	time.Sleep(20 * time.Millisecond)
	if got := f.to.got(); len(got) != seen || f.status(id).Pending != 2 {
		t.Errorf("paused: %v, %+v", got, f.status(id))
	}
	// The backlog holds four hours.
	f.World.Clock.Advance(2 * time.Hour)
	if r := f.alice.Do("PATCH", "/subscriptions/"+id, map[string]any{"expirationDateTime": f.in(24 * time.Hour)}); r.Status != http.StatusOK {
		t.Fatalf("renewal: %d %s", r.Status, r.Body)
	}
	f.pending(id, 0)
	var created, missed int
	for _, p := range f.to.got()[seen:] {
		for _, i := range p.items {
			switch {
			case i.text("changeType") == "created":
				created++
			case i.text("lifecycleEvent") == "missed":
				missed++
			}
		}
	}
	if st := f.status(id); created != 1 || missed != 1 || st.Lost != 1 || st.State != "active" {
		t.Errorf("%d created, %d missed, %+v", created, missed, st)
	}
}

func TestChallengeBeforeTheEndOfASubscription(t *testing.T) {
	f := newFixture(t)
	id := f.subscribe(f.alice, "me/messages", f.life(map[string]any{"expirationDateTime": f.in(2 * time.Hour)}))
	f.World.Clock.Advance(91 * time.Minute)
	f.event(id, "reauthorizationRequired")
	f.World.Clock.Advance(30 * time.Minute)
	if r := f.alice.Do("POST", "/subscriptions/"+id+"/reauthorize", nil); r.Status != http.StatusNotFound {
		t.Errorf("after its end: %d %s", r.Status, r.Body)
	}
}

func TestInjectedLifecycleEvents(t *testing.T) {
	f := newFixture(t)
	control := f.Serve(f.World.Control(func() any { return nil }))
	act := func(what, id string, want int) {
		t.Helper()
		if r := f.Anonymous().Do("POST", control+"/notifications", map[string]any{what: id}); r.Status != want {
			t.Errorf("%s: %d %s, want %d", what, r.Status, r.Body, want)
		}
	}
	mail := f.subscribe(f.alice, "me/messages", f.life(nil))
	act("missed", mail, http.StatusNoContent)
	f.event(mail, "missed")

	act("reauthorize", mail, http.StatusNoContent)
	f.event(mail, "reauthorizationRequired")
	f.World.Clock.Advance(14 * time.Minute)
	f.newMail("inbox", "in time")
	f.to.items(1)
	f.pending(mail, 0) // the sender has had the answer, too
	f.World.Clock.Advance(2 * time.Minute)
	f.newMail("inbox", "paused")
	if st := f.status(mail); st.State != "paused" || st.Pending != 1 {
		t.Errorf("after an ignored challenge: %+v", st)
	}
	f.alice.Do("POST", "/subscriptions/"+mail+"/reauthorize", nil)
	if i := f.to.items(1)[0]; i.text("changeType") != "created" {
		t.Errorf("backlog: %v", i)
	}

	act("remove", mail, http.StatusNoContent)
	f.event(mail, "subscriptionRemoved")
	if r := f.alice.Do("PATCH", "/subscriptions/"+mail, map[string]any{"expirationDateTime": f.in(time.Hour)}); r.Status != http.StatusNotFound {
		t.Errorf("PATCH of a removed one: %d", r.Status)
	}
	f.newMail("inbox", "unseen")
	act("remove", mail, http.StatusNotFound)

	drive := f.subscribe(f.alice, "me/drive/root", f.life(map[string]any{"changeType": "updated"}))
	act("missed", drive, http.StatusNotFound) // for mailboxes only
	act("remove", drive, http.StatusNoContent)
	plain := f.subscribe(f.alice, "me/events", nil)
	act("reauthorize", plain, http.StatusNotFound) // nobody to tell
	act("remove", plain, http.StatusNoContent)
	time.Sleep(20 * time.Millisecond)
	if got := f.to.got(); len(got) != 0 {
		t.Errorf("more than was to be: %v", got)
	}

	r := f.Anonymous().Do("GET", control+"/subscriptions", nil)
	for _, want := range []string{`"state": "removed"`, `"resource": "me/drive/root"`, `"delivered": `, `"id": "` + mail + `"`} {
		if !strings.Contains(string(r.Body), want) {
			t.Errorf("the control host's list lacks %s: %s", want, r.Body)
		}
	}
}
