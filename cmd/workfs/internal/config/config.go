// Package config reads what the user says of workfs: flags, environment, configuration file, preset and defaults, in
// this order of precedence.
//
// There is one list of settings, the flags. A setting is called --cache-max-size as a flag, WORKFS_CACHE_MAX_SIZE in
// the environment and cache_max_size in the file, and is parsed by the same code everywhere.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"unicode"

	"github.com/BurntSushi/toml"
	"github.com/spf13/pflag"

	"github.com/workfs/workfs/backends"
)

// presets are named sets of settings.
var presets = map[string]map[string]string{
	"browse":     {"formats": "md"},
	"backup":     {"formats": "json,eml"},
	"compliance": {"formats": "md,json,eml"},
}

// PresetNames lists the presets for help texts.
func PresetNames() []string {
	names := make([]string, 0, len(presets))
	for name := range presets {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// File is a configuration file.
type File struct {
	Path        string
	Connections []backends.Connection // by name
	settings    map[string]string     // by flag name
}

// connection is [connections.NAME] as it is written.
type connection struct {
	Type            string   `toml:"type"`
	Auth            string   `toml:"auth"`
	Tenant          string   `toml:"tenant"`
	ClientID        string   `toml:"client_id"`
	Subject         string   `toml:"subject"`
	Enterprise      bool     `toml:"enterprise"`
	GraphURL        string   `toml:"graph_url"`
	LoginURL        string   `toml:"login_url"`
	APIURL          string   `toml:"api_url"`
	TokenURL        string   `toml:"token_url"`
	AccountURL      string   `toml:"account_url"`
	ContentHosts    []string `toml:"content_hosts"`
	RealtimeHosts   []string `toml:"realtime_hosts"`
	CAFile          string   `toml:"ca_file"`
	Credentials     string   `toml:"credentials"`
	SignatureKeys   string   `toml:"signature_keys"`
	SharedMailboxes []string `toml:"shared_mailboxes"`
	Features        []string `toml:"features"`
}

// MissingError says that there is no configuration file, and how to start.
type MissingError struct{ Path string }

// Error tells where the file was looked for.
func (e *MissingError) Error() string {
	return fmt.Sprintf("there is no configuration at %s: write one (see README, Setting up), or try `workfs demo`", e.Path)
}

// Load reads a configuration file. known are the settings that it may hold. A file that is not there is an error that
// says how to start; unknown keys are errors, since a misspelt one would silently do nothing.
func Load(path string, known *pflag.FlagSet) (*File, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &MissingError{path}
	}
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	var raw map[string]any
	if _, err := toml.Decode(string(data), &raw); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var typed struct {
		Connections map[string]connection `toml:"connections"`
	}
	meta, err := toml.Decode(string(data), &typed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, key := range meta.Undecoded() {
		if len(key) > 1 {
			return nil, fmt.Errorf("%s: unknown key %q", path, key.String())
		}
	}
	f := &File{Path: path, settings: map[string]string{}}
	for key, value := range raw {
		if key == "connections" {
			continue
		}
		flag := strings.ReplaceAll(key, "_", "-")
		if known.Lookup(flag) == nil {
			return nil, fmt.Errorf("%s: unknown key %q", path, key)
		}
		text, err := settingText(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", path, key, err)
		}
		f.settings[flag] = text
	}
	for name, c := range typed.Connections {
		resolved, err := c.resolve(name, filepath.Dir(path))
		if err != nil {
			return nil, fmt.Errorf("%s: connection %q: %w", path, name, err)
		}
		f.Connections = append(f.Connections, resolved)
	}
	sort.Slice(f.Connections, func(i, j int) bool { return f.Connections[i].Name < f.Connections[j].Name })
	return f, nil
}

// settingText writes a TOML value as its flag would be written.
func settingText(value any) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case bool, int64:
		return fmt.Sprint(v), nil
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			s, ok := e.(string)
			if !ok {
				return "", errors.New("the list may hold strings only")
			}
			parts[i] = s
		}
		return strings.Join(parts, ","), nil
	default:
		return "", fmt.Errorf("a %T is not a value for this", value)
	}
}

func (c connection) resolve(name, dir string) (backends.Connection, error) {
	r := backends.Connection{
		Name: name, Type: c.Type, Auth: c.Auth, Tenant: c.Tenant, ClientID: c.ClientID, Subject: c.Subject,
		Enterprise: c.Enterprise, GraphURL: c.GraphURL, LoginURL: c.LoginURL, APIURL: c.APIURL, TokenURL: c.TokenURL,
		AccountURL: c.AccountURL, ContentHosts: c.ContentHosts, RealtimeHosts: c.RealtimeHosts, CAFile: c.CAFile,
		Credentials: c.Credentials, SignatureKeys: c.SignatureKeys, SharedMailboxes: c.SharedMailboxes, Features: c.Features,
	}
	odd := func(r rune) bool { return !unicode.IsPrint(r) || r == '/' || r == unicode.ReplacementChar }
	if name == "" || strings.IndexFunc(name, odd) >= 0 || strings.HasPrefix(name, ".") || len(name) > 64 {
		return r, errors.New("the name must do as the name of a directory: no slash or control character, no dot in front, at most 64 bytes")
	}
	auths := map[string][]string{"microsoft": {"delegated", "app"}, "box": {"ccg", "oauth"}}
	allowed, ok := auths[c.Type]
	if !ok {
		return r, fmt.Errorf("type is %q: it must be microsoft or box", c.Type)
	}
	if c.Auth != allowed[0] && c.Auth != allowed[1] {
		return r, fmt.Errorf("auth is %q: for %s it must be %s", c.Auth, c.Type, strings.Join(allowed, " or "))
	}
	if c.ClientID == "" {
		return r, errors.New("client_id is missing")
	}
	if c.Type == "microsoft" && c.Tenant == "" {
		return r, errors.New("tenant is missing: the directory (tenant) ID or a domain of the organisation")
	}
	for _, a := range []struct{ key, address string }{
		{"graph_url", c.GraphURL}, {"login_url", c.LoginURL}, {"api_url", c.APIURL}, {"token_url", c.TokenURL}, {"account_url", c.AccountURL},
	} {
		if err := checkAddress(a.address); err != nil {
			return r, fmt.Errorf("%s: %w", a.key, err)
		}
	}
	for _, f := range c.Features {
		if c.Type != "microsoft" || !slices.Contains(features, f) {
			return r, fmt.Errorf("features: there is no %q: a microsoft connection has %s", f, strings.Join(features, ", "))
		}
	}
	if r.Credentials == "" {
		r.Credentials = filepath.Join("credentials", name+".json")
	}
	for _, p := range []*string{&r.Credentials, &r.CAFile, &r.SignatureKeys} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	return r, nil
}

// features are the parts of a Microsoft connection that can be chosen.
var features = []string{"outlook", "teams", "directory"}

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

// Apply fills the flags that were not given on the command line: from the environment, then the file, then the preset.
// A file may be nil. The setting "preset" itself follows the same order.
func Apply(flags *pflag.FlagSet, f *File) error {
	if f == nil {
		f = &File{}
	}
	if preset := flags.Lookup("preset"); preset != nil {
		if err := fill(preset, f, nil); err != nil {
			return err
		}
	}
	var preset map[string]string
	if p := flags.Lookup("preset"); p != nil && p.Value.String() != "" {
		var ok bool
		if preset, ok = presets[p.Value.String()]; !ok {
			err := fmt.Errorf("there is no preset %q: choose from %s", p.Value, strings.Join(PresetNames(), ", "))
			if p.Value.String() == f.settings["preset"] {
				err = fmt.Errorf("%s: %w", f.Path, err)
			}
			return err
		}
	}
	var errs []error
	flags.VisitAll(func(flag *pflag.Flag) { errs = append(errs, fill(flag, f, preset)) })
	return errors.Join(errs...)
}

// fill sets a flag that was not given from the first place that has a value for it. It leaves Changed as it is.
func fill(flag *pflag.Flag, f *File, preset map[string]string) error {
	if flag.Changed {
		return nil
	}
	for _, variable := range []string{EnvName(flag.Name), commonNames[flag.Name]} {
		if text := os.Getenv(variable); text != "" {
			if err := flag.Value.Set(text); err != nil {
				return fmt.Errorf("%s: %w", variable, err)
			}
			return nil
		}
	}
	for _, from := range []struct {
		what   string
		values map[string]string
	}{{f.Path, f.settings}, {"preset", preset}} {
		if text, ok := from.values[flag.Name]; ok {
			if err := flag.Value.Set(text); err != nil {
				return fmt.Errorf("%s: %s: %w", from.what, strings.ReplaceAll(flag.Name, "-", "_"), err)
			}
			return nil
		}
	}
	return nil
}

// commonNames are variables without our prefix, by flag: what tunnels and other tools call the same thing.
var commonNames = map[string]string{"webhook-address": "WEBHOOK_ADDRESS"}

// EnvName is the environment variable of a flag.
func EnvName(flag string) string {
	return "WORKFS_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}
