package subscription

import (
	"net/http"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

// Status is a subscription as the control host shows it.
type Status struct {
	ID                       string    `json:"id"`
	Resource                 string    `json:"resource"`
	ChangeType               string    `json:"changeType"`
	NotificationURL          string    `json:"notificationUrl"`
	LifecycleNotificationURL string    `json:"lifecycleNotificationUrl,omitempty"`
	ExpirationDateTime       time.Time `json:"expirationDateTime"`
	ApplicationID            string    `json:"applicationId"`
	CreatorID                string    `json:"creatorId"`
	// State is "active", "paused" (waiting for an authorization), "expired" or "removed" (by a client or by the service).
	State string `json:"state"`
	// Endpoint is "ok", "held" (the receiver is slow) or "discarding" (much too slow).
	Endpoint string `json:"endpoint"`
	// Delivered, Lost and Pending count notifications, those of lifecycle events included; Failed counts attempts.
	Delivered int `json:"delivered"`
	Failed    int `json:"failed"`
	Lost      int `json:"lost"`
	Pending   int `json:"pending"`
}

// All gives all subscriptions there ever were, in the order of their creation.
func (s *Service) All() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.world.Clock.Now()
	all := make([]Status, 0, len(s.order))
	for _, sub := range s.order {
		st := Status{
			ID: sub.id, Resource: sub.resource, ChangeType: sub.changeType, NotificationURL: sub.notificationURL,
			LifecycleNotificationURL: sub.lifecycleURL, ExpirationDateTime: sub.expires, ApplicationID: sub.appID, CreatorID: sub.creatorID,
			State: "active", Endpoint: "ok", Delivered: sub.delivered, Failed: sub.failed, Lost: sub.lost, Pending: sub.pending,
		}
		switch {
		case sub.removed:
			st.State = "removed"
		case !sub.live(now):
			st.State = "expired"
		case sub.paused(now):
			st.State = "paused"
		}
		if ep := s.endpoints[sub.notificationURL]; ep != nil && now.Before(ep.discarding) {
			st.Endpoint = "discarding"
		} else if ep != nil && now.Before(ep.holding) {
			st.Endpoint = "held"
		}
		all = append(all, st)
	}
	return all
}

func (s *Service) controlList(rw http.ResponseWriter, _ *http.Request) {
	core.AnswerControl(rw, s.All())
}

// controlAction serves POST /notifications.
func (s *Service) controlAction(rw http.ResponseWriter, r *http.Request) {
	var action struct{ Remove, Missed, Reauthorize string }
	if !core.ReadControl(rw, r, &action) {
		return
	}
	done := false
	switch {
	case action.Remove != "":
		done = s.Remove(action.Remove)
	case action.Missed != "":
		done = s.Missed(action.Missed)
	case action.Reauthorize != "":
		done = s.Challenge(action.Reauthorize)
	}
	if !done {
		http.Error(rw, "no such subscription, or it gets no such notification", http.StatusNotFound)
		return
	}
	rw.WriteHeader(http.StatusNoContent)
}

// act does something to a live subscription.
func (s *Service) act(id string, do func(*subscription) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := s.subs[id]
	return sub != nil && sub.live(s.world.Clock.Now()) && do(sub)
}

// Remove takes a subscription away as the service may at any time, and tells so those that are told.
func (s *Service) Remove(id string) bool {
	return s.act(id, func(sub *subscription) bool {
		s.end(sub)
		if w := sub.target.workload; w == exchange || w == teamsMessages {
			s.lifecycle(sub, eventRemoved)
		}
		return true
	})
}

// Missed tells a subscription to a mailbox that notifications were lost.
func (s *Service) Missed(id string) bool {
	return s.act(id, func(sub *subscription) bool {
		return sub.target.workload == exchange && s.lifecycle(sub, eventMissed)
	})
}

// Challenge demands an authorization within 15 minutes, after which delivery pauses.
func (s *Service) Challenge(id string) bool {
	return s.act(id, func(sub *subscription) bool {
		if !s.lifecycle(sub, eventReauthorize) {
			return false
		}
		s.authorizeUntil(sub, s.world.Clock.Now().Add(challengeRepeat))
		return true
	})
}
