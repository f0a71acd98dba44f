package subscription_test

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"
)

// keyPair is a receiver's key and its certificate.
type keyPair struct {
	key  *rsa.PrivateKey
	text string // base64 of the certificate
	der  []byte
}

func selfSigned(t *testing.T, pub, priv any) []byte {
	t.Helper()
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, pub, priv)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func newKeyPair(t *testing.T, bits int) keyPair {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	der := selfSigned(t, &key.PublicKey, key)
	return keyPair{key, base64.StdEncoding.EncodeToString(der), der}
}

// decrypt does what the documentation tells receivers to do. genuine is false when the signature is wrong.
func (k keyPair) decrypt(t *testing.T, i item) (resource map[string]any, genuine bool) {
	t.Helper()
	content, _ := i["encryptedContent"].(map[string]any)
	raw := func(name string) []byte {
		text, _ := content[name].(string)
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(b) == 0 {
			t.Fatalf("%s of %v: %v", name, i, err)
		}
		return b
	}
	key, err := rsa.DecryptOAEP(sha1.New(), rand.Reader, k.key, raw("dataKey"), nil)
	if err != nil || len(key) != 32 {
		t.Fatalf("data key of %d bytes: %v", len(key), err)
	}
	data := raw("data")
	mac := hmac.New(sha256.New, key)
	mac.Write(data)
	if !hmac.Equal(mac.Sum(nil), raw("dataSignature")) {
		return nil, false
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	cipher.NewCBCDecrypter(block, key[:16]).CryptBlocks(data, data)
	pad := int(data[len(data)-1])
	if pad < 1 || pad > 16 || !bytes.Equal(data[len(data)-pad:], bytes.Repeat([]byte{byte(pad)}, pad)) {
		t.Fatalf("padding %v", data[len(data)-pad:])
	}
	if err := json.Unmarshal(data[:len(data)-pad], &resource); err != nil {
		t.Fatal(err)
	}
	return resource, true
}

// rich is a subscription with resource data.
func (k keyPair) rich(id string) map[string]any {
	return map[string]any{"includeResourceData": true, "encryptionCertificate": k.text, "encryptionCertificateId": id}
}

func TestRichTeamsNotifications(t *testing.T) {
	f := newFixture(t)
	first, second := newKeyPair(t, 2048), newKeyPair(t, 3072)
	team := f.Company.Group("engineering").ID
	channel := f.alice.Get("/teams/" + team + "/channels").Items()[0]["id"].(string)
	messages := "/teams/" + team + "/channels/" + escape(channel) + "/messages"
	made := f.alice.Do("POST", "/subscriptions", f.draft(messages, first.rich("first")))
	if made.Status != 201 || made.JSON["encryptionCertificate"] != nil || made.JSON["encryptionCertificateId"] != "first" || made.JSON["includeResourceData"] != true {
		t.Fatalf("subscription: %d %s", made.Status, made.Body)
	}
	post := func() (id string) {
		return f.alice.Do("POST", messages, map[string]any{"body": map[string]any{"contentType": "html", "content": "<p>secret</p>"}}).Link("id")
	}
	id := post()
	f.to.waitPosts(1)
	p := f.to.got()[0]
	i := f.to.items(1)[0]
	got, genuine := first.decrypt(t, i)
	want := f.alice.Get(messages + "/" + id).JSON
	delete(want, "@odata.context")
	if a, b := mustJSON(t, got), mustJSON(t, want); !genuine || a != b {
		t.Errorf("resource %s, want %s", a, b)
	}
	content := i["encryptedContent"].(map[string]any)
	thumb := sha1.Sum(first.der)
	if content["encryptionCertificateId"] != "first" || content["encryptionCertificateThumbprint"] != strings.ToUpper(hex.EncodeToString(thumb[:])) {
		t.Errorf("certificate %v", content)
	}
	if strings.Contains(mustJSON(t, i), "secret</p>") {
		t.Errorf("plain text in %v", i)
	}
	if len(p.tokens) != 1 {
		t.Fatalf("%d validation tokens", len(p.tokens))
	}
	// Another certificate, and a key of its own for each notification.
	patch := map[string]any{"encryptionCertificate": second.text, "encryptionCertificateId": "second"}
	if r := f.alice.Do("PATCH", "/subscriptions/"+made.Link("id"), patch); r.Status != 200 || r.JSON["encryptionCertificateId"] != "second" {
		t.Fatalf("rotation: %d %s", r.Status, r.Body)
	}
	post()
	rotated := f.to.items(1)[0]
	if got, genuine := second.decrypt(t, rotated); !genuine || got["body"] == nil {
		t.Errorf("after the rotation: %v", got)
	}
	post()
	again := f.to.items(1)[0]["encryptedContent"].(map[string]any)
	if again["dataKey"] == rotated["encryptedContent"].(map[string]any)["dataKey"] {
		t.Error("the same data key twice")
	}
	f.Set("subscriptions.spoilt_signature_percent", 100)
	post()
	if _, genuine := second.decrypt(t, f.to.items(1)[0]); genuine {
		t.Error("the signature is not spoilt")
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRichMailNotifications(t *testing.T) {
	f := newFixture(t)
	k := newKeyPair(t, 2048)
	refuse := func(name, resource string, with map[string]any, want string) {
		t.Helper()
		if r := f.alice.Do("POST", "/subscriptions", f.draft(resource, with)); r.Status != 400 || !strings.Contains(string(r.Body), want) {
			t.Errorf("%s: %d %s, want %q", name, r.Status, r.Body, want)
		}
	}
	refuse("no $select", "me/messages", k.rich("x"), "$select")
	refuse("body", "me/messages?$select=subject,Body", k.rich("x"), "Body")
	refuse("$top", "me/messages?$select=subject&$top=5", k.rich("x"), "$top")
	refuse("$expand", "me/messages?$select=subject&$expand=attachments", k.rich("x"), "extended")
	refuse("drive", "me/drive/root", with(k.rich("x"), "changeType", "updated"), "Resource data")
	refuse("no id", "me/messages?$select=subject", k.rich(""), "encryptionCertificateId")
	refuse("no certificate", "me/messages?$select=subject", with(k.rich("x"), "encryptionCertificate", "AAAA"), "X.509")
	refuse("small key", "me/messages?$select=subject", newKeyPair(t, 1024).rich("x"), "2048")
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	refuse("elliptic key", "me/messages?$select=subject", with(k.rich("x"), "encryptionCertificate",
		base64.StdEncoding.EncodeToString(selfSigned(t, &ec.PublicKey, ec))), "RSA")
	refuse("a day and more", "me/messages?$select=subject", with(k.rich("x"), "expirationDateTime", f.in(25*time.Hour)), "1440 minutes")
	basic := f.As(f.Company.Alice(), "Mail.ReadBasic")
	if r := basic.Do("POST", "/subscriptions", f.draft("me/messages?$select=subject", k.rich("x"))); r.Status != http.StatusForbidden {
		t.Errorf("Mail.ReadBasic: %d %s", r.Status, r.Body)
	}

	f.subscribe(f.alice, "me/mailFolders('drafts')/messages?$select=subject,receivedDateTime,toRecipients,importance", k.rich("mail"))
	id := f.newMail("drafts", "Größe")
	i := f.to.items(1)[0]
	at := "Users('" + f.Company.Alice().ID + "')/messages('" + id + "')"
	if i.text("resource") != at || i.data("@odata.id") != at || i.data("@odata.type") != "#microsoft.graph.message" {
		t.Errorf("%v", i)
	}
	got, genuine := k.decrypt(t, i)
	received := f.alice.Get("/me/messages/" + id).JSON["receivedDateTime"]
	if !genuine || got["subject"] != "Größe" || got["receivedDateTime"] != received || got["receivedDateTime@odata.type"] != "#DateTimeOffset" ||
		got["toRecipients@odata.type"] != "#Collection(microsoft.graph.recipient)" || got["bodyPreview"] != nil || got["id"] != nil {
		t.Errorf("resource %v", got)
	}
	f.alice.Do("DELETE", "/me/messages/"+id, nil)
	if i := f.to.items(1)[0]; i.text("changeType") != "deleted" || i["encryptedContent"] != nil {
		t.Errorf("deletion: %v", i)
	}
}

func with(m map[string]any, name string, value any) map[string]any {
	m[name] = value
	return m
}

// verify checks a validation token as receivers must, and gives what is wrong.
func (f *fixture) verify(token string) (problem string) {
	f.T.Helper()
	parts := strings.Split(token, ".")
	part := func(n int, v any) {
		b, err := base64.RawURLEncoding.DecodeString(parts[n])
		if err == nil && v != nil {
			err = json.Unmarshal(b, v)
		}
		if err != nil {
			f.T.Fatal(err)
		}
	}
	var header struct{ Kid, Alg string }
	part(0, &header)
	metadata := f.Anonymous().Get(f.World.Hosts.Login + "/common/.well-known/openid-configuration")
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		f.T.Fatal(err)
	}
	signed := false
	for _, k := range f.Anonymous().Get(metadata.Link("jwks_uri")).JSON["keys"].([]any) {
		k := k.(map[string]any)
		n, _ := base64.RawURLEncoding.DecodeString(k["n"].(string))
		sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		pub := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537}
		signed = signed || k["kid"] == header.Kid && rsa.VerifyPKCS1v15(pub, crypto.SHA256, sum[:], sig) == nil
	}
	var c struct {
		Aud, Iss, Tid, Appid, Azp, Ver string
		Exp, Nbf                       int64
	}
	part(1, &c)
	now := f.World.Clock.Now().Unix()
	publisher := c.Appid
	issuers := map[string]string{"1.0": "https://sts.windows.net/" + f.Company.TenantID + "/", "2.0": f.World.Hosts.Login + "/" + f.Company.TenantID + "/v2.0"}
	if c.Ver == "2.0" {
		publisher = c.Azp
	}
	switch {
	case !signed || header.Alg != "RS256":
		return "signature"
	case c.Exp <= now || c.Nbf > now:
		return "time"
	case c.Aud != f.Entra.Confidential.ID:
		return "audience"
	case c.Iss != issuers[c.Ver] || c.Tid != f.Company.TenantID:
		return "issuer"
	case publisher != "0bf30f3b-4a52-48df-9a82-234910c4a086":
		return "publisher"
	}
	return ""
}

func TestValidationTokens(t *testing.T) {
	f := newFixture(t)
	k := newKeyPair(t, 2048)
	f.subscribe(f.alice, "me/mailFolders/drafts/messages?$select=subject", k.rich("x"))
	f.subscribe(f.alice, "me/mailFolders/inbox/messages", nil)
	token := func(folder string) []string {
		f.newMail(folder, "token")
		f.to.waitPosts(1)
		tokens := f.to.got()[0].tokens
		f.to.items(1)
		return tokens
	}
	for _, version := range []int{1, 2} {
		f.Set("subscriptions.token_version", version)
		for mode, want := range map[string]string{"good": "", "expired": "time", "wrong_app": "publisher", "wrong_audience": "audience",
			"wrong_tenant": "issuer", "bad_signature": "signature"} {
			f.Set("subscriptions.validation_token", mode)
			tokens := token("drafts")
			if len(tokens) != 1 {
				t.Fatalf("%s: %d tokens", mode, len(tokens))
			}
			if got := f.verify(tokens[0]); got != want {
				t.Errorf("version %d, %s: wrong %q, want %q", version, mode, got, want)
			}
		}
	}
	f.Set("subscriptions.validation_token", "none")
	if tokens := token("drafts"); tokens != nil {
		t.Errorf("none: %v", tokens)
	}
	f.Set("subscriptions.validation_token", "good")
	if tokens := token("inbox"); tokens != nil {
		t.Errorf("without resource data: %v", tokens)
	}
}
