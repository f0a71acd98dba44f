package entra

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim/simtest/browser"
)

// device asks for a device code and gives the answer.
func (f *fixture) device(tenant string, change ...string) map[string]any {
	f.t.Helper()
	form := with(url.Values{"client_id": {f.s.Public.ID}, "scope": {"Mail.Read offline_access"}}, change...)
	status, body := f.postTo(tenant, "devicecode", form)
	if status != 200 {
		f.t.Fatalf("%d %v", status, body)
	}
	return body
}

// poll asks for the tokens of a device code, after some time, and gives the error or "".
func (f *fixture) poll(after time.Duration, d map[string]any, change ...string) (string, map[string]any) {
	f.t.Helper()
	f.w.Clock.Advance(after)
	form := with(url.Values{"client_id": {f.s.Public.ID}, "grant_type": {deviceGrant}, "device_code": {d["device_code"].(string)}}, change...)
	_, body := f.post(f.c.TenantID, form)
	e, _ := body["error"].(string)
	return e, body
}

func (p *person) enter(code string) *browser.Page {
	p.t.Helper()
	return p.press(p.open("/devicelogin"), "idSIButton9", "otc", code)
}

func TestDeviceCode(t *testing.T) {
	f := newFixture(t)
	d := f.device(f.c.Domain)
	if d["interval"] != 5.0 || d["expires_in"] != 900.0 || d["verification_uri"] != f.srv.URL+"/devicelogin" || d["verification_uri_complete"] != nil || d["message"] == "" {
		t.Fatalf("%v", d)
	}
	step := 5 * time.Second
	for range 3 {
		if e, body := f.poll(step, d); e != "authorization_pending" || number(body) != 70016 {
			t.Fatalf("%v", body)
		}
	}
	p := f.person()
	if page := p.enter("WRONGCODE"); page.Value("codeError", "data-aadsts") != "70018" {
		t.Errorf("wrong user code: %q", page.Text("codeError"))
	}
	page := p.signIn(p.enter(d["user_code"].(string)), "alice@contoso.com")
	page = p.press(page, "idSIButton9")
	if page.Text("message") == "" {
		t.Fatalf("%q", page.Title())
	}
	e, body := f.poll(step, d)
	if e != "" || body["refresh_token"] == nil || body["access_token"] == nil {
		t.Fatalf("%v", body)
	}
	if e, _ := f.poll(step, d, "grant_type", "device_code"); e != "bad_verification_code" {
		t.Errorf("second use, by the other name of the grant: %s", e)
	}
	if page := p.enter(d["user_code"].(string)); page.Value("codeError", "data-aadsts") != "90120" {
		t.Errorf("used user code: %q", page.Text("codeError"))
	}
	var seen []device
	mux := f.w.Control(func() any { return nil })
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", "/entra/devices", nil))
	if err := json.Unmarshal(w.Body.Bytes(), &seen); err != nil || len(seen) != 1 || len(seen[0].Polls) != 5 || seen[0].Early != 0 || seen[0].State != deviceRedeemed {
		t.Errorf("%v: %s", err, w.Body)
	}
}

func TestDeviceCodeFailures(t *testing.T) {
	f := newFixture(t)
	step := 5 * time.Second
	p := f.person()
	d := f.device(f.c.TenantID)
	page := p.signIn(p.enter(d["user_code"].(string)), "alice@contoso.com")
	p.press(page, "idBtn_Back")
	if e, body := f.poll(step, d); e != "authorization_declined" || number(body) != 65004 {
		t.Errorf("declined: %v", body)
	}
	// Declined at the consent.
	d = f.device(f.c.TenantID, "client_id", f.s.NewPublic.ID)
	page = p.press(p.press(p.enter(d["user_code"].(string)), "idSIButton9"), "idBtn_Back")
	if e, _ := f.poll(step, d, "client_id", f.s.NewPublic.ID); e != "authorization_declined" {
		t.Errorf("consent declined: %s (%q)", e, page.Title())
	}
	d = f.device(f.c.TenantID)
	if e, body := f.poll(step, d, "device_code", "x"); e != "bad_verification_code" || number(body) != 70018 {
		t.Errorf("unknown code: %v", body)
	}
	if e, _ := f.poll(step, d, "client_id", f.s.NewPublic.ID); e != "bad_verification_code" {
		t.Errorf("another client: %s", e)
	}
	f.set("entra.multi_tenant", true)
	if e, _ := f.poll(step, f.device("organizations")); e != "bad_verification_code" {
		t.Errorf("another tenant segment: %s", e)
	}
	if e, body := f.poll(901*time.Second, d); e != "expired_token" || number(body) != 70019 {
		t.Errorf("expired: %v", body)
	}
	if page := p.enter(d["user_code"].(string)); page.Value("codeError", "data-aadsts") != "70019" {
		t.Errorf("expired at the page: %q", page.Text("codeError"))
	}
	// Faster than the interval: forgiven for a while, then a loop.
	d = f.device(f.c.TenantID)
	for range 4 {
		if e, _ := f.poll(time.Second, d); e != "authorization_pending" {
			t.Fatalf("early: %s", e)
		}
	}
	if e, body := f.poll(time.Second, d); e != "invalid_grant" || number(body) != 50196 {
		t.Errorf("loop: %v", body)
	}
	// slow_down makes the interval longer for good.
	d = f.device(f.c.TenantID)
	f.set("entra.slow_down", 1)
	f.set("entra.device_early_polls", 0)
	if e, body := f.poll(step, d); e != "slow_down" || body["error_codes"] != nil {
		t.Errorf("%v", body)
	}
	if e, _ := f.poll(2*step, d); e != "authorization_pending" {
		t.Errorf("after slow_down: %s", e)
	}
	if e, _ := f.poll(step, d); e != "invalid_grant" {
		t.Errorf("at the old interval: %s", e)
	}
	// A confidential client needs its secret for this too.
	d = f.device(f.c.TenantID, "client_id", f.s.Confidential.ID)
	if _, body := f.poll(step, d, "client_id", f.s.Confidential.ID); number(body) != 7000218 {
		t.Errorf("confidential client: %v", body)
	}
	for name, change := range map[string][]string{"900144": {"scope", ""}, "700016": {"client_id", "x"}, "28000": {"scope", "https://graph.microsoft.com/User.Read https://b.example/c"}} {
		form := with(url.Values{"client_id": {f.s.Public.ID}, "scope": {"Mail.Read"}}, change...)
		if status, body := f.postTo(f.c.TenantID, "devicecode", form); status != 400 || body["error_description"] == nil {
			t.Errorf("%s: %d %v", name, status, body)
		}
	}
}
