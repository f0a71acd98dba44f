// Package teams shows channels and chats of Microsoft Teams as directories with a file for each message.
//
// # Reading a channel
//
// Teams lists the posts of a channel by the latest activity of their threads, newest first, with the replies in them. A
// reader of a month needs every thread that was active since the month began, so posts are read from the newest on until
// the remaining threads are all older; that is sound only while the order holds, which the documentation does not promise,
// so a pass looks for proof, asks the delta where there is none, and reads a channel that is out of order to its end. One
// pass serves all months: it stops where the wanted month is whole and goes on from there when an older one is wanted.
//
// Afterwards the channel's delta tells what changed. It reaches back eight months; a channel that was not looked at for
// longer is read anew.
//
// # Reading a chat
//
// Chats have no threads and can be filtered by time, so a month is read alone. What changed is found by modification time.
//
// # Files
//
// The listed folders of a drive are one collection. The drive's delta tells what changed in all of them, so an item that moves
// between folders moves in one commit and stays the same file. A listing of a folder runs beside the delta, and what the
// delta told meanwhile is put on top of it. A drive whose delta is refused keeps by age.
//
// # Following changes
//
// A notification is a hint to ask what changed, which is one request for all that changed in a conversation or a drive. What
// the service notifies of before it shows it stays open, and the next round begins where the last one did, so that nothing is
// passed over. Where a channel has no delta, the message that a notification names is read by itself.
//
// A person has a subscription for each channel looked at and one for the messages of all chats; an application has two for
// the whole organisation from the start. Lists of channels and chats have theirs. The members of a conversation are asked for
// when a system message says that somebody came or went; those of a team are told by nothing that is subscribed to, and are
// as old as the last time that all of the team was asked for. The terms of the Teams APIs forbid to poll for changes more
// than once a day, so without notifications listings keep for 24 hours unless the user says otherwise. Drives may be polled.
package teams
