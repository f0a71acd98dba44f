package backends

import "strings"

// Parts of keys are ids and addresses, which seldom hold a bar.
var (
	keyEscaper   = strings.NewReplacer("%", "%25", "|", "%7C")
	keyUnescaper = strings.NewReplacer("%7C", "|", "%25", "%")
)

// JoinKey makes one string of parts, for a DirKey or an identity; no other parts make the same. SplitKey undoes it.
func JoinKey(parts ...string) string {
	out := make([]string, len(parts))
	for i, p := range parts {
		out[i] = keyEscaper.Replace(p)
	}
	return strings.Join(out, "|")
}

// SplitKey gives the parts of a joined key; there is always at least one.
func SplitKey(key string) []string {
	parts := strings.Split(key, "|")
	for i, p := range parts {
		parts[i] = keyUnescaper.Replace(p)
	}
	return parts
}
