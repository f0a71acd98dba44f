package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/auth/keygen"
	"github.com/workfs/workfs/backends/sim"
)

// controlCall makes a call of the simulator's control host.
func (e *env) controlCall(method, path, body string) string {
	e.t.Helper()
	req, err := http.NewRequest(method, e.sim.Ready().Control+path, strings.NewReader(body))
	if err != nil {
		e.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		e.t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		e.t.Fatalf("%s %s: %s %s %v", method, path, res.Status, answer, err)
	}
	return string(answer)
}

// TestKeygenBox pastes the printed key into the developer console and signs in with the private one.
func TestKeygenBox(t *testing.T) {
	e := newEnv(t, sim.Options{})
	r := e.sim.Ready()
	for _, passphrase := range []string{"", "a pass phrase"} {
		args := []string{"keygen", "box", "--out", e.path("box" + strings.ReplaceAll(passphrase, " ", "")), "--json"}
		if passphrase != "" {
			args = append(args, "--passphrase-command", "echo '"+passphrase+"'")
		}
		stdout, stderr, code := e.workfs(args...)
		var made madeKey
		if err := json.Unmarshal([]byte(stdout), &made); code != 0 || err != nil {
			t.Fatalf("exit %d %v\n%s%s", code, err, stdout, stderr)
		}
		if strings.Contains(stdout+stderr, "PRIVATE") {
			t.Errorf("the private key is printed:\n%s%s", stdout, stderr)
		}
		onDisk, err := os.ReadFile(made.PublicKey)
		if err != nil || string(onDisk) != made.PublicPEM {
			t.Errorf("%s holds %q, %v", made.PublicKey, onDisk, err)
		}
		var key struct{ ID string }
		if err := json.Unmarshal([]byte(e.controlCall("POST", "/box/apps/"+r.BoxJWTClientID+"/keys", made.PublicPEM)), &key); err != nil || key.ID == "" {
			t.Fatalf("%+v %v", key, err)
		}
		store := auth.File(e.path("box.json"))
		if err := store.Create(t.Context(), auth.Credentials{ClientSecret: r.BoxJWTClientSecret, Passphrase: passphrase}); err != nil {
			t.Fatal(err)
		}
		source := auth.NewBox(auth.BoxConfig{
			TokenURL: r.BoxAPI + "/oauth2/token", ClientID: r.BoxJWTClientID, JWT: true, KeyID: key.ID, PrivateKey: made.PrivateKey,
			SubjectType: "enterprise", SubjectID: r.BoxEnterprise,
		}, store, nil)
		if tok, err := source.Token(t.Context()); err != nil || tok.Value == "" {
			t.Errorf("passphrase %q: %v", passphrase, err)
		}
	}
	stdout, stderr, code := e.workfs("keygen", "box", "--out", e.dir)
	public, err := os.ReadFile(e.path("workfs-box-public.pem"))
	if code != 0 || err != nil || !strings.Contains(stdout, string(public)) || !strings.Contains(stdout, "Add a Public Key") ||
		!strings.Contains(stdout, "--private-key "+e.path("workfs-box-key.pem")) {
		t.Errorf("exit %d %v\n%s%s", code, err, stdout, stderr)
	}
}

// TestKeygenEntra imports the printed entry into the manifest, in both formats, and signs in with the key.
func TestKeygenEntra(t *testing.T) {
	e := newEnv(t, sim.Options{})
	r := e.sim.Ready()
	for _, format := range keygen.Formats {
		stdout, stderr, code := e.workfs("keygen", "microsoft", "--out", e.path(format), "--format", format, "--json")
		var made struct {
			madeCertificate
			Entry json.RawMessage `json:"key_credentials_entry"`
		}
		if err := json.Unmarshal([]byte(stdout), &made); code != 0 || err != nil {
			t.Fatalf("exit %d %v\n%s%s", code, err, stdout, stderr)
		}
		e.controlCall("PUT", "/entra/apps/"+r.ClientID+"/manifest", `{"keyCredentials":[`+string(made.Entry)+`]}`)
		source := auth.NewMicrosoft(auth.MicrosoftConfig{
			LoginURL: r.Login, Tenant: r.Tenant, ClientID: r.ClientID, Certificate: made.Certificate, PrivateKey: made.PrivateKey, AppOnly: true,
		}, auth.File(e.path(format+".json")), nil)
		tok, err := source.Token(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		if status, _ := bearer(t, r.Graph+"/v1.0/users?$top=1", tok.Value); status != 200 {
			t.Errorf("%s: the token gets status %d", format, status)
		}
	}
}

func TestKeygenMicrosoft(t *testing.T) {
	e := newEnv(t, sim.Options{})
	phrase := e.path("phrase")
	if err := os.WriteFile(phrase, []byte("a pass phrase\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := e.path("new app")
	args := []string{"keygen", "microsoft", "--out", out, "--subject", "/O=Contoso/CN=workfs", "--days", "30", "--bits", "3072", "--passphrase-file", phrase}
	stdout, stderr, code := e.workfs(args...)
	if code != 0 {
		t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
	}
	keyFile, certFile := out+"-key.pem", out+"-cert.pem"
	c, err := auth.LoadCertificate(certFile, keyFile, "", "a pass phrase")
	if err != nil || c.Subject != "CN=workfs,O=Contoso" {
		t.Fatalf("%+v %v", c, err)
	}
	for _, want := range []string{
		c.SHA1, `"type": "AsymmetricX509Cert"`, `"usage": "Verify"`, `"customKeyIdentifier": "`, `"keyId": "`, `"key": "MII`,
		"Certificates & secrets", "--certificate '" + certFile + "' --private-key '" + keyFile + "' --passphrase-file -\n",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	if info, err := os.Stat(keyFile); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if strings.Contains(stdout+stderr, "a pass phrase") {
		t.Error("the passphrase is printed")
	}
	// Nothing is replaced unless that is asked for.
	before, _ := os.ReadFile(keyFile)
	if _, stderr, code := e.workfs(args...); code != codeUsage || !strings.Contains(stderr, "--force replaces it") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if now, _ := os.ReadFile(keyFile); string(now) != string(before) {
		t.Error("the key was replaced")
	}
	if _, stderr, code := e.workfs(append(args, "--force", "--json", "--format", "aad")...); code != 0 {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if now, _ := os.ReadFile(keyFile); string(now) == string(before) {
		t.Error("--force does not replace the key")
	}
	for _, bad := range [][]string{
		{"--bits", "1024"}, {"--days", "0"}, {"--subject", "workfs"}, {"--format", "xml"}, {"--passphrase-file", "/dev/null"}, {"extra"},
		{"--passphrase-file", phrase, "--passphrase-command", "echo x"},
	} {
		if stdout, stderr, code := e.workfs(append([]string{"keygen", "microsoft", "--out", e.path("bad")}, bad...)...); code == 0 || stderr == "" {
			t.Errorf("%v: exit %d\n%s%s", bad, code, stdout, stderr)
		}
	}
	if left, _ := filepath.Glob(e.path("bad*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
