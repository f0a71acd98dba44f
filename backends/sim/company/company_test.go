package company

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"image/png"
	"io"
	"reflect"
	"strings"
	"testing"
	"unicode"
)

func TestDeterministic(t *testing.T) {
	a, b := New(7), New(7)
	if !reflect.DeepEqual(a, b) {
		t.Fatal("two companies of one seed differ")
	}
	if c := New(8); c.TenantID == a.TenantID || c.Alice().ID == a.Alice().ID {
		t.Fatal("two seeds share identifiers")
	}
	for _, kind := range Kinds {
		if !bytes.Equal(Document(kind, a.Writer("x")), Document(kind, b.Writer("x"))) {
			t.Errorf("%s: the same stream gives different bytes", kind)
		}
	}
}

func TestPeople(t *testing.T) {
	c := New(1)
	if c.Alice().Mail != "alice@contoso.com" || c.Bob().DisplayName != "Bob Jones" || c.Carol().UPN != "carol@contoso.com" {
		t.Fatal("the three fixed people are not there")
	}
	ids := map[string]bool{}
	for _, p := range c.Everyone() {
		if ids[p.ID] || ids[p.BoxID] {
			t.Errorf("%s shares an id", p.Mail)
		}
		ids[p.ID], ids[p.BoxID] = true, true
		if got := c.Person(strings.ToUpper(p.Mail)); got != p {
			t.Errorf("Person(%q) = %v", p.Mail, got)
		}
	}
	for _, script := range []*unicode.RangeTable{unicode.Latin, unicode.Cyrillic, unicode.Greek, unicode.Arabic, unicode.Han} {
		found := false
		for _, p := range c.People {
			found = found || strings.ContainsFunc(p.DisplayName, func(r rune) bool { return unicode.Is(script, r) })
		}
		if !found {
			t.Errorf("nobody's name is in %v", script.R16[0])
		}
	}
	for _, g := range c.Groups {
		for _, p := range append(g.Owners, g.Members...) {
			if p == nil {
				t.Fatalf("group %s names someone who does not exist", g.DisplayName)
			}
		}
	}
	if !c.Group("Legal").Has(c.Carol()) || c.Group("Finance").Has(c.Carol()) {
		t.Error("Carol should be in Legal and not in Finance")
	}
	if len(c.Number("n", 6)) != 6 || len(c.TenantID) != 36 {
		t.Error("identifiers have the wrong length")
	}
}

func TestTextHasNoHoles(t *testing.T) {
	w := New(1).Writer("text")
	foreign := false
	for range 500 {
		for _, s := range []string{w.Subject(), w.Sentence(), w.Chat(), w.FileName("txt")} {
			if s == "" || strings.ContainsAny(s, "{}\n") {
				t.Fatalf("bad text %q", s)
			}
			foreign = foreign || strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Arabic, r) })
		}
	}
	if !foreign {
		t.Error("500 rounds without a word in Arabic")
	}
}

func TestDocumentsAreValid(t *testing.T) {
	w := New(1).Writer("docs")
	for range 20 {
		for _, kind := range []string{"docx", "xlsx"} {
			data := Document(kind, w)
			z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
			if err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			for _, f := range z.File {
				r, err := f.Open()
				if err != nil {
					t.Fatal(err)
				}
				d := xml.NewDecoder(r)
				for {
					if _, err = d.Token(); err != nil {
						break
					}
				}
				if err != io.EOF {
					t.Errorf("%s: part %s: %v", kind, f.Name, err)
				}
			}
		}
		if _, err := png.Decode(bytes.NewReader(Document("png", w))); err != nil {
			t.Errorf("png: %v", err)
		}
		pdf := Document("pdf", w)
		if !bytes.HasPrefix(pdf, []byte("%PDF-1.4")) || !bytes.HasSuffix(pdf, []byte("%%EOF\n")) {
			t.Error("pdf: no frame")
		}
		at := bytes.LastIndex(pdf, []byte("startxref\n"))
		var off int
		for _, c := range pdf[at+10:] {
			if c == '\n' {
				break
			}
			off = off*10 + int(c-'0')
		}
		if !bytes.HasPrefix(pdf[off:], []byte("xref\n")) {
			t.Error("pdf: startxref points elsewhere")
		}
	}
}
