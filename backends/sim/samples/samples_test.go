package samples

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestOfficeFilesAreWellFormed(t *testing.T) {
	for name, data := range map[string][]byte{
		"docx": DOCX("Q4 <numbers> & more", "日本語"),
		"xlsx": XLSX([][]string{{"a", "b"}, {"<1>", "2"}}),
	} {
		zr, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, f := range zr.File {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			for dec := xml.NewDecoder(r); ; {
				if _, err := dec.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("%s: %s: %v", name, f.Name, err)
				}
			}
		}
	}
	if !bytes.Equal(DOCX("x"), DOCX("x")) {
		t.Error("same text, other bytes")
	}
}

func TestPDFOffsets(t *testing.T) {
	data := PDF("Hello (world)", "Grüße")
	for i, m := range regexp.MustCompile(`(?m)^(\d{10}) 00000 n `).FindAllSubmatch(data, -1) {
		off, _ := strconv.Atoi(string(m[1]))
		if want := strconv.Itoa(i+1) + " 0 obj"; !strings.HasPrefix(string(data[off:]), want) {
			t.Errorf("object %d is not at %d", i+1, off)
		}
	}
}

func TestPNG(t *testing.T) {
	img, err := png.Decode(bytes.NewReader(PNG(7, 64, 48)))
	if err != nil || img.Bounds().Dx() != 64 {
		t.Fatalf("%v %v", img, err)
	}
	if bytes.Equal(PNG(7, 64, 48), PNG(8, 64, 48)) {
		t.Error("seed makes no difference")
	}
}
