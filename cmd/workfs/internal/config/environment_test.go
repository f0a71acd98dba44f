package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func setenv(t *testing.T, pairs ...string) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		t.Setenv(pairs[i], pairs[i+1])
	}
}

// TestEnvironmentAlone: without a configuration file, variables make connections.
func TestEnvironmentAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "config.toml")
	flags, _ := newFlags()
	var missing *MissingError
	if _, err := Load(path, flags); !errors.As(err, &missing) {
		t.Fatalf("without anything: %v", err)
	}
	setenv(t, "WORKFS_CONNECTION_MY_BOX_TYPE", "box", "WORKFS_CONNECTION_MY_BOX_AUTH", "ccg", "WORKFS_CONNECTION_MY_BOX_CLIENT_ID", "id",
		"WORKFS_CONNECTION_MY_BOX_SUBJECT", "enterprise:1", "WORKFS_CONNECTION_MY_BOX_ENTERPRISE", "true",
		"WORKFS_CONNECTION_MY_BOX_CLIENT_SECRET", "s3cret", "WORKFS_CONNECTION_MY_BOX_CONTENT_HOSTS", "a.example, *.b.example",
		"WORKFS_CONNECTION_MY_BOX_HEADERS", "X-A: 1\nX-B: a: b", "WORKFS_CONNECTION_MY_BOX_CA_FILE", "ca.pem", "WORKFS_STATE_DIR", "/state")
	flags.String("state-dir", "/elsewhere", "")
	f, err := Load(path, flags)
	if err != nil {
		t.Fatal(err)
	}
	c := f.Connections[0]
	if len(f.Connections) != 1 || c.Name != "my-box" || c.ClientID != "id" || !c.Enterprise || c.Subject != "enterprise:1" || len(c.ContentHosts) != 2 ||
		c.ContentHosts[1] != "*.b.example" || c.Headers["X-B"] != "a: b" || c.CAFile != filepath.Join(filepath.Dir(path), "ca.pem") {
		t.Errorf("%+v", c)
	}
	if c.Credentials != "/state/credentials/my-box.json" {
		t.Errorf("credentials are at %s", c.Credentials)
	}
}

func TestEnvironmentOverFile(t *testing.T) {
	path := write(t, strings.ReplaceAll(app, ".x]", ".\"My x\"]")+"client_secret_file = \"s\"\n")
	setenv(t, "WORKFS_CONNECTION_MY_X_TENANT", "fabrikam.com", "WORKFS_CONNECTION_MY_X_CLIENT_SECRET", "s3cret",
		"MICROSOFT_TENANT_ID", "spare.com", "AZURE_CLIENT_ID", "spare")
	flags, _ := newFlags()
	f, err := Load(path, flags)
	if err != nil {
		t.Fatal(err)
	}
	if c := f.Connections[0]; len(f.Connections) != 1 || c.Name != "My x" || c.Tenant != "fabrikam.com" || c.ClientID != "c" {
		t.Errorf("%+v", f.Connections)
	}
	if d := f.drafts["My x"]; d.secret["client_secret"] != "WORKFS_CONNECTION_MY_X_CLIENT_SECRET" || d.keys.SecretFile != "" {
		t.Errorf("the secret of the environment does not count: %+v", d)
	}
}

func TestBadEnvironment(t *testing.T) {
	for want, pairs := range map[string][]string{
		"there is no such setting":                     {"WORKFS_CONNECTION_X_CLIENTID", "1"},
		`WORKFS_CONNECTION_X_TENANT is "common"`:       {"WORKFS_CONNECTION_X_TENANT", "common"},
		`"maybe" must be true or false`:                {"WORKFS_CONNECTION_X_ENTERPRISE", "maybe"},
		"WORKFS_CONNECTION_X_CLIENT_SECRET and WORKFS": {"WORKFS_CONNECTION_X_CLIENT_SECRET", "s3cret", "WORKFS_CONNECTION_X_CLIENT_SECRET_FILE", "/f"},
		"WORKFS_CONNECTION_X_REFRESH_TOKEN is nothing": {"WORKFS_CONNECTION_X_REFRESH_TOKEN", "s3cret"},
		"WORKFS_CONNECTION_X_PRIVATE_KEY needs":        {"WORKFS_CONNECTION_X_PRIVATE_KEY", "-----BEGIN PRIVATE KEY-----\ns3cret"},
		"needs certificate":                            {"WORKFS_CONNECTION_X_PRIVATE_KEY_FILE", "/k.pem"},
		`connection "y" of the environment: type is`:   {"WORKFS_CONNECTION_Y_TENANT", "t"},
		"written as \"Name: value\"":                   {"WORKFS_CONNECTION_X_HEADERS", "nonsense"},
		"MICROSOFT_CLIENT_ID_FILE":                     {"MICROSOFT_CLIENT_ID_FILE", "/nowhere"},
	} {
		t.Run(want, func(t *testing.T) {
			setenv(t, pairs...)
			text := app
			if pairs[0] == "MICROSOFT_CLIENT_ID_FILE" {
				text = strings.Replace(app, "client_id = \"c\"\n", "", 1)
			}
			flags, _ := newFlags()
			if _, err := Load(write(t, text), flags); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%v, want %q", err, want)
			}
		})
	}
	t.Run("two names", func(t *testing.T) {
		setenv(t, "WORKFS_CONNECTION_A_B_TENANT", "t")
		flags, _ := newFlags()
		text := strings.ReplaceAll(app, ".x]", ".a-b]") + strings.ReplaceAll(app, ".x]", ".a_b]")
		if _, err := Load(write(t, text), flags); err == nil || !strings.Contains(err.Error(), "rename one of them") {
			t.Error(err)
		}
	})
}

// TestFallbacks: what other tools call an application fills what nothing else says.
func TestFallbacks(t *testing.T) {
	dir := t.TempDir()
	idFile := filepath.Join(dir, "id")
	if err := os.WriteFile(idFile, []byte("from file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	load := func(t *testing.T, text string) *draft {
		t.Helper()
		flags, _ := newFlags()
		f, err := Load(write(t, text), flags)
		if err != nil {
			t.Fatal(err)
		}
		return f.drafts["x"]
	}
	bare := "[connections.x]\ntype = \"microsoft\"\nauth = \"app\"\n"
	t.Run("microsoft before azure", func(t *testing.T) {
		setenv(t, "MICROSOFT_CLIENT_ID", "m", "AZURE_CLIENT_ID", "a", "AZURE_TENANT_ID", "t", "AZURE_CLIENT_SECRET", "of a", "MICROSOFT_CLIENT_SECRET", "of m")
		d := load(t, bare)
		if d.keys.ClientID != "m" || d.keys.Tenant != "t" || d.spare["client_secret"] != "MICROSOFT_CLIENT_SECRET" {
			t.Errorf("%+v", d)
		}
	})
	t.Run("files, and a secret of another application", func(t *testing.T) {
		setenv(t, "AZURE_TENANT_ID", "t", "AZURE_CLIENT_ID", "a", "AZURE_CLIENT_SECRET_FILE", idFile)
		if d := load(t, bare); d.keys.ClientID != "a" || d.spare["client_secret"] != "AZURE_CLIENT_SECRET_FILE" {
			t.Errorf("%+v", d)
		}
		if d := load(t, app); d.keys.ClientID != "c" || d.spare["client_secret"] != "" {
			t.Errorf("the secret of application a is taken for c: %+v", d)
		}
	})
	t.Run("box", func(t *testing.T) {
		setenv(t, "BOX_CLIENT_ID", "b", "BOX_ENTERPRISE_ID", "7", "BOX_CLIENT_SECRET", "s")
		d := load(t, "[connections.x]\ntype = \"box\"\nauth = \"ccg\"\n")
		if d.keys.ClientID != "b" || d.keys.Subject != "enterprise:7" || d.spare["client_secret"] != "BOX_CLIENT_SECRET" {
			t.Errorf("%+v", d)
		}
	})
	t.Run("box file", func(t *testing.T) {
		file := filepath.Join(dir, "box.json")
		if err := os.WriteFile(file, []byte(`{"boxAppSettings":{"clientID":"i","clientSecret":"s","appAuth":{"publicKeyID":"k","privateKey":"p"}},"enterpriseID":"9"}`), 0o600); err != nil {
			t.Fatal(err)
		}
		setenv(t, "BOX_CONFIG_FILE", file)
		if d := load(t, jwt); d.keys.JWTConfig != file || d.box.ClientID != "i" || d.called("jwt_config") != "BOX_CONFIG_FILE" {
			t.Errorf("%+v", d)
		}
	})
}
