// Package mailbox holds the state of simulated Exchange mailboxes: mail folders with their messages, calendars with
// their events, contact folders with their contacts, and for each of them a log of what changed, from which delta
// queries are answered.
//
// It knows no HTTP and no JSON. Messages stand in indexes sorted by received time, so a page or a month of a folder of
// any size costs a binary search; what a message says is made only when somebody looks ([Message.Content]), which keeps
// a mailbox of a hundred thousand messages cheap to start.
//
// Locking: a [Mailbox] is a sync.RWMutex. The mutating methods lock it themselves; readers hold RLock while they walk
// folders, messages or logs. Content, Props and attachments are never changed once published, only replaced, so they
// may be used after the lock is gone.
package mailbox
