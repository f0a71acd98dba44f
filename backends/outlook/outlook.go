package outlook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/graph/permission"
	"github.com/workfs/workfs/backends/graph/subscription"
	"github.com/workfs/workfs/backends/render"
)

// Config describes the service of one connection.
type Config struct {
	// Client talks to Graph as the connection's sign-in.
	Client *graph.Client
	// Account is who is signed in.
	Account graph.Account
	// Options are the settings of the mount.
	Options backends.Options
	// Subscriptions keeps the connection's subscriptions; nil where the service can't reach this machine.
	Subscriptions *subscription.Manager
	// SharedMailboxes are addresses of mailboxes to show beside the own one.
	SharedMailboxes []string
	// Memory keeps what was found out about mailboxes; nil forgets it.
	Memory backends.Memory
	// Now is the clock, that of Options when nil. It only decides which months are past.
	Now func() time.Time
}

// service implements backends.Follower and backends.Editioned.
type service struct {
	client  *graph.Client
	account graph.Account
	scope   string
	formats []string
	shared  []string
	view    permission.View
	memory  backends.Memory
	now     func() time.Time
	log     *slog.Logger
	// edition names formats, renderer and how much of mail is shown: what was listed by another one has to be listed anew.
	edition string
	limits  limits
	gaps    gaps

	options       backends.Options
	subscriptions *subscription.Manager
	follower      atomic.Pointer[follower] // nil while nobody follows changes

	// noExpand is set when the service turned out not to expand childFolders.
	noExpand atomic.Bool
	// plainAttachments is set when it turned out not to select contentId and expand items.
	plainAttachments atomic.Bool

	asked  atomic.Int64 // when somebody asked for something last, in Unix nanoseconds
	idling atomic.Bool  // a round that nobody waits for is under way

	mu        sync.Mutex // guards the maps
	folders   map[string]*folder
	trees     map[string]*tree
	calendars map[string]*calendar
	books     map[string]*book
}

// limits are the sizes and times that steer requests.
type limits struct {
	listPage  int // elements per page of a listing
	deltaPage int // of a delta round; Exchange serves up to 500
	ends      int // rows that tell a folder's months
	small     int // a folder of so many items is read by one round at once
	window    int // a filtered delta stops after so many messages (fact of the API)
	stage     int // messages of a round from which on months are written ahead of its end

	walkPause time.Duration // two neighbouring months within this time are a walk
	roundWait time.Duration // how long a walk waits for its round before it lists by itself
	listTime  time.Duration // what a listing of its own may take
	roundMax  time.Duration // the longest that a round may take, beside roundEach for each message
	roundEach time.Duration
	treeAge   time.Duration // how old a folder tree may be for a listing
	emptyAge  time.Duration // how old the news may be that a folder is empty
	rangeAge  time.Duration // how old the oldest message may be for a listing of months
	idle      time.Duration // how long nobody may ask for anything before folders are read whole; 0: they never are
	pace      time.Duration // time between the pages of what nobody waits for
	retry     time.Duration // when a round that failed may be tried again
	noMailbox time.Duration // how long a user without mailbox is left out

	// ownWishes is how many folders of a mailbox have a subscription of their own. Those beyond share one: a mailbox may
	// have 1,000 over all applications.
	ownWishes int
	// lookUps is how many messages that no cursor covers are asked for one by one; more have their months expire.
	lookUps int
	// early is how old a notification may be that the service may not act upon yet: within it, an answer that does not agree
	// with the notification is not taken for the last word. It is less than what follow waits before it asks again.
	early time.Duration
}

var defaultLimits = limits{
	listPage: 500, deltaPage: 500, ends: 250, small: 500, window: 5000, stage: 2000,
	walkPause: 2 * time.Second, roundWait: 25 * time.Second, listTime: 15 * time.Second, roundMax: 30 * time.Minute,
	roundEach: 10 * time.Millisecond, // 5 s for a page, 2 of which are for the pace
	treeAge:   15 * time.Second, emptyAge: 5 * time.Second, rangeAge: time.Hour,
	idle: 5 * time.Minute, pace: 2 * time.Second, retry: time.Minute, noMailbox: 24 * time.Hour,
	ownWishes: 200, lookUps: 16, early: 900 * time.Millisecond,
}

var (
	_ backends.Follower  = (*service)(nil)
	_ backends.Editioned = (*service)(nil)
)

// New gives the mailboxes that the sign-in may read. It makes no request.
func New(c Config) backends.Backend { return newService(c) }

func newService(c Config) *service {
	s := &service{
		client:  c.Client,
		account: c.Account,
		scope:   c.Client.Scope(c.Account, "outlook"),
		formats: c.Options.Formats,
		shared:  c.SharedMailboxes,
		view:    permission.ViewOf(c.Options, c.Client.AppOnly()),
		memory:  c.Memory,
		now:     c.Now,
		log:     c.Options.Log,
		limits:  defaultLimits,

		options:       c.Options,
		subscriptions: c.Subscriptions,

		folders:   map[string]*folder{},
		trees:     map[string]*tree{},
		calendars: map[string]*calendar{},
		books:     map[string]*book{},
	}
	if len(s.formats) == 0 {
		s.formats = []string{"md"}
	}
	if s.now == nil {
		s.now = c.Options.Now
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.memory == nil {
		s.memory = forgetful{}
	}
	s.edition = fmt.Sprintf("%d:%s", render.Version, strings.Join(s.formats, ","))
	if s.view.Mail() == permission.Envelopes {
		s.edition += ":envelopes"
	}
	if len(s.shared) > 0 && s.view.Shared().Mail() == permission.Envelopes {
		s.edition += ":shared envelopes"
	}
	s.gaps.load(s.memory, s.Edition())
	return s
}

type forgetful struct{}

func (forgetful) Get(string) ([]byte, bool) { return nil, false }
func (forgetful) Put(string, []byte) error  { return nil }

// Scope implements backends.Backend.
func (s *service) Scope() string { return s.scope }

// List implements backends.Backend.
func (s *service) List(ctx context.Context, dir backends.DirKey, sink backends.Sink) error {
	s.asked.Store(time.Now().UnixNano())
	if dir == "" {
		return s.listMailboxes(ctx, sink)
	}
	k := split(string(dir))
	kind, n := k[0], len(k)
	if !s.shows(k) {
		return fmt.Errorf("outlook: no %s is shown: %w", kind, backends.ErrNotFound)
	}
	var err error
	switch {
	case kind == kindMailbox && n == 2:
		err = s.listMailbox(ctx, k[1], sink)
	case kind == kindMail && n == 2:
		err = s.listMail(ctx, k[1], sink)
	case kind == kindFolder && n == 3:
		err = s.listFolder(ctx, s.folder(k[1], k[2]), sink)
	case kind == kindMonth && n == 4:
		m, ok := parseMonth(k[3])
		if !ok {
			return backends.ErrNotFound
		}
		err = s.listMonth(ctx, s.folder(k[1], k[2]), m, sink)
	case kind == kindAttachments && n == 4:
		err = s.listAttachments(ctx, owner{k[1], k[2], k[3]}, sink)
	case kind == kindCalendars && n == 2:
		err = s.listCalendars(ctx, k[1], sink)
	case kind == kindCalendar && n == 3, kind == kindCalMonth && n == 4:
		err = s.listCalendar(ctx, s.calendar(k[1], k[2]), sink)
		if err == nil && !sink.Dir(dir).Whole {
			err = backends.ErrNotFound
		}
	case kind == kindContacts && n == 2:
		err = s.listContacts(ctx, k[1], sink)
	case kind == kindBook && n == 3:
		err = s.listBook(ctx, s.book(k[1], k[2]), sink)
	default:
		return fmt.Errorf("outlook: no directory %q: %w", dir, backends.ErrNotFound)
	}
	if errors.Is(err, backends.ErrForbidden) && n > 1 {
		s.forbidden(kind, k[1], err)
	}
	if err != nil {
		return fmt.Errorf("outlook: list %s: %w", kind, err)
	}
	s.readable(kind, k[1])
	return nil
}

// prefix gives the path of a mailbox's resources.
func (s *service) prefix(mailbox string) string {
	if address, ok := strings.CutPrefix(mailbox, sharedPrefix); ok {
		return graph.Path("users", address)
	}
	if !s.client.AppOnly() && mailbox == s.account.UserID {
		return "/me"
	}
	return graph.Path("users", mailbox)
}

// id makes an identity within the scope.
func (s *service) id(mailbox, kind, id, part string) string { return join(mailbox, kind, id, part) }

// key is what the hash in a generated name is made from: the identity of an item in the world.
func (s *service) key(mailbox, kind, id string) string {
	return s.scope + "|" + join(mailbox, kind, id)
}

// monthEntry describes the directory of a month. A past month shows its last second; the present one has no time of its own.
func (s *service) monthEntry(mailbox, collection, id string, dir backends.DirKey, m month) backends.Entry {
	e := backends.Entry{
		Name:  fixedName(m.String()),
		ID:    s.id(mailbox, collection, id, m.String()),
		Item:  monthItem(m),
		IsDir: true,
		Dir:   dir,
	}
	if m != 0 && m < monthOf(s.now()) {
		e.Mtime = m.lastSecond()
		e.Ctime, e.Btime = e.Mtime, m.start()
	}
	return e
}

func monthItem(m month) string { return "month:" + m.String() }
