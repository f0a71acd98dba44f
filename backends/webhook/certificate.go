package webhook

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificateAge is how old a look at the files may be. Certificates are renewed weeks before they end.
const certificateAge = time.Minute

// certificate is a pair of PEM files, read again when they change.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	pair    *tls.Certificate
	stamp   stamp
	checked time.Time
}

// stamp tells versions of the files apart.
type stamp struct{ cert, key time.Time }

func loadCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	s, err := c.look()
	if err == nil {
		err = c.load(s)
	}
	if err != nil {
		return nil, fmt.Errorf("webhook-cert: %w", err)
	}
	return c, nil
}

func (c *certificate) look() (stamp, error) {
	cert, err := os.Stat(c.certFile)
	if err != nil {
		return stamp{}, err
	}
	key, err := os.Stat(c.keyFile)
	if err != nil {
		return stamp{}, err
	}
	return stamp{cert.ModTime(), key.ModTime()}, nil
}

func (c *certificate) load(s stamp) error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.pair, c.stamp, c.checked = &pair, s, time.Now()
	return nil
}

// get implements tls.Config.GetCertificate. While new files can't be read, the old ones serve.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.checked) < certificateAge {
		return c.pair, nil
	}
	c.checked = time.Now()
	s, err := c.look()
	if err == nil && s != c.stamp {
		err = c.load(s)
	}
	if err != nil {
		c.log.Warn("the webhook's certificate can't be read again", "error", err)
	}
	return c.pair, nil
}
