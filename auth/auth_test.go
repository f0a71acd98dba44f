package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const secret = "s3cr3t-value"

func credentials(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credentials.json")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// endpoint is a token endpoint that answers with answers in turn, the last one again and again, and keeps the forms.
type endpoint struct {
	*httptest.Server
	mu    sync.Mutex
	forms []url.Values
	calls atomic.Int64
}

type reply struct {
	status int
	body   string
	header http.Header
}

func serve(t *testing.T, answers ...reply) *endpoint {
	e := &endpoint{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		n := int(e.calls.Add(1))
		e.mu.Lock()
		r.PostForm.Set("path", r.URL.Path)
		e.forms = append(e.forms, r.PostForm)
		e.mu.Unlock()
		a := answers[min(n, len(answers))-1]
		for k, v := range a.header {
			w.Header()[k] = v
		}
		w.WriteHeader(a.status)
		fmt.Fprint(w, strings.ReplaceAll(a.body, "%N", fmt.Sprint(n)))
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) form(i int) url.Values {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.forms[i]
}

const good = `{"access_token":"at%N","refresh_token":"rt%N","expires_in":3600,"token_type":"bearer"}`

func token(t *testing.T, s Source) string {
	t.Helper()
	tok, err := s.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return tok.Value
}

func TestMicrosoftForms(t *testing.T) {
	e := serve(t, reply{200, good, nil})
	app := NewMicrosoft(MicrosoftConfig{LoginURL: e.URL, Tenant: "contoso.com", ClientID: "c1", AppOnly: true},
		File(credentials(t, `{"client_secret":"`+secret+`"}`)), nil)
	if got := token(t, app); got != "at1" {
		t.Errorf("token %q", got)
	}
	path := credentials(t, `{"refresh_token":"r0","note":{"kept":true}}`)
	person := NewMicrosoft(MicrosoftConfig{LoginURL: e.URL + "/", Tenant: "contoso.com", ClientID: "c1"}, File(path), nil)
	token(t, person)
	token(t, person)

	want := []string{
		"claims=%7B%22access_token%22%3A%7B%22xms_cc%22%3A%7B%22values%22%3A%5B%22cp1%22%5D%7D%7D%7D&client_id=c1&client_secret=" + secret + "&grant_type=client_credentials&path=%2Fcontoso.com%2Foauth2%2Fv2.0%2Ftoken&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default",
		"claims=%7B%22access_token%22%3A%7B%22xms_cc%22%3A%7B%22values%22%3A%5B%22cp1%22%5D%7D%7D%7D&client_id=c1&grant_type=refresh_token&path=%2Fcontoso.com%2Foauth2%2Fv2.0%2Ftoken&refresh_token=r0&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default+offline_access",
	}
	for i, w := range want {
		if got := e.form(i).Encode(); got != w {
			t.Errorf("request %d:\n got %s\nwant %s", i, got, w)
		}
	}
	if e.calls.Load() != 2 {
		t.Errorf("%d requests, want 2", e.calls.Load())
	}
	var stored map[string]any
	data, _ := os.ReadFile(path)
	if err := json.Unmarshal(data, &stored); err != nil {
		t.Fatal(err)
	}
	if stored["refresh_token"] != "rt2" || stored["access_token"] != "at2" || stored["note"] == nil {
		t.Errorf("stored %s", data)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

func TestAccessTokenSurvivesRestart(t *testing.T) {
	e := serve(t, reply{200, good, nil})
	path := credentials(t, `{"client_secret":"`+secret+`","refresh_token":"r0"}`)
	cfg := BoxConfig{TokenURL: e.URL, ClientID: "c1"}
	token(t, NewBox(cfg, File(path), nil))
	if got := token(t, NewBox(cfg, File(path), nil)); got != "at1" || e.calls.Load() != 1 {
		t.Errorf("token %q after %d requests", got, e.calls.Load())
	}
	// A refused token isn't taken from the file again, and another configuration doesn't take it at all.
	s := NewBox(cfg, File(path), nil)
	s.Invalidate(token(t, s))
	if got := token(t, s); got != "at2" {
		t.Errorf("token %q after it was refused", got)
	}
	cfg.ClientID = "c2"
	if got := token(t, NewBox(cfg, File(path), nil)); got != "at3" {
		t.Errorf("token %q of another client", got)
	}
	if got := e.form(2).Get("refresh_token"); got != "rt2" {
		t.Errorf("refreshed with %q", got)
	}
}

func TestBoxClientCredentials(t *testing.T) {
	e := serve(t, reply{200, `{"access_token":"at%N","expires_in":4123}`, nil})
	s := NewBox(BoxConfig{TokenURL: e.URL, ClientID: "c1", SubjectType: "enterprise", SubjectID: "77"},
		File(credentials(t, `{"client_secret":"`+secret+`"}`)), nil)
	tok, err := s.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(tok.Expires); left < 4000*time.Second || left > 4123*time.Second {
		t.Errorf("token lasts %v", left)
	}
	if got := e.form(0).Encode(); got != "box_subject_id=77&box_subject_type=enterprise&client_id=c1&client_secret="+secret+"&grant_type=client_credentials&path=%2F" {
		t.Error(got)
	}
}

func TestOneRenewalForAll(t *testing.T) {
	release := make(chan struct{})
	var calls atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		<-release
		fmt.Fprint(w, `{"access_token":"at","refresh_token":"next","expires_in":3600}`)
	}))
	defer srv.Close()
	path := credentials(t, `{"client_secret":"x","refresh_token":"r0"}`)
	s := NewBox(BoxConfig{TokenURL: srv.URL, ClientID: "c1"}, File(path), nil)

	// The caller that causes the renewal leaves; the others still get the token, and the rotation is not lost.
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() { _, err := s.Token(ctx); first <- err }()
	for calls.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted caller got %v", err)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if tok, err := s.Token(t.Context()); err != nil || tok.Value != "at" {
				t.Errorf("%v %v", tok, err)
			}
		})
	}
	close(release)
	wg.Wait()
	if calls.Load() != 1 {
		t.Errorf("%d requests", calls.Load())
	}
	if c, _ := File(path).Load(); c.RefreshToken != "next" {
		t.Errorf("stored %q", c.RefreshToken)
	}
}

func TestRefusals(t *testing.T) {
	entra := func(code string, n int) string {
		return fmt.Sprintf(`{"error":%q,"error_description":"AADSTS%d: something %s","error_codes":[%d]}`, code, n, secret, n)
	}
	ms := MicrosoftConfig{Tenant: "t", ClientID: "c1", AppOnly: true}
	person := MicrosoftConfig{Tenant: "t", ClientID: "c1"}
	user := BoxConfig{ClientID: "c1", SubjectType: "user", SubjectID: "1"}
	oauth := BoxConfig{ClientID: "c1"}
	tests := []struct {
		name string
		cfg  any
		reply
		kind Kind
		says string
	}{
		{"wrong secret", ms, reply{401, entra("invalid_client", 7000215), nil}, Denied, "secret is wrong"},
		{"expired secret", ms, reply{401, entra("invalid_client", 7000222), nil}, Denied, "secret has expired"},
		{"unknown app", ms, reply{400, entra("unauthorized_client", 700016), nil}, Denied, "client_id"},
		{"unknown tenant", ms, reply{400, entra("invalid_request", 90002), nil}, Denied, "check tenant"},
		{"scope", ms, reply{400, entra("invalid_scope", 1002012), nil}, Denied, "scope"},
		{"consent", person, reply{400, entra("invalid_grant", 65001), nil}, Denied, "administrator"},
		{"expired", person, reply{400, entra("invalid_grant", 700082), nil}, Denied, "sign in again"},
		{"policy", person, reply{400, entra("interaction_required", 50076), nil}, Denied, "policy"},
		{"transient", person, reply{400, entra("temporarily_unavailable", 50087), nil}, Unreachable, "out of order"},
		{"html", ms, reply{200, "<html>", nil}, Unreachable, "no token"},
		{"redirect", ms, reply{302, "", http.Header{"Location": {"http://127.0.0.1:1/"}}}, Unreachable, "302"},
		{"down", ms, reply{500, "", nil}, Unreachable, "500"},
		{"busy", ms, reply{429, "", http.Header{"Retry-After": {"900"}}}, Throttled, "wait"},
		{"box secret", user, reply{400, `{"error":"invalid_client","error_description":"The client credentials are invalid"}`, nil}, Denied, "client_secret"},
		{"box app", user, reply{400, `{"error":"unauthorized_client","error_description":"This app is not authorized by the enterprise"}`, nil}, Denied, "authorise"},
		{"box subject", user, reply{400, `{"error":"invalid_grant","error_description":"Grant credentials are invalid"}`, nil}, Denied, "check subject"},
		{"box reuse", oauth, reply{400, `{"error":"invalid_grant","error_description":"Refresh token has expired"}`, nil}, Denied, "sign in again"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := serve(t, tt.reply)
			store := File(credentials(t, `{"client_secret":"`+secret+`","refresh_token":"`+secret+`"}`))
			var s Source
			switch cfg := tt.cfg.(type) {
			case MicrosoftConfig:
				cfg.LoginURL = e.URL
				s = NewMicrosoft(cfg, store, nil)
			case BoxConfig:
				cfg.TokenURL = e.URL
				s = NewBox(cfg, store, nil)
			}
			_, err := s.Token(t.Context())
			var ae *Error
			if !errors.As(err, &ae) || ae.Kind != tt.kind || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v (%+v)", err, ae)
			}
			if strings.Contains(fmt.Sprintf("%v %+v", err, err), secret) {
				t.Errorf("the error holds a secret: %v", err)
			}
			if asked := e.calls.Load(); tt.kind == Denied {
				s.Token(t.Context())
				if e.calls.Load() != asked {
					t.Error("a refusal was asked for again at once")
				}
			}
		})
	}
}

func TestBusyIsAskedAgain(t *testing.T) {
	e := serve(t, reply{503, "", nil}, reply{429, "", http.Header{"Retry-After": {"0.05"}}}, reply{200, good, nil})
	s := NewBox(BoxConfig{TokenURL: e.URL, ClientID: "c1"}, File(credentials(t, `{"client_secret":"x","refresh_token":"r0"}`)), nil)
	if got := token(t, s); got != "at3" {
		t.Errorf("token %q", got)
	}
}

func TestNewSignInEndsDenial(t *testing.T) {
	e := serve(t, reply{400, `{"error":"invalid_grant"}`, nil}, reply{200, good, nil})
	path := credentials(t, `{"client_secret":"x","refresh_token":"r0"}`)
	s := NewBox(BoxConfig{TokenURL: e.URL, ClientID: "c1"}, File(path), nil)
	if _, err := s.Token(t.Context()); err == nil {
		t.Fatal("no error")
	}
	os.WriteFile(path, []byte(`{"client_secret":"x","refresh_token":"r1"}`), 0o600)
	if got := token(t, s); got != "at2" {
		t.Errorf("token %q", got)
	}
}

func TestCredentialFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		os.WriteFile(path, []byte(content), mode)
		os.Chmod(path, mode)
		return path
	}
	for path, says := range map[string]string{
		filepath.Join(dir, "missing"):                                 "no credentials file",
		write("open", `{"client_secret":"x"}`, 0o644):                 "chmod 600",
		write("damaged", `{"client_secret":"`+secret, 0o600):          "damaged",
		write("types", `{"client_secret":{"a":"`+secret+`"}}`, 0o600): "damaged",
		write("empty", ``, 0o600):                                     "damaged",
		write("array", `[]`, 0o600):                                   "damaged",
		write("none", `{}`, 0o600):                                    "no client_secret",
		dir:                                                           "not a regular file",
		fifo(t):                                                       "not a regular file",
	} {
		s := NewBox(BoxConfig{TokenURL: "http://127.0.0.1:1", ClientID: "c"}, File(path), nil)
		_, err := s.Token(t.Context())
		var ae *Error
		if !errors.As(err, &ae) || ae.Kind != Broken || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", filepath.Base(path), err)
		}
	}
	if _, err := NewMicrosoft(MicrosoftConfig{ClientID: "c"}, nil, nil).Token(t.Context()); err == nil || !strings.Contains(err.Error(), "tenant") {
		t.Error(err)
	}
}

// TestFailedUpdateKeepsFile checks that an update that fails leaves the old content, and no droppings.
func TestFailedUpdateKeepsFile(t *testing.T) {
	path := credentials(t, `{"client_secret":"x","refresh_token":"r0"}`)
	want := errors.New("no")
	if err := File(path).Update(t.Context(), func(c *Credentials) error { c.RefreshToken = "lost"; return want }); !errors.Is(err, want) {
		t.Error(err)
	}
	if c, err := File(path).Load(); err != nil || c.RefreshToken != "r0" {
		t.Errorf("%+v %v", c, err)
	}
	entries, _ := os.ReadDir(filepath.Dir(path))
	if len(entries) != 2 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestFresh(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		life, age time.Duration
		want      bool
	}{
		{time.Hour, 54 * time.Minute, true},
		{time.Hour, 56 * time.Minute, false},
		{5 * time.Second, 3 * time.Second, true},
		{5 * time.Second, 4500 * time.Millisecond, false},
	} {
		i := issued{"x", now.Add(-tt.age), now.Add(tt.life - tt.age)}
		if got := i.fresh(now); got != tt.want {
			t.Errorf("life %v, age %v: %v", tt.life, tt.age, got)
		}
	}
}

// TestThrottledIsObeyed asks again only once the time that the service named is over.
func TestThrottledIsObeyed(t *testing.T) {
	e := serve(t, reply{429, `{"error":"temporarily_unavailable"}`, http.Header{"Retry-After": {"3600"}}})
	s := NewBox(BoxConfig{TokenURL: e.URL, ClientID: "c"}, File(credentials(t, `{"client_secret":"s","refresh_token":"r0"}`)), nil)
	for range 3 {
		var refusal *Error
		if _, err := s.Token(t.Context()); !errors.As(err, &refusal) || refusal.Kind != Throttled {
			t.Errorf("a throttled renewal gives %v", err)
		}
	}
	if n := e.calls.Load(); n != 1 {
		t.Errorf("%d requests within the hour that the service asked for", n)
	}
}

// TestSettle ends a program in the middle of a renewal: the new refresh token is stored before that.
func TestSettle(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	e := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		<-release
		fmt.Fprint(w, `{"access_token":"at","refresh_token":"r1","expires_in":3600}`)
	}))
	defer e.Close()
	path := credentials(t, `{"client_secret":"s","refresh_token":"r0"}`)
	s := NewBox(BoxConfig{TokenURL: e.URL, ClientID: "c"}, File(path), nil)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	if _, err := s.Token(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("an interrupted caller got %v", err)
	}
	Settle(ctx) // has ended: it does not wait
	time.AfterFunc(20*time.Millisecond, func() { close(release) })
	Settle(t.Context())
	if c, err := File(path).Load(); err != nil || c.RefreshToken != "r1" {
		t.Errorf("after the end the refresh token is %q, %v", c.RefreshToken, err)
	}
}
