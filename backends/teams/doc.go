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
// # Polling
//
// The terms of the Teams APIs forbid to poll for changes more than once a day, so listings keep for 24 hours unless the
// user says otherwise.
package teams
