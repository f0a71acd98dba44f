package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/workfs/workfs/backends/sim"
)

// TestHostileMail mounts a mailbox of malformed and malicious messages.
func TestHostileMail(t *testing.T) {
	dir := t.TempDir()
	at := time.Date(2026, 10, 5, 6, 7, 8, 0, time.UTC)
	for name, content := range hostileMail() {
		path := filepath.Join(dir, name+".eml")
		write(t, path, []byte(content))
		if err := os.Chtimes(path, at, at); err != nil { // the date of those without
			t.Fatal(err)
		}
	}
	attachments := importedMail(t, dir)
	if len(attachments) < hostileAttachments {
		t.Errorf("%d attachments, at least %d expected:\n%s", len(attachments), hostileAttachments, strings.Join(attachments, "\n"))
	}
}

// TestPythonMail mounts the messages that Python tests its email package with.
func TestPythonMail(t *testing.T) {
	needTool(t, "python3")
	out, err := exec.Command("python3", "-c", "import os, test.test_email as t; print(os.path.join(os.path.dirname(t.__file__), 'data'))").Output()
	if err != nil {
		t.Skipf("SKIPPED: this Python came without its tests: %v", err)
	}
	dir := t.TempDir()
	found, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "*.txt"))
	if err != nil || len(found) == 0 {
		t.Skipf("SKIPPED: no messages in %s", out)
	}
	for _, path := range found {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, filepath.Base(path)+".eml"), b)
	}
	importedMail(t, dir)
}

// importedMail mounts a directory of .eml files as the mail and checks that each is there in all formats, whole, and that
// nothing in it gets out of its file. It gives the paths of the attachments.
func importedMail(t *testing.T, dir string) (attachments []string) {
	t.Helper()
	needTool(t, "tar")
	want := map[[sha256.Size]byte]int{}
	messages, err := filepath.Glob(filepath.Join(dir, "*.eml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range messages {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want[sha256.Sum256(b)]++
	}

	e := newEnv(t, sim.Options{ImportMail: dir})
	e.features("mail", "calendar", "contacts")
	m := e.mount("-c", "contoso", "--formats", "md,json,eml")
	inbox := m.path(alice, "mail", "Inbox")
	t.Logf("%d messages", len(messages))
	stems := map[string][]string{} // by extension
	err = filepath.WalkDir(inbox, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			t.Errorf("walk: %v", err)
			return nil
		}
		rel := strings.TrimPrefix(path, inbox)
		checkName(t, d.Name())
		if d.IsDir() {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Errorf("read: %v", err)
			return nil
		}
		if info, err := os.Lstat(path); err != nil {
			t.Errorf("stat: %v", err)
		} else if info.Size() != int64(len(b)) {
			t.Errorf("%s: stat tells %d bytes, read gives %d", rel, info.Size(), len(b))
		}
		if strings.Contains(rel, ".attachments/") {
			attachments = append(attachments, rel)
			return nil
		}
		ext := filepath.Ext(path)
		stems[ext] = append(stems[ext], strings.TrimSuffix(rel, ext))
		switch ext {
		case ".md":
			checkText(t, rel, b)
		case ".json":
			if !json.Valid(b) {
				t.Errorf("%s is no JSON: %s", rel, head(string(b), 3))
			}
		case ".eml":
			sum := sha256.Sum256(b)
			if want[sum]--; want[sum] < 0 {
				t.Errorf("%s is no message of the corpus: %.60q", rel, b)
			}
		default:
			t.Errorf("what is %s?", rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for ext, list := range stems {
		if len(list) != len(messages) || strings.Join(list, "\n") != strings.Join(stems[".md"], "\n") {
			t.Errorf("%d %s of %d messages", len(list), ext, len(messages))
		}
	}
	if len(stems) != 3 {
		t.Errorf("%d formats", len(stems))
	}
	for sum, n := range want {
		if n > 0 {
			t.Errorf("%d messages are missing as eml (%x)", n, sum[:4])
		}
	}
	if _, stderr, code := e.tool("tar", "-cf", e.path("all.tar"), "."); code != 0 || stderr != "" {
		t.Errorf("tar: exit %d\n%s", code, head(stderr, 20))
	}
	select {
	case <-m.ended:
		t.Error("the mount has crashed")
	default:
		m.umount()
	}
	return attachments
}

// checkName refuses names that harm a terminal or a script.
func checkName(t *testing.T, name string) {
	t.Helper()
	if !utf8.ValidString(name) || name == ".." || len(name) > 255 {
		t.Errorf("name %q", name)
	}
	for _, r := range name {
		if unicode.IsControl(r) || r == '/' {
			t.Errorf("name %q holds %q", name, r)
		}
	}
}

// checkText refuses control characters but newline and tab, and anything between front matter and body that is no fact of
// ours.
func checkText(t *testing.T, rel string, b []byte) {
	t.Helper()
	if !utf8.Valid(b) {
		t.Errorf("%s is not UTF-8", rel)
	}
	for _, r := range string(b) {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			t.Errorf("%s holds %q", rel, r)
			break
		}
	}
	front, _, ok := bytes.Cut(bytes.TrimPrefix(b, []byte("---\n")), []byte("\n---\n"))
	if !ok || !bytes.HasPrefix(b, []byte("---\n")) {
		t.Errorf("%s has no front matter: %s", rel, head(string(b), 5))
	}
	for line := range strings.Lines(string(front)) {
		if strings.HasPrefix(line, "from:") && strings.Contains(line, "boss") {
			t.Errorf("%s: the sender is forged: %s", rel, line)
		}
	}
}
