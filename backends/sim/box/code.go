package box

import (
	"encoding/hex"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

// codeLife is how long an authorisation code can be exchanged (guide "OAuth 2.0 without SDKs").
const codeLife = 30 * time.Second

// consent is what a user agreed to, and what an authorisation code stands for.
type consent struct {
	app      *app
	user     *user
	scopes   map[string]bool // what the request narrowed the app's scopes to; nil for all
	redirect string          // where the code went
	expires  time.Time
}

// codes are the authorisation codes that were not exchanged yet.
type codes struct {
	w  *core.World
	mu sync.Mutex
	n  int
	m  map[string]consent
}

func newCodes(w *core.World) *codes { return &codes{w: w, m: map[string]consent{}} }

// issue makes a code that works once.
func (c *codes) issue(what consent) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	sum := c.w.Sum("box code " + strconv.Itoa(c.n))
	code := hex.EncodeToString(sum[:16])
	what.expires = c.w.Clock.Now().Add(codeLife)
	c.m[code] = what
	c.w.Tokens.Issued(code, core.HostBoxAPI, core.HostBoxAccount)
	return code
}

// redeem takes a code of an app, which ends it whatever comes of it. The text says why it is no good.
func (c *codes) redeem(a *app, code, redirect string) (consent, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	what, ok := c.m[code]
	if !ok || what.app != a {
		return consent{}, "Auth code doesn't exist or is invalid for the client"
	}
	delete(c.m, code)
	switch {
	case !c.w.Clock.Now().Before(what.expires):
		return consent{}, "The authorization code has expired"
	case redirect != "" && redirect != what.redirect:
		// The text is a guess; RFC 6749, 4.1.3 has the rule.
		return consent{}, "The redirect URI does not match the one of the authorization request"
	}
	return what, ""
}

// authorizationCode exchanges the code that the browser brought.
func (s *Server) authorizationCode(r *core.Request, a *app, form url.Values) {
	what, why := s.codes.redeem(a, form.Get("code"), form.Get("redirect_uri"))
	if why != "" {
		oauthError(r, "invalid_grant", why)
		return
	}
	s.grant(r, a, what.user, what.scopes, true)
}
