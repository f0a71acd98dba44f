// Package teams simulates the Teams part of Microsoft Graph: teams, channels, members, channel messages with their
// replies, chats, hosted contents, delta and the export calls.
//
// It owns the Store of all conversations, its seed, and the routes. Files of channels are items of the drive package; this
// package adds the drives of team sites and of private channels there and says who may read them.
//
// Messages lie in conversations: a channel, whose root posts have replies, or a chat, which is flat. Each conversation
// keeps them in the orders that the service lists them in, so that a page costs the same in a channel of any size.
//
// Channels, chats and memberships come, change and go by the service's own calls, each of which leaves a system message as
// people see it in Teams; Store.OnChange tells of both. Teams themselves are made by the seed alone.
package teams
