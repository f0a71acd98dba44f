package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/auth/signin"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/all"
)

// endsSoon is how long before the end of a part of a sign-in the doctor warns.
const endsSoon = 14 * 24 * time.Hour

// checkSecrets tells whether the secrets of a connection can be read, and by whom else.
func checkSecrets(_ context.Context, _ *examination, c backends.Connection) []finding {
	const check, why = "secrets", "Without them there is no sign-in"
	if c.Auth == "token" {
		return good(check, c.Name, "its token_command has them")
	}
	if c.Store == nil {
		return nil
	}
	if info, err := os.Stat(c.Credentials); err == nil && info.Mode().Perm()&0o077 != 0 {
		return []finding{{check, c.Name, findingProblem, fmt.Sprintf("others may read %s (mode %04o)", c.Credentials, info.Mode().Perm()),
			"Whoever has read it can sign in as you; workfs does not use it like that", "chmod 600 " + c.Credentials + ", and sign in anew if others use this machine"}}
	}
	_, err := c.Store.Load()
	switch {
	case errors.Is(err, auth.ErrNoCredentials) && c.Certificate != "":
		return good(check, c.Name, "it signs in by its certificate")
	case err != nil:
		_, do := remedy(c, err)
		return []finding{{check, c.Name, findingProblem, err.Error(), why, do}}
	}
	return good(check, c.Name, "they are in "+c.Store.String())
}

// checkSignIn tells whether a connection gets tokens and for how long, and what it may see.
func checkSignIn(ctx context.Context, e *examination, c backends.Connection) (list []finding) {
	const check = "sign-in"
	tokens, err := all.SignIn(c)
	if err == nil {
		_, err = tokens.Token(ctx)
	}
	if err != nil {
		reason, action := remedy(c, err)
		state, why := findingProblem, "Only what is cached is shown"
		if isTemporary(err) {
			why += ", until it is over"
		}
		var refused *auth.Error
		if errors.As(err, &refused) && refused.Reason.Admin {
			e.askAdmin = append(e.askAdmin, adminBlock(c, []string{reason}))
		}
		return []finding{{check, c.Name, state, reason, why, action}}
	}
	life, err := tokens.Life()
	if err != nil {
		list = append(list, finding{check, c.Name, findingWarning, "not all is known of it: " + err.Error(), "Its end may come without a warning", ""})
	}
	what := "it works"
	if life.Account != "" {
		what += " as " + life.Account
	}
	list = append(list, good(check, c.Name, what)...)
	list = append(list, endFindings(c, life, time.Now())...)
	return append(list, permissionFindings(ctx, e, c, life)...)
}

// endFindings tells what of a sign-in ends soon, or has ended.
func endFindings(c backends.Connection, life auth.Life, now time.Time) (list []finding) {
	for _, end := range ends(life) {
		if !end.fatal || end.at.IsZero() || end.at.Sub(now) > endsSoon {
			continue
		}
		f := finding{Check: "end of sign-in", About: c.Name, State: findingWarning, Why: "The connection stops working then",
			What: fmt.Sprintf("%s ends on %s", end.what, end.at.Local().Format(time.DateOnly))}
		if now.After(end.at) {
			f.State, f.What, f.Why = findingProblem, fmt.Sprintf("%s has ended on %s", end.what, end.at.Local().Format(time.DateOnly)), "The connection does not work"
		}
		switch end.key {
		case "refresh_token":
			f.Do = loginHint(c)
		case "client_secret":
			f.Do = "have another one made in the app registration, and store it: workfs connections add " + c.Name + " --replace, or workfs login"
		case "certificate":
			f.Do = "make another one by workfs keygen microsoft, and have it added to the app registration before that day"
		}
		list = append(list, f)
	}
	return list
}

// permissionFindings tells what the features of a connection need and do not have: by what was granted, and by asking.
func permissionFindings(ctx context.Context, e *examination, c backends.Connection, life auth.Life) (list []finding) {
	const check = "permissions"
	var ask []string
	for _, n := range missing(c, life) {
		ask = append(ask, fmt.Sprintf("%s (delegated): %s", n.Scope, n.Buys))
		f := finding{check, c.Name, findingWarning, n.Scope + " was not granted", "It buys " + n.Buys, loginHint(c)}
		if n.Admin {
			f.Do = "have an administrator grant it (text below), then " + f.Do
		}
		list = append(list, f)
	}
	report := testConnection(ctx, c, backends.Options{UserAgent: userAgent()})
	works := []string{}
	for _, p := range report.Probes {
		switch {
		case p.State == probeWorks && p.Feature != "sign-in":
			works = append(works, p.Feature)
		case p.State == probeWorks || p.State == probeSkipped:
		case p.State == probeRefused && len(ask) > 0:
			// What was not granted is refused: it was said.
		default:
			f := finding{check, c.Name, findingProblem, fmt.Sprintf("%s: %s (%s)", p.Feature, p.Detail, p.Request), "That part of the connection stays empty", ""}
			if p.Optional {
				f.State, f.Why = findingWarning, "The connection does without, with less"
			}
			if p.State == probeRefused {
				f.Do = "ask for the permissions in the text below"
			}
			list = append(list, f)
		}
	}
	for _, line := range report.Ask {
		if !slices.ContainsFunc(ask, func(have string) bool { return strings.Contains(line, strings.Fields(have)[0]) }) {
			ask = append(ask, line)
		}
	}
	if len(ask) > 0 {
		e.askAdmin = append(e.askAdmin, adminBlock(c, ask))
	}
	if len(works) > 0 {
		list = append(list, good(check, c.Name, "these were tried and work: "+strings.Join(works, ", "))...)
	}
	return list
}

// adminBlock is a text for the administrator: which application, what it lacks, and where to grant it.
func adminBlock(c backends.Connection, lacks []string) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("workfs shows mail, chats and files read-only as a directory. The following is asked for it.")
	line("Application (client id): %s", c.ClientID)
	if c.Type == "box" {
		if id, ok := strings.CutPrefix(c.Subject, "enterprise:"); ok {
			line("Enterprise id: %s", id)
		}
		line("What is missing:")
		for _, l := range lacks {
			line("- %s", l)
		}
		line("Where: developer console, the application, Configuration: set the application scopes and save. Then Admin Console,")
		b.WriteString("Integrations, Platform Apps Manager: authorise the application by its client id, or authorise it again after each change.")
		return b.String()
	}
	line("Tenant: %s", c.Tenant)
	line("What is missing:")
	for _, l := range lacks {
		line("- %s", l)
	}
	app, err := all.MicrosoftApp(c, auth.Credentials{})
	if err != nil {
		return strings.TrimSpace(b.String())
	}
	scopes := []string{".default"}
	where := "Where: Entra admin center, App registrations, the application, API permissions: add them as application permissions, then grant consent:"
	if c.Auth == "delegated" {
		scopes = askedScopes(c)
		where = "Consent for everybody in the organisation, by opening this address as an administrator:"
	}
	line("%s", where)
	b.WriteString(app.ConsentAddress(scopes, signin.DefaultCallback("microsoft").URL, ""))
	return b.String()
}
