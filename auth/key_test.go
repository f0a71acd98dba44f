package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// rsaKey is one key for all tests, since making one takes a while.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

var otherKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func keyPEM(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func certPEM(t *testing.T, key *rsa.PrivateKey, name string, from, until time.Time) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name, Organization: []string{"Contoso"}},
		NotBefore: from, NotAfter: until,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// good for a day either way.
func goodCert(t *testing.T, key *rsa.PrivateKey, name string) []byte {
	return certPEM(t, key, name, time.Now().Add(-24*time.Hour), time.Now().Add(24*time.Hour))
}

func write(t *testing.T, mode os.FileMode, parts ...[]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.pem")
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	if err := os.WriteFile(path, all, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// openssl runs the real program on what stdin has.
func openssl(t *testing.T, stdin []byte, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	cmd := exec.Command("openssl", args...)
	cmd.Stdin = strings.NewReader(string(stdin))
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("openssl %v: %v", args, err)
	}
	return out
}

// TestKeysOfOpenssl reads every form in which openssl writes RSA keys, with the right passphrase, a wrong one and none.
func TestKeysOfOpenssl(t *testing.T) {
	plain := keyPEM(t, rsaKey())
	const pass = "correct horse"
	for name, args := range map[string][]string{
		"pkcs8":                {"pkcs8", "-topk8", "-nocrypt"},
		"traditional":          {"rsa", "-traditional"},
		"pkcs8 aes":            {"pkcs8", "-topk8", "-v2", "aes-256-cbc", "-passout", "pass:" + pass},
		"pkcs8 aes128 sha1":    {"pkcs8", "-topk8", "-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA1", "-passout", "pass:" + pass},
		"pkcs8 3des":           {"pkcs8", "-topk8", "-v2", "des3", "-passout", "pass:" + pass},
		"pkcs8 scrypt":         {"pkcs8", "-topk8", "-scrypt", "-passout", "pass:" + pass},
		"traditional aes":      {"rsa", "-traditional", "-aes256", "-passout", "pass:" + pass},
		"traditional 3des":     {"rsa", "-traditional", "-des3", "-passout", "pass:" + pass},
		"pkcs8, many rounds":   {"pkcs8", "-topk8", "-v2", "aes-256-cbc", "-iter", "100000", "-passout", "pass:" + pass},
		"pkcs8 of a v1 cipher": {"pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES", "-passout", "pass:" + pass},
	} {
		data := openssl(t, plain, args...)
		key, err := parseKey(data, pass, "FILE")
		if strings.Contains(name, "v1 cipher") {
			// Old ciphers are refused with the way out.
			if err == nil || !strings.Contains(err.Error(), "openssl pkcs8 -topk8") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || !key.Equal(rsaKey()) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_, wrong := parseKey(data, "wrong", "FILE")
		_, none := parseKey(data, "", "FILE")
		encrypted := strings.Contains(strings.Join(args, " "), "-passout")
		if encrypted && (wrong == nil || !strings.Contains(wrong.Error(), "passphrase is wrong") || none == nil || !strings.Contains(none.Error(), "passphrase is missing")) {
			t.Errorf("%s: wrong passphrase %v, none %v", name, wrong, none)
		}
		if !encrypted && (wrong != nil || none != nil) {
			t.Errorf("%s: a passphrase that is not needed: %v %v", name, wrong, none)
		}
	}
}

func TestUnfitKeys(t *testing.T) {
	elliptic, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cut := keyPEM(t, rsaKey())
	block, _ := pem.Decode(cut)
	for says, data := range map[string][]byte{
		"holds no private key": []byte("nothing"),
		"not an RSA key":       keyPEM(t, elliptic),
		"damaged":              pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: block.Bytes[:200]}),
		"unknown form":         pem.EncodeToMemory(&pem.Block{Type: "OPENSSH PRIVATE KEY", Bytes: []byte("openssh-key-v1")}),
	} {
		_, err := parseKey(data, "", "FILE")
		var e *Error
		if !errors.As(err, &e) || e.Kind != Broken || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "FILE") {
			t.Errorf("%s: %v", says, err)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add([]byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n"), "x")
	f.Add([]byte("-----BEGIN RSA PRIVATE KEY-----\nDEK-Info: AES-256-CBC,00\n\nMAA=\n-----END RSA PRIVATE KEY-----\n"), "x")
	f.Fuzz(func(t *testing.T, data []byte, passphrase string) {
		key, err := parseKey(data, passphrase, "FILE")
		if (key == nil) == (err == nil) {
			t.Errorf("%v %v", key, err)
		}
	})
}

func TestLoadCertificate(t *testing.T) {
	mine, other := goodCert(t, rsaKey(), "workfs"), goodCert(t, otherKey(), "other")
	key := keyPEM(t, rsaKey())
	together := write(t, 0o600, key, mine)
	public := write(t, 0o644, mine)
	private := write(t, 0o600, key)
	for name, load := range map[string]func() (*Certificate, error){
		"one file":        func() (*Certificate, error) { return LoadCertificate(together, "", "", "") },
		"two files":       func() (*Certificate, error) { return LoadCertificate(public, private, "", "") },
		"a key elsewhere": func() (*Certificate, error) { return LoadCertificate(public, "", string(key), "") },
		// A chain may come in any order.
		"a chain": func() (*Certificate, error) { return LoadCertificate(write(t, 0o644, other, mine), private, "", "") },
	} {
		c, err := load()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if c.Subject != "CN=workfs,O=Contoso" || !c.key.Equal(rsaKey()) || c.NotAfter.Before(time.Now()) {
			t.Errorf("%s: %+v", name, c)
		}
	}
	c, err := LoadCertificate(together, "", "", "")
	if err != nil {
		t.Fatal(err)
	}
	for digest, want := range map[string]string{"-sha1": c.SHA1, "-sha256": c.SHA256} {
		if got := string(openssl(t, mine, "x509", "-noout", "-fingerprint", digest)); strings.ReplaceAll(strings.TrimSpace(got[strings.Index(got, "=")+1:]), ":", "") != want {
			t.Errorf("openssl says %s, we %s", got, want)
		}
	}

	for says, load := range map[string]func() (*Certificate, error){
		"no certificate file":                   func() (*Certificate, error) { return LoadCertificate(public+"-missing", "", "", "") },
		"no private key file":                   func() (*Certificate, error) { return LoadCertificate(public, private+"-missing", "", "") },
		"holds no private key, and private_key": func() (*Certificate, error) { return LoadCertificate(public, "", "", "") },
		"holds no certificate":                  func() (*Certificate, error) { return LoadCertificate(private, "", "", "") },
		"does not belong to the certificate":    func() (*Certificate, error) { return LoadCertificate(write(t, 0o644, other), private, "", "") },
		"is not a regular file":                 func() (*Certificate, error) { return LoadCertificate(fifo(t), "", "", "") },
		"open to others (mode 0644): chmod 600": func() (*Certificate, error) { return LoadCertificate(public, write(t, 0o644, key), "", "") },
		"open to others (mode 0604): chmod 600": func() (*Certificate, error) { return LoadCertificate(write(t, 0o604, mine, key), "", "", "") },
		"not a regular file":                    func() (*Certificate, error) { return LoadCertificate(filepath.Dir(public), "", "", "") },
		"the certificate in": func() (*Certificate, error) {
			return LoadCertificate(write(t, 0o644, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})), "", "", "")
		},
		"too large": func() (*Certificate, error) {
			return LoadCertificate(write(t, 0o644, make([]byte, maxPEM+1)), "", "", "")
		},
	} {
		_, err := load()
		var e *Error
		if !errors.As(err, &e) || e.Kind != Broken || !strings.Contains(err.Error(), says) {
			t.Errorf("want %q: %v", says, err)
		}
	}
	// What the certificate tells of itself is known without its key.
	if c, err := LoadCertificate(public, "", "", ""); err == nil || c == nil || c.Subject != "CN=workfs,O=Contoso" {
		t.Errorf("%+v %v", c, err)
	}
}

func TestCertificateDates(t *testing.T) {
	until := time.Date(2025, 3, 1, 10, 0, 0, 0, time.UTC)
	path := write(t, 0o600, certPEM(t, rsaKey(), "old", until.AddDate(-1, 0, 0), until), keyPEM(t, rsaKey()))
	c, err := LoadCertificate(path, "", "", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Valid(until.Add(-time.Minute)); err != nil {
		t.Error(err)
	}
	if err := c.Valid(until.Add(time.Minute)); err == nil || !strings.Contains(err.Error(), "expired on 2025-03-01 10:00 UTC") {
		t.Error(err)
	}
	if err := c.Valid(until.AddDate(-2, 0, 0)); err == nil || !strings.Contains(err.Error(), "not good before 2024-03-01 10:00 UTC") {
		t.Error(err)
	}
}
