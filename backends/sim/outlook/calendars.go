package outlook

import (
	"net/http"
	"slices"
	"strings"

	"github.com/workfs/workfs/backends/sim/graph"
	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
	"github.com/workfs/workfs/backends/sim/outlook/query"
)

func (s *Store) calendarRoutes(on func(graph.Perms, string, func(*call))) {
	read, write := perms("Calendars.Read"), perms("Calendars.ReadWrite")
	on(read, "GET {U}/calendars", s.listCalendars)
	on(read, "GET {U}/calendarGroups", s.listCalendarGroups)
	on(read, "GET {U}/calendarGroups/{group}/calendars", s.listCalendars)
	on(write, "POST {U}/calendars", s.createCalendar)
	on(write, "POST {U}/calendarGroups/{group}/calendars", s.createCalendar)
	for _, cal := range []string{"{U}/calendar", "{U}/calendars/{calendar}"} {
		on(read, "GET "+cal, s.getCalendar)
		on(write, "PATCH "+cal, s.patchCalendar)
	}
	on(write, "DELETE {U}/calendars/{calendar}", s.deleteCalendar)
	on(write, "POST {U}/calendars/{calendar}/permanentDelete", s.deleteCalendar)
	for _, cal := range []string{"{U}", "{U}/calendar", "{U}/calendars/{calendar}"} {
		on(read, "GET "+cal+"/calendarView", s.calendarView)
		on(read, "GET "+cal+"/calendarView/delta", s.calendarViewDelta)
		on(read, "GET "+cal+"/events", s.listEvents)
		on(write, "POST "+cal+"/events", s.createEvent)
		event := cal + "/events/{event}"
		on(read, "GET "+event, s.getEvent)
		on(write, "PATCH "+event, s.patchEvent)
		on(write, "DELETE "+event, s.deleteEvent)
		on(write, "POST "+event+"/permanentDelete", s.deleteEvent)
		on(write, "POST "+event+"/cancel", s.cancelEvent)
		for _, answer := range []string{"accept", "tentativelyAccept", "decline"} {
			on(write, "POST "+event+"/"+answer, s.respondToEvent)
		}
		on(read, "GET "+event+"/instances", s.listInstances)
		on(read, "GET "+event+"/attachments", s.listAttachments)
		on(write, "POST "+event+"/attachments", s.addAttachment)
		on(read, "GET "+event+"/attachments/{attachment}", s.getAttachment)
		on(write, "DELETE "+event+"/attachments/{attachment}", s.deleteAttachment)
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
		"name": cal.Name, "color": cal.Color, "hexColor": "", "changeKey": changeKey(cal.Key, cal.Rev), "isDefaultCalendar": cal.Default,
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

// calendarBody is what clients write of a calendar.
type calendarBody struct {
	Name  string `json:"name"`
	Color string `json:"color"`
}

func (s *Store) createCalendar(c *call) {
	var body calendarBody
	if !c.ReadJSON(&body) {
		return
	}
	if !c.owns() {
		c.AccessDenied()
		return
	}
	c.mb.RLock()
	group := c.mb.Groups[0]
	if id := c.Param("group"); id != "" {
		if group = c.mb.CalendarGroup(id); group == nil {
			c.unknownID(id)
		}
	}
	taken := c.calendarNamed(body.Name, nil)
	c.mb.RUnlock()
	switch {
	case group == nil:
	case body.Name == "":
		c.Error(http.StatusBadRequest, "ErrorInvalidRequest", "The calendar's name is missing.")
	case taken:
		c.refused(mailbox.ErrExists)
	default:
		cal := c.mb.AddCalendar(&mailbox.Calendar{Name: body.Name, Color: body.Color, Group: group}, false)
		c.showCalendar(http.StatusCreated, cal)
	}
}

// calendarNamed tells whether a calendar other than but has that name; Exchange has a folder per calendar, so names are
// unique. Needs RLock.
func (c *call) calendarNamed(name string, but *mailbox.Calendar) bool {
	return slices.ContainsFunc(c.mb.Calendars, func(cal *mailbox.Calendar) bool { return cal != but && strings.EqualFold(cal.Name, name) })
}

func (c *call) showCalendar(status int, cal *mailbox.Calendar) {
	c.mb.RLock()
	defer c.mb.RUnlock()
	c.one(status, "calendars/$entity", (&view{c: c}).calendar(cal))
}

// changeCalendar finds the calendar of the path for a change by its owner and runs it.
func (c *call) changeCalendar(change func(*mailbox.Calendar) error) (*mailbox.Calendar, bool) {
	c.mb.RLock()
	cal := c.lookCalendar()
	c.mb.RUnlock()
	if cal == nil {
		return nil, false
	}
	if !c.owns() {
		c.AccessDenied()
		return nil, false
	}
	return cal, !c.refused(change(cal))
}

func (s *Store) patchCalendar(c *call) {
	var body calendarBody
	if !c.ReadJSON(&body) {
		return
	}
	cal, ok := c.changeCalendar(func(cal *mailbox.Calendar) error {
		c.mb.RLock()
		taken := body.Name != "" && c.calendarNamed(body.Name, cal)
		c.mb.RUnlock()
		if taken {
			return mailbox.ErrExists
		}
		return c.mb.UpdateCalendar(cal, body.Name, body.Color)
	})
	if ok {
		c.showCalendar(http.StatusOK, cal)
	}
}

// deleteCalendar ends a calendar with its events. The default one and read-only ones stay (isRemovable).
func (s *Store) deleteCalendar(c *call) {
	if _, ok := c.changeCalendar(c.mb.DeleteCalendar); ok {
		c.Empty(http.StatusNoContent)
	}
}
