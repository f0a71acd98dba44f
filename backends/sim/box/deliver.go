package box

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// Attempts at a delivery: 12 within 2 hours (guide "Webhooks"), each later one after half as long again. The guide gives
// no times; an older version of it has the first retry after 5 minutes.
const (
	mostAttempts = 12
	firstRetry   = 42 * time.Second
	answerTime   = 30 * time.Second // for the receiver
)

// mostDeliveries at the same time.
const mostDeliveries = 32

// sender delivers. What it has for fields is guarded by the lock of the hooks, unless said otherwise.
type sender struct {
	rand *rand.Rand
	keys keys
	made int // ids so far

	slots   chan struct{}
	client  *http.Client
	pending atomic.Int64 // deliveries that are neither done nor given up
}

func newHooks(s *Server) *hooks {
	sw := s.w.Switches
	sw.Register("box.webhook_delay_ms", 10000, "longest time from a change to its delivery, by the virtual clock; each takes a time of its own, so that order is lost")
	sw.Register("box.webhook_loss_percent", 0, "how many deliveries never come")
	sw.Register("box.webhook_duplicate_percent", 0, "how many deliveries come twice, with the same id in the body")
	sw.Register("box.webhook_next", "", "what is wrong with the next deliveries, the first attempt of each, separated by commas: lose, twice, stale, future, "+
		"wrong (signature), unsigned, or ok")
	return &hooks{s: s, byID: map[uint64]*webhook{}, sender: sender{
		rand: s.w.Rand("box webhooks"), keys: newKeys(s.w), slots: make(chan struct{}, mostDeliveries),
		client: &http.Client{
			Transport: &http.Transport{
				DialTLSContext:      dialReceiver,
				MaxIdleConnsPerHost: mostDeliveries,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}}
}

// dialReceiver wants a certificate that the machine trusts, but from loopback addresses, which have none.
func dialReceiver(ctx context.Context, network, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		conf.InsecureSkipVerify = true
	}
	return (&tls.Dialer{Config: conf}).DialContext(ctx, network, addr)
}

// newID makes the id of a body or of an attempt. mu must be held.
func (h *hooks) newID() string {
	h.made++
	return h.s.w.GUID("box delivery " + strconv.Itoa(h.made))
}

// draw says what happens to a delivery: how long it takes, what is wrong with the first attempt. mu must be held.
func (h *hooks) draw() (delay time.Duration, fault string) {
	sw := h.s.w.Switches
	if n := sw.Int("box.webhook_delay_ms"); n > 0 {
		delay = time.Duration(h.rand.Int64N(int64(n))) * time.Millisecond
	}
	switch fault = h.s.scripted("box.webhook_next"); {
	case fault != "":
	case h.rand.IntN(100) < sw.Int("box.webhook_loss_percent"):
		fault = "lose"
	case h.rand.IntN(100) < sw.Int("box.webhook_duplicate_percent"):
		fault = "twice"
	}
	return delay, fault
}

// send starts a delivery. mu must be held.
func (h *hooks) send(w *webhook, payload object) {
	delay, fault := h.draw()
	if fault == "lose" {
		return
	}
	body := escape(appendJSON(nil, payload))
	last := w.gone // what tells of the end outlives the webhook
	due := h.s.w.Clock.Now().Add(delay)
	h.pending.Add(1)
	h.s.bg.run(func(ctx context.Context) {
		defer h.pending.Add(-1)
		if h.s.w.Clock.Sleep(ctx, due) == nil {
			h.deliver(ctx, w, body, fault, last)
		}
	})
}

// deliver tries until it succeeds, the webhook ends or all attempts are used up.
func (h *hooks) deliver(ctx context.Context, w *webhook, body []byte, fault string, last bool) {
	wait := firstRetry
	for n := range mostAttempts {
		if n > 0 {
			if h.s.w.Clock.Sleep(ctx, h.s.w.Clock.Now().Add(wait)) != nil {
				return
			}
			wait += wait / 2
			fault = ""
		}
		h.mu.Lock()
		over := w.gone && !last
		h.mu.Unlock()
		if over {
			return
		}
		if h.attempt(ctx, w, body, fault) {
			if fault == "twice" {
				h.attempt(ctx, w, body, "")
			}
			return
		}
	}
}

// attempt posts a body once and says whether the receiver took it.
func (h *hooks) attempt(ctx context.Context, w *webhook, body []byte, fault string) bool {
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return false
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	now := h.s.w.Clock.Now()
	go func() {
		if h.s.w.Clock.Sleep(ctx, now.Add(answerTime)) == nil {
			cancel()
		}
	}()
	h.mu.Lock()
	address, k, id := w.address, h.keys, h.newID()
	h.mu.Unlock()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return false
	}
	req.Header = deliveryHeader(k, id, body, now, fault)
	resp, err := h.client.Do(req)
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	_ = resp.Body.Close()
	taken := resp.StatusCode >= 200 && resp.StatusCode < 300
	if taken {
		h.mu.Lock()
		w.succeeded = h.s.w.Clock.Now()
		h.mu.Unlock()
	}
	return taken
}

// deliveryHeader makes the header of an attempt, with what a fault wants wrong. The names are in Box's case.
func deliveryHeader(k keys, id string, body []byte, now time.Time, fault string) http.Header {
	switch fault {
	case "stale":
		now = now.Add(-20 * time.Minute)
	case "future":
		now = now.Add(20 * time.Minute)
	case "wrong":
		k = keys{primary: k.primary + "x", secondary: k.secondary + "x"}
	case "unsigned":
		k = keys{}
	}
	at, _ := stamp(now, 0).(string)
	head := http.Header{
		"User-Agent": {"Box-WH-Client/0.1"}, "Content-Type": {"application/json; charset=utf-8"},
		"BOX-DELIVERY-ID": {id}, "BOX-DELIVERY-TIMESTAMP": {at},
	}
	for name, key := range map[string]string{"BOX-SIGNATURE-PRIMARY": k.primary, "BOX-SIGNATURE-SECONDARY": k.secondary} {
		if key != "" {
			head[name] = []string{signature(key, body, at)}
		}
	}
	if k != (keys{}) {
		head["BOX-SIGNATURE-VERSION"] = []string{"1"}
		head["BOX-SIGNATURE-ALGORITHM"] = []string{"HmacSHA256"}
	}
	return head
}
