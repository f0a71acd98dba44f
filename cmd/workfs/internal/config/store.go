package config

import "github.com/workfs/workfs/auth"

// Stores lists the values of store.
func Stores() []string { return []string{"keyring", "age", "file"} }

// store gives what keeps the secrets of a connection.
func (d *draft) store() (auth.Store, error) {
	return auth.File(d.keys.Credentials), nil
}
