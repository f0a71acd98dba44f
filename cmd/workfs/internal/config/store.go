package config

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
)

// Vault gives what keeps the secrets of a connection, without those that come from elsewhere. It is nil for a connection that
// keeps none.
func (f *File) Vault(connection string) (auth.Store, error) {
	d := f.drafts[connection]
	if d == nil || d.keys.Auth == "token" {
		return nil, nil
	}
	return d.vault()
}

// Renamed gives a connection, and its vault, as they are under another name. Only what has the name by default changes.
func (f *File) Renamed(connection, to string) (backends.Connection, auth.Store, error) {
	d := f.drafts[connection]
	if d == nil {
		return backends.Connection{}, nil, fmt.Errorf("%w: %q", ErrNoConnection, connection)
	}
	renamed := *d
	renamed.name, renamed.from = to, maps.Clone(d.from)
	for _, key := range connectionKeys {
		if renamed.from[key] == byDefault {
			renamed.unset(key)
		}
	}
	c, err := renamed.resolve(f.where)
	if err != nil || c.Auth == "token" {
		return c, nil, err
	}
	vault, err := renamed.vault()
	return c, vault, err
}

// vault gives what keeps the secrets of a connection that sign-ins and renewals store.
func (d *draft) vault() (auth.Store, error) {
	cfg := auth.StoreConfig{Kind: d.keys.Store, Name: d.name, Path: d.keys.Credentials}
	if d.keys.Store == "age" {
		cfg.Passphrase = d.given("passphrase")
	}
	return auth.NewStore(cfg)
}

// store gives the vault with the secrets over it that come from elsewhere.
func (d *draft) store() (auth.Store, error) {
	vault, err := d.vault()
	if err != nil {
		return nil, err
	}
	supply := auth.Supply{ClientSecret: d.given("client_secret"), RefreshToken: d.given("refresh_token")}
	if d.secret["private_key"] != "" {
		supply.PrivateKey = auth.EnvSecret(d.secret["private_key"])
	}
	if d.keys.Store != "age" { // which it opens, so that the key's is in there
		supply.Passphrase = d.given("passphrase")
	}
	if d.box != nil {
		supply.ClientSecret, supply.PrivateKey = d.ofBoxFile("client_secret"), d.ofBoxFile("private_key")
		supply.Passphrase = auth.FirstSecret(supply.Passphrase, d.ofBoxFile("passphrase"))
	}
	if variable := d.spare["client_secret"]; variable != "" && supply.ClientSecret == nil {
		supply.ClientSecret = unlessStored(vault, named(variable))
	}
	if supply.ClientSecret == nil && supply.RefreshToken == nil && supply.PrivateKey == nil && supply.Passphrase == nil {
		return vault, nil
	}
	return auth.WithSupply(vault, supply), nil
}

// given is the secret that the environment holds, or a key names; nil for none.
func (d *draft) given(secret string) auth.Secret {
	if variable := d.secret[secret]; variable != "" {
		return auth.EnvSecret(variable)
	}
	for _, key := range secrets[secret] {
		value := d.keys.field(key).String()
		switch {
		case value == "":
		case key == secret+"_command":
			return auth.CommandSecret(value)
		default:
			return auth.FileSecret(value)
		}
	}
	return nil
}

// named is the secret of a variable that other tools use: its value, or the content of the file that its twin names.
func named(variable string) auth.Secret {
	if path, ok := fileOf(variable); ok {
		return auth.FileSecret(path)
	}
	return auth.EnvSecret(variable)
}

// ofBoxFile is a secret of Box's own file, which is read each time.
func (d *draft) ofBoxFile(secret string) auth.Secret {
	path := d.keys.JWTConfig
	return func(context.Context) (string, error) {
		app, err := ReadBoxApp(path)
		if err != nil {
			return "", &auth.Error{Kind: auth.Broken, Action: "jwt_config can't be used", Err: err}
		}
		return app.secret(secret), nil
	}
}

// unlessStored is a client secret for a vault that has none.
func unlessStored(vault auth.Store, secret auth.Secret) auth.Secret {
	return func(ctx context.Context) (string, error) {
		c, err := vault.Load()
		if err != nil && !errors.Is(err, auth.ErrNoCredentials) {
			return "", err
		}
		if c.ClientSecret != "" {
			return "", nil
		}
		return secret(ctx)
	}
}
