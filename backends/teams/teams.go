package teams

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/graph/permission"
	"github.com/workfs/workfs/backends/graph/subscription"
	"github.com/workfs/workfs/backends/names"
)

// Config describes the service of one connection.
type Config struct {
	Client  *graph.Client
	Account graph.Account
	Options backends.Options
	// Subscriptions keeps the connection's subscriptions; nil where the service can't reach this machine.
	Subscriptions *subscription.Manager
	// Now is the clock, that of Options when nil.
	Now func() time.Time
}

// DefaultRefresh is the age at which what Teams says is asked for again: its terms allow a poll a day.
const DefaultRefresh = 24 * time.Hour

const (
	// pageSize is the largest page of posts, replies, chats and their messages.
	pageSize = "50"
	// usersPage is the largest page of users and teams.
	usersPage = "999"
	// eagerPages is how many pages are read to learn a conversation's months before its creation is taken as the oldest.
	eagerPages = 4
)

// service implements backends.Follower and backends.Editioned.
type service struct {
	client  *graph.Client
	account graph.Account
	scope   string
	formats []string
	refresh time.Duration
	maxAge  time.Duration
	now     func() time.Time
	log     *slog.Logger
	options backends.Options
	view    permission.View

	subscriptions *subscription.Manager

	mu            sync.Mutex // guards the maps
	conversations map[string]*conversation
	drives        map[string]*drive
	turns         map[string]chan struct{} // each holds one value while nobody has it
	chats         map[string]chatFacts     // lately asked for, by id
	gaps          map[string]backends.Gap  // by what they are about
}

// New gives the teams and chats that the sign-in may read. It makes no request.
func New(c Config) backends.Backend {
	s := &service{
		client:        c.Client,
		account:       c.Account,
		scope:         c.Client.Scope(c.Account, "teams"),
		formats:       c.Options.Formats,
		refresh:       cmp.Or(c.Options.TeamsRefresh, DefaultRefresh),
		maxAge:        c.Options.MaxAge,
		now:           c.Now,
		log:           c.Options.Log,
		options:       c.Options,
		view:          permission.ViewOf(c.Options, c.Client.AppOnly()),
		subscriptions: c.Subscriptions,
		conversations: map[string]*conversation{},
		drives:        map[string]*drive{},
		turns:         map[string]chan struct{}{},
		chats:         map[string]chatFacts{},
		gaps:          map[string]backends.Gap{},
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
	return s
}

// Scope implements backends.Backend.
func (s *service) Scope() string { return s.scope }

// Edition implements backends.Editioned.
func (s *service) Edition() string {
	return s.view.Edition(permission.Teams, permission.Chats, permission.Files)
}

// shows tells whether a kind of directory is shown. What is not may still be asked for by who saw it in another mount.
func (s *service) shows(k []string) bool {
	kind := k[0]
	if kind == kindAttachments && len(k) > 1 {
		kind = map[string]string{kindChannel: kindMonth, kindChat: kindChat}[k[1]]
	}
	switch kind {
	case kindChannels, kindTeam, kindChannel:
		return s.view.Channels()
	case kindMonth:
		return s.view.Allows(permission.Teams, permission.ChannelMessages)
	case kindFiles, kindFolder, kindDrive:
		return s.view.Allows(permission.Files)
	case kindUsers, kindUser, kindChats, kindChat, kindChatMonth:
		return s.view.Allows(permission.Chats)
	}
	return true
}

// Coverage implements backends.Backend.
func (s *service) Coverage() []backends.Gap {
	s.mu.Lock()
	defer s.mu.Unlock()
	gaps := []backends.Gap{{Path: "", Reason: "Pasted images have neither name nor type at the service: they are named image-N.png. " +
		"Files sent in chats lie in their senders' OneDrive and are shown as links (.url)."}}
	for _, gap := range s.gaps {
		gaps = append(gaps, gap)
	}
	slices.SortFunc(gaps, func(a, b backends.Gap) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Reason, b.Reason))
	})
	return slices.Compact(gaps)
}

// maxGaps bounds what is remembered for coverage.md; the number of broken messages has no bound.
const maxGaps = 1000

// gap reports what can't be seen. What is told again under a key replaces what was told before.
func (s *service) gap(key, path, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.gaps[key]; known || len(s.gaps) < maxGaps {
		s.gaps[key] = backends.Gap{Path: path, Reason: reason}
	}
}

// seen takes a gap back.
func (s *service) seen(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.gaps, key)
}

// refusals says what to ask for when the service refuses a kind of directory, and where that would be.
var refusals = map[string]struct{ path, what, permission string }{
	kindChannels:  {"channels", "Teams", "Team.ReadBasic.All"},
	kindTeam:      {"channels", "The channels of some teams", "Channel.ReadBasic.All"},
	kindChannel:   {"channels", "Messages of some channels", "ChannelMessage.Read.All"},
	kindMonth:     {"channels", "Messages of some channels", "ChannelMessage.Read.All"},
	kindFiles:     {"channels", "Files of some channels", "Files.Read.All"},
	kindFolder:    {"channels", "Files of some channels", "Files.Read.All"},
	kindUsers:     {"users", "Users", "User.Read.All"},
	kindChats:     {"chats", "Chats", "Chat.ReadBasic (an application: Chat.ReadBasic.All)"},
	kindChat:      {"chats", "Messages of some chats", "Chat.Read (an application: Chat.Read.All)"},
	kindChatMonth: {"chats", "Messages of some chats", "Chat.Read (an application: Chat.Read.All)"},
}

// note keeps the account of what is refused: the first of a kind is reported until one succeeds again.
func (s *service) note(kind string, dir backends.DirKey, err error) {
	r, ok := refusals[kind]
	if !ok {
		return
	}
	key := "refused|" + kind
	if kind != kindChannels && kind != kindUsers {
		key += "|" + string(dir)
	}
	switch {
	case errors.Is(err, backends.ErrForbidden):
		if s.client.AppOnly() && r.path == "chats" {
			r.path = "users"
		}
		s.gap(key, r.path, r.what+" can't be read: the sign-in may not, or lacks "+r.permission+".")
	case err == nil:
		s.seen(key)
	}
}

// List implements backends.Backend.
func (s *service) List(ctx context.Context, dir backends.DirKey, sink backends.Sink) error {
	k := split(string(dir))
	kind, n := k[0], len(k)
	var err error
	switch {
	case dir == "":
		err = s.listRoot(sink)
	case !s.shows(k):
		return fmt.Errorf("teams: no %s is shown: %w", kind, backends.ErrNotFound)
	case kind == kindChannels && n == 1:
		err = s.listTeams(ctx, sink)
	case kind == kindTeam && n == 2:
		err = s.alone(ctx, string(dir), func() error { return s.listTeam(ctx, k[1], sink) })
	case kind == kindChannel && n == 3:
		err = s.channel(k[1], k[2]).list(ctx, dir, month{}, sink)
	case kind == kindMonth && n == 4:
		m, ok := parseMonth(k[3])
		if !ok {
			return backends.ErrNotFound
		}
		err = s.channel(k[1], k[2]).list(ctx, dir, m, sink)
	case kind == kindFiles && n == 3:
		err = s.listFiles(ctx, dir, s.channel(k[1], k[2]), sink)
	case kind == kindFolder && n == 4:
		err = s.drive(k[1]).list(ctx, dir, folder{k[1], k[2], k[3]}, sink.Dir(dir).Whole, sink)
	case kind == kindUsers && n == 1:
		err = s.listUsers(ctx, sink)
	case kind == kindUser && n == 2:
		err = s.static(sink, dir, fixedDir("chats", join(kindChats, k[1]), dirKey(kindChats, k[1])))
	case kind == kindChats && n == 2:
		err = s.alone(ctx, string(dir), func() error { return s.listChats(ctx, k[1], sink) })
	case kind == kindChat && n == 3:
		err = s.chat(k[1], k[2]).list(ctx, dir, month{}, sink)
	case kind == kindChatMonth && n == 4:
		m, ok := parseMonth(k[3])
		if !ok {
			return backends.ErrNotFound
		}
		err = s.chat(k[1], k[2]).list(ctx, dir, m, sink)
	case kind == kindAttachments && n == 6:
		err = s.readAttachments(ctx, dir, k, sink)
	default:
		return fmt.Errorf("teams: no directory %q: %w", dir, backends.ErrNotFound)
	}
	s.note(kind, dir, err)
	if err != nil {
		return fmt.Errorf("teams: list %s: %w", cmp.Or(kind, "root"), err)
	}
	return nil
}

// static commits a directory that never changes.
func (s *service) static(sink backends.Sink, dir backends.DirKey, entries ...backends.Entry) error {
	b := sink.Begin(cmp.Or(string(dir), "root"))
	defer b.Discard()
	if err := b.Add(dir, entries...); err != nil {
		return err
	}
	return b.Commit(backends.Commit{Whole: []backends.Listing{{Dir: dir, MaxAge: -1}}})
}

// fixedDir describes a directory with a name of ours.
func fixedDir(name, id string, dir backends.DirKey) backends.Entry {
	return backends.Entry{Name: names.Wanted{Stem: name, Fixed: true}, ID: id, Item: id, IsDir: true, Dir: dir}
}

func (s *service) listRoot(sink backends.Sink) error {
	var entries []backends.Entry
	if s.view.Channels() {
		entries = append(entries, fixedDir("channels", kindChannels, dirKey(kindChannels)))
	}
	switch {
	case !s.view.Allows(permission.Chats):
	case s.client.AppOnly():
		entries = append(entries, fixedDir("users", kindUsers, dirKey(kindUsers)))
	default:
		entries = append(entries, fixedDir("chats", kindChats, dirKey(kindChats, "")))
	}
	return s.static(sink, "", entries...)
}

// key is what the hash in a name is made from.
func (s *service) key(id string) string { return s.scope + "|" + id }

// userDir describes a directory with a name that somebody gave.
func (s *service) userDir(name, id string, dir backends.DirKey) backends.Entry {
	return backends.Entry{
		Name: names.Wanted{Stem: names.Clean(cmp.Or(name, "unnamed")), Key: s.key(id), User: true},
		ID:   id, Item: id, IsDir: true, Dir: dir,
	}
}

// distinct drops repetitions of an id, which pages may have when the collection changes between them.
func distinct(entries []backends.Entry) []backends.Entry {
	seen := make(map[string]bool, len(entries))
	return slices.DeleteFunc(entries, func(e backends.Entry) bool {
		again := seen[e.ID]
		seen[e.ID] = true
		return again
	})
}

// hostTeam takes the team out of a channel's @odata.id, "…/teams/{team}/channels/{channel}".
func hostTeam(id string) string {
	_, rest, ok := strings.Cut(id, "/teams/")
	if !ok {
		_, rest, ok = strings.Cut(id, "/teams('")
	}
	if !ok {
		return ""
	}
	end := strings.IndexAny(rest, "/'")
	if end < 0 {
		return ""
	}
	return rest[:end]
}

func guidLike(s string) bool { return len(s) == 36 && strings.Count(s, "-") == 4 }
