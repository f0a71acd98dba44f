package entra

import (
	"crypto/rsa"
	"encoding/base64"
	"math/big"
)

// publicKey builds the key that a JWKS entry describes.
func publicKey(k map[string]any) (*rsa.PublicKey, error) {
	n, err := base64.RawURLEncoding.DecodeString(k["n"].(string))
	if err != nil {
		return nil, err
	}
	e, err := base64.RawURLEncoding.DecodeString(k["e"].(string))
	if err != nil {
		return nil, err
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}, nil
}
