package outlook

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph/subscription"
	"github.com/workfs/workfs/backends/sim/core"
	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
)

// churn changes a mailbox at random, by the store and as clients do.
type churn struct {
	*cloud
	r        *rand.Rand
	folders  []string // ids, the inbox first
	messages []mailbox.Ref
	made     []string // ids of mail folders that may be renamed and moved
	events   []string
	contacts []string
	n        int
}

func newChurn(c *cloud, seed uint64) *churn {
	ch := &churn{cloud: c, r: rand.New(rand.NewPCG(seed, 1))}
	box := c.alice()
	for _, name := range []string{"inbox", "archive", "drafts"} {
		ch.folders = append(ch.folders, box.ID(box.Folder(name).Ref()))
	}
	for _, name := range []string{"Clients", "Travel"} {
		id := str(c.do("POST", "/me/mailFolders/inbox/childFolders", map[string]any{"displayName": name}), "id")
		ch.made, ch.folders = append(ch.made, id), append(ch.folders, id)
	}
	for _, id := range ch.folders {
		box.RLock()
		f := box.Folder(id)
		for _, m := range f.Messages() {
			ch.messages = append(ch.messages, m.Ref(true))
		}
		box.RUnlock()
	}
	return ch
}

func pick[T any](r *rand.Rand, all []T) T { return all[r.IntN(len(all))] }

// take removes one at random.
func take[T any](r *rand.Rand, all *[]T) T {
	i := r.IntN(len(*all))
	x := (*all)[i]
	(*all)[i] = (*all)[len(*all)-1]
	*all = (*all)[:len(*all)-1]
	return x
}

func (ch *churn) step() {
	ch.n++
	box, r := ch.alice(), ch.r
	switch k := r.IntN(20); {
	case k < 5:
		at := today.AddDate(0, -r.IntN(3), -r.IntN(20))
		if r.IntN(4) == 0 {
			at = today.AddDate(0, -r.IntN(20), 0)
		}
		box.RLock()
		f := box.Folder(pick(r, ch.folders))
		box.RUnlock()
		ch.messages = append(ch.messages, ch.add(f, message(at, say(fmt.Sprintf("Random %d", ch.n), "x"))).Ref(true))
	case k < 8 && len(ch.messages) > 0:
		ch.edit(pick(r, ch.messages))
	case k < 11 && len(ch.messages) > 0:
		ch.move(pick(r, ch.messages), pick(r, ch.folders))
	case k < 13 && len(ch.messages) > 0:
		ch.erase(take(r, &ch.messages))
	case k == 13:
		id := pick(r, ch.made)
		if r.IntN(2) == 0 {
			ch.do("PATCH", "/me/mailFolders/"+id, map[string]any{"displayName": fmt.Sprintf("Folder %d", ch.n)})
		} else {
			ch.do("POST", "/me/mailFolders/"+id+"/move", map[string]any{"destinationId": pick(r, []string{"inbox", "archive", "msgfolderroot"})})
		}
	case k < 16 || len(ch.events) == 0:
		day := fmt.Sprintf("2026-%02d-%02d", 9+r.IntN(4), 1+r.IntN(28))
		switch {
		case len(ch.events) < 3 || r.IntN(3) == 0:
			ch.events = append(ch.events, str(ch.do("POST", "/me/events", event1(fmt.Sprintf("Meeting %d", ch.n), day)), "id"))
		case r.IntN(2) == 0:
			ch.do("PATCH", "/me/events/"+pick(r, ch.events), event1(fmt.Sprintf("Moved %d", ch.n), day))
		default:
			ch.do("DELETE", "/me/events/"+take(r, &ch.events), nil)
		}
	default:
		switch {
		case len(ch.contacts) < 3 || r.IntN(3) == 0:
			ch.contacts = append(ch.contacts, str(ch.do("POST", "/me/contacts", map[string]any{"givenName": fmt.Sprintf("Person %d", ch.n)}), "id"))
		case r.IntN(2) == 0:
			ch.do("PATCH", "/me/contacts/"+pick(r, ch.contacts), map[string]any{"surname": fmt.Sprintf("Renamed %d", ch.n)})
		default:
			ch.do("DELETE", "/me/contacts/"+take(r, &ch.contacts), nil)
		}
	}
}

// lookAround lists all that there is and follows it.
func (f *followed) lookAround() {
	f.describe("alice@contoso.com/mail", map[string]string{}, f.look)
	f.look(aliceCalendar)
	f.look("alice@contoso.com/contacts/Contacts")
}

// TestRandomChanges makes changes at random and delivers what is told of them late, twice, in any order, and in part not at
// all. What is shown in the end is what another service lists.
func TestRandomChanges(t *testing.T) {
	for name, how := range map[string]struct{ seed, lossy int }{
		"told":  {seed: 1},
		"lossy": {seed: 3, lossy: 4},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t, -1)
			box := c.alice()
			c.fill(box.Folder("inbox"), 900, parsed(t, "2025-06"), parsed(t, "2026-11"))
			c.fill(box.Folder("archive"), 60, parsed(t, "2026-01"), parsed(t, "2026-11"))
			ch := newChurn(c, uint64(how.seed))
			f := c.mount(sign{formats: []string{"md", "json"}, throttled: true}).follow()
			f.limits.walkPause = 0
			f.lookAround()
			if st := f.snapshot(f.folder(split(string(f.find(inbox).Dir))[1], split(string(f.find(inbox).Dir))[2]), f.sink); st.Extent == everything {
				t.Fatal("the inbox is no windowed folder")
			}
			top := f.collection(f.find("alice@contoso.com/mail").Dir)
			late := map[string][]subscription.Notification{}
			for round := range 40 {
				for range 1 + ch.r.IntN(12) {
					ch.step()
				}
				if how.lossy > 0 {
					f.disturb(round)
				}
				told := f.take()
				for _, collection := range slices.Sorted(maps.Keys(told)) {
					for _, x := range told[collection] {
						if how.lossy > 0 && ch.r.IntN(how.lossy) == 0 {
							continue
						}
						late[collection] = append(late[collection], x)
						if ch.r.IntN(5) == 0 {
							late[collection] = append(late[collection], x)
						}
					}
				}
				for _, collection := range slices.Sorted(maps.Keys(late)) {
					n := late[collection]
					ch.r.Shuffle(len(n), func(i, j int) { n[i], n[j] = n[j], n[i] })
					now := ch.r.IntN(len(n) + 1)
					open := f.insist(collection, n[:now]...)
					if late[collection] = append(open, n[now:]...); len(late[collection]) == 0 {
						delete(late, collection)
					}
				}
			}
			c.world.Faults.Set()
			for range 3 {
				for collection, n := range late {
					late[collection] = f.insist(collection, n...)
				}
			}
			for collection, n := range late {
				if len(n) > 0 && how.lossy == 0 {
					t.Errorf("%s: %d notifications stay open: %+v", collection, len(n), n[0])
				}
			}
			old := func(backends.DirKey) bool { return false }
			if how.lossy > 0 {
				for collection := range f.of {
					f.insist(collection)
				}
				// The oldest months are looked for now and then.
				old, f.limits.rangeAge = f.hasAge, 0
			}
			f.insist(top)
			f.sameWhereFresh("alice@contoso.com/mail", old)
			f.sameWhereFresh("alice@contoso.com/calendar", old)
			f.sameWhereFresh("alice@contoso.com/contacts", old)
		})
	}
}

// hasAge tells whether a directory is no more than as old as its listing, since no cursor covers it.
func (f *followed) hasAge(dir backends.DirKey) bool {
	k := split(string(dir))
	switch k[0] {
	case kindFolder:
		return true
	case kindMonth:
		st := f.snapshot(f.folder(k[1], k[2]), f.sink)
		m, _ := parseMonth(k[3])
		return !st.covers(m)
	}
	return false
}

// disturb has the service refuse some requests, and forget its delta links now and then.
func (f *followed) disturb(round int) {
	f.t.Helper()
	c := f.cloud
	switch round % 8 {
	case 2:
		c.world.Faults.Set(core.FaultRule{Route: "GET *", Status: 429, Headers: map[string]string{"Retry-After": "0"}, Probability: 0.3})
	case 4:
		c.world.Faults.Set(core.FaultRule{Route: "GET *", Status: 503, Probability: 0.3})
	case 6:
		c.world.Faults.Set()
		if err := c.world.Switches.Set("outlook.delta_generation", round); err != nil {
			f.t.Fatal(err)
		}
	case 0:
		c.world.Faults.Set()
	}
}

// insist syncs a collection until the service lets it.
func (f *followed) insist(collection string, n ...subscription.Notification) []subscription.Notification {
	f.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		open, err := f.fl.Sync(f.ctx(), collection, n, f.sink)
		if err == nil {
			return open
		}
		if !backends.Temporary(err) && !errors.Is(err, backends.ErrBroken) || time.Now().After(deadline) {
			f.t.Fatalf("%s: %v", collection, err)
		}
	}
}

// TestChangesWhileListing delivers notifications while directories are listed, over and over.
func TestChangesWhileListing(t *testing.T) {
	c := newCloud(t, -1)
	box := c.alice()
	c.fill(box.Folder("inbox"), 900, parsed(t, "2026-06"), parsed(t, "2026-11"))
	ch := newChurn(c, 5)
	f := c.mount(sign{throttled: true}).follow()
	f.limits.walkPause = 0
	f.lookAround()
	top := f.collection(f.find("alice@contoso.com/mail").Dir)
	var dirs []backends.DirKey
	for _, path := range []string{inbox, inbox + "/2026-11", inbox + "/2026-07", archive, aliceCalendar, "alice@contoso.com/contacts/Contacts"} {
		dirs = append(dirs, f.find(path).Dir)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 2 {
		r := rand.New(rand.NewPCG(uint64(i), 7))
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				// A directory may be gone, or change for ever.
				_ = f.List(f.ctx(), pick(r, dirs), f.sink)
			}
		})
	}
	for range 60 {
		for range 1 + ch.r.IntN(4) {
			ch.step()
		}
		for collection, n := range f.take() {
			f.insist(collection, n...)
		}
	}
	close(stop)
	wg.Wait()
	f.insist(top)
	for _, path := range []string{"alice@contoso.com/mail", "alice@contoso.com/calendar", "alice@contoso.com/contacts"} {
		f.sameWhereFresh(path, f.hasAge)
	}
}
