package auth_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/auth/keygen"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/sim"
)

// started is a simulator whose clock is ahead of this machine's.
func started(t *testing.T, ahead time.Duration) *sim.Sim {
	t.Helper()
	return backendtest.Start(t, sim.Options{Now: time.Now().Add(ahead)})
}

// call makes a request and gives the answer with its body.
func call(t *testing.T, method, address, token string, body []byte) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, data
}

func get(t *testing.T, s auth.Source) string {
	t.Helper()
	token, err := s.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return token.Value
}

// wants checks that there is no token, and why.
func wants(t *testing.T, s auth.Source, kind auth.Kind, text string) {
	t.Helper()
	_, err := s.Token(t.Context())
	var refused *auth.Error
	if !errors.As(err, &refused) || refused.Kind != kind || !strings.Contains(err.Error(), text) {
		t.Errorf("want %q, got %v", text, err)
	}
}

func stored(t *testing.T, c auth.Credentials) auth.Store {
	t.Helper()
	store := auth.File(filepath.Join(t.TempDir(), "credentials.json"))
	if err := store.Create(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return store
}

// boxFile is the configuration file that Box's developer console makes.
type boxFile struct {
	Settings struct {
		ClientID     string `json:"clientID"`
		ClientSecret string `json:"clientSecret"`
		Auth         struct {
			PublicKeyID string `json:"publicKeyID"`
			PrivateKey  string `json:"privateKey"`
			Passphrase  string `json:"passphrase"`
		} `json:"appAuth"`
	} `json:"boxAppSettings"`
	Enterprise string `json:"enterpriseID"`
}

// boxApp makes a key pair in the developer console.
func boxApp(t *testing.T, s *sim.Sim) (auth.BoxConfig, auth.Credentials) {
	t.Helper()
	r := s.Ready()
	res, body := call(t, "POST", r.Control+"/box/apps/"+r.BoxJWTClientID+"/keypair", "", nil)
	var f boxFile
	if err := json.Unmarshal(body, &f); err != nil || res.StatusCode != 200 {
		t.Fatalf("%d %s %v", res.StatusCode, body, err)
	}
	return auth.BoxConfig{TokenURL: r.BoxAPI + "/oauth2/token", ClientID: f.Settings.ClientID, JWT: true, KeyID: f.Settings.Auth.PublicKeyID,
			SubjectType: "enterprise", SubjectID: f.Enterprise},
		auth.Credentials{ClientSecret: f.Settings.ClientSecret, PrivateKey: f.Settings.Auth.PrivateKey, Passphrase: f.Settings.Auth.Passphrase}
}

func me(t *testing.T, s *sim.Sim, token string) string {
	t.Helper()
	res, body := call(t, "GET", s.Ready().BoxAPI+"/2.0/users/me", token, nil)
	var user struct {
		Login string `json:"login"`
	}
	if err := json.Unmarshal(body, &user); err != nil || res.StatusCode != 200 {
		t.Fatalf("%d %s %v", res.StatusCode, body, err)
	}
	return user.Login
}

func TestSimulatedBoxJWT(t *testing.T) {
	s := started(t, 0)
	cfg, c := boxApp(t, s)
	if got := me(t, s, get(t, auth.NewBox(cfg, stored(t, c), nil))); !strings.HasPrefix(got, "AutomationUser_") {
		t.Errorf("signed in as %s", got)
	}
	user := cfg
	user.SubjectType, user.SubjectID = "user", s.Ready().BoxSubject
	if got := me(t, s, get(t, auth.NewBox(user, stored(t, c), nil))); got != s.Ready().Users[0].Mail {
		t.Errorf("signed in as %s", got)
	}
	// The key may be in a file of its own.
	key := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(key, []byte(c.PrivateKey), 0o600); err != nil {
		t.Fatal(err)
	}
	inFile, without := cfg, c
	inFile.PrivateKey, without.PrivateKey = key, ""
	get(t, auth.NewBox(inFile, stored(t, without), nil))

	_, other := boxApp(t, s)
	unknown, nobody, stranger, wrong := cfg, cfg, c, c
	unknown.KeyID, nobody.SubjectID = "zzzzzzzz", "4711"
	stranger.PrivateKey, stranger.Passphrase = other.PrivateKey, other.Passphrase
	wrong.Passphrase = "wrong"
	wants(t, auth.NewBox(unknown, stored(t, c), nil), auth.Denied, "check public_key_id")
	wants(t, auth.NewBox(nobody, stored(t, c), nil), auth.Denied, "check subject")
	wants(t, auth.NewBox(cfg, stored(t, stranger), nil), auth.Denied, "does not belong to the public key")
	wants(t, auth.NewBox(cfg, stored(t, wrong), nil), auth.Broken, "passphrase is wrong")
	wants(t, auth.NewBox(inFile, stored(t, auth.Credentials{ClientSecret: "wrong", Passphrase: c.Passphrase}), nil), auth.Denied, "client_secret is wrong")

	ccg := cfg
	ccg.JWT = false
	wants(t, auth.NewBox(ccg, stored(t, c), nil), auth.Denied, "another type")
	backendtest.Set(t, s, "box.user_tokens", false)
	wants(t, auth.NewBox(user, stored(t, c), nil), auth.Denied, "Generate user access tokens")
	backendtest.Set(t, s, "box.app_authorized", false)
	wants(t, auth.NewBox(cfg, stored(t, c), nil), auth.Denied, "have an admin authorise it")
}

// TestSimulatedBoxClock signs in although the clocks differ by ten minutes.
func TestSimulatedBoxClock(t *testing.T) {
	for _, ahead := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
		s := started(t, ahead)
		cfg, c := boxApp(t, s)
		source := auth.NewBox(cfg, stored(t, c), nil)
		source.Invalidate(get(t, source))
		get(t, source)
		if n := backendtest.Requests(s, "POST", "/oauth2/token"); n != 3 {
			t.Errorf("Box %v ahead: %d requests, want 3", ahead, n)
		}
	}
}

// TestSimulatedChallenge revokes the sessions and signs in again as the challenge wants it.
func TestSimulatedChallenge(t *testing.T) {
	s := started(t, 0)
	r := s.Ready()
	source := auth.NewMicrosoft(auth.MicrosoftConfig{LoginURL: r.Login, Tenant: r.Tenant, ClientID: r.ClientID},
		stored(t, auth.Credentials{ClientSecret: r.ClientSecret, RefreshToken: r.RefreshToken}), nil)
	ask := func() *http.Response {
		res, _ := call(t, "GET", r.Graph+"/v1.0/me", get(t, source), nil)
		return res
	}
	if res := ask(); res.StatusCode != 200 {
		t.Fatal(res.Status)
	}
	if life, err := source.Life(); err != nil || len(life.Scopes) == 0 || time.Until(life.RefreshTokenEnds) < 80*24*time.Hour {
		t.Errorf("%+v %v", life, err)
	}
	backendtest.Set(t, s, "graph.sessions_revoked", int(s.World().Clock.Now().Unix()))
	res := ask()
	_, text, _ := strings.Cut(res.Header.Get("WWW-Authenticate"), `claims="`)
	text, _, _ = strings.Cut(text, `"`)
	claims, err := base64.StdEncoding.DecodeString(text)
	if res.StatusCode != 401 || err != nil || len(claims) == 0 {
		t.Fatalf("%s %v", res.Status, res.Header)
	}
	// Another token alone does not do.
	source.Invalidate(get(t, source))
	if res := ask(); res.StatusCode != 401 {
		t.Errorf("without the claims: %s", res.Status)
	}
	source.Challenge(get(t, source), string(claims))
	if res := ask(); res.StatusCode != 200 {
		t.Errorf("with the claims: %s", res.Status)
	}
}

// TestSimulatedRefusals has the token endpoint refuse with each number that the table knows.
func TestSimulatedRefusals(t *testing.T) {
	s := started(t, 0)
	r := s.Ready()
	for _, reason := range auth.Reasons() {
		for _, n := range reason.Numbers {
			backendtest.Set(t, s, "entra.token_error", n)
			source := auth.NewMicrosoft(auth.MicrosoftConfig{LoginURL: r.Login, Tenant: r.Tenant, ClientID: r.ClientID},
				stored(t, auth.Credentials{ClientSecret: r.ClientSecret, RefreshToken: r.RefreshToken}), nil)
			_, err := source.Token(t.Context())
			var refused *auth.Error
			if !errors.As(err, &refused) || !strings.HasSuffix(refused.Code, "AADSTS"+strconv.Itoa(n)) || !slices.Contains(refused.Reason.Numbers, n) {
				t.Errorf("AADSTS%d: %v", n, err)
				continue
			}
			for _, secret := range []string{r.ClientSecret, r.RefreshToken, r.Users[0].Mail, r.ClientID, "Trace ID"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("AADSTS%d: %v holds %s", n, err, secret)
				}
			}
		}
	}
}

// register puts a certificate into the app registration, and nothing else.
func register(t *testing.T, s *sim.Sim, certificate *x509.Certificate) {
	t.Helper()
	entry, err := keygen.NewEntry(certificate, "graph")
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]any{"keyCredentials": []keygen.Entry{entry}})
	if err != nil {
		t.Fatal(err)
	}
	if res, text := call(t, "PUT", s.Ready().Control+"/entra/apps/"+s.Ready().ClientID+"/manifest", "", body); res.StatusCode != 200 {
		t.Fatalf("%s %s", res.Status, text)
	}
}

// certificate makes a key and a certificate in one file, of which the key is encrypted.
func certificate(t *testing.T, passphrase string, made time.Time) (string, *x509.Certificate) {
	t.Helper()
	key, err := keygen.NewKey(2048)
	if err != nil {
		t.Fatal(err)
	}
	c, err := keygen.NewCertificate(key, pkix.Name{CommonName: "workfs"}, made, 30)
	if err != nil {
		t.Fatal(err)
	}
	private, err := keygen.PrivatePEM(key, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "workfs.pem")
	if err := os.WriteFile(path, append(private, keygen.CertificatePEM(c)...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, c
}

// appidacr is how Entra says in a token that the application proved itself: 1 by a secret, 2 by a certificate.
func appidacr(t *testing.T, token string) string {
	t.Helper()
	var claims jwt.MapClaims
	if _, _, err := jwt.NewParser().ParseUnverified(token, &claims); err != nil {
		t.Fatal(err)
	}
	proof, _ := claims["appidacr"].(string)
	return proof
}

func TestSimulatedCertificate(t *testing.T) {
	s := started(t, 0)
	r := s.Ready()
	path, cert := certificate(t, "correct horse", time.Now())
	register(t, s, cert)
	for _, tenant := range []string{r.Tenant, r.TenantDomain} {
		cfg := auth.MicrosoftConfig{LoginURL: r.Login, Tenant: tenant, ClientID: r.ClientID, Certificate: path, AppOnly: true}
		for _, appOnly := range []bool{true, false} {
			cfg.AppOnly = appOnly
			source := auth.NewMicrosoft(cfg, stored(t, auth.Credentials{Passphrase: "correct horse", RefreshToken: r.RefreshToken}), nil)
			if got := appidacr(t, get(t, source)); got != "2" {
				t.Errorf("tenant %s, app-only %t: appidacr is %q", tenant, appOnly, got)
			}
			if life, err := source.Life(); err != nil || life.CertificateEnds.Unix() != cert.NotAfter.Unix() {
				t.Errorf("%+v %v", life, err)
			}
		}
	}
	cfg := auth.MicrosoftConfig{LoginURL: r.Login, Tenant: r.Tenant, ClientID: r.ClientID, Certificate: path, AppOnly: true}
	store := stored(t, auth.Credentials{Passphrase: "correct horse"})
	source := auth.NewMicrosoft(cfg, store, nil)
	get(t, source)

	// The certificate is replaced, in the app registration first: the old one is refused, the new one taken up at once.
	next, cert := certificate(t, "correct horse", time.Now())
	register(t, s, cert)
	source.Invalidate(get(t, source))
	wants(t, source, auth.Denied, "not one of the app's")
	data, err := os.ReadFile(next)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	get(t, source)

	wants(t, auth.NewMicrosoft(cfg, stored(t, auth.Credentials{Passphrase: "wrong"}), nil), auth.Broken, "passphrase is wrong")
	public := cfg
	public.ClientID = r.PublicClientID
	public.AppOnly = false
	wants(t, auth.NewMicrosoft(public, stored(t, auth.Credentials{Passphrase: "correct horse", RefreshToken: r.RefreshToken}), nil), auth.Denied, "takes no secret and no certificate")
	expired, _ := certificate(t, "", time.Now().AddDate(0, 0, -31))
	cfg.Certificate = expired
	wants(t, auth.NewMicrosoft(cfg, stored(t, auth.Credentials{}), nil), auth.Broken, "expired on")
}

// TestSimulatedClock: Entra takes no assertion of a clock that is ten minutes off, and the error says by how much.
func TestSimulatedClock(t *testing.T) {
	for ahead, says := range map[time.Duration]string{10 * time.Minute: "10 minutes behind", -10 * time.Minute: "10 minutes ahead"} {
		s := started(t, ahead)
		r := s.Ready()
		path, cert := certificate(t, "", time.Now().Add(-time.Hour))
		register(t, s, cert)
		cfg := auth.MicrosoftConfig{LoginURL: r.Login, Tenant: r.Tenant, ClientID: r.ClientID, Certificate: path, AppOnly: true}
		wants(t, auth.NewMicrosoft(cfg, stored(t, auth.Credentials{}), nil), auth.Broken, "the clock of this machine is "+says)
	}
}
