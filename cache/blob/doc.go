// Package blob keeps immutable contents as files, named by the caller's keys, within a budget.
//
// A blob appears whole or not at all: it is written beside its place and renamed into it. Each ends in a footer with its
// size and checksum. Small ones are checked when they are first read, larger ones are on disk before they are renamed, so
// that neither a kill nor a power cut can make a blob lie. What was read least recently goes first when the budget or the
// free space of the disk run out.
package blob
