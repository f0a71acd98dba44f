package box

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// scopeWebhooks is what all calls about webhooks want.
const scopeWebhooks = "manage_webhook"

// mostWebhooks per app and user (guide "Webhook limitations").
const mostWebhooks = 1000

// webhook has changes of an item, and of all below a folder, delivered to an address. The lock of hooks guards what
// changes.
type webhook struct {
	num      uint64
	item     *item
	address  string
	triggers []string
	by       *user
	created  time.Time

	gone        bool
	sessionless bool      // no token of the creator is in force; deliveries tell that and no more
	triggered   time.Time // last, zero if never
	succeeded   time.Time // last; when it was made if never
}

// hooks are the webhooks of the app. Its lock comes after the store's.
type hooks struct {
	s *Server
	sender

	mu   sync.Mutex
	byID map[uint64]*webhook
}

func (s *Server) webhookRoutes() {
	s.w.Switches.Register("box.webhook_local", true, "webhooks may go to loopback addresses: any port, with and without TLS, any certificate")
	s.w.Switches.Register("box.notifications_off", true, "the app may use the header box-notifications")
	s.handle("POST /webhooks", scopeWebhooks, (*call).createWebhook)
	s.handle("GET /webhooks", scopeWebhooks, (*call).listWebhooks)
	s.handle("GET /webhooks/{webhook}", scopeWebhooks, (*call).getWebhook)
	s.handle("PUT /webhooks/{webhook}", scopeWebhooks, (*call).updateWebhook)
	s.handle("DELETE /webhooks/{webhook}", scopeWebhooks, (*call).deleteWebhook)
}

type webhookInput struct {
	Target *struct {
		ID   string `json:"id"`
		Type string `json:"type"`
	} `json:"target"`
	Address  *string   `json:"address"`
	Triggers *[]string `json:"triggers"`
}

func showTarget(w *webhook) object {
	return object{{"id", w.item.id()}, {"type", w.item.kind.String()}}
}

func showWebhook(w *webhook) object {
	return object{
		{"id", numeral(w.num)}, {"type", "webhook"}, {"target", showTarget(w)}, {"created_by", w.by.mini()},
		{"created_at", stamp(w.created, w.num)}, {"address", w.address}, {"triggers", w.triggers},
	}
}

// with gives w as the input wants it, or says why that cannot be. The store's lock and that of the hooks must be held.
func (c *call) with(in webhookInput, w webhook) (webhook, error) {
	if in.Target != nil {
		var k kind
		switch in.Target.Type {
		case "file":
			k = fileKind
		case "folder":
			k = folderKind
		default:
			return w, errParameter("target", "Invalid value '"+in.Target.Type+"'.")
		}
		it, _, err := c.item(k, in.Target.ID)
		if err != nil {
			return w, err
		}
		if it.isRoot() {
			return w, errParameter("target", "Webhooks cannot be created on the root folder")
		}
		for _, have := range c.s.hooks.byID {
			if have.num != w.num && have.item == it && have.by == w.by {
				// The text and the name are a guess.
				e := fail(http.StatusConflict, "conflict", "Conflict")
				e.context = parameterContext("existing_webhook", fmt.Sprintf("Webhook: %d already exists on the specified target.", have.num))
				return w, e
			}
		}
		w.item = it
	}
	if in.Address != nil {
		if why := c.s.badAddress(*in.Address); why != "" {
			return w, errParameter("address", why)
		}
		w.address = *in.Address
	}
	if in.Triggers != nil {
		w.triggers = slices.Compact(slices.Sorted(slices.Values(*in.Triggers)))
	}
	if len(w.triggers) == 0 {
		return w, errParameter("triggers", "Invalid value ''.")
	}
	for _, t := range w.triggers {
		if !triggers[t].allows(w.item.kind) {
			return w, errParameter("triggers", "Invalid value '"+t+"' for a "+w.item.kind.String()+".")
		}
	}
	return w, nil
}

// badAddress says what is wrong with an address for deliveries, "" if nothing is. Names are not looked up.
func (s *Server) badAddress(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return "Invalid value '" + text + "'."
	}
	host := strings.ToLower(u.Hostname())
	ip, err := netip.ParseAddr(host)
	isIP := err == nil
	if s.w.Switches.Bool("box.webhook_local") && (u.Scheme == "http" || u.Scheme == "https") && (host == "localhost" || isIP && ip.IsLoopback()) {
		return ""
	}
	switch {
	case u.Scheme != "https":
		return "Invalid value '" + text + "'. The address must use https"
	case u.Port() != "" && u.Port() != "443":
		return "Invalid value '" + text + "'. The port must be 443"
	case host == "box.com", strings.HasSuffix(host, ".box.com"):
		return "Invalid value '" + text + "'. The address must not be one of Box"
	case host == "localhost", !strings.Contains(host, ".") && !isIP,
		isIP && (!ip.IsGlobalUnicast() || ip.IsPrivate()):
		return "Invalid value '" + text + "'. The address must be public"
	}
	return ""
}

func (c *call) createWebhook() error {
	var in webhookInput
	if err := c.body(&in); err != nil {
		return err
	}
	for name, missing := range map[string]bool{"target": in.Target == nil, "address": in.Address == nil, "triggers": in.Triggers == nil} {
		if missing {
			return errParameter(name, name+" is a required field")
		}
	}
	return c.hooking(http.StatusCreated, func(h *hooks) (any, error) {
		w, err := c.with(in, webhook{by: c.v.user, created: c.now, succeeded: c.now})
		if err != nil {
			return nil, err
		}
		if len(h.of(c.v.user)) >= mostWebhooks {
			return nil, fail(http.StatusBadRequest, "bad_request", "The limit of 1000 webhooks per application and user is reached")
		}
		w.num = c.s.store.number(c.s.store.fresh("webhook"), func(n uint64) bool { return h.byID[n] != nil })
		h.byID[w.num] = &w
		return showWebhook(&w), nil
	})
}

// hooking runs f with the locks of the store and the hooks held and answers with what it gives.
func (c *call) hooking(status int, f func(*hooks) (any, error)) error {
	return c.writing(status, func() (any, error) {
		h := c.s.hooks
		h.mu.Lock()
		defer h.mu.Unlock()
		h.cleanUp(c.now)
		return f(h)
	})
}

// of lists the webhooks of a user, by id. mu must be held.
func (h *hooks) of(u *user) []*webhook {
	mine := slices.DeleteFunc(slices.Collect(maps.Values(h.byID)), func(w *webhook) bool { return w.by != u })
	slices.SortFunc(mine, func(a, b *webhook) int { return cmp.Compare(a.num, b.num) })
	return mine
}

// highestWebhookLimit is the most webhooks of a page (box-node-sdk's documentation).
const highestWebhookLimit = 200

func (c *call) listWebhooks() error {
	p, err := c.paging(100, highestWebhookLimit, 0)
	if err != nil {
		return err
	}
	return c.hooking(http.StatusOK, func(h *hooks) (any, error) {
		return byMarker(c.s, p, "webhooks "+c.v.user.id(), h.of(c.v.user), func(w *webhook) uint64 { return w.num }, func(w *webhook) object {
			return object{{"id", numeral(w.num)}, {"type", "webhook"}, {"target", showTarget(w)}}
		})
	})
}

// webhook finds the caller's own webhook that the path names. The lock of the hooks must be held.
func (c *call) webhook(h *hooks) (*webhook, error) {
	num, err := strconv.ParseUint(c.Param("webhook"), 10, 64)
	if err != nil {
		return nil, errMethod()
	}
	w := h.byID[num]
	if w == nil || w.by != c.v.user {
		return nil, errNotFound("webhook", c.Param("webhook"))
	}
	return w, nil
}

func (c *call) getWebhook() error {
	return c.hooking(http.StatusOK, func(h *hooks) (any, error) {
		w, err := c.webhook(h)
		if err != nil {
			return nil, err
		}
		return showWebhook(w), nil
	})
}

func (c *call) updateWebhook() error {
	var in webhookInput
	if err := c.body(&in); err != nil {
		return err
	}
	return c.hooking(http.StatusOK, func(h *hooks) (any, error) {
		w, err := c.webhook(h)
		if err != nil {
			return nil, err
		}
		changed, err := c.with(in, *w)
		if err != nil {
			return nil, err
		}
		*w = changed
		return showWebhook(w), nil
	})
}

func (c *call) deleteWebhook() error {
	return c.hooking(http.StatusNoContent, func(h *hooks) (any, error) {
		w, err := c.webhook(h)
		if err != nil {
			return nil, err
		}
		h.drop(w)
		return nil, nil
	})
}

// drop ends a webhook. mu must be held.
func (h *hooks) drop(w *webhook) {
	w.gone = true
	delete(h.byID, w.num)
}
