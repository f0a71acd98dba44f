package outlook

import "github.com/workfs/workfs/backends"

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

// join and split make keys and identities of parts, and parts of them.
func join(parts ...string) string { return backends.JoinKey(parts...) }

func split(s string) []string { return backends.SplitKey(s) }

func dirKey(parts ...string) backends.DirKey { return backends.DirKey(join(parts...)) }
