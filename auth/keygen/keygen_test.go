package keygen

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/auth"
)

// openssl runs openssl on a text.
func openssl(t *testing.T, in []byte, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("SKIPPED: openssl is not installed")
	}
	cmd := exec.Command("openssl", args...)
	cmd.Stdin = bytes.NewReader(in)
	cmd.Env = append(os.Environ(), "PASS=a pass phrase")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
	return string(out)
}

func TestOpenSSLReads(t *testing.T) {
	for _, bits := range Bits {
		key, err := NewKey(bits)
		if err != nil {
			t.Fatal(err)
		}
		public, err := PublicPEM(key)
		if err != nil {
			t.Fatal(err)
		}
		for _, passphrase := range []string{"", "a pass phrase"} {
			private, err := PrivatePEM(key, passphrase)
			if err != nil {
				t.Fatal(err)
			}
			if encrypted := bytes.Contains(private, []byte("ENCRYPTED")); encrypted != (passphrase != "") {
				t.Errorf("%q gives %.40s", passphrase, private)
			}
			if got := openssl(t, private, "pkey", "-passin", "env:PASS", "-pubout"); got != string(public) {
				t.Errorf("%d bits, passphrase %q: openssl reads another key", bits, passphrase)
			}
			openssl(t, private, "rsa", "-passin", "env:PASS", "-noout", "-modulus")
		}
		if got := openssl(t, public, "pkey", "-pubin", "-noout", "-text"); !strings.Contains(got, "Public-Key: ("+map[int]string{2048: "2048", 3072: "3072", 4096: "4096"}[bits]) {
			t.Errorf("%d bits: %s", bits, got)
		}
	}
	for _, bits := range []int{0, 1024, 2047} {
		if _, err := NewKey(bits); err == nil || !strings.Contains(err.Error(), "choose 2048, 3072 or 4096") {
			t.Errorf("%d bits: %v", bits, err)
		}
	}
}

func TestCertificate(t *testing.T) {
	key, err := NewKey(2048)
	if err != nil {
		t.Fatal(err)
	}
	subject, err := ParseSubject("/C=DE/O=Contoso, Ltd/CN=workfs")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	c, err := NewCertificate(key, subject, now, 90)
	if err != nil {
		t.Fatal(err)
	}
	text := CertificatePEM(c)
	got := openssl(t, text, "x509", "-noout", "-subject", "-issuer", "-fingerprint", "-sha1", "-nameopt", "RFC2253")
	if !strings.Contains(got, `subject=CN=workfs,O=Contoso\, Ltd,C=DE`) || !strings.Contains(got, `issuer=CN=workfs,O=Contoso\, Ltd,C=DE`) {
		t.Errorf("openssl reads %s", got)
	}
	if err := c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature); err != nil {
		t.Error(err)
	}
	if life := c.NotAfter.Sub(now); life < 89*24*time.Hour || life > 91*24*time.Hour || !c.NotBefore.Before(now) {
		t.Errorf("good from %v to %v", c.NotBefore, c.NotAfter)
	}
	for _, days := range []int{0, -1, MaxDays + 1} {
		if _, err := NewCertificate(key, subject, now, days); err == nil {
			t.Errorf("%d days are taken", days)
		}
	}

	// The thumbprint in the entry is the one that openssl, and Entra's portal, show.
	_, shown, _ := strings.Cut(got, "Fingerprint=")
	thumbprint, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(shown), ":", ""))
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range Formats {
		entry, err := NewEntry(c, format)
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(entry)
		if err != nil {
			t.Fatal(err)
		}
		var members map[string]string
		if err := json.Unmarshal(data, &members); err != nil {
			t.Fatal(err)
		}
		holds := map[string]string{"graph": "key", "aad": "value"}[format]
		der, err := base64.StdEncoding.DecodeString(members[holds])
		if read, parseErr := x509.ParseCertificate(der); err != nil || parseErr != nil || !read.Equal(c) {
			t.Errorf("%s: the certificate is %q, %v %v", format, members[holds], err, parseErr)
		}
		if members["customKeyIdentifier"] != base64.StdEncoding.EncodeToString(thumbprint) || members["type"] != "AsymmetricX509Cert" || members["usage"] != "Verify" {
			t.Errorf("%s: %s", format, data)
		}
		if other, _ := NewEntry(c, format); len(members["keyId"]) != 36 || other.KeyID == members["keyId"] {
			t.Errorf("%s: keyId %q, then %q", format, members["keyId"], other.KeyID)
		}
		if graph := format == "graph"; (members["endDateTime"] == c.NotAfter.UTC().Format(time.RFC3339)) != graph || (len(members) == 8) != graph || !graph && len(members) != 5 {
			t.Errorf("%s: %s", format, data)
		}
	}
	if _, err := NewEntry(c, "xml"); err == nil {
		t.Error("format xml is taken")
	}
}

func TestParseSubject(t *testing.T) {
	for text, want := range map[string]string{
		"CN=workfs":                    "CN=workfs",
		"/CN=workfs":                   "CN=workfs",
		"/C=DE/O=Org/CN=name":          "CN=name,O=Org,C=DE",
		"CN=name,O=Org,C=DE":           "CN=name,O=Org,C=DE",
		" cn = name , o = Org ":        "CN=name,O=Org",
		`CN=a\,b,O=c\\d`:               `CN=a\,b,O=c\\d`,
		`/O=A\/B/CN=x,y`:               `CN=x\,y,O=A/B`,
		"/DC=com/DC=contoso/CN=Jürgen": "CN=Jürgen,DC=contoso,DC=com",
	} {
		name, err := ParseSubject(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := strings.NewReplacer("0.9.2342.19200300.100.1.25", "DC").Replace(name.String()); got != want && !strings.Contains(want, "DC=") {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
		if strings.Contains(want, "DC=") {
			var values []string
			for _, a := range name.ExtraNames {
				values = append(values, a.Value.(string))
			}
			if got := strings.Join(values, "/"); got != "com/contoso/Jürgen" {
				t.Errorf("%q: %s", text, got)
			}
		}
	}
	for _, text := range []string{"", "/", "name", "CN=", "CN=a,,O=b", "XX=a", "C=Germany", "CN=a,O"} {
		if name, err := ParseSubject(text); err == nil {
			t.Errorf("%q: taken for %s", text, name)
		}
	}
}

func TestWriteFiles(t *testing.T) {
	dir := t.TempDir()
	key, cert := filepath.Join(dir, "k.pem"), filepath.Join(dir, "c.pem")
	files := func(text string) []File {
		return []File{{key, []byte("key " + text), 0o600}, {cert, []byte("certificate " + text), 0o644}}
	}
	check := func(path, want string, mode fs.FileMode) {
		t.Helper()
		data, err := os.ReadFile(path)
		info, _ := os.Stat(path)
		if err != nil || string(data) != want || info.Mode() != mode {
			t.Errorf("%s: %q %v %v", path, data, info.Mode(), err)
		}
	}
	if err := os.WriteFile(cert, []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := WriteFiles(files("1"), false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v", err)
	}
	check(cert, "theirs", 0o600)
	if _, err := os.Stat(key); err == nil {
		t.Error("the key was written although the certificate could not be")
	}
	if err := WriteFiles(files("2"), true); err != nil {
		t.Fatal(err)
	}
	check(key, "key 2", 0o600)
	check(cert, "certificate 2", 0o644)
	if err := WriteFiles(files("3"), false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v", err)
	}
	check(key, "key 2", 0o600)
	// A key without its certificate would be of no use.
	for _, second := range []string{filepath.Join(dir, "none", "c.pem"), dir} {
		if err := WriteFiles([]File{{key, []byte("key 4"), 0o600}, {second, []byte("certificate 4"), 0o644}}, true); err == nil {
			t.Errorf("%s was written", second)
		}
		if second != dir {
			check(key, "key 2", 0o600)
		}
	}
	for _, where := range []string{dir, filepath.Dir(dir)} {
		if list, _ := filepath.Glob(filepath.Join(where, ".*.new")); len(list) != 0 {
			t.Errorf("left behind: %v", list)
		}
	}
	if list, _ := os.ReadDir(dir); len(list) != 2 {
		t.Errorf("left behind: %v", list)
	}
}

// TestProgramReads loads what was made as a sign-in does.
func TestProgramReads(t *testing.T) {
	dir := t.TempDir()
	key, err := NewKey(2048)
	if err != nil {
		t.Fatal(err)
	}
	subject, err := ParseSubject("CN=workfs,O=Contoso")
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewCertificate(key, subject, time.Now(), 1)
	if err != nil {
		t.Fatal(err)
	}
	private, err := PrivatePEM(key, "a pass phrase")
	if err != nil {
		t.Fatal(err)
	}
	files := []File{{filepath.Join(dir, "k.pem"), private, 0o600}, {filepath.Join(dir, "c.pem"), CertificatePEM(c), 0o644}}
	if err := WriteFiles(files, false); err != nil {
		t.Fatal(err)
	}
	loaded, err := auth.LoadCertificate(files[1].Path, files[0].Path, "", "a pass phrase")
	if err != nil || loaded.Subject != "CN=workfs,O=Contoso" || loaded.Valid(time.Now()) != nil {
		t.Errorf("%+v %v", loaded, err)
	}
	if _, err := auth.LoadCertificate(files[1].Path, files[0].Path, "", "another"); err == nil {
		t.Error("a wrong passphrase opens it")
	}
}
