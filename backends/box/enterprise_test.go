package box_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/sim"
)

// userID gives the Box id of a member of the company.
func (w *world) userID(mail string) string {
	w.Helper()
	return boxID(w, w.sim, mail)
}

// TestEnterprise follows the views of other users by the events of the enterprise.
func TestEnterprise(t *testing.T) {
	w := newWorld(t, sim.Options{}, true)
	backendtest.Set(t, w.sim, "box.admin_delay_seconds", 0)
	carol := w.userID("carol@contoso.com")
	w.as = carol
	a, b := w.newFolder("follow a", "0"), w.newFolder("follow b", "0")
	w.list(w.b, w.sink, carol, "0", a, b)
	w.goesLive(carol)
	if l := w.feed.of("folder|" + carol); l.By != backends.ByEvents {
		t.Errorf("live by %q", l.By)
	}
	if !w.feed.current(dir(carol, a), "folder|"+carol) {
		t.Error("the first listing is not live")
	}
	if bob := w.feed.of("folder|" + w.userID("bob@contoso.com")); bob.By != "" {
		t.Errorf("a view that nobody looked at is live: %+v", bob)
	}

	var file, folder string
	for what, do := range inOrder(
		"upload", func() { file = w.newFile("one.txt", a, "1") },
		"version", func() { w.newVersion(file, "one, longer") },
		"rename", func() { w.rename("file", file, "uno.txt") },
		"move", func() { w.move("file", file, b) },
		"folder", func() { folder = w.newFolder("dir", a) },
		"folder move", func() { w.move("folder", folder, b) },
		"root", func() { w.move("folder", folder, "0") },
		"trash", func() { w.trash("file", file) },
		"restore", func() { w.restore("file", file) },
		"folder trash", func() { w.trash("folder", folder) },
	) {
		w.sim.World().Stats.Reset()
		do()
		w.shows(true, carol, "0", a, b)
		if n := backendtest.Requests(w.sim, "/items"); n > 3 {
			t.Errorf("%s: folders were listed anew: %d listings where the comparison makes 3", what, n)
		}
	}

	// Who is in the enterprise is listed anew when that changes.
	w.as = ""
	w.do("POST", "/users", object{"name": "Nina New", "login": "nina@contoso.com"})
	w.eventually(func() string {
		w.feed.mu.Lock()
		defer w.feed.mu.Unlock()
		if w.feed.expired["users"].IsZero() || w.feed.expired["directory"].IsZero() {
			return fmt.Sprintf("expired are %v", w.feed.expired)
		}
		return ""
	})

	// What happens between two mounts is learnt at the next.
	w.stop()
	w.as = carol
	w.rename("folder", a, "renamed")
	w.newFile("later.txt", b, "later")
	w.open(true)
	w.goesLive(carol)
	if !w.feed.current(dir(carol, b), "folder|"+carol) {
		t.Error("a listing of the mount before is not live")
	}
	w.shows(true, carol, "0", b)
	if p := w.sink.Problems(); len(p) > 0 {
		t.Error(p)
	}
}

// inOrder pairs names with functions.
func inOrder(pairs ...any) func(func(string, func()) bool) {
	return func(yield func(string, func()) bool) {
		for i := 0; i < len(pairs); i += 2 {
			if !yield(pairs[i].(string), pairs[i+1].(func())) {
				return
			}
		}
	}
}

// TestEnterpriseRefused: without the right to the enterprise's events, nothing of other users is live, and it is said why.
func TestEnterpriseRefused(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	backendtest.Set(t, s, "box.scopes", "root_readwrite manage_managed_users manage_groups")
	w := startWorld(t, s, true)
	carol := w.userID("carol@contoso.com")
	w.list(w.b, w.sink, carol, "0")
	w.eventually(func() string {
		if l := w.feed.of("folder|" + carol); !l.Since.IsZero() || !strings.Contains(l.Problem, "refuses") {
			return fmt.Sprintf("%+v", l)
		}
		return ""
	})
}

// TestAccess: what somebody may see changes in all that lies below an item.
func TestAccess(t *testing.T) {
	w := newWorld(t, sim.Options{}, true)
	backendtest.Set(t, w.sim, "box.admin_delay_seconds", 0)
	bob, carol := w.userID("bob@contoso.com"), w.userID("carol@contoso.com")
	w.as = bob
	shared := w.newFolder("shared by bob", "0")
	w.newFile("inside.txt", shared, "x")
	w.list(w.b, w.sink, carol, "0")
	w.goesLive(carol)

	collab := w.do("POST", "/collaborations", object{
		"item": object{"type": "folder", "id": shared}, "accessible_by": object{"type": "user", "id": carol}, "role": "viewer",
	}).id()
	w.shows(true, carol, "0")
	if !strings.Contains(w.names(carol, "0"), "shared by bob") {
		t.Fatalf("carol sees %s", w.names(carol, "0"))
	}
	w.list(w.b, w.sink, carol, shared)
	w.do("PUT", "/collaborations/"+collab, object{"role": "previewer"})
	w.shows(true, carol, "0", shared) // the file may not be downloaded any more
	w.call("DELETE", "/collaborations/"+collab, "", nil)
	w.eventually(func() string {
		w.list(w.b, w.sink, carol, "0")
		if names := w.names(carol, "0"); strings.Contains(names, "shared by bob") {
			return names
		}
		return ""
	})
	// While it is out of sight nobody tells of what happens in it.
	w.newFile("unseen.txt", shared, "y")
	w.do("POST", "/collaborations", object{
		"item": object{"type": "folder", "id": shared}, "accessible_by": object{"type": "user", "id": carol}, "role": "viewer",
	})
	w.shows(true, carol, "0", shared)
}
