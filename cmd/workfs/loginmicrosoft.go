package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/workfs/workfs/auth/signin"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/all"
	"github.com/workfs/workfs/backends/graph/permission"
	"github.com/workfs/workfs/cmd/workfs/internal/config"
)

// microsoftFlags are the flags that login microsoft has of its own.
type microsoftFlags struct {
	tenant, cloud, loginURL, graphURL string
	certificate                       string
	deviceCode, appOnly, adminConsent bool
	prompt, loginHint                 string
	scopes, features                  []string
}

func loginMicrosoftCommand(g *global) *cobra.Command {
	common, f := &loginFlags{}, &microsoftFlags{}
	cmd := &cobra.Command{
		Use:   "microsoft",
		Short: "Sign in to Microsoft 365 as a person or as an application",
		Long: "Sign in to Microsoft 365: as a person in the browser (authorization code with PKCE), by --device-code on another device, or\n" +
			"--app-only as the application itself, with a secret or a certificate. The application is one that you or your organisation\n" +
			"registered with Entra ID, with the redirect URI " + signin.DefaultCallback("microsoft").URL + ".\n\n" +
			"Only the permissions that --features need are asked for. What an administrator has to grant first is marked; --admin-consent\n" +
			"opens the page for that. What is not granted is not shown, and .workfs/coverage.md says so.",
		Example: "  workfs login microsoft --name contoso --client-id 11111111-…\n" +
			"  workfs login microsoft --features mail,calendar,contacts --device-code\n" +
			"  workfs login microsoft --name company --app-only --tenant contoso.com --certificate app.pem --private-key app.key",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := newLogin(g, cmd, "microsoft", common, f.adminConsent && common.clientID != "")
			if err != nil {
				return err
			}
			return (&microsoftLogin{login: l, microsoftFlags: f}).run(cmd.Context())
		},
	}
	fs := cmd.Flags()
	common.add(fs, "microsoft")
	fs.StringVar(&f.tenant, "tenant", "", "directory (tenant) ID or a domain of the organisation; for a person also organizations, the default, or common")
	fs.StringVar(&f.cloud, "cloud", "", "national cloud: "+strings.Join(config.Clouds(), ", "))
	fs.StringVar(&f.loginURL, "login-url", "", "address of the login host, instead of --cloud")
	fs.StringVar(&f.graphURL, "graph-url", "", "address of Microsoft Graph, instead of --cloud")
	fs.StringVar(&f.certificate, "certificate", "", "PEM file of the certificate that is registered for the application, instead of a client secret")
	fs.BoolVar(&f.deviceCode, "device-code", false, "sign in by a code on another device; many organisations do not allow it")
	fs.BoolVar(&f.appOnly, "app-only", false, "sign in as the application itself, for a whole organisation")
	fs.BoolVar(&f.adminConsent, "admin-consent", false, "have an administrator grant the permissions to everybody in the organisation; signs nobody in")
	fs.StringVar(&f.prompt, "prompt", "", "what Entra shows: login, consent or select_account")
	fs.StringVar(&f.loginHint, "login-hint", "", "account to sign in with")
	fs.StringSliceVar(&f.scopes, "scopes", nil, "permissions to ask for instead of those that the features need; or .default")
	fs.StringSliceVar(&f.features, "features", nil, "what to show: "+featureNames()+" (everything by default)")
	return cmd
}

func featureNames() string {
	var names []string
	for _, f := range append(permission.Features(), permission.MailNames) {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

// microsoftLogin is one run of login microsoft.
type microsoftLogin struct {
	*login
	*microsoftFlags
}

// check refuses flags that do not go together, before anything is asked.
func (l *microsoftLogin) check() error {
	person := ""
	switch {
	case l.deviceCode:
		person = "--device-code"
	case l.prompt != "":
		person = "--prompt"
	case l.loginHint != "":
		person = "--login-hint"
	case len(l.scopes) > 0:
		person = "--scopes"
	}
	var err error
	switch {
	case l.appOnly && person != "" && !l.adminConsent:
		err = fmt.Errorf("%s is for the sign-in of a person and --app-only for that of an application: leave one out", person)
	case l.deviceCode && (l.prompt != "" || l.loginHint != "" || l.adminConsent):
		err = errors.New("--device-code goes with none of --prompt, --login-hint and --admin-consent")
	case !slices.Contains([]string{"", "login", "consent", "select_account"}, l.prompt):
		err = fmt.Errorf("--prompt %q: choose login, consent or select_account", l.prompt)
	case l.prompt == "select_account" && l.loginHint != "":
		err = errors.New("--login-hint names the account and --prompt select_account asks for it: leave one out")
	case l.certificate != "" && (l.secretFile != "" || l.secretCommand != ""):
		err = errors.New("--certificate takes the place of the client secret: leave one out")
	case l.cloud != "" && (l.loginURL != "" || l.graphURL != ""):
		err = errors.New("--cloud says what --login-url and --graph-url say: leave it or both of these out")
	case (l.loginURL == "") != (l.graphURL == ""):
		err = errors.New("--login-url and --graph-url belong together: give both")
	}
	if _, parse := permission.Parse(l.features); err == nil && parse != nil {
		err = fmt.Errorf("--features: %w", parse)
	}
	if err == nil && !l.deviceCode && !l.appOnly {
		err = l.browser().Callback.Check()
	}
	return withCode(codeUsage, err)
}

func (l *microsoftLogin) run(ctx context.Context) error {
	appOnly := l.cmd.Flags().Lookup("app-only")
	if !appOnly.Changed && !l.appOnly && l.before != nil && l.before.Auth == "app" {
		l.appOnly = true // as this connection was signed in before
	}
	if err := l.check(); err != nil {
		return err
	}
	if err := l.configure(ctx); err != nil {
		return err
	}
	conn, err := l.resolve()
	if err != nil {
		return err
	}
	if err := l.readOwn(ctx, conn); err != nil {
		return err
	}
	switch {
	case l.adminConsent:
		return l.consent(ctx, conn)
	case l.appOnly:
		return l.application(ctx, conn)
	}
	return l.person(ctx, conn)
}

// configure sets the keys of the connection and asks for what is missing.
func (l *microsoftLogin) configure(ctx context.Context) error {
	way := "delegated"
	if l.appOnly {
		way = "app"
		l.clear("scopes", "shared_mailboxes", "refresh_token_file")
	}
	l.keys["auth"] = way
	if l.before != nil && l.before.Auth == "token" {
		l.clear("token_command")
	}
	if err := l.common(); err != nil {
		return err
	}
	if l.cloud != "" {
		l.clear("login_url", "graph_url")
	}
	if l.loginURL != "" {
		l.clear("cloud")
	}
	l.set("cloud", l.cloud)
	l.set("login_url", l.loginURL)
	l.set("graph_url", l.graphURL)
	if l.secretFile != "" || l.secretCommand != "" {
		l.clear("certificate", "private_key")
	}
	if l.certificate != "" {
		l.clear("client_secret_file", "client_secret_command")
	}
	if err := l.setPath("certificate", l.certificate); err != nil {
		return err
	}
	if len(l.features) > 0 {
		l.keys["features"] = l.features
	}
	if len(l.scopes) > 0 {
		l.keys["scopes"] = l.scopes
	} else if len(l.features) > 0 {
		l.clear("scopes")
	}
	l.set("tenant", l.tenant)
	if !l.appOnly {
		if p, err := l.proposal(); err != nil {
			return err
		} else if p.Value("tenant") == "" {
			l.keys["tenant"] = "organizations"
		}
	}
	if err := l.chooseStore(ctx); err != nil {
		return err
	}
	if err := l.need(ctx, "client_id", "--client-id", "the Application (client) ID of the app registration"); err != nil {
		return err
	}
	return l.need(ctx, "tenant", "--tenant", "the Directory (tenant) ID or a domain of the organisation")
}

// wanted are the features of the connection.
func wanted(conn backends.Connection) []permission.Feature {
	list, err := permission.Parse(conn.Features)
	if err != nil {
		return permission.Features() // the configuration has been checked
	}
	return list
}

// consent has an administrator grant the permissions to everybody.
func (l *microsoftLogin) consent(ctx context.Context, conn backends.Connection) error {
	app, err := all.MicrosoftApp(conn, l.own)
	if err != nil {
		return err
	}
	scopes := l.consentScopes(conn)
	l.say("An administrator of the organisation has to open this page, and to grant the application for everybody:")
	l.explain(conn, scopes)
	wait, cancel := l.wait(ctx)
	defer cancel()
	granted, err := app.AdminConsent(wait, l.browser(), scopes)
	if err != nil {
		return late(wait, callbackError(err))
	}
	if l.json {
		return printJSON(l.cmd.OutOrStdout(), consentReport{Tenant: granted.Tenant, ClientID: conn.ClientID, Granted: granted.Scopes})
	}
	out := newFields(l.cmd.OutOrStdout())
	out.line("Granted for tenant", granted.Tenant)
	out.line("Application", conn.ClientID)
	out.line("Permissions", strings.Join(granted.Scopes, " "))
	if err := out.flush(); err != nil {
		return err
	}
	l.say("Sign in now, by the same command without --admin-consent.")
	return nil
}

// consentReport is what --admin-consent gives programs.
type consentReport struct {
	Tenant   string   `json:"tenant"`
	ClientID string   `json:"client_id"`
	Granted  []string `json:"granted"`
}

// consentScopes are what an administrator is asked for: an application's own permissions can't be named one by one.
func (l *microsoftLogin) consentScopes(conn backends.Connection) []string {
	if l.appOnly {
		return []string{".default"}
	}
	return askedScopes(conn)
}

// consentAddress is the page of consent, to send to an administrator.
func (l *microsoftLogin) consentAddress(conn backends.Connection) string {
	app, err := all.MicrosoftApp(conn, l.own)
	if err != nil {
		return ""
	}
	return app.ConsentAddress(l.consentScopes(conn), l.callback, "")
}
