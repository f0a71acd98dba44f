package auth

import "encoding/json"

// maxClaims bounds a claims challenge in bytes; real ones have about a hundred.
const maxClaims = 8 << 10

// capabilities tells Entra that this program answers claims challenges (Microsoft identity platform, Claims challenges and
// client capabilities). Without it Entra makes up for that with access tokens that are shorter, and a revoked sign-in is
// noticed only when one ends.
const capabilities = `{"access_token":{"xms_cc":{"values":["cp1"]}}}`

// validClaims tells whether a challenge can be asked for: it is a JSON object.
func validClaims(claims string) bool {
	var object map[string]json.RawMessage
	return len(claims) <= maxClaims && json.Unmarshal([]byte(claims), &object) == nil && object != nil
}

// withCapabilities gives the claims parameter of a request: what this program is capable of and what the challenge asks for.
func withCapabilities(challenge string) string {
	if challenge == "" {
		return capabilities
	}
	var asked, own map[string]any
	if json.Unmarshal([]byte(challenge), &asked) != nil || json.Unmarshal([]byte(capabilities), &own) != nil {
		return capabilities
	}
	merged, err := json.Marshal(merge(asked, own))
	if err != nil {
		return capabilities
	}
	return string(merged)
}

// merge puts the members of b into a, those of objects that both have one by one.
func merge(a, b map[string]any) map[string]any {
	for name, v := range b {
		inner, isObject := v.(map[string]any)
		if old, ok := a[name].(map[string]any); ok && isObject {
			v = merge(old, inner)
		}
		a[name] = v
	}
	return a
}
