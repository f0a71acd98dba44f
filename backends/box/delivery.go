package box

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/workfs/workfs/backends"
)

// hint is a delivery that names an item.
type hint struct {
	view   string
	event  event
	origin backends.Origin
}

// Check implements backends.DeliveryHandler.
func (h *hooks) Check(d *backends.Delivery) backends.DeliveryReply {
	if problem := verify(d, h.b.cfg.WebhookKeys, h.b.cfg.Now()); problem != "" {
		return backends.DeliveryReply{Status: http.StatusForbidden, Problem: problem}
	}
	return backends.DeliveryReply{Status: http.StatusOK, Accepted: true}
}

// Take implements backends.DeliveryHandler. A delivery says where to look; what is there Box is asked.
func (h *hooks) Take(_ context.Context, d *backends.Delivery) {
	var in struct {
		ID      text                    `json:"id"`
		Trigger text                    `json:"trigger"`
		Webhook part[struct{ ID text }] `json:"webhook"`
		Source  part[struct {
			Type   text                    `json:"type"`
			ID     text                    `json:"id"`
			Parent part[struct{ ID text }] `json:"parent"`
		}] `json:"source"`
	}
	if json.Unmarshal(bytes.TrimSpace(d.Body), &in) != nil {
		return
	}
	id := string(in.Webhook.V.ID)
	h.mu.Lock()
	k, known := h.byID[id]
	_, again := h.seen.get(string(in.ID))
	if known && in.ID != "" {
		h.seen.put(string(in.ID), struct{}{})
	}
	h.mu.Unlock()
	if !known || again && in.ID != "" {
		return
	}
	switch in.Trigger {
	case "WEBHOOK.DELETED":
		h.mu.Lock()
		delete(h.byID, id)
		h.keep()
		h.mu.Unlock()
		h.want(k.View, k.Folder)
		return
	case "NO_ACTIVE_SESSION":
		// It goes on once its creator has a token again, which a check takes; what it did not tell, the events do.
		h.mu.Lock()
		h.checked[k.View] = time.Time{}
		h.mu.Unlock()
		h.again()
		return
	}
	// A source that says no more than its name has Box asked.
	bare, err := json.Marshal(map[string]any{
		"type": in.Source.V.Type, "id": in.Source.V.ID, "parent": map[string]text{"id": in.Source.V.Parent.V.ID},
	})
	if err != nil || !isItem(in.Source.V.Type) {
		return
	}
	select {
	case h.refresh <- hint{k.View, event{Source: bare}, backends.Origin{By: backends.ByWebhook, Subscription: id, At: d.At}}:
	default:
	}
}
