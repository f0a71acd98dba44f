package subscription

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/core"
	"github.com/workfs/workfs/backends/sim/directory"
	"github.com/workfs/workfs/backends/sim/drive"
	"github.com/workfs/workfs/backends/sim/entra"
	"github.com/workfs/workfs/backends/sim/graph"
	"github.com/workfs/workfs/backends/sim/outlook"
	"github.com/workfs/workfs/backends/sim/teams"
)

// Sources are the services whose changes can be subscribed to.
type Sources struct {
	Outlook   *outlook.Store
	Teams     *teams.Service
	Drives    *drive.Service
	Directory *directory.Directory
}

// Service holds the subscriptions of the tenant and delivers for them.
type Service struct {
	world   *core.World
	company *company.Company
	tokens  *entra.Service
	from    Sources
	client  *http.Client
	times   *timetable
	ctx     context.Context
	cancel  context.CancelFunc
	work    sync.WaitGroup
	serve   sync.Once // the timetable

	mu        sync.Mutex
	rand      *rand.Rand
	subs      map[string]*subscription
	order     []*subscription // as created
	endpoints map[string]*endpoint
}

// New registers /subscriptions with the Graph host. What happens in the sources must be given to Changed.
func New(w *core.World, g *graph.Server, c *company.Company, tokens *entra.Service, from Sources) *Service {
	register(w.Switches)
	s := &Service{
		world: w, company: c, tokens: tokens, from: from, times: &timetable{clock: w.Clock},
		rand: w.Rand("subscriptions"), subs: map[string]*subscription{}, endpoints: map[string]*endpoint{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.client = &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, IdleConnTimeout: time.Minute},
		// A receiver that moved must be subscribed anew.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	// Which permission a call needs depends on the subscription's resource.
	open := graph.Perms{Open: true}
	g.Handle("POST /subscriptions", open, s.create)
	g.Handle("GET /subscriptions", open, s.list)
	g.Handle("GET /subscriptions/{id}", open, s.show)
	g.Handle("PATCH /subscriptions/{id}", open, s.update)
	g.Handle("DELETE /subscriptions/{id}", open, s.remove)
	g.Handle("POST /subscriptions/{id}/reauthorize", open, s.reauthorize)
	w.HandleControl("GET /subscriptions", s.controlList)
	w.HandleControl("POST /notifications", s.controlAction)
	return s
}

// Trust makes receivers acceptable whose certificates the given CAs signed, beside those that the system trusts. It must come
// before the first subscription.
func (s *Service) Trust(pem []byte) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	pool.AppendCertsFromPEM(pem)
	s.client.Transport.(*http.Transport).TLSClientConfig.RootCAs = pool
}

// Close ends all deliveries and waits for them.
func (s *Service) Close() {
	s.mu.Lock()
	s.cancel()
	s.mu.Unlock()
	s.work.Wait()
	s.client.CloseIdleConnections()
}

// spawn runs a function that Close waits for. s.mu is held.
func (s *Service) spawn(run func()) {
	if s.ctx.Err() == nil {
		s.work.Go(run)
	}
}

// Changed takes a change from one of the sources: mailbox.Change, teams.Change, drive.Change or directory.Change. It does not
// wait for any delivery.
func (s *Service) Changed(change any) {
	now := s.world.Clock.Now()
	s.mu.Lock()
	live := make([]*subscription, 0, len(s.order))
	for _, sub := range s.order {
		if sub.live(now) {
			live = append(live, sub)
		}
	}
	s.mu.Unlock()
	// The watches look into the sources, which may be locked by somebody who waits for us.
	for _, sub := range live {
		if seen, ok := sub.watch(change); ok && sub.wants(seen.change) {
			s.mu.Lock()
			s.notify(&notification{sub: sub, seen: seen, born: now})
			s.mu.Unlock()
		}
	}
}
