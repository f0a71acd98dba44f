// Package recur expands the recurrence of Outlook events (patternedRecurrence) and maps the Windows time zones they use.
package recur

import (
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"time"
)

// Rule is a patternedRecurrence with the API's spelling.
type Rule struct {
	Pattern Pattern `json:"pattern"`
	Range   Range   `json:"range"`
}

// Pattern is a recurrencePattern. Fields that a type does not use are zero.
type Pattern struct {
	Type           string   `json:"type"`
	Interval       int      `json:"interval"`
	Month          int      `json:"month"`
	DayOfMonth     int      `json:"dayOfMonth"`
	DaysOfWeek     []string `json:"daysOfWeek"`
	FirstDayOfWeek string   `json:"firstDayOfWeek"`
	Index          string   `json:"index"`
}

// Range is a recurrenceRange. Dates are YYYY-MM-DD; 0001-01-01 means none.
type Range struct {
	Type        string `json:"type"`
	StartDate   string `json:"startDate"`
	EndDate     string `json:"endDate"`
	Zone        string `json:"recurrenceTimeZone"`
	Occurrences int    `json:"numberOfOccurrences"`
}

// NoDate is what the service gives for an unset date.
const NoDate = "0001-01-01"

// horizon bounds a series without an end, and every search for a next date.
const horizon = 60 * 366

var weekdays = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

var indexes = []string{"first", "second", "third", "fourth", "last"}

// Parse reads a patternedRecurrence as decoded from JSON, fills in what the service defaults, and checks it.
func Parse(v any) (*Rule, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var r Rule
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("recurrence: %w", err)
	}
	p := &r.Pattern
	if p.FirstDayOfWeek == "" {
		p.FirstDayOfWeek = "sunday"
	}
	if p.Index == "" {
		p.Index = "first"
	}
	if r.Range.EndDate == "" {
		r.Range.EndDate = NoDate
	}
	if p.DaysOfWeek == nil {
		p.DaysOfWeek = []string{}
	}
	switch {
	case !slices.Contains([]string{"daily", "weekly", "absoluteMonthly", "relativeMonthly", "absoluteYearly", "relativeYearly"}, p.Type):
		return nil, fmt.Errorf("recurrence: unknown pattern type %q", p.Type)
	case p.Interval < 1 || p.Interval > 999:
		return nil, fmt.Errorf("recurrence: interval %d", p.Interval)
	case (p.Type == "weekly" || p.Type == "relativeMonthly" || p.Type == "relativeYearly") && len(p.DaysOfWeek) == 0:
		return nil, fmt.Errorf("recurrence: %s without daysOfWeek", p.Type)
	case (p.Type == "absoluteMonthly" || p.Type == "absoluteYearly") && (p.DayOfMonth < 1 || p.DayOfMonth > 31):
		return nil, fmt.Errorf("recurrence: dayOfMonth %d", p.DayOfMonth)
	case (p.Type == "absoluteYearly" || p.Type == "relativeYearly") && (p.Month < 1 || p.Month > 12):
		return nil, fmt.Errorf("recurrence: month %d", p.Month)
	case !slices.Contains(indexes, p.Index):
		return nil, fmt.Errorf("recurrence: index %q", p.Index)
	case !slices.Contains([]string{"endDate", "noEnd", "numbered"}, r.Range.Type):
		return nil, fmt.Errorf("recurrence: unknown range type %q", r.Range.Type)
	case r.Range.Type == "numbered" && r.Range.Occurrences < 1:
		return nil, fmt.Errorf("recurrence: numberOfOccurrences %d", r.Range.Occurrences)
	}
	for _, d := range append([]string{p.FirstDayOfWeek}, p.DaysOfWeek...) {
		if !slices.Contains(weekdays, d) {
			return nil, fmt.Errorf("recurrence: unknown day %q", d)
		}
	}
	for _, d := range []string{r.Range.StartDate, r.Range.EndDate} {
		if _, err := time.Parse(time.DateOnly, d); err != nil {
			return nil, fmt.Errorf("recurrence: %w", err)
		}
	}
	return &r, nil
}

// Dates gives the dates of the series, at midnight UTC, from its start in order.
func (r *Rule) Dates() iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		start, err := time.Parse(time.DateOnly, r.Range.StartDate)
		if err != nil {
			return
		}
		end := start.AddDate(0, 0, horizon)
		if r.Range.Type == "endDate" {
			if e, err := time.Parse(time.DateOnly, r.Range.EndDate); err == nil && e.Before(end) {
				end = e
			}
		}
		n := 0
		for d := start; !d.After(end); d = d.AddDate(0, 0, 1) {
			if !r.falls(start, d) {
				continue
			}
			if n++; r.Range.Type == "numbered" && n > r.Range.Occurrences {
				return
			}
			if !yield(d) {
				return
			}
		}
	}
}

func (r *Rule) falls(start, d time.Time) bool {
	p := r.Pattern
	days := int(d.Sub(start).Hours() / 24)
	months := (d.Year()-start.Year())*12 + int(d.Month()) - int(start.Month())
	switch p.Type {
	case "daily":
		return days%p.Interval == 0
	case "weekly":
		first := slices.Index(weekdays, p.FirstDayOfWeek)
		offset := (int(start.Weekday()) - first + 7) % 7
		return (days+offset)/7%p.Interval == 0 && slices.Contains(p.DaysOfWeek, weekdays[d.Weekday()])
	case "absoluteMonthly":
		return months%p.Interval == 0 && d.Day() == min(p.DayOfMonth, lastDay(d))
	case "absoluteYearly":
		return (d.Year()-start.Year())%p.Interval == 0 && int(d.Month()) == p.Month && d.Day() == min(p.DayOfMonth, lastDay(d))
	case "relativeMonthly":
		return months%p.Interval == 0 && r.nth(d)
	case "relativeYearly":
		return (d.Year()-start.Year())%p.Interval == 0 && int(d.Month()) == p.Month && r.nth(d)
	}
	return false
}

func lastDay(d time.Time) int { return time.Date(d.Year(), d.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day() }

// nth tells whether d is the first, … or last of the named days in its month.
func (r *Rule) nth(d time.Time) bool {
	named := func(day int) bool {
		w := time.Date(d.Year(), d.Month(), day, 0, 0, 0, 0, time.UTC).Weekday()
		return slices.Contains(r.Pattern.DaysOfWeek, weekdays[w])
	}
	if !named(d.Day()) {
		return false
	}
	index := slices.Index(indexes, r.Pattern.Index)
	if index == 4 {
		for day := d.Day() + 1; day <= lastDay(d); day++ {
			if named(day) {
				return false
			}
		}
		return true
	}
	before := 0
	for day := 1; day < d.Day(); day++ {
		if named(day) {
			before++
		}
	}
	return before == index
}
