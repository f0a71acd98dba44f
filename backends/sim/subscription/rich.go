package subscription

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // the scheme of the service
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/entra"
)

// certificate is what a client encrypts its resource data with.
type certificate struct {
	id         string // the client's own name for it
	thumbprint string
	key        *rsa.PublicKey
}

// parseCertificate reads base64 of an X.509 certificate with an RSA key of 2048 to 4096 bits.
func parseCertificate(text, id string) (*certificate, *refusal) {
	if text == "" || id == "" {
		return nil, invalid("encryptionCertificate and encryptionCertificateId are required when includeResourceData is true.")
	}
	if len([]rune(id)) > maxClientState {
		return nil, invalid("encryptionCertificateId must not be longer than 128 characters.")
	}
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, invalid("encryptionCertificate is not base64.")
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, invalid("encryptionCertificate is not an X.509 certificate.")
	}
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok || key.N.BitLen() < 2048 || key.N.BitLen() > 4096 {
		return nil, invalid("The key of encryptionCertificate must be RSA with 2048 to 4096 bits.")
	}
	sum := sha1.Sum(der)
	return &certificate{id, strings.ToUpper(hex.EncodeToString(sum[:])), key}, nil
}

// encrypt gives the encryptedContent of a resource (change-notifications-with-resource-data.md, "Decrypting resource data").
func (c *certificate) encrypt(content map[string]any, spoilt bool) map[string]any {
	plain, err := json.Marshal(content)
	if err != nil {
		panic("encoding a resource: " + err.Error())
	}
	// A key of its own for each notification.
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	plain = append(plain, slices.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, key[:aes.BlockSize]).CryptBlocks(plain, plain)
	mac := hmac.New(sha256.New, key)
	mac.Write(plain)
	signature := mac.Sum(nil)
	if spoilt {
		signature[0] ^= 1
	}
	dataKey, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, c.key, key, nil)
	if err != nil {
		panic("encrypting a data key: " + err.Error())
	}
	b64 := base64.StdEncoding.EncodeToString
	return map[string]any{
		"data": b64(plain), "dataKey": b64(dataKey), "dataSignature": b64(signature),
		"encryptionCertificateId": c.id, "encryptionCertificateThumbprint": c.thumbprint,
	}
}

// validationTokens gives one token for each application that has resource data in a POST.
func (s *Service) validationTokens(batch []*notification) (tokens []string) {
	mode := s.world.Switches.String(switchToken)
	if mode == "none" {
		return nil
	}
	now := s.world.Clock.Now()
	var done []string
	for _, n := range batch {
		if !n.sub.target.data || slices.Contains(done, n.sub.appID) {
			continue
		}
		done = append(done, n.sub.appID)
		v := entra.Validation{Audience: n.sub.appID, TenantID: n.sub.tenantID, IssuedAt: now.Add(-time.Minute), Expires: now.Add(tokenLife),
			V2: s.world.Switches.Int(switchTokenVersion) == 2}
		switch mode {
		case "expired":
			v.IssuedAt, v.Expires = now.Add(-tokenLife), now.Add(-time.Minute)
		case "wrong_app":
			v.Publisher = "11111111-2222-4333-8444-555555555555"
		case "wrong_audience":
			v.Audience = "66666666-7777-4888-9999-aaaaaaaaaaaa"
		case "wrong_tenant":
			v.TenantID = "bbbbbbbb-cccc-4ddd-8eee-ffffffffffff"
		case "bad_signature":
			v.Stranger = true
		}
		tokens = append(tokens, s.tokens.ValidationToken(v))
	}
	return tokens
}
