package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/sim/churn"
	"github.com/workfs/workfs/backends/sim/core"
)

// TestLiveRandom makes random changes at all services while notifications are lost, doubled and reordered, requests are
// refused and cursors expire, and the daemon is killed in between. After quiet the mounted tree is what a fresh mount of
// the same sign-ins shows, byte for byte, with the same inodes. WORKFS_RANDOM_CHANGES=5000 makes it long; then Teams is part
// of it, of which a walk takes minutes because of its limits.
func TestLiveRandom(t *testing.T) {
	t.Parallel()
	number := func(variable string, otherwise int) int {
		text, ok := os.LookupEnv(variable)
		if !ok {
			return otherwise
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("%s: %v", variable, err)
		}
		return n
	}
	changes, seed := number("WORKFS_RANDOM_CHANGES", 0), number("WORKFS_RANDOM_SEED", 1)
	areas := churn.Areas
	e := newEnv(t, sim.Options{})
	if changes == 0 {
		changes, areas = 300, []string{"mail", "calendar", "contacts", "box"}
		e.features("mail", "calendar", "contacts")
	}
	switches := e.sim.World().Switches
	set := func(name string, value any) {
		t.Helper()
		if err := switches.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	// Without a look Teams is asked nothing that no notification told of, so that what is lost there shows by age: here soon.
	flags := append(liveFlags(t), "--formats", "md,json", "--poll-interval", "2s", "--max-age", "3s", "--teams-refresh", "3s")
	m := e.mount(flags...)
	e.readAll(".")

	c, err := churn.New(e.sim.Ready(), churn.Options{Seed: int64(seed), Areas: areas})
	if err != nil {
		t.Fatal(err)
	}
	run := func(n int) {
		t.Helper()
		if err := c.Run(context.Background(), n); err != nil {
			t.Fatal(err)
		}
	}
	run(changes / 4)

	for name, percent := range map[string]int{
		"subscriptions.duplicate_percent": 20, "subscriptions.reorder_percent": 20, "subscriptions.loss_percent": 20,
	} {
		set(name, percent)
	}
	gone := map[string]any{"error": map[string]any{"code": "SyncStateNotFound", "message": "The sync state generation is not found."}}
	rules := []core.FaultRule{
		{Host: "graph", Status: 429, Probability: 0.03, Headers: map[string]string{"Retry-After": "1"}},
		{Host: "graph", Status: 503, Probability: 0.02},
		{Host: "box_api", Status: 429, Probability: 0.03, Headers: map[string]string{"Retry-After": "1"}},
		{Host: "graph", Reset: true, Probability: 0.01},
		{Host: "graph", Route: "GET */delta*", Status: 410, Body: gone, Probability: 0.05},
		{Host: "box_realtime", Reset: true, Probability: 0.2},
	}
	e.faults(rules...)
	run(changes / 4)
	e.faults(core.FaultRule{Reset: true}) // the services are away altogether
	time.Sleep(2 * time.Second)
	e.faults(rules...)
	m.kill9()
	run(changes / 4)
	m = e.mount(flags...)
	run(changes - 3*(changes/4))
	e.faults()
	for _, name := range []string{"subscriptions.duplicate_percent", "subscriptions.reorder_percent", "subscriptions.loss_percent"} {
		set(name, 0)
	}

	fresh := *e
	fresh.cache, fresh.state, fresh.point = e.path("cache2"), e.path("state2"), e.path("mnt2")
	if err := os.Mkdir(fresh.point, 0o700); err != nil {
		t.Fatal(err)
	}
	other := fresh.mount("--formats", "md,json")
	// Presence and members change with every look at the clock; attachments have their sizes from fetches, which agree.
	// What is recent at Box changes with every reading, the comparison's own too, and goes by age.
	skip := func(path string) bool {
		return strings.HasSuffix(path, "presence.csv") || strings.HasPrefix(path+"/", "box/recent/")
	}
	want := dump(t, other.point, skip)
	var diff string
	deadline := time.Now().Add(90 * time.Second)
	for {
		if diff = difference(dump(t, m.point, skip), want); diff == "" {
			break
		}
		if time.Now().After(deadline) {
			first, _, _ := strings.Cut(diff, "\n")
			_, path, _ := strings.Cut(first, ": ")
			t.Fatalf("after %d changes the tree differs from a fresh one:\n%s\n%s\n%s", changes, head(diff, 40), told(e, m, path), head(m.logged(), 20))
		}
		time.Sleep(time.Second)
	}
	t.Logf("%d paths agree", len(want))
	other.umount()
	m.umount()
}

// told is what the daemon and the kernel say of a path and of its directory, which may not be the same.
func told(e *env, m *mnt, path string) string {
	var out strings.Builder
	for _, p := range []string{filepath.Dir(path), path} {
		stdout, stderr, _ := e.workfs("info", m.path(p))
		_, err := os.Lstat(m.path(p))
		fmt.Fprintf(&out, "%s%s(stat: %v)\n", stdout, stderr, err)
	}
	return out.String()
}
