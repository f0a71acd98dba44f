package outlook

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/outlook/htmltext"
	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
	"github.com/workfs/workfs/backends/sim/outlook/query"
	"github.com/workfs/workfs/backends/sim/outlook/recur"
)

var eventSchema = query.Schema{
	"subject": query.String, "start/dateTime": query.String, "end/dateTime": query.String, "isAllDay": query.Bool, "isCancelled": query.Bool,
	"createdDateTime": query.Time, "lastModifiedDateTime": query.Time, "type": query.String, "showAs": query.String, "sensitivity": query.String,
	"importance": query.String, "iCalUId": query.String, "categories": query.Strings, "hasAttachments": query.Bool, "id": query.String,
	"organizer/emailAddress/address": query.String, "seriesMasterId": query.String,
}

// propGetter filters by a resource as it would be shown.
func propGetter(props map[string]any) query.Getter {
	return func(path string) any {
		var at any = props
		for _, part := range strings.Split(path, "/") {
			m, ok := at.(map[string]any)
			if !ok {
				return nil
			}
			at = m[part]
		}
		if s, ok := at.(string); ok && strings.HasSuffix(path, "DateTime") {
			if t, err := query.ParseTime(s); err == nil {
				return t
			}
		}
		if list, ok := at.([]string); ok {
			return list
		}
		return at
	}
}

// occurrence is one event of a calendar as calendarView shows it: a single, one date of a series, or an exception.
type occurrence struct {
	item       *mailbox.Item // the single, the exception, or the series master
	on         mailbox.Day   // the date in the series; 0 for a single
	start, end time.Time
}

// kind is the event's type.
func (o occurrence) kind() string {
	switch {
	case o.item.Master != nil:
		return "exception"
	case o.on != 0:
		return "occurrence"
	}
	return "singleInstance"
}

func rule(it *mailbox.Item) *recur.Rule {
	r, _ := it.Props["recurrence"].(*recur.Rule)
	return r
}

// seriesZone is where the dates of a series are counted. All-day events lie at midnight UTC in whatever zone they recur.
func seriesZone(it *mailbox.Item, r *recur.Rule) *time.Location {
	if loc, ok := recur.Zone(r.Range.Zone); ok && it.Props["isAllDay"] != true {
		return loc
	}
	return time.UTC
}

// maxInstances bounds what one series gives to one view.
const maxInstances = 5000

// occurrences gives what an item has between two times (overlapping the interval), in order.
func occurrences(it *mailbox.Item, from, to time.Time) []occurrence {
	overlaps := func(start, end time.Time) bool {
		return start.Before(to) && (end.After(from) || (start.Equal(end) && !start.Before(from)))
	}
	r := rule(it)
	if r == nil {
		if overlaps(it.Start, it.End) {
			return []occurrence{{item: it, start: it.Start, end: it.End}}
		}
		return nil
	}
	loc := seriesZone(it, r)
	length := it.End.Sub(it.Start)
	h, m, s := it.Start.In(loc).Clock()
	var out []occurrence
	for _, ex := range it.Exceptions {
		if overlaps(ex.Start, ex.End) {
			out = append(out, occurrence{ex, ex.On, ex.Start, ex.End})
		}
	}
	for d := range r.Dates() {
		start := time.Date(d.Year(), d.Month(), d.Day(), h, m, s, 0, loc)
		if !start.Before(to) || len(out) >= maxInstances {
			break
		}
		day := mailbox.DayOf(d)
		if it.Cancelled[day] || it.Exceptions[day] != nil || !overlaps(start, start.Add(length)) {
			continue
		}
		out = append(out, occurrence{it, day, start, start.Add(length)})
	}
	slices.SortFunc(out, compareOccurrences)
	return out
}

func compareOccurrences(a, b occurrence) int {
	if c := a.start.Compare(b.start); c != 0 {
		return c
	}
	return int(int64(a.item.Key) - int64(b.item.Key))
}

// eventRef names an occurrence.
func (o occurrence) ref() mailbox.Ref {
	r := o.item.Ref(false)
	if o.on != 0 {
		r.Sub, r.Day = uint32(o.on), true
	}
	return r
}

// master shows a single or a series master.
func (v *view) masterOrSingle(it *mailbox.Item) map[string]any {
	o := occurrence{item: it, start: it.Start, end: it.End}
	kind := o.kind()
	if rule(it) != nil {
		kind = "seriesMaster"
	}
	return v.event(o, kind)
}

// event gives the resource of an event of a kind.
func (v *view) event(o occurrence, kind string) map[string]any {
	it := o.item
	ck := changeKey(it.Key, it.Rev)
	id := v.id(o.ref())
	all := map[string]any{
		"createdDateTime": stamp(it.Created), "lastModifiedDateTime": stamp(it.Modified), "changeKey": ck,
		"categories": []string{}, "originalStartTimeZone": it.Zone, "originalEndTimeZone": it.Zone,
		"iCalUId": v.c.s.uid(it), "transactionId": nil, "subject": "", "bodyPreview": "", "importance": "normal", "sensitivity": "normal",
		"isAllDay": false, "isCancelled": false, "isOrganizer": true, "isDraft": false, "isReminderOn": true, "reminderMinutesBeforeStart": 15,
		"responseRequested": true, "showAs": "busy", "type": kind, "seriesMasterId": nil, "recurrence": nil, "allowNewTimeProposals": true,
		"hideAttendees": false, "isOnlineMeeting": false, "onlineMeetingUrl": nil, "onlineMeetingProvider": "unknown", "onlineMeeting": nil,
		"hasAttachments": false, "attendees": []any{}, "locations": []any{}, "location": location(""),
		"responseStatus": map[string]any{"response": "organizer", "time": "0001-01-01T00:00:00Z"},
		"organizer":      recipient(v.c.s.ownerAddress(v.c.mb)),
		"webLink":        "https://outlook.office365.com/owa/?itemid=" + id + "&exvsurl=1&path=/calendar/item",
	}
	maps.Copy(all, it.Props)
	for _, a := range it.Attachments {
		all["hasAttachments"] = all["hasAttachments"] == true || !a.Inline
	}
	all["start"], all["end"] = v.when(o.start), v.when(o.end)
	body, _ := it.Props["body"].(map[string]any)
	kindOf, content := text(body["contentType"]), text(body["content"])
	all["body"] = v.body(kindOf != "text", content)
	all["bodyPreview"] = htmltext.Preview(content)
	if kindOf != "text" {
		all["bodyPreview"] = htmltext.PreviewHTML(content)
	}
	if place := all["location"].(map[string]any); place["displayName"] != "" && len(all["locations"].([]any)) == 0 {
		all["locations"] = []any{place}
	}
	master := it
	if it.Master != nil {
		master = it.Master
	}
	if o.on != 0 {
		all["recurrence"] = nil
		r := master.Ref(false)
		all["seriesMasterId"] = v.id(r)
		all["originalStart"] = stamp(originalStart(master, o.on))
	}
	out := map[string]any{"@odata.etag": etag(ck), "id": id}
	for name, value := range all {
		if v.sel.Wants(name) {
			out[name] = value
		}
	}
	if v.sel.Asks("cancelledOccurrences") && kind == "seriesMaster" {
		out["cancelledOccurrences"] = v.cancelled(it)
	}
	return out
}

// cancelled gives the dates without an occurrence in the form OID.<master>.<date>.
func (v *view) cancelled(it *mailbox.Item) []string {
	out := []string{}
	for day := range it.Cancelled {
		out = append(out, "OID."+v.id(it.Ref(false))+"."+day.Time(time.UTC).Format(time.DateOnly))
	}
	slices.Sort(out)
	return out
}

func originalStart(master *mailbox.Item, on mailbox.Day) time.Time {
	loc := time.UTC
	if r := rule(master); r != nil {
		loc = seriesZone(master, r)
	}
	h, m, s := master.Start.In(loc).Clock()
	d := on.Time(loc)
	return time.Date(d.Year(), d.Month(), d.Day(), h, m, s, 0, loc)
}

// when gives a time in the zone that the client prefers.
func (v *view) when(t time.Time) map[string]any {
	if v.zone == nil {
		return zoned(t)
	}
	return map[string]any{"dateTime": t.In(v.zone).Format("2006-01-02T15:04:05.0000000"), "timeZone": v.zoneName}
}

// uid gives the iCalendar UID, in the form of Exchange's global object ids; a series shares one.
func (s *Store) uid(it *mailbox.Item) string {
	if it.Master != nil {
		it = it.Master
	}
	sum := s.w.Sum(fmt.Sprintf("uid %s %d", it.Calendar.FirstName, it.Key))
	return "040000008200E00074C5B7101A82E00800000000" + fmt.Sprintf("%X", sum[:16]) + "000000000000000010000000" + fmt.Sprintf("%X", sum[16:])
}

func (s *Store) ownerAddress(mb *mailbox.Mailbox) mailbox.Address {
	p := s.c.Person(mb.UserID)
	return mailbox.Address{Name: p.DisplayName, Address: p.Mail}
}

// eventView is newView with the time zone preference; ok is false when the answer is written.
func (c *call) eventView() (*view, bool) {
	v, ok := c.newView()
	if !ok {
		return nil, false
	}
	if name := c.Prefer.TimeZone; name != "" {
		loc, known := recur.Zone(name)
		if !known {
			c.Error(http.StatusBadRequest, "TimeZoneNotSupportedException", "The TimeZone value of '"+name+"' is not supported.")
			return nil, false
		}
		v.zone, v.zoneName = loc, name
		c.Apply(fmt.Sprintf("outlook.timezone=%q", name))
	}
	return v, true
}

// lookCalendar finds the calendar of the path, the default one when it names none; else it answers. Needs RLock.
func (c *call) lookCalendar() *mailbox.Calendar {
	cal := c.mb.Calendars[0]
	if id := c.Param("calendar"); id != "" {
		if cal = c.mb.Calendar(id); cal == nil {
			c.unknownID(id)
			return nil
		}
	}
	if !c.sees(cal.SharedWith) {
		c.AccessDenied()
		return nil
	}
	return cal
}

// lookOccurrence finds the event of the path in any of its forms; else it answers. Needs RLock.
func (c *call) lookOccurrence() (occurrence, bool) {
	id := c.Param("event")
	r, ok := c.mb.Ref(id)
	if !ok {
		c.malformed()
		return occurrence{}, false
	}
	day := mailbox.Day(0)
	if r.Day {
		day = mailbox.Day(r.Sub)
	}
	r.Sub, r.Day = 0, false
	it := c.mb.Item(r)
	if it == nil || r.Kind != mailbox.KindEvent {
		c.itemNotFound()
		return occurrence{}, false
	}
	if !c.sees(it.Calendar.SharedWith) {
		c.AccessDenied()
		return occurrence{}, false
	}
	// That a calendar does not give the events of another one is a guess, after what mail folders do.
	if id := c.Param("calendar"); id != "" && id != c.mb.ID(it.Calendar.Ref()) {
		c.itemNotFound()
		return occurrence{}, false
	}
	if day == 0 {
		return occurrence{item: it, start: it.Start, end: it.End}, true
	}
	if ex := it.Exceptions[day]; ex != nil {
		return occurrence{ex, day, ex.Start, ex.End}, true
	}
	start := originalStart(it, day)
	for _, o := range occurrences(it, start.Add(-time.Hour), start.Add(time.Hour)) {
		if o.on == day {
			return o, true
		}
	}
	c.itemNotFound()
	return occurrence{}, false
}

// lookEvent finds the item behind the event of the path. Needs RLock.
func (c *call) lookEvent() *mailbox.Item {
	o, ok := c.lookOccurrence()
	if !ok {
		return nil
	}
	return o.item
}

func (v *view) occurrence(o occurrence) map[string]any {
	if o.on == 0 {
		return v.masterOrSingle(o.item)
	}
	return v.event(o, o.kind())
}

func (s *Store) getEvent(c *call) {
	c.mb.RLock()
	defer c.mb.RUnlock()
	o, ok := c.lookOccurrence()
	if !ok {
		return
	}
	v, ok := c.eventView()
	if !ok {
		return
	}
	out := v.occurrence(o)
	v.expandMaster(out, o.item)
	c.one(http.StatusOK, "events/$entity", out)
}

// expandMaster adds the exceptions of a series and the attachments of an event where $expand asks for them.
func (v *view) expandMaster(out map[string]any, it *mailbox.Item) {
	expand := strings.ToLower(v.c.Query.Expand)
	if strings.Contains(expand, "exceptionoccurrences") && rule(it) != nil {
		list := []any{}
		plain := *v
		plain.sel = nil
		for _, day := range slices.Sorted(maps.Keys(it.Exceptions)) {
			ex := it.Exceptions[day]
			list = append(list, plain.event(occurrence{ex, day, ex.Start, ex.End}, "exception"))
		}
		out["exceptionOccurrences"] = list
	}
	if v.attach != nil {
		out["attachments"] = v.attachments(it.Ref(false), it.Attachments, query.ParseSelect(v.attach.Options["$select"]))
	}
}

func (s *Store) listEvents(c *call) {
	c.mb.RLock()
	defer c.mb.RUnlock()
	cal := c.lookCalendar()
	if cal == nil {
		return
	}
	v, ok := c.eventView()
	if !ok {
		return
	}
	filter, keys, ok := c.options(eventSchema)
	if !ok {
		return
	}
	plain := *v
	plain.sel, plain.zone = nil, nil
	getter := func(it *mailbox.Item) query.Getter { return propGetter(plain.masterOrSingle(it)) }
	var found []*mailbox.Item
	for _, it := range cal.Events {
		if filter == nil || filter.Match(getter(it)) {
			found = append(found, it)
		}
	}
	sortBy(found, keys, getter)
	page(c, found, 10, 1000, func(it *mailbox.Item) any {
		out := v.masterOrSingle(it)
		v.expandMaster(out, it)
		return out
	})
}
