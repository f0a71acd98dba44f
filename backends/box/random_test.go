package box_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/sim"
)

// gremlin makes random changes to a tree of its own.
type gremlin struct {
	*world
	rand    *rand.Rand
	folders []string
	parent  map[string]string // of both
	files   []string
	trashed [][2]string
	n       int
}

func newGremlin(w *world, seed uint64) *gremlin {
	g := &gremlin{world: w, rand: rand.New(rand.NewPCG(seed, 1)), parent: map[string]string{}}
	for i := range 4 {
		g.folders = append(g.folders, w.newFolder(fmt.Sprintf("g%d", i), "0"))
	}
	return g
}

func (g *gremlin) name() string {
	g.n++
	return fmt.Sprintf("n%d", g.n)
}

func pick[T any](g *gremlin, all []T) (int, T) {
	i := g.rand.IntN(len(all))
	return i, all[i]
}

// change makes one change. Folders are moved only below the first four, which stay.
func (g *gremlin) change() {
	_, folder := pick(g, g.folders)
	switch k := g.rand.IntN(12); {
	case k < 3 || len(g.files) == 0:
		id := g.newFile(g.name(), folder, g.name())
		g.files, g.parent[id] = append(g.files, id), folder
	case k == 3:
		_, f := pick(g, g.files)
		g.newVersion(f, g.name())
	case k == 4:
		_, f := pick(g, g.files)
		g.rename("file", f, g.name())
	case k == 5:
		_, f := pick(g, g.files)
		g.place("file", f, folder)
	case k == 6:
		i, f := pick(g, g.files)
		g.trash("file", f)
		g.files = append(g.files[:i], g.files[i+1:]...)
		g.trashed = append(g.trashed, [2]string{"file", f})
	case k == 7 && len(g.trashed) > 0:
		i, f := pick(g, g.trashed)
		g.restore(f[0], f[1])
		g.trashed = append(g.trashed[:i], g.trashed[i+1:]...)
		g.files = append(g.files, f[1])
	case k == 8 && len(g.folders) < 12:
		id := g.newFolder(g.name(), folder)
		g.folders, g.parent[id] = append(g.folders, id), folder
	case k == 9 && len(g.folders) > 4:
		id := g.folders[4+g.rand.IntN(len(g.folders)-4)]
		for at := folder; at != ""; at = g.parent[at] {
			if at == id {
				return // not into itself
			}
		}
		g.place("folder", id, folder)
	case k == 10 && len(g.folders) > 4:
		g.rename("folder", g.folders[4+g.rand.IntN(len(g.folders)-4)], g.name())
	default:
		_, f := pick(g, g.files)
		g.do("PUT", "/files/"+f, object{"description": g.name()})
	}
}

// place moves an item unless it is there already: the simulator then counts its etag up without telling anybody.
func (g *gremlin) place(kind, id, folder string) {
	if g.parent[id] != folder {
		g.move(kind, id, folder)
		g.parent[id] = folder
	}
}

// TestRandom makes thousands of changes while folders are listed, the events come in any order, some of them twice, late,
// without a source or of an unknown type, requests fail, and the mount restarts. In the end nothing may differ.
func TestRandom(t *testing.T) {
	rounds := 2
	if testing.Short() {
		rounds = 1
	}
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(t, sim.Options{}, false)
			for name, v := range map[string]int{
				"box.event_duplicate_percent": 20, "box.event_duplicate_ms": 200, "box.event_reorder_percent": 30, "box.event_reorder_ms": 100,
				"box.event_blank_percent": int(seed), "box.event_unknown_percent": 5, "box.event_late_percent": 3, "box.event_late_seconds": 1,
				"box.event_short_percent": 30, "box.event_number_percent": 30, "box.big_operation_seconds": 0,
			} {
				backendtest.Set(t, w.sim, name, v)
			}
			g := newGremlin(w, seed)
			w.list(w.b, w.sink, w.view, append([]string{"0"}, g.folders...)...)
			w.goesLive(w.view)
			for range rounds {
				for range 120 {
					g.change()
					if g.rand.IntN(4) == 0 {
						_, id := pick(g, g.folders)
						w.list(w.b, w.sink, w.view, id)
					}
				}
				// What is late comes without a word; the safety net would ask for it, here the next change does.
				time.Sleep(1500 * time.Millisecond)
				backendtest.Set(t, w.sim, "box.event_late_percent", 0)
				w.newVersion(g.files[0], "the last word")
				backendtest.Set(t, w.sim, "box.event_late_percent", 3)
				w.shows(false, w.view, g.folders...)
				w.stop()
				for range 20 {
					g.change()
				}
				w.open(false)
				w.list(w.b, w.sink, w.view, "0")
				w.goesLive(w.view)
			}
			if p := w.sink.Problems(); len(p) > 0 {
				t.Error(p)
			}
		})
	}
}
