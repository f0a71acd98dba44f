package render

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-ical"
)

// horizon is the year up to which transitions are looked at. Rules that hold until then hold for ever; Morocco's, which follow
// the moon, are listed in the database until 2087.
const horizon = 2100

// transition is a change of a zone's offset.
type transition struct {
	at       time.Time // UTC
	from, to int       // seconds east of UTC
	name     string
	daylight bool
}

// wall gives the local time of the change on the old clock, which is what DTSTART of an observance says.
func (t transition) wall() time.Time { return t.at.Add(time.Duration(t.from) * time.Second) }

// same reports whether two transitions are of one observance.
func (t transition) same(u transition) bool {
	return t.from == u.from && t.to == u.to && t.name == u.name && t.daylight == u.daylight
}

// vtimezone gives the VTIMEZONE component of a location for times from start on: its transitions, those of the yearly rule at
// the end as RRULE, those before by date. Nil for UTC.
func vtimezone(loc *time.Location, start, end time.Time) *ical.Component {
	if loc == time.UTC {
		return nil
	}
	ts := transitions(loc, start, end)
	rules := yearlyRules(loc)
	// The tail of transitions that follow the rules, year by year: Haiti left out 2016.
	tail := len(ts)
	later := make([]int, len(rules)) // the year in which a rule was met last
	for ; tail > 0; tail-- {
		i, year := followed(rules, ts[tail-1]), ts[tail-1].wall().Year()
		if i < 0 || later[i] != 0 && later[i] != year+1 {
			break
		}
		later[i] = year
	}
	c := ical.NewComponent(ical.CompTimezone)
	setText(c.Props, ical.PropTimezoneID, loc.String())
	var done []transition
	for i, t := range ts {
		if i < tail {
			if slices.ContainsFunc(done, t.same) {
				continue
			}
			done = append(done, t)
			o := observance(t)
			for _, u := range ts[i+1 : tail] {
				if t.same(u) {
					set(o.Props, ical.PropRecurrenceDates, u.wall().Format("20060102T150405"))
				}
			}
			c.Children = append(c.Children, o)
			continue
		}
		// One observance for each rule, from its first date on.
		if slices.ContainsFunc(ts[tail:i], t.same) {
			continue
		}
		o := observance(t)
		for _, r := range rules {
			if r.t.same(t) {
				set(o.Props, ical.PropRecurrenceRule, r.rrule())
			}
		}
		c.Children = append(c.Children, o)
	}
	return c
}

func observance(t transition) *ical.Component {
	kind := ical.CompTimezoneStandard
	if t.daylight {
		kind = ical.CompTimezoneDaylight
	}
	c := ical.NewComponent(kind)
	set(c.Props, ical.PropDateTimeStart, t.wall().Format("20060102T150405"))
	set(c.Props, ical.PropTimezoneOffsetFrom, offset(t.from))
	set(c.Props, ical.PropTimezoneOffsetTo, offset(t.to))
	setText(c.Props, ical.PropTimezoneName, t.name)
	return c
}

// offset formats seconds east of UTC as +hhmm, with seconds only where there are some.
func offset(s int) string {
	sign := '+'
	if s < 0 {
		sign, s = '-', -s
	}
	if s%60 != 0 {
		return fmt.Sprintf("%c%02d%02d%02d", sign, s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%c%02d%02d", sign, s/3600, s/60%60)
}

// transitions lists the change that made the offset at start and all later ones, one beyond end, or up to the horizon for a
// zero end.
func transitions(loc *time.Location, start, end time.Time) []transition {
	name, to := start.In(loc).Zone()
	first := transition{from: to, to: to, name: name, daylight: start.In(loc).IsDST()}
	// Where a rule says the offset, ZoneBounds also stops at the ends of years, where nothing changes.
	began, _ := start.In(loc).ZoneBounds()
	for range 200 {
		if began.IsZero() {
			break
		}
		before := began.Add(-time.Second)
		n, o := before.Zone()
		if o != to || n != name {
			first.from = o
			break
		}
		began, _ = before.ZoneBounds()
	}
	first.at = began.UTC()
	if began.IsZero() {
		first.at = time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC).Add(-time.Duration(to) * time.Second)
	}
	list := []transition{first}
	next := boundAfter(start.In(loc))
	for !next.IsZero() && next.Year() < horizon && len(list) < 1000 {
		n, o := next.Zone()
		if o != to || n != name {
			list = append(list, transition{at: next.UTC(), from: to, to: o, name: n, daylight: next.IsDST()})
			if !end.IsZero() && next.After(end) && len(list) > 2 {
				break
			}
			name, to = n, o
		}
		next = boundAfter(next)
	}
	return list
}

// boundAfter gives the end of the zone in effect at a bound. At the end of a year, ZoneBounds may give that very moment.
func boundAfter(t time.Time) time.Time {
	for _, ahead := range [...]time.Duration{0, time.Hour, 25 * time.Hour} {
		_, end := t.Add(ahead).ZoneBounds()
		if end.IsZero() || end.After(t) {
			return end
		}
	}
	return time.Time{}
}

// yearlyRule is a change that comes back every year: on a weekday of a month that falls on one of up to seven days.
type yearlyRule struct {
	t       transition
	month   time.Month
	weekday time.Weekday
	low     int  // the least day of the month
	last    bool // the last such weekday of its month
	clock   time.Duration
}

// yearlyRules finds the rules that a location follows at the horizon, none if its changes follow none of that form.
func yearlyRules(loc *time.Location) []yearlyRule {
	const years = 28 // after which weekdays and leap years have met in all ways
	ts := transitions(loc, time.Date(horizon-years, 1, 1, 0, 0, 0, 0, time.UTC), time.Time{})
	var rules []yearlyRule
	count := make([]int, 0, 2)
	high := make([]int, 0, 2)
	for _, t := range ts[1:] {
		w := t.wall()
		day := w.Day()
		left := time.Date(w.Year(), w.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day() - day
		i := slices.IndexFunc(rules, func(r yearlyRule) bool { return r.t.same(t) })
		if i < 0 {
			rules = append(rules, yearlyRule{t: t, month: w.Month(), weekday: w.Weekday(), low: day, last: true, clock: clockTime(w)})
			count, high = append(count, 0), append(high, day)
			i = len(rules) - 1
		}
		r := &rules[i]
		if w.Month() != r.month || w.Weekday() != r.weekday || clockTime(w) != r.clock {
			return nil
		}
		r.low, high[i] = min(r.low, day), max(high[i], day)
		r.last = r.last && left < 7
		count[i]++
	}
	for i := range rules {
		if count[i] != years || high[i]-rules[i].low > 6 {
			return nil
		}
	}
	if len(rules) != 2 {
		return nil
	}
	return rules
}

func clockTime(t time.Time) time.Duration {
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second
}

// followed gives the index of the rule that makes a transition, -1 if none does.
func followed(rules []yearlyRule, t transition) int {
	w := t.wall()
	return slices.IndexFunc(rules, func(r yearlyRule) bool {
		if !r.t.same(t) || w.Month() != r.month || w.Weekday() != r.weekday || clockTime(w) != r.clock {
			return false
		}
		if r.last {
			return time.Date(w.Year(), w.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()-w.Day() < 7
		}
		return w.Day() >= r.low && w.Day() < r.low+7
	})
}

func (r yearlyRule) rrule() string {
	s := "FREQ=YEARLY;BYMONTH=" + strconv.Itoa(int(r.month)) + ";BYDAY="
	code := weekdayCodes[r.weekday]
	switch {
	case r.last:
		return s + "-1" + code
	case r.low%7 == 1:
		return s + strconv.Itoa(r.low/7+1) + code
	}
	days := make([]string, 7)
	for i := range days {
		days[i] = strconv.Itoa(r.low + i)
	}
	return s + code + ";BYMONTHDAY=" + strings.Join(days, ",")
}
