package box

import (
	"encoding/hex"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

// grant is what an access token stands for.
type grant struct {
	app     *app
	user    *user
	scopes  map[string]bool
	expires time.Time
	refresh string // the refresh token that came with it
	server  bool   // from a server grant, without a refresh token
}

// refreshGrant is what a refresh token stands for.
type refreshGrant struct {
	app     *app
	user    *user
	scopes  map[string]bool // what the consent narrowed the app's scopes to; nil for all
	expires time.Time
	used    bool
	access  string // the access token that came with it
}

// tokens are the access and refresh tokens in force.
type tokens struct {
	w  *core.World
	mu sync.Mutex
	n  int

	access    map[string]*grant
	refreshes map[string]*refreshGrant
}

func newTokens(w *core.World) *tokens {
	return &tokens{w: w, access: map[string]*grant{}, refreshes: map[string]*refreshGrant{}}
}

func (t *tokens) fresh(kind string) string {
	t.n++
	sum := t.w.Sum(fmt.Sprintf("box %s %d", kind, t.n))
	return hex.EncodeToString(sum[:])
}

// issue makes an access token that lives for the given time, with a refresh token if wanted. narrowed is what later tokens
// of that refresh token are narrowed to.
func (t *tokens) issue(a *app, u *user, scopes, narrowed map[string]bool, life time.Duration, withRefresh bool) (access, refresh string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	access = t.fresh("access token")
	g := &grant{app: a, user: u, scopes: scopes, expires: t.w.Clock.Now().Add(life), server: !withRefresh}
	t.access[access] = g
	hosts := []string{core.HostBoxAPI, core.HostBoxAccount, core.HostBoxDownload, core.HostBoxRealtime}
	t.w.Tokens.Issued(access, hosts...)
	if withRefresh {
		refresh = t.newRefresh(a, u, narrowed)
		t.refreshes[refresh].access = access
		g.refresh = refresh
	}
	return access, refresh
}

// refreshLife is how long an unused refresh token lives (Box guide "Refresh a token").
const refreshLife = 60 * 24 * time.Hour

func (t *tokens) newRefresh(a *app, u *user, narrowed map[string]bool) string {
	r := t.fresh("refresh token")
	t.refreshes[r] = &refreshGrant{app: a, user: u, scopes: narrowed, expires: t.w.Clock.Now().Add(refreshLife)}
	t.w.Tokens.Issued(r, core.HostBoxAPI, core.HostBoxAccount)
	return r
}

// spend uses up a refresh token of an app and gives whose it is and what it is narrowed to. The text says why it is no good.
func (t *tokens) spend(a *app, refresh string) (*user, map[string]bool, string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.refreshes[refresh]
	switch {
	case g == nil || g.app != a:
		return nil, nil, "Invalid refresh token"
	case g.used || t.w.Clock.Now().After(g.expires):
		return nil, nil, "Refresh token has expired"
	}
	g.used = true
	return g.user, g.scopes, ""
}

// check gives the grant of an access token that is in force, else nil.
func (t *tokens) check(access string) *grant {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.access[access]
	if g == nil || !t.w.Clock.Now().Before(g.expires) {
		return nil
	}
	return g
}

// drop kills all tokens of a user.
func (t *tokens) drop(u *user) {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.access, func(_ string, g *grant) bool { return g.user == u })
	maps.DeleteFunc(t.refreshes, func(_ string, g *refreshGrant) bool { return g.user == u })
}

// revoke kills an access or refresh token of an app and its other half. Others are ignored.
func (t *tokens) revoke(a *app, token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if g := t.access[token]; g != nil && g.app == a {
		delete(t.access, token)
		delete(t.refreshes, g.refresh)
	}
	if g := t.refreshes[token]; g != nil && g.app == a {
		delete(t.refreshes, token)
		delete(t.access, g.access)
	}
}
