package sim_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"

	"github.com/workfs/workfs/backends/sim"
)

type connection struct {
	Type          string
	Auth          string
	Tenant        string
	ClientID      string   `toml:"client_id"`
	GraphURL      string   `toml:"graph_url"`
	LoginURL      string   `toml:"login_url"`
	ContentHosts  []string `toml:"content_hosts"`
	RealtimeHosts []string `toml:"realtime_hosts"`
	CAFile        string   `toml:"ca_file"`
	Credentials   string
	SignatureKeys string `toml:"signature_keys"`
	Subject       string
	Enterprise    bool
	APIURL        string `toml:"api_url"`
	TokenURL      string `toml:"token_url"`
	AccountURL    string `toml:"account_url"`
	JWTConfig     string `toml:"jwt_config"`
}

type config struct {
	Formats     []string
	Connections map[string]connection
}

// readConfig reads a configuration and refuses what it does not know.
func readConfig(t *testing.T, path string) config {
	t.Helper()
	var c config
	meta, err := toml.DecodeFile(path, &c)
	if err != nil {
		t.Fatal(err)
	}
	if extra := meta.Undecoded(); len(extra) > 0 {
		t.Errorf("%s has unknown keys %v", path, extra)
	}
	return c
}

func credentials(t *testing.T, dir string, c connection) map[string]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, c.Credentials))
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]string
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func testWriteConfig(t *testing.T, s *sim.Sim) {
	r := s.Ready()
	dir := filepath.Join(t.TempDir(), "conf")
	if err := s.WriteConfig(dir); err != nil {
		t.Fatal(err)
	}
	host := func(u string) string { return strings.TrimPrefix(u, "https://") }
	own := readConfig(t, filepath.Join(dir, "config.toml"))
	ms, bx := own.Connections["contoso"], own.Connections["box"]
	if own.Formats != nil || len(own.Connections) != 2 {
		t.Errorf("config %+v", own)
	}
	if ms.Type != "microsoft" || ms.Auth != "delegated" || ms.Tenant != r.Tenant || ms.ClientID != r.ClientID || ms.GraphURL != r.Graph ||
		ms.LoginURL != r.Login || len(ms.ContentHosts) != 1 || ms.ContentHosts[0] != host(r.DriveDownload) || ms.CAFile != "ca.pem" {
		t.Errorf("contoso %+v", ms)
	}
	if bx.Type != "box" || bx.Auth != "ccg" || bx.Subject != "user:"+r.BoxSubject || bx.APIURL != r.BoxAPI || bx.TokenURL != r.BoxAPI+"/oauth2/token" ||
		bx.AccountURL != r.BoxAccount || bx.ContentHosts[0] != host(r.BoxDownload) || bx.RealtimeHosts[0] != host(r.BoxRealtime) || bx.CAFile != "ca.pem" {
		t.Errorf("box %+v", bx)
	}
	if c := credentials(t, dir, ms); c["client_secret"] != r.ClientSecret || c["refresh_token"] != r.RefreshToken {
		t.Error("wrong credentials of contoso")
	}
	if c := credentials(t, dir, bx); c["client_secret"] != r.BoxClientSecret || len(c) != 1 {
		t.Error("wrong credentials of box")
	}
	keys, err := os.ReadFile(filepath.Join(dir, bx.SignatureKeys))
	if primary, secondary := s.Clouds().Box.WebhookKeys(); err != nil || string(keys) != primary+"\n"+secondary+"\n" {
		t.Errorf("signature keys %q: %v", keys, err)
	}
	admin := readConfig(t, filepath.Join(dir, "config-admin.toml"))
	if admin.Connections["contoso"].Auth != "app" || admin.Connections["box"].Subject != "enterprise:"+r.BoxEnterprise || !admin.Connections["box"].Enterprise {
		t.Errorf("admin %+v", admin)
	}
	if c := credentials(t, dir, admin.Connections["contoso"]); c["client_secret"] == "" || c["refresh_token"] != "" {
		t.Error("wrong credentials of the application")
	}
	oauth := readConfig(t, filepath.Join(dir, "config-box-oauth.toml"))
	if c := credentials(t, dir, oauth.Connections["box"]); oauth.Connections["box"].Auth != "oauth" || c["refresh_token"] != r.BoxRefreshToken || c["refresh_token"] == "" {
		t.Errorf("oauth %+v", oauth)
	}
	byJWT := readConfig(t, filepath.Join(dir, "config-box-jwt.toml")).Connections["box"]
	if byJWT.Auth != "jwt" || !byJWT.Enterprise || byJWT.ClientID != "" || byJWT.TokenURL != r.BoxAPI+"/oauth2/token" {
		t.Errorf("jwt %+v", byJWT)
	}
	var file struct {
		Settings struct {
			ClientID, ClientSecret string
			AppAuth                struct{ PublicKeyID, PrivateKey, Passphrase string }
		} `json:"boxAppSettings"`
		EnterpriseID string
	}
	if data, err := os.ReadFile(filepath.Join(dir, byJWT.JWTConfig)); err != nil || json.Unmarshal(data, &file) != nil {
		t.Errorf("file of the Box app: %v", err)
	}
	if s := file.Settings; s.ClientID != r.BoxJWTClientID || s.ClientSecret != r.BoxJWTClientSecret || file.EnterpriseID != r.BoxEnterprise ||
		s.AppAuth.PublicKeyID == "" || s.AppAuth.Passphrase == "" || !strings.HasPrefix(s.AppAuth.PrivateKey, "-----BEGIN ENCRYPTED PRIVATE KEY-----\n") {
		t.Errorf("file of the Box app has %q, %q, %q", s.ClientID, file.EnterpriseID, s.AppAuth.PublicKeyID)
	}
	if ca, err := os.ReadFile(filepath.Join(dir, "ca.pem")); err != nil || !strings.Contains(string(ca), "BEGIN CERTIFICATE") {
		t.Errorf("CA: %v", err)
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := os.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", path, info.Mode().Perm(), want)
		}
		if text, _ := os.ReadFile(path); !strings.Contains(path, "credentials") && (strings.Contains(string(text), r.ClientSecret) || strings.Contains(string(text), r.BoxClientSecret)) {
			t.Errorf("%s holds a secret", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func testConfigStaysInside(t *testing.T, s *sim.Sim) {
	dir, outside := t.TempDir(), t.TempDir()
	victim := filepath.Join(outside, "victim")
	if err := os.WriteFile(victim, []byte("keep"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, filepath.Join(dir, "config.toml")); err != nil {
		t.Fatal(err)
	}
	if err := s.WriteConfig(dir); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(victim); err != nil || string(data) != "keep" {
		t.Errorf("the file that a link points to became %q, %v", data, err)
	}
	other := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(other, "credentials")); err != nil {
		t.Fatal(err)
	}
	if err := s.WriteConfig(other); err == nil {
		t.Error("wrote credentials through a link to another directory")
	}
	entries, err := os.ReadDir(outside)
	if err != nil || len(entries) != 1 {
		t.Errorf("outside there are %v, %v", entries, err)
	}
}
