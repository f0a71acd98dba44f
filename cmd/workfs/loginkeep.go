package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph/permission"
	"github.com/workfs/workfs/cmd/workfs/internal/config"
)

// loginReport is what a login gives programs. It has no secrets.
type loginReport struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Auth    string `json:"auth"`
	Account string `json:"account,omitempty"` // UPN or login, of a person or a Service Account
	Person  string `json:"person,omitempty"`  // display name
	Role    string `json:"role,omitempty"`    // at Box: admin, coadmin or user
	ActsAs  string `json:"acts_as,omitempty"` // the login or id that is impersonated
	Tenant  string `json:"tenant,omitempty"`
	// Enterprise is Box's id of the organisation, EnterpriseName what it calls itself.
	Enterprise     string `json:"enterprise,omitempty"`
	EnterpriseName string `json:"enterprise_name,omitempty"`
	ClientID       string `json:"client_id"`

	Features []string            `json:"features,omitempty"`
	Granted  []string            `json:"granted,omitempty"`
	Missing  []missingPermission `json:"missing,omitempty"`
	Notes    []string            `json:"notes,omitempty"`

	Store  string `json:"store"`  // where the secrets are
	Config string `json:"config"` // where the rest is
	Mounts int    `json:"mounts"` // running mounts that took it up
}

// missingPermission is what was not granted and what is therefore not shown.
type missingPermission struct {
	Permission string `json:"permission"`
	Feature    string `json:"feature"`
	Buys       string `json:"buys"`
	Admin      bool   `json:"admin"` // only an administrator can grant it
}

func (r *loginReport) missing(needs []permission.Need) {
	for _, n := range needs {
		r.Missing = append(r.Missing, missingPermission{n.Scope, string(n.Feature), n.Buys, n.Admin})
	}
}

// chooseStore sets where secrets are kept, for a connection of which nobody has said it.
func (l *login) chooseStore(ctx context.Context) error {
	p, err := l.proposal()
	if err != nil {
		return err
	}
	chosen := p.Value("store")
	if chosen == "" && l.before == nil {
		chosen = "file"
		if auth.KeyringAvailable(ctx) == nil {
			chosen = "keyring"
		}
		l.keys["store"] = chosen
		return nil
	}
	if chosen == "keyring" {
		if err := auth.KeyringAvailable(ctx); err != nil {
			return fmt.Errorf("%w; or keep the secrets elsewhere: --store age or --store file", err)
		}
	}
	return nil
}

// replaces asks before another account takes the place of the one that a connection had: everything in its directory would be
// another's, and a backup of it, too.
func (l *login) replaces(ctx context.Context, conn backends.Connection, account string) error {
	if l.before == nil || l.before.Store == nil || l.sure || account == "" {
		return nil // without a store there was no sign-in of ours
	}
	old, err := l.before.Store.Load()
	if err != nil || old.Account == "" || strings.EqualFold(old.Account, account) {
		return nil
	}
	l.say("The connection %s has been that of %s. Now %s has signed in, and everything in it would be theirs.", conn.Name, old.Account, account)
	yes, err := l.term.confirm(ctx, "Replace it?")
	switch {
	case errors.Is(err, errNobody):
		return withCode(codeUsage, fmt.Errorf("connection %q is that of %s and %s has signed in: --yes replaces it, another --name keeps both", conn.Name, old.Account, account))
	case err != nil:
		return err
	case !yes:
		return fmt.Errorf("connection %q stays as it was", conn.Name)
	}
	return nil
}

// keep stores a sign-in that was proven, tells running mounts, and prints the report.
func (l *login) keep(ctx context.Context, conn backends.Connection, c auth.Credentials, report loginReport) error {
	putBack := l.putBack(conn)
	if err := l.put(ctx, conn, c); err != nil {
		return fmt.Errorf("the sign-in has worked but can't be stored: %w", err)
	}
	if err := config.Put(l.g.configFile, l.name, l.keys); err != nil {
		// Without its connection nobody would find it again.
		return errors.Join(err, putBack(context.WithoutCancel(ctx)))
	}
	l.stored = true
	l.leave(ctx, conn)
	report.Name, report.Type, report.Auth, report.ClientID = conn.Name, conn.Type, conn.Auth, conn.ClientID
	report.Store, report.Config = conn.Store.String(), l.g.configFile
	report.Mounts = reloadMounts(ctx, l.people, conn.Name)
	return l.print(report)
}

// putBack gives what puts back what lies now where conn's store writes, in the form that it has there.
func (l *login) putBack(conn backends.Connection) func(context.Context) error {
	store := conn.Store
	if l.samePlace(conn) {
		store = l.before.Store // the file may be encrypted where it was not, or the other way round
	}
	old, err := store.Load()
	if err != nil {
		return conn.Store.Delete
	}
	return func(ctx context.Context) error { return store.Create(ctx, old) }
}

// samePlace tells whether conn's store writes to where the connection has had its secrets. Encrypted or not, it is one file.
func (l *login) samePlace(conn backends.Connection) bool {
	if l.before == nil || l.before.Store == nil || l.before.Credentials != conn.Credentials {
		return false
	}
	return (l.before.Store.String() == auth.KeyringName) == (conn.Store.String() == auth.KeyringName)
}

// leave removes what the connection had in another store, unless the new one has taken its very place or another connection
// has its secrets there, too.
func (l *login) leave(ctx context.Context, conn backends.Connection) {
	former := l.former(conn)
	if former == nil || l.shared || l.samePlace(conn) {
		return
	}
	if err := former.Delete(ctx); err != nil {
		l.say("What %s holds of this connection is not needed any more and could not be removed: %v", former, err)
	}
}

// put stores credentials but for secrets that the configuration has read from elsewhere. The environment of a login is not
// that of a mount: a secret that it alone has is stored, too.
func (l *login) put(ctx context.Context, conn backends.Connection, c auth.Credentials) error {
	if err := conn.Store.Create(ctx, c); err != nil {
		return err
	}
	p, err := l.proposal()
	if err != nil {
		return err
	}
	vault, err := p.Borrowed()
	if vault == nil || err != nil {
		return err
	}
	return vault.Update(ctx, func(stored *auth.Credentials) error {
		stored.ClientSecret = c.ClientSecret
		return nil
	})
}

// unproven is why a sign-in that was obtained is not stored: what the sign-in service says of it, or else what the API says.
func unproven(err error) error {
	var refusal *auth.Error
	if errors.As(err, &refusal) {
		return refusal
	}
	return fmt.Errorf("the sign-in does not work: %w", err)
}

// print prints the report.
func (l *login) print(r loginReport) error {
	if l.json {
		return printJSON(l.cmd.OutOrStdout(), r)
	}
	out := newFields(l.cmd.OutOrStdout())
	who := r.Account
	if r.Person != "" && r.Person != who {
		who = strings.TrimSpace(r.Person + " (" + r.Account + ")")
	}
	out.line("Connection", r.Name)
	out.line("Signed in as", who)
	out.line("Role", r.Role)
	out.line("Acts as", r.ActsAs)
	out.line("Tenant", r.Tenant)
	enterprise := r.Enterprise
	switch {
	case r.EnterpriseName != "" && enterprise != "":
		enterprise = r.EnterpriseName + " (" + enterprise + ")"
	case r.EnterpriseName != "":
		enterprise = r.EnterpriseName
	}
	out.line("Enterprise", enterprise)
	out.line("Features", strings.Join(r.Features, ", "))
	out.line("Secrets in", r.Store)
	out.line("Configuration", r.Config)
	if r.Mounts > 0 {
		out.line("Running mounts", fmt.Sprintf("taken up by %d", r.Mounts))
	}
	if err := out.flush(); err != nil {
		return err
	}
	if len(r.Missing) > 0 {
		l.say("")
		l.say("Not granted, so that it is not shown (coverage.md says so, too):")
		missing := newFields(l.people)
		for _, m := range r.Missing {
			text := m.Feature + ": " + m.Buys
			if m.Admin {
				text += " (an administrator has to grant it)"
			}
			missing.line("  "+m.Permission, text)
		}
		_ = missing.flush() // standard error has nowhere to complain to
	}
	for _, note := range r.Notes {
		l.say("%s", note)
	}
	return nil
}
