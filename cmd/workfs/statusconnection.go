package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// connectionStatus is how a connection of a mount is doing. It has no secrets.
type connectionStatus struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Auth    string `json:"auth"`
	Account string `json:"account,omitempty"` // who signed in, "" if unknown
	Store   string `json:"store,omitempty"`   // where the secrets are
	Error   string `json:"error,omitempty"`   // why it could not be opened, or is not signed in now
	Action  string `json:"action,omitempty"`  // what helps against that
	// Renewed is when the refresh token was issued.
	Renewed time.Time `json:"renewed,omitzero"`
	// Ends are the parts of the sign-in whose end is known.
	Ends []endingInfo `json:"ends,omitempty"`
	// Missing is what the features need and the sign-in was not granted, as far as known.
	Missing []missingPermission `json:"missing,omitempty"`
}

// connectionStatuses tells how the connections are doing, without asking anybody.
func (s *session) connectionStatuses() []connectionStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []connectionStatus{}
	for _, l := range s.links {
		c := connectionStatus{Name: l.conn.Name, Type: l.conn.Type, Auth: l.conn.Auth, Account: l.life.Account, Renewed: l.life.RefreshedAt}
		if l.conn.Store != nil {
			c.Store = l.conn.Store.String()
		}
		if err := l.trouble(); err != nil {
			c.Error = err.Error()
			_, c.Action = remedy(l.conn, err)
		}
		for _, e := range ends(l.life) {
			// The access token's says nothing: it is renewed.
			if !e.at.IsZero() && e.key != "access_token" {
				c.Ends = append(c.Ends, endingInfo{e.key, e.at, daysUntil(e.at)})
			}
		}
		for _, n := range missing(l.conn, l.life) {
			c.Missing = append(c.Missing, missingPermission{n.Scope, string(n.Feature), n.Buys, n.Admin})
		}
		list = append(list, c)
	}
	return list
}

// printConnection prints how a connection is doing.
func printConnection(out io.Writer, c connectionStatus) {
	state := "open"
	if c.Error != "" {
		state = "FAILED: " + c.Error
	}
	fmt.Fprintf(out, "  %s (%s, %s): %s\n", printable(c.Name), printable(c.Type), printable(c.Auth), printable(state))
	line := func(parts ...string) {
		parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
		if len(parts) > 0 {
			fmt.Fprintf(out, "    %s\n", printable(strings.Join(parts, ", ")))
		}
	}
	if c.Action != "" {
		line("what helps: " + c.Action)
	}
	account, store, renewed := "", "", ""
	if c.Account != "" {
		account = "signed in as " + c.Account
	}
	if c.Store != "" {
		store = "secrets in " + c.Store
	}
	line(account, store)
	var lasts []string
	for _, e := range c.Ends {
		what := strings.ReplaceAll(e.What, "_", " ")
		if e.Days < 0 {
			lasts = append(lasts, what+" ENDED on "+e.At.Local().Format(time.DateOnly))
			continue
		}
		lasts = append(lasts, fmt.Sprintf("%s lasts %d days", what, e.Days))
	}
	if !c.Renewed.IsZero() {
		renewed = "renewed " + localTime(c.Renewed)
	}
	line(append(lasts, renewed)...)
	for _, m := range c.Missing {
		text := "not granted: " + m.Permission + " (" + m.Feature + ": " + m.Buys + ")"
		if m.Admin {
			text += ", which an administrator has to grant"
		}
		line(text)
	}
}

// connectionNames joins names of connections.
func connectionNames(list []*link) string {
	names := make([]string, len(list))
	for i, l := range list {
		names[i] = l.conn.Name
	}
	return strings.Join(names, "+")
}
