package entra

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // thumbprints of certificates are SHA-1
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

// keyCredential is a certificate that an application signs its assertions with.
type keyCredential struct {
	id         string
	name       string
	cert       *x509.Certificate
	start, end time.Time // zero: those of the certificate
}

// keyWire is a keyCredential as Graph and the manifest editor write it (certificate-credentials.md; keyCredential resource
// of Graph). Value is the name that key had in manifests of the older format.
type keyWire struct {
	CustomKeyIdentifier *string    `json:"customKeyIdentifier"`
	DisplayName         *string    `json:"displayName"`
	EndDateTime         *time.Time `json:"endDateTime"`
	Key                 *string    `json:"key"`
	KeyID               string     `json:"keyId"`
	StartDateTime       *time.Time `json:"startDateTime"`
	Type                string     `json:"type"`
	Usage               string     `json:"usage"`
}

// oldKeyWire is the older format of the manifest.
type oldKeyWire struct {
	keyWire
	EndDate   *time.Time `json:"endDate"`
	StartDate *time.Time `json:"startDate"`
	Value     *string    `json:"value"`
}

// readKeys reads a list of key credentials that shall replace those that the application has. An entry without a key keeps
// the one with the same id: lists are read without keys and must be sent whole. The error says what is wrong.
func readKeys(raw json.RawMessage, have []keyCredential, manifest bool) ([]keyCredential, error) {
	var entries []json.RawMessage
	if err := json.Unmarshal(raw, &entries); err != nil {
		return nil, errors.New("keyCredentials is no list")
	}
	list := make([]keyCredential, 0, len(entries))
	seen := map[string]bool{}
	for i, entry := range entries {
		k, err := readKey(entry, have, manifest)
		if err == nil && seen[k.id] {
			err = errors.New("keyId is not unique")
		}
		if err != nil {
			return nil, fmt.Errorf("keyCredentials[%d]: %w", i, err)
		}
		seen[k.id] = true
		list = append(list, k)
	}
	return list, nil
}

func readKey(raw json.RawMessage, have []keyCredential, manifest bool) (keyCredential, error) {
	var w oldKeyWire
	strict := json.NewDecoder(bytes.NewReader(raw))
	strict.DisallowUnknownFields()
	var err error
	if manifest {
		err = strict.Decode(&w)
	} else {
		err = strict.Decode(&w.keyWire)
	}
	if err != nil {
		return keyCredential{}, err
	}
	if w.Value != nil {
		if w.Key != nil {
			return keyCredential{}, errors.New("both key and value are given")
		}
		w.Key, w.StartDateTime, w.EndDateTime = w.Value, w.StartDate, w.EndDate
	}
	id, err := uuid.Parse(w.KeyID)
	switch {
	case err != nil || len(w.KeyID) != 36:
		return keyCredential{}, errors.New("keyId is no GUID")
	case w.Type != "AsymmetricX509Cert":
		return keyCredential{}, errors.New("type is not AsymmetricX509Cert")
	case w.Usage != "Verify":
		return keyCredential{}, errors.New("usage is not Verify")
	}
	k := keyCredential{id: id.String()}
	if w.Key == nil {
		for _, old := range have {
			if old.id == k.id {
				return old, nil
			}
		}
		return k, errors.New("key is missing")
	}
	der, err := base64.StdEncoding.DecodeString(*w.Key)
	if err != nil {
		return k, errors.New("key is not base64")
	}
	if k.cert, err = x509.ParseCertificate(der); err != nil {
		return k, errors.New("key is no DER certificate")
	}
	if w.DisplayName != nil {
		k.name = *w.DisplayName
	}
	if w.CustomKeyIdentifier != nil && !k.named(*w.CustomKeyIdentifier) {
		return k, errors.New("customKeyIdentifier is not the SHA-1 thumbprint of the certificate, in base64 or hexadecimal")
	}
	return k, k.setDates(w.StartDateTime, w.EndDateTime)
}

// setDates takes the dates of an entry, which must be within those of the certificate.
func (k *keyCredential) setDates(start, end *time.Time) error {
	if start != nil {
		if k.start = start.UTC(); k.start.Before(k.cert.NotBefore) {
			return errors.New("key credential start date is invalid: it is before the certificate's")
		}
	}
	if end != nil {
		if k.end = end.UTC(); k.end.After(k.cert.NotAfter) {
			return errors.New("key credential end date is invalid: it is after the certificate's")
		}
	}
	if !k.from().Before(k.until()) {
		return errors.New("key credential end date is invalid: it is not after the start date")
	}
	return nil
}

// named reports whether an identifier is the thumbprint of the certificate.
func (k *keyCredential) named(identifier string) bool {
	sum := sha1.Sum(k.cert.Raw) //nolint:gosec // see the import
	if b, err := base64.StdEncoding.DecodeString(identifier); err == nil && bytes.Equal(b, sum[:]) {
		return true
	}
	return strings.EqualFold(identifier, hex.EncodeToString(sum[:]))
}

// from and until give when the key is valid.
func (k *keyCredential) from() time.Time {
	if k.start.IsZero() {
		return k.cert.NotBefore
	}
	return k.start
}

func (k *keyCredential) until() time.Time {
	if k.end.IsZero() {
		return k.cert.NotAfter
	}
	return k.end
}

// describe writes the key as the messages about assertions do.
func (k *keyCredential) describe() string {
	sum := sha1.Sum(k.cert.Raw) //nolint:gosec // see the import
	const form = "01/02/2006 15:04:05"
	return fmt.Sprintf("Thumbprint of key used by client: '%X', Found key 'Start=%s, End=%s'", sum, k.from().UTC().Format(form), k.until().UTC().Format(form))
}

// wire writes the key as Graph does; the certificate itself only where it is asked for.
func (k *keyCredential) wire(whole bool) map[string]any {
	sum := sha1.Sum(k.cert.Raw) //nolint:gosec // see the import
	m := map[string]any{
		"customKeyIdentifier": base64.StdEncoding.EncodeToString(sum[:]), "displayName": nil, "endDateTime": k.until().UTC().Format(time.RFC3339),
		"key": nil, "keyId": k.id, "startDateTime": k.from().UTC().Format(time.RFC3339), "type": "AsymmetricX509Cert", "usage": "Verify",
	}
	if k.name != "" {
		m["displayName"] = k.name
	}
	if whole {
		m["key"] = base64.StdEncoding.EncodeToString(k.cert.Raw)
	}
	return m
}
