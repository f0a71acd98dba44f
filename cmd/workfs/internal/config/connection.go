package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/workfs/workfs/backends"
)

// connection is [connections.NAME] as it is written. The order is that in which the keys are written into a file. The tag
// "for" lists the ways to sign in (Type or Type/Auth) that a key is for, none means all.
type connection struct {
	Type             string            `toml:"type"`
	Auth             string            `toml:"auth"`
	Cloud            string            `toml:"cloud" for:"microsoft"`
	Tenant           string            `toml:"tenant" for:"microsoft"`
	ClientID         string            `toml:"client_id"`
	Certificate      string            `toml:"certificate" for:"microsoft/delegated microsoft/app"`
	PrivateKey       string            `toml:"private_key" for:"microsoft/delegated microsoft/app box/jwt"`
	PublicKeyID      string            `toml:"public_key_id" for:"box/jwt"`
	JWTConfig        string            `toml:"jwt_config" for:"box/jwt"`
	Subject          string            `toml:"subject" for:"box/ccg box/jwt"`
	Enterprise       bool              `toml:"enterprise" for:"box"`
	EntContent       bool              `toml:"enterprise_content" for:"box"`
	AsUser           string            `toml:"as_user" for:"box"`
	Features         []string          `toml:"features" for:"microsoft"`
	Scopes           []string          `toml:"scopes" for:"microsoft/delegated"`
	SharedMailboxes  []string          `toml:"shared_mailboxes" for:"microsoft/delegated microsoft/token"`
	Headers          map[string]string `toml:"headers"`
	GraphURL         string            `toml:"graph_url" for:"microsoft"`
	LoginURL         string            `toml:"login_url" for:"microsoft"`
	APIURL           string            `toml:"api_url" for:"box"`
	TokenURL         string            `toml:"token_url" for:"box"`
	AccountURL       string            `toml:"account_url" for:"box"`
	ContentHosts     []string          `toml:"content_hosts"`
	RealtimeHosts    []string          `toml:"realtime_hosts" for:"box"`
	CAFile           string            `toml:"ca_file"`
	SignatureKeys    string            `toml:"signature_keys" for:"box"`
	Store            string            `toml:"store" for:"microsoft/delegated microsoft/app box/oauth box/ccg box/jwt"`
	Credentials      string            `toml:"credentials" for:"microsoft/delegated microsoft/app box/oauth box/ccg box/jwt"`
	SecretFile       string            `toml:"client_secret_file" for:"microsoft/delegated microsoft/app box/oauth box/ccg box/jwt"`
	SecretCommand    string            `toml:"client_secret_command" for:"microsoft/delegated microsoft/app box/oauth box/ccg box/jwt"`
	PhraseFile       string            `toml:"passphrase_file" for:"microsoft/delegated microsoft/app box/oauth box/ccg box/jwt"`
	PhraseCommand    string            `toml:"passphrase_command" for:"microsoft/delegated microsoft/app box/oauth box/ccg box/jwt"`
	RefreshTokenFile string            `toml:"refresh_token_file" for:"microsoft/delegated box/oauth"`
	TokenCommand     string            `toml:"token_command" for:"microsoft/token box/token"`
}

// connectionKeys are the keys of [connections.NAME] in the order in which they are written.
var connectionKeys = func() (keys []string) {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[connection]()) {
		keys = append(keys, f.Tag.Get("toml"))
	}
	return keys
}()

// Keys lists the keys of a connection.
func Keys() []string { return slices.Clone(connectionKeys) }

// paths are the keys that name files. Relative ones are relative to the directory of the configuration file.
var paths = []string{
	"certificate", "private_key", "jwt_config", "ca_file", "signature_keys", "credentials", "client_secret_file",
	"passphrase_file", "refresh_token_file",
}

// secrets are what a connection may be given beside its store, and the keys that say from where: of each one may be used.
var secrets = map[string][]string{
	"client_secret": {"client_secret_file", "client_secret_command"},
	"passphrase":    {"passphrase_file", "passphrase_command"},
	"refresh_token": {"refresh_token_file"},
	"private_key":   {"private_key"},
}

// field gives the field of a key.
func (c *connection) field(key string) reflect.Value {
	return reflect.ValueOf(c).Elem().Field(slices.Index(connectionKeys, key))
}

// has tells whether a key has a value that is not empty.
func (c *connection) has(key string) bool {
	f := c.field(key)
	return !f.IsZero() && (f.Kind() != reflect.Slice && f.Kind() != reflect.Map || f.Len() > 0)
}

// parseKey reads the value of a key from a text: lists have commas between their values, headers are "Name: value" with a
// newline between them.
func parseKey(key, text string) (any, error) {
	i := slices.Index(connectionKeys, key)
	if i < 0 && secrets[key] != nil {
		return nil, fmt.Errorf("a secret is not said here: name where it is by %s", choice(secrets[key]))
	}
	if i < 0 {
		return nil, fmt.Errorf("there is no key %q: the keys are %s", key, strings.Join(connectionKeys, ", "))
	}
	switch reflect.TypeFor[connection]().Field(i).Type.Kind() {
	case reflect.Bool:
		v, err := strconv.ParseBool(text)
		if err != nil {
			return nil, fmt.Errorf("%q must be true or false", text)
		}
		return v, nil
	case reflect.Slice:
		var list []string
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				list = append(list, part)
			}
		}
		return list, nil
	case reflect.Map:
		headers := map[string]string{}
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line == "" {
				continue
			}
			name, value, ok := strings.Cut(line, ":")
			if !ok {
				return nil, errors.New("headers are written as \"Name: value\", a line each")
			}
			headers[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
		return headers, nil
	}
	return text, nil
}

// ParseKeys reads KEY=VALUE settings into what Add and Put take.
func ParseKeys(settings []string) (map[string]any, error) {
	keys := map[string]any{}
	for _, s := range settings {
		key, text, ok := strings.Cut(s, "=")
		if key = strings.TrimSpace(key); !ok {
			return nil, fmt.Errorf("%q: write KEY=VALUE", s)
		}
		value, err := parseKey(key, text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		keys[key] = value
	}
	return keys, nil
}

// draft is a connection before it is resolved: what is said of it, and where.
type draft struct {
	name   string
	keys   connection
	from   map[string]string // where a key's value comes from, "" for the configuration file
	secret map[string]string // variables of the environment that hold secrets, by secret
	spare  map[string]string // the same for secrets that nothing else gives: names that other tools use
	inFile bool              // the configuration file has a table of it
	box    *BoxApp           // what jwt_config holds
}

// called names a key as whoever set it knows it.
func (d *draft) called(key string) string {
	if from := d.from[key]; from != "" {
		return from
	}
	return key
}

// set gives a key a value that comes from a variable.
func (d *draft) set(key, text, variable string) error {
	value, err := parseKey(key, text)
	if err != nil {
		return fmt.Errorf("%s: %w", variable, err)
	}
	d.keys.field(key).Set(reflect.ValueOf(value))
	d.from[key] = variable
	return nil
}

// unset takes a key's value away.
func (d *draft) unset(key string) {
	d.keys.field(key).SetZero()
	delete(d.from, key)
}

// places are the directories that a connection's files are in unless they are named.
type places struct {
	config string // of the configuration file: relative paths are relative to it
	state  string // credentials of connections that are not in the file
}

// resolve checks a draft and completes it.
func (d *draft) resolve(p places) (backends.Connection, error) {
	for _, key := range paths {
		if f := d.keys.field(key); f.String() != "" && !filepath.IsAbs(f.String()) {
			f.SetString(filepath.Join(p.config, f.String()))
		}
	}
	if err := d.check(); err != nil {
		return backends.Connection{}, err
	}
	d.complete(p)
	c := d.keys
	r := backends.Connection{
		Name: d.name, Type: c.Type, Auth: c.Auth, Tenant: c.Tenant, ClientID: c.ClientID, Certificate: c.Certificate,
		PrivateKey: c.PrivateKey, PublicKeyID: c.PublicKeyID, Subject: c.Subject, Enterprise: c.Enterprise,
		EnterpriseContent: c.EntContent, AsUser: c.AsUser, Headers: c.Headers, GraphURL: c.GraphURL, LoginURL: c.LoginURL,
		APIURL: c.APIURL, TokenURL: c.TokenURL, AccountURL: c.AccountURL, ContentHosts: c.ContentHosts,
		RealtimeHosts: c.RealtimeHosts, CAFile: c.CAFile, Credentials: c.Credentials, TokenCommand: c.TokenCommand,
		SignatureKeys: c.SignatureKeys, SharedMailboxes: c.SharedMailboxes, Features: c.Features, Scopes: c.Scopes,
	}
	if c.Auth == "token" {
		return r, nil // the command has all secrets
	}
	var err error
	r.Store, err = d.store()
	return r, err
}

// byDefault is where a key's value comes from that nobody gave.
const byDefault = "default"

// complete fills in what follows from other keys, and defaults.
func (d *draft) complete(p places) {
	c := &d.keys
	derive := func(key, value, from string) {
		if value != "" && !c.has(key) {
			c.field(key).SetString(value)
			d.from[key] = from
		}
	}
	if c.Cloud != "" {
		login, graph, _ := Cloud(c.Cloud)
		derive("login_url", login, "cloud")
		derive("graph_url", graph, "cloud")
	}
	if d.box != nil {
		derive("client_id", d.box.ClientID, "jwt_config")
		derive("public_key_id", d.box.PublicKeyID, "jwt_config")
		if d.box.EnterpriseID != "" {
			derive("subject", "enterprise:"+d.box.EnterpriseID, "jwt_config")
		}
		if len(d.box.SignatureKeys) > 0 {
			derive("signature_keys", c.JWTConfig, "jwt_config")
		}
	}
	if c.Auth != "token" {
		dir := p.config
		if !d.inFile {
			dir = p.state
		}
		derive("store", "file", byDefault)
		// Another kind of store is another file, so that one can be filled while the other is still good.
		extension := ".json"
		if c.Store == "age" {
			extension = ".age"
		}
		derive("credentials", filepath.Join(dir, "credentials", d.name+extension), byDefault)
	}
}
