package webhook

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/workfs/workfs/backends"
)

const (
	// probeTime bounds one request to the own address.
	probeTime = 20 * time.Second
	// probeAgain is the wait after one that failed.
	probeAgain = 20 * time.Second
	// probeTries is how many have to fail in a row.
	probeTries = 3
)

// probe asks the own public address for a page that only this process can give.
type probe struct {
	r      *Receiver
	client *http.Client
	begun  chan struct{} // closed when there is something to receive
	begin  func()

	mu      sync.Mutex
	path    string // of the page that is being asked for, "" for none
	page    string
	reach   backends.Reach
	worked  bool // at least once
	changed chan struct{}
}

func newProbe(r *Receiver) *probe {
	begun := make(chan struct{})
	return &probe{
		r: r, begun: begun, begin: sync.OnceFunc(func() { close(begun) }), changed: make(chan struct{}),
		client: &http.Client{
			Transport: r.o.Probe, Timeout: probeTime,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// run asks again and again, from when there is something to receive.
func (p *probe) run() {
	select {
	case <-p.r.ctx.Done():
		return
	case <-p.begun:
	}
	if p.r.o.ProbeInterval < 0 {
		return
	}
	failures := 0
	for {
		err := p.once(p.r.ctx)
		if p.r.ctx.Err() != nil {
			return
		}
		wait := p.r.o.ProbeInterval
		if err == nil {
			failures = 0
			p.set(nil)
		} else {
			wait = min(wait, probeAgain)
			if failures++; failures >= probeTries {
				p.set(err)
			}
		}
		if p.sleep(wait) != nil {
			return
		}
	}
}

// sleep waits by Options.Now.
func (p *probe) sleep(d time.Duration) error {
	until := p.r.o.Now().Add(d)
	for {
		left := until.Sub(p.r.o.Now())
		if left <= 0 {
			return nil
		}
		t := time.NewTimer(min(left, p.r.o.Tick, d))
		select {
		case <-p.r.ctx.Done():
			t.Stop()
			return p.r.ctx.Err()
		case <-t.C:
		}
	}
}

// once asks once.
func (p *probe) once(ctx context.Context) error {
	path, page := nonce(), nonce()
	p.mu.Lock()
	p.path, p.page = path, page
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.path, p.page = "", ""
		p.mu.Unlock()
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.r.public.JoinPath(path).String(), nil)
	if err != nil {
		return err
	}
	res, err := p.client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the address
		}
		return err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(io.LimitReader(res.Body, 256))
	switch {
	case err != nil:
		return err
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("something else answers with status %d", res.StatusCode)
	case string(got) != page:
		return errors.New("something else answers")
	}
	return nil
}

// answer gives the page if a request is for it.
func (p *probe) answer(w http.ResponseWriter, req *http.Request, segment string) bool {
	p.mu.Lock()
	path, page := p.path, p.page
	p.mu.Unlock()
	if path == "" || req.Method != http.MethodGet || subtle.ConstantTimeCompare([]byte(path), []byte(segment)) != 1 {
		return false
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, page)
	return true
}

// set takes in how the address answers.
func (p *probe) set(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	// Many networks do not let a machine reach its own public address, so that a failure says nothing until it worked.
	is := backends.Reach{Known: p.worked || err == nil, Down: p.worked && err != nil}
	p.worked = p.worked || err == nil
	if err != nil {
		is.Problem = "the public address does not answer: " + err.Error()
	}
	if is.Known == p.reach.Known && is.Down == p.reach.Down && (p.reach.Problem == "") == (is.Problem == "") {
		return
	}
	switch {
	case is.Down:
		p.r.log.Warn("webhooks don't arrive", "problem", is.Problem)
	case p.reach.Down:
		p.r.log.Info("webhooks arrive again")
	}
	is.Since = p.r.o.Now()
	p.reach = is
	close(p.changed)
	p.changed = make(chan struct{})
}

// state gives what is known, and a channel that is closed when that changes.
func (p *probe) state() (backends.Reach, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reach, p.changed
}
