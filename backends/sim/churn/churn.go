package churn

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/sim/company"
)

// Areas that can be changed, the default of Options.Areas.
var Areas = []string{"mail", "calendar", "contacts", "channels", "chats", "files", "box"}

// Options of a Churn. The zero value changes everything there is, from seed 0.
type Options struct {
	Seed  int64
	Areas []string // nil is Areas
	// Transport is nil for http.DefaultTransport.
	Transport http.RoundTripper
	// MaxWait bounds the wait before a refused or failed request is sent again, whatever the service asks for; 0 is a second.
	MaxWait time.Duration
	// OnChange is told of each change after the service has made it, on the goroutine of Step; may be nil.
	OnChange func(Change)
}

// Change is one change that a service has made.
type Change struct {
	N    int // from 1
	Area string
	Op   string // "receive", "rename" and so on
	Name string // subject, title or name, after the change
	ID   string // of the thing changed, by its service
	// Sent is when the request that made it was sent, by the real clock.
	Sent time.Time
}

// String is a line for people.
func (c Change) String() string { return fmt.Sprintf("%4d %s %s %q", c.N, c.Area, c.Op, c.Name) }

// Churn makes changes. It is not safe for concurrent use; several of them may change one simulator at once.
type Churn struct {
	o     Options
	http  *client
	words *company.Writer
	areas []*area
	n     int
	sent  time.Time // of the step under way
}

// errNothing says that an operation has nothing to work on; another one is tried.
var errNothing = errors.New("nothing to change")

// operation is one kind of change. do gives what was changed, errNothing, or a *refusal when what it picked was not what it
// took it for; it has put its own state right then.
type operation struct {
	name   string
	weight int
	do     func(context.Context) (id, name string, err error)
}

// area is one service's part of the company.
type area struct {
	name   string
	load   func(context.Context) error // learns what there is; runs before the first operation
	ops    []operation
	loaded bool
}

// New makes a generator for a simulator that is ready. The areas' state is read when they are first used.
func New(ready sim.Ready, o Options) (*Churn, error) {
	if o.Areas == nil {
		o.Areas = Areas
	}
	if o.MaxWait == 0 {
		o.MaxWait = time.Second
	}
	if len(ready.Users) < 2 {
		return nil, errors.New("churn: the simulator has no people")
	}
	c := &Churn{o: o, http: newClient(ready, o), words: company.New(ready.Seed).Writer(fmt.Sprintf("churn %d", o.Seed))}
	makers := map[string]func(*Churn) *area{"mail": newMail, "calendar": newCalendar, "contacts": newContacts, "channels": newChannels,
		"chats": newChats, "files": newFiles, "box": newBox}
	for _, name := range o.Areas {
		if makers[name] == nil {
			return nil, fmt.Errorf("churn: no area %q", name)
		}
		a := makers[name](c)
		a.name = name
		c.areas = append(c.areas, a)
	}
	return c, nil
}

// Run makes n changes.
func (c *Churn) Run(ctx context.Context, n int) error {
	for range n {
		if _, err := c.Step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// maxTries bounds how often a step looks for something that can be done.
const maxTries = 100

// Step makes one change. It tries again, for as long as that is sensible, what a service refuses for the moment, and
// something else where others changed what it had in mind. A request that broke off may have been served, so that under
// faults a change can have been made twice.
func (c *Churn) Step(ctx context.Context) (Change, error) {
	var last error
	for range maxTries {
		a := c.areas[c.words.IntN(len(c.areas))]
		if !a.loaded {
			if err := a.load(ctx); err != nil {
				return Change{}, fmt.Errorf("churn: reading %s: %w", a.name, err)
			}
			a.loaded = true
		}
		op := c.choose(a.ops)
		id, name, err := op.do(ctx)
		var refused *refusal
		switch {
		case err == nil:
			c.n++
			change := Change{N: c.n, Area: a.name, Op: op.name, Name: name, ID: id, Sent: c.sent}
			if c.o.OnChange != nil {
				c.o.OnChange(change)
			}
			return change, nil
		case errors.Is(err, errNothing), errors.As(err, &refused) && refused.moot():
			last = err
		default:
			return Change{}, fmt.Errorf("churn: %s %s: %w", a.name, op.name, err)
		}
	}
	return Change{}, fmt.Errorf("churn: found nothing to change: %w", last)
}

func (c *Churn) choose(ops []operation) operation {
	total := 0
	for _, op := range ops {
		total += op.weight
	}
	at := c.words.IntN(total)
	for _, op := range ops {
		if at -= op.weight; at < 0 {
			return op
		}
	}
	panic("unreachable")
}

// number makes a name one of its own.
func (c *Churn) number() string { return strconv.Itoa(c.words.IntN(1 << 20)) }

// list is what an area knows of one kind of thing, in an order that the seed decides.
type list[T any] struct{ all []*T }

func (l *list[T]) add(one *T) *T {
	l.all = append(l.all, one)
	return one
}

func (l *list[T]) drop(one *T) {
	l.all = slices.DeleteFunc(l.all, func(other *T) bool { return other == one })
}

// pick takes one of those that suit; nil when there is none.
func (l *list[T]) pick(w *company.Writer, suits func(*T) bool) *T {
	var some []*T
	for _, one := range l.all {
		if suits == nil || suits(one) {
			some = append(some, one)
		}
	}
	if len(some) == 0 {
		return nil
	}
	return some[w.IntN(len(some))]
}
