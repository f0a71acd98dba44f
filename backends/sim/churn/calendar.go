package churn

import (
	"context"
	"strconv"
	"time"
)

type calendar struct {
	id, name string
	own      bool
}

type event struct {
	id, subject string
	series      bool
}

// calendars changes alice's calendars and their events.
type calendars struct {
	*Churn
	base      string
	calendars list[calendar]
	events    list[event]
}

func newCalendar(c *Churn) *area {
	k := &calendars{Churn: c, base: "/users/" + c.http.ready.Users[0].ID}
	return &area{load: k.load, ops: []operation{
		{"create event", 8, k.create}, {"create series", 3, k.createSeries}, {"edit event", 7, k.edit}, {"reschedule event", 4, k.reschedule},
		{"delete event", 4, k.delete}, {"edit occurrence", 3, k.editOccurrence}, {"cancel occurrence", 2, k.cancelOccurrence},
		{"create calendar", 1, k.createCalendar}, {"rename calendar", 1, k.renameCalendar}, {"delete calendar", 1, k.deleteCalendar},
	}}
}

func (k *calendars) load(ctx context.Context) error {
	items, err := k.all(ctx, asApp, k.base+"/calendars?$top=100", 100)
	if err != nil {
		return err
	}
	for _, c := range items {
		if c["canEdit"] != true {
			continue
		}
		id := text(c["id"])
		k.calendars.add(&calendar{id: id, name: text(c["name"])})
		found, err := k.all(ctx, asApp, k.base+"/calendars/"+id+"/events?$top="+strconv.Itoa(known), known)
		if err != nil {
			return err
		}
		for _, e := range found {
			k.events.add(&event{id: text(e["id"]), subject: text(e["subject"]), series: e["type"] == "seriesMaster"})
		}
	}
	return nil
}

const dateTime = "2006-01-02T15:04:05"

// times gives a start and an end within some months of the simulator's first day.
func (k *calendars) times() (start, end object, day time.Time) {
	zone := [...]string{"UTC", "Pacific Standard Time", "W. Europe Standard Time", "Tokyo Standard Time"}[k.words.IntN(4)]
	day = k.http.ready.Now.AddDate(0, 0, k.words.IntN(200)-100).Truncate(24 * time.Hour)
	from := day.Add(time.Duration(7+k.words.IntN(10))*time.Hour + time.Duration(15*k.words.IntN(4))*time.Minute)
	to := from.Add(time.Duration(15*(1+k.words.IntN(8))) * time.Minute)
	return object{"dateTime": from.Format(dateTime), "timeZone": zone}, object{"dateTime": to.Format(dateTime), "timeZone": zone}, day
}

func (k *calendars) compose() (object, time.Time) {
	start, end, day := k.times()
	out := object{"subject": k.words.Subject(), "body": k.body(), "start": start, "end": end, "location": object{"displayName": k.words.Project()},
		"showAs": [...]string{"free", "busy", "tentative", "oof"}[k.words.IntN(4)]}
	if k.words.Chance(30) {
		p := k.words.Person()
		out["attendees"] = []object{{"type": "required", "emailAddress": object{"name": p.DisplayName, "address": p.Mail}}}
	}
	return out, day
}

func (k *calendars) put(ctx context.Context, body object) (string, string, error) {
	c := k.calendars.pick(k.words, nil)
	if c == nil {
		return "", "", errNothing
	}
	made, err := k.graph(ctx, asApp, "POST", k.base+"/calendars/"+c.id+"/events", body)
	if gone(err) {
		k.calendars.drop(c)
	}
	if err != nil {
		return "", "", err
	}
	e := k.events.add(&event{id: text(made["id"]), subject: text(made["subject"]), series: body["recurrence"] != nil})
	return e.id, e.subject, nil
}

func (k *calendars) create(ctx context.Context) (string, string, error) {
	body, _ := k.compose()
	return k.put(ctx, body)
}

func (k *calendars) createSeries(ctx context.Context) (string, string, error) {
	body, day := k.compose()
	body["recurrence"] = k.recurrence(day)
	return k.put(ctx, body)
}

func (k *calendars) recurrence(day time.Time) object {
	pattern := object{"type": "daily", "interval": 1 + k.words.IntN(3)}
	if k.words.Chance(50) {
		weekday := [...]string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}[day.Weekday()]
		pattern = object{"type": "weekly", "interval": 1 + k.words.IntN(2), "daysOfWeek": []string{weekday}}
	}
	return object{"pattern": pattern, "range": object{"type": "numbered", "startDate": day.Format(time.DateOnly), "numberOfOccurrences": 2 + k.words.IntN(8)}}
}

// change runs a call on an event and forgets the event if it is gone.
func (k *calendars) change(ctx context.Context, suits func(*event) bool, method, suffix string, body any) (*event, object, error) {
	e := k.events.pick(k.words, suits)
	if e == nil {
		return nil, nil, errNothing
	}
	answer, err := k.graph(ctx, asApp, method, k.base+"/events/"+e.id+suffix, body)
	if gone(err) {
		k.events.drop(e)
	}
	return e, answer, err
}

func (k *calendars) edit(ctx context.Context) (string, string, error) {
	e, made, err := k.change(ctx, nil, "PATCH", "", object{"subject": k.words.Subject(), "body": k.body(), "sensitivity": [...]string{"normal", "private"}[k.words.IntN(2)]})
	if err != nil {
		return "", "", err
	}
	e.subject = text(made["subject"])
	return e.id, e.subject, nil
}

func (k *calendars) reschedule(ctx context.Context) (string, string, error) {
	start, end, day := k.times()
	body := object{"start": start, "end": end}
	series := k.words.Chance(30)
	if series {
		body["recurrence"] = k.recurrence(day)
	}
	e, _, err := k.change(ctx, func(e *event) bool { return e.series == series }, "PATCH", "", body)
	if err != nil {
		return "", "", err
	}
	return e.id, e.subject, nil
}

func (k *calendars) delete(ctx context.Context) (string, string, error) {
	e, _, err := k.change(ctx, nil, "DELETE", "", nil)
	if err != nil {
		return "", "", err
	}
	k.events.drop(e)
	return e.id, e.subject, nil
}

// occurrence gives the id of one date of a series.
func (k *calendars) occurrence(ctx context.Context) (string, error) {
	span := "?startDateTime=" + k.http.ready.Now.AddDate(-1, 0, 0).Format(dateTime) + "&endDateTime=" + k.http.ready.Now.AddDate(1, 0, 0).Format(dateTime)
	_, answer, err := k.change(ctx, func(e *event) bool { return e.series }, "GET", "/instances"+span, nil)
	if err != nil {
		return "", err
	}
	dates := objects(answer["value"])
	if len(dates) == 0 {
		return "", errNothing
	}
	return text(dates[k.words.IntN(len(dates))]["id"]), nil
}

func (k *calendars) editOccurrence(ctx context.Context) (string, string, error) {
	id, err := k.occurrence(ctx)
	if err != nil {
		return "", "", err
	}
	made, err := k.graph(ctx, asApp, "PATCH", k.base+"/events/"+id, object{"subject": k.words.Subject(), "location": object{"displayName": k.words.Project()}})
	return id, text(made["subject"]), err
}

func (k *calendars) cancelOccurrence(ctx context.Context) (string, string, error) {
	id, err := k.occurrence(ctx)
	if err != nil {
		return "", "", err
	}
	_, err = k.graph(ctx, asApp, "DELETE", k.base+"/events/"+id, nil)
	return id, "", err
}

func (k *calendars) calendarName() string {
	return k.words.Project() + " " + k.number()
}

func (k *calendars) createCalendar(ctx context.Context) (string, string, error) {
	made, err := k.graph(ctx, asApp, "POST", k.base+"/calendars", object{"name": k.calendarName()})
	if err != nil {
		return "", "", err
	}
	c := k.calendars.add(&calendar{id: text(made["id"]), name: text(made["name"]), own: true})
	return c.id, c.name, nil
}

func (k *calendars) changeCalendar(ctx context.Context, method string, body any) (*calendar, error) {
	c := k.calendars.pick(k.words, func(c *calendar) bool { return c.own })
	if c == nil {
		return nil, errNothing
	}
	_, err := k.graph(ctx, asApp, method, k.base+"/calendars/"+c.id, body)
	if gone(err) {
		k.calendars.drop(c)
	}
	return c, err
}

func (k *calendars) renameCalendar(ctx context.Context) (string, string, error) {
	name := k.calendarName()
	c, err := k.changeCalendar(ctx, "PATCH", object{"name": name})
	if err != nil {
		return "", "", err
	}
	c.name = name
	return c.id, name, nil
}

func (k *calendars) deleteCalendar(ctx context.Context) (string, string, error) {
	c, err := k.changeCalendar(ctx, "DELETE", nil)
	if err != nil {
		return "", "", err
	}
	k.calendars.drop(c)
	return c.id, c.name, nil
}
