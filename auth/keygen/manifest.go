package keygen

import (
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Entry is an entry of keyCredentials in the manifest of an app registration (Microsoft identity platform, Certificate
// credentials; Microsoft Graph, keyCredential). An empty member is left out.
type Entry struct {
	// CustomKeyIdentifier is the SHA-1 thumbprint of the certificate in base64.
	CustomKeyIdentifier string `json:"customKeyIdentifier"`
	DisplayName         string `json:"displayName,omitempty"`
	EndDateTime         string `json:"endDateTime,omitempty"`
	// Key (Microsoft Graph's format) or Value (the older one) is the certificate in base64.
	Key string `json:"key,omitempty"`
	// KeyID is a GUID that no other entry of the application has.
	KeyID         string `json:"keyId"`
	StartDateTime string `json:"startDateTime,omitempty"`
	Type          string `json:"type"`
	Usage         string `json:"usage"`
	Value         string `json:"value,omitempty"`
}

// Formats are those of a manifest: Microsoft Graph's, and that of the Azure AD Graph before it.
var Formats = []string{"graph", "aad"}

// NewEntry gives the entry for a certificate in a format.
func NewEntry(c *x509.Certificate, format string) (Entry, error) {
	id, err := uuid.NewRandom()
	if err != nil {
		return Entry{}, err
	}
	thumbprint := sha1.Sum(c.Raw)
	e := Entry{
		CustomKeyIdentifier: base64.StdEncoding.EncodeToString(thumbprint[:]),
		KeyID:               id.String(), Type: "AsymmetricX509Cert", Usage: "Verify",
	}
	certificate := base64.StdEncoding.EncodeToString(c.Raw)
	switch format {
	case "graph":
		e.Key, e.DisplayName = certificate, c.Subject.String()
		e.StartDateTime, e.EndDateTime = c.NotBefore.UTC().Format(time.RFC3339), c.NotAfter.UTC().Format(time.RFC3339)
	case "aad":
		// Its names for the dates are others; Entra takes them from the certificate.
		e.Value = certificate
	default:
		return Entry{}, fmt.Errorf("there is no manifest format %q: choose graph or aad", format)
	}
	return e, nil
}
