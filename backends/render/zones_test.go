package render

import (
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/emersion/go-ical"
	"github.com/teambition/rrule-go"
)

func TestWindowsZones(t *testing.T) {
	if len(windowsZones) < 139 {
		t.Errorf("%d zones, CLDR has 139", len(windowsZones))
	}
	for name, iana := range windowsZones {
		loc, ok := zone(strings.ToUpper(name))
		if !ok || loc.String() != iana && loc != time.UTC {
			t.Errorf("zone(%q) = %v, %v, want %s", name, loc, ok, iana)
		}
		if _, err := time.LoadLocation(iana); err != nil {
			t.Errorf("%s: %v", iana, err)
		}
	}
	for name, want := range map[string]string{"UTC": "UTC", "tzone://Microsoft/Utc": "UTC", "Europe/Berlin": "Europe/Berlin", "W. Europe Standard Time": "Europe/Berlin"} {
		if loc, ok := zone(name); !ok || loc.String() != want {
			t.Errorf("zone(%q) = %v, %v", name, loc, ok)
		}
	}
	for _, name := range []string{"", "tzone://Microsoft/Custom", "../../etc/passwd", "Local", "Nowhere Standard Time"} {
		if loc, ok := zone(name); ok {
			t.Errorf("zone(%q) = %v", name, loc)
		}
	}
	if n := len(zoneData()); n < 500 {
		t.Errorf("%d zones in the database", n)
	}
}

// onset is a moment at which an observance sets an offset, on the clock of before.
type onset struct {
	wall   time.Time
	offset time.Duration
	from   time.Duration
}

// expand lists the onsets of a VTIMEZONE up to a year, as a calendar program works them out.
func expand(t *testing.T, c *ical.Component, year int) []onset {
	t.Helper()
	var list []onset
	parse := func(s string) time.Duration {
		var sign time.Duration = 1
		if s[0] == '-' {
			sign = -1
		}
		d, err := time.ParseDuration(s[1:3] + "h" + s[3:5] + "m")
		if err != nil {
			t.Fatal(err)
		}
		if len(s) == 7 {
			d += time.Duration(s[5]-'0')*10*time.Second + time.Duration(s[6]-'0')*time.Second
		}
		return sign * d
	}
	for _, o := range c.Children {
		to, from := parse(o.Props.Get("TZOFFSETTO").Value), parse(o.Props.Get("TZOFFSETFROM").Value)
		add := func(w time.Time) { list = append(list, onset{w, to, from}) }
		first, err := time.Parse("20060102T150405", o.Props.Get("DTSTART").Value)
		if err != nil {
			t.Fatal(err)
		}
		add(first)
		for _, p := range o.Props["RDATE"] {
			w, err := time.Parse("20060102T150405", p.Value)
			if err != nil {
				t.Fatal(err)
			}
			add(w)
		}
		if p := o.Props.Get("RRULE"); p != nil {
			option, err := rrule.StrToROption(p.Value)
			if err != nil {
				t.Fatal(err)
			}
			option.Dtstart = first
			r, err := rrule.NewRRule(*option)
			if err != nil {
				t.Fatal(err)
			}
			times := r.Between(first, time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC), true)
			if len(times) == 0 || !times[0].Equal(first) {
				t.Errorf("rule %s does not give its own start %v", p.Value, first)
			}
			for _, w := range times[min(1, len(times)):] {
				add(w)
			}
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].wall.Add(-list[i].from).Before(list[j].wall.Add(-list[j].from)) })
	return list
}

// TestTimezones checks that the VTIMEZONE of every zone says the offsets that the database says, from the start of a series on.
func TestTimezones(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	names := []string{"Europe/Lisbon", "America/Godthab", "Asia/Gaza"}
	for _, iana := range windowsZones {
		names = append(names, iana)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		loc, ok := zone(name)
		if !ok || loc == time.UTC {
			continue
		}
		for _, year := range []int{1995, 2006, 2019, 2026} {
			start := time.Date(year, time.Month(1+r.IntN(12)), 1+r.IntN(28), r.IntN(24), 0, 0, 0, time.UTC)
			c := vtimezone(loc, start, time.Time{})
			if len(c.Children) > 12 {
				t.Errorf("%s from %d: %d observances", name, year, len(c.Children))
			}
			onsets := expand(t, c, 2060)
			for range 60 / slow {
				at := start.Add(time.Duration(r.Int64N(int64(30 * 365 * 24 * time.Hour))))
				_, want := at.In(loc).Zone()
				i := sort.Search(len(onsets), func(i int) bool { return onsets[i].wall.Add(-onsets[i].from).After(at) })
				if i == 0 {
					t.Errorf("%s from %v: no observance at %v", name, start, at)
					continue
				}
				if got := onsets[i-1].offset; got != time.Duration(want)*time.Second {
					t.Errorf("%s from %v: offset %v at %v, want %ds", name, start, got, at, want)
				}
			}
		}
	}
}

func TestTimezoneOfAnEndedSeries(t *testing.T) {
	loc, _ := zone("America/New_York")
	start, end := time.Date(2005, 1, 10, 15, 0, 0, 0, time.UTC), time.Date(2008, 1, 1, 0, 0, 0, 0, time.UTC)
	onsets := expand(t, vtimezone(loc, start, end), 2009)
	for at := start; at.Before(end); at = at.Add(11 * time.Hour) {
		_, want := at.In(loc).Zone()
		i := sort.Search(len(onsets), func(i int) bool { return onsets[i].wall.Add(-onsets[i].from).After(at) })
		if i == 0 || onsets[i-1].offset != time.Duration(want)*time.Second {
			t.Fatalf("wrong offset at %v", at)
		}
	}
}
