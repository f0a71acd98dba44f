package subscription

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/sim/entra"
)

// subscribed gives a live subscription: its address, clientState and id.
func (p *place) subscribed(t *testing.T, m *Manager, e *ear) (address, state, id string) {
	t.Helper()
	m.Want(messages, e)
	s := live(t, e, messages.Resource)
	m.mu.Lock()
	defer m.mu.Unlock()
	entry := m.entries[messages.Resource]
	return m.base + entry.tag, entry.state, s.ID
}

func TestDeliveries(t *testing.T) {
	p := newPlace(t, false)
	m, _ := p.run(t)
	e := newEar()
	address, state, id := p.subscribed(t, m, e)
	item := func(id, state, name string) map[string]any {
		return map[string]any{
			"id": name, "subscriptionId": id, "clientState": state, "changeType": "updated", "tenantId": p.Ready().Tenant,
			"resource": "Users/u/Messages/" + name, "resourceData": map[string]any{"id": name, "@odata.etag": "W/1"},
		}
	}
	foreign := item(id, state, "foreign")
	foreign["tenantId"] = "99999999-9999-9999-9999-999999999999"
	unnamed := item(id, state, "unnamed")
	delete(unnamed, "id")
	odd := item(id, state, "odd")
	odd["changeType"] = map[string]any{"a": 1}
	for _, tt := range []struct {
		name, body string
		status     int
		hears      []string
	}{
		{"good", envelope(item(id, state, "a")), 202, []string{"a"}},
		{"replayed", envelope(item(id, state, "a")), 202, nil},
		{"several, with doubles", envelope(item(id, state, "b"), item(id, state, "a"), item(id, state, "b"), item(id, state, "c")), 202, []string{"b", "c"}},
		{"without an id, twice", envelope(unnamed, unnamed), 202, []string{"unnamed", "unnamed"}},
		{"forged among good", envelope(item(id, "wrong", "x"), item(id, state, "d")), 202, []string{"d"}},
		{"forged", envelope(item(id, "wrong", "x")), 202, nil},
		{"forged, longer", envelope(item(id, state+"x", "x")), 202, nil},
		{"forged, shorter", envelope(item(id, state[1:], "x")), 202, nil},
		{"without a state", `{"value":[{"subscriptionId":"` + id + `"}]}`, 202, nil},
		{"state elsewhere", envelope(map[string]any{"subscriptionId": id, "resource": state, "changeType": "updated"}), 202, nil},
		{"unknown subscription", envelope(item("other", state, "x")), 202, nil},
		{"of another tenant", envelope(foreign), 202, nil},
		{"no JSON", "hello", 400, nil},
		{"half a JSON", envelope(item(id, state, "x"))[:60], 400, nil},
		{"state, but no JSON", `"clientState":"` + state + `"`, 400, nil},
		{"odd types", envelope(odd), 400, nil},
		{"nothing", "", 400, nil},
		{"no value", `{"clientState":"` + state + `"}`, 400, nil},
		{"deep", strings.Repeat("[", 100000), 400, nil},
		{"unknown event", envelope(map[string]any{"subscriptionId": id, "clientState": state, "lifecycleEvent": "sunshine"}), 202, nil},
		{"good again", envelope(item(id, state, "end")), 202, []string{"end"}},
	} {
		before := len(e.heard())
		if got := post(t, address, tt.body); got != tt.status {
			t.Errorf("%s: status %d, want %d", tt.name, got, tt.status)
		}
		// One that is heard for certain comes last.
		post(t, address, envelope(item(id, state, "mark of "+tt.name)))
		var hears []string
		until(t, "the mark", func() bool {
			heard := e.heard()[before:]
			hears = nil
			for _, n := range heard {
				hears = append(hears, n.ID)
			}
			return slices.Contains(hears, "mark of "+tt.name)
		})
		if !slices.Equal(hears[:len(hears)-1], tt.hears) {
			t.Errorf("%s: heard %q, want %q", tt.name, hears, tt.hears)
		}
	}
	if got := post(t, strings.TrimSuffix(address, address[len(address)-26:])+"abcdefghijklmnopqrstuvwxyz", envelope(item(id, state, "x"))); got != 404 {
		t.Errorf("unknown address: status %d", got)
	}
	if s := p.log.String(); strings.Contains(s, state) || strings.Contains(s, "Users/u") {
		t.Errorf("the log tells secrets:\n%s", s)
	}
	// Much later a replay is taken for news: it is only a hint.
	p.World().Clock.Advance(time.Hour)
	post(t, address, envelope(item(id, state, "fresh")))
	post(t, address, envelope(item(id, state, "fresh2")))
}

func TestHandshake(t *testing.T) {
	p := newPlace(t, false)
	m, _ := p.run(t)
	address, _, _ := p.subscribed(t, m, newEar())
	for token, status := range map[string]int{
		"Validation: Testing client application reachability for subscription Request-Id: 1-2 <b>&": 200,
		"":                                   400,
		strings.Repeat("x", maxValidation+1): 400,
	} {
		res, err := http.Post(address+"?validationToken="+url.QueryEscape(token), "text/plain; charset=utf-8", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var body [8 << 10]byte
		n, _ := res.Body.Read(body[:])
		if res.StatusCode != status || status == 200 && string(body[:n]) != token {
			t.Errorf("%d %q for %q", res.StatusCode, body[:n], token)
		}
		if status == 200 && (!strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain") || res.Header.Get("X-Content-Type-Options") != "nosniff") {
			t.Errorf("headers %v", res.Header)
		}
	}
}

// rich is a wish for channel messages with what they say.
var rich = Wish{
	Resource: "/teams/getAllMessages", Changes: "created,updated,deleted", MaxLife: 4320 * time.Minute,
	Prefer: []string{"include-unknown-enum-members"}, Data: true,
}

// say posts to a channel as alice and gives the id of the post.
func (p *place) say(t *testing.T, text string) string {
	t.Helper()
	alice, _ := backendtest.Graph(t, p.Sim, false, backendtest.NewSink())
	var teams struct{ Value []struct{ ID string } }
	if err := alice.Get(t.Context(), "/me/joinedTeams", none, &teams); err != nil {
		t.Fatal(err)
	}
	team := "/teams/" + teams.Value[0].ID + "/channels"
	var channels struct{ Value []struct{ ID string } }
	if err := alice.Get(t.Context(), team, none, &channels); err != nil {
		t.Fatal(err)
	}
	var post struct{ ID string }
	body := map[string]any{"body": map[string]any{"content": text}}
	if _, err := alice.Send(t.Context(), "POST", team+"/"+channels.Value[0].ID+"/messages", none, body, &post); err != nil {
		t.Fatal(err)
	}
	return post.ID
}

// heardOf waits for a notification whose path names an id.
func heardOf(t *testing.T, e *ear, id string) (found Notification) {
	t.Helper()
	until(t, "a notification of "+id, func() bool {
		for _, n := range e.heard() {
			if strings.Contains(n.Path, id) {
				found = n
				return true
			}
		}
		return false
	})
	return found
}

func TestResourceData(t *testing.T) {
	p := newPlace(t, true)
	p.data = true
	m, stop := p.run(t)
	e := newEar()
	m.Want(rich, e)
	live(t, e, rich.Resource)
	says := func(n Notification) string {
		var post struct{ Body struct{ Content string } }
		if json.Unmarshal(n.Data, &post) != nil {
			return ""
		}
		return post.Body.Content
	}
	for _, version := range []int{1, 2} {
		backendtest.Set(t, p.Sim, "subscriptions.token_version", version)
		if n := heardOf(t, e, p.say(t, "Lunch?")); !strings.Contains(says(n), "Lunch?") || n.Change != "created" {
			t.Errorf("tokens of version %d: %+v", version, n)
		}
	}
	// Without tokens, and with a signature that is wrong, it is still a hint.
	backendtest.Set(t, p.Sim, "subscriptions.validation_token", "none")
	if n := heardOf(t, e, p.say(t, "Tea?")); n.Data != nil {
		t.Errorf("data without a token: %s", n.Data)
	}
	backendtest.Set(t, p.Sim, "subscriptions.validation_token", "good")
	backendtest.Set(t, p.Sim, "subscriptions.spoilt_signature_percent", 100)
	if n := heardOf(t, e, p.say(t, "Coffee?")); n.Data != nil {
		t.Errorf("data with a wrong signature: %s", n.Data)
	}
	backendtest.Set(t, p.Sim, "subscriptions.spoilt_signature_percent", 0)
	for i, bad := range []string{"expired", "wrong_app", "wrong_audience", "wrong_tenant", "bad_signature"} {
		backendtest.Set(t, p.Sim, "subscriptions.validation_token", bad)
		id := p.say(t, "Beer?")
		until(t, "it is dropped", func() bool { return strings.Count(p.log.String(), "delivery dropped") > i })
		backendtest.Set(t, p.Sim, "subscriptions.validation_token", "good")
		heardOf(t, e, p.say(t, "Water?"))
		for _, n := range e.heard() {
			if strings.Contains(n.Path, id) {
				t.Errorf("with a token that is %s: %+v", bad, n)
			}
		}
	}
	if n := strings.Count(p.log.String(), "delivery dropped"); n != 5 {
		t.Errorf("%d deliveries were dropped, want 5", n)
	}
	// The next start can decrypt as well; and a key that is a year old is replaced.
	crash(p, stop)
	m, _ = p.run(t)
	e = newEar()
	m.Want(rich, e)
	live(t, e, rich.Resource)
	if n := heardOf(t, e, p.say(t, "Again?")); !strings.Contains(says(n), "Again?") {
		t.Errorf("after a start: %+v", n)
	}
	if p := p.log.String(); strings.Contains(p, "Lunch?") {
		t.Error("the log tells what people say")
	}
}

func TestKeysAreReplaced(t *testing.T) {
	memory := backendtest.NewSink()
	s, err := loadSecrets(memory, "scope")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	seen := map[string]bool{}
	var ids []string
	for range 5 {
		_, id, err := s.current(now)
		if err != nil {
			t.Fatal(err)
		}
		if _, again, _ := s.current(now.Add(keyAge / 2)); again != id || seen[id] {
			t.Errorf("key %s, then %s", id, again)
		}
		seen[id] = true
		ids = append(ids, id)
		now = now.Add(keyAge + time.Hour)
	}
	again, err := loadSecrets(memory, "scope")
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range ids {
		if want := i >= len(ids)-keysKept; (again.key(id) != nil) != want || (s.key(id) != nil) != want {
			t.Errorf("key %d is kept: %v, want %v", i, !want, want)
		}
	}
	w := messages
	if a, b := s.tag(w, false), again.tag(w, false); a != b {
		t.Errorf("one wish is %s and %s", a, b)
	}
	other := w
	other.Changes = "created"
	if s.tag(other, false) == s.tag(w, false) || s.tag(w, true) == s.tag(w, false) || s.clientState(s.tag(w, false)) == s.tag(w, false) {
		t.Error("different wishes have one address")
	}
}

func TestDecrypt(t *testing.T) {
	s, err := loadSecrets(backendtest.NewSink(), "scope")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.decrypt(&encrypted{CertificateID: "x"}); err != errNoKey {
		t.Errorf("an unknown certificate: %v", err)
	}
	_, id, err := s.current(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	good := seal(t, s, id, `{"a":"ü"}`, 16)
	if got, err := s.decrypt(&good); err != nil || string(got) != `{"a":"ü"}` {
		t.Errorf("%s %v", got, err)
	}
	for name, change := range map[string]func(*encrypted){
		"key is not base64":       func(e *encrypted) { e.DataKey = "!" },
		"key is not for us":       func(e *encrypted) { e.DataKey = "AAAA" },
		"data is not base64":      func(e *encrypted) { e.Data = "!" },
		"data is changed":         func(e *encrypted) { e.Data = "AAAA" + e.Data[4:] },
		"signature is empty":      func(e *encrypted) { e.DataSignature = "" },
		"signature is not base64": func(e *encrypted) { e.DataSignature = "!" },
		"no data":                 func(e *encrypted) { *e = seal(t, s, id, "", 0) },
		"half a block":            func(e *encrypted) { *e = seal(t, s, id, "abc", 0) },
		"padding of zero":         func(e *encrypted) { *e = seal(t, s, id, strings.Repeat("\x00", 16), 0) },
		"padding too long":        func(e *encrypted) { *e = seal(t, s, id, strings.Repeat("\x11", 16), 0) },
		"uneven padding":          func(e *encrypted) { *e = seal(t, s, id, strings.Repeat("a", 15)+"\x02", 0) },
		"not JSON":                func(e *encrypted) { *e = seal(t, s, id, "{", 16) },
		"a key too short":         func(e *encrypted) { e.DataKey = wrap(t, s, id, make([]byte, 16)) },
	} {
		e := good
		change(&e)
		if got, err := s.decrypt(&e); err == nil {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestValidationTokens(t *testing.T) {
	p := newPlace(t, true)
	r := p.Ready()
	now := p.World().Clock.Now()
	o := p.options()
	made := func(change func(*entra.Validation)) string {
		v := entra.Validation{Audience: r.ClientID, TenantID: r.Tenant, IssuedAt: now, Expires: now.Add(time.Hour)}
		change(&v)
		return p.Clouds().Entra.ValidationToken(v)
	}
	good := made(func(*entra.Validation) {})
	check := newTokens(o, p.World().Clock.Now)
	if err := check.check(t.Context(), []string{good, made(func(v *entra.Validation) { v.V2 = true })}); err != nil {
		t.Errorf("good ones: %v", err)
	}
	before := backendtest.Requests(p.Sim, "discovery")
	for name, token := range map[string]string{
		"expired":         made(func(v *entra.Validation) { v.Expires = now.Add(-time.Hour) }),
		"early":           made(func(v *entra.Validation) { v.IssuedAt = now.Add(time.Hour); v.Expires = now.Add(2 * time.Hour) }),
		"audience":        made(func(v *entra.Validation) { v.Audience = "00000003-0000-0000-c000-000000000000" }),
		"tenant":          made(func(v *entra.Validation) { v.TenantID = "99999999-9999-9999-9999-999999999999" }),
		"tenant, v2":      made(func(v *entra.Validation) { v.V2 = true; v.TenantID = "99999999-9999-9999-9999-999999999999" }),
		"publisher":       made(func(v *entra.Validation) { v.Publisher = r.ClientID }),
		"publisher, v2":   made(func(v *entra.Validation) { v.V2 = true; v.Publisher = r.ClientID }),
		"key":             made(func(v *entra.Validation) { v.Stranger = true }),
		"cut off":         good[:len(good)-3],
		"unsigned":        strings.Join(strings.Split(good, ".")[:2], ".") + ".",
		"no algorithm":    "eyJhbGciOiJub25lIn0." + strings.Split(good, ".")[1] + ".",
		"a shared secret": "eyJhbGciOiJIUzI1NiJ9." + strings.Split(good, ".")[1] + ".AAAA",
		"nonsense":        "x",
		"empty":           "",
	} {
		if err := check.check(t.Context(), []string{good, token}); err == nil {
			t.Errorf("%s: it passes", name)
		} else if strings.Contains(err.Error(), good[:40]) {
			t.Errorf("%s: the error tells the token", name)
		}
	}
	if err := check.check(t.Context(), nil); err == nil {
		t.Error("none at all pass")
	}
	if err := check.check(t.Context(), slices.Repeat([]string{good}, maxTokens+1)); err == nil {
		t.Error("any number passes")
	}
	if n := backendtest.Requests(p.Sim, "discovery") - before; n != 0 {
		t.Errorf("bad tokens cost %d requests for keys", n)
	}
	if err := p.Clouds().Entra.RollKeys(); err != nil {
		t.Fatal(err)
	}
	rolled := made(func(*entra.Validation) {})
	p.World().Clock.Advance(keysPause + time.Second)
	if err := check.check(t.Context(), []string{rolled}); err != nil {
		t.Errorf("after a change of keys: %v", err)
	}
	broken := httptest.NewServer(http.NotFoundHandler())
	defer broken.Close()
	o.LoginURL = broken.URL
	if err := newTokens(o, p.World().Clock.Now).check(t.Context(), []string{good}); err != errKeys {
		t.Errorf("without keys: %v", err)
	}
}

func TestMentions(t *testing.T) {
	for body, want := range map[string]bool{
		`{"clientState":"abc"}`:                           true,
		`{"clientState" : "abc"}`:                         true,
		"{\"clientState\":\n\t\"abc\"}":                   true,
		`{"clientState":"x","b":{"clientState":"abc"}}`:   true,
		`{"clientState":"abcd"}`:                          false,
		`{"clientState":"ab"}`:                            false,
		`{"clientState":"abc`:                             false,
		`{"clientState":`:                                 false,
		`{"clientState":null}`:                            false,
		`{"other":"abc"}`:                                 false,
		`"clientState""clientState""clientState":"abc"  `: true,
		``: false,
	} {
		if got := mentions([]byte(body), "abc"); got != want {
			t.Errorf("%s: %v", body, got)
		}
	}
}

// BenchmarkForged is what a delivery costs that somebody made up who knows the address.
func BenchmarkForged(b *testing.B) {
	body := []byte(envelope(map[string]any{"subscriptionId": "x", "clientState": "abcdefghijklmnopqrstuvwxyz", "resource": strings.Repeat("x", 300)}))
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if mentions(body, "zyxwvutsrqponmlkjihgfedcba") || !json.Valid(body) {
			b.Fatal("it is good")
		}
	}
}
