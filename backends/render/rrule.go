package render

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// recurrence is Graph's patternedRecurrence. Fields that do not matter to a pattern are 0 or 0001-01-01.
type recurrence struct {
	Pattern struct {
		Type           string   `json:"type"`
		Interval       float64  `json:"interval"`
		Month          float64  `json:"month"`
		DayOfMonth     float64  `json:"dayOfMonth"`
		DaysOfWeek     []string `json:"daysOfWeek"`
		FirstDayOfWeek string   `json:"firstDayOfWeek"`
		Index          string   `json:"index"`
	} `json:"pattern"`
	Range struct {
		Type      string  `json:"type"`
		StartDate string  `json:"startDate"`
		EndDate   string  `json:"endDate"`
		TimeZone  string  `json:"recurrenceTimeZone"`
		Count     float64 `json:"numberOfOccurrences"`
	} `json:"range"`
}

var weekdays = map[string]string{"sunday": "SU", "monday": "MO", "tuesday": "TU", "wednesday": "WE", "thursday": "TH", "friday": "FR", "saturday": "SA"}

// weekdayCodes gives the codes by time.Weekday.
var weekdayCodes = [...]string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"}

var indexes = map[string]int{"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}

// number gives a count from JSON within bounds, else the default.
func number(f float64, low, high, otherwise int) int {
	if f >= float64(low) && f <= float64(high) {
		return int(f)
	}
	return otherwise
}

// rule gives the RRULE of a series that starts at the local time start. For what a pattern misses, the start says it. It
// gives "" for a pattern of an unknown type: better one event than a wrong series.
func (r *recurrence) rule(start time.Time, allDay bool) string {
	p := &r.Pattern
	var parts []string
	add := func(key, value string) { parts = append(parts, key+"="+value) }
	var days []string
	for _, code := range weekdayCodes {
		for _, d := range p.DaysOfWeek {
			if weekdays[strings.ToLower(d)] == code {
				days = append(days, code)
				break
			}
		}
	}
	if len(days) == 0 {
		days = []string{weekdayCodes[start.Weekday()]}
	}
	frequency := map[string]string{"daily": "DAILY", "weekly": "WEEKLY", "absolutemonthly": "MONTHLY", "relativemonthly": "MONTHLY",
		"absoluteyearly": "YEARLY", "relativeyearly": "YEARLY"}[strings.ToLower(p.Type)]
	if frequency == "" {
		return ""
	}
	add("FREQ", frequency)
	if n := number(p.Interval, 2, 9999, 1); n > 1 {
		add("INTERVAL", strconv.Itoa(n))
	}
	month := number(p.Month, 1, 12, int(start.Month()))
	if frequency == "YEARLY" {
		add("BYMONTH", strconv.Itoa(month))
	}
	switch strings.ToLower(p.Type) {
	case "weekly":
		add("BYDAY", strings.Join(days, ","))
		if first := weekdays[strings.ToLower(p.FirstDayOfWeek)]; first != "" {
			add("WKST", first)
		}
	case "absolutemonthly":
		parts = append(parts, monthDay(number(p.DayOfMonth, 1, 31, start.Day()), 28)...)
	case "absoluteyearly":
		shortest := 31
		if month == 2 {
			shortest = 28
		}
		parts = append(parts, monthDay(number(p.DayOfMonth, 1, 31, start.Day()), shortest)...)
	case "relativemonthly", "relativeyearly":
		n, ok := indexes[strings.ToLower(p.Index)]
		if !ok {
			n = (start.Day() + 6) / 7
			if n > 4 {
				n = -1
			}
		}
		if len(days) == 1 {
			add("BYDAY", strconv.Itoa(n)+days[0])
		} else {
			add("BYDAY", strings.Join(days, ","))
			add("BYSETPOS", strconv.Itoa(n))
		}
	}
	switch strings.ToLower(r.Range.Type) {
	case "numbered":
		if n := number(r.Range.Count, 1, 999999, 0); n > 0 {
			add("COUNT", strconv.Itoa(n))
		}
	case "enddate":
		if end, ok := ParseTime(r.Range.EndDate); ok {
			if allDay {
				add("UNTIL", end.Format("20060102"))
			} else {
				// The last moment of the last day where the series lives; RFC 5545 wants it in UTC.
				last := time.Date(end.Year(), end.Month(), end.Day(), 23, 59, 59, 0, start.Location())
				add("UNTIL", last.UTC().Format("20060102T150405Z"))
			}
		}
	}
	return strings.Join(parts, ";")
}

// monthDay gives the parts for a day of the month. Outlook takes the last day of months that are shorter, where BYMONTHDAY
// alone would skip them; shortest is the length of the shortest month that the rule meets.
func monthDay(day, shortest int) []string {
	if day <= shortest {
		return []string{"BYMONTHDAY=" + strconv.Itoa(day)}
	}
	list := strconv.Itoa(shortest)
	for d := shortest + 1; d <= day; d++ {
		list += fmt.Sprintf(",%d", d)
	}
	return []string{"BYMONTHDAY=" + list, "BYSETPOS=-1"}
}
