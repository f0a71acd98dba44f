package rest

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestGzip reads compressed answers one after the other, of which some are cut off or damaged, over one connection.
func TestGzip(t *testing.T) {
	want := `{"n":"` + strings.Repeat("seven", 10000) + `"}`
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	io.WriteString(z, want)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	whole := packed.String()
	damaged := []byte(whole)
	damaged[len(damaged)-6] ^= 1 // of the checksum
	json, zipped := "application/json", "gzip"
	a := serve(t,
		answer(200, whole, "Content-Type", json, "Content-Encoding", zipped),
		answer(200, whole[:len(whole)/2], "Content-Type", json, "Content-Encoding", zipped),
		answer(200, "no gzip", "Content-Type", json, "Content-Encoding", zipped),
		answer(200, string(damaged), "Content-Type", json, "Content-Encoding", zipped),
		answer(200, whole, "Content-Type", json, "Content-Encoding", zipped),
		answer(200, want, "Content-Type", json),
		answer(400, whole, "Content-Type", json, "Content-Encoding", zipped),
	)
	c := client(t, a)
	for _, requests := range []int{1, 5, 6} {
		res, err := c.Do(t.Context(), "GET", "/x", nil, nil)
		if err != nil || string(res.Body) != want || res.Header.Get("Content-Encoding") != "" {
			t.Fatalf("%v: %v, not what was packed", err, res)
		}
		if n := len(a.requests()); n != requests {
			t.Errorf("%d requests instead of %d", n, requests)
		}
	}
	if _, err := c.Do(t.Context(), "GET", "/x", nil, nil); err == nil {
		t.Error("a refusal is no error")
	}
	first := a.requests()[0].RemoteAddr
	if again := a.requests()[1].RemoteAddr; again != first {
		t.Error("the connection of a compressed answer was not used again")
	}
	if _, err := c.Do(t.Context(), "GET", "/x", http.Header{"Range": {"bytes=0-1"}}, nil); err == nil {
		t.Error("a refusal is no error")
	}
	if r := a.requests()[7]; r.Header.Get("Accept-Encoding") != "" {
		t.Errorf("a range was asked for as %q", r.Header.Get("Accept-Encoding"))
	}
}

func BenchmarkGzip(b *testing.B) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	for i := range 20000 {
		io.WriteString(z, strings.Repeat("some words of a message ", i%5+1)+strings.Repeat("x", i%37))
	}
	if err := z.Close(); err != nil {
		b.Fatal(err)
	}
	var page bytes.Buffer
	for b.Loop() {
		res := &http.Response{Header: http.Header{"Content-Encoding": {"gzip"}}, Body: io.NopCloser(bytes.NewReader(packed.Bytes()))}
		unzipped(res)
		page.Reset()
		if _, err := page.ReadFrom(res.Body); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(page.Len()))
}
