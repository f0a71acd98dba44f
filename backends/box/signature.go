package box

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"time"

	"github.com/workfs/workfs/backends"
)

// signatureWindow is how far the time of a delivery may be from ours, either way
// (developer.box.com/guides/webhooks/v2/signatures-v2).
const signatureWindow = 10 * time.Minute

// verify tells why a delivery is not one that Box has made just now, "" if it is. keys are those of the app, primary first;
// while they are changed, one that fits is enough.
func verify(d *backends.Delivery, keys []string, now time.Time) (problem string) {
	h := d.Header
	if h.Get("Box-Signature-Version") != "1" || h.Get("Box-Signature-Algorithm") != "HmacSHA256" {
		return "it is not signed in the way of Box"
	}
	stamp := h.Get("Box-Delivery-Timestamp")
	at, err := time.Parse(time.RFC3339, stamp)
	if err != nil {
		return "it has no time"
	}
	if age := now.Sub(at); age > signatureWindow || age < -signatureWindow {
		return "its time is not now"
	}
	fits := false
	for i, header := range []string{"Box-Signature-Primary", "Box-Signature-Secondary"} {
		if i < len(keys) && keys[i] != "" && signed(h, header, keys[i], d.Body, stamp) {
			fits = true
		}
	}
	if !fits {
		return "its signature is wrong"
	}
	return ""
}

// signed compares a signature in constant time.
func signed(h http.Header, header, key string, body []byte, stamp string) bool {
	got, err := base64.StdEncoding.DecodeString(h.Get(header))
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(body)
	mac.Write([]byte(stamp))
	return hmac.Equal(got, mac.Sum(nil))
}
