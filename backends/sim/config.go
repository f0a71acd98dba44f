package sim

import (
	"encoding/json"
	"fmt"
	"strings"
)

// signatureKeys is the file of the keys that Box signs webhooks with.
const signatureKeys = "credentials/box-signature-keys"

// jwtConfig is the file that Box gives for an app that signs its assertions.
const jwtConfig = "credentials/box_config.json"

// WriteConfig writes configurations that reach this simulator, for the owner only and all inside dir, which is made if need
// be. It must be called after Start.
//
//   - config.toml: alice's own sign-ins, contoso and box
//   - config-admin.toml: the organisation's, contoso as an application and box as an enterprise
//   - config-box-oauth.toml: box with a single-use refresh token
//   - config-box-jwt.toml: box as an enterprise, by the configuration file of an app that signs its assertions
//
// Secrets lie in files of their own below credentials.
func (s *Sim) WriteConfig(dir string) error {
	r := s.ready
	files := map[string][]byte{}
	if s.ca != nil {
		files[caFile] = s.ca
	}
	credentials := func(name string, values map[string]string) string {
		b, err := json.MarshalIndent(values, "", "  ")
		if err != nil {
			panic("encoding credentials: " + err.Error())
		}
		path := "credentials/" + name + ".json"
		files[path] = append(b, '\n')
		return path
	}
	contoso := func(auth, credentials string) string {
		var t table
		t.begin("contoso", "microsoft", auth)
		t.text("tenant", r.Tenant)
		t.text("client_id", r.ClientID)
		t.text("graph_url", r.Graph)
		t.text("login_url", r.Login)
		t.hosts("content_hosts", r.DriveDownload)
		t.end(s.ca != nil, credentials)
		return t.String()
	}
	boxHosts := func(t *table) {
		t.text("api_url", r.BoxAPI)
		t.text("token_url", r.BoxAPI+"/oauth2/token")
		t.text("account_url", r.BoxAccount)
		t.hosts("content_hosts", r.BoxDownload)
		t.hosts("realtime_hosts", r.BoxRealtime)
		t.text("signature_keys", signatureKeys)
	}
	box := func(auth, subject, credentials string) string {
		var t table
		t.begin("box", "box", auth)
		t.text("client_id", r.BoxClientID)
		if subject != "" {
			t.text("subject", subject)
		}
		if strings.HasPrefix(subject, "enterprise:") {
			fmt.Fprintf(&t, "enterprise = true\n")
		}
		boxHosts(&t)
		t.end(s.ca != nil, credentials)
		return t.String()
	}
	files[signatureKeys] = []byte(strings.Join(r.BoxWebhookKeys, "\n") + "\n")
	files["config.toml"] = []byte(
		contoso("delegated", credentials("contoso", map[string]string{"client_secret": r.ClientSecret, "refresh_token": r.RefreshToken})) +
			box("ccg", "user:"+r.BoxSubject, credentials("box", map[string]string{"client_secret": r.BoxClientSecret})))
	files["config-admin.toml"] = []byte(
		contoso("app", credentials("contoso-admin", map[string]string{"client_secret": r.ClientSecret})) +
			box("ccg", "enterprise:"+r.BoxEnterprise, credentials("box-admin", map[string]string{"client_secret": r.BoxClientSecret})))
	files["config-box-oauth.toml"] = []byte(
		box("oauth", "", credentials("box-oauth", map[string]string{"client_secret": r.BoxClientSecret, "refresh_token": r.BoxRefreshToken})))
	jwt, err := s.boxJWTFile()
	if err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	files[jwtConfig] = jwt
	var byJWT table
	byJWT.begin("box", "box", "jwt")
	byJWT.text("jwt_config", jwtConfig)
	fmt.Fprintf(&byJWT, "enterprise = true\n")
	boxHosts(&byJWT)
	if s.ca != nil {
		byJWT.text("ca_file", caFile)
	}
	files["config-box-jwt.toml"] = []byte(byJWT.String())
	if err := writeFiles(dir, files); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	return nil
}

// boxJWTFile gives the configuration file of the Box app that signs its assertions, as Box would.
func (s *Sim) boxJWTFile() ([]byte, error) {
	file, err := s.clouds.Box.JWTConfigFile()
	if err != nil {
		return nil, err
	}
	b, err := json.MarshalIndent(file, "", "  ")
	return append(b, '\n'), err
}

// table is one connection of a TOML configuration.
type table struct{ strings.Builder }

func (t *table) begin(name, kind, auth string) {
	fmt.Fprintf(t, "\n[connections.%s]\n", name)
	t.text("type", kind)
	t.text("auth", auth)
}

// text writes a string; all of ours are plain ASCII, for which Go's quoting is TOML's.
func (t *table) text(key, value string) { fmt.Fprintf(t, "%s = %q\n", key, value) }

// hosts writes host:port of a URL as a list.
func (t *table) hosts(key, url string) {
	_, host, _ := strings.Cut(url, "://")
	fmt.Fprintf(t, "%s = [%q]\n", key, host)
}

func (t *table) end(tls bool, credentials string) {
	if tls {
		t.text("ca_file", caFile)
	}
	t.text("credentials", credentials)
}
