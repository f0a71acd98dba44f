package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/BurntSushi/toml"
)

const edited = `# my settings
formats = ["md"] # short

# work
[connections.work] # the firm's
type = "microsoft"
auth = "delegated"	# one person
tenant = "contoso.com"
# a note
client_id = 'c'
shared_mailboxes = [
  "info@contoso.com", # [not a table]
  "a]b@contoso.com",
]

# private
[connections."at home"]
type = "box"
auth = "oauth"
client_id = """b"""
# features = []
`

func TestPutKeepsWhatItIsNotToldOf(t *testing.T) {
	path := write(t, edited)
	if err := Put(path, "work", map[string]any{"tenant": "fabrikam.com", "client_id": "c", "graph_url": "https://graph.example", "shared_mailboxes": nil}); err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(edited, `tenant = "contoso.com"`, `tenant = "fabrikam.com"`, 1)
	from, to := strings.Index(want, "shared_mailboxes"), strings.Index(want, "\n# private")
	want = want[:from] + "graph_url = \"https://graph.example\"\n" + want[to:]
	if got := text(t, path); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}

	if err := Put(path, "new one", map[string]any{"auth": "oauth", "client_id": "quote\"and\\", "type": "box"}); err != nil {
		t.Fatal(err)
	}
	want += "\n[connections.\"new one\"]\ntype = \"box\"\nauth = \"oauth\"\nclient_id = \"quote\\\"and\\\\\"\n"
	if got := text(t, path); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestRenameAndRemove(t *testing.T) {
	path := write(t, edited)
	if err := Rename(path, "at home", "home.2", nil); err != nil {
		t.Fatal(err)
	}
	if got, want := text(t, path), strings.Replace(edited, `"at home"`, `"home.2"`, 1); got != want {
		t.Errorf("renamed:\n%s", got)
	}
	if err := Remove(path, "work"); err != nil {
		t.Fatal(err)
	}
	from, to := strings.Index(edited, "[connections.work]"), strings.Index(edited, "\n# private")
	if got, want := text(t, path), strings.Replace(edited[:from]+edited[to:], `"at home"`, `"home.2"`, 1); got != want {
		t.Errorf("removed: got\n%s\nwant\n%s", got, want)
	}
	for _, err := range []error{Remove(path, "work"), Rename(path, "work", "x", nil)} {
		if !errors.Is(err, ErrNoConnection) {
			t.Errorf("gone: %v", err)
		}
	}
	if err := Add(path, "home.2", nil); !errors.Is(err, ErrExists) {
		t.Errorf("Add of one that is there: %v", err)
	}
}

// TestAddAndRemoveLeaveNoTrace: what comes and goes changes nothing, whatever the file looks like.
func TestAddAndRemoveLeaveNoTrace(t *testing.T) {
	for _, before := range []string{"", "\n", edited, "formats = [\"md\"]\n", "[connections]\n", "# only a comment", strings.ReplaceAll(edited, "\n", "\r\n")} {
		path := write(t, before)
		if err := Add(path, "x", map[string]any{"type": "box", "auth": "oauth", "client_id": "1"}); err != nil {
			t.Fatalf("%q: %v", before, err)
		}
		if strings.Contains(before, "\r\n") != strings.Contains(text(t, path), "auth = \"oauth\"\r\nclient_id = \"1\"\r\n") {
			t.Errorf("%q: newlines of another kind: %q", before, text(t, path))
		}
		if err := Remove(path, "x"); err != nil {
			t.Fatalf("%q: %v", before, err)
		}
		if got := text(t, path); strings.TrimRight(got, "\r\n") != strings.TrimRight(before, "\r\n") || len(got) > len(before)+2 {
			t.Errorf("got %q, want %q", got, before)
		}
	}
}

func TestWhatIsTooCleverIsLeftAlone(t *testing.T) {
	for _, clever := range []string{
		"connections = { x = { type = \"box\", auth = \"oauth\", client_id = \"1\" } }\n",
		"[connections]\nx = { type = \"box\", auth = \"oauth\", client_id = \"1\" }\n",
		"[connections]\nx.type = \"box\"\nx.auth = \"oauth\"\nx.client_id = \"1\"\n",
		"connections.x.type = \"box\"\nconnections.x.auth = \"oauth\"\nconnections.x.client_id = \"1\"\n",
	} {
		path := write(t, clever)
		for what, err := range map[string]error{
			"put": Put(path, "x", map[string]any{"client_id": "2"}), "rename": Rename(path, "x", "y", nil), "remove": Remove(path, "x"),
		} {
			if err == nil || !strings.Contains(err.Error(), "edit it by hand") || text(t, path) != clever {
				t.Errorf("%s %q: %v, file %q", what, clever, err, text(t, path))
			}
		}
	}
	path := write(t, "connections = { x = { type = \"box\", auth = \"oauth\", client_id = \"1\" } }\n")
	if err := Put(path, "y", map[string]any{"type": "box", "auth": "oauth", "client_id": "1"}); err == nil || !strings.Contains(err.Error(), "by hand") {
		t.Errorf("a table beside an inline one: %v", err)
	}
}

func TestInvalidConnectionsAreNotWritten(t *testing.T) {
	path := write(t, edited)
	for want, keys := range map[string]map[string]any{
		"no key \"client_secret\"": {"client_secret": "s"},
		"type is \"slack\"":        {"type": "slack"},
		"client_id is missing":     {"client_id": ""},
		"can't be a int":           {"client_id": 5},
	} {
		if err := Put(path, "work", keys); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", keys, err, want)
		}
	}
	if text(t, path) != edited {
		t.Error("the file has changed")
	}
}

func TestNewFileIsPrivateAndLinksStay(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "new", "config.toml")
	keys := map[string]any{"type": "box", "auth": "oauth", "client_id": "1"}
	if err := Put(path, "x", keys); err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v", p, info.Mode(), err)
		}
	}
	link := filepath.Join(dir, "link.toml")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := Put(link, "y", keys); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link: %v %v", info.Mode(), err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 || !strings.Contains(text(t, path), "[connections.y]") {
		t.Errorf("behind the link: %v %v %s", info.Mode(), err, text(t, path))
	}
	left, err := filepath.Glob(filepath.Join(dir, "new", "*"))
	if err != nil || len(left) != 2 { // the file and its lock
		t.Errorf("left over: %v %v", left, err)
	}
}

func TestManyWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.toml")
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if err := Add(path, fmt.Sprint("c", i), map[string]any{"type": "box", "auth": "oauth", "client_id": "1"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var got struct{ Connections map[string]any }
	if _, err := toml.Decode(text(t, path), &got); err != nil || len(got.Connections) != 20 {
		t.Errorf("%d connections, %v", len(got.Connections), err)
	}
}

// FuzzEdit: an edit of any file leaves all else in it, or refuses and leaves all of it.
func FuzzEdit(f *testing.F) {
	f.Add(edited)
	f.Add("[[a]]\nb = '''\n[connections.x]\n'''''\n[connections.x]\ntype = \"box\"\n")
	f.Add("connections.x.type = \"box\"\n[connections.x.headers]\nA = \"\\\"\"")
	f.Add("\ufeff[ connections . \"x\" ] # c\n \"type\" = \"\"\"box\\\"\"\"\"")
	f.Fuzz(func(t *testing.T, before string) {
		var old map[string]any
		if _, err := toml.Decode(before, &old); err != nil {
			t.Skip()
		}
		for _, change := range []func(*document) error{
			func(d *document) error {
				return d.put("x", map[string]any{"type": "box", "headers": map[string]string{"A": "b"}})
			},
			func(d *document) error { return d.rename("x", "y") },
			func(d *document) error { return d.remove("x") },
		} {
			d, err := parse(before)
			if err != nil {
				continue
			}
			if err := change(d); err != nil && d.text != before {
				t.Errorf("refused with %v, and changed to %q", err, d.text)
			}
		}
	})
}

func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestProposals(t *testing.T) {
	path := write(t, edited)
	t.Setenv("WORKFS_CONNECTION_NEW_CLIENT_ID", "from the environment")
	p, err := Propose(path, "/state", "new", map[string]any{"type": "box", "auth": "oauth"})
	if err != nil {
		t.Fatal(err)
	}
	if p.Value("client_id") != "from the environment" || p.Value("auth") != "oauth" || p.Value("enterprise") != "" {
		t.Errorf("%+v", p.draft.keys)
	}
	if _, err := p.Resolve(); err == nil || !strings.Contains(err.Error(), "no blanks") {
		t.Error(err)
	}
	p, err = Propose(path, "/state", "work", map[string]any{"tenant": "fabrikam.com"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.Resolve()
	if err != nil || c.Tenant != "fabrikam.com" || c.Credentials != filepath.Join(filepath.Dir(path), "credentials", "work.json") {
		t.Errorf("%+v, %v", c, err)
	}
	if p.Value("credentials") != "" || text(t, path) != edited {
		t.Error("Resolve has changed something")
	}
	if _, err := Propose(write(t, "connections.work.type = \"box\"\n"), "/state", "work", map[string]any{"auth": "oauth"}); err == nil || !strings.Contains(err.Error(), "by hand") {
		t.Errorf("what can't be edited: %v", err)
	}
}
