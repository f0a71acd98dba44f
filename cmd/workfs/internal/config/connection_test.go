package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
)

// one loads a configuration and gives its only connection.
func one(t *testing.T, path string) backends.Connection {
	t.Helper()
	flags, _ := newFlags()
	f, err := Load(path, flags)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Connections) != 1 {
		t.Fatalf("%d connections", len(f.Connections))
	}
	return f.Connections[0]
}

const (
	microsoft = "[connections.x]\ntype = \"microsoft\"\nauth = \"delegated\"\ntenant = \"contoso.com\"\nclient_id = \"c\"\n"
	app       = "[connections.x]\ntype = \"microsoft\"\nauth = \"app\"\ntenant = \"contoso.com\"\nclient_id = \"c\"\n"
	ccg       = "[connections.x]\ntype = \"box\"\nauth = \"ccg\"\nsubject = \"user:1\"\nclient_id = \"c\"\n"
	jwt       = "[connections.x]\ntype = \"box\"\nauth = \"jwt\"\n"
)

func TestBadConnectionsSayKeyAndRemedy(t *testing.T) {
	for text, want := range map[string][]string{
		"[connections.x]\ntype = \"slack\"\n":                                      {`type is "slack"`, "microsoft or box"},
		"[connections.x]\ntype = \"box\"\nauth = \"app\"\n":                        {`auth is "app"`, "oauth, ccg, jwt or token"},
		microsoft + "subject = \"user:1\"\n":                                       {"subject is nothing for a connection of type microsoft", "leave it out"},
		ccg + "tenant = \"t\"\n":                                                   {"tenant is nothing for a connection of type box"},
		ccg + "features = [\"mail\"]\n":                                            {"features is nothing for a connection of type box"},
		ccg + "public_key_id = \"1\"\n":                                            {`public_key_id is nothing for auth = "ccg"`, "sign in by jwt"},
		app + "scopes = [\"Mail.Read\"]\n":                                         {`scopes is nothing for auth = "app"`, "sign in by delegated"},
		app + "shared_mailboxes = [\"a@b.c\"]\n":                                   {"shared_mailboxes is nothing", "delegated or token"},
		app + "refresh_token_file = \"f\"\n":                                       {"refresh_token_file is nothing", "delegated"},
		app + "token_command = \"c\"\n":                                            {"token_command is nothing", "sign in by token"},
		app + "client_secret = \"s3cret\"\n":                                       {"a secret is not written here", "client_secret_file or client_secret_command"},
		microsoft + "refresh_token = \"s3cret\"\n":                                 {"a secret is not written here", "refresh_token_file"},
		app + "cloud = \"moon\"\n":                                                 {`cloud is "moon"`, "global, us-gov, us-dod or china"},
		app + "cloud = \"china\"\ngraph_url = \"https://g\"\n":                     {"cloud sets graph_url and login_url", "leave out graph_url"},
		app + "private_key = \"k.pem\"\n":                                          {"private_key needs certificate"},
		app + "certificate = \"c.pem\"\nclient_secret_file = \"s\"\n":              {"certificate and client_secret_file", "by one of them"},
		app + "client_secret_file = \"s\"\nclient_secret_command = \"s\"\n":        {"client_secret_file and client_secret_command say the same"},
		app + "passphrase_file = \"s\"\npassphrase_command = \"s\"\n":              {"passphrase_file and passphrase_command say the same"},
		strings.Replace(app, "contoso.com", "common", 1):                           {`tenant is "common"`, "directory (tenant) ID"},
		strings.Replace(app, "contoso.com", "organizations", 1):                    {`tenant is "organizations"`},
		strings.Replace(microsoft, "contoso.com", "consumers", 1):                  {"no Microsoft 365"},
		strings.Replace(microsoft, "contoso.com", "a/b", 1):                        {`tenant is "a/b"`},
		microsoft + "features = [\"maill\"]\n":                                     {"features", `"maill"`, "mail, calendar"},
		microsoft + "scopes = [\".default\", \"Mail.Read\"]\n":                     {"scopes", ".default can't be mixed"},
		microsoft + "scopes = [\"Mail.Read Chat.Read\"]\n":                         {"scopes", "not the name of a permission"},
		microsoft + "login_url = \"http://login.example\"\n":                       {"login_url", "https://"},
		microsoft + "content_hosts = [\"https://h\"]\n":                            {"content_hosts", "write host, host:port or *.domain"},
		microsoft + "store = \"cloud\"\n":                                          {`store is "cloud"`, "keyring, age or file"},
		microsoft + "headers = { Authorization = \"x\" }\n":                        {"headers", "Authorization is set by workfs itself"},
		ccg + "headers = { as-user = \"x\" }\n":                                    {"as-user is set by workfs itself"},
		ccg + "headers = { \"X A\" = \"x\" }\n":                                    {`"X A" is not the name of a header`},
		ccg + "headers = { X = \"a\\nb\" }\n":                                      {"the value of X"},
		ccg + "enterprise = true\nas_user = \"1\"\n":                               {"enterprise and as_user exclude each other"},
		ccg + "enterprise = true\nenterprise_content = true\n":                     {"enterprise and enterprise_content exclude"},
		strings.Replace(ccg, "user:1", "1", 1):                                     {`subject is "1"`, "user:ID or enterprise:ID"},
		strings.Replace(ccg, "subject = \"user:1\"\n", "", 1):                      {"subject is missing"},
		jwt + "client_id = \"c\"\nsubject = \"user:1\"\n":                          {"public_key_id is missing", "jwt_config"},
		jwt + "jwt_config = \"none.json\"\n":                                       {"jwt_config", "none.json", "no such file"},
		jwt + "jwt_config = \"none.json\"\nclient_id = \"c\"\n":                    {"jwt_config holds what client_id says"},
		"[connections.x]\ntype = \"box\"\nauth = \"token\"\n":                      {"token_command is missing"},
		"[connections.x]\ntype = \"box\"\nauth = \"token\"\nstore = \"file\"\n":    {`store is nothing for auth = "token"`},
		"[connections.x]\ntype = \"box\"\nauth = \"oauth\"\nclient_id = \"a b\"\n": {"client_id", "no blanks"},
	} {
		flags, _ := newFlags()
		_, err := Load(write(t, text), flags)
		for _, w := range append(want, `connection "x"`) {
			if err == nil || !strings.Contains(err.Error(), w) && !(w == `connection "x"` && strings.Contains(err.Error(), "connections.x.")) {
				t.Errorf("%s: %v, want %q", text, err, w)
			}
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the error holds the secret: %v", err)
		}
	}
}

func TestClouds(t *testing.T) {
	for cloud, want := range map[string][2]string{
		"global": {"https://login.microsoftonline.com", "https://graph.microsoft.com"},
		"us-gov": {"https://login.microsoftonline.us", "https://graph.microsoft.us"},
		"us-dod": {"https://login.microsoftonline.us", "https://dod-graph.microsoft.us"},
		"china":  {"https://login.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn"},
	} {
		c := one(t, write(t, app+"cloud = \""+cloud+"\"\n"))
		if c.LoginURL != want[0] || c.GraphURL != want[1] {
			t.Errorf("%s: %s %s", cloud, c.LoginURL, c.GraphURL)
		}
	}
}

func TestEveryKeyArrives(t *testing.T) {
	path := write(t, microsoft+`certificate = "c.pem"
private_key = "/k.pem"
features = ["mail", "chats"]
scopes = ["Mail.Read", "Chat.Read"]
headers = { X-One = "1" }
store = "file"
`)
	c, dir := one(t, path), filepath.Dir(path)
	if c.Certificate != filepath.Join(dir, "c.pem") || c.PrivateKey != "/k.pem" || !reflect.DeepEqual(c.Features, []string{"mail", "chats"}) ||
		!reflect.DeepEqual(c.Scopes, []string{"Mail.Read", "Chat.Read"}) || c.Headers["X-One"] != "1" || c.Store == nil {
		t.Errorf("microsoft: %+v", c)
	}
	c = one(t, write(t, "[connections.b]\ntype = \"box\"\nauth = \"jwt\"\nclient_id = \"c\"\npublic_key_id = \"k\"\nprivate_key = \"k.pem\"\nsubject = \"enterprise:7\"\nas_user = \"a@b.c\"\n"))
	if c.PublicKeyID != "k" || c.Subject != "enterprise:7" || c.AsUser != "a@b.c" || c.ClientID != "c" {
		t.Errorf("jwt: %+v", c)
	}
	c = one(t, write(t, "[connections.b]\ntype = \"box\"\nauth = \"token\"\ntoken_command = \"pass show box\"\nenterprise_content = true\n"))
	if c.TokenCommand != "pass show box" || !c.EnterpriseContent || c.Store != nil {
		t.Errorf("token: %+v", c)
	}
}

// TestBoxFile: Box's own file gives the application, the subject and the keys of webhooks, and is read with care.
func TestBoxFile(t *testing.T) {
	path := write(t, jwt+"jwt_config = \"box.json\"\n")
	file := filepath.Join(filepath.Dir(path), "box.json")
	const content = `{"boxAppSettings": {"clientID": "id", "clientSecret": "s3cret", "appAuth": {"publicKeyID": "kid", "privateKey": "s3cret", "passphrase": "s3cret"}},
 "enterpriseID": "42", "webhooks": {"primaryKey": "one", "secondaryKey": "two"}}`
	put := func(text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
	}
	put(content, 0o600)
	c := one(t, path)
	if c.ClientID != "id" || c.PublicKeyID != "kid" || c.Subject != "enterprise:42" || c.SignatureKeys != file {
		t.Errorf("%+v", c)
	}
	if a, err := ReadBoxApp(file); err != nil || a.PrivateKey != "s3cret" || !reflect.DeepEqual(a.SignatureKeys, []string{"one", "two"}) {
		t.Errorf("%v %v", a.SignatureKeys, err)
	}
	if os.Geteuid() == 0 {
		put(content, 0o640) // as containers and services provide it
		if _, err := ReadBoxApp(file); err != nil {
			t.Error(err)
		}
	}
	for want, broken := range map[string]func(){
		"open to others":              func() { put(content, 0o644) },
		"not the JSON file":           func() { put("s3cret", 0o600) },
		"appAuth.privateKey":          func() { put(strings.Replace(content, "privateKey", "x", 1), 0o600) },
		"not a regular file":          func() { _ = os.Remove(file); _ = os.Mkdir(file, 0o700) },
		"no such file or directory":   func() { _ = os.Remove(file) },
		"subject is missing: user:ID": func() { put(strings.Replace(content, "enterpriseID", "x", 1), 0o600) },
	} {
		_ = os.RemoveAll(file)
		broken()
		flags, _ := newFlags()
		if _, err := Load(path, flags); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestSecretsFromElsewhere: what a connection's store gives is what its keys name, and what is stored otherwise.
func TestSecretsFromElsewhere(t *testing.T) {
	secretFile := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secretFile, []byte("of a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	load := func(t *testing.T, text string) (auth.Credentials, *File) {
		t.Helper()
		flags, _ := newFlags()
		f, err := Load(write(t, text), flags)
		if err != nil {
			t.Fatal(err)
		}
		c, err := f.Connections[0].Store.Load()
		if err != nil && !errors.Is(err, auth.ErrNoCredentials) {
			t.Fatal(err)
		}
		return c, f
	}
	if c, _ := load(t, app+"client_secret_file = \""+secretFile+"\"\n"); c.ClientSecret != "of a file" {
		t.Errorf("file: %q", c.ClientSecret)
	}
	if c, _ := load(t, app+"client_secret_command = \"echo of a command\"\n"); c.ClientSecret != "of a command" {
		t.Errorf("command: %q", c.ClientSecret)
	}
	if c, _ := load(t, microsoft+"refresh_token_file = \""+secretFile+"\"\npassphrase_command = \"echo phrase\"\n"); c.RefreshToken != "of a file" || c.Passphrase != "phrase" {
		t.Errorf("refresh token and passphrase: %+v", c)
	}
	t.Run("environment", func(t *testing.T) {
		t.Setenv("WORKFS_CONNECTION_X_CLIENT_SECRET", "of the environment")
		if c, _ := load(t, app+"client_secret_file = \"/nowhere\"\n"); c.ClientSecret != "of the environment" {
			t.Errorf("%q", c.ClientSecret)
		}
	})
	t.Run("other tools", func(t *testing.T) {
		t.Setenv("MICROSOFT_CLIENT_SECRET_FILE", secretFile)
		c, f := load(t, app)
		if c.ClientSecret != "of a file" {
			t.Errorf("%q", c.ClientSecret)
		}
		store := f.Connections[0].Store
		if err := store.Create(t.Context(), auth.Credentials{ClientSecret: "stored"}); err != nil {
			t.Fatal(err)
		}
		if c, err := store.Load(); err != nil || c.ClientSecret != "stored" {
			t.Errorf("a variable of other tools is before what is stored: %q %v", c.ClientSecret, err)
		}
	})
	t.Run("encrypted store", func(t *testing.T) {
		_, f := load(t, app+"store = \"age\"\npassphrase_file = \""+secretFile+"\"\n")
		store := f.Connections[0].Store
		if err := store.Create(t.Context(), auth.Credentials{ClientSecret: "stored"}); err != nil {
			t.Fatal(err)
		}
		c, err := store.Load()
		if err != nil || c.ClientSecret != "stored" || c.Passphrase != "" {
			t.Errorf("%+v %v", c, err)
		}
		if b, err := os.ReadFile(f.Connections[0].Credentials); err != nil || !strings.HasPrefix(string(b), "-----BEGIN AGE") {
			t.Errorf("the file: %.20q %v", b, err)
		}
	})
	t.Run("renamed", func(t *testing.T) {
		_, f := load(t, app+"client_secret_file = \""+secretFile+"\"\n")
		c, vault, err := f.Renamed("x", "y")
		if err != nil || c.Name != "y" || c.Credentials != filepath.Join(filepath.Dir(f.Path), "credentials", "y.json") || !strings.Contains(vault.String(), "y.json") {
			t.Errorf("%+v %v %v", c, vault, err)
		}
		if f.Connections[0].Name != "x" || f.Settings("x")[0].Key != "type" {
			t.Error("Renamed has changed the file")
		}
	})
}

// TestSettings: what is shown of a connection has no secret, and says where all comes from.
func TestSettings(t *testing.T) {
	t.Setenv("WORKFS_CONNECTION_X_TENANT", "fabrikam.com")
	t.Setenv("WORKFS_CONNECTION_X_CLIENT_SECRET", "s3cret")
	path := write(t, app+"cloud = \"us-gov\"\nheaders = { B = \"2\", A = \"1\" }\n")
	flags, _ := newFlags()
	f, err := Load(path, flags)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]Setting{}
	for _, s := range f.Settings("x") {
		got[s.Key] = s
	}
	for _, want := range []Setting{
		{"auth", "app", path}, {"tenant", "fabrikam.com", "WORKFS_CONNECTION_X_TENANT"}, {"login_url", "https://login.microsoftonline.us", "cloud"},
		{"store", "file", "default"}, {"client_secret", "", "WORKFS_CONNECTION_X_CLIENT_SECRET"}, {"headers", "A: 1\nB: 2", path},
	} {
		if got[want.Key] != want {
			t.Errorf("%+v, want %+v", got[want.Key], want)
		}
	}
	if len(f.Settings("y")) != 0 || !f.InFile("x") || f.InFile("y") {
		t.Error("a connection that there is not")
	}
}

// TestCommandsOfOthers: who can write the file could have commands run.
func TestCommandsOfOthers(t *testing.T) {
	path := write(t, app+"client_secret_command = \"echo s\"\n")
	flags, _ := newFlags()
	for mode, want := range map[os.FileMode]string{0o600: "", 0o644: "", 0o664: "can be written by others", 0o666 | os.ModeSticky: "can be written by others", 0o602: "chmod go-w"} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path, flags); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%04o: %v, want %q", mode, err, want)
		}
	}
	dir := filepath.Dir(path)
	for mode, want := range map[os.FileMode]string{0o700: "", 0o755: "", 0o777 | os.ModeSticky: "", 0o775: dir + " can be written by others", 0o707: "chmod go-w"} {
		if err := errors.Join(os.Chmod(path, 0o600), os.Chmod(dir, mode)); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path, flags); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("directory %v: %v, want %q", mode, err, want)
		}
	}
	plain := write(t, app)
	if err := os.Chmod(plain, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(plain, flags); err != nil {
		t.Errorf("without a command: %v", err)
	}
}
