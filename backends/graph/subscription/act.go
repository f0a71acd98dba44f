package subscription

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/rest"
)

// act makes, adopts or renews the subscription of an entry.
func (m *Manager) act(ctx context.Context, e *entry) {
	ctx, cancel := context.WithTimeout(backends.WithPriority(ctx, backends.Bulk), actTime)
	defer cancel()
	m.mu.Lock()
	id := e.id
	if id == "" {
		id = m.adoptable(e.tag)
	}
	m.mu.Unlock()
	var got Remote
	var date time.Time
	err := error(backends.ErrNotFound)
	if id != "" {
		if got, date, err = m.renew(ctx, e, id); errors.Is(err, backends.ErrNotFound) {
			m.log.Info("a subscription is gone and made anew", "subscription", id)
			m.mu.Lock()
			if e.id == id {
				m.lost(e, m.now())
			}
			m.mu.Unlock()
		}
	}
	if errors.Is(err, backends.ErrNotFound) {
		got, date, err = m.create(ctx, e)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.busy--
	e.busy = false
	switch {
	case err == nil && e.gone:
		m.strays[got.ID] = &stray{Remote: got, tag: e.tag, due: m.now()}
	case err == nil:
		m.renewed(e, got, date)
	case ctx.Err() != nil && context.Cause(ctx) == context.Canceled:
	default:
		m.refused(e, err)
	}
	m.rouse()
}

// adoptable gives the id of a subscription that was made for a tag before, and takes it out of the strays. mu is held.
func (m *Manager) adoptable(tag string) string {
	for id, s := range m.strays {
		if s.tag == tag && !s.busy {
			delete(m.strays, id)
			return id
		}
	}
	return ""
}

// expiry is how long a wish's subscription shall live from now, by the service's clock.
func (m *Manager) expiry(e *entry) time.Time {
	return m.serviceNow().Add(max(cmp.Or(e.wish.MaxLife, shortest)-margin, margin)).UTC().Truncate(time.Second)
}

func (m *Manager) renew(ctx context.Context, e *entry, id string) (Remote, time.Time, error) {
	c := change{Expires: m.expiry(e)}
	if e.data {
		var err error
		if c.EncryptionCertificate, c.EncryptionCertificateID, err = m.secrets.current(m.now()); err != nil {
			return Remote{}, time.Time{}, err
		}
	}
	return send(ctx, m.o.Client, http.MethodPatch, graph.Path("subscriptions", id), graph.Query{}, c)
}

func (m *Manager) create(ctx context.Context, e *entry) (Remote, time.Time, error) {
	d := Draft{
		Resource: e.wish.Resource, ChangeType: e.wish.Changes, NotificationURL: m.base + e.tag,
		LifecycleNotificationURL: m.base + e.tag, Expires: m.expiry(e), ClientState: e.state, Prefer: e.wish.Prefer,
	}
	if e.data {
		var err error
		if d.EncryptionCertificate, d.EncryptionCertificateID, err = m.secrets.current(m.now()); err != nil {
			return Remote{}, time.Time{}, err
		}
		d.IncludeResourceData = true
	}
	got, date, err := send(ctx, m.o.Client, http.MethodPost, collection, graph.Query{Prefer: d.Prefer}, d)
	if statusOf(err) != http.StatusConflict {
		return got, date, err
	}
	holder, err := m.holder(ctx, e, err)
	if err != nil {
		return Remote{}, time.Time{}, err
	}
	tag, ours := m.tagOf(holder.NotificationURL)
	switch {
	case !ours:
		return Remote{}, time.Time{}, heldError{holder}
	case tag == e.tag:
		// Made by a request whose answer was lost.
		return m.renew(ctx, e, holder.ID)
	}
	// Of a time before our secret was lost, or of a wish that was a little different.
	if err := Delete(ctx, m.o.Client, holder.ID); err != nil && !errors.Is(err, backends.ErrNotFound) {
		return Remote{}, time.Time{}, err
	}
	return send(ctx, m.o.Client, http.MethodPost, collection, graph.Query{Prefer: d.Prefer}, d)
}

var guid = regexp.MustCompile(`[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`)

// holder finds the subscription that another one is a duplicate of: the refusal names it, or the list has it.
func (m *Manager) holder(ctx context.Context, e *entry, refusal error) (Remote, error) {
	var r *rest.Error
	if errors.As(refusal, &r) {
		if id := guid.FindString(r.Message); id != "" {
			got, err := Show(ctx, m.o.Client, id)
			if err == nil || !errors.Is(err, backends.ErrNotFound) && !errors.Is(err, backends.ErrForbidden) {
				return got, err
			}
		}
	}
	all, err := List(ctx, m.o.Client)
	if err != nil {
		return Remote{}, err
	}
	for _, got := range all {
		if strings.TrimPrefix(got.Resource, "/") == strings.TrimPrefix(e.wish.Resource, "/") {
			return got, nil
		}
	}
	return Remote{}, heldError{}
}

// heldError says that another program has the subscription, of which there can be one.
type heldError struct{ by Remote }

// Error names the holder as far as it is known. The address is only told by its host: its path may be a secret.
func (h heldError) Error() string {
	if h.by.ID == "" {
		return "somebody else holds the only subscription that the service allows"
	}
	host := "an address that can't be read"
	if u, err := url.Parse(h.by.NotificationURL); err == nil && u.Host != "" {
		host = u.Host
	}
	says := fmt.Sprintf("the only subscription that the service allows is held by %s and delivers to %s", h.by.ID, host)
	if h.by.ApplicationID != "" {
		says += ", made by application " + h.by.ApplicationID
	}
	if h.by.CreatorID != "" {
		says += " as " + h.by.CreatorID
	}
	return says
}

func statusOf(err error) int {
	var r *rest.Error
	if errors.As(err, &r) {
		return r.Status
	}
	return 0
}

// refused takes in why a subscription could not be made or renewed, and when to try again. mu is held.
func (m *Manager) refused(e *entry, err error) {
	now := m.now()
	e.fails++
	problem, wait := m.judge(e, err)
	if problem != e.problem {
		m.log.Warn("a subscription can't be had", "resource", e.wish.Resource, "problem", problem, "error", err)
	}
	e.problem = problem
	if e.live {
		// There is something to lose, and what was granted before is refused by mistake, if at all.
		wait = min(wait, backoff(e.fails, unavailableLeast, unavailableMost))
	}
	e.due = now.Add(wait)
	m.report(e)
}

const (
	unreachedLeast, unreachedMost     = time.Minute, 15 * time.Minute
	heldWait                          = 15 * time.Minute
	deniedWait                        = time.Hour
	unavailableLeast, unavailableMost = 5 * time.Second, 5 * time.Minute
)

// judge tells what a failure means, in a sentence, and how long to wait. mu is held.
func (m *Manager) judge(e *entry, err error) (problem string, wait time.Duration) {
	var r *rest.Error
	message := ""
	if errors.As(err, &r) {
		message = strings.ToLower(r.Message)
	}
	var held heldError
	switch {
	case errors.As(err, &held):
		return held.Error(), jitter(heldWait)
	case strings.Contains(message, "validation request"):
		// For all others as well: each attempt costs the service a call that times out.
		m.blocks++
		wait = backoff(m.blocks, unreachedLeast, unreachedMost)
		m.blocked = m.now().Add(wait)
		u, _ := url.Parse(m.base)
		return "the service does not reach " + u.Scheme + "://" + u.Host + ", the public address", wait
	case strings.Contains(message, "maximum number"), statusOf(err) == http.StatusForbidden && strings.Contains(message, "limit"):
		return "the service allows no more subscriptions of this kind", jitter(deniedWait)
	case errors.Is(err, backends.ErrForbidden):
		return "the sign-in may not subscribe to this: " + err.Error(), jitter(deniedWait)
	case backends.Temporary(err):
		return "the service can't be asked for a subscription: " + err.Error(), backoff(e.fails, unavailableLeast, unavailableMost)
	}
	return "the service refuses a subscription: " + err.Error(), jitter(deniedWait)
}

// sweep deletes a subscription that nobody wants.
func (m *Manager) sweep(ctx context.Context, s *stray) {
	ctx, cancel := context.WithTimeout(backends.WithPriority(ctx, backends.Bulk), actTime)
	defer cancel()
	err := Delete(ctx, m.o.Client, s.ID)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.busy--
	s.busy = false
	if err == nil || errors.Is(err, backends.ErrNotFound) {
		if m.strays[s.ID] == s {
			delete(m.strays, s.ID)
		}
	} else {
		s.due = m.now().Add(jitter(unavailableMost))
	}
	m.rouse()
}

// reconcile asks the service which subscriptions there are: ours of an earlier run can be adopted, and one that is gone
// without a word is made anew.
func (m *Manager) reconcile(ctx context.Context) {
	ctx, cancel := context.WithTimeout(backends.WithPriority(ctx, backends.Bulk), actTime)
	defer cancel()
	began := m.now()
	all, date, err := list(ctx, m.o.Client)
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.sync(date, now)
	m.listing = false
	defer m.rouse()
	if err != nil {
		m.lists++
		m.list = now.Add(backoff(m.lists, unavailableLeast, unavailableMost))
		if ctx.Err() == nil && !backends.Temporary(err) {
			// It can be done without: a conflict names what is in the way.
			m.log.Warn("the service does not list subscriptions", "error", err)
			m.listed, m.list = true, now.Add(jitter(deniedWait))
		}
		return
	}
	m.lists, m.listed, m.list = 0, true, now.Add(jitter(listEvery))
	there := map[string]bool{}
	for _, r := range all {
		there[r.ID] = true
		tag, ours := m.tagOf(r.NotificationURL)
		if !ours || m.ids[r.ID] != nil || m.strays[r.ID] != nil {
			continue
		}
		s := &stray{Remote: r, tag: tag, due: now.Add(strayTime)}
		if e := m.tags[tag]; e != nil && e.id != "" {
			s.due = now // a double
		}
		if e := m.tags[tag]; e != nil && e.busy {
			continue // it may be the one that is being made
		}
		m.strays[r.ID] = s
	}
	for id, e := range m.ids {
		if !there[id] && !e.busy && e.made.Before(began) {
			m.lost(e, now)
		}
	}
}

// backoff is the wait after n failures in a row: the least one doubled each time, up to the most.
func backoff(n int, least, most time.Duration) time.Duration {
	return jitter(min(least<<min(n-1, 12), most))
}

// jitter spreads a wait over 90 % to 110 % of d.
func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.9 + 0.2*rand.Float64()))
}
