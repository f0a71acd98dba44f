package render

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/teambition/rrule-go"
)

func TestRecurrenceRules(t *testing.T) {
	berlin, _ := zone("Europe/Berlin")
	start := time.Date(2026, 1, 31, 9, 0, 0, 0, berlin) // a Saturday
	for _, c := range []struct{ pattern, limit, want string }{
		{`"type":"daily","interval":1`, `"type":"noEnd"`, "FREQ=DAILY"},
		{`"type":"daily","interval":3`, `"type":"numbered","numberOfOccurrences":5`, "FREQ=DAILY;INTERVAL=3;COUNT=5"},
		{`"type":"weekly","interval":2,"daysOfWeek":["friday","monday","monday"],"firstDayOfWeek":"sunday"`, `"type":"endDate","endDate":"2026-07-01"`,
			"FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR;WKST=SU;UNTIL=20260701T215959Z"},
		{`"type":"weekly","interval":1`, `"type":"noEnd"`, "FREQ=WEEKLY;BYDAY=SA"},
		{`"type":"absoluteMonthly","interval":1,"dayOfMonth":15`, `"type":"noEnd"`, "FREQ=MONTHLY;BYMONTHDAY=15"},
		{`"type":"absoluteMonthly","interval":1,"dayOfMonth":31`, `"type":"noEnd"`, "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1"},
		{`"type":"absoluteMonthly","interval":1,"dayOfMonth":0`, `"type":"noEnd"`, "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1"},
		{`"type":"relativeMonthly","interval":1,"daysOfWeek":["tuesday"],"index":"second"`, `"type":"noEnd"`, "FREQ=MONTHLY;BYDAY=2TU"},
		{`"type":"relativeMonthly","interval":1,"daysOfWeek":["monday","tuesday","wednesday","thursday","friday"],"index":"last"`, `"type":"noEnd"`,
			"FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"},
		{`"type":"absoluteYearly","interval":1,"month":1,"dayOfMonth":31`, `"type":"noEnd"`, "FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=31"},
		{`"type":"absoluteYearly","interval":1,"month":2,"dayOfMonth":29`, `"type":"noEnd"`, "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=28,29;BYSETPOS=-1"},
		{`"type":"relativeYearly","interval":1,"month":11,"daysOfWeek":["thursday"],"index":"fourth"`, `"type":"noEnd"`, "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH"},
		{`"type":"relativeMonthly","interval":1`, `"type":"noEnd"`, "FREQ=MONTHLY;BYDAY=-1SA"},
		{`"type":"hourly","interval":1`, `"type":"noEnd"`, ""},
	} {
		var r recurrence
		if err := json.Unmarshal([]byte(`{"pattern":{`+c.pattern+`},"range":{`+c.limit+`}}`), &r); err != nil {
			t.Fatal(err)
		}
		got := r.rule(start, false)
		if got != c.want {
			t.Errorf("%s, %s:\n got %s\nwant %s", c.pattern, c.limit, got, c.want)
		}
		if got == "" {
			continue
		}
		if _, err := rrule.StrToROption(got); err != nil {
			t.Errorf("%s: %v", got, err)
		}
	}
}

// TestMonthEnd checks what the rule for day 31 gives: the last day of every month, as Outlook has it.
func TestMonthEnd(t *testing.T) {
	o, err := rrule.StrToROption("FREQ=MONTHLY;" + strings.Join(monthDay(31, 28), ";") + ";COUNT=4")
	if err != nil {
		t.Fatal(err)
	}
	o.Dtstart = time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)
	r, err := rrule.NewRRule(*o)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range r.All() {
		got = append(got, d.Format("0102"))
	}
	if s := strings.Join(got, " "); s != "0131 0228 0331 0430" {
		t.Errorf("days %s", s)
	}
}

const allDaySeries = `{"id":"m","iCalUId":"u","isAllDay":true,"subject":"s","start":{"dateTime":"2026-03-02T00:00:00.0000000","timeZone":"UTC"},"end":{"dateTime":"2026-03-03T00:00:00.0000000","timeZone":"UTC"},
"originalStartTimeZone":"W. Europe Standard Time","lastModifiedDateTime":"2026-01-01T00:00:00Z",
"recurrence":{"pattern":{"type":"weekly","interval":1,"daysOfWeek":["monday"]},"range":{"type":"endDate","endDate":"2026-06-01","recurrenceTimeZone":"W. Europe Standard Time"}},"cancelledOccurrences":["OID.m.2026-03-16"]}`

func TestAllDaySeries(t *testing.T) {
	exception := func(original string) []byte {
		return []byte(fmt.Sprintf(`{"isAllDay":true,"subject":"x","start":{"dateTime":"2026-03-10T00:00:00","timeZone":"UTC"},"originalStart":%q,"lastModifiedDateTime":"2026-01-02T00:00:00Z"}`, original))
	}
	for _, original := range []string{"2026-03-09T00:00:00Z", "2026-03-08T23:00:00Z"} {
		got, err := EventICS([]byte(allDaySeries), [][]byte{exception(original)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"DTSTART;VALUE=DATE:20260302\r\n", "DTEND;VALUE=DATE:20260303\r\n", "EXDATE;VALUE=DATE:20260316\r\n", "UNTIL=20260601\r\n",
			"RECURRENCE-ID;VALUE=DATE:20260309\r\n", "DTSTART;VALUE=DATE:20260310\r\n", "DTEND;VALUE=DATE:20260311\r\n"} {
			if !strings.Contains(string(got), want) {
				t.Errorf("no %q in\n%s", want, got)
			}
		}
		if strings.Contains(string(got), "VTIMEZONE") {
			t.Error("days need no time zone")
		}
	}
}

func TestEventOrderDoesNotShow(t *testing.T) {
	inputs := goldenInputs(t)
	one := []byte(`{"subject":"1","originalStart":"2026-11-04T13:00:00Z","start":{"dateTime":"2026-11-04T14:00:00","timeZone":"UTC"},"lastModifiedDateTime":"2026-10-03T00:00:00Z"}`)
	newer := []byte(`{"subject":"2","originalStart":"2026-11-04T13:00:00Z","start":{"dateTime":"2026-11-04T15:00:00","timeZone":"UTC"},"lastModifiedDateTime":"2026-10-04T00:00:00Z"}`)
	two := []byte(`{"subject":"3","originalStart":"2026-11-16T13:00:00Z","start":{"dateTime":"2026-11-16T14:00:00","timeZone":"UTC"},"lastModifiedDateTime":"2026-10-03T00:00:00Z"}`)
	a, err1 := EventICS(inputs["event-series"], [][]byte{one, two, newer}, []string{"2026-11-18", "2026-12-02T13:00:00Z"})
	b, err2 := EventICS(inputs["event-series"], [][]byte{newer, two, one}, []string{"2026-12-02T13:00:00Z", "2026-11-18"})
	if err1 != nil || err2 != nil || string(a) != string(b) {
		t.Errorf("order shows: %v %v\n%s\n%s", err1, err2, a, b)
	}
	cal := checkICS(t, a)
	if n := len(cal.Events()); n != 3 {
		t.Errorf("%d events, want the master and two exceptions", n)
	}
	s := string(a)
	// 16 November is replaced, so it is not excluded; both forms of a cancelled occurrence are.
	if strings.Contains(s, "EXDATE;TZID=Europe/Berlin:20261116") || !strings.Contains(s, "EXDATE;TZID=Europe/Berlin:20261118T140000") ||
		!strings.Contains(s, "EXDATE;TZID=Europe/Berlin:20261202T140000") || strings.Contains(s, "SUMMARY:1\r\n") {
		t.Errorf("wrong exceptions:\n%s", s)
	}
}

// TestZonesComeFromOurCopy checks that the environment cannot change a file.
func TestZonesComeFromOurCopy(t *testing.T) {
	raw := goldenInputs(t)["event-series"]
	want, err := EventICS(raw, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("ZONEINFO", t.TempDir())
	t.Setenv("TZ", "Asia/Tokyo")
	if got, err := EventICS(raw, nil, nil); err != nil || string(got) != string(want) {
		t.Errorf("another file: %v", err)
	}
}
