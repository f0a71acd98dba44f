// Package render turns the resources of Microsoft Graph, as the API gave them, into the bytes of files: mail and chat
// messages into Markdown, JSON and EML, events into iCalendar, contacts into vCards, links into .url files, tables into CSV.
//
// Every function is pure. There is no clock, no random boundary, no client and no configuration: stat promises a size that
// a later read, after a restart or on another machine, must keep. Version changes whenever the bytes of any format do.
//
// The input is hostile. A resource may lack any field, have null or another type in its place, and hold text that tries to
// be more than text. Whatever it says, it cannot add a front-matter key, a header, a MIME part or a line to an .ics, .vcf or
// .url file; our formats hold no control characters but newline and tab (and CR before LF where a standard wants it), and
// no bidirectional controls in front matter and headers. Bodies keep those: Hebrew and Arabic mail is written with them.
// Nesting costs no stack and memory stays a small multiple of the input.
//
// What changes without anybody writing a word never shows in md and eml: read marks, flags, categories and reactions.
package render

// Version names the bytes that this package makes. A store that keeps rendered bytes or sizes keeps it beside them.
const Version = 1
