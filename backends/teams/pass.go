package teams

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// pass is the reading of a channel from its front on. It is kept between listings until it has reached the end.
//
// Reading may stop where every thread that remains has been quiet since before the wanted month began. That needs posts
// ordered by the latest activity of their threads, which the documentation does not promise, so a pass looks for itself.
// Activity that rises from one post to the next disproves it. It is proven by a post that stands before a later one: only
// its replies can have put it there. As long as posts stand in the order of their creation as well, both are possible.
type pass struct {
	full  bool      // reads to the end, because what is known of the channel can't be caught up
	next  string    // link to the next page, "" before the first
	pages int       // that were read
	done  bool      // the last page was read
	at    time.Time // when it began
	read  time.Time // when it last read a page
	mark  time.Time // the latest modification on its first page

	byActivity bool      // activity never rose from a post to the next
	byCreation bool      // the time of creation never rose
	last       time.Time // activity of the last post read
	lastBegun  time.Time // creation of the last post read

	checked month // all that was modified since it began was read, too; zero: nothing was
	topped  int   // number of pages at which what moved to the front meanwhile was read

	months  map[month]bool               // that have messages
	pending map[month]map[string]message // of months that are not whole yet, by item
	served  map[month]bool               // that were committed
}

func newPass(full bool) *pass {
	return &pass{
		full: full, byActivity: true, byCreation: true,
		months: map[month]bool{}, pending: map[month]map[string]message{}, served: map[month]bool{},
	}
}

// order is what the channels of this sign-in tell about how the service orders posts.
type order string

const (
	orderUnknown  order = ""
	orderActivity order = "activity" // by the latest activity of the thread
	orderOther    order = "other"
)

// see takes the times of the next thread.
func (p *pass) see(t thread) {
	if t.activity.IsZero() || !p.last.IsZero() && t.activity.After(p.last) {
		p.byActivity = false
	}
	if !p.lastBegun.IsZero() && t.begun.After(p.lastBegun) {
		p.byCreation = false
	}
	p.last, p.lastBegun = t.activity, t.begun
}

// order tells what the pass proves.
func (p *pass) order() order {
	switch {
	case !p.byActivity:
		return orderOther
	case !p.byCreation:
		return orderActivity
	}
	return orderUnknown
}

// reached tells whether all of a month has been read if posts are ordered by activity.
func (p *pass) reached(m month) bool {
	return p.done || !p.full && p.byActivity && m != undated && !p.last.IsZero() && p.last.Before(m.start)
}

// covers tells whether the pass has seen all of a month: whatever remains has been quiet since before it began. known is
// what other channels prove.
func (p *pass) covers(m month, known order) bool {
	if !p.reached(m) {
		return false
	}
	return p.done || p.order() == orderActivity || known == orderActivity || !p.checked.isZero() && !m.before(p.checked)
}

// take keeps messages until their month is whole; what is taken last counts. For a month that was committed the sink has
// what is told later.
func (p *pass) take(messages []message) {
	for _, m := range messages {
		p.months[m.month] = true
		if p.served[m.month] {
			continue
		}
		if p.pending[m.month] == nil {
			p.pending[m.month] = map[string]message{}
		}
		p.pending[m.month][item(m.root, m.id)] = m
	}
}

// of gives the pending messages of a month, oldest first: a listing has the same order whenever it is made.
func (p *pass) of(m month) []message {
	return slices.SortedFunc(maps.Values(p.pending[m]), func(a, b message) int {
		return cmp.Or(a.created.Compare(b.created), cmp.Compare(item(a.root, a.id), item(b.root, b.id)))
	})
}
