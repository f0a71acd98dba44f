// Package activity keeps the log of what changed in the trees of a state directory: one JSON object a line, appended as
// changes are learnt, bounded in size.
//
// The log is two files: activity.jsonl, which grows, and activity.jsonl.1, which it becomes when it is full, instead of the
// one before. What a line says is in Record.
package activity
