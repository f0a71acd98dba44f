package box

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

func TestTokenErrors(t *testing.T) {
	f := start(t, core.Options{}, "")
	good := []string{"grant_type", "client_credentials", "client_id", "app", "client_secret", "hush", "box_subject_type", "user", "box_subject_id", f.co.Alice().BoxID}
	with := func(key, value string) []string {
		out := append([]string(nil), good...)
		for i := 0; i < len(out); i += 2 {
			if out[i] == key {
				out[i+1] = value
			}
		}
		return out
	}
	for _, tc := range []struct{ name, key, value, want, text string }{
		{"secret", "client_secret", "wrong", "invalid_client", "client credentials are invalid"},
		{"grant", "grant_type", "password", "invalid_request", "Invalid grant_type"},
		{"subject", "box_subject_id", "12345", "invalid_grant", "Grant credentials are invalid"},
		{"outsider", "box_subject_id", f.co.Guests[0].BoxID, "invalid_grant", "Grant credentials are invalid"},
		{"service", "box_subject_id", f.s.store.services[0].id(), "invalid_request", "Cannot obtain user token"},
	} {
		a := f.form("/oauth2/token", with(tc.key, tc.value)...)
		d := a.doc(t)
		if a.status != 400 || d.str("error") != tc.want || !strings.Contains(d.str("error_description"), tc.text) {
			t.Errorf("%s: %d %s", tc.name, a.status, a.body)
		}
		if a.header.Get("Date") == "" || a.header.Get("box-request-id") == "" {
			t.Errorf("%s: headers %v", tc.name, a.header)
		}
	}
	basic := f.send("POST", f.w.Hosts.BoxAPI+"/oauth2/token", strings.NewReader("grant_type=client_credentials"),
		"Content-Type", "application/x-www-form-urlencoded", "Authorization", "Basic YXBwOmh1c2g=")
	if d := basic.doc(t); basic.status != 400 || d.str("error") != "invalid_client" {
		t.Errorf("Basic: %d %s", basic.status, basic.body)
	}
	asJSON := f.send("POST", f.w.Hosts.BoxAPI+"/oauth2/token", strings.NewReader(`{"grant_type":"client_credentials"}`), "Content-Type", "application/json")
	if d := asJSON.doc(t); asJSON.status != 400 || d.str("error") != "invalid_request" {
		t.Errorf("JSON: %d %s", asJSON.status, asJSON.body)
	}
	a := f.form("/oauth2/token", good...)
	d := a.doc(t)
	if _, has := d["refresh_token"]; has || d.str("token_type") != "bearer" {
		t.Errorf("client credentials: %s", a.body)
	}
	f.set("box.app_authorized", false)
	if d := f.form("/oauth2/token", good...).doc(t); d.str("error") != "unauthorized_client" {
		t.Errorf("app without authorisation: %v", d)
	}
}

func TestRefreshTokenRotates(t *testing.T) {
	f := start(t, core.Options{}, "")
	refresh := func(token string) answer {
		return f.form("/oauth2/token", "grant_type", "refresh_token", "client_id", "app", "client_secret", "hush", "refresh_token", token)
	}
	first := f.s.IssueRefreshToken("alice@contoso.com")
	a := refresh(first)
	d := a.doc(t)
	if a.status != 200 || d.str("refresh_token") == first {
		t.Fatalf("refresh: %d %s", a.status, a.body)
	}
	f.token = d.str("access_token")
	if me := f.get("/users/me"); me.str("login") != "alice@contoso.com" {
		t.Errorf("me: %v", me)
	}
	if again := refresh(first); again.status != 400 || again.doc(t).str("error") != "invalid_grant" {
		t.Errorf("second use: %d %s", again.status, again.body)
	}

	// A dropped answer leaves the client with a dead token.
	second := d.str("refresh_token")
	f.set("box.drop_refresh", 1)
	body := "grant_type=refresh_token&client_id=app&client_secret=hush&refresh_token=" + second
	resp, err := f.client.Post(f.w.Hosts.BoxAPI+"/oauth2/token", "application/x-www-form-urlencoded", strings.NewReader(body))
	if err == nil {
		resp.Body.Close()
		t.Fatalf("dropped answer arrived: %s", resp.Status)
	}
	if again := refresh(second); again.status != 400 {
		t.Errorf("token survived a dropped answer: %d", again.status)
	}

	third := f.s.IssueRefreshToken("alice@contoso.com")
	f.w.Clock.Advance(61 * 24 * time.Hour)
	if late := refresh(third); !strings.Contains(late.doc(t).str("error_description"), "expired") {
		t.Errorf("after 61 days: %s", late.body)
	}
}

func TestAccessTokenEnds(t *testing.T) {
	f := start(t, core.Options{}, "")
	f.set("box.token_seconds", 5)
	f.token = f.ccg("user", f.co.Alice().BoxID)
	f.get("/users/me")
	f.w.Clock.Advance(5 * time.Second)
	a := f.api("GET", "/users/me", nil)
	if a.status != 401 || len(a.body) != 0 || !strings.Contains(a.header.Get("WWW-Authenticate"), `error="invalid_token"`) {
		t.Errorf("expired: %d %q %v", a.status, a.body, a.header)
	}
	f.set("box.json_401", true)
	f.refused(f.api("GET", "/users/me", nil), 401, "unauthorized")

	f.set("box.token_seconds", 3600)
	f.token = f.ccg("user", f.co.Alice().BoxID)
	f.get("/users/me")
	if a := f.form("/oauth2/revoke", "client_id", "app", "client_secret", "hush", "token", f.token); a.status != 200 || len(a.body) != 0 {
		t.Errorf("revoke: %d %q", a.status, a.body)
	}
	if a := f.api("GET", "/users/me", nil); a.status != 401 {
		t.Errorf("revoked token: %d", a.status)
	}
}

func TestScopesAndAsUser(t *testing.T) {
	f := start(t, core.Options{}, "")
	svc := f.service()
	alice, bob := f.co.Alice().BoxID, f.co.Bob().BoxID
	if d := svc.get("/folders/0/items"); d.str("total_count") != "0" {
		t.Errorf("the Service Account owns %v", d["total_count"])
	}
	if d := svc.get("/users/me", "As-User", alice); d.str("login") != "alice@contoso.com" {
		t.Errorf("as Alice: %v", d)
	}
	if got := svc.list("0", "", "As-User", bob); got["CFO"] == nil || got["Finance"] != nil {
		t.Errorf("Bob's root: %v", got)
	}
	// Under As-User what another enterprise owns is out of reach; with the user's own token it is there.
	if svc.list("0", "", "As-User", alice)["Audit Fabrikam 2026"] != nil || f.list("0", "")["Audit Fabrikam 2026"] == nil {
		t.Error("content of another enterprise: wrong under As-User or for the user")
	}
	d := svc.refused(svc.api("GET", "/users/me", nil, "As-User", "4711"), 404, "not_found")
	if d.str("message") != "On-Behalf-Of User not found" || d.obj("context_info").obj("invalid_user_id").str("id") != "4711" {
		t.Errorf("unknown user: %v", d)
	}
	svc.refused(svc.api("GET", "/users/me", nil, "As-User", f.co.Guests[0].BoxID), 404, "not_found")
	svc.refused(svc.api("GET", "/users/me", nil, "As-User", f.s.store.services[0].id()), 403, "access_denied_insufficient_permissions")
	svc.refused(svc.api("GET", "/users/me", nil, "As-User", f.s.UserID("frank@contoso.com")), 403, "access_denied_insufficient_permissions")
	f.refused(f.api("GET", "/users/me", nil, "As-User", bob), 403, "access_denied_insufficient_permissions")
	coadmin := f.as("carol@contoso.com")
	coadmin.refused(coadmin.api("GET", "/users/me", nil, "As-User", f.s.UserID("grace@contoso.com")), 403, "access_denied_insufficient_permissions")
	coadmin.get("/users/me", "As-User", alice)

	f.set("box.scopes", "root_readonly")
	only := f.service()
	only.refused(only.api("GET", "/users", nil), 403, "insufficient_scope")
	reader := f.as("alice@contoso.com")
	reader.get("/folders/0")
	reader.refused(reader.api("POST", "/folders", map[string]any{"name": "x", "parent": map[string]string{"id": "0"}}), 403, "insufficient_scope")
}

func TestThrottle(t *testing.T) {
	f := start(t, core.Options{Throttle: core.ThrottleReal}, "")
	f.set("box.rate_per_minute", 3)
	bob := f.as("bob@contoso.com")
	for range 3 {
		f.get("/users/me")
	}
	a := f.api("GET", "/users/me", nil)
	f.refused(a, 429, "rate_limit_exceeded")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	bob.get("/users/me") // each user has a budget of their own
	f.set("box.retry_after", false)
	if a := f.api("GET", "/users/me", nil); a.status != 429 || a.header.Get("Retry-After") != "" {
		t.Errorf("mode without Retry-After: %d %v", a.status, a.header)
	}
	f.w.Clock.Advance(time.Minute)
	f.get("/users/me")
}

func TestSearchesAreLimitedMore(t *testing.T) {
	f := start(t, core.Options{Throttle: core.ThrottleReal}, "")
	now := f.w.Clock.Now()
	search := func(f *fixture, want int) {
		t.Helper()
		if a := f.api("GET", "/search?query=budget", nil); a.status != want {
			t.Fatalf("%d, want %d", a.status, want)
		}
		f.w.Clock.Set(now)
	}
	people := []*fixture{f, f.as("bob@contoso.com"), f.as("carol@contoso.com")}
	for _, p := range people[:2] {
		for range 6 {
			search(p, 200)
		}
	}
	search(people[0], 429)
	search(people[2], 429) // 12 of the enterprise
	for s := 1; s < 10; s++ {
		now = now.Add(2 * time.Second) // the window began a moment after the first request
		for range 6 {
			f.w.Clock.Set(now)
			search(f, 200)
		}
	}
	f.w.Clock.Set(now.Add(2 * time.Second))
	search(f, 429) // 60 of a minute
	if got := f.w.Counts(); got.Throttled["box"].Requests != 3 || got.Limits["box per user"].Busiest != 62 {
		t.Errorf("statistics tell of %+v, %+v", got.Throttled, got.Limits)
	}
}

func TestTokensBelongToAnApp(t *testing.T) {
	f := start(t, core.Options{}, "")
	refresh := f.s.IssueRefreshToken("alice@contoso.com")
	access := f.ccg("user", f.co.Bob().BoxID)
	for _, token := range []string{refresh, access} {
		if a := f.form("/oauth2/revoke", "client_id", "server", "client_secret", "quiet", "token", token); a.status != 200 {
			t.Errorf("revoke: %d", a.status)
		}
	}
	f.token = access
	f.get("/users/me") // another app's revoke does nothing
	f.s.apps[1].grants = append(f.s.apps[1].grants, grantRefresh)
	a := f.form("/oauth2/token", "grant_type", "refresh_token", "client_id", "server", "client_secret", "quiet", "refresh_token", refresh)
	if d := a.doc(t); a.status != 400 || d.str("error_description") != "Invalid refresh token" {
		t.Errorf("another app's refresh token: %d %s", a.status, a.body)
	}
	if a := f.form("/oauth2/token", "grant_type", "refresh_token", "client_id", "app", "client_secret", "hush", "refresh_token", refresh); a.status != 200 {
		t.Errorf("its own app: %d %s", a.status, a.body)
	}
}

// TestRefreshDelay has a client lose patience after its token was rotated.
func TestRefreshDelay(t *testing.T) {
	f := start(t, core.Options{}, "")
	token := f.s.IssueRefreshToken("alice@contoso.com")
	f.set("box.refresh_delay_ms", 60_000)
	ctx, cancel := context.WithCancel(t.Context())
	body := "grant_type=refresh_token&client_id=app&client_secret=hush&refresh_token=" + token
	req, err := http.NewRequestWithContext(ctx, "POST", f.w.Hosts.BoxAPI+"/oauth2/token", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	done := make(chan error, 1)
	go func() {
		resp, err := f.client.Do(req)
		if err == nil {
			resp.Body.Close()
		}
		done <- err
	}()
	used := func() bool {
		f.s.tokens.mu.Lock()
		defer f.s.tokens.mu.Unlock()
		return f.s.tokens.refreshes[token].used
	}
	for deadline := time.Now().Add(30 * time.Second); !used(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the token was not rotated")
		}
	}
	cancel()
	if err := <-done; err == nil {
		t.Error("the answer came before the delay was over")
	}
	f.set("box.refresh_delay_ms", 0)
	if a := f.form("/oauth2/token", "grant_type", "refresh_token", "client_id", "app", "client_secret", "hush", "refresh_token", token); a.status != 400 {
		t.Errorf("old token after the crash: %d", a.status)
	}
}

func TestOnboarding(t *testing.T) {
	f := start(t, core.Options{}, "")
	for code, status := range map[string]int{
		"terms_of_service_required": 400, "password_reset_required": 400, "user_email_confirmation_required": 403, "access_from_location_blocked": 403,
	} {
		f.set("box.onboarding", code)
		f.refused(f.api("GET", "/folders/0/items", nil), status, code)
		f.set("box.onboarding", code+" Bob@contoso.com")
		f.get("/folders/0/items?limit=1")
		svc := f.service()
		svc.refused(svc.api("GET", "/users/me", nil, "As-User", f.co.Bob().BoxID), status, code)
	}
}

// TestEnterpriseAccess has apps that reach only what they made themselves.
func TestEnterpriseAccess(t *testing.T) {
	f := start(t, core.Options{}, "")
	svc := f.service()
	made := svc.api("POST", "/users", map[string]any{"name": "Robot", "is_platform_access_only": true}).doc(t).str("id")
	f.set("box.enterprise_access", false)
	svc.refused(svc.api("GET", "/users/me", nil, "As-User", f.co.Bob().BoxID), 403, "access_denied_insufficient_permissions")
	if d := svc.get("/users/me", "As-User", made); d.str("name") != "Robot" {
		t.Errorf("own App user: %v", d)
	}
	f.ccg("user", made)
	a := f.form("/oauth2/token", "grant_type", "client_credentials", "client_id", "app", "client_secret", "hush", "box_subject_type", "user", "box_subject_id", f.co.Bob().BoxID)
	if d := a.doc(t); a.status != 400 || !strings.Contains(d.str("error_description"), "Cannot obtain user token") {
		t.Errorf("managed user: %d %s", a.status, a.body)
	}
}

func TestNotificationsAreCounted(t *testing.T) {
	f := start(t, core.Options{}, "")
	f.w.Stats.Reset()
	f.get("/users/me")
	f.get("/users/me", "box-notifications", "off")
	f.ccg("user", f.co.Alice().BoxID) // no call of the API
	if n := f.w.Stats.Snapshot().Counters["box_notifying"]; n != 1 {
		t.Errorf("%d requests without the header, want 1", n)
	}
}
