package box

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/workfs/workfs/backends"
)

// eventsPage is the most that Box gives at once.
const eventsPage = 500

// The streams. That of changes leaves out downloads and previews, among which those by this program would be, but tells of
// collaborations only the owner of an item.
const (
	userStream      = "changes"
	streamingStream = "admin_logs_streaming" // of the last 14 days, some 12 s late
	logsStream      = "admin_logs"           // of the last year, a minute and more late
)

// page is an answer to GET /events.
type page struct {
	events []event
	next   string    // position; "" when Box gives none that counts
	at     time.Time // when it arrived
	now    time.Time // Box's time
}

// getEvents asks for events after a position, or with "now" for the position alone.
func (b *Backend) getEvents(ctx context.Context, stream, position string, more url.Values) (page, error) {
	q := url.Values{"stream_type": {stream}, "limit": {strconv.Itoa(eventsPage)}}
	if position != "" {
		q.Set("stream_position", position)
	}
	var header http.Header // the enterprise's events are the caller's to read
	if stream == userStream {
		header = b.as(b.own())
		// Not documented, but observed to work (rclone's backend/box): the sources get these fields.
		q.Set("fields", itemFields+sourceMore)
	}
	for k, v := range more {
		q[k] = v
	}
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	res, err := b.rest.Do(ctx, http.MethodGet, "/events?"+q.Encode(), header, nil)
	if err != nil {
		return page{}, err
	}
	p := page{at: b.cfg.Now()}
	p.now = p.at
	if date, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		p.now = date
	}
	var body struct {
		Entries []json.RawMessage `json:"entries"`
		Next    text              `json:"next_stream_position"`
	}
	if err := json.Unmarshal(res.Body, &body); err != nil || body.Entries == nil {
		return page{}, fmt.Errorf("%w: Box answered without events", backends.ErrUnavailable)
	}
	if body.Next != "0" {
		p.next = string(body.Next)
	}
	for _, raw := range body.Entries {
		var e event
		if json.Unmarshal(raw, &e) != nil {
			b.log("an event is unreadable")
			continue
		}
		p.events = append(p.events, e)
	}
	return p, nil
}

// requestTime is how long a request of the background may take, retries included.
const requestTime = time.Minute

// mark is how far a stream has been followed, as Memory keeps it.
type mark struct {
	Position string `json:"position"`
	// Since is the time from which all changes have been seen.
	Since time.Time `json:"since"`
	// At is when the position was current, at the latest.
	At time.Time `json:"at"`
}

// retention is for how long events are certainly kept: two weeks on the streams of users, by the most careful of Box's
// pages, and as long on that of the enterprise; less a day.
const retention = 13 * 24 * time.Hour

// good tells whether a stream can be followed from its mark.
func (m *mark) good(now time.Time) bool {
	return m.Position != "" && !m.Since.IsZero() && !now.Before(m.Since) && now.Sub(m.At) < retention
}

// backwards tells whether a position lies before another. Those that are no numbers can't be compared.
func backwards(next, before string) bool {
	a, errA := strconv.ParseUint(next, 10, 64)
	b, errB := strconv.ParseUint(before, 10, 64)
	return errA == nil && errB == nil && a < b
}

// seenEvents is how many event ids are remembered, as in Box's own SDKs. The same event comes at several positions.
const seenEvents = 5000

// unseen gives the events that are not known, each once.
func unseen(seen *recent[struct{}], events []event) []event {
	var fresh []event
	here := map[text]bool{}
	for _, e := range events {
		if _, ok := seen.get(string(e.ID)); e.ID != "" && (ok || here[e.ID]) {
			continue
		}
		here[e.ID] = true
		fresh = append(fresh, e)
	}
	return fresh
}

func remember(seen *recent[struct{}], events []event) {
	for _, e := range events {
		if e.ID != "" {
			seen.put(string(e.ID), struct{}{})
		}
	}
}
