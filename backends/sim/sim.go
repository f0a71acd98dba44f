package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/workfs/workfs/backends/sim/box"
	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/core"
	"github.com/workfs/workfs/backends/sim/directory"
	"github.com/workfs/workfs/backends/sim/drive"
	"github.com/workfs/workfs/backends/sim/entra"
	"github.com/workfs/workfs/backends/sim/graph"
	"github.com/workfs/workfs/backends/sim/outlook"
	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
	"github.com/workfs/workfs/backends/sim/subscription"
	"github.com/workfs/workfs/backends/sim/teams"
)

// DefaultSeed makes the company that the documentation shows.
const DefaultSeed = 1

// Options of a simulator. The zero value is a small company at the present time on free ports.
type Options struct {
	Seed        int64         // of all data; 0 means DefaultSeed
	Scale       int           // messages in alice's Inbox; 0 keeps the small company
	Latency     time.Duration // between a request and the first byte of its answer, in real time
	TLSDir      string        // where the CA and the certificates are written; empty serves plain HTTP
	ImportMail  string        // directory of .eml or Maildir files that become alice's mail
	ImportFiles string        // directory that becomes the root of alice's Box files
	Throttle    string        // "off" (also "") or "real"
	Now         time.Time     // start of the virtual clock; zero is the real time
	Listen      string        // address of the control host, "" is 127.0.0.1:0; the others follow on 127.0.0.2 and so on
}

// Sim is one simulator.
type Sim struct {
	opts     Options
	world    *core.World
	company  *company.Company
	graph    *graph.Server
	clouds   Clouds
	boxApp   boxApp // for people and client credentials
	boxJWT   boxApp // for assertions that it signs
	ready    Ready
	servers  []*http.Server
	ca       []byte // PEM, with TLS
	serving  sync.WaitGroup
	closeOne sync.Once
}

// boxApp is an application registered with Box.
type boxApp struct{ id, secret string }

// New builds the clouds without listening.
func New(o Options) (*Sim, error) {
	if o.Seed == 0 {
		o.Seed = DefaultSeed
	}
	if o.Throttle != "" && o.Throttle != core.ThrottleOff && o.Throttle != core.ThrottleReal {
		return nil, fmt.Errorf("throttle is %q, want %s or %s", o.Throttle, core.ThrottleOff, core.ThrottleReal)
	}
	if o.Scale < 0 {
		return nil, errors.New("scale is negative")
	}
	if _, _, err := firstAddress(o.Listen); err != nil {
		return nil, err
	}
	w := core.NewWorld(core.Options{Seed: o.Seed, Scale: o.Scale, Latency: o.Latency, Throttle: o.Throttle, Now: o.Now})
	s := &Sim{opts: o, world: w, company: company.New(o.Seed)}
	c := &s.clouds
	var err error
	if c.Entra, err = entra.New(w, s.company); err != nil {
		return nil, err
	}
	s.graph = graph.New(w, s.company, c.Entra)
	c.Directory = directory.New(w, s.graph, s.company)
	c.Drives = drive.New(w, s.graph, s.company)
	c.Teams = teams.New(w, s.graph, s.company, c.Drives)
	mail := outlook.Options{ImportMail: o.ImportMail, Listener: func(ch mailbox.Change) {
		// What is seeded changes before anybody can have subscribed to it.
		if c.Subscriptions != nil {
			c.Subscriptions.Changed(ch)
		}
	}}
	if c.Outlook, err = outlook.New(w, s.graph, s.company, mail); err != nil {
		return nil, err
	}
	c.Subscriptions = subscription.New(w, s.graph, s.company, c.Entra,
		subscription.Sources{Outlook: c.Outlook, Teams: c.Teams, Drives: c.Drives, Directory: c.Directory})
	c.Teams.Store.OnChange(func(ch teams.Change) {
		s.followTeam(ch)
		c.Subscriptions.Changed(ch)
	})
	c.Drives.Store.OnChange(func(ch drive.Change) { c.Subscriptions.Changed(ch) })
	c.Directory.Store.OnChange(func(ch directory.Change) {
		s.followGroup(ch)
		c.Subscriptions.Changed(ch)
	})
	s.boxApp, s.boxJWT = newBoxApp(w, "box client"), newBoxApp(w, "box jwt client")
	c.Box, err = box.New(w, s.company, box.Options{
		ClientID: s.boxApp.id, ClientSecret: s.boxApp.secret, JWTClientID: s.boxJWT.id, JWTClientSecret: s.boxJWT.secret, ImportFiles: o.ImportFiles,
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

func newBoxApp(w *core.World, name string) boxApp {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	id, secret := w.Sum(name+" id"), w.Sum(name+" secret")
	text := func(sum [32]byte) string {
		b := make([]byte, len(sum))
		for i, x := range sum {
			b[i] = letters[int(x)%len(letters)]
		}
		return string(b)
	}
	return boxApp{text(id), text(secret)}
}

// World gives the simulator's clock, switches, statistics and faults.
func (s *Sim) World() *core.World { return s.world }

// Company gives the people and groups.
func (s *Sim) Company() *company.Company { return s.company }

// Clouds are the services behind the hosts, for tests that change data without a request.
type Clouds struct {
	Entra         *entra.Service
	Directory     *directory.Directory
	Outlook       *outlook.Store
	Teams         *teams.Service
	Drives        *drive.Service
	Subscriptions *subscription.Service
	Box           *box.Server
}

// Clouds gives the services behind the hosts.
func (s *Sim) Clouds() Clouds { return s.clouds }

// service is one host to listen for.
type service struct {
	name    string
	address *string // in Hosts
	handler http.Handler
}

func (s *Sim) services() []service {
	h := &s.world.Hosts
	return []service{
		{core.HostControl, &h.Control, s.world.Control(func() any { return s.Ready() })},
		{core.HostGraph, &h.Graph, s.graph},
		{core.HostLogin, &h.Login, s.clouds.Entra},
		{core.HostBoxAPI, &h.BoxAPI, s.clouds.Box.API()},
		{core.HostBoxAccount, &h.BoxAccount, s.clouds.Box.Account()},
		{core.HostBoxDownload, &h.BoxDownload, s.clouds.Box.Download()},
		{core.HostBoxRealtime, &h.BoxRealtime, s.clouds.Box.Realtime()},
		{core.HostDriveDownload, &h.DriveDownload, s.clouds.Drives.Downloads()},
	}
}

// firstAddress reads the address of the control host; the other hosts follow on the next addresses, with the same port
// unless it is 0.
func firstAddress(listen string) (net.IP, string, error) {
	if listen == "" {
		listen = "127.0.0.1:0"
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, "", fmt.Errorf("listen address: %w", err)
	}
	ip := net.ParseIP(host).To4()
	if ip == nil || !ip.IsLoopback() || ip[3] > 247 {
		return nil, "", fmt.Errorf("listen address %q: want an IPv4 loopback address, its last byte below 248", listen)
	}
	return ip, port, nil
}

// Start listens on all hosts and serves until Close, or until ctx ends.
func (s *Sim) Start(ctx context.Context) error {
	ip, port, err := firstAddress(s.opts.Listen)
	if err != nil {
		return err
	}
	scheme := "http"
	services := s.services()
	ips := make([]net.IP, len(services))
	for i := range services {
		ips[i] = net.IPv4(ip[0], ip[1], ip[2], ip[3]+byte(i)).To4()
	}
	var certs *certificates
	if s.opts.TLSDir != "" {
		scheme = "https"
		if certs, err = newCertificates(ips); err != nil {
			return err
		}
		if err := certs.write(s.opts.TLSDir); err != nil {
			return err
		}
		s.ca = certs.ca
		s.clouds.Subscriptions.Trust(certs.ca)
	}
	var listeners []net.Listener
	for i, svc := range services {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", net.JoinHostPort(ips[i].String(), port))
		if err != nil {
			for _, l := range listeners {
				_ = l.Close()
			}
			return fmt.Errorf("listening for %s: %w", svc.name, err)
		}
		listeners = append(listeners, l)
		*svc.address = scheme + "://" + l.Addr().String()
	}
	s.fillReady()
	for i, svc := range services {
		srv := &http.Server{
			Handler: svc.handler, ReadHeaderTimeout: time.Minute,
			// Broken connections are this program's trade; nobody wants to read of each.
			ErrorLog: log.New(io.Discard, "", 0),
		}
		l := listeners[i]
		s.servers = append(s.servers, srv)
		s.serving.Go(func() {
			if certs != nil {
				srv.TLSConfig = certs.config()
				_ = srv.ServeTLS(l, "", "")
				return
			}
			_ = srv.Serve(l)
		})
	}
	context.AfterFunc(ctx, func() { _ = s.Close() })
	return nil
}

// Close stops listening, breaks all connections and waits for the servers to end. It may be called more than once.
func (s *Sim) Close() error {
	var err error
	s.closeOne.Do(func() {
		for _, srv := range s.servers {
			err = errors.Join(err, srv.Close())
		}
		s.serving.Wait()
		s.clouds.Subscriptions.Close()
		s.clouds.Box.Close()
	})
	return err
}
