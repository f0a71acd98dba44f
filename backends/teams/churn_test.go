package teams_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/graph/follow"
	"github.com/workfs/workfs/backends/graph/subscription"
	"github.com/workfs/workfs/backends/sim"
)

// mess makes random changes and delivers notifications of them badly.
type mess struct {
	*office
	random *rand.Rand

	mu   sync.Mutex
	news map[string][]subscription.Notification // by collection, to be delivered
}

// tell has a change notified, or not, or twice, in any order.
func (m *mess) tell(collection string, n subscription.Notification) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for range []int{0, 1, 1, 1, 2}[m.random.IntN(5)] {
		all := append(m.news[collection], n)
		i := m.random.IntN(len(all))
		all[i], all[len(all)-1] = all[len(all)-1], all[i]
		m.news[collection] = all
	}
}

// take gives what is to be delivered.
func (m *mess) take(collection string) []subscription.Notification {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.news[collection]
	delete(m.news, collection)
	return n
}

// talk changes a conversation below "…/messages".
type talk struct {
	collection, messages string
	me                   string // before the path of a deletion
	channel              bool
	posts                []string // paths of what alice wrote
}

// step makes one change.
func (c *talk) step(m *mess, n int) {
	words := fmt.Sprintf("<p>Number %d</p>", n)
	change, path := "updated", ""
	if len(c.posts) > 0 {
		path = c.posts[m.random.IntN(len(c.posts))]
	}
	switch k := m.random.IntN(10); {
	case k < 4 || path == "":
		change, path = "created", c.messages+"/"+m.post(c.messages, words)
		c.posts = append(c.posts, path)
	case k < 6 && c.channel:
		// The post of a reply stands before "/replies".
		change, path = "created", path+"/replies/"+m.post(path+"/replies", words)
	case k < 8:
		m.ask(m.alice, http.MethodPatch, path, text(words))
	case k < 9:
		m.ask(m.alice, http.MethodPost, path+"/setReaction", object{"reactionType": "👍"})
	default:
		change = "deleted"
		m.ask(m.alice, http.MethodPost, c.me+path+"/softDelete", nil)
		c.posts = slices.DeleteFunc(c.posts, func(p string) bool { return p == path })
	}
	m.tell(c.collection, told(change, quoted(path)))
}

// tree changes the files of a channel.
type tree struct {
	*library
	folders, docs []string
}

// step makes one change.
func (f *tree) step(m *mess, n int) {
	any := func(ids []string) string { return ids[m.random.IntN(len(ids))] }
	name := fmt.Sprintf("n%d", n)
	switch k := m.random.IntN(12); {
	case k < 3 || len(f.docs) == 0:
		f.docs = append(f.docs, f.upload(any(f.folders), name, name))
	case k < 5:
		f.write(any(f.docs), "content "+name)
	case k < 6:
		f.folders = append(f.folders, f.mkdir(any(f.folders), name))
	case k < 8:
		f.move(any(f.docs), any(f.folders), name)
	case k < 9 && len(f.folders) > 1:
		// To the top: nothing moves into itself.
		f.move(any(f.folders[1:]), f.root, name)
	case k < 10:
		id := any(f.docs)
		f.remove(id)
		f.docs = slices.DeleteFunc(f.docs, func(d string) bool { return d == id })
	default:
		f.move(any(f.docs), f.root, name)
	}
	m.tell(f.collection(), driveNews)
}

// TestChurn follows random changes while notifications get lost, doubled and out of order, links are refused and people look
// around. In the end all looks like a new listing, and nothing has another identity than there.
func TestChurn(t *testing.T) {
	seeds := uint64(3)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			o := newOffice(t, sim.Options{})
			m := &mess{office: o, random: rand.New(rand.NewPCG(seed, 7)), news: map[string][]subscription.Notification{}}
			r := o.open(false, "json")
			const files = "channels/Engineering/General/files"
			chatPath, chatWhere := o.chat(r, "All hands Q&A")
			channel, chat := r.key("channels/Engineering/General"), r.key(chatPath)
			r.months(channel)
			r.months(chat)
			l := o.library("Engineering", "General")
			drive := &tree{library: l, folders: []string{l.root}}
			r.files(r.key(files), false)
			talks := []*talk{
				{collection: string(channel), messages: o.channel("Engineering", "General") + "/messages", channel: true},
				{collection: string(chat), messages: chatWhere + "/messages", me: "/me"},
			}
			collections := []string{string(channel), string(chat), l.collection()}

			// Three that follow and look, as the cache does: one Sync of a collection at a time.
			done, errs := make(chan struct{}), make(chan error, 8)
			var busy sync.WaitGroup
			for i, collection := range collections {
				dirs := append([]backends.DirKey{r.key(files)}, channel, chat)
				pick := rand.New(rand.NewPCG(seed, uint64(i)))
				busy.Go(func() {
					for {
						select {
						case <-done:
							return
						case <-time.After(5 * time.Millisecond):
						}
						n := m.take(collection)
						open, err := r.b.(follow.Service).Sync(t.Context(), collection, n, r.sink)
						if err == nil && pick.IntN(4) == 0 {
							err = r.b.List(t.Context(), dirs[pick.IntN(len(dirs))], r.sink)
						}
						if err != nil {
							errs <- err
							return
						}
						m.mu.Lock()
						if len(m.news[collection]) < 20 {
							m.news[collection] = append(m.news[collection], open...)
						}
						m.mu.Unlock()
					}
				})
			}
			for n := range 150 {
				if n%50 == 25 {
					backendtest.Set(t, o.Sim, "teams.delta_epoch", n)
					backendtest.Set(t, o.Sim, "drive.delta_epoch", n)
				}
				if n%10 == 0 {
					o.World().Clock.Advance(time.Second)
				}
				if k := m.random.IntN(3); k < 2 {
					talks[k].step(m, n)
				} else {
					drive.step(m, n)
				}
			}
			close(done)
			busy.Wait()
			select {
			case err := <-errs:
				t.Fatal(err)
			default:
			}
			o.World().Clock.Advance(time.Minute)
			for _, collection := range collections {
				if open := r.sync(collection); len(open) > 0 {
					t.Errorf("%s left open %v", collection, open)
				}
			}
			fresh := o.open(false, "json")
			for path, dir := range map[string]backends.DirKey{"channels/Engineering/General": channel, chatPath: chat} {
				again := fresh.key(path)
				fresh.months(again)
				sameAs(t, r, dir, fresh, again)
			}
			r.sameFiles(fresh, files)
			for name, e := range r.files(r.key(files), true) {
				if e.IsDir {
					continue
				}
				if id := e.Info.ServiceID; slices.Contains(drive.docs, id) {
					if got, err := r.fetch(e); err != nil || string(got) != string(l.content(l.drive, id)) {
						t.Errorf("%s holds %q, %v", name, got, err)
					}
				}
			}
			t.Logf("%d commits; %d routes asked", r.sink.Commits(), len(slices.Collect(maps.Keys(o.World().Stats.Snapshot().Requests))))
		})
	}
}
