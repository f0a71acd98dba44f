package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/all"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/graph/permission"
)

// application signs the application itself in, for a whole organisation: all that is needed is proof that it gets a token.
func (l *microsoftLogin) application(ctx context.Context, conn backends.Connection) error {
	if conn.Certificate == "" {
		if err := l.needSecret(ctx); err != nil {
			return err
		}
	} else if err := l.openCertificate(ctx, conn); err != nil {
		return err
	}
	trial := newTrial(conn, l.own)
	tokens, err := all.SignIn(trial.conn)
	if err != nil {
		return err
	}
	wait, cancel := l.wait(ctx)
	defer cancel()
	token, err := tokens.Token(wait)
	if err != nil {
		return late(wait, err)
	}
	c, err := trial.store.Load()
	if err != nil {
		return err
	}
	c.SignedInAt = time.Now().UTC().Truncate(time.Second)
	report := loginReport{Tenant: conn.Tenant}
	report.EnterpriseName, err = l.organization(ctx, trial.conn, &report)
	if err != nil {
		return err
	}
	for _, f := range wanted(conn) {
		report.Features = append(report.Features, string(f))
	}
	if roles, ok := rolesOf(token.Value); ok {
		report.Granted = roles
		report.missing(permission.Missing(wanted(conn), true, roles))
	}
	if len(report.Missing) > 0 {
		report.Notes = append(report.Notes, "Add what is missing to the app registration as application permissions, then have an administrator grant it: "+
			"workfs login microsoft --name "+shellWord(l.name)+" --app-only --admin-consent")
	}
	return l.keep(ctx, conn, c, report)
}

// openCertificate proves that the certificate's key is there and opens, and asks for its passphrase if it must.
func (l *microsoftLogin) openCertificate(ctx context.Context, conn backends.Connection) error {
	load := func() error {
		certificate, err := auth.LoadCertificate(conn.Certificate, conn.PrivateKey, l.own.PrivateKey, l.own.Passphrase)
		if err != nil {
			return err
		}
		return certificate.Valid(time.Now())
	}
	err := load()
	if !errors.Is(err, auth.ErrNoPassphrase) || !l.term.person || l.own.Passphrase != "" {
		return err
	}
	if l.own.Passphrase, err = l.secret(ctx, "passphrase of the private key"); err != nil {
		return err
	}
	return load()
}

// organization asks for the name and the id of the organisation, where the application may.
func (l *microsoftLogin) organization(ctx context.Context, conn backends.Connection, report *loginReport) (name string, err error) {
	client, err := all.Graph(conn, backends.Options{UserAgent: userAgent()})
	if err != nil {
		return "", err
	}
	account, err := client.Account(ctx, memory{})
	switch {
	case errors.Is(err, backends.ErrForbidden):
		report.Notes = append(report.Notes, fmt.Sprintf("The application may not even ask for the organisation: %v", err))
	case err != nil:
		return "", unproven(err)
	default:
		report.Tenant = account.Tenant
	}
	page, err := client.Page(ctx, "/organization", graph.Opts("$select", "displayName"))
	if err != nil || len(page.Values) == 0 {
		return "", nil // a nicety
	}
	var org struct{ DisplayName string }
	_ = json.Unmarshal(page.Values[0], &org)
	return org.DisplayName, nil
}

// rolesOf reads the application permissions out of an access token. Microsoft calls these tokens opaque: what this says is a
// help for people, nothing is decided by it, and ok is false for a token that it can't read.
func rolesOf(token string) (roles []string, ok bool) {
	var claims struct {
		Roles []string `json:"roles"`
		jwt.RegisteredClaims
	}
	if _, _, err := jwt.NewParser().ParseUnverified(token, &claims); err != nil {
		return nil, false
	}
	return claims.Roles, true
}
