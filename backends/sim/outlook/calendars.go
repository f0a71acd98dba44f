package outlook

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/graph"
	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
	"github.com/workfs/workfs/backends/sim/outlook/query"
	"github.com/workfs/workfs/backends/sim/outlook/recur"
)

func (s *Store) calendarRoutes(on func(graph.Perms, string, func(*call))) {
	read, write := perms("Calendars.Read"), perms("Calendars.ReadWrite")
	on(read, "GET {U}/calendars", s.listCalendars)
	on(read, "GET {U}/calendarGroups", s.listCalendarGroups)
	on(read, "GET {U}/calendarGroups/{group}/calendars", s.listCalendars)
	on(write, "POST {U}/calendars", s.createCalendar)
	for _, cal := range []string{"{U}/calendar", "{U}/calendars/{calendar}"} {
		on(read, "GET "+cal, s.getCalendar)
	}
	for _, cal := range []string{"{U}", "{U}/calendar", "{U}/calendars/{calendar}"} {
		on(read, "GET "+cal+"/calendarView", s.calendarView)
		on(read, "GET "+cal+"/calendarView/delta", s.calendarViewDelta)
		on(read, "GET "+cal+"/events", s.listEvents)
		on(write, "POST "+cal+"/events", s.createEvent)
		event := cal + "/events/{event}"
		on(read, "GET "+event, s.getEvent)
		on(write, "PATCH "+event, s.patchEvent)
		on(write, "DELETE "+event, s.deleteEvent)
		on(write, "POST "+event+"/cancel", s.deleteEvent)
		on(read, "GET "+event+"/instances", s.listInstances)
		on(read, "GET "+event+"/attachments", s.listAttachments)
		on(write, "POST "+event+"/attachments", s.addAttachment)
		on(read, "GET "+event+"/attachments/{attachment}", s.getAttachment)
		on(read, "GET "+event+"/attachments/{attachment}/$value", s.attachmentValue)
	}
}

func (v *view) calendar(cal *mailbox.Calendar) map[string]any {
	owner := v.c.s.ownerAddress(v.c.mb)
	mine := cal.Owner == nil
	if !mine {
		owner = *cal.Owner
	}
	id := v.id(cal.Ref())
	out := map[string]any{"id": id}
	for name, value := range map[string]any{
		"name": cal.Name, "color": cal.Color, "hexColor": "", "changeKey": changeKey(cal.Key, 0), "isDefaultCalendar": cal.Default,
		"canShare": mine && !cal.ReadOnly, "canViewPrivateItems": mine, "canEdit": mine && !cal.ReadOnly, "isRemovable": !cal.Default && !cal.ReadOnly,
		"isTallyingResponses": cal.Default, "allowedOnlineMeetingProviders": []string{"teamsForBusiness"},
		"defaultOnlineMeetingProvider": "teamsForBusiness", "owner": map[string]any{"name": owner.Name, "address": owner.Address},
	} {
		if v.sel.Wants(name) {
			out[name] = value
		}
	}
	return out
}

var calendarSchema = query.Schema{"name": query.String, "id": query.String, "isDefaultCalendar": query.Bool}

func (s *Store) listCalendars(c *call) {
	c.mb.RLock()
	defer c.mb.RUnlock()
	v, ok := c.newView()
	if !ok {
		return
	}
	filter, keys, ok := c.options(calendarSchema)
	if !ok {
		return
	}
	group := c.Param("group")
	getter := func(cal *mailbox.Calendar) query.Getter { return propGetter((&view{c: c}).calendar(cal)) }
	var found []*mailbox.Calendar
	for _, cal := range c.mb.Calendars {
		inGroup := group == "" || (cal.Group != nil && c.mb.ID(cal.Group.Ref()) == group)
		if inGroup && c.sees(cal.SharedWith) && (filter == nil || filter.Match(getter(cal))) {
			found = append(found, cal)
		}
	}
	if len(found) == 0 && !c.owns() {
		c.AccessDenied()
		return
	}
	sortBy(found, keys, getter)
	page(c, found, 10, 1000, func(cal *mailbox.Calendar) any { return v.calendar(cal) })
}

func (s *Store) listCalendarGroups(c *call) {
	c.mb.RLock()
	defer c.mb.RUnlock()
	if !c.owns() {
		c.AccessDenied()
		return
	}
	page(c, c.mb.Groups, 10, 1000, func(g *mailbox.CalendarGroup) any {
		return map[string]any{"id": c.mb.ID(g.Ref()), "name": g.Name, "changeKey": changeKey(g.Key, 0), "classId": s.w.GUID("calendar group " + g.Name)}
	})
}

func (s *Store) getCalendar(c *call) {
	c.mb.RLock()
	defer c.mb.RUnlock()
	cal := c.lookCalendar()
	if cal == nil {
		return
	}
	if v, ok := c.newView(); ok {
		c.one(http.StatusOK, "calendars/$entity", v.calendar(cal))
	}
}

func (s *Store) createCalendar(c *call) {
	var body struct {
		Name  string `json:"name"`
		Color string `json:"color"`
	}
	if !c.ReadJSON(&body) {
		return
	}
	if body.Name == "" {
		c.Error(http.StatusBadRequest, "ErrorInvalidRequest", "The calendar's name is missing.")
		return
	}
	if !c.owns() {
		c.AccessDenied()
		return
	}
	cal := c.mb.AddCalendar(&mailbox.Calendar{Name: body.Name, Color: body.Color, Group: c.mb.Groups[0]})
	c.one(http.StatusCreated, "calendars/$entity", (&view{c: c}).calendar(cal))
}

// eventProps are the plain properties that a client may write; start, end, body, location and recurrence need more.
var eventProps = map[string]any{
	"subject": "", "importance": "", "sensitivity": "", "showAs": "", "isAllDay": false, "isReminderOn": false, "isCancelled": false,
	"reminderMinutesBeforeStart": 0.0, "responseRequested": false, "allowNewTimeProposals": false, "hideAttendees": false,
	"isOnlineMeeting": false, "onlineMeetingProvider": "", "transactionId": "",
}

// applyEvent writes the JSON of a client to an event.
func applyEvent(it *mailbox.Item, body map[string]json.RawMessage) error {
	for name, raw := range body {
		if example, ok := eventProps[name]; ok {
			var value any
			if err := json.Unmarshal(raw, &value); err != nil {
				return err
			}
			if value != nil && fmt.Sprintf("%T", value) != fmt.Sprintf("%T", example) {
				return fmt.Errorf("the property '%s' has a value of the wrong type", name)
			}
			it.Props[name] = value
			continue
		}
		var err error
		switch name {
		case "body":
			var b itemBody
			err = json.Unmarshal(raw, &b)
			it.Props["body"] = map[string]any{"contentType": strings.ToLower(b.ContentType), "content": b.Content}
		case "categories":
			var list []string
			err = json.Unmarshal(raw, &list)
			it.Props[name] = append([]string{}, list...)
		case "attendees", "locations":
			list := []any{}
			err = json.Unmarshal(raw, &list)
			it.Props[name] = list
		case "location":
			place := map[string]any{}
			err = json.Unmarshal(raw, &place)
			merged := location(fmt.Sprint(place["displayName"]))
			maps.Copy(merged, place)
			it.Props[name] = merged
		case "recurrence":
			var value any
			if err = json.Unmarshal(raw, &value); err == nil && value != nil {
				var r *recur.Rule
				if r, err = recur.Parse(value); err == nil {
					it.Props[name] = r
				}
			} else if value == nil {
				delete(it.Props, name)
			}
		case "start", "end":
			var at dateTimeZone
			if err = json.Unmarshal(raw, &at); err == nil {
				err = applyTime(it, name, at)
			}
		}
		if err != nil {
			return fmt.Errorf("the property '%s' is invalid: %w", name, err)
		}
	}
	if it.End.Before(it.Start) {
		return fmt.Errorf("the event must not end before it starts")
	}
	if r := rule(it); r != nil && r.Range.Zone == "" {
		r.Range.Zone = it.Zone
	}
	return nil
}

func applyTime(it *mailbox.Item, name string, at dateTimeZone) error {
	zone := at.TimeZone
	if zone == "" {
		zone = "UTC"
	}
	loc, ok := recur.Zone(zone)
	if !ok {
		return fmt.Errorf("the time zone '%s' is not supported", zone)
	}
	t, err := query.ParseTime(at.DateTime)
	if err != nil {
		return err
	}
	if !strings.HasSuffix(at.DateTime, "Z") {
		t = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, loc)
	}
	if t = t.UTC(); name == "start" {
		it.Start, it.Zone = t, zone
	} else {
		it.End = t
	}
	return nil
}

func (s *Store) createEvent(c *call) {
	var body map[string]json.RawMessage
	if !c.ReadJSON(&body) {
		return
	}
	c.mb.RLock()
	cal := c.lookCalendar()
	c.mb.RUnlock()
	if cal == nil {
		return
	}
	if cal.ReadOnly {
		c.AccessDenied()
		return
	}
	it := &mailbox.Item{Calendar: cal, Props: map[string]any{}, Zone: "UTC"}
	err := applyEvent(it, body)
	if err == nil && (it.Start.IsZero() || it.End.IsZero()) {
		err = fmt.Errorf("start and end are required")
	}
	if c.refused(err) {
		return
	}
	c.mb.AddItem(it, false)
	c.showEvent(http.StatusCreated, occurrence{item: it, start: it.Start, end: it.End})
}

func (c *call) showEvent(status int, o occurrence) {
	c.mb.RLock()
	defer c.mb.RUnlock()
	if v, ok := c.eventView(); ok {
		c.one(status, "events/$entity", v.occurrence(o))
	}
}

// patchEvent changes a single or a master; of an occurrence it makes an exception.
func (s *Store) patchEvent(c *call) {
	var body map[string]json.RawMessage
	if !c.ReadJSON(&body) {
		return
	}
	c.mb.RLock()
	o, ok := c.lookOccurrence()
	c.mb.RUnlock()
	if !ok {
		return
	}
	target := o.item
	if o.item.Master != nil {
		target = o.item.Master
	}
	shown := o
	_, err := c.mb.UpdateItem(target.Ref(false), func(it *mailbox.Item) error {
		if o.on == 0 {
			if err := applyEvent(it, body); err != nil {
				return err
			}
			shown.start, shown.end = it.Start, it.End
			return nil
		}
		ex := &mailbox.Item{Key: it.Key, Calendar: it.Calendar, Created: it.Created, Modified: c.Now().Truncate(time.Second), Zone: it.Zone,
			Props: maps.Clone(o.item.Props), Attachments: o.item.Attachments, Master: it, On: o.on, Start: o.start, End: o.end, Rev: it.Rev + 1}
		delete(ex.Props, "recurrence")
		delete(body, "recurrence")
		if err := applyEvent(ex, body); err != nil {
			return err
		}
		if it.Exceptions == nil {
			it.Exceptions = map[mailbox.Day]*mailbox.Item{}
		}
		it.Exceptions[o.on] = ex
		shown = occurrence{ex, o.on, ex.Start, ex.End}
		return nil
	})
	if !c.refused(err) {
		c.showEvent(http.StatusOK, shown)
	}
}

// deleteEvent ends an event; of an occurrence it makes a cancelled date.
func (s *Store) deleteEvent(c *call) {
	c.mb.RLock()
	o, ok := c.lookOccurrence()
	c.mb.RUnlock()
	if !ok {
		return
	}
	var err error
	if o.on == 0 {
		err = c.mb.DeleteItem(o.item.Ref(false))
	} else {
		target := o.item
		if o.item.Master != nil {
			target = o.item.Master
		}
		_, err = c.mb.UpdateItem(target.Ref(false), func(it *mailbox.Item) error {
			delete(it.Exceptions, o.on)
			if it.Cancelled == nil {
				it.Cancelled = map[mailbox.Day]bool{}
			}
			it.Cancelled[o.on] = true
			return nil
		})
	}
	switch {
	case c.refused(err):
	case strings.HasSuffix(strings.ToLower(c.Request.URL.Path), "/cancel"):
		c.Empty(http.StatusAccepted)
	default:
		c.Empty(http.StatusNoContent)
	}
}
