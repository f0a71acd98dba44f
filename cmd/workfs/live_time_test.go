package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/cmd/workfs/internal/config"
)

// inProcess mounts on e.point in this process, by the simulator's clock, and serves until the test ends.
func (e *env) inProcess(u *tunnel, connections ...string) *session {
	e.t.Helper()
	o := defaultMountOptions()
	o.now, o.tick = e.sim.World().Clock.Now, 5*time.Millisecond
	known := pflag.NewFlagSet("mount", pflag.ContinueOnError)
	o.addFlags(known)
	if u != nil {
		o.webhook.listen, o.webhook.address = u.flags[1], u.url
	}
	file, err := config.Load(e.config, known)
	if err != nil {
		e.t.Fatal(err)
	}
	o.connections, o.reread = connections, func() (*config.File, error) { return config.Load(e.config, known) }
	chosen, err := choose(file, connections)
	if err != nil {
		e.t.Fatal(err)
	}
	s, err := startSession(context.Background(), &global{cacheDir: e.cache, stateDir: e.state}, o, chosen, e.point, slog.New(slog.NewTextHandler(logOf{e.t}, nil)))
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() {
		if err := s.close(); err != nil {
			e.t.Error(err)
		}
	})
	return s
}

// logOf writes to the log of a test.
type logOf struct{ t testing.TB }

var _ io.Writer = logOf{}

func (l logOf) Write(b []byte) (int, error) {
	l.t.Logf("%s", b)
	return len(b), nil
}

// TestLiveMonths: over sixty days no subscription lapses and all stays live; when nothing could be delivered for a day, what
// happened in it shows afterwards.
func TestLiveMonths(t *testing.T) {
	e := newEnv(t, sim.Options{})
	t.Setenv("XDG_RUNTIME_DIR", e.path("run"))
	clock := e.sim.World().Clock
	// The client counts the life of a token by the real clock.
	if err := e.sim.World().Switches.Set("entra.token_lifetime", 100*24*60*60); err != nil {
		t.Fatal(err)
	}
	c := e.cloud()
	channel := c.channel("Engineering", "General") + "/messages"
	c.post(channel, "the first word")
	c.message("inbox", "the first", "text")
	month := clock.Now().Format("2006-01")
	inbox, posts := alice+"/mail/Inbox", "contoso/teams/channels/Engineering/General"
	contacts := alice + "/contacts/Contacts"
	u := newTunnel(t)
	s := e.inProcess(u, "contoso")
	at := func(paths ...string) string { return filepath.Join(append([]string{e.point}, paths...)...) }
	names := func(dir string) (names []string) {
		list, err := os.ReadDir(at(dir))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		for _, f := range list {
			names = append(names, f.Name())
		}
		return names
	}
	dirs := []string{inbox + "/" + month, posts + "/" + month, contacts}
	live := func() bool {
		for _, dir := range dirs {
			names(dir)
			info, err := s.tree.Info(context.Background(), dir)
			if err != nil {
				t.Fatal(err)
			}
			if f := info.Following; !info.Live || f == nil || f.By != backends.ByWebhook || !f.Renewal.After(clock.Now()) {
				return false
			}
		}
		return true
	}
	e.poll("all is live", live)
	first := map[string]bool{}
	for _, sub := range e.sim.Clouds().Subscriptions.All() {
		first[sub.ID] = true
	}
	if len(first) < len(dirs) {
		t.Fatalf("%d subscriptions", len(first))
	}
	pass := func(d, step time.Duration, after func()) {
		t.Helper()
		for end := clock.Now().Add(d); clock.Now().Before(end); {
			clock.Advance(step)
			after()
		}
	}
	pass(60*24*time.Hour, 170*time.Minute, func() { e.soon(live) })
	for _, sub := range e.sim.Clouds().Subscriptions.All() {
		if sub.State != "active" || !first[sub.ID] {
			t.Errorf("%s was made for %s, and now it is %s", sub.ID, sub.Resource, sub.State)
		}
	}
	c.message("inbox", "two months later", "text")
	now := clock.Now().Format("2006-01")
	e.poll("a message after two months", func() bool { return len(with(names(inbox+"/"+now), "two-months-later")) == 1 })

	u.refuses.Store(true)
	c.message("inbox", "unheard", "text")
	c.post(channel, "unheard, too")
	pass(24*time.Hour, time.Hour, func() { time.Sleep(20 * time.Millisecond) })
	u.refuses.Store(false)
	clock.Advance(time.Minute) // the next look at the own address
	e.poll("the message that was not told of", func() bool { return len(with(names(inbox+"/"+now), "unheard")) == 1 })
	e.poll("the post that was not told of", func() bool { return len(with(names(posts+"/"+now), "unheard")) == 1 })
	e.poll("all is live", live)

	fresh := e.another(t, "fresh")
	fresh.inProcess(nil, "contoso")
	for _, dir := range []string{inbox + "/" + now, posts + "/" + now, inbox + "/" + month, posts + "/" + month, contacts} {
		var diff string
		for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
			diff = difference(dump(t, at(dir), nil), dump(t, filepath.Join(fresh.point, dir), nil))
			if diff == "" {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s differs from a fresh mount's:\n%s", dir, head(diff, 20))
			}
		}
	}
}
