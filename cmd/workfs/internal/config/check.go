package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/net/http/httpguts"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends/graph/permission"
)

// auths are the ways to sign in to each service.
var auths = map[string][]string{
	"microsoft": {"delegated", "app", "token"},
	"box":       {"oauth", "ccg", "jwt", "token"},
}

// check tells what is wrong with a draft: the key, and what to do.
func (d *draft) check() error {
	c := &d.keys
	if err := checkName(d.name); err != nil {
		return err
	}
	allowed, ok := auths[c.Type]
	if c.Type == "" {
		return fmt.Errorf("%s is missing: microsoft or box", d.called("type"))
	}
	if !ok {
		return fmt.Errorf("%s is %q: it must be microsoft or box", d.called("type"), c.Type)
	}
	if !slices.Contains(allowed, c.Auth) {
		return fmt.Errorf("%s is %q: for %s it must be %s", d.called("auth"), c.Auth, c.Type, choice(allowed))
	}
	if err := d.checkBelonging(); err != nil {
		return err
	}
	if err := d.checkSecrets(); err != nil {
		return err
	}
	for _, key := range []string{"tenant", "client_id", "public_key_id", "subject", "as_user"} {
		if v := c.field(key).String(); strings.ContainsFunc(v, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }) {
			return fmt.Errorf("%s is %q: it holds no blanks", d.called(key), v)
		}
	}
	if c.Auth == "token" && c.TokenCommand == "" {
		return errors.New("token_command is missing: with auth = \"token\" it prints an access token")
	}
	if c.ClientID == "" && c.JWTConfig == "" && c.Auth != "token" {
		return errors.New("client_id is missing: the id of the application")
	}
	for _, key := range []string{"graph_url", "login_url", "api_url", "token_url", "account_url"} {
		if err := checkAddress(c.field(key).String()); err != nil {
			return fmt.Errorf("%s: %w", d.called(key), err)
		}
	}
	for _, key := range []string{"content_hosts", "realtime_hosts"} {
		for _, host := range c.field(key).Interface().([]string) {
			if host == "" || strings.ContainsAny(host, "/ @?#") {
				return fmt.Errorf("%s: %q is not a host: write host, host:port or *.domain", d.called(key), host)
			}
		}
	}
	if err := checkHeaders(c.Headers); err != nil {
		return fmt.Errorf("%s: %w", d.called("headers"), err)
	}
	if c.Store != "" && !slices.Contains(auth.StoreKinds(), c.Store) {
		return fmt.Errorf("%s is %q: it must be %s", d.called("store"), c.Store, choice(auth.StoreKinds()))
	}
	if c.Store == "age" && d.given("passphrase") == nil {
		return fmt.Errorf("%s is age, which needs a passphrase: name it by passphrase_file or passphrase_command, or in %s%s_PASSPHRASE",
			d.called("store"), connectionPrefix, envConnection(d.name))
	}
	if c.Type == "microsoft" {
		return d.checkMicrosoft()
	}
	return d.checkBox()
}

// checkName refuses what can't be the name of a directory.
func checkName(name string) error {
	odd := func(r rune) bool { return !unicode.IsPrint(r) || r == '/' || r == unicode.ReplacementChar }
	if name == "" || strings.IndexFunc(name, odd) >= 0 || strings.HasPrefix(name, ".") || len(name) > 64 {
		return errors.New("the name must do as the name of a directory: no slash or control character, no dot in front, at most 64 bytes")
	}
	return nil
}

// checkBelonging refuses keys that the way to sign in has no use for.
func (d *draft) checkBelonging() error {
	for _, key := range connectionKeys {
		if d.keys.has(key) {
			if err := d.checkFor(key, d.called(key)); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkFor tells whether the way to sign in has a use for a key, which the user knows as called.
func (d *draft) checkFor(key, called string) error {
	c := &d.keys
	ways := strings.Fields(reflect.TypeFor[connection]().Field(slices.Index(connectionKeys, key)).Tag.Get("for"))
	if len(ways) == 0 || slices.Contains(ways, c.Type) || slices.Contains(ways, c.Type+"/"+c.Auth) {
		return nil
	}
	var fits []string
	for _, w := range ways {
		if kind, auth, ok := strings.Cut(w, "/"); ok && kind == c.Type {
			fits = append(fits, auth)
		}
	}
	if len(fits) == 0 {
		return fmt.Errorf("%s is nothing for a connection of type %s: leave it out", called, c.Type)
	}
	return fmt.Errorf("%s is nothing for auth = %q: leave it out, or sign in by %s", called, c.Auth, choice(fits))
}

// checkSecrets refuses secrets from two places.
func (d *draft) checkSecrets() error {
	for _, secret := range sortedKeys(secrets) {
		var given []string
		if v := d.secret[secret]; v != "" {
			given = append(given, v)
			if err := d.checkFor(secrets[secret][0], v); err != nil {
				return err
			}
		}
		for _, key := range secrets[secret] {
			if d.keys.has(key) {
				given = append(given, d.called(key))
			}
		}
		if len(given) > 1 {
			return fmt.Errorf("%s say the same: leave one out", strings.Join(given, " and "))
		}
	}
	return nil
}

func (d *draft) checkMicrosoft() error {
	c := &d.keys
	person := c.Auth == "delegated"
	tenantOdd := func(r rune) bool { return r != '-' && r != '.' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }
	switch {
	case c.Tenant == "" && c.Auth != "token":
		return errors.New("tenant is missing: the directory (tenant) ID or a domain of the organisation")
	case slices.Contains([]string{"common", "organizations"}, strings.ToLower(c.Tenant)) && !person:
		return fmt.Errorf("%s is %q, which is for the sign-in of a person: write the directory (tenant) ID or a domain of the organisation", d.called("tenant"), c.Tenant)
	case strings.EqualFold(c.Tenant, "consumers"):
		return fmt.Errorf("%s is %q: personal accounts have no Microsoft 365; write common, organizations, a directory (tenant) ID or a domain", d.called("tenant"), c.Tenant)
	case strings.ContainsFunc(c.Tenant, tenantOdd):
		return fmt.Errorf("%s is %q: it must be a directory (tenant) ID or a domain of the organisation", d.called("tenant"), c.Tenant)
	}
	if c.Cloud != "" {
		if _, _, ok := Cloud(c.Cloud); !ok {
			return fmt.Errorf("%s is %q: it must be %s", d.called("cloud"), c.Cloud, choice(Clouds()))
		}
		for _, key := range []string{"graph_url", "login_url"} {
			if c.has(key) {
				return fmt.Errorf("%s sets graph_url and login_url: leave out %s, or write both addresses and no cloud", d.called("cloud"), d.called(key))
			}
		}
	}
	if (c.PrivateKey != "" || d.secret["private_key"] != "") && c.Certificate == "" {
		return fmt.Errorf("%s needs certificate: the file of the certificate that is registered for the application", d.keyOfSecret("private_key"))
	}
	if c.Certificate != "" && (c.SecretFile != "" || c.SecretCommand != "" || d.secret["client_secret"] != "") {
		return fmt.Errorf("%s and %s: an application proves itself by one of them", d.called("certificate"), d.keyOfSecret("client_secret"))
	}
	if _, err := permission.Parse(c.Features); err != nil {
		return fmt.Errorf("%s: %w", d.called("features"), err)
	}
	return d.checkScopes()
}

// checkScopes refuses .default beside named scopes, as Entra does (AADSTS70011).
func (d *draft) checkScopes() error {
	all := slices.ContainsFunc(d.keys.Scopes, func(s string) bool { return strings.EqualFold(s, ".default") || strings.HasSuffix(s, "/.default") })
	for _, s := range d.keys.Scopes {
		if s == "" || strings.ContainsAny(s, " \t\n,\"\\") {
			return fmt.Errorf("%s: %q is not the name of a permission", d.called("scopes"), s)
		}
	}
	if all && len(d.keys.Scopes) > 1 {
		return fmt.Errorf("%s: .default can't be mixed with others: it means all permissions that the application has", d.called("scopes"))
	}
	return nil
}

// keyOfSecret names the key or the variable that gives a secret.
func (d *draft) keyOfSecret(secret string) string {
	if v := d.secret[secret]; v != "" {
		return v
	}
	for _, key := range secrets[secret] {
		if d.keys.has(key) {
			return d.called(key)
		}
	}
	return secret
}

func (d *draft) checkBox() error {
	c := &d.keys
	for _, pair := range [][2]string{{"enterprise", "enterprise_content"}, {"enterprise", "as_user"}, {"enterprise_content", "as_user"}} {
		if c.has(pair[0]) && c.has(pair[1]) {
			return fmt.Errorf("%s and %s exclude each other: one sees as every user, one as nobody, one as one user", d.called(pair[0]), d.called(pair[1]))
		}
	}
	if c.JWTConfig != "" {
		for _, key := range []string{"client_id", "public_key_id", "private_key", "client_secret_file", "client_secret_command"} {
			if c.has(key) {
				return fmt.Errorf("%s holds what %s says: leave one out", d.called("jwt_config"), d.called(key))
			}
		}
		app, err := ReadBoxApp(c.JWTConfig)
		if err != nil {
			return fmt.Errorf("%s: %w", d.called("jwt_config"), err)
		}
		d.box = &app
	} else if c.Auth == "jwt" && c.PublicKeyID == "" {
		return errors.New("public_key_id is missing: the id that Box gave to the public key; or name Box's own file by jwt_config")
	}
	if c.Auth == "oauth" || c.Auth == "token" || c.Subject == "" && d.box != nil && d.box.EnterpriseID != "" {
		return nil
	}
	if c.Subject == "" {
		return errors.New("subject is missing: user:ID, or enterprise:ID for the Service Account")
	}
	if kind, id, ok := strings.Cut(c.Subject, ":"); !ok || id == "" || kind != "user" && kind != "enterprise" {
		return fmt.Errorf("%s is %q: it must be user:ID or enterprise:ID", d.called("subject"), c.Subject)
	}
	return nil
}

// ownHeaders are set by workfs itself: another value would send requests to somebody else's data, or break them.
var ownHeaders = []string{
	"Authorization", "As-User", "Host", "Connection", "Content-Length", "Content-Type", "Transfer-Encoding", "Accept", "Accept-Encoding",
	"Cookie", "If-Match", "If-None-Match", "Prefer", "Range", "User-Agent",
}

func checkHeaders(headers map[string]string) error {
	for _, name := range sortedKeys(headers) {
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			return fmt.Errorf("%q is not the name of a header", name)
		case slices.ContainsFunc(ownHeaders, func(h string) bool { return strings.EqualFold(h, name) }):
			return fmt.Errorf("%s is set by workfs itself: leave it out", name)
		case !httpguts.ValidHeaderFieldValue(headers[name]):
			return fmt.Errorf("the value of %s can't be sent in a header", name)
		}
	}
	return nil
}

// checkAddress refuses addresses that would send secrets in the clear: all must be https, except on loopback.
func checkAddress(address string) error {
	if address == "" {
		return nil // the service's own
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%q is not an address like https://host", address)
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()) {
		return nil
	}
	return fmt.Errorf("%q must begin with https://, for secrets go there", address)
}

// choice lists what is allowed: "a, b or c".
func choice(list []string) string {
	if n := len(list); n > 1 {
		return strings.Join(list[:n-1], ", ") + " or " + list[n-1]
	}
	return strings.Join(list, "")
}
