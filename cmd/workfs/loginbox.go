package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/workfs/workfs/auth/signin"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/all"
)

// boxFlags are the flags that login box has of its own.
type boxFlags struct {
	oauth, ccg                    bool
	jwt                           string // path of Box's own file
	publicKeyID, enterpriseID     string
	subject                       string
	asUser                        string
	enterprise, enterpriseContent bool
	confirmAdmin                  bool
	confirmID, confirmSecret      string
	apiURL, tokenURL, accountURL  string
	scopes                        []string
}

func loginBoxCommand(g *global) *cobra.Command {
	common, f := &loginFlags{}, &boxFlags{}
	cmd := &cobra.Command{
		Use:   "box",
		Short: "Sign in to Box as a person or as an application",
		Long: "Sign in to Box: as a person in the browser (the default), or as an application by --jwt or --ccg. The application is one that\n" +
			"you or your organisation made in Box's developer console; for people it has the redirect URI " + signin.DefaultCallback("box").URL + ".\n\n" +
			"An application by itself is its Service Account, which owns nothing: --as-user sees Box as one user, --enterprise as each\n" +
			"of the users, and --enterprise-content sees the organisation's content by the scope for that, as nobody.",
		Example: "  workfs login box --client-id abc…\n" +
			"  workfs login box --jwt box_config.json --enterprise\n" +
			"  workfs login box --client-id abc… --public-key-id xyz… --private-key key.pem --enterprise-id 12345 --as-user carol@contoso.com\n" +
			"  workfs login box --ccg --client-id abc… --client-secret-file secret --subject user:12345",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := newLogin(g, cmd, "box", common, false)
			if err != nil {
				return err
			}
			return (&boxLogin{login: l, boxFlags: f}).run(cmd.Context())
		},
	}
	fs := cmd.Flags()
	common.add(fs, "box")
	fs.BoolVar(&f.oauth, "oauth", false, "sign in as a person in the browser, also where the connection was an application's")
	fs.StringVar(&f.jwt, "jwt", "", "sign in as the application by the JSON file of the developer console, unchanged; or by --public-key-id and its like")
	fs.BoolVar(&f.ccg, "ccg", false, "sign in as the application by its client secret (client credentials grant)")
	fs.StringVar(&f.publicKeyID, "public-key-id", "", "sign in as the application by a key: the id that Box gave to the public key; beside --client-id, --private-key and --enterprise-id or --subject")
	fs.StringVar(&f.enterpriseID, "enterprise-id", "", "id of the enterprise, for --subject enterprise:ID")
	fs.StringVar(&f.subject, "subject", "", "for whom the application signs in: enterprise:ID, its Service Account, or user:ID (--jwt, --ccg)")
	fs.StringVar(&f.asUser, "as-user", "", "login or id of the user as whom everything is seen")
	fs.BoolVar(&f.enterprise, "enterprise", false, "see the files of every user of the enterprise, as that user")
	fs.BoolVar(&f.enterpriseContent, "enterprise-content", false, "see the enterprise's content by the scope enterprise_content, without acting as anybody")
	fs.BoolVar(&f.confirmAdmin, "confirm-admin", false, "before access to a whole enterprise is stored, have an administrator of it sign in in the browser as proof")
	fs.StringVar(&f.confirmID, "confirm-client-id", "", "client id of the app that administrator signs in with, where it is not the same (an app of Box has one way to sign in)")
	fs.StringVar(&f.confirmSecret, "confirm-client-secret-file", "", "file of that app's client secret")
	fs.StringSliceVar(&f.scopes, "scopes", nil, "scopes to narrow the application's own ones to (as a person)")
	fs.StringVar(&f.apiURL, "api-url", "", "address of Box's API, if it is another one")
	fs.StringVar(&f.tokenURL, "token-url", "", "address of Box's token endpoint, if it is another one")
	fs.StringVar(&f.accountURL, "account-url", "", "address of Box's sign-in pages, if it is another one")
	return cmd
}

// boxLogin is one run of login box.
type boxLogin struct {
	*login
	*boxFlags
	way string // auth of the connection
}

// check refuses flags that do not go together, before anything is asked, and finds the way.
func (l *boxLogin) check() error {
	var ways []string
	for _, w := range []struct {
		given     bool
		flag, way string
	}{{l.oauth, "--oauth", "oauth"}, {l.jwt != "", "--jwt", "jwt"}, {l.publicKeyID != "", "--public-key-id", "jwt"}, {l.ccg, "--ccg", "ccg"}} {
		if w.given {
			ways = append(ways, w.flag)
			l.way = w.way
		}
	}
	if len(ways) > 1 {
		return withCode(codeUsage, fmt.Errorf("%s are different ways to sign in, or say the same: give one", strings.Join(ways, " and ")))
	}
	if l.way == "" {
		l.way = "oauth"
		if l.before != nil && l.before.Auth != "token" {
			l.way = l.before.Auth // as this connection was signed in before
		}
	}
	var err error
	switch {
	case l.way == "oauth" && (l.subject != "" || l.enterpriseID != "" || l.privateKey != ""):
		err = errors.New("--subject, --enterprise-id and --private-key are for the sign-in of an application: by --jwt, --public-key-id or --ccg")
	case l.way != "oauth" && len(l.scopes) > 0:
		err = errors.New("--scopes is for the sign-in of a person: an application's scopes are those of the developer console")
	case l.subject != "" && l.enterpriseID != "":
		err = errors.New("--enterprise-id is short for --subject enterprise:ID: leave one out")
	case l.jwt != "" && (l.clientID != "" || l.privateKey != "" || l.secretFile != "" || l.secretCommand != ""):
		err = errors.New("the file of --jwt holds client id, client secret and key: leave these flags out")
	case l.confirmAdmin && l.way == "oauth":
		err = errors.New("--confirm-admin is for the sign-in of an application: a person who signs in is seen at once")
	case !l.confirmAdmin && (l.confirmID != "" || l.confirmSecret != ""):
		err = errors.New("--confirm-client-id and --confirm-client-secret-file are for --confirm-admin")
	case (l.confirmID == "") != (l.confirmSecret == ""):
		err = errors.New("--confirm-client-id and --confirm-client-secret-file belong together: give both")
	}
	if err == nil && (l.way == "oauth" || l.confirmAdmin) {
		err = l.browser().Callback.Check()
	}
	return withCode(codeUsage, err)
}

func (l *boxLogin) run(ctx context.Context) error {
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
	if err := l.needSecret(ctx); err != nil {
		return err
	}
	if l.way == "oauth" {
		return l.person(ctx, conn)
	}
	return l.application(ctx, conn)
}

// configure sets the keys of the connection and asks for what is missing.
func (l *boxLogin) configure(ctx context.Context) error {
	l.keys["auth"] = l.way
	if l.before != nil && l.before.Auth != l.way {
		l.clear("token_command", "jwt_config", "public_key_id", "private_key", "subject", "enterprise", "enterprise_content", "as_user", "refresh_token_file")
	}
	if err := l.common(); err != nil {
		return err
	}
	l.set("api_url", l.apiURL)
	l.set("token_url", l.tokenURL)
	l.set("account_url", l.accountURL)
	l.set("subject", l.subject)
	if l.enterpriseID != "" {
		l.keys["subject"] = "enterprise:" + l.enterpriseID
	}
	l.set("public_key_id", l.publicKeyID)
	for _, v := range []struct {
		key   string
		value any
		given bool
	}{{"as_user", l.asUser, l.asUser != ""}, {"enterprise", l.enterprise, l.enterprise}, {"enterprise_content", l.enterpriseContent, l.enterpriseContent}} {
		if v.given {
			l.clear("as_user", "enterprise", "enterprise_content")
			l.keys[v.key] = v.value
			break
		}
	}
	if l.publicKeyID != "" {
		l.clear("jwt_config")
	}
	if l.jwt != "" {
		path, err := filepath.Abs(l.jwt)
		if err != nil {
			return err
		}
		l.clear("client_id", "client_secret_file", "client_secret_command", "public_key_id", "private_key")
		l.keys["jwt_config"] = path
	}
	if err := l.chooseStore(ctx); err != nil {
		return err
	}
	p, err := l.proposal()
	if err != nil {
		return err
	}
	if p.Value("jwt_config") != "" {
		return nil
	}
	if err := l.need(ctx, "client_id", "--client-id", "the Client ID of the app in Box's developer console"); err != nil {
		return err
	}
	if l.way == "jwt" {
		if err := l.need(ctx, "public_key_id", "--public-key-id", "the id that Box gave to the public key"); err != nil {
			return err
		}
		if err := l.need(ctx, "private_key", "--private-key", "the PEM file of the private key"); err != nil {
			return err
		}
	}
	if l.way != "oauth" {
		return l.need(ctx, "subject", "--subject", "for whom the application signs in, enterprise:ID or user:ID")
	}
	return nil
}

// person signs a person in.
func (l *boxLogin) person(ctx context.Context, conn backends.Connection) error {
	result, err := l.inBrowser(ctx, conn, fmt.Sprintf("Signing in to the connection %s. The application's client id is %s.", l.name, conn.ClientID))
	if err != nil {
		return err
	}
	trial := newTrial(conn, result.Credentials)
	if err = l.prove(ctx, trial); err != nil && !l.stored {
		l.forget(ctx, trial)
	}
	return err
}

// inBrowser has a person sign in with the application of a connection.
func (l *boxLogin) inBrowser(ctx context.Context, conn backends.Connection, why string) (signin.Result, error) {
	app, err := all.BoxApp(conn, l.own)
	if err != nil {
		return signin.Result{}, err
	}
	l.say("%s", why)
	wait, cancel := l.wait(ctx)
	defer cancel()
	result, err := app.Code(wait, l.browser(), l.scopes)
	return result, late(wait, callbackError(err))
}

// application signs the application itself in.
func (l *boxLogin) application(ctx context.Context, conn backends.Connection) error {
	c := l.own
	c.SignedInAt = time.Now().UTC().Truncate(time.Second)
	return l.prove(ctx, newTrial(conn, c))
}

// prove asks Box who a sign-in is, proves what it shall be able to, and stores it.
func (l *boxLogin) prove(ctx context.Context, trial trial) error {
	conn := trial.conn
	box, err := newBoxView(conn)
	if err != nil {
		return err
	}
	me, err := box.me(ctx, "")
	if err != nil {
		return unproven(err)
	}
	report := loginReport{
		Account: me.Login, Person: me.Name, Role: me.Role, Enterprise: me.Enterprise.ID, EnterpriseName: me.Enterprise.Name,
	}
	service := strings.HasPrefix(me.Login, "AutomationUser_")
	if service && conn.AsUser == "" && !conn.Enterprise && !conn.EnterpriseContent {
		report.Notes = append(report.Notes, "This is the Service Account of the application, which owns nothing: invite it to folders, or sign in with "+
			"--as-user LOGIN, --enterprise or --enterprise-content.")
	}
	lists, err := box.listsUsers(ctx)
	switch {
	case err != nil:
		return err
	case !lists && conn.Enterprise:
		return withCode(codeRefused, errors.New("the sign-in may not list the users of the enterprise, which --enterprise needs: give the application the scope "+
			"\"Manage users\" and App + Enterprise Access, have an admin authorise it again, and sign in as it or as an administrator"))
	case !lists:
		report.Notes = append(report.Notes, "It may not list the users and groups of the enterprise: directory/ stays empty.")
	}
	// What a mount does first proves as_user, too, and says why it does not work.
	if _, err := all.Open(ctx, conn, backends.Options{UserAgent: userAgent()}, memory{}); err != nil {
		return err
	}
	report.ActsAs = conn.AsUser
	if l.confirmAdmin {
		if err := l.confirm(ctx, trial.into, me); err != nil {
			return err
		}
	}
	c, err := trial.store.Load()
	if err != nil {
		return err
	}
	c.Account = me.Login
	if err := l.replaces(ctx, conn, c.Account); err != nil {
		return err
	}
	return l.keep(ctx, trial.into, c, report)
}
