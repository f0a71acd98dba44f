package recur

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func rule(t *testing.T, pattern, limits map[string]any) *Rule {
	t.Helper()
	r, err := Parse(map[string]any{"pattern": pattern, "range": limits})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestDates(t *testing.T) {
	numbered := func(start string, n int) map[string]any {
		return map[string]any{"type": "numbered", "startDate": start, "numberOfOccurrences": n}
	}
	for _, c := range []struct {
		name    string
		pattern map[string]any
		limits  map[string]any
		want    string
	}{
		{"daily by two", map[string]any{"type": "daily", "interval": 2}, numbered("2026-02-27", 3), "2026-02-27 2026-03-01 2026-03-03"},
		{"until", map[string]any{"type": "daily", "interval": 1},
			map[string]any{"type": "endDate", "startDate": "2026-12-30", "endDate": "2027-01-01"}, "2026-12-30 2026-12-31 2027-01-01"},
		// Every other week counted from the Monday: the Sunday belongs to the week that began on November 2.
		{"fortnightly from Monday", map[string]any{"type": "weekly", "interval": 2, "daysOfWeek": []string{"wednesday", "sunday"}, "firstDayOfWeek": "monday"},
			numbered("2026-11-04", 4), "2026-11-04 2026-11-08 2026-11-18 2026-11-22"},
		{"fortnightly from Sunday", map[string]any{"type": "weekly", "interval": 2, "daysOfWeek": []string{"wednesday", "sunday"}},
			numbered("2026-11-04", 4), "2026-11-04 2026-11-15 2026-11-18 2026-11-29"},
		{"the 31st", map[string]any{"type": "absoluteMonthly", "interval": 1, "dayOfMonth": 31}, numbered("2026-01-31", 4),
			"2026-01-31 2026-02-28 2026-03-31 2026-04-30"},
		{"second Tuesday", map[string]any{"type": "relativeMonthly", "interval": 1, "daysOfWeek": []string{"tuesday"}, "index": "second"},
			numbered("2026-01-13", 3), "2026-01-13 2026-02-10 2026-03-10"},
		{"last working day", map[string]any{"type": "relativeMonthly", "interval": 3, "index": "last",
			"daysOfWeek": []string{"monday", "tuesday", "wednesday", "thursday", "friday"}}, numbered("2026-01-30", 3), "2026-01-30 2026-04-30 2026-07-31"},
		{"leap day", map[string]any{"type": "absoluteYearly", "interval": 1, "dayOfMonth": 29, "month": 2}, numbered("2024-02-29", 3),
			"2024-02-29 2025-02-28 2026-02-28"},
		{"fourth Thursday of November", map[string]any{"type": "relativeYearly", "interval": 1, "daysOfWeek": []string{"thursday"}, "index": "fourth", "month": 11},
			numbered("2025-11-01", 2), "2025-11-27 2026-11-26"},
	} {
		var got []string
		for d := range rule(t, c.pattern, c.limits).Dates() {
			got = append(got, d.Format(time.DateOnly))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", c.name, got, c.want)
		}
	}
}

func TestEndlessIsBounded(t *testing.T) {
	n := 0
	for range rule(t, map[string]any{"type": "daily", "interval": 1}, map[string]any{"type": "noEnd", "startDate": "2026-01-01"}).Dates() {
		n++
	}
	if n != horizon+1 {
		t.Errorf("%d dates, want %d", n, horizon+1)
	}
}

func TestParseRefuses(t *testing.T) {
	good := map[string]any{"type": "noEnd", "startDate": "2026-01-01"}
	for _, bad := range []map[string]any{
		{"type": "hourly", "interval": 1}, {"type": "daily", "interval": 0}, {"type": "weekly", "interval": 1},
		{"type": "weekly", "interval": 1, "daysOfWeek": []string{"someday"}}, {"type": "absoluteMonthly", "interval": 1},
		{"type": "relativeYearly", "interval": 1, "daysOfWeek": []string{"monday"}}, {"type": "daily", "interval": "x"},
	} {
		if _, err := Parse(map[string]any{"pattern": bad, "range": good}); err == nil {
			t.Errorf("%v: no error", bad)
		}
	}
	if _, err := Parse(map[string]any{"pattern": map[string]any{"type": "daily", "interval": 1}, "range": map[string]any{"type": "numbered", "startDate": "2026-01-01"}}); err == nil {
		t.Error("a numbered range without a number: no error")
	}
}

func TestZones(t *testing.T) {
	for windows := range windowsZones {
		if _, ok := Zone(windows); !ok {
			t.Errorf("zone %q does not load", windows)
		}
	}
	pacific, _ := Zone("pacific standard time")
	if got := time.Date(2026, 7, 1, 12, 0, 0, 0, pacific).UTC().Hour(); got != 19 {
		t.Errorf("noon in Pacific summer time is %d UTC, want 19", got)
	}
	for _, name := range []string{"", "Local", "Nowhere Standard Time", "../../etc/passwd"} {
		if _, ok := Zone(name); ok {
			t.Errorf("Zone(%q) must not be known", name)
		}
	}
	if got := []string{Windows("Europe/Berlin"), Windows("Asia/Tokyo"), Windows("Europe/Dublin"), Windows("Mars/Olympus")}; !slices.Equal(got,
		[]string{"W. Europe Standard Time", "Tokyo Standard Time", "GMT Standard Time", "UTC"}) {
		t.Errorf("Windows names %q", got)
	}
}
