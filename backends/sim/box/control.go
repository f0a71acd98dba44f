package box

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/workfs/workfs/backends/sim/core"
)

// WebhookKeys gives the keys that deliveries are signed with, the primary one first; an empty one is not in use.
func (s *Server) WebhookKeys() (primary, secondary string) {
	s.hooks.mu.Lock()
	defer s.hooks.mu.Unlock()
	return s.hooks.keys.primary, s.hooks.keys.secondary
}

// PendingDeliveries counts the deliveries of webhooks that are neither done nor given up.
func (s *Server) PendingDeliveries() int { return int(s.hooks.pending.Load()) }

// control is what the control host tells of this service and can have done to it: what happens at Box's own doing, or on
// its web pages.
type control struct {
	Action  string `json:"action"`
	Key     string `json:"key"`     // primary or secondary
	Webhook string `json:"webhook"` // its id
	Reason  string `json:"reason"`
}

func (s *Server) controlRoutes() {
	s.w.HandleControl("GET /box", func(w http.ResponseWriter, _ *http.Request) { core.AnswerControl(w, s.state()) })
	s.w.HandleControl("POST /box", func(w http.ResponseWriter, r *http.Request) {
		var in control
		if !core.ReadControl(w, r, &in) {
			return
		}
		if err := s.act(in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		core.AnswerControl(w, s.state())
	})
}

// state is the answer of both calls.
func (s *Server) state() any {
	primary, secondary := s.WebhookKeys()
	return map[string]any{
		"webhook_keys": []string{primary, secondary}, "pending_deliveries": s.PendingDeliveries(), "waiting_polls": s.WaitingPolls(),
	}
}

// WaitingPolls counts the long polls that are held.
func (s *Server) WaitingPolls() int {
	s.polls.mu.Lock()
	defer s.polls.mu.Unlock()
	return s.polls.held
}

// act does what a call of the control host asks for:
//
//   - rotate_key makes a new primary or secondary key, remove_key leaves it unused
//   - delete_webhook removes a webhook, whose address gets WEBHOOK.DELETED
//   - end_session makes the deliveries of a webhook NO_ACTIVE_SESSION, until its creator gets a token
//   - nudge ends all long polls with new_change although nothing changed
//   - authorize_app has an administrator authorise the apps with the scopes that they have now; later ones need the same again
func (s *Server) act(in control) error {
	h := s.hooks
	switch in.Action {
	case "nudge":
		s.journal.nudge()
		return nil
	case "authorize_app":
		sw := s.w.Switches
		return errors.Join(sw.Set("box.app_authorized", true), sw.Set("box.authorized_scopes", sw.String("box.scopes")))
	case "rotate_key", "remove_key":
		return h.setKey(in.Key, in.Action == "rotate_key")
	case "delete_webhook", "end_session":
	default:
		return fmt.Errorf("unknown action %q", in.Action)
	}
	num, err := strconv.ParseUint(in.Webhook, 10, 64)
	s.store.mu.RLock()
	defer s.store.mu.RUnlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	w := h.byID[num]
	if err != nil || w == nil {
		return fmt.Errorf("no webhook %q", in.Webhook)
	}
	if in.Action == "end_session" {
		w.sessionless = true
		return nil
	}
	h.remove(w, s.w.Clock.Now(), in.Reason)
	return nil
}

// setKey replaces a key, by none unless fresh.
func (h *hooks) setKey(which string, fresh bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := map[string]*string{"primary": &h.keys.primary, "secondary": &h.keys.secondary}[which]
	if key == nil {
		return fmt.Errorf("key is %q, want primary or secondary", which)
	}
	*key = ""
	if fresh {
		h.made++
		*key = keyText(h.s.w, which, h.made)
	}
	return nil
}
