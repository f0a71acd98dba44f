package outlook

import (
	"slices"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/names"
	"github.com/workfs/workfs/backends/render"
)

func eventItem(id string) string { return "event:" + id }

// eventEntries makes the entries of an event, and tells the month of its start; a series lies in that of its first
// occurrence.
func (s *service) eventEntries(c *calendar, e *event) (month, []backends.Entry) {
	start, _ := render.ParseTime(e.start)
	modified, _ := render.ParseTime(e.Modified)
	created, _ := render.ParseTime(e.Created)
	m := monthOf(start)
	if m == 0 {
		start = time.Time{}
	}
	for _, raw := range e.exceptions {
		var x facts
		if scanFacts(raw, &x) {
			if t, ok := render.ParseTime(x.Modified); ok && t.After(modified) {
				modified = t
			}
		}
	}
	base := backends.Entry{
		Name: names.Wanted{
			Stem: names.EventStem(start, e.allDay, e.subject),
			Key:  s.key(c.mailbox, "event", e.ID),
		},
		Item:  eventItem(e.ID),
		Btime: created,
		Info:  backends.Info{ServiceID: e.ID, ETag: e.ETag, WebURL: e.WebLink, From: e.organizer},
	}
	entry := func(part string) backends.Entry {
		x := base
		x.Name.Ext = "." + part
		x.ID = s.id(c.mailbox, "event", e.ID, part)
		return x
	}
	ics, err := render.EventICS(e.raw, e.exceptions, e.cancelled)
	if e.seriesMissing {
		err = backends.ErrBroken
	}
	out := []backends.Entry{rendered(entry("ics"), ics, err, modified)}
	if slices.Contains(s.formats, "json") {
		body, err := render.JSON(e.resource())
		out = append(out, rendered(entry("json"), body, err, modified))
	}
	if e.attachments {
		x := entry("attachments")
		x.IsDir, x.Dir = true, dirKey(kindAttachments, c.mailbox, "events", e.ID)
		x.Mtime, x.Ctime = modified, modified
		out = append(out, x)
	}
	return m, out
}
