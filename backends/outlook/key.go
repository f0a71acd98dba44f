package outlook

import (
	"strings"

	"github.com/workfs/workfs/backends"
)

// The kinds of directory, first part of their keys.
const (
	kindMailbox     = "mailbox"   // mailbox
	kindMail        = "mail"      // mailbox
	kindFolder      = "folder"    // mailbox, folder
	kindMonth       = "month"     // mailbox, folder, month
	kindAttachments = "att"       // mailbox, "messages" or "events", item
	kindCalendars   = "calendars" // mailbox
	kindCalendar    = "calendar"  // mailbox, calendar
	kindCalMonth    = "calmonth"  // mailbox, calendar, month
	kindContacts    = "contacts"  // mailbox
	kindBook        = "book"      // mailbox, contact folder
)

// Ids hold no bar, but addresses of shared mailboxes may.
var (
	escaper   = strings.NewReplacer("%", "%25", "|", "%7C")
	unescaper = strings.NewReplacer("%7C", "|", "%25", "%")
)

// join makes one string of parts, which split undoes.
func join(parts ...string) string {
	out := make([]string, len(parts))
	for i, p := range parts {
		out[i] = escaper.Replace(p)
	}
	return strings.Join(out, "|")
}

func split(s string) []string {
	parts := strings.Split(s, "|")
	for i, p := range parts {
		parts[i] = unescaper.Replace(p)
	}
	return parts
}

func dirKey(parts ...string) backends.DirKey { return backends.DirKey(join(parts...)) }
