package webhook

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// BenchmarkRefused is what requests cost that are not at a known path, and forged ones that are, the client's part included.
func BenchmarkRefused(b *testing.B) {
	r, err := New(Options{Listen: "127.0.0.1:0", Key: testKey, ProbeInterval: -1})
	if err != nil {
		b.Fatal(err)
	}
	if err := r.Start(); err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	known, _ := r.Handle("a", newTaker())
	body := `{"value":[{"clientState":"forged","resource":"` + strings.Repeat("x", 300) + `"}]}`
	for name, address := range map[string]string{"unknown": r.Address() + "/" + nonce(), "forged": known} {
		b.Run(name, func(b *testing.B) {
			tr := &http.Transport{MaxIdleConnsPerHost: 8}
			defer tr.CloseIdleConnections()
			client := &http.Client{Transport: tr}
			for b.Loop() {
				res, err := client.Post(address, "application/json", strings.NewReader(body))
				if err != nil {
					b.Fatal(err)
				}
				io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		})
	}
}
