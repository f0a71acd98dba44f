package outlook

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/sim/core"
)

// TestMonthsAfterARemount lists months where this process has not seen how many messages the folder has.
func TestMonthsAfterARemount(t *testing.T) {
	c := newCloud(t, -1)
	c.fill(c.alice().Folder("inbox"), 6000, parsed(t, "2017-01"), parsed(t, "2026-11"))
	m := c.mount(sign{})
	dir := m.find(inbox).Dir
	again := c.remount(sign{}, m.sink)
	again.atMost(4, "months after a remount", func() {
		if err := again.List(again.ctx(), dir, again.sink); err != nil {
			t.Fatal(err)
		}
	})
	if got := len(again.months(inbox)); got != 10*12-1 {
		t.Errorf("%d months, want %d", got, 10*12-1)
	}
}

// TestSpentLinksAreNoRemoval answers 410 to the links of delta rounds again and again: what they are about is still there.
func TestSpentLinksAreNoRemoval(t *testing.T) {
	c := newCloud(t, -1)
	c.fill(c.alice().Folder("inbox"), 1500, parsed(t, "2026-10"), parsed(t, "2026-11"))
	m := c.mount(sign{})
	m.list(inbox + "/2026-11")
	for what, dir := range map[string]backends.DirKey{
		"window":   m.find(inbox + "/2026-11").Dir,
		"round":    m.find(inbox + "/2026-10").Dir,
		"contacts": m.find("alice@contoso.com/contacts/Contacts").Dir,
	} {
		c.world.Faults.Set(core.FaultRule{Route: "GET *delta*", Status: 410, Body: map[string]any{"error": map[string]any{"code": "syncStateNotFound"}}})
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		err := m.List(ctx, dir, m.sink)
		cancel()
		c.world.Faults.Set()
		if errors.Is(err, backends.ErrNotFound) {
			t.Errorf("%s: the directory counts as gone: %v", what, err)
		}
		if what != "round" && !errors.Is(err, backends.ErrUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestIdleMinutesAreSet(t *testing.T) {
	if defaultLimits.idle != 5*time.Minute || defaultLimits.pace < 2*time.Second {
		t.Errorf("folders become complete after %v without work, a page every %v", defaultLimits.idle, defaultLimits.pace)
	}
}
