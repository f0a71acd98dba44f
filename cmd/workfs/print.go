package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// printJSON prints a value for programs.
func printJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// fields prints names and values in two columns.
type fields struct{ w *tabwriter.Writer }

func newFields(out io.Writer) fields { return fields{tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)} }

// line prints a field unless it is empty.
func (f fields) line(name, value string) {
	if value != "" {
		fmt.Fprintf(f.w, "%s\t%s\n", name, printable(value))
	}
}

func (f fields) flush() error { return f.w.Flush() }

// localTime writes a time for people, "" for none.
func localTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// span writes a duration for people: "5m", "1h30m", "35ms".
func span(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	text := d.Round(time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// roughly writes a number of bytes for people.
func roughly(n int64) string {
	v, unit := float64(n), "B"
	for _, u := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if v < 1024 {
			break
		}
		v, unit = v/1024, u
	}
	if unit == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", v, unit)
}

// printable takes out what a terminal would obey and what would make text look like another: names and messages of the
// services go through here. Joiners stay, emoji and some scripts are written with them.
func printable(s string) string {
	const nonJoiner, joiner = '\u200c', '\u200d'
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == nonJoiner || r == joiner {
			return r
		}
		return '?'
	}, s)
}
