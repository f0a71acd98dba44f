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
	"os"
	"path/filepath"
	"sort"
	"strings"

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

// File is what the user says: the configuration file and what the environment adds to its connections.
type File struct {
	Path        string                // of the configuration file, which may not be there
	Connections []backends.Connection // by name
	settings    map[string]string     // by flag name
	drafts      map[string]*draft     // by connection
	where       places
}

// MissingError says that there is no configuration file, and how to start.
type MissingError struct{ Path string }

// Error tells where the file was looked for.
func (e *MissingError) Error() string {
	return fmt.Sprintf("there is no configuration at %s: run `workfs login microsoft` or `workfs login box`, write one (see README, Connections), or try `workfs demo`", e.Path)
}

// Load reads a configuration file. known are the settings that it may hold. Without the file, and without a connection in
// the environment, the error is a MissingError; unknown keys are errors, since a misspelt one would silently do nothing.
func Load(path string, known *pflag.FlagSet) (*File, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	f := &File{Path: path, settings: map[string]string{}}
	if f.drafts, err = drafts(path, string(data)); err != nil {
		return nil, err
	}
	if missing && len(f.drafts) == 0 {
		return nil, &MissingError{path}
	}
	var raw map[string]any
	if _, err := toml.Decode(string(data), &raw); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
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
	if f.where, err = f.places(known); err != nil {
		return nil, err
	}
	if err := f.trust(); err != nil {
		return nil, err
	}
	for _, name := range sortedKeys(f.drafts) {
		resolved, err := f.drafts[name].resolve(f.where)
		if err != nil {
			return nil, f.drafts[name].blame(path, err)
		}
		f.Connections = append(f.Connections, resolved)
	}
	return f, nil
}

// trust refuses a file that others can write or replace and that names commands: they would run as this user.
func (f *File) trust() error {
	for _, name := range sortedKeys(f.drafts) {
		d := f.drafts[name]
		for _, key := range connectionKeys {
			if !strings.HasSuffix(key, "_command") || !d.keys.has(key) || d.from[key] != "" {
				continue
			}
			for _, path := range []string{f.Path, filepath.Dir(f.Path)} {
				info, err := os.Stat(path)
				if err != nil {
					return fmt.Errorf("reading the configuration: %w", err)
				}
				// In a directory with the sticky bit nobody replaces what is another's.
				if mode := info.Mode(); mode.Perm()&0o022 != 0 && !(info.IsDir() && mode&fs.ModeSticky != 0) {
					return fmt.Errorf("%s can be written by others (mode %04o) and %s names a command, %s of connection %q: chmod go-w %s",
						path, mode.Perm(), f.Path, key, name, path)
				}
			}
		}
	}
	return nil
}

// drafts reads what a configuration's text and the environment say of connections.
func drafts(path, text string) (map[string]*draft, error) {
	var typed struct {
		Connections map[string]connection `toml:"connections"`
	}
	meta, err := toml.Decode(text, &typed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, key := range meta.Undecoded() {
		if len(key) == 3 && key[0] == "connections" && secrets[key[2]] != nil {
			return nil, fmt.Errorf("%s: %s: a secret is not written here: store it (workfs login, workfs connections add), or name where it is by %s",
				path, key.String(), choice(secrets[key[2]]))
		}
		if len(key) > 1 {
			return nil, fmt.Errorf("%s: unknown key %q", path, key.String())
		}
	}
	all := map[string]*draft{}
	for name, c := range typed.Connections {
		all[name] = newDraft(name)
		all[name].keys, all[name].inFile = c, true
	}
	if err := overlay(all, os.Environ()); err != nil {
		return nil, err
	}
	for _, name := range sortedKeys(all) {
		if err := all[name].fallBack(); err != nil {
			return nil, all[name].blame(path, err)
		}
	}
	return all, nil
}

// blame says which connection an error is of, and where it is written.
func (d *draft) blame(path string, err error) error {
	if !d.inFile {
		return fmt.Errorf("connection %q of the environment: %w", d.name, err)
	}
	return fmt.Errorf("%s: connection %q: %w", path, d.name, err)
}

// places gives the directories of the connections' files.
func (f *File) places(known *pflag.FlagSet) (places, error) {
	p := places{config: filepath.Dir(f.Path), state: DefaultStateDir()}
	flag := known.Lookup("state-dir")
	if flag == nil {
		return p, nil
	}
	if err := fill(flag, f, nil); err != nil {
		return p, err
	}
	var err error
	p.state, err = filepath.Abs(flag.Value.String())
	return p, err
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
