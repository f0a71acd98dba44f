package teams

import (
	"strings"
	"testing"
)

// FuzzPath: whatever a notification names, it is taken apart without harm, and no part is what the path does not hold.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{
		"teams('t')/channels('19:c@thread.tacv2')/messages('1')/replies('2')", "chats('19:x@thread.v2')/messages('3')", "chats/19%3Ax/messages/3",
		"Teams('it''s')/Channels('c')", "teams(", "teams('", "/", "users('u')/chats('c')", "%", "teams('%zz')",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		got := parsePath(path)
		for _, part := range []string{got.root(), got.id()} {
			if len(part) > len(path) {
				t.Errorf("%q gives %q", path, part)
			}
		}
		if !strings.ContainsAny(path, "/('") && got.root() != "" {
			t.Errorf("%q has a message %q", path, got.root())
		}
	})
}
