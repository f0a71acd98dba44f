package subscription

import (
	"bytes"
	"testing"
)

// FuzzMentions: a clientState is found where a body has it, whatever is around it, and not where it has none.
func FuzzMentions(f *testing.F) {
	const state = "s3cret-state"
	for _, seed := range []string{
		`{"value":[{"clientState":"s3cret-state"}]}`, `{"value":[{"clientState" : "s3cret-state"}]}`, `{"clientState":"s3cret-statement"}`,
		`{"value":[{"clientState":"other"},{"clientState":"s3cret-state"}]}`, `"clientState"`, `"clientState":"`, `{}`, ``,
	} {
		f.Add([]byte(seed))
	}
	member := []byte(`"clientState":"` + state + `"`)
	f.Fuzz(func(t *testing.T, body []byte) {
		found := mentions(body, state)
		if bytes.Contains(body, member) && !found {
			t.Errorf("%q: not found", body)
		}
		if found && !bytes.Contains(body, []byte(`"`+state+`"`)) {
			t.Errorf("%q: found", body)
		}
	})
}
