package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"

	"github.com/workfs/workfs/backends/sim"
)

// secretsOf are all secrets of the simulator's connections.
func secretsOf(s *sim.Sim) []string {
	r := s.Ready()
	return append([]string{r.ClientSecret, r.RefreshToken, r.BoxClientSecret, r.BoxRefreshToken}, r.BoxWebhookKeys...)
}

// decode reads what a command printed as JSON.
func decode[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in\n%s", err, head(text, 20))
	}
	return v
}

// useConfig takes another configuration that the simulator wrote.
func (e *env) useConfig(name string) { e.config = filepath.Join(e.etc, name) }

// states gives the states of a connection's probes by feature.
func states(r connectionReport) map[string]string {
	m := map[string]string{}
	for _, p := range r.Probes {
		m[p.Feature] = p.State
	}
	return m
}

// TestConnectionsTellNoSecret: list, show and test tell of every kind of connection what they should, and no secret.
func TestConnectionsTellNoSecret(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{TLSDir: t.TempDir()})
	for _, name := range []string{"config.toml", "config-admin.toml", "config-box-oauth.toml", "config-box-jwt.toml"} {
		e.useConfig(name)
		e.resetRequests()
		said := e.expect(0, nil, "connections", "list")
		list := decode[[]connectionInfo](t, e.expect(0, nil, "connections", "list", "--json"))
		for _, c := range list {
			if c.Problem != "" || !strings.Contains(said, c.Name) || c.Store != "" && !strings.Contains(said, c.Store) {
				t.Errorf("%s: %+v in\n%s", name, c, said)
			}
			said += e.expect(0, []string{c.Type, c.Auth, e.config}, "connections", "show", c.Name)
			d := decode[connectionDetails](t, e.expect(0, nil, "connections", "show", c.Name, "--json"))
			if d.Settings[0].Key != "type" || d.Settings[0].From != e.config || d.By == "" {
				t.Errorf("%s: %+v", name, d)
			}
		}
		if n, by := e.requests(); n != 0 {
			t.Errorf("%s: list and show make %d requests: %v", name, n, by)
		}
		said += e.expect(0, nil, "connections", "test")
		for _, r := range decode[[]connectionReport](t, e.expect(0, nil, "connections", "test", "--json")) {
			if !r.Works || len(r.Probes) < 6 || states(r)["sign-in"] != probeWorks || states(r)["files"] != probeWorks {
				t.Errorf("%s: %+v", name, r)
			}
			if n := slices.IndexFunc(r.Probes, func(p probeResult) bool { return p.State == probeFailed }); n >= 0 {
				t.Errorf("%s: %+v", name, r.Probes[n])
			}
		}
		for _, secret := range secretsOf(e.sim) {
			if strings.Contains(said, secret) {
				t.Errorf("%s: a secret is printed", name)
			}
		}
	}
	for _, leak := range e.sim.World().Stats.Snapshot().Leaks {
		t.Errorf("leak: %+v", leak)
	}
}

// TestConnectionsTestSaysWhatToAskFor: what the sign-in may not is named with the permission and with who can give it.
func TestConnectionsTestSaysWhatToAskFor(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	e.set("entra.scopes", "User.Read Mail.ReadBasic Chat.Read")
	report := func(name string, want int) connectionReport {
		t.Helper()
		stdout, stderr, code := e.workfs("connections", "test", name, "--json")
		if code != want {
			t.Fatalf("exit %d, want %d: %s%s", code, want, head(stdout, 20), stderr)
		}
		return decode[[]connectionReport](t, stdout)[0]
	}
	r := report("contoso", 12)
	s := states(r)
	for feature, want := range map[string]string{"sign-in": probeWorks, "mail": probeRefused, "chats": probeWorks, "teams": probeRefused, "directory": probeRefused} {
		if s[feature] != want {
			t.Errorf("%s: %s, want %s", feature, s[feature], want)
		}
	}
	ask := strings.Join(r.Ask, "\n")
	if r.Works || !strings.Contains(ask, "ChannelMessage.Read.All, which shows the messages") || strings.Contains(ask, "Chat.Read") {
		t.Errorf("asks an administrator for\n%s", ask)
	}
	if len(r.Do) != 1 || !strings.Contains(r.Do[0], "workfs login microsoft --name contoso") {
		t.Errorf("tells to do %q", r.Do)
	}
	e.features("chats", "mail-names")
	if r := report("contoso", 0); !r.Works || len(r.Probes) != 4 {
		t.Errorf("with what is granted: %+v", r)
	}

	e.useConfig("config-admin.toml")
	e.set("box.scopes", "root_readwrite manage_managed_users")
	r = report("box", 0)
	if s := states(r); s["groups"] != probeRefused || s["enterprise events"] != probeRefused || s["users"] != probeWorks {
		t.Errorf("box: %v", s)
	}
	if ask := strings.Join(r.Ask, "\n"); !strings.Contains(ask, "Manage groups") || !strings.Contains(ask, "Manage enterprise properties") || !strings.Contains(ask, "authorise the app again") {
		t.Errorf("box asks for\n%s", ask)
	}
	e.set("box.as_user", false)
	if r = report("box", 12); states(r)["as other users"] != probeRefused || !strings.Contains(strings.Join(r.Ask, "\n"), "as-user header") {
		t.Errorf("without impersonation: %+v", r)
	}
	e.editCredentials("box-admin", map[string]any{"client_secret": "wrong"})
	if r = report("box", 12); len(r.Probes) != 1 || r.Probes[0].State != probeRefused {
		t.Errorf("not signed in: %+v", r.Probes)
	}
	e.expect(2, []string{"no connection \"nobody\""}, "connections", "test", "nobody")
}

// TestMountFromEnvironment: variables alone make a mount, as a container is given them.
func TestMountFromEnvironment(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	r := e.sim.Ready()
	secret := e.path("box-secret")
	e.write(secret, r.BoxClientSecret+"\n")
	host := func(u string) string { return strings.SplitN(u, "://", 2)[1] }
	e.vars = []string{
		"WORKFS_CONNECTION_WORK_TYPE=microsoft", "WORKFS_CONNECTION_WORK_AUTH=app", "WORKFS_CONNECTION_WORK_GRAPH_URL=" + r.Graph,
		"WORKFS_CONNECTION_WORK_LOGIN_URL=" + r.Login, "WORKFS_CONNECTION_WORK_FEATURES=directory",
		"MICROSOFT_CLIENT_ID=" + r.ClientID, "MICROSOFT_CLIENT_SECRET=" + r.ClientSecret, "MICROSOFT_TENANT_ID=" + r.Tenant,
		"WORKFS_CONNECTION_MY_BOX_TYPE=box", "WORKFS_CONNECTION_MY_BOX_AUTH=ccg", "WORKFS_CONNECTION_MY_BOX_CLIENT_ID=" + r.BoxClientID,
		"WORKFS_CONNECTION_MY_BOX_SUBJECT=user:" + r.BoxSubject, "WORKFS_CONNECTION_MY_BOX_CLIENT_SECRET_FILE=" + secret,
		"WORKFS_CONNECTION_MY_BOX_API_URL=" + r.BoxAPI, "WORKFS_CONNECTION_MY_BOX_TOKEN_URL=" + r.BoxAPI + "/oauth2/token",
		"WORKFS_CONNECTION_MY_BOX_CONTENT_HOSTS=" + host(r.BoxDownload), "WORKFS_CONNECTION_MY_BOX_REALTIME_HOSTS=" + host(r.BoxRealtime),
	}
	e.config = e.path("no", "config.toml")
	list := decode[[]connectionInfo](t, e.expect(0, nil, "connections", "list", "--json"))
	if len(list) != 2 || list[0].Name != "my-box" || list[1].Name != "work" || list[0].Problem+list[1].Problem != "" {
		t.Fatalf("%+v", list)
	}
	m := e.mount()
	if got := e.must("ls", m.path()); got != "my-box\nwork\n" {
		t.Errorf("ls gives %q", got)
	}
	if got := e.must("cat", m.path("work", "directory", "users.csv")); !strings.Contains(got, "alice@contoso.com") {
		t.Errorf("users.csv: %s", head(got, 3))
	}
	if e.must("ls", m.path("my-box", "files")) == "" {
		t.Error("no file of Box")
	}
	m.umount()
	if _, err := os.Stat(filepath.Dir(e.config)); !os.IsNotExist(err) {
		t.Errorf("the directory of the configuration was made: %v", err)
	}
	e.expect(2, []string{"made by variables of the environment"}, "connections", "remove", "work")
	e.expect(2, []string{"made by variables of the environment"}, "connections", "rename", "work", "play")
}

// TestAddConnection: a connection is provisioned by flags and files alone, and works.
func TestAddConnection(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	r := e.sim.Ready()
	e.config = e.path("new", "config.toml")
	secret := e.path("secret")
	e.write(secret, r.ClientSecret+"\n")
	args := []string{"connections", "add", "contoso", "--type", "microsoft", "--auth", "delegated", "--set", "tenant=" + r.Tenant,
		"--set", "client_id=" + r.ClientID, "--set", "graph_url=" + r.Graph, "--set", "login_url=" + r.Login, "--set", "features=mail,chats",
		"--client-secret-file", secret, "--refresh-token-file", "-", "--granted", "User.Read Mail.Read"}
	add := func(want int, more ...string) (stdout, stderr string) {
		t.Helper()
		cmd := e.command(append(slices.Clone(args), more...)...)
		cmd.Stdin = strings.NewReader(r.RefreshToken + "\n")
		stdout, stderr, code := run(t, cmd)
		if code != want {
			t.Fatalf("exit %d, want %d: %s%s", code, want, stdout, stderr)
		}
		return stdout, stderr
	}
	stdout, _ := add(0, "--json")
	if c := decode[connectionChange](t, stdout); c.Change != "added" || c.Name != "contoso" || c.Config != e.config || len(c.Notes) != 1 || !strings.Contains(c.Notes[0], "1 permissions are missing") {
		t.Errorf("%+v", c)
	}
	for path, want := range map[string]os.FileMode{e.config: 0o600, filepath.Dir(e.config): 0o700, filepath.Join(filepath.Dir(e.config), "credentials", "contoso.json"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	for _, s := range secretsOf(e.sim) {
		if strings.Contains(read(t, e.config), s) {
			t.Error("the configuration holds a secret")
		}
	}
	e.expect(0, []string{"contoso (alice@contoso.com): works", "chats"}, "connections", "test", "contoso")
	if _, stderr := add(2); !strings.Contains(stderr, "there is a connection of that name already") {
		t.Errorf("again: %s", stderr)
	}
	// Another secret, and no word of shared mailboxes or features.
	e.expect(0, []string{"replaced: contoso"}, "connections", "add", "contoso", "--replace", "--type", "microsoft", "--auth", "delegated", "--set", "tenant="+r.Tenant,
		"--set", "client_id="+r.ClientID, "--set", "graph_url="+r.Graph, "--set", "login_url="+r.Login, "--client-secret-file", secret)
	d := decode[connectionDetails](t, e.expect(0, nil, "connections", "show", "contoso", "--json"))
	if d.Shows != "everything" || d.Problem != "" {
		t.Errorf("replaced: %+v", d)
	}
	e.expect(0, nil, "connections", "test", "contoso") // the refresh token stayed

	before := read(t, e.config)
	for want, args := range map[string][]string{
		"client_id is missing":     {"--type", "box", "--auth", "oauth"},
		`there is no key "colour"`: {"--set", "colour=red"},
		"write KEY=VALUE":          {"--set", "tenant"},
		"say the same":             {"--type", "box", "--set", "type=box"},
		"has no client secret":     {"--type", "box", "--auth", "oauth", "--set", "client_id=1", "--client-secret-file", "/dev/null"},
		"is not a day":             {"--type", "box", "--auth", "oauth", "--set", "client_id=1", "--secret-expires", "soon"},
		"none is stored":           {"--type", "box", "--auth", "token", "--set", "token_command=true", "--client-secret-file", secret},
		"no slash":                 {"--type", "box", "--auth", "oauth", "--set", "client_id=1", "--set", "subject="},
	} {
		name := "other"
		if want == "no slash" {
			name = "a/b"
		}
		e.expect(2, []string{want}, append([]string{"connections", "add", name}, args...)...)
	}
	if read(t, e.config) != before {
		t.Error("a refused connection has changed the configuration")
	}
}

// TestRenameConnection: the directory has another name, and everything in it is what it was, without a request.
func TestRenameConnection(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	e.features("mail")
	// The credentials have the name by default, as login and add leave it.
	e.editConfig(func(s string) string {
		return "# mine\n" + strings.ReplaceAll(s, "credentials = \"credentials/contoso.json\"\n", "")
	})
	month := "outlook/alice@contoso.com/mail/Inbox"
	list := func(m *mnt, name string) string {
		return e.must("find", m.path(name, month), "-printf", "%P %i %s %T@ %C@\n")
	}
	m := e.mount("-c", "contoso")
	before := list(m, "contoso")
	e.expect(11, []string{"connection contoso is mounted on " + m.point}, "connections", "rename", "contoso", "work")
	if d := decode[connectionDetails](t, e.expect(0, nil, "connections", "show", "contoso", "--json")); !slices.Equal(d.Mounts, []string{m.point}) {
		t.Errorf("show does not tell the mount: %+v", d.Mounts)
	}
	m.umount()
	e.expect(2, []string{"already"}, "connections", "rename", "contoso", "box")
	e.expect(2, []string{"no dot in front"}, "connections", "rename", "contoso", ".work")
	e.expect(2, []string{"no connection"}, "connections", "rename", "nobody", "work")
	e.expect(0, []string{"renamed: contoso to work"}, "connections", "rename", "contoso", "work")

	if text := read(t, e.config); !strings.HasPrefix(text, "# mine\n") || !strings.Contains(text, "[connections.work]") || strings.Contains(text, "connections.contoso") {
		t.Errorf("the configuration:\n%s", text)
	}
	left, err := filepath.Glob(filepath.Join(e.etc, "credentials", "contoso.json*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left over: %v %v", left, err)
	}
	e.resetRequests()
	m = e.mount("-c", "work")
	if after := list(m, "work"); after != before {
		t.Errorf("after the renaming:\n%s\nbefore:\n%s", head(after, 5), head(before, 5))
	}
	e.budget("the tree under another name", 3) // a delta of the folder; nobody asks who is signed in
	m.umount()
}

// TestRemoveConnection: table, secrets and memory are gone, and nothing else.
func TestRemoveConnection(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	m := e.mount()
	e.must("ls", m.path("box", "files"))
	var whole, rest map[string]map[string]any
	if _, err := toml.Decode(read(t, e.config), &whole); err != nil {
		t.Fatal(err)
	}
	c := decode[connectionChange](t, e.expect(0, nil, "connections", "remove", "box", "--json"))
	if c.Change != "removed" || !strings.HasSuffix(c.Store, "box.json") {
		t.Errorf("%+v", c)
	}
	if _, err := toml.Decode(read(t, e.config), &rest); err != nil || rest["connections"]["box"] != nil || rest["connections"]["contoso"] == nil {
		t.Errorf("the configuration: %v %v", rest, err)
	}
	if _, err := os.Stat(filepath.Join(e.etc, "credentials", "box.json")); !os.IsNotExist(err) {
		t.Errorf("the secrets are still there: %v", err)
	}
	e.must("ls", m.path("contoso"))
	m.umount()
	e.expect(0, []string{"removed: contoso"}, "connections", "remove", "contoso")
	if got := read(t, e.config); strings.Contains(got, "connections") {
		t.Errorf("the configuration is %q", got)
	}
	e.expect(3, []string{"there is no connection"}, "connections", "list")
}

// TestLogout: Box hears of it, the secrets are gone, and the configuration waits for the next login.
func TestLogout(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	e.useConfig("config-box-oauth.toml")
	e.expect(0, nil, "connections", "test", "box")
	token, _ := e.credentials("box-oauth")["access_token"].(string)
	asks := func() int {
		t.Helper()
		req, err := http.NewRequest(http.MethodGet, e.sim.Ready().BoxAPI+"/2.0/users/me", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return res.StatusCode
	}
	if got := asks(); got != http.StatusOK {
		t.Fatalf("the token that is stored gets %d", got)
	}
	before := read(t, e.config)
	e.expect(0, []string{"signed out: box"}, "logout", "box")
	if n := e.sim.World().Stats.Snapshot().Requests["POST /oauth2/revoke"]; n < 1 {
		t.Error("Box was not told")
	}
	if got := asks(); got != http.StatusUnauthorized {
		t.Errorf("the token still gets %d", got)
	}
	if read(t, e.config) != before {
		t.Error("the configuration has changed")
	}
	left, err := filepath.Glob(filepath.Join(e.etc, "credentials", "box-oauth*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left over: %v %v", left, err)
	}
	if list := decode[[]connectionInfo](t, e.expect(0, nil, "connections", "list", "--json")); !strings.Contains(list[0].Problem, "nobody has signed in") {
		t.Errorf("list: %+v", list)
	}
	e.expect(10, []string{"nobody has signed in"}, "connections", "test", "box")
	e.expect(0, nil, "logout", "box") // once more does no harm
	e.useConfig("config.toml")
	_, stderr, code := e.workfs("logout", "contoso")
	if code != 0 || !strings.Contains(stderr, "mysignins.microsoft.com") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	e.expect(0, []string{"signed out and removed: contoso"}, "logout", "contoso", "--forget")
	e.expect(2, []string{"there is no connection"}, "connections", "show", "contoso")
	e.expect(0, []string{"box"}, "connections", "list")
}
