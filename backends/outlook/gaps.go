package outlook

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/rest"
)

const gapsKey = "gaps"

// gaps are the things found out to be out of sight, by path. They are remembered over restarts.
type gaps struct {
	mu     sync.Mutex
	found  map[string]string
	titles map[string]string // mailbox id to the name it is shown under
}

func (g *gaps) load(m backends.Memory) {
	g.found, g.titles = map[string]string{}, map[string]string{}
	if raw, ok := m.Get(gapsKey); ok {
		// What cannot be read is found out anew.
		_ = json.Unmarshal(raw, &g.found)
	}
	if g.found == nil {
		g.found = map[string]string{}
	}
}

// note adds a gap, or forgets it when reason is "".
func (g *gaps) note(m backends.Memory, path, reason string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.found[path] == reason {
		return
	}
	if g.found[path] = reason; reason == "" {
		delete(g.found, path)
	}
	raw, err := json.Marshal(g.found)
	if err == nil {
		// Without it the gap is found out again after a restart.
		_ = m.Put(gapsKey, raw)
	}
}

func (g *gaps) title(mailbox string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t, ok := g.titles[mailbox]; ok {
		return t
	}
	return strings.TrimPrefix(mailbox, sharedPrefix)
}

func (g *gaps) setTitle(mailbox, title string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.titles[mailbox] = title
}

// Coverage implements backends.Backend.
func (s *service) Coverage() []backends.Gap {
	all := []backends.Gap{
		{Path: "*/mail", Reason: "In-Place Archive mailboxes can't be read through Microsoft Graph's mail folders; ask an Exchange administrator for an export."},
		{Path: "*/mail", Reason: "Recoverable items (deleted from Deleted Items) are not among the folders that Microsoft Graph lists; ask an Exchange administrator."},
	}
	if !s.client.AppOnly() {
		all = append(all, backends.Gap{Path: "", Reason: "Shared mailboxes are shown only when shared_mailboxes of the connection names them."})
	}
	s.gaps.mu.Lock()
	defer s.gaps.mu.Unlock()
	for _, path := range slices.Sorted(maps.Keys(s.gaps.found)) {
		all = append(all, backends.Gap{Path: path, Reason: s.gaps.found[path]})
	}
	return all
}

// areas say what a kind of directory belongs to and which permission it needs.
var areas = map[string]struct{ dir, permission string }{
	kindMail: {"mail", "Mail.Read"}, kindFolder: {"mail", "Mail.Read"}, kindMonth: {"mail", "Mail.Read"},
	kindAttachments: {"mail", "Mail.Read"},
	kindCalendars:   {"calendar", "Calendars.Read"}, kindCalendar: {"calendar", "Calendars.Read"},
	kindCalMonth: {"calendar", "Calendars.Read"},
	kindContacts: {"contacts", "Contacts.Read"}, kindBook: {"contacts", "Contacts.Read"},
}

// forbidden notes that a part of a mailbox was refused.
func (s *service) forbidden(kind, mailbox string, err error) {
	a, ok := areas[kind]
	if !ok {
		return
	}
	reason := "The sign-in may not read it: it needs the permission " + a.permission
	if strings.HasPrefix(mailbox, sharedPrefix) {
		reason += ".Shared and the mailbox's owner has to share it"
	}
	var answer *rest.Error
	if errors.As(err, &answer) && strings.Contains(strings.ToLower(answer.Message), "access to odata is disabled") {
		reason = "An application access policy keeps this application out of the mailbox; ask an Exchange administrator"
	}
	s.gaps.note(s.memory, s.gaps.title(mailbox)+"/"+a.dir, reason+".")
}
