package outlook

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph/follow"
	"github.com/workfs/workfs/backends/graph/subscription"
)

// wishLife is a little less than the 10,080 minutes that subscriptions to mail, events and contacts may live
// (https://learn.microsoft.com/graph/api/resources/subscription).
const wishLife = 10_000 * time.Minute

// Follow implements backends.Follower.
func (s *service) Follow(ctx context.Context, feed backends.Feed) {
	fl := newFollower(s, feed)
	s.follower.Store(fl)
	defer s.follower.Store(nil)
	follow.Run(ctx, fl, fl, s.subscriptions, s.options)
}

// follower tells the loop of the collections of the mailboxes. It is the loop's feed, too, to hear which of them are live.
type follower struct {
	backends.Feed
	*service
	// known is a Sink to look things up in.
	known backends.Sink

	mu   sync.Mutex // guards what follows
	live map[string]bool
	// own are the folders of each mailbox that have a subscription of their own, shared those that share the mailbox's.
	// sorter is the collection of the latter that gets notifications of messages that are not known yet.
	own, shared map[string]map[string]bool
	sorter      map[string]string
}

func newFollower(s *service, feed backends.Feed) *follower {
	return &follower{
		Feed: feed, service: s, known: feed.Sink(backends.Origin{}),
		live: map[string]bool{}, own: map[string]map[string]bool{}, shared: map[string]map[string]bool{}, sorter: map[string]string{},
	}
}

// Live implements backends.Feed.
func (fl *follower) Live(collections string, l backends.Liveness) {
	fl.mu.Lock()
	if l.By != "" && !l.Since.IsZero() {
		fl.live[collections] = true
	} else {
		delete(fl.live, collections)
	}
	fl.mu.Unlock()
	fl.Feed.Live(collections, l)
}

func (fl *follower) isLive(collection string) bool {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	return fl.live[collection]
}

// Standing implements follow.Service.
func (fl *follower) Standing() []subscription.Wish { return nil }

// Watch implements follow.Service. The lists of mailboxes, calendars and folders of contacts have their age: nothing tells
// of them, and they change next to never.
func (fl *follower) Watch(collection string) (follow.Watch, bool) {
	k := split(collection)
	if len(k) != 3 {
		return follow.Watch{}, false
	}
	w := follow.Watch{Poll: true}
	mailbox, id := k[1], k[2]
	if !fl.shows(k) {
		return follow.Watch{}, false
	}
	switch k[0] {
	case kindMail:
		if id != "" {
			w.Wish = fl.wish(mailbox, fl.mailResource(mailbox, id))
		}
	case kindCalendar:
		if id == fl.defaultCalendar(mailbox) {
			w.Wish = fl.wish(mailbox, fl.subject(mailbox)+"/events")
		}
	case kindContacts:
		w.Wish = fl.wish(mailbox, fl.subject(mailbox)+"/contactFolders('"+id+"')/contacts")
	default:
		return follow.Watch{}, false
	}
	return w, true
}

// subject gives the path of a mailbox as subscriptions name it.
func (s *service) subject(mailbox string) string {
	if address, ok := strings.CutPrefix(mailbox, sharedPrefix); ok {
		return "/users/" + address
	}
	if !s.client.AppOnly() && mailbox == s.account.UserID {
		return "/me"
	}
	return "/users/" + mailbox
}

// wish makes the wish for a resource. Delegated permissions serve subscriptions to the own mailbox alone
// (https://learn.microsoft.com/graph/outlook-change-notifications-overview); the others are asked for changes.
func (s *service) wish(mailbox, resource string) subscription.Wish {
	if !s.client.AppOnly() && mailbox != s.account.UserID {
		return subscription.Wish{}
	}
	return subscription.Wish{Resource: resource, Changes: "created,updated,deleted", MaxLife: wishLife}
}

// mailResource gives the resource that tells of a folder: its messages, or those of the mailbox when many folders have a
// subscription of their own.
func (fl *follower) mailResource(mailbox, folder string) string {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	own := fl.own[mailbox]
	if own[folder] || len(own) < fl.limits.ownWishes {
		put(fl.own, mailbox, folder)
		return fl.subject(mailbox) + "/mailFolders('" + folder + "')/messages"
	}
	put(fl.shared, mailbox, folder)
	if fl.sorter[mailbox] == "" {
		fl.sorter[mailbox] = collectionOf(mailbox, folder)
	}
	return fl.mailboxResource(mailbox)
}

func (fl *follower) mailboxResource(mailbox string) string { return fl.subject(mailbox) + "/messages" }

// put adds a member to the set under a key.
func put(sets map[string]map[string]bool, key, member string) {
	if sets[key] == nil {
		sets[key] = map[string]bool{}
	}
	sets[key][member] = true
}

// sorts tells whether a collection gets the notifications of its mailbox that nobody can tell the folder of.
func (fl *follower) sorts(collection, mailbox string) bool {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	return fl.sorter[mailbox] == collection
}

// shares tells whether a folder has the mailbox's subscription instead of one of its own.
func (fl *follower) shares(mailbox, folder string) bool {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	return fl.shared[mailbox][folder]
}

// resign has another folder sort the mailbox's notifications, since this one is gone.
func (fl *follower) resign(mailbox, folder string) {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	for other := range fl.shared[mailbox] {
		if other != folder {
			fl.sorter[mailbox] = collectionOf(mailbox, other)
			return
		}
	}
}

// Concerns implements follow.Service. Only folders share a resource, that of their mailbox. A notification of a message
// that is known concerns the folders that show it; what is new may be in any of them, which one of them finds out.
func (fl *follower) Concerns(n subscription.Notification, collection string) bool {
	k := split(collection)
	if k[0] != kindMail || len(k) != 3 || n.Resource != fl.mailboxResource(k[1]) || n.ID == "" {
		return true
	}
	shown := fl.where(k[1], n.ID, fl.known)
	for _, at := range shown {
		if at.Collection == collection {
			return true
		}
	}
	return fl.sorts(collection, k[1]) && (len(shown) == 0 || n.Change == "created")
}

// Sync implements follow.Service.
func (fl *follower) Sync(ctx context.Context, collection string, n []subscription.Notification, sink backends.Sink) ([]subscription.Notification, error) {
	k := split(collection)
	if len(k) != 3 {
		return nil, nil
	}
	mailbox, id := k[1], k[2]
	switch k[0] {
	case kindMail:
		switch {
		case id == "":
			return nil, fl.syncTree(ctx, mailbox, sink)
		case fl.sorts(collection, mailbox):
			open, err := fl.sort(ctx, fl.folder(mailbox, id), n, sink)
			if errors.Is(err, backends.ErrNotFound) {
				fl.resign(mailbox, id)
			}
			return open, err
		}
		return fl.syncFolder(ctx, fl.folder(mailbox, id), n, sink)
	case kindCalendar:
		return fl.syncCalendar(ctx, fl.calendar(mailbox, id), n, sink)
	case kindContacts:
		return fl.syncBook(ctx, fl.book(mailbox, id), n, sink)
	}
	return nil, nil
}

// sort passes notifications of the mailbox's subscription on to the folders that they are about, f being the one that gets
// those that nobody knows the folder of.
func (fl *follower) sort(ctx context.Context, f *folder, n []subscription.Notification, sink backends.Sink) ([]subscription.Notification, error) {
	if len(n) == 0 {
		return fl.syncFolder(ctx, f, nil, sink)
	}
	var open []subscription.Notification
	of := map[*folder][]subscription.Notification{}
	for _, x := range n {
		if _, here := fl.shownIn(f, x.ID, sink); x.ID == "" || here && x.Change != "created" {
			of[f] = append(of[f], x)
			continue
		}
		parent, err := fl.parentOf(ctx, f.mailbox, x.ID)
		switch {
		case errors.Is(err, backends.ErrNotFound):
			if x.Change != "deleted" {
				open = append(open, x)
			}
		case err != nil && concernsAll(err):
			return nil, err
		case err != nil:
			open = append(open, x)
		case fl.shares(f.mailbox, parent):
			g := fl.folder(f.mailbox, parent)
			of[g] = append(of[g], x)
		}
	}
	for g, some := range of {
		more, err := fl.syncFolder(ctx, g, some, sink)
		if err != nil {
			return nil, err
		}
		open = append(open, more...)
	}
	return open, nil
}

// consistent tells whether what is shown already agrees with a notification: it was heard of before.
func consistent(n subscription.Notification, etag string, shown bool) bool {
	if n.Change == "deleted" {
		return !shown
	}
	return shown && n.ETag != "" && n.ETag == etag
}

// isEarly tells whether a notification is so young that the service may not show its change yet.
func (s *service) isEarly(n subscription.Notification) bool {
	now := time.Now
	if s.options.Now != nil {
		now = s.options.Now
	}
	return now().Sub(n.At) < s.limits.early
}

// concernsAll tells whether an error of asking for one item would meet the others, too.
func concernsAll(err error) bool {
	return backends.Temporary(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, backends.ErrNoSpace)
}

// unsettled leaves out, of notifications that came before the service was asked, those that what is shown now agrees with,
// and with them other states of the same items. What has no id was asked for. shown tells how an item is shown.
func unsettled(n []subscription.Notification, shown func(id string) (at backends.Shown, here bool)) []subscription.Notification {
	settled := map[string]bool{"": true}
	for _, x := range n {
		at, here := shown(x.ID)
		settled[x.ID] = settled[x.ID] || x.Change != "deleted" && consistent(x, at.Info.ETag, here)
	}
	var left []subscription.Notification
	for _, x := range n {
		at, here := shown(x.ID)
		if !settled[x.ID] && !consistent(x, at.Info.ETag, here) {
			left = append(left, x)
		}
	}
	return left
}

// oneOfEach keeps one notification about each item, a deletion if there is one. Nobody knows their true order. Those without
// an id stay.
func oneOfEach(n []subscription.Notification) []subscription.Notification {
	at := map[string]int{}
	var out []subscription.Notification
	for _, x := range n {
		i, ok := at[x.ID]
		switch {
		case x.ID == "" || !ok:
			at[x.ID] = len(out)
			out = append(out, x)
		case x.Change == "deleted":
			out[i] = x
		}
	}
	return out
}
