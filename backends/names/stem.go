package names

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	// MaxStem bounds a generated stem in bytes, before its hash.
	MaxStem = 200
	// Undated stands for a time that is unset or absurd, as a stem's first part and as a directory.
	Undated = "undated"

	maxPerson = 64
	// maxMarks bounds the combining marks on one letter: scripts need up to three, vandals use hundreds.
	maxMarks = 3
)

// Stem gives the generated name of a message without hash and extension: "<UTC time>_<person>_<slug>" in NFC, of letters
// and digits of any script, at most 200 bytes. A zero or absurd time gives "undated"; empty parts are left out.
func Stem(t time.Time, person, subject string) string {
	return stem(stamp(t, "2006-01-02_15.04.05"), person, subject, "")
}

// ReplyStem gives the stem of a reply in a thread: that of Stem with "_re~" and the first four characters of the hash of
// the thread's root, rootKey being the Key under which the root has its own name.
func ReplyStem(t time.Time, person, subject, rootKey string) string {
	return stem(stamp(t, "2006-01-02_15.04.05"), person, subject, "_re~"+Hash(rootKey, 4))
}

// EventStem gives the stem of a calendar event: "<UTC start to the minute>_<slug>", the day alone when it lasts all day.
func EventStem(start time.Time, allDay bool, subject string) string {
	layout := "2006-01-02_15.04"
	if allDay {
		layout = "2006-01-02"
	}
	return stem(stamp(start, layout), "", subject, "")
}

// PeopleStem gives the stem of a chat without topic: the first three of its people, in the order given, and "+n" for the
// others.
func PeopleStem(people []string) string {
	parts := make([]string, 0, 4)
	rest := 0
	for _, p := range people {
		switch s := Slug(p, MaxStem/4); {
		case s == "":
		case len(parts) < 3:
			parts = append(parts, s)
		default:
			rest++
		}
	}
	if rest > 0 {
		parts = append(parts, "+"+itoa(rest))
	}
	return strings.Join(parts, "_")
}

// Month gives the directory of a time: its month in UTC as "2026-11", or "undated" when it is unset or absurd. Services
// use 0001, 1601, 1899 and 4501 for "none"; birthdays make 1900 a real year.
func Month(t time.Time) string {
	return stamp(t, "2006-01")
}

// stamp formats a time in UTC, or gives "undated".
func stamp(t time.Time, layout string) string {
	t = t.UTC()
	if y := t.Year(); t.IsZero() || y < 1900 || y > 2199 {
		return Undated
	}
	return t.Format(layout)
}

func stem(stamp, person, subject, suffix string) string {
	out := stamp
	if p := Slug(person, maxPerson); p != "" {
		out += "_" + p
	}
	if s := Slug(subject, MaxStem-len(out)-1-len(suffix)); s != "" {
		out += "_" + s
	}
	return out + suffix
}

// Slug cleans free text into the form used in stems: NFC, letters and digits of any script with their combining marks, all
// else one hyphen between words, at most maxBytes bytes cut on a rune boundary. Text without letters and digits gives "".
func Slug(s string, maxBytes int) string {
	if maxBytes <= 0 {
		return ""
	}
	// A letter has four bytes at most and composing never makes text longer than thrice its size; what lies far behind the
	// cut need not be looked at, and subjects of a megabyte exist.
	if limit := 16*maxBytes + 1024; len(s) > limit {
		s = s[:limit]
	}
	ascii := true
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if !ascii {
		s = norm.NFC.String(s)
	}
	var b strings.Builder
	b.Grow(min(len(s), maxBytes))
	gap, marks := false, maxMarks
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"), invisible(r):
			// Broken bytes and format characters part no words.
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			if gap && b.Len() > 0 {
				b.WriteByte('-')
			}
			b.WriteRune(r)
			gap, marks = false, 0
		case unicode.IsMark(r):
			if !gap && marks < maxMarks {
				b.WriteRune(r)
				marks++
			}
		case r == '\'' || r == '’':
			// Bob's stays one word.
		default:
			gap, marks = true, maxMarks
		}
		if b.Len() > 4*maxBytes {
			break
		}
	}
	out := b.String()
	if !ascii {
		out = norm.NFC.String(out)
	}
	return strings.TrimRight(cutString(out, maxBytes), "-")
}

// invisible reports characters that are letters or marks by category and yet show nothing (Hangul fillers, variation
// selectors), and format characters, the bidirectional controls among them.
func invisible(r rune) bool {
	return r >= 0x80 && (unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) ||
		unicode.Is(unicode.Variation_Selector, r))
}

// cutString cuts s to at most n bytes on a rune boundary.
func cutString(s string, n int) string {
	if n <= 0 {
		return ""
	}
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
