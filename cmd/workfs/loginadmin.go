package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/auth/signin"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/all"
)

// confirm has a person sign in and proves that they are an administrator of the enterprise that the application is about to
// get access to. Their sign-in is ended at once and stored nowhere.
func (l *boxLogin) confirm(ctx context.Context, conn backends.Connection, app boxUser) error {
	person := conn
	person.Auth, person.Subject, person.AsUser, person.Enterprise, person.EnterpriseContent = "oauth", "", "", false, false
	if l.confirmID != "" {
		secret, err := auth.FileSecret(l.confirmSecret)(ctx)
		if err != nil {
			return err
		}
		person.ClientID = l.confirmID
		defer func(own auth.Credentials) { l.own = own }(l.own)
		l.own = auth.Credentials{ClientSecret: secret}
	}
	result, err := l.inBrowser(ctx, person, "An administrator of the enterprise has to sign in now, to confirm that this application may have access to all of it.")
	if err != nil {
		return err
	}
	trial := newTrial(person, result.Credentials)
	defer l.forget(ctx, trial)
	box, err := newBoxView(trial.conn)
	if err != nil {
		return err
	}
	admin, err := box.me(ctx, "")
	switch {
	case err != nil:
		return fmt.Errorf("the administrator's sign-in does not work: %w", err)
	case !slices.Contains([]string{"admin", "coadmin"}, admin.Role):
		return withCode(codeRefused, fmt.Errorf("%s is no administrator at Box (role %q): nothing was stored", admin.Login, admin.Role))
	case admin.Enterprise.ID == "" || admin.Enterprise.ID != app.Enterprise.ID:
		return withCode(codeRefused, fmt.Errorf("%s is an administrator of another enterprise: nothing was stored", admin.Login))
	}
	l.say("%s (%s) has confirmed it.", admin.Login, admin.Role)
	return nil
}

// forget ends a sign-in that is needed no more.
func (l *boxLogin) forget(ctx context.Context, trial trial) {
	c, err := trial.store.Load()
	var app signin.Box
	if err == nil {
		app, err = all.BoxApp(trial.conn, c)
	}
	if err == nil {
		err = app.Revoke(context.WithoutCancel(ctx), c.RefreshToken)
	}
	if err != nil {
		l.say("A sign-in at Box that is not needed could not be ended; it ends by itself in 60 days: %v", err)
	}
}
