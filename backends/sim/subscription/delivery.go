package subscription

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"
)

// endpoint is a receiver's address. It is guarded by the Service's lock. Changes and lifecycle notifications have one each,
// also at the same address.
type endpoint struct {
	url       string
	lifecycle bool
	ready     []*notification // in the order of their first POST
	sending   bool            // a goroutine is at it
	answers   []answer        // within the last ten minutes

	holding    time.Time // until then nothing new is sent: the receiver is slow
	discarding time.Time // until then what comes is lost: the receiver is much too slow
}

// answer is how long a receiver took.
type answer struct {
	at   time.Time
	took time.Duration
}

// endpoint gives the one for a notification. s.mu is held.
func (s *Service) endpoint(n *notification) *endpoint {
	key := n.url()
	if n.event != "" {
		key = "lifecycle " + key
	}
	ep := s.endpoints[key]
	if ep == nil {
		ep = &endpoint{url: n.url(), lifecycle: n.event != ""}
		s.endpoints[key] = ep
	}
	return ep
}

// pump sees to it that somebody sends what is ready. s.mu is held.
func (s *Service) pump(ep *endpoint) {
	if ep.sending || len(ep.ready) == 0 || s.world.Clock.Now().Before(ep.holding) {
		return
	}
	ep.sending = true
	// By way of the timetable, so that all that is due by now goes together.
	s.times.at(s.world.Clock.Now(), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.spawn(func() {
			for batch := s.take(ep); batch != nil; batch = s.take(ep) {
				if !s.post(ep, batch, firstLimit) {
					s.mu.Lock()
					s.again(ep, batch, firstRetry)
					s.mu.Unlock()
				}
			}
		})
	})
}

// take gives what goes into one POST; nil when nothing is to be sent now, which ends the sending.
func (s *Service) take(ep *endpoint) []*notification {
	s.mu.Lock()
	defer s.mu.Unlock()
	ep.ready = s.wanted(ep.ready)
	if len(ep.ready) == 0 || s.world.Clock.Now().Before(ep.holding) || s.ctx.Err() != nil {
		ep.sending = false
		return nil
	}
	n := min(len(ep.ready), max(1, s.world.Switches.Int(switchBatch)))
	batch := slices.Clone(ep.ready[:n])
	ep.ready = ep.ready[n:]
	return batch
}

// again plans another attempt, until four hours after the oldest change of the batch. s.mu is held.
func (s *Service) again(ep *endpoint, batch []*notification, wait time.Duration) {
	now := s.world.Clock.Now()
	end := slices.MinFunc(batch, func(a, b *notification) int { return a.born.Compare(b.born) }).born.Add(retriedFor)
	due := now.Add(wait)
	if due.After(end) {
		due = end
	}
	s.times.at(due, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if batch = s.wanted(batch); len(batch) == 0 {
			return
		}
		if !s.world.Clock.Now().Before(end) {
			for _, n := range batch {
				s.lose(n)
			}
			return
		}
		s.spawn(func() {
			if !s.post(ep, batch, retryLimit) {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.again(ep, batch, 2*wait)
			}
		})
	})
}

// post sends a batch once and tells whether it was taken.
func (s *Service) post(ep *endpoint, batch []*notification, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(s.ctx, s.seconds(limit))
	defer cancel()
	start := time.Now()
	ok, err := s.send(ctx, ep.url, s.envelope(batch))
	took := time.Since(start) * 1000 / time.Duration(max(1, s.world.Switches.Int(switchSecond)))
	if errors.Is(err, context.DeadlineExceeded) {
		took = limit + 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range batch {
		if ok {
			n.sub.delivered++
			n.sub.pending--
		} else {
			n.sub.failed++
		}
		if ok && n.event == eventMissed {
			n.sub.missing = false
		}
	}
	s.judge(ep, took)
	return ok
}

func (s *Service) send(ctx context.Context, address string, body []byte) (ok bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	resp, err := s.client.Do(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	return err == nil && resp.StatusCode/100 == 2, err
}

// judge records how long a receiver took, and holds back or discards what comes for ten minutes when too many of its answers
// took too long. s.mu is held.
func (s *Service) judge(ep *endpoint, took time.Duration) {
	if ep.lifecycle {
		return
	}
	now := s.world.Clock.Now()
	ep.answers = append(ep.answers, answer{now, took})
	slow, late := 0, 0
	ep.answers = slices.DeleteFunc(ep.answers, func(a answer) bool { return now.Sub(a.at) >= healthWindow })
	for _, a := range ep.answers {
		if a.took > firstLimit {
			slow++
		}
		if a.took > retryLimit {
			late++
		}
	}
	all := len(ep.answers)
	if all < s.world.Switches.Int(switchSamples) {
		return
	}
	if late*100 > 15*all && !now.Before(ep.discarding) {
		ep.discarding = now.Add(healthWindow)
	}
	if slow*100 > 10*all && !now.Before(ep.holding) {
		ep.holding = now.Add(healthWindow)
		s.times.at(ep.holding, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.pump(ep)
		})
	}
}
