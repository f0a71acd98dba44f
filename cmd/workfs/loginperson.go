package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/auth/signin"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/all"
	"github.com/workfs/workfs/backends/graph/permission"
)

// askedScopes are what a person's sign-in asks for: who it is, and what the features need or the configuration says instead.
func askedScopes(conn backends.Connection) []string {
	if len(conn.Scopes) == 1 && strings.HasSuffix(conn.Scopes[0], ".default") {
		return conn.Scopes
	}
	list := []string{"User.Read"}
	more := conn.Scopes
	if len(more) == 0 {
		for _, n := range needsOf(conn) {
			more = append(more, n.Scope)
		}
	}
	for _, s := range more {
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// needsOf lists what a person's sign-in needs for what the connection shows.
func needsOf(conn backends.Connection) []permission.Need {
	needs := permission.Needs(wanted(conn), false)
	if len(conn.SharedMailboxes) > 0 {
		needs = append(needs, permission.SharedNeeds(wanted(conn))...)
	}
	return needs
}

// explain tells what is asked for and what each permission buys.
func (l *microsoftLogin) explain(conn backends.Connection, scopes []string) {
	l.say("It is asked for these permissions:")
	out := newFields(l.people)
	for _, s := range scopes {
		switch {
		case strings.HasSuffix(s, ".default"):
			out.line("  "+s, "all permissions that the application is registered with")
		case s == "User.Read":
			out.line("  "+s, "who signs in")
		default:
			out.line("  "+s, buys(needsOf(conn), s))
		}
	}
	_ = out.flush() // standard error has nowhere to complain to
}

// buys says what a scope is for, and whether an administrator has to grant it.
func buys(needs []permission.Need, scope string) string {
	var parts []string
	admin := false
	for _, n := range needs {
		if n.Scope == scope {
			parts = append(parts, fmt.Sprintf("%s: %s", n.Feature, n.Buys))
			admin = admin || n.Admin
		}
	}
	text := strings.Join(parts, "; ")
	if len(parts) == 0 {
		text = "as --scopes says"
	}
	if admin {
		text += " (an administrator has to grant it)"
	}
	return text
}

// adminScopes are those of the asked ones that only an administrator can grant.
func adminScopes(conn backends.Connection) []string {
	asked := askedScopes(conn)
	var list []string
	for _, n := range needsOf(conn) {
		if n.Admin && slices.Contains(asked, n.Scope) && !slices.Contains(list, n.Scope) {
			list = append(list, n.Scope)
		}
	}
	return list
}

// freeFeatures are those of the features that need no administrator.
func freeFeatures(features []permission.Feature) []string {
	var list []string
	for _, f := range features {
		needs := permission.Needs([]permission.Feature{f}, false)
		if !slices.ContainsFunc(needs, func(n permission.Need) bool { return n.Admin }) {
			list = append(list, string(f))
		}
	}
	return list
}

// person signs a person in.
func (l *microsoftLogin) person(ctx context.Context, conn backends.Connection) error {
	wait, cancel := l.wait(ctx)
	defer cancel()
	for {
		result, err := l.signIn(wait, conn)
		if err == nil {
			return l.finishPerson(ctx, conn, result)
		}
		err = late(wait, callbackError(err))
		again, asked := l.refused(ctx, conn, err)
		if asked != nil {
			return asked
		}
		if !again {
			return err
		}
		l.keys["features"] = freeFeatures(wanted(conn))
		l.clear("scopes")
		if conn, err = l.resolve(); err != nil {
			return err
		}
	}
}

// signIn asks the person once.
func (l *microsoftLogin) signIn(ctx context.Context, conn backends.Connection) (signin.Result, error) {
	app, err := all.MicrosoftApp(conn, l.own)
	if err != nil {
		return signin.Result{}, err
	}
	ask := signin.Ask{Scopes: askedScopes(conn), Prompt: l.prompt, LoginHint: l.loginHint}
	l.say("Signing in to the connection %s. The application's client id is %s.", l.name, conn.ClientID)
	l.explain(conn, ask.Scopes)
	if admin := adminScopes(conn); len(admin) > 0 {
		l.say("If the page says that an administrator has to approve, ask one to open this address, or go on with what needs none by --features %s:",
			strings.Join(freeFeatures(wanted(conn)), ","))
		l.say("  %s", l.consentAddress(conn))
	}
	if !l.deviceCode {
		return app.Code(ctx, l.browser(), ask)
	}
	return app.Device(ctx, ask, func(d signin.Device) {
		l.say("")
		for line := range strings.SplitSeq(strings.TrimSpace(d.Message), "\n") {
			l.say("%s", strings.TrimRight(line, "\r"))
		}
		if d.Message == "" {
			l.say("Open %s on any device and enter the code %s.", d.Address, d.Code)
		}
	})
}

// refused tells what can be done about a refusal for want of an administrator's consent, and whether the person, asked, wants
// to go on without what needs it.
func (l *microsoftLogin) refused(ctx context.Context, conn backends.Connection, err error) (again bool, asked error) {
	var refusal *auth.Error
	if !errors.As(err, &refusal) || refusal.Kind != auth.Denied || !aboutConsent(refusal) {
		return false, nil
	}
	admin, free := adminScopes(conn), freeFeatures(wanted(conn))
	if len(admin) == 0 {
		return false, nil
	}
	l.say("")
	l.say("%s. Only an administrator can grant %s.", refusal.Error(), strings.Join(admin, ", "))
	l.say("Ask one to open this address:")
	l.say("  %s", l.consentAddress(conn))
	if len(free) == 0 {
		return false, nil
	}
	l.say("or go on without, by the same command with --features %s", strings.Join(free, ","))
	if !l.term.person {
		return false, nil
	}
	again, asked = l.term.confirm(ctx, "Sign in without these now?")
	if errors.Is(asked, errNobody) {
		asked = nil
	}
	return again, asked
}

// aboutConsent tells a refusal that consent may cure: what a page says that has no way on but back (AADSTS90094 and its kin).
func aboutConsent(e *auth.Error) bool {
	for _, sign := range []string{"90094", "90095", "65001", "65004", "access_denied", "consent_required"} {
		if strings.Contains(e.Code, sign) {
			return true
		}
	}
	return false
}

// finishPerson proves a person's sign-in and stores it.
func (l *microsoftLogin) finishPerson(ctx context.Context, conn backends.Connection, result signin.Result) error {
	if t := strings.ToLower(conn.Tenant); result.Tenant != "" && (t == "common" || t == "organizations") {
		// Now it is known; and another account of another organisation is refused from here on.
		l.keys["tenant"] = result.Tenant
		var err error
		if conn, err = l.resolve(); err != nil {
			return err
		}
	}
	trial := newTrial(conn, result.Credentials)
	client, err := all.Graph(trial.conn, backends.Options{UserAgent: userAgent()})
	if err != nil {
		return err
	}
	account, err := client.Account(ctx, memory{})
	if err != nil {
		return unproven(err)
	}
	c, err := trial.store.Load()
	if err != nil {
		return err
	}
	c.Account = account.UPN
	if c.Scope == "" {
		c.Scope = result.Credentials.Scope
	}
	if err := l.replaces(ctx, conn, c.Account); err != nil {
		return err
	}
	report := loginReport{Account: c.Account, Person: account.DisplayName, Tenant: account.Tenant}
	if c.Scope != "" {
		report.Granted = strings.Fields(c.Scope)
		report.missing(slices.DeleteFunc(needsOf(conn), func(n permission.Need) bool { return n.Met(report.Granted) }))
	}
	for _, f := range wanted(conn) {
		report.Features = append(report.Features, string(f))
	}
	return l.keep(ctx, conn, c, report)
}
