package config

import (
	"reflect"

	"github.com/BurntSushi/toml"
)

// connectionKeys are the keys of [connections.NAME] in the order in which they are written.
var connectionKeys = func() (keys []string) {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[connection]()) {
		keys = append(keys, f.Tag.Get("toml"))
	}
	return keys
}()

// checkOne tells what is wrong with one connection of a configuration's text.
func checkOne(path, text, name string) error {
	var typed struct {
		Connections map[string]connection `toml:"connections"`
	}
	if _, err := toml.Decode(text, &typed); err != nil {
		return err
	}
	_, err := typed.Connections[name].resolve(name, path)
	return err
}
