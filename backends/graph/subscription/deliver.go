package subscription

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
)

// notice is a notification, or a lifecycle notification, as it is delivered
// (https://learn.microsoft.com/graph/api/resources/changenotification).
type notice struct {
	ID             string `json:"id"`
	SubscriptionID string `json:"subscriptionId"`
	ClientState    string `json:"clientState"`
	ChangeType     string `json:"changeType"`
	LifecycleEvent string `json:"lifecycleEvent"`
	TenantID       string `json:"tenantId"`
	Resource       string `json:"resource"`
	ResourceData   struct {
		ID   string `json:"id"`
		ETag string `json:"@odata.etag"`
	} `json:"resourceData"`
	EncryptedContent *encrypted `json:"encryptedContent"`
}

// notices is the body of a delivery.
type notices struct {
	Value            []notice `json:"value"`
	ValidationTokens []string `json:"validationTokens"`
}

// maxValidation bounds the token of a handshake, in bytes.
const maxValidation = 4 << 10

// handler is the Manager as its Receiver sees it.
type handler Manager

// Check implements backends.DeliveryHandler. What it does first is cheap: anybody may send anything.
func (h *handler) Check(d *backends.Delivery) backends.DeliveryReply {
	m := (*Manager)(h)
	state, known := m.expected(strings.TrimPrefix(d.Path, "/"))
	if !known {
		return backends.DeliveryReply{Status: http.StatusNotFound, Problem: "unknown subscription address"}
	}
	if d.Query.Has("validationToken") {
		token := d.Query.Get("validationToken")
		if token == "" || len(token) > maxValidation {
			return backends.DeliveryReply{Status: http.StatusBadRequest, Problem: "malformed handshake"}
		}
		return backends.DeliveryReply{Status: http.StatusOK, Body: token}
	}
	if !mentions(d.Body, state) {
		// Answered like a good one, as the documentation asks for: there is nothing to learn from the answer.
		if !json.Valid(d.Body) {
			return backends.DeliveryReply{Status: http.StatusBadRequest, Problem: "malformed notification"}
		}
		return backends.DeliveryReply{Status: http.StatusAccepted, Problem: "clientState is wrong"}
	}
	var n notices
	if json.Unmarshal(d.Body, &n) != nil || len(n.Value) == 0 {
		return backends.DeliveryReply{Status: http.StatusBadRequest, Problem: "malformed notification"}
	}
	return backends.DeliveryReply{Status: http.StatusAccepted, Accepted: true}
}

// expected gives the clientState of notifications that are delivered to an address.
func (m *Manager) expected(tag string) (state string, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.tags[tag]
	if e == nil {
		return "", false
	}
	return e.state, true
}

var stateKey = []byte(`"clientState"`)

// mentions tells whether a body has a member clientState of a value, without decoding it. Every candidate is compared in
// constant time.
func mentions(body []byte, state string) bool {
	for {
		i := bytes.Index(body, stateKey)
		if i < 0 {
			return false
		}
		body = body[i+len(stateKey):]
		value := bytes.TrimLeft(body, " \t\r\n:")
		if len(value) > len(state)+1 && value[0] == '"' && subtle.ConstantTimeCompare(value[1:len(state)+1], []byte(state)) == 1 && value[len(state)+1] == '"' {
			return true
		}
	}
}

// Take implements backends.DeliveryHandler.
func (h *handler) Take(ctx context.Context, d *backends.Delivery) {
	m := (*Manager)(h)
	var all notices
	if json.Unmarshal(d.Body, &all) != nil {
		return // Check has looked
	}
	rich := len(all.ValidationTokens) > 0
	for _, n := range all.Value {
		rich = rich || n.EncryptedContent != nil
	}
	data := false
	if rich {
		err := m.tokens.check(ctx, all.ValidationTokens)
		switch {
		case err == nil:
			data = true
		case errors.Is(err, errKeys) || len(all.ValidationTokens) == 0:
			// clientState still says that it is a hint of the service.
			m.log.Warn("resource data are ignored", "error", err)
		default:
			m.log.Warn("delivery dropped", "error", err)
			return
		}
	}
	var order []*entry
	hints := map[*entry][]Notification{}
	for i := range all.Value {
		e, hint, ok := m.verify(&all.Value[i], d.At)
		if !ok {
			continue
		}
		if content := all.Value[i].EncryptedContent; content != nil && data {
			var err error
			if hint.Data, err = m.secrets.decrypt(content); err != nil {
				m.log.Warn("resource data are ignored", "subscription", hint.Subscription, "error", err)
			}
		}
		if hints[e] == nil {
			order = append(order, e)
		}
		hints[e] = append(hints[e], hint)
	}
	for _, e := range order {
		m.listener(e).Notified(hints[e])
	}
}

func (m *Manager) listener(e *entry) Listener {
	m.mu.Lock()
	defer m.mu.Unlock()
	return e.listener
}

// verify makes a hint of a notice. ok is false for those that are not of a subscription of ours, were delivered before, or
// are about the subscription itself and taken care of.
func (m *Manager) verify(n *notice, at time.Time) (e *entry, hint Notification, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e = m.ids[n.SubscriptionID]
	if e == nil || subtle.ConstantTimeCompare([]byte(n.ClientState), []byte(e.state)) != 1 {
		return nil, hint, false
	}
	if t := m.o.Account.Tenant; n.TenantID != "" && graph.IsGUID(t) && !strings.EqualFold(n.TenantID, t) {
		return nil, hint, false
	}
	hint = Notification{Subscription: n.SubscriptionID, Resource: e.wish.Resource, At: at}
	if n.LifecycleEvent != "" {
		return e, hint, m.lifecycle(e, n.LifecycleEvent)
	}
	if n.ID != "" && m.seen.before(seenKey{n.SubscriptionID, n.ID, n.ChangeType, n.Resource, n.ResourceData.ETag}, m.now()) {
		return nil, hint, false
	}
	hint.Path, hint.Change, hint.ID, hint.ETag = n.Resource, n.ChangeType, n.ResourceData.ID, n.ResourceData.ETag
	return e, hint, true
}

// lifecycle takes in what happens to a subscription
// (https://learn.microsoft.com/graph/change-notifications-lifecycle-events). It tells whether notifications were missed.
// mu is held.
func (m *Manager) lifecycle(e *entry, event string) (missed bool) {
	m.log.Info("a subscription says", "subscription", e.id, "event", event)
	switch event {
	case "missed":
		return true
	case "reauthorizationRequired":
		// A renewal reauthorizes.
		e.due, e.again = m.now(), e.busy
	case "subscriptionRemoved":
		m.lost(e, m.now())
	}
	m.rouse()
	return false
}

const (
	// seenTime and seenMost bound what is remembered of notifications, to know them again: the service delivers again what
	// it does not know to have arrived.
	seenTime = 10 * time.Minute
	seenMost = 8192
)

type seenKey struct{ subscription, id, change, resource, etag string }

// recent remembers notifications in two generations, of which the older is forgotten when the younger is full or old.
type recent struct {
	young, old map[seenKey]bool
	since      time.Time // of young
}

// before tells whether a notification was seen before, and remembers it.
func (r *recent) before(k seenKey, now time.Time) bool {
	if age := now.Sub(r.since); r.young == nil || len(r.young) >= seenMost/2 || age > seenTime || age < 0 {
		r.old, r.young, r.since = r.young, map[seenKey]bool{}, now
		if age > 2*seenTime {
			r.old = nil
		}
	}
	if r.young[k] || r.old[k] {
		return true
	}
	r.young[k] = true
	return false
}
