package config

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// connectionPrefix begins the variables of connections: WORKFS_CONNECTION_<NAME>_<KEY>.
const connectionPrefix = "WORKFS_CONNECTION_"

// envConnection is the name of a connection within a variable: letters and digits in upper case, _ for anything else.
func envConnection(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, name)
}

// overlay takes over what the environment says of connections. A name that is not among the drafts makes a new one, in lower
// case with - for _. Empty variables say nothing.
func overlay(drafts map[string]*draft, environ []string) error {
	known := map[string]string{} // by the name in variables
	for _, name := range sortedKeys(drafts) {
		in := envConnection(name)
		if other, ok := known[in]; ok {
			// Only a variable for them makes this an error.
			known[in] = other + "\x00" + name
			continue
		}
		known[in] = name
	}
	for _, line := range slices.Sorted(slices.Values(environ)) {
		variable, value, _ := strings.Cut(line, "=")
		rest, ok := strings.CutPrefix(variable, connectionPrefix)
		if !ok || value == "" {
			continue
		}
		in, key := splitVariable(rest)
		if key == "" {
			return fmt.Errorf("%s: there is no such setting: %s<NAME>_<KEY> has the key of a connection in upper case", variable, connectionPrefix)
		}
		name, ok := known[in]
		if both := strings.Split(name, "\x00"); len(both) > 1 {
			return fmt.Errorf("%s is for %s: rename one of them", variable, strings.Join(both, " and "))
		}
		if !ok {
			name = strings.ReplaceAll(strings.ToLower(in), "_", "-")
			known[in] = name
			drafts[name] = newDraft(name)
		}
		if err := drafts[name].take(key, value, variable); err != nil {
			return err
		}
	}
	return nil
}

func newDraft(name string) *draft {
	return &draft{name: name, from: map[string]string{}, secret: map[string]string{}, spare: map[string]string{}}
}

// splitVariable parts the connection's name and the key: the longest key that fits.
func splitVariable(rest string) (name, key string) {
	candidates := append(sortedKeys(secrets), "private_key_file")
	for _, k := range append(candidates, connectionKeys...) {
		if n, ok := strings.CutSuffix(rest, "_"+strings.ToUpper(k)); ok && n != "" && len(k) > len(key) {
			name, key = n, k
		}
	}
	return name, key
}

// take takes over one variable. A secret from the environment puts those aside that the file names.
func (d *draft) take(key, value, variable string) error {
	if key == "private_key" && !strings.HasPrefix(strings.TrimSpace(value), "-----BEGIN ") {
		key = "private_key_file" // the path, as in the file
	}
	for secret, keys := range secrets {
		if key != secret && key != secret+"_file" && !slices.Contains(keys, key) {
			continue
		}
		for _, k := range keys {
			if d.from[k] == "" {
				d.unset(k)
			}
		}
		if key == secret {
			d.secret[secret] = variable
			return nil
		}
	}
	if key == "private_key_file" {
		key = "private_key"
	}
	return d.set(key, value, variable)
}

// family are the variables that other tools use for an application.
type family struct{ id, secret, tenant, enterprise, config string }

// families of a service, the first first.
var families = map[string][]family{
	"microsoft": {
		{id: "MICROSOFT_CLIENT_ID", secret: "MICROSOFT_CLIENT_SECRET", tenant: "MICROSOFT_TENANT_ID"},
		{id: "AZURE_CLIENT_ID", secret: "AZURE_CLIENT_SECRET", tenant: "AZURE_TENANT_ID"},
	},
	"box": {{id: "BOX_CLIENT_ID", secret: "BOX_CLIENT_SECRET", enterprise: "BOX_ENTERPRISE_ID", config: "BOX_CONFIG_FILE"}},
}

// fallBack fills what neither the file nor variables of the connection say from variables that other tools use, each with
// a twin that ends in _FILE and names a file with the value.
func (d *draft) fallBack() error {
	c := &d.keys
	if c.Auth == "token" {
		return nil
	}
	for _, f := range families[c.Type] {
		if f.config != "" && c.Auth == "jwt" && !c.has("jwt_config") && !c.has("client_id") && !c.has("public_key_id") && os.Getenv(f.config) != "" {
			if err := d.set("jwt_config", os.Getenv(f.config), f.config); err != nil {
				return err
			}
		}
		if c.has("jwt_config") {
			return nil
		}
		for _, v := range []struct{ key, variable string }{{"client_id", f.id}, {"tenant", f.tenant}, {"subject", f.enterprise}} {
			if v.variable == "" || c.has(v.key) || v.key == "subject" && c.Auth == "oauth" {
				continue
			}
			value, from, err := valueOf(v.variable)
			if err != nil {
				return err
			}
			if value != "" && v.key == "subject" {
				value = "enterprise:" + value
			}
			if value == "" {
				continue
			}
			if err := d.set(v.key, value, from); err != nil {
				return err
			}
		}
		if d.spare["client_secret"] != "" || c.Certificate != "" {
			continue
		}
		// A secret is of one application: beside the id of another one it is not for this connection.
		if id, _, err := valueOf(f.id); err != nil || id != "" && id != c.ClientID {
			continue
		}
		for _, variable := range []string{f.secret, f.secret + fileSuffix} {
			if os.Getenv(variable) != "" {
				d.spare["client_secret"] = variable
				break
			}
		}
	}
	return nil
}

// valueOf reads a variable, or the file that its twin names.
func valueOf(variable string) (value, from string, err error) {
	if v := os.Getenv(variable); v != "" {
		return v, variable, nil
	}
	twin := variable + fileSuffix
	path := os.Getenv(twin)
	if path == "" {
		return "", "", nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", "", fmt.Errorf("%s: %w", twin, err)
	}
	return strings.TrimSpace(string(b)), twin, nil
}

// fileSuffix ends the twin of a variable, which names a file with the value.
const fileSuffix = "_FILE"

// fileOf gives the file that a variable names, if it is such a twin.
func fileOf(variable string) (path string, ok bool) {
	return os.Getenv(variable), strings.HasSuffix(variable, fileSuffix)
}
