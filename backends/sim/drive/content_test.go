package drive

import (
	"bytes"
	"encoding/base64"
	"io"
	"testing"
)

func TestQuickXor(t *testing.T) {
	// The vectors are those of rclone's backend/onedrive/quickxorhash tests, checked against OneDrive.
	for in, want := range map[string]string{
		"":     "AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"Sg==": "SgAAAAAAAAAAAAAAAQAAAAAAAAA=",
		"tbQ=": "taAFAAAAAAAAAAAAAgAAAAAAAAA=",
	} {
		b, _ := base64.StdEncoding.DecodeString(in)
		if got, err := quickXor(bytes.NewReader(b)); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", in, got, err, want)
		}
	}
}

func TestGeneratedReadsTheSameEverywhere(t *testing.T) {
	g := Generated{Seed: 3, Length: 1000}
	whole, err := io.ReadAll(io.NewSectionReader(g, 0, g.Size()))
	if err != nil || len(whole) != 1000 {
		t.Fatalf("%d bytes, %v", len(whole), err)
	}
	for _, off := range []int64{0, 1, 7, 8, 500, 999} {
		part, err := io.ReadAll(io.NewSectionReader(g, off, 13))
		if err != nil || !bytes.Equal(part, whole[off:min(off+13, 1000)]) {
			t.Errorf("at %d: %x, %v", off, part, err)
		}
	}
	if n, err := g.ReadAt(make([]byte, 4), 1000); n != 0 || err != io.EOF {
		t.Errorf("past the end: %d, %v", n, err)
	}
}
