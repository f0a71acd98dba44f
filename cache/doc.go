// Package cache owns all that workfs remembers, and when it is forgotten. To services it is a backends.Sink that takes
// what they learn; to the filesystem it is a backends.Tree that shows it. It knows neither requests nor FUSE.
//
// # What is where
//
// The cache directory can be lost at any time without losing anything but requests:
//
//	meta.db    directories, entries, names, nodes, cookies, cursors of services
//	bodies.db  contents that came with listings, compressed one by one
//	blobs/     fetched contents, a file each; large ones in windows of 8 MiB
//	lock       held by the one process that has the cache open
//
// The state directory is what cannot be had again: state.db has first-seen times, the size and SHA-256 of first copies,
// collisions of inodes, and accounts.
//
// Nothing is kept in memory for what is merely known: a look is four gets in meta.db. Memory holds what is going on
// (flights, events to send, listings that are about to run out) and a small LRU of decoded bodies.
//
// # Writing
//
// A batch encodes its entries as they come and writes their bodies in chunks. Commit is one transaction on meta.db, in
// which every directory that the batch concerns is brought up to date: entries are matched by identity, the whole
// directory is named anew (or, where no name depends on another, only the additions), and what differs is written and
// becomes events. Cache.committing is held over that and over the queueing of events, so that their order is that of the
// commits. State is written before the metadata that relies on it.
//
// What only the commit needs of a batch, the details of its entries, goes to an unnamed file. When many entries come for
// directories that have never been listed, they are staged: written ahead in transactions of bounded size, invisible until
// the last one makes their directories whole. Others get their turn between these transactions. What they do to a staged
// directory counts as done before; then that is written again as a whole. A backend that reads for long may have
// directories staged while it reads (backends.Stager); one that the batch changes afterwards is left to the commit. The
// bucket of staged directories tells the sweeper what commits that never came have left.
//
// The order of locks: Tree.shaping, Cache.committing, then a transaction on meta.db, then one on state.db. pins, listings.mu,
// contents.mu, ahead.mu, served.mu, liveness.mu, looks.mu, latest.mu and those of the queues of events and changes come
// last, and of these none before another. No lock is held while a backend, a
// watcher or a ReadDir callback runs, and no transaction is open.
//
// # Following
//
// A service that tells of changes is given a Feed. What somebody looks at is noted in memory; the service then says how the
// collection is kept right. While a collection is live its covered listings are good for ever, and so are the entries of
// files with the kernel. That is of this process: after a start nothing is live until the service says so again. The
// directories that were given out for ever are remembered, so that the kernel drops their entries when nothing tells of
// their changes any more, or when their listings are forgotten and commits pass them by.
//
// Whoever listens to changes gets what commits do to directories that have been listed before, with paths and with how it was
// learnt. Paths are found within the commit, since a moment later they may be others.
//
// # Connections that come and go
//
// What the tree shows of the configuration is a shape, which does not change: who looks loads it, and Replace and Remove put
// another one in its place. Services of the same scope keep their sink, directories and contents; their followers end before
// the next ones begin. What is under way with a backend that was replaced ends by itself, and nobody joins it.
//
// # Identity
//
// A directory's number is its node id; it is found by its DirKey and is kept through renames, moves and new listings. A
// file's node is a version of its content; equal versions are equal nodes wherever they are listed. A node that no
// directory shows any more is retired: it can be read for an hour, then it is swept. Counters only go up.
//
// # Contents
//
// A content is named by scope, id and version and never goes stale; only listings do. Where only a fetch tells the size,
// the first copy is the truth: should it be fetched again and differ, the file gets a new node whose ctime is the time of
// that fetch, and readers of the old one ErrStale if they had been promised another size.
//
// Readers get what is written of a content as soon as its size is sure, also while it goes to the disk, and wait for neither.
// Who reads on in a large one has up to three windows fetched ahead; who reads one small one after the other in a directory
// has the next ones.
package cache
