package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/sim"
)

// doctor runs the doctor and gives what it found.
func (e *env) doctor(args ...string) (doctorReport, int) {
	e.t.Helper()
	stdout, stderr, code := e.workfs(append([]string{"doctor", "--json"}, args...)...)
	var r doctorReport
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		e.t.Fatalf("exit %d: %s%s", code, stdout, stderr)
	}
	if (code == 0) != (r.Problems == 0) {
		e.t.Errorf("exit %d with %d problems", code, r.Problems)
	}
	for _, f := range r.Findings {
		if f.What == "" || f.State != findingOK && f.Why == "" {
			e.t.Errorf("a finding does not say enough: %+v", f)
		}
	}
	return r, code
}

// found gives the findings that are not ok, with a text.
func (r doctorReport) found(check, text string) (list []finding) {
	for _, f := range r.Findings {
		if f.Check == check && f.State != findingOK && strings.Contains(f.About+": "+f.What, text) {
			list = append(list, f)
		}
	}
	return list
}

func TestDoctorFindsNothing(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{TLSDir: t.TempDir()})
	m := e.mount()
	r, code := e.doctor()
	if code != 0 {
		t.Errorf("problems: %+v", r.Findings)
	}
	for _, check := range []string{"configuration", "fuse", "state directory", "cache directory", "runtime directory", "mounts", "cache", "secrets", "tls", "clock", "sign-in", "permissions"} {
		seen := false
		for _, f := range r.Findings {
			seen = seen || f.Check == check
		}
		if !seen {
			t.Errorf("nothing is said of %s", check)
		}
	}
	stdout, _, _ := e.workfs("doctor")
	if !strings.Contains(stdout, "ok       sign-in (contoso): it works") {
		t.Errorf("as text:\n%s", stdout)
	}
	for _, name := range []string{"contoso", "box"} {
		for key, value := range e.credentials(name) {
			if s, ok := value.(string); ok && (strings.Contains(key, "token") || key == "client_secret") && strings.Contains(stdout, s) {
				t.Errorf("the %s of %s is shown", key, name)
			}
		}
	}
	m.umount()
}

// TestDoctorFinds: each trouble is found, with what helps.
func TestDoctorFinds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, check, text, do string
		state                 string
		make                  func(e *env) (args []string)
	}{
		{"no configuration", "configuration", "no connection", "workfs login", findingProblem, func(e *env) []string {
			e.config = e.path("home", "nothing.toml")
			e.write(e.config, "")
			return nil
		}},
		{"bad configuration", "configuration", "unknown key", "mend", findingProblem, func(e *env) []string {
			e.editConfig(func(s string) string {
				return strings.Replace(s, "[connections.box]\n", "[connections.box]\nwrong = 1\n", 1)
			})
			return nil
		}},
		{"open configuration", "configuration", "others may write", "chmod 600", findingProblem, func(e *env) []string { e.chmod(e.config, 0o666); return nil }},
		{"open state", "state directory", "others may look", "chmod 700", findingProblem, func(e *env) []string {
			if err := os.Mkdir(e.state, 0o755); err != nil {
				e.t.Fatal(err)
			}
			e.chmod(e.state, 0o755)
			return nil
		}},
		{"open secrets", "secrets", "others may read", "chmod 600", findingProblem, func(e *env) []string {
			e.chmod(filepath.Join(e.etc, "credentials", "contoso.json"), 0o644)
			return nil
		}},
		{"nobody has signed in", "secrets", "nobody has signed in", "workfs login microsoft --name contoso", findingProblem, func(e *env) []string {
			if err := os.Remove(filepath.Join(e.etc, "credentials", "contoso.json")); err != nil {
				e.t.Fatal(err)
			}
			return nil
		}},
		{"dead sign-in", "sign-in", "AADSTS50173", "workfs login microsoft --name contoso", findingProblem, func(e *env) []string {
			e.set("entra.refresh_error", 50173)
			e.editCredentials("contoso", nil)
			return nil
		}},
		{"secret ends", "end of sign-in", "the client secret ends on", "workfs", findingWarning, func(e *env) []string {
			e.editCredentials("contoso", map[string]any{"secret_expires_at": time.Now().Add(5 * 24 * time.Hour)})
			return nil
		}},
		{"clock behind", "clock", "behind", "timedatectl", findingProblem, func(e *env) []string {
			e.sim.World().Clock.Advance(10 * time.Minute)
			return []string{"-c", "contoso"}
		}},
		{"untrusted certificate", "tls", "does not trust", "ca_file", findingProblem, func(e *env) []string {
			e.editConfig(func(s string) string {
				var kept []string
				for line := range strings.Lines(s) {
					if !strings.HasPrefix(line, "ca_file") {
						kept = append(kept, line)
					}
				}
				return strings.Join(kept, "")
			})
			return nil
		}},
		{"no such host", "dns", "not found", "network", findingProblem, func(e *env) []string {
			e.editConfig(func(s string) string {
				return strings.Replace(s, e.sim.Ready().Graph, "https://graph.workfs.invalid", 1)
			})
			return []string{"-c", "contoso"}
		}},
		{"webhook", "webhooks", "does not answer", "tunnel", findingProblem, func(*env) []string { return []string{"--webhook-address", "http://127.0.0.1:1"} }},
		{"no room", "cache", "has", "--cache-min-free", findingProblem, func(e *env) []string {
			if err := os.Mkdir(e.cache, 0o700); err != nil {
				e.t.Fatal(err)
			}
			return []string{"--cache-min-free", "1000000G"}
		}},
		{"damage", "cache", "set aside", "disk", findingWarning, func(e *env) []string {
			if err := os.Mkdir(e.cache, 0o700); err != nil {
				e.t.Fatal(err)
			}
			e.write(filepath.Join(e.cache, "meta.db"), strings.Repeat("no database", 10_000))
			return nil
		}},
		{"dead mount", "mounts", "its process is gone", "workfs umount", findingProblem, func(e *env) []string {
			m := e.mount()
			m.kill9()
			return nil
		}},
		{"box secret", "sign-in", "client_id or client_secret is wrong", "", findingProblem, func(e *env) []string {
			e.editCredentials("box", map[string]any{"client_secret": "wrong"})
			return []string{"-c", "box"}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, sim.Options{TLSDir: t.TempDir()})
			r, _ := e.doctor(c.make(e)...)
			found := r.found(c.check, c.text)
			if len(found) == 0 {
				t.Fatalf("not found: %+v", r.Findings)
			}
			if f := found[0]; f.State != c.state || !strings.Contains(f.Do, c.do) {
				t.Errorf("found %+v", f)
			}
		})
	}
}

// chmod changes the mode of a file of the test.
func (e *env) chmod(path string, mode os.FileMode) {
	e.t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		e.t.Fatal(err)
	}
}

// TestDoctorAsksTheAdministrator: what was not granted is told with what it buys, and the text for the administrator has the
// application, the tenant and the page of consent.
func TestDoctorAsksTheAdministrator(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	e.set("entra.scopes", "User.Read offline_access Mail.Read Calendars.Read")
	e.editCredentials("contoso", nil)
	ready := e.sim.Ready()
	r, _ := e.doctor("-c", "contoso")
	found := r.found("permissions", "ChannelMessage.Read.All was not granted")
	if len(found) != 1 || !strings.Contains(found[0].Why, "the messages in their channels") || !strings.Contains(found[0].Do, "administrator") {
		t.Errorf("found %+v", found)
	}
	if found := r.found("permissions", "Mail.Read was not granted"); len(found) != 0 {
		t.Errorf("found %+v", found)
	}
	for _, text := range []string{ready.ClientID, ready.Tenant, "ChannelMessage.Read.All (delegated): the messages in their channels", "/adminconsent?", "scope="} {
		if !strings.Contains(r.Admin, text) {
			t.Errorf("the text for the administrator lacks %q:\n%s", text, r.Admin)
		}
	}
	stdout, _, _ := e.workfs("doctor", "-c", "contoso")
	if !strings.Contains(stdout, "To send to the administrator:\n") {
		t.Errorf("as text:\n%s", stdout)
	}
}

func TestDoctorParts(t *testing.T) {
	t.Parallel()
	for off, want := range map[time.Duration]string{
		time.Minute: findingOK, -time.Minute: findingOK, 3 * time.Minute: findingWarning, -3 * time.Minute: findingWarning, -6 * time.Minute: findingProblem,
	} {
		if f := skewFinding("host", off); f.State != want || off == -6*time.Minute && f.What != "the clock of this machine is 6m ahead" {
			t.Errorf("%v off: %+v", off, f)
		}
	}
	dir := t.TempDir()
	helper := filepath.Join(dir, "fusermount3")
	if err := os.WriteFile(helper, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if got := fusermountFinding(helper); got[0].State != findingProblem {
		t.Errorf("without set-user-id: %+v", got)
	}
	if err := os.Chmod(helper, 0o755|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	if got := fusermountFinding(helper); got[0].State != findingOK {
		t.Errorf("with set-user-id: %+v", got)
	}
	now := time.Now()
	for end, want := range map[time.Duration]string{-time.Hour: findingProblem, 24 * time.Hour: findingWarning} {
		got := endFindings(backends.Connection{Name: "c"}, auth.Life{CertificateEnds: now.Add(end), AccessTokenEnds: now}, now)
		if len(got) != 1 || got[0].State != want || !strings.Contains(got[0].Do, "keygen") {
			t.Errorf("a certificate that ends in %v: %+v", end, got)
		}
	}
	box := adminBlock(backends.Connection{Type: "box", ClientID: "id", Subject: "enterprise:77"}, []string{"Manage users"})
	for _, text := range []string{"id", "Enterprise id: 77", "- Manage users", "authorise"} {
		if !strings.Contains(box, text) {
			t.Errorf("the text for Box's administrator lacks %q:\n%s", text, box)
		}
	}
	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	defer down.Close()
	if got := checkWebhook(context.Background(), &examination{webhook: webhookOptions{address: down.URL}}); got[0].State != findingWarning {
		t.Errorf("an address behind which is nobody: %+v", got)
	}
}
