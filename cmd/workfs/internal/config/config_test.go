package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

type settings struct {
	formats Formats
	size    Size
	age     Duration
	umask   Umask
	allow   bool
	preset  string
}

func newFlags() (*pflag.FlagSet, *settings) {
	s := &settings{formats: Formats{"md"}, size: 10 << 30, age: Duration(5 * time.Minute)}
	f := pflag.NewFlagSet("mount", pflag.ContinueOnError)
	f.Var(&s.formats, "formats", "")
	f.Var(&s.size, "cache-max-size", "")
	f.Var(&s.age, "max-age", "")
	f.Var(&s.umask, "umask", "")
	f.BoolVar(&s.allow, "allow-other", false, "")
	f.StringVar(&s.preset, "preset", "", "")
	return f, s
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const connections = `
[connections.contoso]
type = "microsoft"
auth = "delegated"
tenant = "contoso.com"
client_id = "c"
ca_file = "ca.pem"
shared_mailboxes = ["info@contoso.com"]
[connections.box]
type = "box"
auth = "ccg"
client_id = "b"
subject = "user:1"
credentials = "/etc/box.json"
`

func TestPrecedence(t *testing.T) {
	path := write(t, "formats = [\"json\", \"md\"]\ncache_max_size = \"1Gi\"\nmax_age = \"1d\"\nallow_other = true\npreset = \"backup\"\n"+connections)
	t.Setenv("WORKFS_MAX_AGE", "30s")
	t.Setenv("WORKFS_CACHE_MAX_SIZE", "2Gi")
	flags, s := newFlags()
	if err := flags.Parse([]string{"--cache-max-size", "3Gi"}); err != nil {
		t.Fatal(err)
	}
	f, err := Load(path, flags)
	if err != nil {
		t.Fatal(err)
	}
	if err := Apply(flags, f); err != nil {
		t.Fatal(err)
	}
	if s.size != 3<<30 || time.Duration(s.age) != 30*time.Second || s.formats.String() != "md,json" || !s.allow {
		t.Errorf("flag, environment, file: got %+v", *s)
	}

	flags, s = newFlags()
	if err := Apply(flags, &File{settings: map[string]string{"preset": "compliance"}}); err != nil {
		t.Fatal(err)
	}
	if s.formats.String() != "md,json,eml" || time.Duration(s.age) != 30*time.Second {
		t.Errorf("preset below environment: got %+v", *s)
	}
}

func TestConnections(t *testing.T) {
	path := write(t, connections)
	flags, _ := newFlags()
	f, err := Load(path, flags)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Connections) != 2 {
		t.Fatalf("%d connections", len(f.Connections))
	}
	box, contoso := f.Connections[0], f.Connections[1]
	dir := filepath.Dir(path)
	if box.Name != "box" || box.Credentials != "/etc/box.json" || box.Subject != "user:1" {
		t.Errorf("box: %+v", box)
	}
	if contoso.Credentials != filepath.Join(dir, "credentials/contoso.json") || contoso.CAFile != filepath.Join(dir, "ca.pem") || contoso.SharedMailboxes[0] != "info@contoso.com" {
		t.Errorf("contoso: %+v", contoso)
	}
}

func TestBadFilesSayWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"fromats = [\"md\"]":                `unknown key "fromats"`,
		"formats = [\"html\"]":              `"html" is not a format`,
		"formats = [1]":                     "strings only",
		"max_age = \"soon\"":                "not a duration",
		"cache_max_size = \"lots\"":         "not a size",
		"preset = \"fast\"":                 `no preset "fast"`,
		"formats = [":                       "config.toml",
		"[connections.x]\ntype = \"slack\"": "microsoft or box",
		"[connections.x]\ntype = \"box\"\nauth = \"delegated\"":                           "oauth, ccg, jwt or token",
		"[connections.x]\ntype = \"box\"\nauth = \"ccg\"\nclientid = \"1\"":               `unknown key "connections.x.clientid"`,
		"[connections.\"a/b\"]\ntype = \"box\"\nauth = \"ccg\"\nclient_id = \"1\"":        "name of a directory",
		"[connections.\".workfs\"]\ntype = \"box\"\nauth = \"ccg\"\nclient_id = \"1\"":    "no dot in front",
		"[connections.x]\ntype = \"microsoft\"\nauth = \"app\"\nclient_id = \"1\"":        "tenant is missing",
		"[connections.x]\ntype = \"microsoft\"\nauth = \"app\"\ntenant = \"contoso.com\"": "client_id is missing",
	} {
		flags, _ := newFlags()
		f, err := Load(write(t, text), flags)
		if err == nil {
			err = Apply(flags, f)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	flags, _ := newFlags()
	if _, err := Load(filepath.Join(t.TempDir(), "none.toml"), flags); err == nil || !strings.Contains(err.Error(), "workfs demo") {
		t.Errorf("no file: %v", err)
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]Size{"0": 0, "17": 17, "64Mi": 64 << 20, "1.5G": 3 << 29, "10GiB": 10 << 30, "off": SizeOff, "2k": 2048} {
		var s Size
		if err := s.Set(text); err != nil || s != want {
			t.Errorf("%s: %d %v, want %d", text, s, err, want)
		}
		var again Size
		if err := again.Set(s.String()); err != nil || again != s {
			t.Errorf("%s prints as %s, which reads as %d, %v", text, s.String(), again, err)
		}
	}
	for _, text := range []string{"", "M", "-1", "NaN", "9999999999P", "10 apples"} {
		var s Size
		if err := s.Set(text); err == nil {
			t.Errorf("%q was taken as %d", text, s)
		}
	}
}

func TestRuntimeDirOfSomebodyElse(t *testing.T) {
	run := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", run)
	dir, err := RuntimeDir()
	if err != nil || dir != filepath.Join(run, "workfs") {
		t.Fatal(dir, err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := RuntimeDir(); err == nil {
		t.Error("a directory that others can read was taken")
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(t.TempDir(), dir); err != nil {
		t.Fatal(err)
	}
	if _, err := RuntimeDir(); err == nil {
		t.Error("a symlink was taken")
	}
}
