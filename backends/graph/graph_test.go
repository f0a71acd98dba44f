package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
)

type tokens struct{}

func (tokens) Token(context.Context) (auth.Token, error) {
	return auth.Token{Value: "t", Expires: time.Now().Add(time.Hour)}, nil
}
func (tokens) Invalidate(string)           {}
func (tokens) Challenge(string, string)    {}
func (tokens) Renew(context.Context) error { return nil }
func (tokens) Life() (auth.Life, error)    { return auth.Life{}, nil }

type memory map[string][]byte

func (m memory) Get(k string) ([]byte, bool)  { v, ok := m[k]; return v, ok }
func (m memory) Put(k string, v []byte) error { m[k] = v; return nil }

// cloudWith serves answers by request URI, with %U for its own address, and counts.
func cloudWith(t *testing.T, answers map[string]string, change ...func(*Config)) (*Client, *[]*http.Request) {
	var seen []*http.Request
	var srv *httptest.Server
	srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r)
		body, ok := answers[r.RequestURI]
		if !ok {
			t.Errorf("unexpected request %s", r.RequestURI)
		}
		if status, rest, found := strings.Cut(body, "!"); found {
			var n int
			fmt.Sscan(status, &n)
			w.WriteHeader(n)
			body = rest
		}
		fmt.Fprint(w, strings.ReplaceAll(body, "%U", srv.URL))
	}))
	t.Cleanup(srv.Close)
	cfg := Config{BaseURL: srv.URL, Tokens: tokens{}, Tenant: "contoso.com", ClientID: "app-1", Backoff: time.Millisecond}
	for _, f := range change {
		f(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c, &seen
}

func TestPath(t *testing.T) {
	if got, want := Path("users", "a b/c?d#e%2F", "messages", "AA=+'", ".."), "/users/a%20b%2Fc%3Fd%23e%252F/messages/AA=+%27/%2E%2E"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestPages(t *testing.T) {
	c, seen := cloudWith(t, map[string]string{
		"/v1.0/me/messages?$filter=receivedDateTime%20ge%20%27x%27%26&$top=2": `{"value":[{"id":1},{"id":2}],"@odata.count":3,"@odata.nextLink":"%U/V1.0/Me('x')/messages?$skip=2&%24q=a%2Bb"}`,
		"/V1.0/Me('x')/messages?$skip=2&%24q=a%2Bb":                           `{"value":[],"@odata.nextLink":"%U/v1.0/z?s=3"}`,
		"/v1.0/z?s=3": `{"value":[{"id":3}],"@odata.deltaLink":"%U/v1.0/z?d=4"}`,
		"/v1.0/z?d=4": `{"value":[]}`,
	})
	q := Opts("$filter", "receivedDateTime ge 'x'&", "$top", "2")
	q.MaxPage, q.Prefer, q.Header = 50, []string{`outlook.body-content-type="text"`}, http.Header{"Consistencylevel": {"eventual"}}
	var ids, counts []string
	collect := func(p Page) error {
		for _, v := range p.Values {
			ids = append(ids, string(v))
		}
		counts = append(counts, fmt.Sprint(p.Count))
		return nil
	}
	delta, err := c.Pages(t.Context(), "/me/messages", q, collect)
	if err != nil || !strings.HasSuffix(delta, "/v1.0/z?d=4") {
		t.Fatal(delta, err)
	}
	if fmt.Sprint(ids, counts) != `[{"id":1} {"id":2} {"id":3}] [3 -1 -1]` {
		t.Error(ids, counts)
	}
	for _, r := range *seen {
		if got := r.Header.Get("Prefer"); got != `IdType="ImmutableId", odata.maxpagesize=50, outlook.body-content-type="text"` {
			t.Errorf("%s: Prefer %s", r.RequestURI, got)
		}
		if r.Header.Get("ConsistencyLevel") != "eventual" {
			t.Errorf("%s lacks a header", r.RequestURI)
		}
	}
	// A delta link is followed without the options.
	if delta, err = c.Pages(t.Context(), delta, q, collect); err != nil || delta != "" {
		t.Error(delta, err)
	}
	stop := errors.New("stop")
	if _, err := c.Pages(t.Context(), "/z?s=3", Query{}, func(Page) error { return stop }); err != stop {
		t.Error(err)
	}
}

func TestBadPages(t *testing.T) {
	for body, kind := range map[string]error{
		`{}`:             backends.ErrUnavailable,
		`{"value":null}`: backends.ErrUnavailable,
		`{"value":{}}`:   backends.ErrUnavailable,
		`[]`:             backends.ErrUnavailable,
		`{"value":[],"@odata.nextLink":"%U/v1.0/x"}`:                backends.ErrUnavailable,
		`{"value":[],"@odata.nextLink":"https://evil.example/x"}`:   backends.ErrBroken,
		`{"value":[],"@odata.nextLink":"/v1.0/x"}`:                  backends.ErrBroken,
		`{"value":[],"@odata.nextLink":"//evil.example/x"}`:         backends.ErrBroken,
		`{"value":[],"@odata.nextLink":"x"}`:                        backends.ErrBroken,
		`404!{"error":{"code":"ErrorItemNotFound","message":"no"}}`: backends.ErrNotFound,
	} {
		c, _ := cloudWith(t, map[string]string{"/v1.0/x": body})
		if _, err := c.Pages(t.Context(), "/x", Query{}, func(Page) error { return nil }); !errors.Is(err, kind) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestCodes(t *testing.T) {
	for _, tt := range []struct {
		body   string
		resync bool
		kind   error
	}{
		{`410!{"error":{"code":"resyncRequired"}}`, true, backends.ErrNotFound},
		{`404!{"error":{"code":"SyncStateNotFound"}}`, true, backends.ErrNotFound},
		{`400!{"error":{"code":"BadRequest","innererror":{"code":"syncStateInvalid"}}}`, true, backends.ErrBroken},
		{`400!{"error":{"code":"x","message":"Parameter 'DeltaToken' not supported for this request."}}`, true, backends.ErrBroken},
		{`400!{"error":{"code":"InefficientFilter"}}`, false, backends.ErrBroken},
		{`500!{"error":{"code":"ErrorCorruptData"}}`, false, backends.ErrBroken},
		{`403!{"error":{"code":"accessDenied","innerError":{"code":"malwareDetected"}}}`, false, backends.ErrBroken},
		{`405!`, false, backends.ErrBroken},
		{`403!{"error":{"code":"","message":""}}`, false, backends.ErrForbidden},
		{`423!{"error":{"code":"resourceLocked"}}`, false, backends.ErrForbidden},
	} {
		c, _ := cloudWith(t, map[string]string{"/v1.0/x": tt.body})
		_, err := c.Raw(t.Context(), "/x", Query{})
		if IsResync(err) != tt.resync || !errors.Is(err, tt.kind) {
			t.Errorf("%s: resync %v, %v", tt.body, IsResync(err), err)
		}
		if spent := Spent(err); tt.resync != errors.Is(spent, backends.ErrUnavailable) || tt.resync && errors.Is(spent, tt.kind) {
			t.Errorf("%s: spent gives %v", tt.body, spent)
		}
	}
	if IsResync(nil) || IsResync(context.Canceled) || Spent(nil) != nil {
		t.Error("other errors ask for a resync")
	}
}

func TestAccount(t *testing.T) {
	answers := map[string]string{
		"/v1.0/me?$select=id%2CuserPrincipalName%2Cmail%2CdisplayName": `{"id":"U-1","userPrincipalName":"alice@contoso.com","mail":null,"displayName":"Alice"}`,
		"/v1.0/organization?$select=id%2CverifiedDomains":              `{"value":[{"id":"ABCDEF00-0000-0000-0000-000000000001"}]}`,
	}
	m := memory{}
	c, seen := cloudWith(t, answers)
	a, err := c.Account(t.Context(), m)
	if err != nil || a.UserID != "U-1" || a.Tenant != "abcdef00-0000-0000-0000-000000000001" || len(*seen) != 2 {
		t.Fatalf("%+v %v after %d requests", a, err, len(*seen))
	}
	if got := c.Scope(a, "outlook"); got != "microsoft|global|abcdef00-0000-0000-0000-000000000001|user:u-1|outlook" {
		t.Error(got)
	}
	again, err := New(c.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := again.Account(t.Context(), m); err != nil || b != a || len(*seen) != 2 {
		t.Errorf("after a restart %+v %v, %d requests", b, err, len(*seen))
	}

	app, appSeen := cloudWith(t, answers, func(cfg *Config) { cfg.AppOnly, cfg.Tenant = true, "ABCDEF00-0000-0000-0000-000000000001" })
	if a, err = app.Account(t.Context(), memory{}); err != nil || len(*appSeen) != 0 {
		t.Errorf("%+v %v, %d requests", a, err, len(*appSeen))
	}
	if got := app.Scope(a, "teams"); got != "microsoft|global|abcdef00-0000-0000-0000-000000000001|app:app-1|teams" {
		t.Error(got)
	}

	// Somebody else signs in under the same name: that is asked once, too.
	for range 2 {
		cfg := c.cfg
		cfg.Lineage = "second"
		other, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.Account(t.Context(), m); err != nil || len(m) != 2 || len(*seen) != 4 {
			t.Errorf("%v, %d accounts remembered after %d requests", err, len(m), len(*seen))
		}
	}

	answers["/v1.0/organization?$select=id%2CverifiedDomains"] = `403!{"error":{"code":"Authorization_RequestDenied"}}`
	c, _ = cloudWith(t, answers)
	if a, err = c.Account(t.Context(), memory{}); err != nil || a.Tenant != "contoso.com" {
		t.Errorf("%+v %v", a, err)
	}
	answers["/v1.0/me?$select=id%2CuserPrincipalName%2Cmail%2CdisplayName"] = `{}`
	c, _ = cloudWith(t, answers)
	if _, err = c.Account(t.Context(), memory{}); !errors.Is(err, backends.ErrUnavailable) {
		t.Error(err)
	}
}

// TestTenant: identities have the tenant that the sign-in is one to, and a wrong one is noticed.
func TestTenant(t *testing.T) {
	const id, other = "abcdef00-0000-0000-0000-000000000001", "abcdef00-0000-0000-0000-000000000002"
	const org = `{"value":[{"id":"ABCDEF00-0000-0000-0000-000000000001","verifiedDomains":[{"name":"contoso.onmicrosoft.com"},{"name":"Contoso.com"}]}]}`
	const denied = `403!{"error":{"code":"Authorization_RequestDenied"}}`
	tests := map[string]struct {
		tenant, answer string
		foreign        bool
		want           string
		kind           error
	}{
		"common":             {"common", org, false, id, nil},
		"organizations":      {"organizations", org, false, id, nil},
		"common, denied":     {"common", denied, false, "", backends.ErrForbidden},
		"common, unknown":    {"Organizations", `{"value":[]}`, false, "", backends.ErrUnavailable},
		"domain":             {"contoso.com", org, false, id, nil},
		"domain of another":  {"fabrikam.com", org, false, "", backends.ErrForbidden},
		"domain, not told":   {"contoso.com", `{"value":[{"id":"` + id + `"}]}`, false, id, nil},
		"domain, denied":     {"contoso.com", denied, false, "contoso.com", nil},
		"own token":          {id, org, true, id, nil},
		"own token, another": {other, org, true, "", backends.ErrForbidden},
		"own token, denied":  {id, denied, true, id, nil},
	}
	for name, tt := range tests {
		c, _ := cloudWith(t, map[string]string{
			"/v1.0/me?$select=id%2CuserPrincipalName%2Cmail%2CdisplayName": `{"id":"U-1"}`,
			"/v1.0/organization?$select=id%2CverifiedDomains":              tt.answer,
		}, func(cfg *Config) { cfg.Tenant, cfg.Foreign = tt.tenant, tt.foreign })
		m := memory{}
		a, err := c.Account(t.Context(), m)
		if !errors.Is(err, tt.kind) || err == nil && a.Tenant != tt.want {
			t.Errorf("%s: %q %v, want %q %v", name, a.Tenant, err, tt.want, tt.kind)
		}
		if err != nil && len(m) != 0 {
			t.Errorf("%s: a failure is remembered", name)
		}
	}
}

func TestLimits(t *testing.T) {
	l := limits{teams: time.Second}
	l.setOwn("U-1", "Alice@contoso.com", "")
	keyOf := func(path string) string {
		r, err := http.NewRequest("GET", "https://graph.microsoft.com/v1.0"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := l.of(r)
		for k, v := range l.all.All() {
			if slices.Contains(got, v) {
				return k
			}
		}
		return ""
	}
	for path, want := range map[string]string{
		"/me/messages?$top=1":                         "mailbox me",
		"/me/mailfolders('AAMk')/messages":            "mailbox me",
		"/users/U-1/mailFolders":                      "mailbox me",
		"/users('u-1')/messages":                      "mailbox me",
		"/users/alice%40contoso.com/events/x":         "mailbox me",
		"/users/Bob@contoso.com/calendarView/delta":   "mailbox bob@contoso.com",
		"/users/B-2/contactFolders":                   "mailbox b-2",
		"/me":                                         "directory",
		"/users":                                      "directory",
		"/users/B-2":                                  "directory",
		"/me/joinedTeams":                             "directory",
		"/groups/G/members":                           "directory",
		"/teams/T":                                    "team T",
		"/teams/T/channels":                           "team T",
		"/teams/T/members":                            "team T",
		"/teams/T/channels/C/filesFolder":             "channel C",
		"/teams/T/channels/C/messages":                "channel C messages",
		"/teams/T/channels/C/messages/M/replies":      "channel C messages",
		"/teams('T')/channels('C')/messages('M')/x":   "channel C messages",
		"/teams/T/channels/getAllMessages":            "team T",
		"/me/chats":                                   "chats of me",
		"/chats":                                      "chats of ",
		"/me/chats/X/messages":                        "chat X messages",
		"/chats/X/messages/M/hostedContents/H/$value": "chat X messages",
		"/chats/X/members":                            "chat X",
		"/users/B-2/chats":                            "chats of b-2",
		"/users/B-2/chats/getAllMessages":             "chats of b-2",
		"/drives/D/items/I/children":                  "drive D",
		"/drives/D/root":                              "drive D",
	} {
		if got := keyOf(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

func TestNew(t *testing.T) {
	for _, base := range []string{"graph.microsoft.com", "ftp://x", "https://", "http://[::1"} {
		if _, err := New(Config{BaseURL: base}); err == nil {
			t.Errorf("%q is taken", base)
		}
	}
	if _, err := New(Config{}); err != nil {
		t.Error(err)
	}
}

func TestDecodeRaw(t *testing.T) {
	c, _ := cloudWith(t, map[string]string{"/v1.0/x?$select=id": `{"id": 1.50, "b" : null}`})
	raw, err := c.Raw(t.Context(), "/x", Opts("$select", "id"))
	if err != nil || string(raw) != `{"id": 1.50, "b" : null}` || !json.Valid(raw) {
		t.Errorf("%s %v", raw, err)
	}
}
