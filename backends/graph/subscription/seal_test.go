package subscription

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"testing"

	"github.com/workfs/workfs/backends/graph"
)

var none graph.Query

// testKey is the symmetric key of what seal makes.
var testKey = bytes.Repeat([]byte("k"), 32)

// wrap encrypts a symmetric key for a certificate.
func wrap(t *testing.T, s *secrets, id string, key []byte) string {
	t.Helper()
	out, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, &s.key(id).PublicKey, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(out)
}

// seal encrypts a text, padded to blocks of a size; 0 leaves it as it is, and in the clear where that is no block.
func seal(t *testing.T, s *secrets, id, plain string, pad int) encrypted {
	t.Helper()
	data := []byte(plain)
	if pad > 0 {
		n := pad - len(data)%pad
		data = append(data, bytes.Repeat([]byte{byte(n)}, n)...)
	}
	if len(data)%aes.BlockSize == 0 {
		block, err := aes.NewCipher(testKey)
		if err != nil {
			t.Fatal(err)
		}
		cipher.NewCBCEncrypter(block, testKey[:aes.BlockSize]).CryptBlocks(data, data)
	}
	mac := hmac.New(sha256.New, testKey)
	mac.Write(data)
	return encrypted{
		Data: base64.StdEncoding.EncodeToString(data), DataKey: wrap(t, s, id, testKey),
		DataSignature: base64.StdEncoding.EncodeToString(mac.Sum(nil)), CertificateID: id,
	}
}
