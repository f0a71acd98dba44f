package config

import (
	"fmt"
	"strings"
)

// Setting is one thing that is said of a connection.
type Setting struct {
	Key string `json:"key"`
	// Value is as the environment would have it. Secrets have none here.
	Value string `json:"value,omitempty"`
	// From is where it comes from: the path of the configuration file, a variable of the environment, the key from which it
	// follows, or "default".
	From string `json:"from"`
}

// Settings lists what is said of a connection, in the order of the keys, and where secrets come from that are not in its
// store. It is nil for a connection that there is not.
func (f *File) Settings(connection string) []Setting {
	d := f.drafts[connection]
	if d == nil {
		return nil
	}
	var list []Setting
	for _, key := range connectionKeys {
		if !d.keys.has(key) {
			continue
		}
		from := d.from[key]
		if from == "" {
			from = f.Path
		}
		list = append(list, Setting{key, keyText(d.keys.field(key).Interface()), from})
	}
	for _, secret := range sortedKeys(secrets) {
		from := d.secret[secret]
		if from == "" && d.box != nil && d.box.secret(secret) != "" {
			from = "jwt_config"
		}
		if from == "" {
			from = d.spare[secret]
		}
		if from != "" {
			list = append(list, Setting{Key: secret, From: from})
		}
	}
	return list
}

// InFile tells whether the configuration file has a table of the connection; what only the environment has can't be edited.
func (f *File) InFile(connection string) bool {
	d := f.drafts[connection]
	return d != nil && d.inFile
}

// keyText writes a key's value as parseKey reads it.
func keyText(value any) string {
	switch v := value.(type) {
	case []string:
		return strings.Join(v, ",")
	case map[string]string:
		lines := make([]string, 0, len(v))
		for _, name := range sortedKeys(v) {
			lines = append(lines, name+": "+v[name])
		}
		return strings.Join(lines, "\n")
	}
	return fmt.Sprint(value)
}
