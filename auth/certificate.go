package auth

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"
)

// Certificate is a certificate that is registered for an application, with its private key.
type Certificate struct {
	// Subject is the distinguished name, as in "CN=workfs,O=Contoso".
	Subject string
	// SHA1 and SHA256 are the thumbprints in upper-case hexadecimal digits. Entra's portal shows the first.
	SHA1, SHA256 string
	// The certificate is good from NotBefore until NotAfter.
	NotBefore, NotAfter time.Time

	der []byte
	key *rsa.PrivateKey
}

// LoadCertificate reads a certificate from certFile and its private key from keyFile or, where that is "", from key, which
// is PEM text, or from certFile itself where key is "", too. Of several certificates it takes the one that the key is for.
// passphrase opens an encrypted key. It does not look at the dates: Valid does.
//
// Errors are *Error of kind Broken. If only the key can't be had or does not fit, the certificate is returned with the
// error, for what it tells of itself.
func LoadCertificate(certFile, keyFile, key, passphrase string) (*Certificate, error) {
	data, err := readPEM(certFile, "certificate")
	if err != nil {
		return nil, err
	}
	all, err := parseCertificates(data, certFile)
	if err != nil {
		return nil, err
	}
	private, err := certificateKey(data, certFile, keyFile, key, passphrase)
	if err != nil {
		return describe(all[0]), err
	}
	for _, c := range all {
		if public, ok := c.PublicKey.(*rsa.PublicKey); ok && public.Equal(&private.PublicKey) {
			found := describe(c)
			found.key = private
			return found, nil
		}
	}
	return describe(all[0]), broken(nil, "the private key does not belong to the certificate in "+certFile)
}

func certificateKey(certData []byte, certFile, keyFile, key, passphrase string) (*rsa.PrivateKey, error) {
	switch {
	case keyFile != "":
		data, err := readPEM(keyFile, "private key")
		if err != nil {
			return nil, err
		}
		return parseKey(data, passphrase, keyFile)
	case key != "":
		return parseKey([]byte(key), passphrase, "the credentials")
	case keyBlock(certData) == nil:
		return nil, broken(nil, certFile+" holds no private key, and private_key names no other file")
	}
	return parseKey(certData, passphrase, certFile)
}

func parseCertificates(data []byte, path string) (all []*x509.Certificate, err error) {
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, broken(nil, "the certificate in "+path+" is damaged")
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, broken(nil, path+" holds no certificate in PEM form")
	}
	return all, nil
}

func describe(c *x509.Certificate) *Certificate {
	return &Certificate{
		Subject:   c.Subject.String(),
		SHA1:      fmt.Sprintf("%X", sha1.Sum(c.Raw)),
		SHA256:    fmt.Sprintf("%X", sha256.Sum256(c.Raw)),
		NotBefore: c.NotBefore, NotAfter: c.NotAfter,
		der: bytes.Clone(c.Raw),
	}
}

// Valid tells whether the certificate is good at a time. The error is an *Error of kind Broken.
func (c *Certificate) Valid(at time.Time) error {
	const date = "2006-01-02 15:04 MST"
	switch {
	case at.After(c.NotAfter):
		return broken(nil, fmt.Sprintf("the certificate %s expired on %s: make a new one and upload it to the app registration",
			c.Subject, c.NotAfter.UTC().Format(date)))
	case at.Before(c.NotBefore):
		return broken(nil, fmt.Sprintf("the certificate %s is not good before %s: check the clock of this machine",
			c.Subject, c.NotBefore.UTC().Format(date)))
	}
	return nil
}
