package seed

import (
	"fmt"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/outlook/htmltext"
	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
	"github.com/workfs/workfs/backends/sim/outlook/recur"
)

// planner makes the events of one calendar.
type planner struct {
	s    *seeder
	mb   *mailbox.Mailbox
	cal  *mailbox.Calendar
	zone string
	loc  *time.Location
	w    *company.Writer
	now  time.Time // midnight today in loc
}

type props = map[string]any

func (s *seeder) calendar(p *company.Person, mb *mailbox.Mailbox) {
	zone := recur.Windows(p.TimeZone)
	loc, ok := recur.Zone(zone)
	if !ok {
		loc = time.UTC
	}
	n := s.Now.In(loc)
	pl := &planner{s: s, mb: mb, cal: mb.Calendars[0], zone: zone, loc: loc, w: s.c.Writer("calendar " + p.UPN),
		now: time.Date(n.Year(), n.Month(), n.Day(), 0, 0, 0, 0, loc)}
	switch {
	case p == s.c.Alice():
		pl.full()
	case p.Kind == company.Member:
		pl.standup()
		pl.singles(12)
	case p.Kind == company.Room:
		pl.singles(20)
	}
}

// at gives a time on the day that lies so many days from today.
func (pl *planner) at(days, hour, minute int) time.Time {
	d := pl.now.AddDate(0, 0, days)
	return time.Date(d.Year(), d.Month(), d.Day(), hour, minute, 0, 0, pl.loc)
}

func body(htmlText string) map[string]any {
	return props{"contentType": "html", "content": htmltext.Wrap(htmlText)}
}

func place(name string) map[string]any {
	return props{"displayName": name, "locationType": "default", "uniqueId": name, "uniqueIdType": "private"}
}

func (pl *planner) add(start time.Time, length time.Duration, subject string, p props) *mailbox.Item {
	all := props{"subject": subject}
	for k, v := range p {
		all[k] = v
	}
	created := start.AddDate(0, 0, -14).UTC()
	if created.After(pl.s.Now) {
		created = pl.s.Now.AddDate(0, 0, -2)
	}
	it := &mailbox.Item{Calendar: pl.cal, Props: all, Start: start.UTC(), End: start.Add(length).UTC(), Zone: pl.zone,
		Created: created.Truncate(time.Second), Modified: created.Add(time.Hour).Truncate(time.Second)}
	if all["isAllDay"] == true {
		// All-day events lie at midnight UTC, in whatever zone they are shown.
		it.Start = time.Date(start.Year(), start.Month(), start.Day(), 0, 0, 0, 0, time.UTC)
		it.End = it.Start.Add(length)
		it.Zone = "UTC"
	}
	must(pl.mb.AddItem(it, true))
	return it
}

func (pl *planner) series(start time.Time, length time.Duration, subject string, pattern, limits map[string]any, p props) *mailbox.Item {
	limits["startDate"], limits["recurrenceTimeZone"] = start.Format(time.DateOnly), pl.zone
	r, err := recur.Parse(props{"pattern": pattern, "range": limits})
	if err != nil {
		panic(err) // the seed's own patterns are valid
	}
	for first := range r.Dates() {
		// A master starts with its first occurrence.
		start = time.Date(first.Year(), first.Month(), first.Day(), start.Hour(), start.Minute(), 0, 0, pl.loc)
		r.Range.StartDate = first.Format(time.DateOnly)
		break
	}
	all := props{"recurrence": r}
	for k, v := range p {
		all[k] = v
	}
	return pl.add(start, length, subject, all)
}

// except replaces the series' first occurrence on or after a day.
func (pl *planner) except(it *mailbox.Item, from time.Time, move time.Duration, subject string) {
	r := it.Props["recurrence"].(*recur.Rule)
	for d := range r.Dates() {
		if d.Before(from) {
			continue
		}
		on := mailbox.DayOf(d)
		if it.Cancelled[on] || it.Exceptions[on] != nil {
			continue
		}
		h, m, _ := it.Start.In(pl.loc).Clock()
		start := time.Date(d.Year(), d.Month(), d.Day(), h, m, 0, 0, pl.loc).Add(move).UTC()
		p := props{}
		for k, v := range it.Props {
			if k != "recurrence" {
				p[k] = v
			}
		}
		p["subject"] = subject
		if it.Exceptions == nil {
			it.Exceptions = map[mailbox.Day]*mailbox.Item{}
		}
		it.Exceptions[on] = &mailbox.Item{Key: it.Key, Calendar: it.Calendar, Created: it.Created, Modified: it.Modified, Zone: it.Zone, Props: p,
			Master: it, On: on, Start: start, End: start.Add(it.End.Sub(it.Start))}
		return
	}
}

// cancel drops the series' first occurrence on or after a day.
func (pl *planner) cancel(it *mailbox.Item, from time.Time) {
	for d := range it.Props["recurrence"].(*recur.Rule).Dates() {
		if !d.Before(from) && it.Exceptions[mailbox.DayOf(d)] == nil && !it.Cancelled[mailbox.DayOf(d)] {
			if it.Cancelled == nil {
				it.Cancelled = map[mailbox.Day]bool{}
			}
			it.Cancelled[mailbox.DayOf(d)] = true
			return
		}
	}
}

func (pl *planner) standup() *mailbox.Item {
	return pl.series(pl.at(-364, 9, 0), 15*time.Minute, "Standup", props{"type": "weekly", "interval": 1, "firstDayOfWeek": "monday",
		"daysOfWeek": []string{"monday", "tuesday", "wednesday", "thursday", "friday"}}, props{"type": "noEnd"},
		props{"body": body("<p>What happened, what is next, what is in the way.</p>"), "location": place("Room Fuji (12 seats)"), "attendees": pl.attendees(4)})
}

func (pl *planner) attendees(n int) []any {
	out := []any{}
	kinds := []string{"required", "required", "optional"}
	responses := []string{"none", "accepted", "tentativelyAccepted", "declined", "notResponded"}
	for i := range n {
		p := pl.s.c.People[(i+1)%len(pl.s.c.People)]
		at := "0001-01-01T00:00:00Z"
		if i%5 > 0 {
			at = pl.s.Now.AddDate(0, 0, -i).Format("2006-01-02T15:04:05Z")
		}
		out = append(out, props{"type": kinds[i%3], "status": props{"response": responses[i%5], "time": at}, "emailAddress": props{"name": p.DisplayName, "address": p.Mail}})
	}
	return out
}

func (pl *planner) singles(n int) {
	for i := range n {
		at := pl.at(pl.w.IntN(500)-400, 8+pl.w.IntN(9), 15*pl.w.IntN(4))
		pl.add(at, time.Duration(1+pl.w.IntN(6))*15*time.Minute, pl.w.Subject(), props{
			"body": body("<p>" + pl.w.Sentence() + "</p>"), "attendees": pl.attendees(i % 4), "location": place(pl.w.Pick([]string{"", "Room Fuji (12 seats)", "Café, 2nd floor"})),
			"showAs": pl.w.Pick([]string{"busy", "busy", "tentative", "free", "oof", "workingElsewhere"}),
		})
	}
}

// full is Alice's calendar: every kind of recurrence and of event.
func (pl *planner) full() {
	standup := pl.standup()
	midnight := func(days int) time.Time { // as the dates of a rule are
		return time.Date(pl.now.Year(), pl.now.Month(), pl.now.Day()+days, 0, 0, 0, 0, time.UTC)
	}
	for i, days := range []int{-200, -35, -14, 3} {
		pl.except(standup, midnight(days), time.Duration(i+1)*time.Hour, fmt.Sprintf("Standup (moved by %dh)", i+1))
	}
	for _, days := range []int{-100, -28, -7, 10} {
		pl.cancel(standup, midnight(days))
	}
	numbered := func(n int) props { return props{"type": "numbered", "numberOfOccurrences": n} }
	until := func(days int) props { return props{"type": "endDate", "endDate": midnight(days).Format(time.DateOnly)} }
	pl.series(pl.at(-150, 14, 30), 30*time.Minute, "1:1 with Bob", props{"type": "weekly", "interval": 2, "daysOfWeek": []string{"thursday"}, "firstDayOfWeek": "sunday"},
		until(120), props{"sensitivity": "private", "reminderMinutesBeforeStart": 5.0})
	review := pl.series(pl.at(-300, 10, 0), time.Hour, "Budget review", props{"type": "relativeMonthly", "interval": 1, "daysOfWeek": []string{"tuesday"}, "index": "second"},
		numbered(14), props{"categories": []string{"Red category"}, "importance": "high", "attendees": pl.attendees(8)})
	pl.except(review, midnight(-60), 26*time.Hour, "Budget review: extraordinary session")
	pl.series(pl.at(-400, 17, 0), 45*time.Minute, "Close the books", props{"type": "absoluteMonthly", "interval": 1, "dayOfMonth": 31}, props{"type": "noEnd"}, nil)
	pl.series(pl.at(-700, 0, 0), 24*time.Hour, "Grandma's birthday 🎂", props{"type": "absoluteYearly", "interval": 1, "dayOfMonth": 29, "month": 2}, props{"type": "noEnd"},
		props{"isAllDay": true, "showAs": "free", "sensitivity": "personal"})
	pl.series(pl.at(-700, 0, 0), 24*time.Hour, "Thanksgiving", props{"type": "relativeYearly", "interval": 1, "daysOfWeek": []string{"thursday"}, "index": "fourth", "month": 11},
		numbered(5), props{"isAllDay": true, "showAs": "oof"})
	pl.series(pl.at(-20, 8, 0), 10*time.Minute, "Take the pill", props{"type": "daily", "interval": 1}, numbered(40), props{"isReminderOn": true, "reminderMinutesBeforeStart": 0.0})
	pl.series(pl.at(-90, 16, 0), time.Hour, "Last workday drinks", props{"type": "relativeMonthly", "interval": 1, "index": "last",
		"daysOfWeek": []string{"monday", "tuesday", "wednesday", "thursday", "friday"}}, until(200), nil)

	pl.singles(45)
	pl.add(pl.at(3, 14, 0), time.Hour, "Standup", props{"location": place("Room Fuji (12 seats)")})
	pl.add(pl.at(-10, 0, 0), 72*time.Hour, "Offsite in Lisbon", props{"isAllDay": true, "showAs": "workingElsewhere", "location": props{"displayName": "Lisbon",
		"locationType": "default", "uniqueId": "lisbon", "uniqueIdType": "locationStore", "address": props{"city": "Lisboa", "countryOrRegion": "Portugal"}, "coordinates": props{"latitude": 38.72, "longitude": -9.14}}})
	pl.add(pl.at(-2, 23, 30), 2*time.Hour, "Maintenance over midnight", props{"showAs": "tentative"})
	pl.add(pl.at(5, 11, 0), 30*time.Minute, "Canceled: Supplier call", props{"isCancelled": true, "showAs": "free", "isOrganizer": false,
		"organizer": props{"emailAddress": props{"name": "Priya Raman (Fabrikam)", "address": "priya.raman@fabrikam.com"}}})
	pl.add(pl.at(1, 15, 0), time.Hour, "Online: quarterly call", props{"isOnlineMeeting": true, "onlineMeetingProvider": "teamsForBusiness", "isOrganizer": false,
		"onlineMeeting":  props{"joinUrl": "https://teams.microsoft.com/l/meetup-join/19%3ameeting_Zm9v%40thread.v2/0?context=%7b%7d"},
		"responseStatus": props{"response": "tentativelyAccepted", "time": pl.s.Now.Format("2006-01-02T15:04:05Z")},
		"organizer":      props{"emailAddress": props{"name": "Bob Jones", "address": "bob@contoso.com"}},
		"attendees": append(pl.attendees(3), props{"type": "resource", "status": props{"response": "accepted", "time": "0001-01-01T00:00:00Z"},
			"emailAddress": props{"name": "Legacy room", "address": "/O=EXCHANGELABS/CN=RECIPIENTS/CN=ROOM1"}})})
	withFile := pl.add(pl.at(-6, 9, 30), time.Hour, "Contract reading", props{"hideAttendees": true, "attendees": pl.attendees(2)})
	withFile.Attachments = []*mailbox.Attachment{pl.s.file(pl.w, "agenda.docx", "docx", withFile.Created)}
	pl.add(pl.at(-1, 12, 0), 0, "No length", nil)
	for i, subject := range []string{"", "../../etc/passwd", "x\r\nATTENDEE:mailto:evil@example.com\r\nEND:VEVENT", "bidi \u202Egpj.exe", "esc \x1b[31m\x07", "半期レビュー", "مراجعة الميزانية"} {
		pl.add(pl.at(-30+i, 13, 0), time.Hour, subject, props{"body": props{"contentType": "text", "content": "BEGIN:VEVENT\nplain; text, with: \\ marks"}, "location": place("a,b;c\\d\ne")})
	}

	pl.cal = pl.mb.AddCalendar(&mailbox.Calendar{Name: "Holidays", Color: "lightGreen", Group: pl.mb.Groups[0], ReadOnly: true,
		Owner: &mailbox.Address{Name: "Holidays", Address: "holidays@calendar.example.com"}}, true)
	for _, h := range []struct {
		month time.Month
		day   int
		name  string
	}{{1, 1, "New Year's Day"}, {7, 4, "Independence Day"}, {12, 25, "Christmas Day"}} {
		for y := pl.now.Year() - 1; y <= pl.now.Year()+1; y++ {
			pl.add(time.Date(y, h.month, h.day, 0, 0, 0, 0, pl.loc), 24*time.Hour, h.name, props{"isAllDay": true, "showAs": "free", "isReminderOn": false})
		}
	}
	pl.cal = pl.mb.AddCalendar(&mailbox.Calendar{Name: "Team / Ops", Color: "lightOrange", Group: pl.mb.Groups[0]}, true)
	pl.singles(8)
}
