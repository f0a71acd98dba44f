package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
)

// failureCommandTime bounds --on-auth-failure.
const failureCommandTime = time.Minute

// isDeath tells a sign-in that only a person can mend from one that may work again by itself.
func isDeath(err error) bool {
	var refused *auth.Error
	if errors.As(err, &refused) {
		return refused.Kind == auth.Denied || refused.Kind == auth.Broken
	}
	return errors.Is(err, backends.ErrForbidden)
}

// isTemporary tells whether an error may be over by itself.
func isTemporary(err error) bool {
	var refused *auth.Error
	return backends.Temporary(err) || errors.As(err, &refused) && !isDeath(err)
}

// tellDeaths tells of each sign-in that has died since the last time, by the log and --on-auth-failure, and of those that
// work again.
func (s *session) tellDeaths() {
	type death struct{ connection, reason, action string }
	var deaths []death
	s.mu.Lock()
	for _, l := range s.links {
		name, trouble := l.conn.Name, l.trouble()
		switch {
		case trouble == nil && s.dead[name]:
			delete(s.dead, name)
			s.log.Warn("the sign-in works again", "connection", name)
		case trouble != nil && isDeath(trouble) && !s.dead[name]:
			s.dead[name] = true
			reason, action := remedy(l.conn, trouble)
			deaths = append(deaths, death{name, reason, action})
		}
	}
	s.mu.Unlock()
	for _, d := range deaths {
		s.log.Error("the sign-in does not work any more, what is cached is served", "connection", d.connection, "reason", d.reason, "action", d.action)
		if s.options.onAuthFailure == "" {
			continue
		}
		s.beside.Go(func() {
			s.runOnFailure([]string{"WORKFS_CONNECTION=" + d.connection, "WORKFS_REASON=" + d.reason, "WORKFS_ACTION=" + d.action})
		})
	}
}

// runOnFailure runs --on-auth-failure. What it says goes to the log.
func (s *session) runOnFailure(facts []string) {
	ctx, cancel := context.WithTimeout(s.ending, failureCommandTime)
	defer cancel()
	cmd := auth.ShellCommand(ctx, s.options.onAuthFailure)
	cmd.Env = append(cmd.Env, facts...)
	out := &tail{most: 4 << 10}
	cmd.Stdout, cmd.Stderr = out, out
	err := cmd.Run()
	if said := strings.TrimSpace(out.String()); err != nil || said != "" {
		s.log.Warn("on-auth-failure has run", "error", err, "said", said)
	}
}

// tail keeps the last bytes of what is written to it.
type tail struct {
	b    []byte
	most int
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if over := len(t.b) - t.most; over > 0 {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(p), nil
}

// String gives what is kept.
func (t *tail) String() string { return strings.ToValidUTF8(string(t.b), "") }
