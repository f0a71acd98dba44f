package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/webhook"
	"github.com/workfs/workfs/cmd/workfs/internal/config"
)

// webhookOptions say where services can reach a mount.
type webhookOptions struct {
	listen, address string
	cert, key       string
	data            bool
}

// defaultWebhookListen is where a tunnel or proxy finds the mount when only its public address is given.
const defaultWebhookListen = "127.0.0.1:48445"

func (o *webhookOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.address, "webhook-address", "", "public address at which services deliver notifications, a host or an https address (also WEBHOOK_ADDRESS)")
	f.StringVar(&o.listen, "webhook-listen", "", "local address for them, host:port; "+defaultWebhookListen+" when only the public one is given")
	f.StringVar(&o.cert, "webhook-cert", "", "PEM certificate for https; without one a tunnel or proxy on this machine has to speak it")
	f.StringVar(&o.key, "webhook-key", "", "PEM key of the certificate")
	f.BoolVar(&o.data, "webhook-data", false, "ask for changed Teams messages within notifications, encrypted")
}

// receiver makes what takes notifications, nil where nothing says that services can reach this machine.
func (o *webhookOptions) receiver(stateDir string, now func() time.Time, tick time.Duration, log *slog.Logger) (*webhook.Receiver, error) {
	if o.address == "" && o.listen == "" {
		if o.cert != "" || o.key != "" || o.data {
			return nil, withCode(codeUsage, errors.New("webhook-cert, webhook-key and webhook-data are of no use without webhook-address"))
		}
		return nil, nil
	}
	key, err := webhook.LoadKey(filepath.Join(stateDir, "webhook.key"))
	if err != nil {
		return nil, err
	}
	// They are read again when they change, and a daemon leaves the working directory.
	for _, file := range []*string{&o.cert, &o.key} {
		if *file == "" {
			continue
		}
		if *file, err = filepath.Abs(*file); err != nil {
			return nil, err
		}
	}
	r, err := webhook.New(webhook.Options{
		Listen: cmp.Or(o.listen, defaultWebhookListen), Address: o.address, CertFile: o.cert, KeyFile: o.key, Key: key, Now: now, Tick: tick, Log: log,
	})
	if err != nil {
		return nil, withCode(codeUsage, err)
	}
	return r, r.Start()
}

// maxSignatureKeys bounds the file of a Box application's signature keys, in bytes.
const maxSignatureKeys = 4096

// signatureKeys reads the keys by which a Box application signs its webhooks: the primary one, then the secondary one if there
// are two, a line each.
func signatureKeys(c backends.Connection) ([]string, error) {
	if c.SignatureKeys == "" {
		return nil, nil
	}
	info, err := os.Stat(c.SignatureKeys)
	if err != nil {
		return nil, withCode(codeUsage, fmt.Errorf("signature_keys: %w", err))
	}
	if info.Mode().Perm()&0o077 != 0 || info.Size() > maxSignatureKeys {
		return nil, withCode(codeUsage, fmt.Errorf("signature_keys: %s must be readable by its owner only (chmod 600) and hold a key or two", c.SignatureKeys))
	}
	text, err := os.ReadFile(c.SignatureKeys)
	if err != nil {
		return nil, withCode(codeUsage, fmt.Errorf("signature_keys: %w", err))
	}
	keys := strings.Fields(string(text))
	if strings.HasPrefix(strings.TrimSpace(string(text)), "{") {
		// Box's own file of the application, which has them beside its key.
		app, err := config.ReadBoxApp(c.SignatureKeys)
		if err != nil {
			return nil, withCode(codeUsage, fmt.Errorf("signature_keys: %w", err))
		}
		keys = app.SignatureKeys
	}
	if len(keys) == 0 || len(keys) > 2 {
		return nil, withCode(codeUsage, fmt.Errorf("signature_keys: %s must hold the primary key and may hold the secondary one, a line each", c.SignatureKeys))
	}
	return keys, nil
}
