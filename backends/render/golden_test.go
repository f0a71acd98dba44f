package render

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

var goldenChat = ChatOptions{
	AttachmentsDir:   "stem.attachments",
	ConversationName: "Engineering / General",
	Members:          map[string]Member{"carol-id": {Name: "Carol Ćosić", Email: "carol@contoso.com"}},
}

// TestGolden compares what the resources in testdata/golden become with the files beside them: a difference is a new Version.
func TestGolden(t *testing.T) {
	inputs, err := filepath.Glob("testdata/golden/*.json")
	if err != nil || len(inputs) < 15 {
		t.Fatalf("%d inputs, %v", len(inputs), err)
	}
	for _, input := range inputs {
		raw, err := os.ReadFile(input)
		if err != nil {
			t.Fatal(err)
		}
		base := strings.TrimSuffix(input, ".json")
		kind, _, _ := strings.Cut(filepath.Base(base), "-")
		compare := func(ext string, got []byte, err error) {
			t.Helper()
			checkText(t, base+ext, got)
			golden(t, base+ext, got, err)
		}
		switch kind {
		case "message":
			got, err := MessageMD(raw, "stem.attachments")
			compare(".md", got, err)
			checkFrontMatter(t, got, messageKeys)
		case "chat":
			got, err := ChatMD(raw, goldenChat)
			compare(".md", got, err)
			checkFrontMatter(t, got, chatKeys)
			got, err = ChatEML(raw, goldenChat)
			compare(".eml", got, err)
			checkEML(t, got)
		case "event":
			var exceptions [][]byte
			if more, err := os.ReadFile(base + ".exceptions"); err == nil {
				exceptions = bytes.Split(bytes.TrimSpace(more), []byte("\n"))
			}
			got, err := EventICS(raw, exceptions, nil)
			compare(".ics", got, err)
			checkICS(t, got)
		case "contact":
			got, err := ContactVCF(raw)
			compare(".vcf", got, err)
			checkVCF(t, got)
		}
		got, err := JSON(raw)
		if kind == "json" {
			compare(".out", got, err)
		}
		checkJSON(t, raw, got)
	}
}

func golden(t *testing.T, file string, got []byte, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", file, err)
		return
	}
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Errorf("no golden file: %v", err)
	} else if !bytes.Equal(got, want) {
		t.Errorf("%s differs:\n%s", file, got)
	}
}
