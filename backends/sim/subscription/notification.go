package subscription

import (
	"encoding/json"
	"slices"
	"time"
)

// notification is one item of what is posted to a receiver.
type notification struct {
	sub   *subscription
	event string    // a lifecycle event; "" for a change, which is in seen
	id    string    // of workloads that number their notifications
	seen  seen      // of a change
	born  time.Time // when it happened: it is tried for four hours
}

// url is where it goes.
func (n *notification) url() string {
	if n.event != "" {
		return n.sub.lifecycleURL
	}
	return n.sub.notificationURL
}

// item is the notification as posted. s.mu is held.
func (s *Service) item(n *notification) map[string]any {
	sub := n.sub
	m := map[string]any{
		"subscriptionId": sub.id, "subscriptionExpirationDateTime": sub.expires.Format(expiry), "tenantId": sub.tenantID, "clientState": nil,
	}
	if sub.clientState != nil {
		m["clientState"] = *sub.clientState
	}
	if n.event != "" {
		m["lifecycleEvent"] = n.event
		return m
	}
	if n.id != "" {
		m["id"] = n.id
	}
	m["changeType"], m["resource"], m["resourceData"] = n.seen.change, n.seen.path, n.seen.data
	if sub.certificate != nil && n.seen.content != nil {
		m["encryptedContent"] = sub.certificate.encrypt(n.seen.content, s.chance(switchSpoilt))
	}
	return m
}

// envelope is the body of a POST.
func (s *Service) envelope(batch []*notification) []byte {
	s.mu.Lock()
	items := make([]map[string]any, 0, len(batch)+1)
	if s.chance(switchForged) {
		forged := s.item(batch[0])
		forged["clientState"] = "forged"
		items = append(items, forged)
	}
	for _, n := range batch {
		items = append(items, s.item(n))
	}
	s.mu.Unlock()
	body := map[string]any{"value": items}
	if tokens := s.validationTokens(batch); len(tokens) > 0 {
		body["validationTokens"] = tokens
	}
	b, err := json.Marshal(body)
	if err != nil {
		panic("encoding notifications: " + err.Error())
	}
	return b
}

// notify sends a change on its way, past what may go wrong on it. s.mu is held.
func (s *Service) notify(n *notification) {
	if n.seen.numbered {
		n.id = newNotificationID()
	}
	if s.chance(switchLoss) {
		n.sub.lost++
		return
	}
	due := n.born.Add(s.latency(n.sub.target.rule))
	if s.chance(switchReorder) {
		due = due.Add(disorder)
	}
	copies := 1
	if s.chance(switchDuplicate) {
		copies = 2
	}
	for range copies {
		n.sub.pending++
		if !due.After(s.world.Clock.Now()) {
			s.arrive(n)
			continue
		}
		s.times.at(due, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.arrive(n)
		})
	}
}

// arrive puts a notification where it waits for its POST. s.mu is held.
func (s *Service) arrive(n *notification) {
	now := s.world.Clock.Now()
	if n.event == "" {
		switch {
		case !n.sub.live(now):
			n.sub.pending--
			return
		case n.sub.paused(now):
			n.sub.backlog = append(n.sub.backlog, n)
			return
		}
	}
	ep := s.endpoint(n)
	if now.Before(ep.discarding) {
		s.lose(n)
		return
	}
	ep.ready = append(ep.ready, n)
	s.pump(ep)
}

// lose gives a notification up. The loss of changes in a mailbox is told by a missed notification. s.mu is held.
func (s *Service) lose(n *notification) {
	sub := n.sub
	sub.pending--
	sub.lost++
	if n.event == eventMissed {
		sub.missing = false
	}
	if n.event == "" && !sub.missing && sub.target.workload == exchange {
		sub.missing = s.lifecycle(sub, eventMissed)
	}
}

// wanted leaves out what nobody waits for any more. s.mu is held.
func (s *Service) wanted(batch []*notification) []*notification {
	now := s.world.Clock.Now()
	return slices.DeleteFunc(batch, func(n *notification) bool {
		gone := n.event == "" && !n.sub.live(now)
		if gone {
			n.sub.pending--
		}
		return gone
	})
}
