// Package outlook shows mailboxes as directories: mail by folder and month, calendars by month, contacts by folder.
//
//	alice@contoso.com/mail/Inbox/2026-11/…      a folder is a collection; its months belong to it
//	alice@contoso.com/calendar/Calendar/2026-11/…
//	alice@contoso.com/contacts/Contacts/…
//
// # How a mail folder is read
//
// A folder's months are known from its oldest and newest messages. A month is read by list, which is whole when the distinct
// ids that came equal the count on the first and on the last page. What makes it fresh again later depends on the folder's
// cursor, a delta link that covers
//
//   - nothing, until the first look at something that has grown old;
//   - the months from the one that was newest when the cursor was made (a filtered delta, which the service stops at
//     5,000 messages); older months are read again when they are too old;
//   - everything, once a walk over the folder's months, its small size, or some minutes without any other work made an
//     unfiltered round worth while. That round brings the bodies along and makes all months whole.
//
// What a cursor covers never shrinks: listings that were committed as covered are renewed by its answers, so a cursor that
// was lost is made again for the same extent before anything is said to be fresh.
//
// # How changes are followed
//
// A notification names an item. For mail and contacts the cursor is asked, which tells of all changes at once; an event is
// asked for by its id, since calendars have no delta of their own in v1.0. What the cursor does not cover, or does not tell
// although a notification did, is asked for by its id, too. A notification that what is shown agrees with costs nothing.
// Folders, the list of calendars and that of folders of contacts have no notifications: mail folders are renewed by one
// listing for each mailbox, the others have their age.
//
// # Locking
//
// Each folder has an operation lock, held while its cursor moves or a covered month is committed, so that no older state
// overwrites a newer one; and a mutex for its fields, held for moments. The operation lock is taken first. Calendars and
// folders of contacts have the same two.
package outlook
