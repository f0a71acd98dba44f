package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLoginOtherStore: a sign-in goes into another kind of store at the same place, and stays there.
func TestLoginOtherStore(t *testing.T) {
	t.Parallel()
	e := newLoginEnv(t)
	r := e.sim.Ready()
	secret, phrase := e.secretFile("secret", r.ClientSecret), e.secretFile("phrase", "a passphrase")
	args := []string{"--name", "company", "--app-only", "--client-id", r.ClientID, "--tenant", r.Tenant}
	for i, more := range [][]string{{"--client-secret-file", secret, "--store", "file"}, {"--store", "age", "--passphrase-file", phrase}, {"--store", "file"}} {
		report := e.begin(e.microsoft(append(append([]string{"--json"}, args...), more...)...)...).report()
		data, err := os.ReadFile(strings.TrimSuffix(report.Store, " (encrypted)"))
		if err != nil || strings.HasPrefix(string(data), "-----BEGIN AGE") != (i == 1) {
			t.Errorf("%q: the sign-in is gone or in another form: %.40q %v", more, data, err)
		}
		if left, err := filepath.Glob(filepath.Join(filepath.Dir(e.config), "credentials", "*")); err != nil || len(left) > 2 { // with a lock
			t.Errorf("%q: there are %v, %v", more, left, err)
		}
		e.expect(0, []string{"works"}, "connections", "test", "company")
	}

	// One file for both. What the configuration can't say leaves the sign-in in the form that it has there.
	explicit := e.path("creds")
	e.editConfig(func(s string) string { return s + "credentials = \"" + explicit + "\"\n" })
	login := func(more []string, code int, sealed bool) {
		t.Helper()
		s := e.begin(e.microsoft(append(append([]string{"--json"}, args...), more...)...)...)
		if got := s.end(); got != code {
			t.Fatalf("%q: exit %d, want %d\n%s", more, got, code, s.said())
		}
		if data, err := os.ReadFile(explicit); err != nil || strings.HasPrefix(string(data), "-----BEGIN AGE") != sealed {
			t.Errorf("%q: the sign-in is gone or in another form: %.40q %v", more, data, err)
		}
	}
	login([]string{"--client-secret-file", secret}, 0, false)
	lock := filepath.Join(filepath.Dir(e.config), ".config.toml.lock")
	for i, more := range [][]string{{"--store", "age", "--passphrase-file", phrase}, {"--store", "file"}} {
		if err := errors.Join(os.Remove(lock), os.Mkdir(lock, 0o700)); err != nil { // a directory stops root, too
			t.Fatal(err)
		}
		login(more, codeOther, i == 1)
		if err := os.Remove(lock); err != nil {
			t.Fatal(err)
		}
		e.expect(0, []string{"works"}, "connections", "test", "company")
		login(more, 0, i == 0)
	}

	// A connection without a store of ours.
	e.editConfig(func(string) string {
		return "[connections.company]\ntype = \"microsoft\"\nauth = \"token\"\ntoken_command = \"echo x\"\n"
	})
	s := e.begin(e.microsoft(append(args, "--client-secret-file", secret, "--json")...)...)
	if report := s.report(); report.Auth != "app" {
		t.Errorf("report %+v", report)
	}
}
