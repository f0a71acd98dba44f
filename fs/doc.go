// Package fs shows a backends.Tree as a FUSE filesystem. It knows folders and files and no service.
//
// It speaks go-fuse's raw protocol because the kernel then asks for nothing that it holds:
//
//   - OPEN, OPENDIR and FLUSH are answered with ENOSYS once, which ends them for the whole mount. There are no file handles;
//     sizes must be exact when stat returns, and every change of content must be a new node.
//   - Node ids are the Tree's, so that the daemon keeps nothing per inode and FORGET is free.
//   - READDIRPLUS is filled from the listing. While a file's size is unknown its attributes have a timeout of 0, so that
//     the kernel sends GETATTR before anybody sees or relies on the size; GETATTR fetches.
//   - READDIRPLUS_AUTO is not asked for: it turned one warm walk over 100,000 files into as many LOOKUPs.
//
// What bites:
//
//   - A notification about a directory whose lock a LOOKUP or READDIR holds blocks until that request is answered. The
//     notifier therefore never runs in a handler, holds nothing, keeps what concerns a busy directory until its requests
//     are done, and gives each directory a goroutine of its own, so that one slow listing delays no other.
//   - A notice that comes before an answer that was made before the change is undone by it, and the answer stands for ever.
//     EntryNotify can't be: it waits for the lock that LOOKUP and READDIR of the directory hold. So each run of notices
//     begins with one.
//   - A directory change is InodeNotify(dir, 0, 0), which drops the kernel's copy of the listing, plus EntryNotify for
//     each name. EntryNotify for a directory that still exists would unhash everything below it, so a renamed directory
//     relies on the finite timeout that directories have.
//   - A read through the page cache gets no interrupt; the deadline of the operation is what ends it.
//   - The mount is read-only for the kernel, too: otherwise the access time costs a GETATTR for each file read.
package fs
