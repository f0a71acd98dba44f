package subscription

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
)

// encrypted is the changed resource within a notification
// (https://learn.microsoft.com/graph/api/resources/changenotificationencryptedcontent).
type encrypted struct {
	Data          string `json:"data"`
	DataKey       string `json:"dataKey"`
	DataSignature string `json:"dataSignature"`
	CertificateID string `json:"encryptionCertificateId"`
}

// The reasons why a resource can't be decrypted. They are for the log: nobody is told which it was.
var (
	errNoKey     = errors.New("encrypted for a certificate that is not ours")
	errDataKey   = errors.New("its key can't be decrypted")
	errSignature = errors.New("its signature is wrong")
	errPadding   = errors.New("its padding is wrong")
	errJSON      = errors.New("it is not JSON")
)

// decrypt gives the resource. The key is encrypted with RSA-OAEP (SHA-1), the data with AES-256-CBC under that key with its
// first 16 bytes as the vector, and signed with HMAC-SHA256 under it
// (https://learn.microsoft.com/graph/change-notifications-with-resource-data#decrypting-resource-data-from-change-notifications).
func (s *secrets) decrypt(e *encrypted) (json.RawMessage, error) {
	private := s.key(e.CertificateID)
	if private == nil {
		return nil, errNoKey
	}
	wrapped, err := base64.StdEncoding.DecodeString(e.DataKey)
	if err != nil {
		return nil, errDataKey
	}
	key, err := rsa.DecryptOAEP(sha1.New(), nil, private, wrapped, nil)
	if err != nil || len(key) != 32 {
		return nil, errDataKey
	}
	data, err := base64.StdEncoding.DecodeString(e.Data)
	if err != nil {
		return nil, errSignature
	}
	want, err := base64.StdEncoding.DecodeString(e.DataSignature)
	if err != nil {
		return nil, errSignature
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(data)
	// Before anything is decrypted, so that the padding tells nobody anything.
	if !hmac.Equal(mac.Sum(nil), want) {
		return nil, errSignature
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, errDataKey
	}
	if len(data) == 0 || len(data)%aes.BlockSize != 0 {
		return nil, errPadding
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, key[:aes.BlockSize]).CryptBlocks(plain, data)
	n := int(plain[len(plain)-1])
	if n == 0 || n > aes.BlockSize {
		return nil, errPadding
	}
	for _, b := range plain[len(plain)-n:] {
		if int(b) != n {
			return nil, errPadding
		}
	}
	plain = plain[:len(plain)-n]
	if !json.Valid(plain) {
		return nil, errJSON
	}
	return plain, nil
}
