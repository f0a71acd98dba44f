package auth

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/youmark/pkcs8"
)

// maxPEM bounds a file with keys and certificates in bytes.
const maxPEM = 1 << 20

// readPEM reads a file with keys or certificates. One that holds a private key must not be open to others, as ReadPrivate
// says.
func readPEM(path, what string) ([]byte, error) {
	fd, info, err := openRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, broken(nil, fmt.Sprintf("there is no %s file %s", what, path))
	}
	if err != nil {
		return nil, broken(err, "the "+what+" file can't be read")
	}
	defer fd.Close()
	data, err := readAll(fd, maxPEM)
	if err != nil {
		return nil, broken(err, "the "+what+" file can't be read")
	}
	if mode := info.Mode().Perm(); mode&^allowedMode(fd, path, info) != 0 && keyBlock(data) != nil {
		return nil, broken(nil, fmt.Sprintf("the private key in %s is open to others (mode %04o): chmod 600 it and think of the key as known", path, mode))
	}
	return data, nil
}

// stamp changes whenever one of the files does, or comes or goes. Paths may be "".
func stamp(paths ...string) string {
	var b strings.Builder
	for _, path := range paths {
		if path == "" {
			continue
		}
		if info, err := os.Stat(path); err == nil {
			fmt.Fprintf(&b, "%d %d %o ", info.ModTime().UnixNano(), info.Size(), info.Mode())
		}
		b.WriteByte(0)
	}
	return b.String()
}

// keyBlock finds the first private key in PEM data, nil if there is none.
func keyBlock(data []byte) *pem.Block {
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil || strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return block
		}
	}
}

// parseKey gives the RSA key in PEM data: PKCS#8, encrypted or not, or the traditional form, encrypted or not. where says
// where the data is, for messages.
func parseKey(data []byte, passphrase, where string) (*rsa.PrivateKey, error) {
	block := keyBlock(data)
	if block == nil {
		return nil, broken(nil, where+" holds no private key in PEM form")
	}
	key, err := decodeKey(block, passphrase)
	switch {
	case errors.Is(err, ErrNoPassphrase):
		return nil, broken(err, "the private key in "+where+" is encrypted")
	case errors.Is(err, errPassphrase):
		return nil, broken(nil, "the private key in "+where+" can't be opened: its passphrase is wrong")
	case err != nil:
		// Decoders may quote what they read, which is a key.
		return nil, broken(nil, "the private key in "+where+" can't be used: it is damaged or of an unknown form; "+
			"openssl pkcs8 -topk8 -v2 aes-256-cbc converts it")
	}
	k, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, broken(nil, "the private key in "+where+" is not an RSA key: Microsoft and Box take no other")
	}
	return k, nil
}

// ErrNoPassphrase is the cause where a private key is encrypted and nothing opens it.
var ErrNoPassphrase = errors.New("its passphrase is missing: name it by passphrase_file or passphrase_command")

var errPassphrase = errors.New("wrong passphrase")

func decodeKey(block *pem.Block, passphrase string) (key any, err error) {
	// Ciphers panic on data whose length does not fit them, which the decoders below leave to them.
	defer func() {
		if recover() != nil {
			key, err = nil, errors.New("damaged")
		}
	}()
	encrypted := block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != ""
	if encrypted && passphrase == "" {
		return nil, ErrNoPassphrase
	}
	der := block.Bytes
	switch {
	case block.Type == "ENCRYPTED PRIVATE KEY":
		// The standard library can't open encrypted PKCS#8, which is what Box and openssl make.
		key, _, err := pkcs8.ParsePrivateKey(der, []byte(passphrase))
		if err != nil && strings.Contains(err.Error(), "incorrect password") {
			return nil, errPassphrase
		}
		return key, err
	case encrypted:
		//lint:ignore SA1019 keys of this form exist; that they are badly protected does not make them unusable
		if der, err = x509.DecryptPEMBlock(block, []byte(passphrase)); err != nil {
			return nil, errPassphrase
		}
	}
	if key, err = x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	key, err = x509.ParsePKCS8PrivateKey(der)
	if err != nil && encrypted {
		// Its padding may look right by chance.
		return nil, errPassphrase
	}
	return key, err
}
