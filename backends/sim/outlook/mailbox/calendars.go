package mailbox

import "slices"

// Calendar is one calendar. Its fields are guarded by its mailbox.
type Calendar struct {
	Key     uint64
	Rev     uint32
	Name    string
	Color   string // "auto", "lightBlue", …
	Group   *CalendarGroup
	Default bool
	// ReadOnly calendars (holidays, birthdays) cannot be edited or removed.
	ReadOnly bool
	Owner    *Address // nil: the mailbox's owner
	// SharedWith holds the ids of the users who may read it by delegated permission.
	SharedWith map[string]bool
	Events     []*Item // singles and series masters
	Log        Log

	// FirstName is the name that it was made with, part of its events' iCalendar UIDs, which no renaming changes.
	FirstName string

	gone bool
}

// CalendarGroup is a group of calendars.
type CalendarGroup struct {
	Key  uint64
	Name string
}

// Ref names the calendar.
func (c *Calendar) Ref() Ref { return Ref{Kind: KindCalendar, Key: c.Key} }

// Ref names the group.
func (g *CalendarGroup) Ref() Ref { return Ref{Kind: KindCalendarGroup, Key: g.Key} }

// AddCalendar adds a calendar, at the end of the list; seeding tells nobody.
func (mb *Mailbox) AddCalendar(c *Calendar, seeding bool) *Calendar {
	mb.Lock()
	defer mb.finish()
	c.Key, c.FirstName = mb.key(), c.Name
	if c.Color == "" {
		c.Color = "auto"
	}
	mb.Calendars = append(mb.Calendars, c)
	if !seeding {
		mb.record(&mb.CalendarLog, Created, c.Ref(), 0)
	}
	return c
}

// UpdateCalendar gives a calendar another name or colour; "" keeps what is.
func (mb *Mailbox) UpdateCalendar(c *Calendar, name, color string) error {
	mb.Lock()
	defer mb.finish()
	switch {
	case c.gone:
		return ErrNotFound
	case c.ReadOnly:
		return ErrRefused
	}
	if name != "" {
		c.Name = name
	}
	if color != "" {
		c.Color = color
	}
	c.Rev++
	mb.record(&mb.CalendarLog, Updated, c.Ref(), 0)
	return nil
}

// DeleteCalendar ends a calendar with all its events.
func (mb *Mailbox) DeleteCalendar(c *Calendar) error {
	mb.Lock()
	defer mb.finish()
	switch {
	case c.gone:
		return ErrNotFound
	case c.Default || c.ReadOnly:
		return ErrRefused
	}
	c.gone = true
	mb.Calendars = slices.DeleteFunc(slices.Clone(mb.Calendars), func(other *Calendar) bool { return other == c })
	for _, it := range c.Events {
		delete(mb.items, it.Key)
		mb.record(&c.Log, Removed, it.Ref(false), c.Key)
	}
	c.Events = nil
	mb.record(&mb.CalendarLog, Removed, c.Ref(), 0)
	return nil
}

// Calendar finds a calendar by id. Needs RLock.
func (mb *Mailbox) Calendar(id string) *Calendar {
	if r, ok := mb.Ref(id); ok && r.Kind == KindCalendar {
		for _, c := range mb.Calendars {
			if c.Key == r.Key {
				return c
			}
		}
	}
	return nil
}

// CalendarGroup finds a group of calendars by id. Needs RLock.
func (mb *Mailbox) CalendarGroup(id string) *CalendarGroup {
	if r, ok := mb.Ref(id); ok && r.Kind == KindCalendarGroup {
		for _, g := range mb.Groups {
			if g.Key == r.Key {
				return g
			}
		}
	}
	return nil
}
