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
	mu      sync.Mutex
	edition string // what was found out by another one is found out anew
	found   map[string]string
	titles  map[string]string // mailbox id to the name it is shown under
}

// titlesKey is where the names of all mailboxes are remembered, written with their listing.
const titlesKey = "titles"

// maxGaps bounds what is remembered.
const maxGaps = 1000

// foundGaps is how found is remembered.
type foundGaps struct {
	Edition string            `json:"edition"`
	Found   map[string]string `json:"found"`
}

func (g *gaps) load(m backends.Memory, edition string) {
	g.edition, g.found, g.titles = edition, map[string]string{}, map[string]string{}
	if raw, ok := m.Get(gapsKey); ok {
		var f foundGaps
		// What cannot be read is found out anew.
		if json.Unmarshal(raw, &f) == nil && f.Edition == edition && f.Found != nil {
			g.found = f.Found
		}
	}
	if raw, ok := m.Get(titlesKey); ok {
		_ = json.Unmarshal(raw, &g.titles)
	}
	if g.titles == nil {
		g.titles = map[string]string{}
	}
}

// note adds a gap, or forgets it when reason is "".
func (g *gaps) note(m backends.Memory, path, reason string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.found[path] == reason || reason != "" && len(g.found) >= maxGaps && g.found[path] == "" {
		return
	}
	if g.found[path] = reason; reason == "" {
		delete(g.found, path)
	}
	raw, err := json.Marshal(foundGaps{g.edition, g.found})
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

// setTitles takes the names of mailboxes over and gives the form in which they are remembered.
func (g *gaps) setTitles(titles map[string]string) []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.titles = titles
	raw, err := json.Marshal(titles)
	if err != nil {
		return nil
	}
	return raw
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

// readable notes that a part of a mailbox can be read, whatever was known of it before.
func (s *service) readable(kind, mailbox string) {
	if a, ok := areas[kind]; ok {
		s.gaps.note(s.memory, s.gaps.title(mailbox)+"/"+a.dir, "")
	}
}

// unreadable notes that the service can't give an item, or that it can again.
func (s *service) unreadable(mailbox, kind, id string, err error) {
	dir := "mail"
	if kind == "events" {
		dir = "calendar"
	}
	reason := ""
	if errors.Is(err, backends.ErrBroken) {
		reason = "The service has this item but can't give its contents; it is damaged or blocked."
	} else if err != nil {
		return
	}
	s.gaps.note(s.memory, s.gaps.title(mailbox)+"/"+dir+"/"+id, reason)
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
