package rest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
)

// challenge is one challenge of a WWW-Authenticate field (RFC 9110, 11.6.1). Parameters are by name in lower case; those
// that come twice keep their first value.
type challenge struct {
	scheme string // in lower case
	params map[string]string
}

// claimsOf gives the JSON of the claims challenge in an answer, "" if there is none or it can't be read. Microsoft Graph sends
// one when a token was revoked early or a policy of Conditional Access wants more than the token proves: the challenge says
// what the next token has to be asked for with (Microsoft identity platform, Claims challenges).
func claimsOf(h http.Header) string {
	for _, field := range h.Values("WWW-Authenticate") {
		for _, c := range parseChallenges(field) {
			if c.scheme != "bearer" || c.params["error"] != "insufficient_claims" {
				continue
			}
			if claims := decodeClaims(c.params["claims"]); claims != "" {
				return claims
			}
		}
	}
	return ""
}

// decodeClaims takes either alphabet of base64, padded or not, of a JSON object.
func decodeClaims(s string) string {
	s = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(s, "="))
	claims, err := base64.RawStdEncoding.DecodeString(s)
	var object map[string]json.RawMessage
	if err != nil || json.Unmarshal(claims, &object) != nil || len(object) == 0 {
		return ""
	}
	return string(claims)
}

// parseChallenges reads a field, which may hold several challenges. Commas part both challenges and the parameters of one, so
// what follows a comma is a parameter if a "=" comes after its first word. Reading ends where the field is malformed.
func parseChallenges(field string) (all []challenge) {
	s := field
	for {
		s = strings.TrimLeft(s, " \t,")
		word, rest := cutToken(s)
		if word == "" {
			return all
		}
		after := strings.TrimLeft(rest, " \t")
		value, isParam := strings.CutPrefix(after, "=")
		if !isParam {
			all = append(all, challenge{strings.ToLower(word), map[string]string{}})
			s = skipToken68(after)
			continue
		}
		if len(all) == 0 {
			return all
		}
		v, rest, ok := cutValue(strings.TrimLeft(value, " \t"))
		if !ok {
			return all
		}
		params := all[len(all)-1].params
		if name := strings.ToLower(word); params[name] == "" {
			params[name] = v
		}
		s = rest
	}
}

// skipToken68 leaves out the single value that some schemes have in the place of parameters.
func skipToken68(s string) string {
	end := strings.IndexByte(s, ',')
	if end < 0 {
		end = len(s)
	}
	value := strings.TrimRight(s[:end], " \t")
	bare := strings.TrimRight(value, "=")
	if bare == "" || strings.ContainsAny(bare, "=\" \t") {
		return s // a parameter, or none
	}
	return s[end:]
}

// cutToken cuts a token (RFC 9110, 5.6.2) off the front.
func cutToken(s string) (token, rest string) {
	i := 0
	for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i]|0x20 >= 'a' && s[i]|0x20 <= 'z' || strings.IndexByte("!#$%&'*+-.^_`|~", s[i]) >= 0) {
		i++
	}
	return s[:i], s[i:]
}

// cutValue cuts a token or a quoted string (RFC 9110, 5.6.4) off the front.
func cutValue(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		value, rest = cutToken(s)
		return value, rest, value != ""
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:], true
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}
