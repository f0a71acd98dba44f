package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/cmd/workfs/internal/config"
)

// TestWebhookFlags: settings that can't work together are wrong usage, and nothing is mounted.
func TestWebhookFlags(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	nothing := e.path("nothing.pem")
	for _, c := range []struct {
		text string
		args []string
	}{
		{"needs webhook-cert and webhook-key: plain http is for loopback", []string{"--webhook-listen", ":8443"}},
		{"needs webhook-cert and webhook-key: plain http is for loopback", []string{"--webhook-listen", "0.0.0.0:8443", "--webhook-address", "example.org"}},
		{`webhook-listen "8443" is not host:port`, []string{"--webhook-listen", "8443"}},
		{"webhook-cert and webhook-key belong together", []string{"--webhook-listen", ":8443", "--webhook-cert", nothing}},
		{"webhook-cert and webhook-key belong together", []string{"--webhook-address", "example.org", "--webhook-key", nothing}},
		{"nothing.pem: no such file", []string{"--webhook-listen", ":8443", "--webhook-cert", nothing, "--webhook-key", nothing}},
		{"of no use without webhook-address", []string{"--webhook-data"}},
		{"of no use without webhook-address", []string{"--webhook-cert", nothing, "--webhook-key", nothing}},
		{`"http://example.org" must begin with https://`, []string{"--webhook-address", "http://example.org"}},
		{"neither a host nor an https address", []string{"--webhook-address", "https://"}},
		{"must have a host and a path only", []string{"--webhook-address", "https://example.org/hook?a=b"}},
		{"not a duration", []string{"--poll-interval", "often"}},
	} {
		e.expect(codeUsage, []string{c.text}, append([]string{"mount", e.point}, c.args...)...)
	}
	cmd := e.command("mount", e.point)
	cmd.Env = append(cmd.Env, "WEBHOOK_ADDRESS=http://example.org")
	if _, stderr, code := run(t, cmd); code != codeUsage || !strings.Contains(stderr, "must begin with https://") {
		t.Errorf("with a bad WEBHOOK_ADDRESS: exit %d, %s", code, stderr)
	}

	// The same from the file, where a mistake is found as well.
	original := read(t, e.config)
	e.editConfig(func(s string) string { return "webhook_listen = \":8443\"\n" + s })
	e.expect(codeUsage, []string{"plain http is for loopback"}, "mount", e.point)
	flags := liveFlags(t)
	e.editConfig(func(string) string {
		return "webhook_listen = \"" + flags[1] + "\"\nwebhook_address = \"" + flags[3] + "\"\npoll_interval = \"7m\"\n" + original
	})
	m := e.mount("-c", "contoso")
	if st := m.status(); st.Webhooks == nil || st.Webhooks.Address != flags[3] {
		t.Errorf("with an address in the file: %+v", st.Webhooks)
	}
}

func TestWebhookAddressOfTheEnvironment(t *testing.T) {
	for _, c := range []struct{ flag, prefixed, common, want string }{
		{"https://example.org/below/", "b.example.org", "c.example.org", "https://example.org/below"},
		{"", "b.example.org", "c.example.org", "https://b.example.org"},
		{"", "", "c.example.org:8443", "https://c.example.org:8443"},
		{"", "", "", ""}, // who gives no address gets no open port
	} {
		t.Setenv("WORKFS_WEBHOOK_ADDRESS", c.prefixed)
		t.Setenv("WEBHOOK_ADDRESS", c.common)
		var o webhookOptions
		flags := pflag.NewFlagSet("mount", pflag.ContinueOnError)
		o.addFlags(flags)
		if c.flag != "" {
			if err := flags.Set("webhook-address", c.flag); err != nil {
				t.Fatal(err)
			}
		}
		if err := config.Apply(flags, nil); err != nil {
			t.Fatal(err)
		}
		if c.want != "" {
			o.listen = "127.0.0.1:0"
		}
		r, err := o.receiver(t.TempDir(), nil, 0, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case r == nil && c.want != "" || r != nil && r.Address() != c.want:
			t.Errorf("%+v: %v", c, r)
		case r != nil:
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestSignatureKeys(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys")
	if keys, err := signatureKeys(backends.Connection{}); keys != nil || err != nil {
		t.Errorf("without a file: %v %v", keys, err)
	}
	for _, c := range []struct {
		content string
		mode    os.FileMode
		want    string // the keys, or what the error says
		wrong   bool
	}{
		{"one\n", 0o600, "one", false},
		{"one\ntwo\n", 0o400, "one two", false},
		{"one\n", 0o640, "chmod 600", true},
		{"one\n", 0o604, "chmod 600", true},
		{"one\ntwo\nthree\n", 0o600, "a line each", true},
		{"\n", 0o600, "a line each", true},
		{strings.Repeat("k", maxSignatureKeys+1), 0o600, "a key or two", true},
	} {
		_ = os.Remove(path) // it need not be there
		if err := os.WriteFile(path, []byte(c.content), c.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil { // whatever the umask is
			t.Fatal(err)
		}
		keys, err := signatureKeys(backends.Connection{SignatureKeys: path})
		switch {
		case c.wrong && (err == nil || exitCode(err) != codeUsage || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path)):
			t.Errorf("%.20q of mode %o: error %v", c.content, c.mode, err)
		case !c.wrong && (err != nil || strings.Join(keys, " ") != c.want):
			t.Errorf("%.20q of mode %o: %v %v", c.content, c.mode, keys, err)
		}
	}
	if _, err := signatureKeys(backends.Connection{SignatureKeys: path + ".nowhere"}); exitCode(err) != codeUsage {
		t.Errorf("without the file: %v", err)
	}
}
