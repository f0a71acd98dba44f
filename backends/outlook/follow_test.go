package outlook

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
)

func TestFollowedDirectoriesOfFolders(t *testing.T) {
	c := newCloud(t, -1)
	box := c.alice()
	c.fill(box.Folder("inbox"), 40, parsed(t, "2026-10"), parsed(t, "2026-11"))
	made := c.do("POST", "/me/mailFolders/inbox/childFolders", map[string]any{"displayName": "Clients"})
	f := c.mount(sign{}).follow()
	f.options.PollInterval = time.Hour
	f.look(inbox + "/2026-11")
	f.look("alice@contoso.com/mail")
	top := f.collection(f.find("alice@contoso.com/mail").Dir)
	age := func() time.Time { return f.sink.Dir(f.find(inbox).Dir).AsOf }
	before := age()
	f.exactly(1, "a poll without a change", func() { f.tell(top) })
	if !age().After(before) {
		t.Error("the directory of a followed folder is not renewed")
	}
	was := f.find(inbox + "/Clients")
	c.do("PATCH", "/me/mailFolders/"+made["id"].(string), map[string]any{"displayName": "Customers"})
	c.do("POST", "/me/mailFolders", map[string]any{"displayName": "Secret", "isHidden": true})
	f.exactly(1, "a poll after changes", func() { f.tell(top) })
	if e, ok := f.sink.Names(f.find(inbox).Dir)["Customers"]; !ok || e.ID != was.ID || f.sink.Names(f.find(inbox).Dir)["Clients"].ID != "" {
		t.Errorf("the renamed folder is %+v", e)
	}
	if got := f.names("alice@contoso.com/mail"); !slices.Contains(got, "Secret") {
		t.Errorf("the hidden folder is not among %q", got)
	}
	c.do("POST", "/me/mailFolders/"+made["id"].(string)+"/move", map[string]any{"destinationId": box.ID(box.Folder("archive").Ref())})
	f.exactly(1, "a poll after a move", func() { f.tell(top) })
	if got := f.names(inbox); slices.Contains(got, "Customers") {
		t.Errorf("the moved folder is still in %q", got)
	}
	if e := f.find(archive + "/Customers"); e.ID != was.ID || e.Dir != was.Dir {
		t.Errorf("the moved folder is %+v, was %+v", e, was)
	}
}

func TestWatch(t *testing.T) {
	c := newCloud(t, -1)
	f := c.mount(sign{shared: []string{"bob@contoso.com"}}).follow()
	f.names("alice@contoso.com/calendar")
	alice, bob := f.account.UserID, sharedPrefix+"bob@contoso.com"
	own := string(f.fl.defaultCalendar(alice))
	if own == "" {
		t.Fatal("the default calendar is not known")
	}
	f.limits.ownWishes = 2
	for _, x := range []struct {
		collection, resource string
		poll, ok             bool
	}{
		{mailboxes, "", false, false},
		{"mailbox|" + alice, "", false, false},
		{collectionOf(alice, ""), "", true, true},
		{collectionOf(alice, "A"), "/me/mailFolders('A')/messages", true, true},
		{collectionOf(alice, "B="), "/me/mailFolders('B=')/messages", true, true},
		{collectionOf(alice, "C"), "/me/messages", true, true},
		{collectionOf(alice, "A"), "/me/mailFolders('A')/messages", true, true},
		{collectionOf(bob, "A"), "", true, true},
		{join(kindCalendars, alice), "", false, false},
		{join(kindCalendar, alice, own), "/me/events", true, true},
		{join(kindCalendar, alice, "other"), "", true, true},
		{join(kindContacts, alice), "", false, false},
		{join(kindContacts, alice, "K"), "/me/contactFolders('K')/contacts", true, true},
		{join("attachments", alice, "messages", "x"), "", false, false},
	} {
		w, ok := f.fl.Watch(x.collection)
		if ok != x.ok || w.Wish.Resource != x.resource || w.Poll != x.poll {
			t.Errorf("%s is followed by %+v, %v", x.collection, w, ok)
		}
		if x.resource != "" && (w.Wish.MaxLife >= 7*24*time.Hour || w.Wish.MaxLife < 6*24*time.Hour || w.Wish.Changes != "created,updated,deleted") {
			t.Errorf("the wish is %+v", w.Wish)
		}
	}
	app := c.mount(sign{app: true}).follow()
	if w, _ := app.fl.Watch(collectionOf("1234", "A")); w.Wish.Resource != "/users/1234/mailFolders('A')/messages" {
		t.Errorf("an application wishes for %q", w.Wish.Resource)
	}
}

// TestOneSubscriptionForManyFolders has folders share the mailbox's subscription.
func TestOneSubscriptionForManyFolders(t *testing.T) {
	c := newCloud(t, -1)
	box := c.alice()
	for _, name := range []string{"inbox", "archive", "drafts"} {
		c.fill(box.Folder(name), 40, parsed(t, "2026-10"), parsed(t, "2026-11"))
	}
	f := c.mount(sign{}).follow()
	f.limits.ownWishes = 1
	const drafts = "alice@contoso.com/mail/Drafts"
	for _, path := range []string{drafts, inbox, archive} {
		f.look(path + "/2026-11")
	}
	if len(f.watches) != 2 {
		t.Fatalf("there are %d subscriptions", len(f.watches))
	}
	for _, name := range []string{"archive", "inbox"} {
		added := c.add(box.Folder(name), message(today, say("New in "+name, "x")))
		f.atMost(2, "a message in "+name, f.deliver)
		path := map[string]string{"archive": archive, "inbox": inbox}[name]
		if _, ok := byID(f.list(path + "/2026-11"))[box.ID(added.Ref(true))+".md"]; !ok {
			t.Errorf("the message in %s is not shown", name)
		}
		c.edit(added.Ref(true))
		f.exactly(1, "an edit in "+name, f.deliver)
		c.erase(added.Ref(true))
		f.exactly(1, "a deletion in "+name, f.deliver)
		if _, ok := byID(f.list(path + "/2026-11"))[box.ID(added.Ref(true))+".md"]; ok {
			t.Errorf("the deleted message in %s is still shown", name)
		}
	}
	c.add(box.Folder("drafts"), message(today, say("A draft", "x")))
	f.atMost(2, "a message in the folder with a subscription of its own", f.deliver)
}

// TestFollowPolls follows a folder by the real loop where there are no subscriptions.
func TestFollowPolls(t *testing.T) {
	c := newCloud(t, -1)
	box := c.alice()
	c.fill(box.Folder("inbox"), 40, parsed(t, "2026-11"), parsed(t, "2026-11"))
	m := c.mount(sign{})
	m.options.PollInterval, m.options.Tick = 10*time.Millisecond, 10*time.Millisecond
	before := len(m.list(inbox + "/2026-11"))
	dir := m.find(inbox + "/2026-11").Dir
	feed := &pollFeed{testFeed{&followed{mount: m, expired: map[backends.DirKey]bool{}}}, make(chan []string, 1)}
	feed.looks <- []string{collectionOf(split(string(dir))[1], split(string(dir))[2]), mailboxes}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { m.Follow(ctx, feed) })
	added := c.add(box.Folder("inbox"), message(today, say("New", "x")))
	for deadline := time.Now().Add(time.Minute); len(m.sink.Names(dir)) == before && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	cancel()
	wg.Wait()
	if _, ok := byID(m.sink.Names(dir))[box.ID(added.Ref(true))+".md"]; !ok {
		t.Error("the new message is not found")
	}
	if m.follower.Load() != nil {
		t.Error("the service still counts as followed")
	}
}

// pollFeed is a feed in which somebody looks at what it is given.
type pollFeed struct {
	testFeed
	looks chan []string
}

func (f *pollFeed) Looks(ctx context.Context) ([]string, error) {
	select {
	case names := <-f.looks:
		return names, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
