// Package keygen makes what an application proves itself with instead of a secret: a private key, a certificate that it signs
// itself, and the forms of both that Microsoft and Box register.
package keygen

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/youmark/pkcs8"
)

// Bits are the lengths that a key may have. Microsoft and Box take no shorter ones.
var Bits = []int{2048, 3072, 4096}

// MaxDays is the longest life of a certificate.
const MaxDays = 3650

// early is how far a certificate's beginning lies back, for clocks that are behind.
const early = 10 * time.Minute

// keyIterations is the work that guessing a passphrase costs: what OWASP recommends for PBKDF2 with HMAC-SHA-256.
const keyIterations = 600_000

// NewKey makes an RSA key.
func NewKey(bits int) (*rsa.PrivateKey, error) {
	if !slices.Contains(Bits, bits) {
		return nil, fmt.Errorf("a key of %d bits can't be used: choose 2048, 3072 or 4096", bits)
	}
	return rsa.GenerateKey(rand.Reader, bits)
}

// PrivatePEM writes a key as PKCS#8, encrypted (PBES2 with PBKDF2 and AES-256, which openssl reads) unless passphrase is "".
func PrivatePEM(key *rsa.PrivateKey, passphrase string) ([]byte, error) {
	kind := "PRIVATE KEY"
	var options *pkcs8.Opts
	if passphrase != "" {
		kind = "ENCRYPTED PRIVATE KEY"
		options = &pkcs8.Opts{Cipher: pkcs8.AES256CBC, KDFOpts: pkcs8.PBKDF2Opts{SaltSize: 16, IterationCount: keyIterations, HMACHash: crypto.SHA256}}
	}
	der, err := pkcs8.MarshalPrivateKey(key, []byte(passphrase), options)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), nil
}

// PublicPEM writes the public half of a key as SubjectPublicKeyInfo, which Box's developer console takes.
func PublicPEM(key *rsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// NewCertificate signs a certificate of a key with the key itself. It is good from now, and a little before, for a number of
// days.
func NewCertificate(key *rsa.PrivateKey, subject pkix.Name, now time.Time, days int) (*x509.Certificate, error) {
	if days < 1 || days > MaxDays {
		return nil, fmt.Errorf("a certificate for %d days can't be made: from 1 to %d", days, MaxDays)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: subject,
		NotBefore: now.Add(-early), NotAfter: now.AddDate(0, 0, days),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// CertificatePEM writes a certificate as PEM.
func CertificatePEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

var errSubject = errors.New("write a subject as CN=name,O=organisation or /C=DE/O=organisation/CN=name")
