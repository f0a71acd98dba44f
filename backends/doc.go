// Package backends holds the contracts between the three halves of workfs:
//
//   - a service (backends/outlook, backends/teams, backends/directory, backends/box) implements Backend: it lists
//     directories whole, tells what changed since a cursor, and fetches contents. It writes what it learnt into a Sink;
//   - the cache package implements Sink for services and Tree for the filesystem: it owns everything that is
//     remembered (names, inodes, node ids, cookies, times, contents) and when it is forgotten;
//   - the fs package consumes Tree and knows folders and files, never services.
//
// A service therefore never sees an inode or a node id, and the filesystem never sees a request.
//
// # Directories, items and collections
//
// A directory is named by a DirKey, an opaque string that is a pure function of the service's ids and means the same
// for ever. An Entry is one name in a directory. Several entries can be parts of one item (a message is listed as md,
// json and eml, and has an attachments directory): the Item string is what an update or a removal names.
//
// A collection is the unit of change: a mail folder, a channel, a calendar, a Box folder. Its directories (for a mail
// folder: the folder itself and its months) are written by batches of that collection, and one cursor covers them.
//
// # A listing is whole or it is an error
//
// A directory becomes visible only when a Commit names it as whole. A failed List leaves everything as it was.
package backends
