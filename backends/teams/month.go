package teams

import (
	"time"

	"github.com/workfs/workfs/backends/names"
)

// month is a calendar month in UTC, named as its directory; the zero month stands for none.
type month struct{ start time.Time }

// undated is the month of messages without a usable date.
var undated = month{time.Unix(0, 1)}

func monthOf(t time.Time) month {
	if names.Month(t) == names.Undated {
		return undated
	}
	t = t.UTC()
	return month{time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)}
}

func parseMonth(s string) (month, bool) {
	if s == names.Undated {
		return undated, true
	}
	t, err := time.Parse("2006-01", s)
	return month{t}, err == nil
}

func (m month) isZero() bool { return m.start.IsZero() }

func (m month) next() month { return month{m.start.AddDate(0, 1, 0)} }

func (m month) previous() month { return month{m.start.AddDate(0, -1, 0)} }

func (m month) before(o month) bool { return m.start.Before(o.start) }

func (m month) String() string {
	if m == undated {
		return names.Undated
	}
	return m.start.Format("2006-01")
}
