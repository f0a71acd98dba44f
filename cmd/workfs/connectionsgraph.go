package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph/permission"
)

// microsoft proves the features of a Microsoft connection: for a person on what is theirs, for an application on what is
// found first. The calls are those that the services make, for one item.
func (t *tester) microsoft(ctx context.Context) {
	g := graphTest{tester: t, root: "/v1.0/me", app: t.conn.Auth == "app"}
	if g.app {
		t.run(ctx, "account", false, g.application)
	} else {
		t.run(ctx, "account", false, g.person)
	}
	for _, f := range featuresOf(t.conn) {
		if p := t.run(ctx, string(f), false, g.probes()[f]); p.State == probeRefused {
			g.remedy(f)
		}
	}
	for _, address := range t.conn.SharedMailboxes {
		t.run(ctx, address, false, t.call("/v1.0/users/"+url.PathEscape(address)+"/mailFolders?$top=1"))
	}
}

// graphTest are the probes of one Microsoft connection and what they learn on the way.
type graphTest struct {
	*tester
	app  bool
	root string // of the mailbox that is tried: /v1.0/me or /v1.0/users/ID; "" if there is none
	user string // its owner

	team, channel string
	teamErr       error
	teamsRead     bool
}

func (g *graphTest) probes() map[permission.Feature]func(context.Context) (string, string, error) {
	return map[permission.Feature]func(context.Context) (string, string, error){
		permission.Mail:      g.letters,
		permission.MailNames: g.ofMailbox("/mailFolders?$top=1"),
		permission.Calendar:  g.ofMailbox("/calendars?$top=1"),
		permission.Contacts:  g.ofMailbox("/contacts?$top=1"),
		permission.Teams:     g.messages,
		permission.Chats:     g.ofMailbox("/chats?$top=1"),
		permission.Files:     g.files,
		permission.Directory: g.directory,
		permission.Presence:  g.presence,
	}
}

func (g *graphTest) person(ctx context.Context) (string, string, error) {
	var me struct{ ID, UserPrincipalName string }
	err := g.get(ctx, "/v1.0/me?$select=id,userPrincipalName", &me)
	g.user, g.report.Account = me.ID, me.UserPrincipalName
	return "GET /me", me.UserPrincipalName, err
}

// application finds somebody with a mailbox. That it may not list users concerns the features that need it.
func (g *graphTest) application(ctx context.Context) (string, string, error) {
	g.root = ""
	var users struct {
		Value []struct{ ID, Mail, UserPrincipalName string }
	}
	const path = "/v1.0/users?$top=5&$select=id,mail,userPrincipalName"
	if err := g.get(ctx, path, &users); err != nil && !errors.Is(err, backends.ErrForbidden) {
		return "GET /users", "", err
	}
	for _, u := range users.Value {
		if u.Mail != "" {
			g.user, g.root = u.ID, "/v1.0/users/"+url.PathEscape(u.ID)
			return "GET /users", "an application; what is of a person is tried on " + u.UserPrincipalName, nil
		}
	}
	return "GET /users", "an application", nil
}

// ofMailbox asks for something of a mailbox.
func (g *graphTest) ofMailbox(path string) func(context.Context) (string, string, error) {
	return func(ctx context.Context) (string, string, error) {
		var answer struct{} // any object
		return g.ask(ctx, path, &answer)
	}
}

// ask asks for something of the mailbox that is tried. That its owner has none says nothing of the permission.
func (g *graphTest) ask(ctx context.Context, path string, into any) (string, string, error) {
	if g.root == "" {
		// The services list the mailboxes first: asked without one, Graph tells whether that is allowed.
		return g.call("/v1.0/users?$top=1&$select=id")(ctx)
	}
	err := g.get(ctx, g.root+path, into)
	if errors.Is(err, backends.ErrNotFound) {
		err = fmt.Errorf("%w: %s has no mailbox", errNothing, g.user)
	}
	return "GET " + g.root + path, "", err
}

// letters reads a message with its body, which Graph leaves out where only Mail.ReadBasic is granted.
func (g *graphTest) letters(ctx context.Context) (string, string, error) {
	var list struct{ Value []struct{ Body *struct{} } }
	request, detail, err := g.ask(ctx, "/messages?$top=1&$select=id,body", &list)
	if err == nil && len(list.Value) > 0 && list.Value[0].Body == nil {
		err = fmt.Errorf("%w: messages come without their bodies", backends.ErrForbidden)
	}
	return request, detail, err
}

// findTeam finds a team with its channel. It is asked for once.
func (g *graphTest) findTeam(ctx context.Context) error {
	if g.teamsRead {
		return g.teamErr
	}
	g.teamsRead = true
	path := "/v1.0/me/joinedTeams"
	if g.app {
		path = "/v1.0/teams?$top=1"
	}
	var teams, channels struct{ Value []struct{ ID string } }
	if g.teamErr = g.get(ctx, path, &teams); g.teamErr != nil {
		return g.teamErr
	}
	if len(teams.Value) == 0 {
		g.teamErr = fmt.Errorf("%w: no team is seen", errNothing)
		return g.teamErr
	}
	g.team = "/v1.0/teams/" + url.PathEscape(teams.Value[0].ID)
	if g.teamErr = g.get(ctx, g.team+"/channels", &channels); g.teamErr != nil {
		return g.teamErr
	}
	if len(channels.Value) == 0 {
		g.teamErr = fmt.Errorf("%w: the first team has no channel that is seen", errNothing)
		return g.teamErr
	}
	g.channel = g.team + "/channels/" + url.PathEscape(channels.Value[0].ID)
	return nil
}

func (g *graphTest) messages(ctx context.Context) (string, string, error) {
	if err := g.findTeam(ctx); err != nil {
		return "GET /teams", "", err
	}
	return g.call(g.channel + "/messages?$top=1")(ctx)
}

func (g *graphTest) files(ctx context.Context) (string, string, error) {
	if err := g.findTeam(ctx); err != nil {
		return "GET /teams", "", err
	}
	return g.call(g.channel + "/filesFolder")(ctx)
}

func (g *graphTest) directory(ctx context.Context) (string, string, error) {
	if request, _, err := g.call("/v1.0/users?$top=1&$select=id")(ctx); err != nil {
		return request, "", err
	}
	return g.call("/v1.0/groups?$top=1&$select=id")(ctx)
}

func (g *graphTest) presence(ctx context.Context) (string, string, error) {
	const path = "/v1.0/communications/getPresencesByUserId"
	if g.user == "" {
		return "", "", errNothing
	}
	body, err := json.Marshal(map[string][]string{"ids": {g.user}})
	if err != nil {
		return "", "", err
	}
	_, err = g.client.Do(ctx, http.MethodPost, path, http.Header{"Content-Type": {"application/json"}}, body)
	return "POST " + path, "", err
}

// remedy says what helps against the refusal of a feature: what an administrator has to grant, and what a person can consent
// to at the next sign-in.
func (g *graphTest) remedy(f permission.Feature) {
	needs := permission.Needs([]permission.Feature{f}, g.app)
	if !g.app && g.life.Scopes != nil {
		needs = permission.Missing([]permission.Feature{f}, false, g.life.Scopes)
	}
	self := false
	for _, n := range needs {
		line := fmt.Sprintf("%s, which shows %s", n.Scope, n.Buys)
		if !g.app && !n.Admin {
			self = true
		} else if !slices.Contains(g.report.Ask, line) {
			g.report.Ask = append(g.report.Ask, line)
		}
	}
	line := "sign in again and consent to what is asked: workfs login microsoft --name " + shellWord(g.conn.Name)
	if len(g.conn.Features) > 0 {
		line += " --features " + strings.Join(g.conn.Features, ",")
	}
	if self && !slices.Contains(g.report.Do, line) {
		g.report.Do = append(g.report.Do, line)
	}
}
