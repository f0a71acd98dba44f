package backends

import "strings"

// Parts of keys are ids and addresses, which seldom hold a bar.
var (
	keyEscaper   = strings.NewReplacer("%", "%25", "|", "%7C")
	keyUnescaper = strings.NewReplacer("%7C", "|", "%25", "%")
)

// JoinKey makes one string of parts, for a DirKey or an identity; no other parts make the same. SplitKey undoes it.
func JoinKey(parts ...string) string {
	var some [6]string
	out := some[:0]
	for _, p := range parts {
		if strings.ContainsAny(p, "%|") {
			p = keyEscaper.Replace(p)
		}
		out = append(out, p)
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
