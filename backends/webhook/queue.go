package webhook

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"

	"github.com/workfs/workfs/backends"
)

const (
	// queueLength and queueBytes bound what waits for one handler.
	queueLength = 1024
	queueBytes  = 32 << 20
)

// handler is a DeliveryHandler with the deliveries that wait for it.
type handler struct {
	h     backends.DeliveryHandler
	log   *slog.Logger
	queue chan *backends.Delivery

	mu    sync.Mutex
	bytes int // of the bodies in queue
}

func newHandler(h backends.DeliveryHandler, log *slog.Logger) *handler {
	return &handler{h: h, log: log, queue: make(chan *backends.Delivery, queueLength)}
}

// check has the handler look at a delivery. A panic is a refusal.
func (q *handler) check(d *backends.Delivery) (reply backends.DeliveryReply) {
	defer func() {
		if v := recover(); v != nil {
			q.panicked(v)
			reply = backends.DeliveryReply{Status: http.StatusInternalServerError, Problem: "a defect of this program"}
		}
	}()
	return q.h.Check(d)
}

// put queues a delivery; false if there is no room.
func (q *handler) put(d *backends.Delivery) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.bytes > 0 && q.bytes+len(d.Body) > queueBytes {
		return false
	}
	select {
	case q.queue <- d:
		q.bytes += len(d.Body)
		return true
	default:
		return false
	}
}

// work hands over what is queued, until ctx ends.
func (q *handler) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case d := <-q.queue:
			q.mu.Lock()
			q.bytes -= len(d.Body)
			q.mu.Unlock()
			q.take(ctx, d)
		}
	}
}

func (q *handler) take(ctx context.Context, d *backends.Delivery) {
	defer func() {
		if v := recover(); v != nil {
			q.panicked(v)
		}
	}()
	q.h.Take(ctx, d)
}

func (q *handler) panicked(v any) {
	q.log.Error("panic over a delivery", "value", fmt.Sprint(v), "stack", string(debug.Stack()))
}
