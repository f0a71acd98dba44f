package box

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/workfs/workfs/backends/sim/core"
)

// keys are those that deliveries of the app's webhooks are signed with; an empty one was never made or was taken away.
type keys struct{ primary, secondary string }

func newKeys(w *core.World) keys { return keys{keyText(w, "primary", 0), keyText(w, "secondary", 0)} }

// keyText makes the text of a key; n counts the rotations.
func keyText(w *core.World, which string, n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	sum := w.Sum(fmt.Sprintf("box webhook key %s %d", which, n))
	b := make([]byte, len(sum))
	for i, x := range sum {
		b[i] = letters[int(x)%len(letters)]
	}
	return string(b)
}

// signature of a delivery: base64 of HMAC-SHA256 over the raw body and then the timestamp header (guide "Verify
// signatures").
func signature(key string, body []byte, timestamp string) string {
	m := hmac.New(sha256.New, []byte(key))
	m.Write(body)
	m.Write([]byte(timestamp))
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}

// escape writes JSON in the way of Box's deliveries: \/ for slashes and \uXXXX for all that is not ASCII. Both occur in
// strings only, and the JSON must have no escaped slash yet.
func escape(text []byte) []byte {
	out := make([]byte, 0, len(text)+len(text)/8)
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == '/':
			out = append(out, '\\', '/')
		case r < utf8.RuneSelf:
			out = append(out, byte(r))
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		text = text[n:]
	}
	return out
}
