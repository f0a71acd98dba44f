package directory

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/graph"
)

// kindPresence is the kind of a Change of a user's presence, whose ID is the user's.
const kindPresence = "#microsoft.graph.presence"

// preferred are the pairs that a user may prefer (presence-setuserpreferredpresence.md).
var preferred = [][2]string{{"Available", "Available"}, {"Busy", "Busy"}, {"DoNotDisturb", "DoNotDisturb"}, {"BeRightBack", "BeRightBack"},
	{"Away", "Away"}, {"Offline", "OffWork"}}

// Lives of a preferred presence without a duration of its own.
const (
	preferredLife = 7 * 24 * time.Hour
	busyLife      = 24 * time.Hour // Busy and DoNotDisturb
)

// presence is what a user has set of it.
type presence struct {
	state   [2]string // availability and activity; empty: none is preferred
	until   time.Time
	message map[string]any // statusMessage
	noted   bool           // message was set, if only to nothing
}

func (d *Directory) presenceWriteRoutes(s *graph.Server) {
	write := graph.Perms{Delegated: []string{"Presence.ReadWrite"}, App: []string{"Presence.ReadWrite.All"}}
	s.Handle("POST {U}/presence/setUserPreferredPresence", write, d.setPreferredPresence)
	s.Handle("POST {U}/presence/clearUserPreferredPresence", write, func(r *graph.Request) {
		d.setPresence(r, func(p *presence) { p.state, p.until = [2]string{}, time.Time{} })
	})
	s.Handle("POST {U}/presence/setStatusMessage", write, d.setStatusMessage)
}

func (d *Directory) setPreferredPresence(r *graph.Request) {
	var ask struct {
		Availability string `json:"availability"`
		Activity     string `json:"activity"`
		Duration     string `json:"expirationDuration"`
	}
	if !r.ReadJSON(&ask) {
		return
	}
	state := [2]string{ask.Availability, ask.Activity}
	life := preferredLife
	if ask.Availability == "Busy" || ask.Availability == "DoNotDisturb" {
		life = busyLife
	}
	known := true
	if ask.Duration != "" {
		life, known = duration(ask.Duration)
	}
	if !known || !slices.Contains(preferred, state) {
		r.Error(http.StatusBadRequest, "InvalidArgument", "The availability, activity or expirationDuration is not valid.")
		return
	}
	d.setPresence(r, func(p *presence) { p.state, p.until = state, r.Now().Add(life) })
}

// duration reads an ISO 8601 duration of hours, minutes and seconds, as in PT8H30M.
func duration(text string) (time.Duration, bool) {
	rest, ok := strings.CutPrefix(text, "PT")
	total := time.Duration(0)
	for unit, length := range map[string]time.Duration{"H": time.Hour, "M": time.Minute, "S": time.Second} {
		at := strings.Index(rest, unit)
		if at < 0 {
			continue
		}
		start := strings.LastIndexAny(rest[:at], "HM") + 1
		n, err := strconv.ParseUint(rest[start:at], 10, 16)
		ok = ok && err == nil
		total += time.Duration(n) * length
	}
	return total, ok && total > 0
}

func (d *Directory) setStatusMessage(r *graph.Request) {
	var ask struct {
		StatusMessage map[string]any `json:"statusMessage"`
	}
	if !r.ReadJSON(&ask) {
		return
	}
	message, _ := ask.StatusMessage["message"].(map[string]any)
	content, _ := message["content"].(string)
	d.setPresence(r, func(p *presence) {
		p.message, p.noted = nil, true
		if content == "" {
			return // an empty message takes the last one away
		}
		p.message = map[string]any{"message": message, "publishedDateTime": r.Now().UTC().Format("2006-01-02T15:04:05.0000000Z"),
			"expiryDateTime": map[string]any{"dateTime": "9999-12-30T23:00:00.0000000", "timeZone": "UTC"}}
		if expiry := ask.StatusMessage["expiryDateTime"]; expiry != nil {
			p.message["expiryDateTime"] = expiry
		}
	})
}

// setPresence changes what a user has set, tells the listener and answers.
func (d *Directory) setPresence(r *graph.Request, change func(*presence)) {
	d.presenceMu.Lock()
	p := d.presences[r.User.ID]
	change(&p)
	d.presences[r.User.ID] = p
	d.presenceMu.Unlock()
	d.Store.tell(Change{Kind: kindPresence, ID: r.User.ID, Type: "updated"})
	r.Empty(http.StatusOK)
}

// setOf gives what a user has set, without what has expired.
func (d *Directory) setOf(userID string) presence {
	d.presenceMu.Lock()
	defer d.presenceMu.Unlock()
	p := d.presences[userID]
	if d.world.Clock.Now().After(p.until) {
		p.state = [2]string{}
	}
	return p
}
