package subscription

import "time"

// Lifecycle events (change-notifications-lifecycle-events.md).
const (
	eventReauthorize = "reauthorizationRequired"
	eventRemoved     = "subscriptionRemoved"
	eventMissed      = "missed"
)

// lifecycle sends an event to the subscription's lifecycleNotificationUrl; it reports whether there is one. s.mu is held.
func (s *Service) lifecycle(sub *subscription, event string) bool {
	if sub.lifecycleURL == "" {
		return false
	}
	sub.pending++
	s.arrive(&notification{sub: sub, event: event, born: s.world.Clock.Now()})
	return true
}

// authorize lets a subscription deliver for its time, sends what waited for that, and plans the challenges before its end.
// s.mu is held.
func (s *Service) authorize(sub *subscription) {
	now := s.world.Clock.Now()
	s.authorizeUntil(sub, now.Add(time.Duration(s.world.Switches.Int(switchAuthorization))*time.Minute))
	waiting := sub.backlog
	sub.backlog = nil
	for _, n := range waiting {
		if now.Sub(n.born) > retriedFor {
			s.lose(n)
			continue
		}
		s.arrive(n)
	}
}

// authorizeUntil sets the end of an authorization. The first challenge comes with a quarter of the time left, at most three
// hours before the authorization or the subscription ends; the page gives such a sum for illustration. s.mu is held.
func (s *Service) authorizeUntil(sub *subscription, until time.Time) {
	now := s.world.Clock.Now()
	sub.authorized = until
	sub.round++
	end := until
	if sub.expires.Before(end) {
		end = sub.expires
	}
	if left := end.Sub(now); left <= challengeRepeat {
		return // too near for another one, else they would follow each other ever faster
	}
	s.planChallenge(sub, sub.round, end.Add(-min(end.Sub(now)/4, challengeEarly)), end)
}

// planChallenge plans a reauthorizationRequired notification, which repeats itself until it is answered or end: with half of
// the time left, in the last hour every 15 minutes. s.mu is held.
func (s *Service) planChallenge(sub *subscription, round int, at, end time.Time) {
	if sub.lifecycleURL == "" {
		return
	}
	s.times.at(at, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		now := s.world.Clock.Now()
		if sub.round != round || !sub.live(now) {
			return
		}
		s.lifecycle(sub, eventReauthorize)
		next := now.Add(challengeRepeat)
		if left := end.Sub(now); left > time.Hour {
			next = now.Add(left / 2)
		}
		if next.Before(end) {
			s.planChallenge(sub, round, next, end)
		}
	})
}
