package webhook

import (
	"net"
	"net/netip"
	"sync"
)

// limited is a listener of a bounded number of connections. One more than it takes is closed at once: those that wait
// would look like a slow endpoint.
type limited struct {
	net.Listener
	all, each int

	mu   sync.Mutex
	open int
	from map[netip.Addr]int
}

// limit bounds the connections of a listener, and those of each sender that is not on loopback, where a proxy speaks for
// all of them.
func limit(l net.Listener, all, each int) net.Listener {
	return &limited{Listener: l, all: all, each: each, from: map[netip.Addr]int{}}
}

// Accept implements net.Listener.
func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := senderOf(c.RemoteAddr().String())
		if l.enter(from) {
			return &limitedConn{Conn: c, leave: sync.OnceFunc(func() { l.leave(from) })}, nil
		}
		c.Close()
	}
}

func (l *limited) enter(from netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.all || l.from[from] >= l.each && !from.IsLoopback() {
		return false
	}
	l.open++
	l.from[from]++
	return true
}

func (l *limited) leave(from netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.from[from]--; l.from[from] == 0 {
		delete(l.from, from)
	}
}

type limitedConn struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *limitedConn) Close() error {
	c.leave()
	return c.Conn.Close()
}
