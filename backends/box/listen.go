package box

import (
	"context"
	"time"

	"github.com/workfs/workfs/backends"
)

// answer is what a poll came to.
type answer struct {
	message string
	err     error
}

// settleTime, in first waits, is how long a poll has to wait before it is believed to have reached the server.
const settleTime = 10

// listen waits for messages of a realtime server.
func (s *stream) listen(ctx context.Context, server realtime) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	back := backoff{first: s.b.cfg.Backoff}
	for silent := 0; silent <= server.retries; {
		position := s.current().Position
		answers := make(chan answer, 1)
		go func() {
			message, err := s.b.poll(ctx, s.poll, server, position)
			answers <- answer{message, err}
		}()
		a, err := s.await(ctx, answers)
		if err != nil {
			return err
		}
		o := backends.Origin{By: backends.ByLongPoll, At: s.b.cfg.Now()}
		if a.err != nil {
			s.failed(&s.polled, a.err)
			o = backends.Origin{By: backends.ByEvents}
		} else {
			s.reached(&s.polled)
		}
		switch {
		case a.err == nil && a.message == newChange:
			if err := s.fetch(ctx, o); err != nil {
				return err
			}
			s.news = true
			back.reset()
		case a.message == reconnect, a.message == maxRetries:
			return nil
		case a.message == timedOut:
			silent++
		default:
			silent++
			back.wait(ctx)
			if err := s.fetch(ctx, o); err != nil {
				return err
			}
		}
	}
	return nil
}

// await waits for the answer of a poll, and asks for events meanwhile when there is another reason to.
func (s *stream) await(ctx context.Context, answers <-chan answer) (answer, error) {
	settled := time.NewTimer(settleTime * s.b.cfg.Backoff)
	defer settled.Stop()
	for {
		due := s.current().At.Add(safetyNet)
		t := time.NewTimer(s.b.until(due))
		var o backends.Origin
		select {
		case a := <-answers:
			t.Stop()
			return a, nil
		case <-ctx.Done():
			t.Stop()
			return answer{}, ctx.Err()
		case <-settled.C:
			s.reached(&s.polled)
		case o = <-s.kicked:
		case <-t.C:
			if !s.b.cfg.Now().Before(due) {
				o.By = backends.ByEvents
			}
		}
		t.Stop()
		if o.By != "" {
			if err := s.fetch(ctx, o); err != nil {
				return answer{}, err
			}
		}
	}
}
