package entra

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// slowDownStep is what slow_down adds to the interval, in seconds (RFC 8628, 3.5).
const slowDownStep = 5

// States of a device code.
const (
	devicePending    = "pending"
	deviceAuthorized = "authorized"
	deviceDeclined   = "declined"
	deviceRedeemed   = "redeemed"
)

// device is a sign-in on another device (v2-oauth2-device-code.md). Its fields are guarded by Service.mu once it is known.
type device struct {
	UserCode string      `json:"user_code"`
	ClientID string      `json:"client_id"`
	State    string      `json:"state"`
	Expires  time.Time   `json:"expires"`
	Interval int         `json:"interval"` // seconds
	Polls    []time.Time `json:"polls"`
	Early    int         `json:"early"` // polls that came before the interval had passed

	app    *App
	tenant string
	want   wanted
	claims string
	grant  *grant
}

// deviceCode serves POST /{tenant}/oauth2/v2.0/devicecode.
func (s *Service) deviceCode(r *core.Request) {
	t, problem := readForm(r)
	if problem == nil {
		problem = s.checkTenant(t.tenant)
	}
	if problem == nil {
		t.app, problem = s.checkApp(t.form.Get("client_id"), t.tenant)
	}
	var want wanted
	if problem == nil {
		if strings.TrimSpace(t.form.Get("scope")) == "" {
			problem = missing("scope")
		} else if problem = oneResource(t.form.Get("scope")); problem == nil {
			want, problem = s.parseScopes(t.form.Get("scope"))
		}
	}
	if problem == nil {
		problem = want.exist(t.app)
	}
	if problem != nil {
		s.fail(r, problem, t.app)
		return
	}
	life := time.Duration(s.world.Switches.Int("entra.device_lifetime")) * time.Second
	interval := s.world.Switches.Int("entra.device_interval")
	d := &device{
		UserCode: userCode(), ClientID: t.app.ID, State: devicePending, Expires: s.world.Clock.Now().Add(life), Interval: interval,
		app: t.app, tenant: t.tenant, want: want, claims: t.form.Get("claims"),
	}
	code := "G" + s.random(96)
	s.mu.Lock()
	s.devices[code] = d
	s.mu.Unlock()
	s.world.Tokens.Issued(code, core.HostLogin)
	uri := s.world.Hosts.Login + "/devicelogin"
	writeJSON(r.W, http.StatusOK, map[string]any{
		"user_code": d.UserCode, "device_code": code, "verification_uri": uri,
		"expires_in": int(life.Seconds()), "interval": interval,
		"message": fmt.Sprintf("To sign in, use a web browser to open the page %s and enter the code %s to authenticate.", uri, d.UserCode),
	})
}

// userCode gives nine letters and digits that people do not mix up.
func userCode() string {
	const letters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
	b := make([]byte, 9)
	_, _ = rand.Read(b)
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	return string(b)
}

// redeemDevice answers a poll.
func (s *Service) redeemDevice(t *tokenRequest) (*tokenAnswer, *failure) {
	code := t.form.Get("device_code")
	if code == "" {
		return nil, missing("device_code")
	}
	if problem := t.needProof(""); problem != nil {
		return nil, problem
	}
	s.mu.Lock()
	d := s.devices[code]
	if d == nil || d.app != t.app || !s.sameTenant(d.tenant, t.tenant) {
		s.mu.Unlock()
		return nil, say(70018) // for another tenant segment this is a guess
	}
	problem := s.poll(d)
	var g grant
	if problem == nil {
		d.State, g = deviceRedeemed, *d.grant
	}
	s.mu.Unlock()
	if problem != nil {
		return nil, problem
	}
	if t.form.Get("claims") == "" {
		t.form.Set("claims", d.claims)
	}
	if problem := s.alive(s.account(g.user.ID), g.signed, true); problem != nil {
		return nil, problem
	}
	g.public = t.proof == proofNone
	return s.issue(t, &g, g.offline())
}

// poll counts a poll and gives what it is refused with. s.mu is held.
func (s *Service) poll(d *device) *failure {
	now := s.world.Clock.Now()
	interval := time.Duration(d.Interval) * time.Second
	early := len(d.Polls) > 0 && now.Sub(d.Polls[len(d.Polls)-1]) < interval-interval/10 // some leave for the way here
	d.Polls = append(d.Polls, now)
	if early {
		d.Early++
	}
	sw := s.world.Switches
	switch {
	case d.State == deviceRedeemed:
		return say(70018)
	case now.After(d.Expires):
		return say(70019)
	case d.State == deviceDeclined:
		return say(65004)
	case d.Early > sw.Int("entra.device_early_polls"):
		return say(50196)
	case sw.Int("entra.slow_down") > 0:
		_ = sw.Set("entra.slow_down", sw.Int("entra.slow_down")-1)
		d.Interval += slowDownStep
		return &failure{"slow_down", 0, "The client polls too often.", ""}
	case d.State == devicePending:
		return say(70016)
	}
	return nil
}

// deviceEntry is the flow of somebody who has yet to type the code.
type deviceEntry struct{}

func (deviceEntry) begin(*Service, *core.Request, *flow) bool       { return false }
func (deviceEntry) done(*Service, *core.Request, *flow)             {}
func (deviceEntry) refuse(*Service, *core.Request, *flow, *failure) {}

// devicePage serves GET /devicelogin.
func (s *Service) devicePage(r *core.Request) {
	s.codePage(r, s.startFlow(r, &flow{errand: deviceEntry{}, tenant: "common"}), nil)
}

func (s *Service) codePage(r *core.Request, f *flow, problem *failure) {
	p := s.page(f, "Enter code")
	p.Base = "/devicelogin"
	if problem != nil {
		p.Told = s.tell(r, problem, nil)
	}
	s.show(r, http.StatusOK, "code", p)
}

// deviceForm serves POST /devicelogin: the code, and later whether to go on.
func (s *Service) deviceForm(r *core.Request) {
	f := s.resume(r)
	if f == nil {
		return
	}
	if d, ok := f.errand.(*device); ok {
		if !s.known(r, f) {
			return
		}
		if r.PostForm.Get("action") != "continue" {
			s.endFlow(f)
			d.refuse(s, r, f, say(65004))
			return
		}
		f.confirmed = true
		s.proceed(r, f)
		return
	}
	if _, ok := f.errand.(deviceEntry); !ok {
		s.errorPage(r, say(165000), nil)
		return
	}
	d, problem := s.findDevice(r.PostForm.Get("otc"))
	if problem != nil {
		s.codePage(r, f, problem)
		return
	}
	f.errand, f.app, f.tenant, f.want = d, d.app, d.tenant, d.want
	s.proceed(r, f)
}

// findDevice gives the sign-in that a user code stands for.
func (s *Service) findDevice(code string) (*device, *failure) {
	code = strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(code))
	if code == "" {
		return nil, say(90119)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.devices {
		switch {
		case d.UserCode != code:
		case s.world.Clock.Now().After(d.Expires):
			return nil, say(70019)
		case d.State != devicePending:
			return nil, say(90120)
		default:
			return d, nil
		}
	}
	return nil, say(70018)
}

// begin asks whether the person means to sign in on the device: codes are used for phishing.
func (d *device) begin(s *Service, r *core.Request, f *flow) bool {
	if f.confirmed {
		return false
	}
	p := s.page(f, "Are you trying to sign in to "+f.app.Name+"?")
	p.Base = "/devicelogin"
	s.show(r, http.StatusOK, "confirm", p)
	return true
}

func (d *device) done(s *Service, r *core.Request, f *flow) {
	g := s.newGrant(f)
	s.mu.Lock()
	open := d.State == devicePending && s.world.Clock.Now().Before(d.Expires)
	if open {
		d.State, d.grant = deviceAuthorized, g
	}
	s.mu.Unlock()
	if !open {
		s.errorPage(r, say(70019), f.app)
		return
	}
	s.noticePage(r, f.app.Name, "You have signed in to the "+f.app.Name+" application on your device. You may now close this window.")
}

func (d *device) refuse(s *Service, r *core.Request, f *flow, p *failure) {
	s.mu.Lock()
	if d.State == devicePending {
		d.State = deviceDeclined
	}
	s.mu.Unlock()
	s.noticePage(r, f.app.Name, "You cancelled. "+s.report(r, p, f.app).Message)
}

// controlDevices serves GET /entra/devices of the control host: every device code with its polls.
func (s *Service) controlDevices(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	list := []device{}
	for _, d := range s.devices {
		shown := *d
		shown.Polls = slices.Clone(d.Polls)
		list = append(list, shown)
	}
	s.mu.Unlock()
	slices.SortFunc(list, func(a, b device) int { return a.Expires.Compare(b.Expires) })
	core.AnswerControl(w, list)
}
