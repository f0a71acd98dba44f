package box

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/youmark/pkcs8"

	"github.com/workfs/workfs/backends/sim/core"
)

// consoleRoutes are what the developer console does for its apps, as calls of the control host:
//
//	GET    /box/apps/{id}             what is configured
//	POST   /box/apps/{id}/redirects   one more redirect URI, {"redirect_uri": "…"}
//	POST   /box/apps/{id}/keys        "Add a Public Key": the body is the PEM text, the answer {"id": "…"}
//	POST   /box/apps/{id}/keypair     "Generate a Public/Private Keypair": the answer is the configuration file
//	DELETE /box/apps/{id}/keys/{key}
//
// The id is the client id. What is wrong gets 400 and a sentence, what is not there 404.
func (s *Server) consoleRoutes() {
	s.console("GET /box/apps/{app}", func(a *app, r *http.Request) (any, error) { return a.configuration(), nil })
	s.console("POST /box/apps/{app}/redirects", func(a *app, r *http.Request) (any, error) {
		var in struct {
			Redirect string `json:"redirect_uri"`
		}
		if err := json.NewDecoder(io.LimitReader(r.Body, 64<<10)).Decode(&in); err != nil {
			return nil, err
		}
		err := a.addRedirect(in.Redirect)
		return a.configuration(), err
	})
	s.console("POST /box/apps/{app}/keys", func(a *app, r *http.Request) (any, error) {
		text, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
		if err != nil {
			return nil, err
		}
		id, err := a.addKey(text)
		return map[string]string{"id": id}, err
	})
	s.console("POST /box/apps/{app}/keypair", func(a *app, _ *http.Request) (any, error) {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, err
		}
		return s.configFile(a, key)
	})
	s.console("DELETE /box/apps/{app}/keys/{key}", func(a *app, r *http.Request) (any, error) {
		if !a.removeKey(r.PathValue("key")) {
			return nil, fmt.Errorf("the app has no key %q", r.PathValue("key"))
		}
		return a.configuration(), nil
	})
}

func (s *Server) console(pattern string, f func(*app, *http.Request) (any, error)) {
	s.w.HandleControl(pattern, func(w http.ResponseWriter, r *http.Request) {
		a := s.appOf(r.PathValue("app"))
		if a == nil {
			http.Error(w, "no such app", http.StatusNotFound)
			return
		}
		v, err := f(a, r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		core.AnswerControl(w, v)
	})
}

// configuration is what the console shows of an app.
func (a *app) configuration() any {
	a.mu.Lock()
	defer a.mu.Unlock()
	keys := []string{}
	for _, k := range a.keys {
		keys = append(keys, k.id)
	}
	return map[string]any{"name": a.name, "grants": a.grants, "redirect_uris": a.redirects, "keys": keys}
}

// ConfigFile is the file that the developer console gives for an app with a generated key pair (guide "JWT setup").
type ConfigFile struct {
	Settings   AppSettings `json:"boxAppSettings"`
	Enterprise string      `json:"enterpriseID"`
}

// AppSettings is the app's part of a ConfigFile.
type AppSettings struct {
	ClientID     string  `json:"clientID"`
	ClientSecret string  `json:"clientSecret"`
	Auth         AppAuth `json:"appAuth"`
}

// AppAuth is a key pair: the id of its public half, and the private half as encrypted PKCS #8 in PEM.
type AppAuth struct {
	PublicKeyID string `json:"publicKeyID"`
	PrivateKey  string `json:"privateKey"`
	Passphrase  string `json:"passphrase"`
}

// configFile registers the public half of a key with an app and gives the file with the private one.
func (s *Server) configFile(a *app, key *rsa.PrivateKey) (ConfigFile, error) {
	passphrase := randomText(32)
	// PBES2 with AES-256-CBC, as the library has it by default; Box does not tell what it uses.
	der, err := pkcs8.MarshalPrivateKey(key, []byte(passphrase), nil)
	if err != nil {
		return ConfigFile{}, fmt.Errorf("encrypting a key: %w", err)
	}
	private := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der})
	return ConfigFile{
		Settings: AppSettings{ClientID: a.id, ClientSecret: a.secret,
			Auth: AppAuth{PublicKeyID: a.enrol(&key.PublicKey), PrivateKey: string(private), Passphrase: passphrase}},
		Enterprise: s.store.ours.id,
	}, nil
}

// sharedKey is one key for all simulators of a process, since making one takes a while.
var sharedKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// JWTConfigFile gives the configuration file of the app that signs assertions, with a new key id at each call.
func (s *Server) JWTConfigFile() (ConfigFile, error) {
	key, err := sharedKey()
	if err != nil {
		return ConfigFile{}, err
	}
	return s.configFile(s.apps[1], key)
}
