// Package names decides what every directory entry is called.
//
// There are three sorts of names. Names given by users (folders, channels, files, attachments) are kept, except for what
// a file system cannot hold; Clean replaces that reversibly. Generated names tell when, who and what, and end in a short
// hash of the item's identity; Stem and Slug make them out of letters and digits of any script. Fixed names (members.csv,
// files, 2026-11) are ours and never change.
//
// Assign turns the names wished for in one directory into the final ones. It looks at the whole set and at nothing else:
// no clock, no order of listing, no machine. The same set gives the same names for ever, so that backups, inode numbers
// and bookmarks agree across remounts.
//
// All functions are pure and safe for concurrent use.
package names
