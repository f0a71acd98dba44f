package auth

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestLife(t *testing.T) {
	at := func(s string) time.Time {
		d, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	until := time.Now().Add(30 * 24 * time.Hour).Truncate(time.Second).UTC()
	pem := write(t, 0o600, certPEM(t, rsaKey(), "workfs", time.Now().Add(-time.Hour), until), keyPEM(t, rsaKey()))
	const person = `{"client_secret":"s","refresh_token":"r","account":"anna@contoso.example","scope":"Mail.Read User.Read",
		"signed_in_at":"2026-01-01T00:00:00Z","refreshed_at":"2026-02-01T00:00:00Z","secret_expires_at":"2027-01-01T00:00:00Z"}`
	ms := MicrosoftConfig{Tenant: "t", ClientID: "c"}
	app := MicrosoftConfig{Tenant: "t", ClientID: "c", AppOnly: true}
	signed := MicrosoftConfig{Tenant: "t", ClientID: "c", AppOnly: true, Certificate: pem}
	both := MicrosoftConfig{Tenant: "t", ClientID: "c", Certificate: pem}
	for name, tt := range map[string]struct {
		cfg    any
		stored string
		want   Life
	}{
		"person": {ms, person, Life{By: ByPerson, Account: "anna@contoso.example", Scopes: []string{"Mail.Read", "User.Read"}, SignedInAt: at("2026-01-01"),
			RefreshedAt: at("2026-02-01"), RefreshTokenEnds: at("2026-05-02"), SecretEnds: at("2027-01-01")}},
		"person of a public app": {ms, `{"refresh_token":"r","signed_in_at":"2026-01-01T00:00:00Z","secret_expires_at":"2027-01-01T00:00:00Z"}`,
			Life{By: ByPerson, SignedInAt: at("2026-01-01"), RefreshTokenEnds: at("2026-04-01")}},
		"an old file": {ms, `{"refresh_token":"r","issued_at":"2026-01-01T00:00:00Z","expires_at":"2026-01-02T00:00:00Z"}`,
			Life{By: ByPerson, RefreshTokenEnds: at("2026-04-01"), AccessTokenEnds: at("2026-01-02")}},
		"nothing known": {ms, `{"refresh_token":"r"}`, Life{By: ByPerson}},
		"app":           {app, `{"client_secret":"s","secret_expires_at":"2027-01-01T00:00:00Z","issued_at":"2026-01-01T00:00:00Z"}`, Life{By: BySecret, SecretEnds: at("2027-01-01")}},
		"certificate":   {signed, `{"client_secret":"s","secret_expires_at":"2027-01-01T00:00:00Z"}`, Life{By: ByCertificate, CertificateEnds: until}},
		"certificate of a person's app": {both, `{"refresh_token":"r","refreshed_at":"2026-02-01T00:00:00Z"}`,
			Life{By: ByPerson, RefreshedAt: at("2026-02-01"), RefreshTokenEnds: at("2026-05-02"), CertificateEnds: until}},
		"box": {BoxConfig{ClientID: "c"}, `{"client_secret":"s","refresh_token":"r","refreshed_at":"2026-02-01T00:00:00Z"}`,
			Life{By: ByPerson, RefreshedAt: at("2026-02-01"), RefreshTokenEnds: at("2026-04-02")}},
		"ccg": {BoxConfig{ClientID: "c", SubjectType: "user", SubjectID: "1"}, `{"client_secret":"s"}`, Life{By: BySecret}},
		"jwt": {BoxConfig{ClientID: "c", SubjectType: "user", SubjectID: "1", JWT: true, KeyID: "k"}, `{"client_secret":"s"}`, Life{By: ByKey}},
	} {
		var s Source
		store := File(credentials(t, tt.stored))
		switch cfg := tt.cfg.(type) {
		case MicrosoftConfig:
			s = NewMicrosoft(cfg, store, nil)
		case BoxConfig:
			s = NewBox(cfg, store, nil)
		}
		got, err := s.Life()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		same := slices.Equal(got.Scopes, tt.want.Scopes)
		got.Scopes, tt.want.Scopes = nil, nil
		if got.CertificateEnds = got.CertificateEnds.UTC(); !same || !sameLife(got, tt.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, tt.want)
		}
	}

	// A key that can't be read leaves the certificate's end known.
	os.Chmod(pem, 0o600)
	l, err := NewMicrosoft(MicrosoftConfig{Tenant: "t", ClientID: "c", AppOnly: true, Certificate: pem, PrivateKey: pem + "-missing"}, File(credentials(t, `{}`)), nil).Life()
	var e *Error
	if !errors.As(err, &e) || e.Kind != Broken || l.CertificateEnds.UTC() != until {
		t.Errorf("%+v %v", l, err)
	}
	if _, err := NewMicrosoft(ms, File(filepath.Join(t.TempDir(), "none")), nil).Life(); !errors.Is(err, ErrNoCredentials) {
		t.Error(err)
	}
}

func sameLife(a, b Life) bool {
	for _, d := range []time.Duration{a.SignedInAt.Sub(b.SignedInAt), a.RefreshedAt.Sub(b.RefreshedAt), a.AccessTokenEnds.Sub(b.AccessTokenEnds),
		a.RefreshTokenEnds.Sub(b.RefreshTokenEnds), a.SecretEnds.Sub(b.SecretEnds), a.CertificateEnds.Sub(b.CertificateEnds)} {
		if d != 0 {
			return false
		}
	}
	return a.By == b.By && a.Account == b.Account
}

// TestRotationIsWrittenDown notes when a refresh token was issued and what it is for, and leaves the rest as it was.
func TestRotationIsWrittenDown(t *testing.T) {
	e := serve(t, reply{200, `{"access_token":"at","refresh_token":"r1","expires_in":3600,"scope":"https://graph.microsoft.com/Mail.Read https://graph.microsoft.com/User.Read"}`, nil})
	path := credentials(t, `{"refresh_token":"r0","lineage":"l","account":"anna","scope":"Mail.Read","signed_in_at":"2026-01-01T00:00:00Z"}`)
	before := time.Now().Add(-time.Second)
	token(t, NewMicrosoft(MicrosoftConfig{LoginURL: e.URL, Tenant: "t", ClientID: "c"}, File(path), nil))
	c, err := File(path).Load()
	if err != nil {
		t.Fatal(err)
	}
	if c.RefreshToken != "r1" || c.Scope != "Mail.Read User.Read" || c.RefreshedAt.Before(before) || c.Lineage != "l" || c.Account != "anna" || c.SignedInAt.Year() != 2026 {
		t.Errorf("%+v", c)
	}
}

// TestCertificateAlone needs no stored credentials, and stores the token where it can.
func TestCertificateAlone(t *testing.T) {
	e := serve(t, reply{200, `{"access_token":"at%N","expires_in":3600}`, nil})
	cfg := MicrosoftConfig{LoginURL: e.URL, Tenant: "t", ClientID: "c", AppOnly: true, Certificate: write(t, 0o600, goodCert(t, rsaKey(), "workfs"), keyPEM(t, rsaKey()))}
	path := filepath.Join(t.TempDir(), "new", "credentials.json")
	s := NewMicrosoft(cfg, File(path), nil)
	if l, err := s.Life(); err != nil || l.By != ByCertificate {
		t.Errorf("%+v %v", l, err)
	}
	if got := token(t, s) + token(t, NewMicrosoft(cfg, File(path), nil)); got != "at1at1" {
		t.Errorf("tokens %s", got)
	}
	cfg.Certificate = ""
	if _, err := NewMicrosoft(cfg, File(path+"-missing"), nil).Token(t.Context()); !errors.Is(err, ErrNoCredentials) || !strings.Contains(err.Error(), "there is no credentials file") {
		t.Error(err)
	}
}

// TestCutOffRenewal says why the refresh token is used up where that is known, after it has tried it.
func TestCutOffRenewal(t *testing.T) {
	down, refusal := reply{500, "", nil}, reply{400, `{"error":"invalid_grant","error_description":"Invalid refresh token"}`, nil}
	e := serve(t, down, down, down, refusal)
	path := credentials(t, `{"client_secret":"x","refresh_token":"r0"}`)
	cfg := BoxConfig{TokenURL: e.URL, ClientID: "c"}
	if _, err := NewBox(cfg, File(path), nil).Token(t.Context()); err == nil {
		t.Fatal("no error")
	}
	_, err := NewBox(cfg, File(path), nil).Token(t.Context())
	if err == nil || !strings.Contains(err.Error(), "was cut off") || !strings.Contains(err.Error(), "sign in again (invalid_grant)") || e.calls.Load() != 4 {
		t.Errorf("%v after %d requests", err, e.calls.Load())
	}
	// Another refusal is what it is.
	other := credentials(t, `{"client_secret":"x","refresh_token":"r1"}`)
	if _, err := NewBox(cfg, File(other), nil).Token(t.Context()); err == nil || strings.Contains(err.Error(), "cut off") {
		t.Error(err)
	}
}
