package subscription

import (
	"net/http"
	"time"

	"github.com/workfs/workfs/backends/sim/graph"
)

// find gives the subscription of the path that the caller may manage; else it answers. An expired one is gone. s.mu is not
// held.
func (s *Service) find(r *graph.Request) *subscription {
	s.mu.Lock()
	sub := s.subs[r.Param("id")]
	there := sub != nil && sub.live(r.Now()) && sub.belongs(r.Caller)
	s.mu.Unlock()
	if !there {
		r.Error(http.StatusNotFound, "ResourceNotFound", "The object was not found.")
		return nil
	}
	t := *sub.target
	if t.caller = r.Caller; t.permitted() != nil {
		r.Error(http.StatusForbidden, "ExtensionError", "Operation: "+r.Method+"; Exception: [Status Code: Forbidden; Reason: Access is denied. Check credentials and try again.]")
		return nil
	}
	return sub
}

// list serves GET /subscriptions.
func (s *Service) list(r *graph.Request) {
	items := []any{}
	now := r.Now()
	s.mu.Lock()
	for _, sub := range s.order {
		if sub.live(now) && sub.belongs(r.Caller) {
			items = append(items, r.Select(s.resourceOf(sub, false)))
		}
	}
	s.mu.Unlock()
	r.WritePage(graph.Page{Fragment: "subscriptions", Items: items})
}

// show serves GET /subscriptions/{id}.
func (s *Service) show(r *graph.Request) {
	sub := s.find(r)
	if sub == nil {
		return
	}
	s.mu.Lock()
	shown := s.resourceOf(sub, false)
	s.mu.Unlock()
	r.Entity(http.StatusOK, r.Select(shown))
}

// updatable are the properties that can be changed. lifecycleNotificationUrl is not among them.
var updatable = []string{"expirationDateTime", "notificationUrl", "encryptionCertificate", "encryptionCertificateId", "id"}

// update serves PATCH /subscriptions/{id}, which authorizes too.
func (s *Service) update(r *graph.Request) {
	d, has, ok := readDraft(r, updatable)
	if !ok {
		return
	}
	sub := s.find(r)
	if sub == nil {
		return
	}
	var expires time.Time
	var problem *refusal
	if has["expirationDateTime"] != nil {
		if expires, problem = s.expiration(sub, d.ExpirationDateTime); problem != nil {
			problem.answer(r)
			return
		}
	}
	var cert *certificate
	if has["encryptionCertificate"] != nil {
		if !sub.target.data {
			problem = invalid("The subscription does not include resource data.")
		} else {
			cert, problem = parseCertificate(d.EncryptionCertificate, d.EncryptionCertificateID)
		}
		if problem != nil {
			problem.answer(r)
			return
		}
	}
	if has["notificationUrl"] != nil {
		if problem = s.address(d.NotificationURL); problem == nil {
			problem = s.validate(r.Context(), d.NotificationURL)
		}
		if problem != nil {
			problem.answer(r)
			return
		}
	}
	s.mu.Lock()
	if !expires.IsZero() {
		sub.expires = expires
	}
	if cert != nil {
		sub.certificate = cert
	}
	if d.NotificationURL != "" {
		sub.notificationURL = d.NotificationURL
	}
	s.authorize(sub)
	shown := s.resourceOf(sub, false)
	s.mu.Unlock()
	r.Entity(http.StatusOK, shown)
}

// remove serves DELETE /subscriptions/{id}.
func (s *Service) remove(r *graph.Request) {
	sub := s.find(r)
	if sub == nil {
		return
	}
	s.mu.Lock()
	s.end(sub)
	s.mu.Unlock()
	r.Empty(http.StatusNoContent)
}

// end takes a subscription away. s.mu is held.
func (s *Service) end(sub *subscription) {
	sub.removed = true
	sub.pending -= len(sub.backlog)
	sub.backlog = nil
	delete(s.subs, sub.id)
}

// reauthorize serves POST /subscriptions/{id}/reauthorize.
func (s *Service) reauthorize(r *graph.Request) {
	sub := s.find(r)
	if sub == nil {
		return
	}
	s.mu.Lock()
	s.authorize(sub)
	s.mu.Unlock()
	r.Empty(http.StatusNoContent)
}
