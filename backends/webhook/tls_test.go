package webhook

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
)

// certify writes a certificate for 127.0.0.1 that signs itself, and its key.
func certify(t *testing.T, certFile, keyFile, name string) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	pool := x509.NewCertPool()
	pool.AddCert(certify(t, certFile, keyFile, "first"))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}
	client := &http.Client{Transport: transport}
	r := begin(t, Options{CertFile: certFile, KeyFile: keyFile, Probe: transport, ProbeInterval: 5 * time.Millisecond})
	h := newTaker()
	address, _ := r.Handle("a", h)
	if !strings.HasPrefix(address, "https://") {
		t.Errorf("address %q", address)
	}
	deliver := func() (name string) {
		t.Helper()
		res, err := client.Post(address, "application/json", strings.NewReader("good"))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 202 || res.ProtoMajor != 1 {
			t.Errorf("status %d by %s", res.StatusCode, res.Proto)
		}
		return res.TLS.PeerCertificates[0].Subject.CommonName
	}
	if name := deliver(); name != "first" {
		t.Errorf("certificate %q", name)
	}
	until(t, r, func(is backends.Reach) bool { return is.Known })
	r.probe.client.CloseIdleConnections()

	// A new certificate serves from the next look at the files; one that can't be read leaves the old one.
	look := func() {
		r.cert.mu.Lock()
		defer r.cert.mu.Unlock()
		r.cert.checked = time.Time{}
	}
	second := certify(t, certFile, keyFile, "second")
	pool2 := x509.NewCertPool()
	pool2.AddCert(second)
	client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool2}, DisableKeepAlives: true}}
	look()
	if name := deliver(); name != "second" {
		t.Errorf("certificate %q", name)
	}
	if err := os.WriteFile(certFile, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	look()
	if name := deliver(); name != "second" {
		t.Errorf("certificate %q", name)
	}
	old := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool2, MaxVersion: tls.VersionTLS11}}}
	if res, err := old.Post(address, "application/json", strings.NewReader("good")); err == nil {
		res.Body.Close()
		t.Error("TLS 1.1 will do")
	}
	if _, err := New(Options{Listen: "0.0.0.0:0", Key: testKey, CertFile: certFile, KeyFile: keyFile}); err == nil {
		t.Error("nonsense is a certificate")
	}
}
