package render

import (
	"strings"
	"time"
)

// ParseTime reads a time as the services write it: RFC 3339 with zero to nine fraction digits and an offset, or without
// an offset, which then is UTC (events), or a date alone. It gives false for what is malformed and for the values that mean
// "unset": empty, and the years 1 and earlier (0001-01-01).
func ParseTime(s string) (time.Time, bool) {
	t, ok := parseWall(s)
	if !ok || t.Year() <= 1 {
		return time.Time{}, false
	}
	return t.UTC(), true
}

func parseWall(s string) (time.Time, bool) {
	s = strings.TrimSpace(s)
	if len(s) > 64 {
		return time.Time{}, false
	}
	for _, layout := range [...]string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02", "2006-01-02T15:04Z07:00", "2006-01-02T15:04"} {
		// Parse takes fraction digits after the seconds whether or not the layout has them.
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// stamp formats a time for front matter, with milliseconds only where there are any.
func stamp(t time.Time) string {
	return t.UTC().Format("2006-01-02T15:04:05.999Z")
}
