package outlook

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path"
	"reflect"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
	"github.com/workfs/workfs/backends/sim/outlook/query"
	"github.com/workfs/workfs/backends/sim/outlook/recur"
)

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
	if c.refused(c.mb.AddItem(it, false)) {
		return
	}
	c.showEvent(http.StatusCreated, occurrence{item: it, start: it.Start, end: it.End})
}

func (c *call) showEvent(status int, o occurrence) {
	c.mb.RLock()
	defer c.mb.RUnlock()
	if v, ok := c.eventView(); ok {
		c.one(status, "events/$entity", v.occurrence(o))
	}
}

// changeEvent runs a change on the single, master or exception that the path names; an occurrence becomes an exception
// for it. It gives what it made of it. A series counts as changed whenever one of its dates does.
func (c *call) changeEvent(change func(it *mailbox.Item) error) (shown occurrence, ok bool) {
	c.mb.RLock()
	o, ok := c.lookOccurrence()
	tag := ""
	if ok {
		tag = etag(changeKey(o.item.Key, o.item.Rev))
	}
	c.mb.RUnlock()
	if !ok || !c.matches(tag) {
		return o, false
	}
	if o.item.Calendar.ReadOnly {
		c.AccessDenied()
		return o, false
	}
	target := o.item
	if o.item.Master != nil {
		target = o.item.Master
	}
	shown = o
	_, err := c.mb.UpdateItem(target.Ref(false), func(it *mailbox.Item) error {
		if o.on == 0 {
			before := *it
			before.Props = maps.Clone(it.Props)
			if err := change(it); err != nil {
				return err
			}
			resetSeries(&before, it)
			shown.start, shown.end = it.Start, it.End
			return nil
		}
		ex := &mailbox.Item{Key: it.Key, Calendar: it.Calendar, Created: it.Created, Modified: c.Now().Truncate(time.Second), Zone: it.Zone,
			Props: maps.Clone(o.item.Props), Attachments: o.item.Attachments, Master: it, On: o.on, Start: o.start, End: o.end, Rev: it.Rev + 1}
		delete(ex.Props, "recurrence")
		if err := change(ex); err != nil {
			return err
		}
		delete(ex.Props, "recurrence")
		if it.Exceptions == nil {
			it.Exceptions = map[mailbox.Day]*mailbox.Item{}
		}
		it.Exceptions[o.on] = ex
		shown = occurrence{ex, o.on, ex.Start, ex.End}
		return nil
	})
	return shown, !c.refused(err)
}

// resetSeries drops the exceptions and the cancelled dates of a series that got another pattern or time, as Exchange does.
func resetSeries(before, now *mailbox.Item) {
	if rule(before) == nil {
		return
	}
	if !reflect.DeepEqual(rule(before), rule(now)) || !before.Start.Equal(now.Start) || !before.End.Equal(now.End) {
		now.Exceptions, now.Cancelled = nil, nil
	}
}

// patchEvent changes a single or a master; of an occurrence it makes an exception.
func (s *Store) patchEvent(c *call) {
	var body map[string]json.RawMessage
	if !c.ReadJSON(&body) {
		return
	}
	if o, ok := c.changeEvent(func(it *mailbox.Item) error { return applyEvent(it, body) }); ok {
		c.showEvent(http.StatusOK, o)
	}
}

// endEvent ends a single, a series, or one date of a series, and tells whether it did.
func (c *call) endEvent() bool {
	c.mb.RLock()
	o, ok := c.lookOccurrence()
	c.mb.RUnlock()
	if !ok {
		return false
	}
	if o.item.Calendar.ReadOnly {
		c.AccessDenied()
		return false
	}
	if o.on == 0 {
		return !c.refused(c.mb.DeleteItem(o.item.Ref(false)))
	}
	target := o.item
	if o.item.Master != nil {
		target = o.item.Master
	}
	_, err := c.mb.UpdateItem(target.Ref(false), func(it *mailbox.Item) error {
		delete(it.Exceptions, o.on)
		if it.Cancelled == nil {
			it.Cancelled = map[mailbox.Day]bool{}
		}
		it.Cancelled[o.on] = true
		return nil
	})
	return !c.refused(err)
}

// deleteEvent serves DELETE and permanentDelete. The first one leaves the event in Deleted Items at the service, where no
// listing of events or messages shows it.
func (s *Store) deleteEvent(c *call) {
	if c.endEvent() {
		c.Empty(http.StatusNoContent)
	}
}

// cancelEvent serves POST …/cancel (event-cancel.md), which is for the organizer alone.
func (s *Store) cancelEvent(c *call) {
	if !c.organizes(true) {
		c.Error(http.StatusBadRequest, "ErrorInvalidRequest", "Your request can't be completed. You need to be an organizer to cancel a meeting.")
		return
	}
	if c.endEvent() {
		c.Empty(http.StatusAccepted)
	}
}

// organizes tells whether the event of the path is one that the user organizes (or, with want false, does not); also when
// there is none, which is for others to answer.
func (c *call) organizes(want bool) bool {
	c.mb.RLock()
	defer c.mb.RUnlock()
	r, _ := c.mb.Ref(c.Param("event"))
	r.Sub, r.Day = 0, false
	it := c.mb.Item(r)
	return it == nil || (it.Props["isOrganizer"] != false) == want
}

// responses are what the calls that answer an invitation make of the user's response.
var responses = map[string]string{"accept": "accepted", "tentativelyaccept": "tentativelyAccepted", "decline": "declined"}

// respondToEvent serves POST …/accept, tentativelyAccept and decline (event-accept.md). A declined event leaves the calendar.
func (s *Store) respondToEvent(c *call) {
	if !c.organizes(false) {
		c.Error(http.StatusBadRequest, "ErrorInvalidRequest", "Your request can't be completed. You can't respond to this meeting because you're the meeting organizer.")
		return
	}
	response := responses[strings.ToLower(path.Base(c.Request.URL.Path))]
	ok := false
	if response == "declined" {
		ok = c.endEvent()
	} else {
		_, ok = c.changeEvent(func(it *mailbox.Item) error {
			it.Props["responseStatus"] = map[string]any{"response": response, "time": stamp(c.Now())}
			return nil
		})
	}
	if ok {
		c.Empty(http.StatusAccepted)
	}
}
