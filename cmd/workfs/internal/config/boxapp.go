package config

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/workfs/workfs/auth"
)

// BoxApp is what the file holds that Box's developer console gives for an application with a key (box.dev, JWT Auth: the app
// configuration file). It has secrets.
type BoxApp struct {
	ClientID, ClientSecret string
	PublicKeyID            string
	PrivateKey, Passphrase string // PEM, most often encrypted
	EnterpriseID           string
	SignatureKeys          []string // of webhooks, primary first; most files have none
}

// secret gives a secret of the file by its key's name, "" if it has none.
func (a *BoxApp) secret(key string) string {
	switch key {
	case "client_secret":
		return a.ClientSecret
	case "private_key":
		return a.PrivateKey
	case "passphrase":
		return a.Passphrase
	}
	return ""
}

// maxBoxApp bounds the file in bytes; real ones have two kilobytes.
const maxBoxApp = 1 << 20

// ReadBoxApp reads Box's file, which must be as private as auth.ReadPrivate says. Errors hold nothing of it.
func ReadBoxApp(path string) (BoxApp, error) {
	data, err := auth.ReadPrivate(path, maxBoxApp)
	if err != nil {
		return BoxApp{}, err
	}
	var file struct {
		Settings struct {
			ClientID     string `json:"clientID"`
			ClientSecret string `json:"clientSecret"`
			Auth         struct {
				PublicKeyID string `json:"publicKeyID"`
				PrivateKey  string `json:"privateKey"`
				Passphrase  string `json:"passphrase"`
			} `json:"appAuth"`
		} `json:"boxAppSettings"`
		EnterpriseID string `json:"enterpriseID"`
		Webhooks     struct {
			Primary   string `json:"primaryKey"`
			Secondary string `json:"secondaryKey"`
		} `json:"webhooks"` // as Box's Node SDK reads it; no other source tells of it
	}
	// The decoder's own message may quote the file.
	if json.Unmarshal(data, &file) != nil {
		return BoxApp{}, errors.New(path + " is not the JSON file that Box's developer console gives")
	}
	s := file.Settings
	app := BoxApp{
		ClientID: s.ClientID, ClientSecret: s.ClientSecret, PublicKeyID: s.Auth.PublicKeyID, PrivateKey: s.Auth.PrivateKey,
		Passphrase: s.Auth.Passphrase, EnterpriseID: file.EnterpriseID,
	}
	for _, key := range []string{file.Webhooks.Primary, file.Webhooks.Secondary} {
		if key != "" {
			app.SignatureKeys = append(app.SignatureKeys, key)
		}
	}
	for _, m := range []struct{ name, value string }{
		{"clientID", app.ClientID}, {"clientSecret", app.ClientSecret}, {"appAuth.publicKeyID", app.PublicKeyID}, {"appAuth.privateKey", app.PrivateKey},
	} {
		if m.value == "" {
			return BoxApp{}, fmt.Errorf("%s has no boxAppSettings.%s: make a key pair in the developer console, which gives the file", path, m.name)
		}
	}
	return app, nil
}
