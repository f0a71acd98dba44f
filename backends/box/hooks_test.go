package box_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/box"
	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/sim/core"
	"github.com/workfs/workfs/backends/webhook"
)

// hooked follows carol's view by webhooks; the events of the enterprise are an hour late.
func hooked(t *testing.T) (w *world, carol string, open func()) {
	t.Helper()
	w = newWorld(t, sim.Options{}, true)
	w.stop()
	backendtest.Set(t, w.sim, "box.admin_delay_seconds", 3600)
	backendtest.Set(t, w.sim, "box.webhook_delay_ms", 200)
	backendtest.Set(t, w.sim, "box.webhook_duplicate_percent", 30)
	r, err := webhook.New(webhook.Options{Listen: "127.0.0.1:0", Key: []byte("a key of the tests"), ProbeInterval: -1, Now: w.sim.World().Clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	open = func() {
		w.open(true, func(cfg *box.Config) {
			primary, secondary := w.sim.Clouds().Box.WebhookKeys()
			cfg.Receiver, cfg.WebhookKeys, cfg.Now = r, []string{primary, secondary}, w.sim.World().Clock.Now
		})
	}
	open()
	carol = w.userID("carol@contoso.com")
	w.as = carol
	return w, carol, open
}

// hooks gives the webhooks of the actor's user, by the folder that they are on.
func (w *world) hooks() map[string]string {
	w.Helper()
	all := map[string]string{}
	for _, e := range w.call("GET", "/webhooks?limit=200", "", nil)["entries"].([]any) {
		o := object(e.(map[string]any))
		all[object(o["target"].(map[string]any)).id()] = o.id()
	}
	return all
}

// TestWebhooks makes webhooks on the top-level folders of a view that is looked at, hears of changes by them, and removes
// them in the end.
func TestWebhooks(t *testing.T) {
	w, carol, open := hooked(t)
	a := w.newFolder("hooked", "0")
	w.list(w.b, w.sink, carol, "0", a)
	made := func(ids ...string) func() string {
		return func() string {
			have := w.hooks()
			for _, id := range ids {
				if have[id] == "" {
					return fmt.Sprintf("no webhook on %s: %v", id, have)
				}
			}
			return ""
		}
	}
	w.eventually(made(a))

	var file, below string
	for what, do := range inOrder(
		"upload", func() { file = w.newFile("one.txt", a, "1") },
		"version", func() { w.newVersion(file, "longer") },
		"rename", func() { w.rename("file", file, "ünö.txt") },
		"folder", func() { below = w.newFolder("below", a) },
		"trash", func() { w.trash("file", file) },
		"folder trash", func() { w.trash("folder", below) },
		"restore", func() { w.restore("file", file) },
	) {
		w.sim.World().Stats.Reset()
		do()
		w.shows(true, carol, a)
		if n := backendtest.Requests(w.sim, "/items"); n > 1 {
			t.Errorf("%s: folders were listed anew: %d listings where the comparison makes 1", what, n)
		}
	}
	w.feed.mu.Lock()
	heard := false
	for _, o := range w.feed.origins {
		heard = heard || o.By == backends.ByWebhook && o.Subscription != "" && !o.At.IsZero()
	}
	w.feed.mu.Unlock()
	if !heard {
		t.Error("nothing was learnt by a webhook")
	}

	// One that Box removes is made again.
	before := w.hooks()[a]
	res, err := http.Post(w.sim.Ready().Control+"/box", "application/json", strings.NewReader(`{"action":"delete_webhook","webhook":"`+before+`","reason":"auto_cleanup"}`))
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", res, err)
	}
	res.Body.Close()
	w.eventually(func() string {
		if now := w.hooks()[a]; now == "" || now == before {
			return "the webhook is not made again"
		}
		return ""
	})

	w.stop()
	if left := w.hooks(); len(left) > 0 {
		t.Errorf("webhooks are left: %v", left)
	}

	// The next mount makes them again though nothing is listed anew, and adopts what a crash has left.
	open()
	w.feed.looked <- []string{"folder|" + carol}
	var top []string
	for _, e := range w.sink.Names(dir(carol, "0")) {
		if e.IsDir {
			top = append(top, e.Info.ServiceID)
		}
	}
	w.eventually(made(top...))
	hooks := w.hooks()
	w.sim.World().Faults.Set(core.FaultRule{Route: "DELETE /2.0/webhooks/*", Status: 403})
	w.stop()
	w.sim.World().Faults.Set()
	w.sim.World().Stats.Reset()
	open()
	w.feed.looked <- []string{"folder|" + carol}
	w.newFile("adopted.txt", a, "x")
	w.shows(true, carol, a)
	if now := w.hooks(); fmt.Sprint(now) != fmt.Sprint(hooks) {
		t.Errorf("webhooks %v, before %v", now, hooks)
	}
	if n := backendtest.Requests(w.sim, "POST", "/webhooks"); n > 0 {
		t.Errorf("%d webhooks were made though there are some", n)
	}
	w.stop()
	if left := w.hooks(); len(left) > 0 {
		t.Errorf("webhooks are left: %v", left)
	}
}

// receiver is a backends.Receiver of which the test has the handler.
type receiver chan backends.DeliveryHandler

func (r receiver) Handle(_ string, h backends.DeliveryHandler) (string, func()) {
	r <- h
	return "http://127.0.0.1:1/box", func() {}
}

// TestForgedDeliveries: nothing that Box has not signed is taken, and without keys there are no webhooks at all.
func TestForgedDeliveries(t *testing.T) {
	w := newWorld(t, sim.Options{}, true)
	w.stop()
	r := make(receiver, 1)
	w.open(true, func(cfg *box.Config) { cfg.Receiver, cfg.WebhookKeys = r, []string{"key", ""} })
	h := <-r
	d := &backends.Delivery{Header: http.Header{}, Body: []byte(`{"type":"webhook_event"}`), At: time.Now()}
	if reply := h.Check(d); reply.Accepted || reply.Status != http.StatusForbidden || reply.Problem == "" {
		t.Errorf("%+v", reply)
	}
	for _, body := range []string{"", "null", "[]", `{"webhook":{"id":"1"},"source":{"type":"file","id":"1"}}`, `{"webhook":7}`, "<html>"} {
		d.Body = bytes.Clone([]byte(body))
		h.Take(t.Context(), d) // of no webhook that was made
	}
	w.stop()
	w.open(true, func(cfg *box.Config) { cfg.Receiver, cfg.WebhookKeys = r, []string{"", ""} })
	w.list(w.b, w.sink, w.userID("carol@contoso.com"), "0")
	select {
	case <-r:
		t.Error("deliveries would be taken without a key")
	case <-time.After(50 * time.Millisecond):
	}
}
