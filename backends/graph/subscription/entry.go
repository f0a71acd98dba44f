package subscription

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// entry is a wish and its subscription. The Manager's mu guards it.
type entry struct {
	wish     Wish
	listener Listener
	data     bool   // the resource comes with notifications
	tag      string // what follows the base in its address
	state    string // clientState

	id      string // of the subscription, "" for none
	expires time.Time
	renewal time.Time
	live    bool
	since   time.Time
	problem string
	made    time.Time // when it was made or adopted

	due   time.Time // when something is to be done about it
	busy  bool      // it is being done
	again bool      // it has to be done once more: the service asked for it meanwhile
	fails int       // in a row
	gone  bool      // not wanted any more
	said  State
}

// same tells whether a wish is the one that the entry has.
func (e *entry) same(w Wish) bool {
	o := e.wish
	return o.Resource == w.Resource && o.Changes == w.Changes && o.MaxLife == w.MaxLife && slices.Equal(o.Prefer, w.Prefer) && o.Data == w.Data
}

// name gives an entry its address. mu is held.
func (m *Manager) name(e *entry) {
	e.data = e.wish.Data && m.o.Options.ResourceData
	e.tag = m.secrets.tag(e.wish, e.data)
	e.state = m.secrets.clientState(e.tag)
	m.tags[e.tag] = e
}

// remove takes an entry out; its subscription becomes a stray that is due at once. mu is held.
func (m *Manager) remove(e *entry) {
	e.gone = true
	delete(m.entries, e.wish.Resource)
	if m.tags[e.tag] == e {
		delete(m.tags, e.tag)
	}
	if e.id != "" {
		m.strays[e.id] = &stray{Remote: Remote{ID: e.id}, tag: e.tag, due: m.now()}
		delete(m.ids, e.id)
	}
}

// lost takes in that the subscription of an entry is gone. mu is held.
func (m *Manager) lost(e *entry, now time.Time) {
	delete(m.ids, e.id)
	e.id, e.live, e.due, e.fails = "", false, now, 0
	e.problem = "the service ended the subscription"
	m.report(e)
}

// lapse takes in that the subscription of an entry has expired. It may yet turn out to live. mu is held.
func (m *Manager) lapse(e *entry, now time.Time) {
	if e.live && e.expires.Before(now) {
		e.live = false
		if e.problem == "" {
			e.problem = "the subscription expired"
		}
		if !e.busy {
			e.due = now
		}
		m.report(e)
	}
}

// renewed takes in a subscription that was made, adopted or renewed. date is the service's time, zero if it told none. mu is
// held.
func (m *Manager) renewed(e *entry, r Remote, date time.Time) {
	now := m.now()
	m.sync(date, now)
	// Lifetimes by the service's clock, so that ours may be wrong.
	life := r.Expires.Sub(now.Add(m.skew))
	if e.id != r.ID {
		delete(m.ids, e.id)
		m.ids[r.ID] = e
		e.live, e.made = false, now
	}
	if !e.live {
		e.since = now
	}
	e.id, e.live, e.problem, e.fails = r.ID, true, "", 0
	e.expires = now.Add(life)
	e.renewal = now.Add(time.Duration(float64(life) * (0.66 + 0.09*rand.Float64())))
	e.due = e.renewal
	if e.again {
		e.again, e.due = false, now
	}
	m.blocks = 0
	m.report(e)
}

// sync takes in what the service's clock says, zero for nothing. mu is held.
func (m *Manager) sync(date, now time.Time) {
	if !date.IsZero() {
		m.skew = date.Sub(now)
	}
}

// report tells the listener how a wish is doing, if that is news. mu is held.
func (m *Manager) report(e *entry) {
	s := State{ID: e.id, Problem: e.problem}
	switch {
	case m.down != "":
		s.Problem = m.down
	case e.live:
		s.Live, s.Since, s.Renewal, s.Problem = true, e.since, e.renewal, ""
	}
	if s == e.said || e.gone {
		return
	}
	e.said = s
	l, resource := e.listener, e.wish.Resource
	m.todo = append(m.todo, func() { l.Changed(resource, s) })
	m.rouse()
}

// tagOf gives what follows our base in an address; false for addresses that are not ours.
func (m *Manager) tagOf(address string) (tag string, ours bool) {
	return strings.CutPrefix(address, m.base)
}
