package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/cmd/workfs/internal/config"
	"github.com/workfs/workfs/cmd/workfs/internal/control"
)

// errNotMounted says that a mount does not have a connection and does not show it.
var errNotMounted = errors.New("the mount does not show that connection")

// serveReload takes up what a command has changed of a connection.
func (s *session) serveReload(w http.ResponseWriter, r *http.Request) {
	// Who asked may leave: half of it would help nobody.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), openTime)
	defer cancel()
	err := s.takeUp(ctx, r.URL.Query().Get("name"))
	if errors.Is(err, errNotMounted) {
		(&control.Failure{Text: err.Error(), Code: codeNotFound, Status: http.StatusNotFound}).Write(w)
		return
	}
	s.tellDeaths()
	answer(w, struct{}{}, err)
}

// takeUp reads what the configuration and the store say of a connection, and has the mount follow it. A sign-in that merely
// has another token disturbs nothing; anything else opens the connection anew. That it does not work is no error here:
// status tells that.
func (s *session) takeUp(ctx context.Context, name string) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	if s.offline || s.options.reread == nil || len(s.options.connections) > 0 && !slices.Contains(s.options.connections, name) {
		return errNotMounted
	}
	file, err := s.options.reread()
	var missing *config.MissingError
	if err != nil && !errors.As(err, &missing) {
		return withCode(codeUsage, err)
	}
	var conn *backends.Connection
	var settings []config.Setting
	if file != nil {
		if i := slices.IndexFunc(file.Connections, func(c backends.Connection) bool { return c.Name == name }); i >= 0 {
			conn, settings = &file.Connections[i], file.Settings(name)
		}
	}
	l := s.link(name)
	switch {
	case conn == nil && l == nil:
		return errNotMounted
	case conn == nil:
		s.log.Warn("the connection has been taken out of the configuration", "connection", name)
		return s.drop(l)
	case l == nil || l.failed != nil || !sameConnection(l.conn, *conn) || !slices.Equal(l.settings, settings):
		return s.replace(ctx, *conn, settings)
	}
	s.mu.Lock()
	before := l.life
	s.mu.Unlock()
	// First of all: backends of one person must not get the token of another.
	s.readLife(l)
	s.mu.Lock()
	now, unknown := l.life, l.lifeErr
	s.mu.Unlock()
	if unknown == nil && !sameSignIn(before, now) {
		return s.replace(ctx, *conn, settings)
	}
	if t, err := l.tokens.Token(ctx); err == nil {
		l.tokens.Invalidate(t.Value)
	}
	s.ask(ctx, l)
	s.readLife(l)
	return nil
}

// reopen opens a connection of the mount anew, unless somebody has meanwhile.
func (s *session) reopen(ctx context.Context, l *link) {
	s.changing.Lock()
	defer s.changing.Unlock()
	if s.link(l.conn.Name) != l {
		return
	}
	if err := s.replace(ctx, l.conn, l.settings); err != nil {
		s.log.Warn("the connection can't be shown", "connection", l.conn.Name, "error", err)
	}
}

// replace opens a connection and puts it into the tree, in place of what was there by its name. Where that is impossible for
// now the directory fails with the reason: what the sign-in before has shown is not what this one would. s.changing is held.
func (s *session) replace(ctx context.Context, conn backends.Connection, settings []config.Setting) error {
	before := s.link(conn.Name)
	l, shown := s.open(ctx, conn, settings)
	if l.failed != nil {
		l.retry = tendEvery
		if before != nil && isDeath(l.failed) {
			l.retry = min(max(2*before.retry, tendEvery), lastAsk)
		}
		l.retryAt = s.now().Add(l.retry)
	}
	if err := s.tree.Replace(shown); err != nil {
		return err
	}
	// The backends' followers have ended: nobody needs the subscriptions any more.
	if before != nil {
		before.end()
	}
	s.keep(l)
	s.ask(ctx, l)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links = slices.DeleteFunc(s.links, func(l *link) bool { return l == before })
	s.links = append(s.links, l)
	slices.SortFunc(s.links, func(a, b *link) int { return strings.Compare(a.conn.Name, b.conn.Name) })
	if l.failed != nil {
		s.log.Warn("the connection can't be opened", "error", l.failed) // it names the connection
	} else {
		s.log.Info("the connection was opened", "connection", conn.Name)
	}
	return nil
}

// drop takes a connection out of the mount. s.changing is held.
func (s *session) drop(l *link) error {
	if err := s.tree.Remove(l.conn.Name); err != nil {
		return err
	}
	l.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links = slices.DeleteFunc(s.links, func(other *link) bool { return other == l })
	delete(s.dead, l.conn.Name)
	return nil
}

// sameConnection tells whether a connection is configured as before. Of its store the settings tell.
func sameConnection(a, b backends.Connection) bool {
	a.Store, b.Store = nil, nil
	return reflect.DeepEqual(a, b)
}

// loginHint is the command by which a person signs in to a connection, "" where none does.
func loginHint(c backends.Connection) string {
	switch {
	case c.Type == "box" && c.Auth == "oauth", c.Type == "microsoft" && c.Auth == "delegated":
		return fmt.Sprintf("workfs login %s --name %s", c.Type, shellWord(c.Name))
	}
	return ""
}

// remedy tells in a sentence what is wrong with a connection, and in another what helps.
func remedy(c backends.Connection, err error) (reason, action string) {
	reason, action = err.Error(), "workfs connections test "+shellWord(c.Name)+" tells more"
	hint := loginHint(c)
	var refused *auth.Error
	switch {
	case errors.Is(err, auth.ErrNoCredentials):
		reason, action = auth.ErrNoCredentials.Error(), fmt.Sprintf("sign in: workfs login %s --name %s", c.Type, shellWord(c.Name))
	case !errors.As(err, &refused):
	case refused.Reason.What != "":
		reason, action = refused.Reason.What, refused.Reason.Do
		if refused.Code != "" {
			reason += " (" + refused.Code + ")"
		}
		if hint != "" && strings.Contains(action, "sign in") {
			action += ": " + hint
		}
	case refused.Kind == auth.Broken && hint != "":
		action = "sign in again: " + hint
	}
	return reason, action
}
