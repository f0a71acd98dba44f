package outlook

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/workfs/workfs/backends/names"
)

// month counts months since year 0. The zero value stands for what has no date.
type month int

// maxGap is the longest run of empty months that is listed.
const maxGap = 24

// The first and last months that a time may lie in without counting as absurd, as names.Month has them.
const (
	firstMonth = month(1900 * 12)
	lastMonth  = month(2199*12 + 11)
)

// monthOf gives the month of a time in UTC, zero when the time is unset or absurd.
func monthOf(t time.Time) month {
	t = t.UTC()
	m := month(t.Year()*12 + int(t.Month()) - 1)
	if m < firstMonth || m > lastMonth {
		return 0
	}
	return m
}

func (m month) String() string {
	if m == 0 {
		return names.Undated
	}
	return fmt.Sprintf("%04d-%02d", int(m)/12, int(m)%12+1)
}

// start is the month's first instant; that of the next month is its end.
func (m month) start() time.Time {
	return time.Date(int(m)/12, time.Month(int(m)%12+1), 1, 0, 0, 0, 0, time.UTC)
}

// lastSecond is what a past month's directory shows as its time.
func (m month) lastSecond() time.Time { return (m + 1).start().Add(-time.Second) }

// parseMonth undoes String; false for anything else.
func parseMonth(s string) (month, bool) {
	if s == names.Undated {
		return 0, true
	}
	t, err := time.Parse("2006-01", s)
	if err != nil || monthOf(t) == 0 {
		return 0, false
	}
	return monthOf(t), true
}

// shown gives the months that a directory lists when messages lie, or may lie, in the given ones: all between the first and
// the last, without runs of more than maxGap empty ones. Zero is ignored.
func shown(filled map[month]bool) []month {
	var out []month
	last := month(0)
	for _, m := range slices.Sorted(maps.Keys(filled)) {
		if m == 0 {
			continue
		}
		if last != 0 && m-last-1 <= maxGap {
			for g := last + 1; g < m; g++ {
				out = append(out, g)
			}
		}
		out = append(out, m)
		last = m
	}
	return out
}

// rfc3339 formats a time as a filter literal.
func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339) }
