package render

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-ical"
)

// dateTimeZone is Graph's dateTimeTimeZone: a wall time without offset, and the zone whose clock it is.
type dateTimeZone struct {
	DateTime string `json:"dateTime"`
	TimeZone string `json:"timeZone"`
}

// time gives the moment; an unknown zone counts as UTC.
func (d dateTimeZone) time() (time.Time, bool) {
	t, ok := parseWall(d.DateTime)
	if !ok || t.Year() <= 1 {
		return time.Time{}, false
	}
	if strings.HasSuffix(d.DateTime, "Z") {
		return t.UTC(), true
	}
	if loc, ok := zone(d.TimeZone); ok {
		return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, loc), true
	}
	return t.UTC(), true
}

// day gives the date on the wall.
func (d dateTimeZone) day() (time.Time, bool) {
	t, ok := parseWall(d.DateTime)
	if !ok || t.Year() <= 1 {
		return time.Time{}, false
	}
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC), true
}

type place struct {
	DisplayName string `json:"displayName"`
}

type attendee struct {
	EmailAddress emailAddress `json:"emailAddress"`
	Type         string       `json:"type"`
	Status       struct {
		Response string `json:"response"`
	} `json:"status"`
}

// event holds the fields of a Graph event that rendering looks at.
type event struct {
	ID                    string                    `json:"id"`
	ICalUID               string                    `json:"iCalUId"`
	Type                  string                    `json:"type"`
	Subject               string                    `json:"subject"`
	Body                  itemBody                  `json:"body"`
	BodyPreview           string                    `json:"bodyPreview"`
	Start                 dateTimeZone              `json:"start"`
	End                   dateTimeZone              `json:"end"`
	IsAllDay              bool                      `json:"isAllDay"`
	IsCancelled           bool                      `json:"isCancelled"`
	IsReminderOn          bool                      `json:"isReminderOn"`
	ReminderMinutes       float64                   `json:"reminderMinutesBeforeStart"`
	Importance            string                    `json:"importance"`
	Sensitivity           string                    `json:"sensitivity"`
	ShowAs                string                    `json:"showAs"`
	Categories            []string                  `json:"categories"`
	WebLink               string                    `json:"webLink"`
	OnlineMeetingURL      string                    `json:"onlineMeetingUrl"`
	OnlineMeeting         struct{ JoinURL string }  `json:"onlineMeeting"`
	Location              place                     `json:"location"`
	Locations             []place                   `json:"locations"`
	Organizer             recipient                 `json:"organizer"`
	Attendees             []attendee                `json:"attendees"`
	ResponseStatus        struct{ Response string } `json:"responseStatus"`
	Created               string                    `json:"createdDateTime"`
	Modified              string                    `json:"lastModifiedDateTime"`
	OriginalStart         string                    `json:"originalStart"`
	OriginalStartTimeZone string                    `json:"originalStartTimeZone"`
	Recurrence            *recurrence               `json:"recurrence"`
	Cancelled             []string                  `json:"cancelledOccurrences"`
}

// EventICS gives an event as an iCalendar file (RFC 5545): the single event or series master, the exceptions of the series
// as further VEVENTs, and EXDATEs for its cancelled occurrences. cancelled adds to the master's own cancelledOccurrences and
// takes the same strings (OID.<id>.YYYY-MM-DD, the day where the series lives), bare days, and times of the original start.
//
// A series is on the clock of its own zone, with a VTIMEZONE; a single event is in UTC; a day is a date. Exceptions are sorted
// by the occurrence that they replace, so that the order of listing does not show. DTSTAMP is the time of the last change.
func EventICS(master []byte, exceptions [][]byte, cancelled []string) ([]byte, error) {
	var m event
	if err := decode(master, &m); err != nil {
		return nil, err
	}
	w := eventWriter{master: &m, loc: m.zone()}
	cal := ical.NewCalendar()
	set(cal.Props, ical.PropVersion, "2.0")
	set(cal.Props, ical.PropProductID, "-//workfs//render "+strconv.Itoa(Version)+"//EN")
	main := w.component(&m)
	rule := ""
	if m.Recurrence != nil {
		rule = m.Recurrence.rule(w.start(&m), m.IsAllDay)
	}
	var replaced []*ical.Component
	if rule != "" {
		set(main.Props, ical.PropRecurrenceRule, rule)
		for _, raw := range exceptions {
			var x event
			if err := decode(raw, &x); err != nil {
				return nil, err
			}
			if c := w.exception(&x); c != nil {
				replaced = append(replaced, c)
			}
		}
		replaced = uniqueExceptions(replaced)
		w.exclude(main, append(slices.Clone(m.Cancelled), cancelled...), replaced)
		if !m.IsAllDay {
			if z := vtimezone(w.loc, w.start(&m), w.end(rule)); z != nil {
				cal.Children = append(cal.Children, z)
			}
		}
	}
	cal.Children = append(cal.Children, main)
	cal.Children = append(cal.Children, replaced...)
	var out bytes.Buffer
	if err := ical.NewEncoder(&out).Encode(cal); err != nil {
		return nil, fmt.Errorf("render: event: %w", err)
	}
	return fold(out.Bytes()), nil
}

// zone gives where a series lives, UTC for a single event.
func (e *event) zone() *time.Location {
	if e.Recurrence == nil || e.IsAllDay {
		return time.UTC
	}
	for _, name := range [...]string{e.Recurrence.Range.TimeZone, e.OriginalStartTimeZone} {
		if loc, ok := zone(name); ok {
			return loc
		}
	}
	return time.UTC
}

type eventWriter struct {
	master *event
	loc    *time.Location
}

// start gives the start of an event on the clock of the series, or its day.
func (w *eventWriter) start(e *event) time.Time {
	if e.IsAllDay {
		t, _ := e.Start.day()
		return t
	}
	t, ok := e.Start.time()
	if !ok {
		return time.Time{}
	}
	return t.In(w.loc)
}

// end gives the moment of the last occurrence, zero if there is none or it is only counted.
func (w *eventWriter) end(rule string) time.Time {
	if !strings.Contains(rule, ";UNTIL=") {
		return time.Time{}
	}
	t, _ := ParseTime(w.master.Recurrence.Range.EndDate)
	return t.AddDate(0, 0, 1)
}

// component makes a VEVENT of an event.
func (w *eventWriter) component(e *event) *ical.Component {
	c := ical.NewComponent(ical.CompEvent)
	uid := oneLine(w.master.ICalUID)
	if uid == "" {
		uid = cmp.Or(oneLine(w.master.ID), unknown)
	}
	setText(c.Props, ical.PropUID, uid)
	created, hasCreated := ParseTime(e.Created)
	modified, hasModified := ParseTime(e.Modified)
	if hasCreated {
		set(c.Props, ical.PropCreated, utc(created))
	}
	switch {
	case hasModified:
		set(c.Props, ical.PropLastModified, utc(modified))
		set(c.Props, ical.PropDateTimeStamp, utc(modified))
	case hasCreated:
		set(c.Props, ical.PropDateTimeStamp, utc(created))
	default:
		set(c.Props, ical.PropDateTimeStamp, utc(time.Unix(0, 0)))
	}
	w.times(c, e)
	setText(c.Props, ical.PropSummary, oneLine(e.Subject))
	if text := e.Body.plain(); text != "" {
		setText(c.Props, ical.PropDescription, text)
		if e.Body.isHTML() {
			p := ical.NewProp("X-ALT-DESC")
			p.Params.Set("FMTTYPE", "text/html")
			p.Value = escapeText(bodyText(e.Body.Content))
			c.Props.Add(p)
		}
	} else {
		setText(c.Props, ical.PropDescription, bodyText(e.BodyPreview))
	}
	setText(c.Props, ical.PropLocation, e.place())
	for _, category := range e.Categories {
		if s := oneLine(category); s != "" {
			set(c.Props, ical.PropCategories, escapeText(s))
		}
	}
	for _, link := range [...]string{e.OnlineMeeting.JoinURL, e.OnlineMeetingURL, e.WebLink} {
		if url := linkTarget(link); strings.HasPrefix(strings.ToLower(url), "http") {
			set(c.Props, ical.PropURL, url)
			break
		}
	}
	e.marks(c)
	e.people(c)
	if e.IsReminderOn {
		a := ical.NewComponent(ical.CompAlarm)
		set(a.Props, ical.PropAction, "DISPLAY")
		setText(a.Props, ical.PropDescription, "Reminder")
		set(a.Props, ical.PropTrigger, "-PT"+strconv.Itoa(number(e.ReminderMinutes, 0, 60*24*366, 15))+"M")
		c.Children = append(c.Children, a)
	}
	return c
}

// times sets start and end. An end that does not come after the start of an all-day event is a day later, any other is left
// out when it lies before.
func (w *eventWriter) times(c *ical.Component, e *event) {
	start := w.start(e)
	if start.IsZero() {
		return
	}
	if e.IsAllDay {
		end, ok := e.End.day()
		if !ok || !end.After(start) {
			end = start.AddDate(0, 0, 1)
		}
		w.setTime(c, ical.PropDateTimeStart, start, true)
		w.setTime(c, ical.PropDateTimeEnd, end, true)
		return
	}
	w.setTime(c, ical.PropDateTimeStart, start, false)
	if end, ok := e.End.time(); ok && !end.Before(start) {
		w.setTime(c, ical.PropDateTimeEnd, end, false)
	}
}

// setTime adds a property with a date, or with a time on the clock of the series.
func (w *eventWriter) setTime(c *ical.Component, name string, t time.Time, day bool) {
	p := ical.NewProp(name)
	switch {
	case day:
		p.Params.Set(ical.ParamValue, "DATE")
		p.Value = t.Format("20060102")
	case w.loc == time.UTC:
		p.Value = utc(t)
	default:
		p.Params.Set(ical.PropTimezoneID, w.loc.String())
		p.Value = t.In(w.loc).Format("20060102T150405")
	}
	c.Props.Add(p)
}

// exception makes the VEVENT that replaces one occurrence, nil if it does not say which.
func (w *eventWriter) exception(e *event) *ical.Component {
	original, ok := ParseTime(e.OriginalStart)
	if !ok {
		if original, ok = e.Start.time(); !ok {
			return nil
		}
	}
	c := w.component(e)
	w.setTime(c, ical.PropRecurrenceID, w.occurrence(original), w.master.IsAllDay)
	return c
}

// occurrence gives an original start as the series has it: for whole days the date, which Graph tells as midnight UTC or as
// the midnight of the zone.
func (w *eventWriter) occurrence(original time.Time) time.Time {
	if !w.master.IsAllDay {
		return original.In(w.loc)
	}
	if original.Hour() != 0 || original.Minute() != 0 {
		if loc, ok := zone(w.master.OriginalStartTimeZone); ok {
			original = original.In(loc)
		}
	}
	return time.Date(original.Year(), original.Month(), original.Day(), 0, 0, 0, 0, time.UTC)
}

// uniqueExceptions sorts exceptions by the occurrence that they replace, keeping the last changed of two for the same.
func uniqueExceptions(cs []*ical.Component) []*ical.Component {
	value := func(c *ical.Component, name string) string {
		if p := c.Props.Get(name); p != nil {
			return p.Value
		}
		return ""
	}
	slices.SortFunc(cs, func(a, b *ical.Component) int {
		return cmp.Or(cmp.Compare(value(a, ical.PropRecurrenceID), value(b, ical.PropRecurrenceID)),
			-cmp.Compare(value(a, ical.PropDateTimeStamp), value(b, ical.PropDateTimeStamp)),
			cmp.Compare(value(a, ical.PropDateTimeStart), value(b, ical.PropDateTimeStart)),
			cmp.Compare(value(a, ical.PropSummary), value(b, ical.PropSummary)))
	})
	return slices.CompactFunc(cs, func(a, b *ical.Component) bool {
		return value(a, ical.PropRecurrenceID) == value(b, ical.PropRecurrenceID)
	})
}

// exclude adds the EXDATEs of cancelled occurrences that no exception replaces.
func (w *eventWriter) exclude(c *ical.Component, cancelled []string, replaced []*ical.Component) {
	seen := map[string]bool{}
	for _, r := range replaced {
		seen[r.Props.Get(ical.PropRecurrenceID).Value] = true
	}
	var dates []time.Time
	start := w.start(w.master)
	for _, s := range cancelled {
		if i := strings.LastIndexByte(s, '.'); strings.HasPrefix(s, "OID.") && i >= 0 {
			s = s[i+1:]
		}
		t, ok := ParseTime(s)
		switch {
		case !ok:
		case len(s) == len("2006-01-02") && !w.master.IsAllDay:
			dates = append(dates, time.Date(t.Year(), t.Month(), t.Day(), start.Hour(), start.Minute(), start.Second(), 0, w.loc))
		default:
			dates = append(dates, w.occurrence(t))
		}
	}
	slices.SortFunc(dates, time.Time.Compare)
	for _, t := range dates {
		one := ical.NewComponent(ical.CompEvent)
		w.setTime(one, ical.PropExceptionDates, t, w.master.IsAllDay)
		if p := one.Props.Get(ical.PropExceptionDates); !seen[p.Value] {
			seen[p.Value] = true
			c.Props.Add(p)
		}
	}
}

func (e *event) place() string {
	var places []string
	for _, p := range append([]place{e.Location}, e.Locations...) {
		if s := oneLine(p.DisplayName); s != "" && !slices.Contains(places, s) {
			places = append(places, s)
		}
	}
	if len(places) > 1 && strings.Contains(places[0], ";") {
		places = places[:1] // the first already lists them all
	}
	return strings.Join(places, "; ")
}

// marks sets what calendars show by colour and sign.
func (e *event) marks(c *ical.Component) {
	switch {
	case e.IsCancelled:
		set(c.Props, ical.PropStatus, "CANCELLED")
	case e.ResponseStatus.Response == "tentativelyAccepted":
		set(c.Props, ical.PropStatus, "TENTATIVE")
	default:
		set(c.Props, ical.PropStatus, "CONFIRMED")
	}
	transparent := "OPAQUE"
	if e.ShowAs == "free" || e.ShowAs == "workingElsewhere" {
		transparent = "TRANSPARENT"
	}
	set(c.Props, ical.PropTransparency, transparent)
	if busy := map[string]string{"free": "FREE", "tentative": "TENTATIVE", "busy": "BUSY", "oof": "OOF",
		"workingElsewhere": "WORKINGELSEWHERE"}[e.ShowAs]; busy != "" {
		set(c.Props, "X-MICROSOFT-CDO-BUSYSTATUS", busy)
	}
	switch e.Sensitivity {
	case "private", "personal":
		set(c.Props, ical.PropClass, "PRIVATE")
	case "confidential":
		set(c.Props, ical.PropClass, "CONFIDENTIAL")
	}
	switch e.Importance {
	case "high":
		set(c.Props, ical.PropPriority, "1")
	case "normal":
		set(c.Props, ical.PropPriority, "5")
	case "low":
		set(c.Props, ical.PropPriority, "9")
	}
}

// people sets organizer and attendees. Exchange's internal names (X.500) are no addresses and are left out.
func (e *event) people(c *ical.Component) {
	if p := calAddress(ical.PropOrganizer, e.Organizer.EmailAddress); p != nil {
		c.Props.Add(p)
	}
	for _, a := range e.Attendees {
		p := calAddress(ical.PropAttendee, a.EmailAddress)
		if p == nil {
			continue
		}
		switch a.Type {
		case "resource":
			p.Params.Set("CUTYPE", "RESOURCE")
			p.Params.Set("ROLE", "NON-PARTICIPANT")
		case "optional":
			p.Params.Set("ROLE", "OPT-PARTICIPANT")
		default:
			p.Params.Set("ROLE", "REQ-PARTICIPANT")
		}
		switch a.Status.Response {
		case "accepted", "organizer":
			p.Params.Set("PARTSTAT", "ACCEPTED")
		case "declined":
			p.Params.Set("PARTSTAT", "DECLINED")
		case "tentativelyAccepted":
			p.Params.Set("PARTSTAT", "TENTATIVE")
		default:
			p.Params.Set("PARTSTAT", "NEEDS-ACTION")
		}
		c.Props.Add(p)
	}
}

func calAddress(name string, a emailAddress) *ical.Prop {
	address := escapeURL(oneLine(a.Address))
	if !strings.Contains(address, "@") || strings.HasPrefix(address, "/") {
		return nil
	}
	p := ical.NewProp(name)
	if cn := strings.ReplaceAll(oneLine(a.Name), `"`, "'"); cn != "" {
		p.Params.Set("CN", cn)
	}
	p.Value = "mailto:" + address
	return p
}

func utc(t time.Time) string { return t.UTC().Format("20060102T150405Z") }

// set adds a property with a value of ours.
func set(props ical.Props, name, value string) {
	p := ical.NewProp(name)
	p.Value = value
	props.Add(p)
}

// setText adds a text property unless it is empty.
func setText(props ical.Props, name, value string) {
	if value != "" {
		set(props, name, escapeText(value))
	}
}

// escapeText writes a TEXT value (RFC 5545 section 3.3.11).
var escapeText = strings.NewReplacer(`\`, `\\`, "\n", `\n`, ";", `\;`, ",", `\,`).Replace
