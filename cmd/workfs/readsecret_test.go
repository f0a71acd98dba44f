package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/workfs/workfs/auth"
)

// TestReadSecret: one line end is cut off, and nothing else.
func TestReadSecret(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"s3cret": "s3cret", "s3cret\n": "s3cret", "s3cret\r\n": "s3cret", " with spaces \t\n": " with spaces \t", "two\n\n": "two\n",
		"s3cret\r": "s3cret\r", "a\nkey\n": "a\nkey", strings.Repeat("x", maxSecret): strings.Repeat("x", maxSecret),
	} {
		if got, err := readSecret(strings.NewReader(in), "standard input", "client secret"); got != want || err != nil {
			t.Errorf("%.20q gives %.20q, %v", in, got, err)
		}
	}
	for in, want := range map[string]string{
		"": "standard input has no client secret", "\n": "standard input has no client secret", "\r\n\n": "standard input has no client secret",
		strings.Repeat("x", maxSecret+1): "more than 64.0 KiB",
	} {
		got, err := readSecret(strings.NewReader(in), "standard input", "client secret")
		if got != "" || exitCode(err) != codeUsage || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q gives %.20q, %v", in, got, err)
		}
	}
	broken := errors.New("broken")
	if _, err := readSecret(iotest.ErrReader(broken), "standard input", "client secret"); !errors.Is(err, broken) {
		t.Errorf("a failure gives %v", err)
	}
}

// TestAskSecret: what is typed is taken as what is piped.
func TestAskSecret(t *testing.T) {
	t.Parallel()
	person, program := newTerminalPair(t)
	var said bytes.Buffer
	at := newTerminal(program, &said)
	for typed, want := range map[string]string{" with spaces \n": " with spaces ", "s3cret\r": "s3cret"} { // a terminal makes \n of \r
		if _, err := io.WriteString(person, typed); err != nil {
			t.Fatal(err)
		}
		said.Reset()
		if got, err := askSecret(t.Context(), at, program, "client secret"); got != want || err != nil || !strings.HasPrefix(said.String(), "Client secret (not shown): ") {
			t.Errorf("%q gives %q, %v, after %q", typed, got, err, said.String())
		}
	}
	if _, err := io.WriteString(person, "\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := askSecret(t.Context(), at, program, "client secret"); exitCode(err) != codeUsage || !strings.Contains(err.Error(), "the client secret is empty") {
		t.Errorf("nothing gives %v", err)
	}
}

// TestOneSecretFromStdin: standard input is one secret; at a terminal several can be asked for, but not beside a key.
func TestOneSecretFromStdin(t *testing.T) {
	t.Parallel()
	person, program := newTerminalPair(t)
	if _, err := io.WriteString(person, "first\nsecond\n"); err != nil {
		t.Fatal(err)
	}
	seated, piped := newTerminal(program, io.Discard), newTerminal(strings.NewReader(""), io.Discard)
	two, withKey := connectionDraft{secretFile: "-", phraseFile: "-"}, connectionDraft{secretFile: "-", keyFile: "-"}
	for _, c := range []struct {
		d *connectionDraft
		t *terminal
	}{{&two, piped}, {&withKey, piped}, {&withKey, seated}} {
		if _, err := c.d.secrets(t.Context(), c.t, strings.NewReader("x\n")); exitCode(err) != codeUsage || !strings.Contains(err.Error(), "only one secret") {
			t.Errorf("%+v gives %v", *c.d, err)
		}
	}
	if got, err := two.secrets(t.Context(), seated, program); err != nil || got != (auth.Credentials{ClientSecret: "first", Passphrase: "second"}) {
		t.Errorf("typed %+v, %v", got, err)
	}
	key := connectionDraft{keyFile: "-"}
	if got, err := key.secrets(t.Context(), piped, strings.NewReader("a\nkey\n")); err != nil || got.PrivateKey != "a\nkey" {
		t.Errorf("key %+v, %v", got, err)
	}
}
