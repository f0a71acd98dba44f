package graph

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/workfs/workfs/backends/rest"
)

// limits keeps what the services allow (learn.microsoft.com, Microsoft Graph service-specific throttling limits):
// 4 requests at a time per mailbox; 1 per second for the messages of a channel or chat, for the list of a user's chats, and
// for what else is asked of one channel or chat; 4 per second and team. The numbers of the others are ours.
type limits struct {
	teams time.Duration
	all   rest.Limiters

	mu  sync.Mutex
	own map[string]bool // lower-case ids and addresses of the signed-in user
}

const (
	mailboxInFlight   = 4
	driveInFlight     = 8
	directoryInFlight = 8
)

// mailbox are the resources below a user that live in Exchange.
var mailbox = map[string]bool{
	"mailfolders": true, "messages": true, "mailboxsettings": true, "outlook": true, "inferenceclassification": true,
	"calendar": true, "calendars": true, "calendargroups": true, "calendarview": true, "events": true,
	"contacts": true, "contactfolders": true,
}

func (l *limits) of(r *http.Request) []*limiter {
	s := segments(r.URL.EscapedPath())
	user := ""
	switch {
	case len(s) > 0 && strings.EqualFold(s[0], "me"):
		user, s = "me", s[1:]
	case len(s) > 1 && strings.EqualFold(s[0], "users"):
		user, s = l.user(s[1]), s[2:]
	}
	if id, below, ok := find(s, "chats"); ok {
		if id == "" {
			return l.one("chats of "+user, func() *limiter { return rest.NewLimiter(0, 1, l.teams) })
		}
		return l.messages("chat "+id, below)
	}
	if id, below, ok := find(s, "channels"); ok && id != "" {
		return l.messages("channel "+id, below)
	}
	if id, _, ok := find(s, "teams"); ok && id != "" {
		return l.one("team "+id, func() *limiter { return rest.NewLimiter(0, 4, l.teams/4) })
	}
	if id, _, ok := find(s, "drives"); ok {
		return l.one("drive "+id, func() *limiter { return rest.NewLimiter(driveInFlight, 0, 0) })
	}
	if user != "" && len(s) > 0 && mailbox[strings.ToLower(s[0])] {
		return l.one("mailbox "+user, func() *limiter { return rest.NewLimiter(mailboxInFlight, 0, 0) })
	}
	return l.one("directory", func() *limiter { return rest.NewLimiter(directoryInFlight, 0, 0) })
}

// find looks for a collection in a path: the id that follows, "" when none does, and what comes after it.
func find(s []string, collection string) (id string, below []string, ok bool) {
	for i, name := range s {
		if !strings.EqualFold(name, collection) {
			continue
		}
		if i+1 == len(s) || strings.HasPrefix(s[i+1], "getAll") {
			return "", nil, true
		}
		return s[i+1], s[i+2:], true
	}
	return "", nil, false
}

type limiter = rest.Limiter

func (l *limits) one(key string, make func() *limiter) []*limiter {
	return []*limiter{l.all.Get(key, make)}
}

// messages tells the messages of a conversation from what else is asked about it: Teams counts those apart.
func (l *limits) messages(key string, below []string) []*limiter {
	if len(below) > 0 && strings.EqualFold(below[0], "messages") {
		key += " messages"
	}
	return l.one(key, func() *limiter { return rest.NewLimiter(0, 1, l.teams) })
}

// user gives the key of a mailbox: one for all names of the signed-in user.
func (l *limits) user(id string) string {
	id = strings.ToLower(id)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.own[id] {
		return "me"
	}
	return id
}

func (l *limits) setOwn(names ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.own = map[string]bool{}
	for _, n := range names {
		if n != "" {
			l.own[strings.ToLower(n)] = true
		}
	}
}

// segments splits a path below the version. Keys in parentheses, as nextLinks have them (users('x')), become segments.
func segments(path string) []string {
	if i := strings.Index(path, version+"/"); i >= 0 {
		path = path[i+len(version):]
	}
	var out []string
	for p := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if u, err := url.PathUnescape(p); err == nil {
			p = u
		}
		if name, key, ok := strings.Cut(p, "('"); ok && strings.HasSuffix(key, "')") {
			out = append(out, name, strings.TrimSuffix(key, "')"))
			continue
		}
		out = append(out, p)
	}
	return out
}
