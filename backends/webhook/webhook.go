package webhook

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/workfs/workfs/backends"
)

// Options describe a Receiver.
type Options struct {
	// Listen is the local address, host:port.
	Listen string
	// Address is the public address that services deliver to: "workfs.example.org", "workfs.example.org:8443", or
	// "https://example.org/hooks". Empty means where it listens, which only services on the same machine reach.
	Address string
	// CertFile and KeyFile are PEM files of a certificate for https. They are read again when they change. Without them
	// the Receiver speaks plain http, and then only on loopback: something in front of it has to speak https.
	CertFile, KeyFile string
	// Key is the secret that paths are derived from, at least 16 bytes. The same key gives the same addresses at the next
	// start. See LoadKey.
	Key []byte
	// Probe carries requests to the own public address, to find out whether it answers; nil means http.DefaultTransport.
	Probe http.RoundTripper
	// ProbeInterval is how often that is asked; 0 means 5 minutes, negative never.
	ProbeInterval time.Duration
	// Now is the clock, time.Now when nil. Tick is the longest wait by the real clock; 0 means 30 seconds.
	Now  func() time.Time
	Tick time.Duration
	// Log gets refusals, each kind once a minute at most; nil for none.
	Log *slog.Logger
}

const (
	// maxBody bounds a delivery, in bytes. Graph sends at most a few hundred notifications at a time, Box one.
	maxBody = 1 << 20
	// maxHeader bounds headers and query, in bytes. A validation token is a few hundred.
	maxHeader = 16 << 10
	// headerTime and bodyTime are how long a sender may take. Services deliver within seconds or try again.
	headerTime = 5 * time.Second
	bodyTime   = 10 * time.Second
	idleTime   = 2 * time.Minute
	// connections is how many there may be, of which one sender may have connectionsEach unless it is on loopback.
	connections     = 512
	connectionsEach = 64
	// bodies is how many deliveries are read and checked at a time.
	bodies = 32
)

// Receiver implements backends.Receiver. Start it before anything asks it for an address.
type Receiver struct {
	o       Options
	public  *url.URL // without a trailing slash in its path; set by Start where it follows from the listener
	cert    *certificate
	log     *slog.Logger
	refused *refusals
	reading chan struct{} // a place for each body that is read
	// headerTime and bodyTime are the constants, but for tests.
	headerTime, bodyTime time.Duration
	probe                *probe

	ctx    context.Context // of what works on deliveries; ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup
	server *http.Server
	// listening is the local address, with the port that was found for port 0.
	listening net.Addr

	accepted atomic.Int64

	mu    sync.RWMutex
	paths map[string]*handler // by the first segment
}

var _ backends.Reacher = (*Receiver)(nil)

// New checks the options. Its errors name the option that is wrong, as its flag is called.
func New(o Options) (*Receiver, error) {
	if len(o.Key) < 16 {
		return nil, errors.New("the key of the webhook's paths is too short")
	}
	host, _, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("webhook-listen %q is not host:port", o.Listen)
	}
	r := &Receiver{o: o, log: o.Log, reading: make(chan struct{}, bodies), paths: map[string]*handler{}}
	r.headerTime, r.bodyTime = headerTime, bodyTime
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.o.Now == nil {
		r.o.Now = time.Now
	}
	r.o.Tick = cmp.Or(r.o.Tick, 30*time.Second)
	r.o.ProbeInterval = cmp.Or(r.o.ProbeInterval, 5*time.Minute)
	if (o.CertFile == "") != (o.KeyFile == "") {
		return nil, errors.New("webhook-cert and webhook-key belong together")
	}
	if o.CertFile != "" {
		if r.cert, err = loadCertificate(o.CertFile, o.KeyFile, r.log); err != nil {
			return nil, err
		}
	} else if !loopback(host) {
		return nil, fmt.Errorf("webhook-listen %q needs webhook-cert and webhook-key: plain http is for loopback, behind a tunnel or proxy", o.Listen)
	}
	if o.Address != "" {
		if r.public, err = parseAddress(o.Address); err != nil {
			return nil, err
		}
	}
	r.refused = newRefusals(r.log)
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.probe = newProbe(r)
	return r, nil
}

// Start begins to listen.
func (r *Receiver) Start() error {
	l, err := net.Listen("tcp", r.o.Listen)
	if err != nil {
		return fmt.Errorf("webhook-listen: %w", err)
	}
	r.listening = l.Addr()
	scheme := "http"
	l = limit(l, connections, connectionsEach)
	if r.cert != nil {
		scheme = "https"
		l = tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: r.cert.get, NextProtos: []string{"http/1.1"}})
	}
	if r.public == nil {
		r.public = &url.URL{Scheme: scheme, Host: r.listening.String()}
	}
	r.server = &http.Server{
		Handler:           r,
		ReadHeaderTimeout: r.headerTime,
		ReadTimeout:       r.headerTime + r.bodyTime,
		WriteTimeout:      r.headerTime + r.bodyTime + 10*time.Second,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		// A stranger's broken handshakes are no news.
		ErrorLog: slog.NewLogLogger(r.log.Handler(), slog.LevelDebug),
	}
	r.wg.Go(func() {
		if err := r.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			r.log.Error("webhooks can't be received any more", "error", err)
		}
	})
	r.wg.Go(r.probe.run)
	return nil
}

// Close ends listening, and what works on deliveries.
func (r *Receiver) Close() error {
	var err error
	if r.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if r.server.Shutdown(ctx) != nil {
			err = r.server.Close()
		}
	}
	r.cancel()
	r.wg.Wait()
	r.refused.close()
	return err
}

// Address is the public address, below which handlers have theirs.
func (r *Receiver) Address() string { return r.public.String() }

// Status is how a Receiver is doing.
type Status struct {
	Address  string         `json:"address"`
	Reach    backends.Reach `json:"reach"`
	Accepted int64          `json:"accepted"`
	Refused  int64          `json:"refused"`
}

// Status tells how the Receiver is doing.
func (r *Receiver) Status() Status {
	reach, _ := r.Reach()
	return Status{Address: r.Address(), Reach: reach, Accepted: r.accepted.Load(), Refused: r.refused.total.Load()}
}

// Reach implements backends.Reacher.
func (r *Receiver) Reach() (backends.Reach, <-chan struct{}) { return r.probe.state() }

// Handle implements backends.Receiver.
func (r *Receiver) Handle(name string, h backends.DeliveryHandler) (address string, release func()) {
	segment := segment(r.o.Key, name)
	q := newHandler(h, r.log.With("handler", name))
	ctx, cancel := context.WithCancel(r.ctx)
	r.mu.Lock()
	r.paths[segment] = q
	r.mu.Unlock()
	r.wg.Go(func() { q.work(ctx) })
	r.probe.begin()
	return r.public.JoinPath(segment).String(), sync.OnceFunc(func() {
		r.mu.Lock()
		if r.paths[segment] == q {
			delete(r.paths, segment)
		}
		r.mu.Unlock()
		cancel()
	})
}

func (r *Receiver) handler(segment string) *handler {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.paths[segment]
}

// read reads a body, in one of the places for that.
func (r *Receiver) read(w http.ResponseWriter, req *http.Request) ([]byte, error) {
	return io.ReadAll(http.MaxBytesReader(w, req.Body, maxBody))
}
