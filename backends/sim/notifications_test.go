package sim_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/sim/entra"
)

// TestNotificationsOverTLS has the simulator deliver to a receiver whose certificate its own CA signed, and not to another.
func TestNotificationsOverTLS(t *testing.T) {
	dir := t.TempDir()
	s := start(t, sim.Options{TLSDir: dir})
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "server.pem"), filepath.Join(dir, "server-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	delivered := make(chan string, 1)
	receive := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if token := r.URL.Query().Get("validationToken"); token != "" {
			rw.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(rw, token)
			return
		}
		body, _ := io.ReadAll(r.Body)
		rw.WriteHeader(http.StatusAccepted)
		delivered <- string(body)
	})
	known := httptest.NewUnstartedServer(receive)
	known.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	known.StartTLS()
	stranger := httptest.NewTLSServer(receive)
	t.Cleanup(known.Close)
	t.Cleanup(stranger.Close)

	ca, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	token := s.Clouds().Entra.Mint(entra.Claims{Audience: entra.GraphAudience, TenantID: s.Ready().Tenant, AppID: s.Ready().ClientID,
		ObjectID: s.Company().Alice().ID, Scopes: []string{"Mail.ReadWrite"}, Expires: now.AddDate(1, 0, 0)})
	client := &http.Client{Transport: &oauth2.Transport{
		Source: oauth2.StaticTokenSource(&oauth2.Token{AccessToken: token}),
		Base:   &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}},
	}}
	post := func(path string, body map[string]any) (int, string) {
		t.Helper()
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.Ready().Graph+"/v1.0"+path, bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(answer)
	}
	draft := map[string]any{"changeType": "created", "resource": "me/messages", "expirationDateTime": now.Add(24 * time.Hour).Format(time.RFC3339)}
	draft["notificationUrl"] = stranger.URL
	if status, body := post("/subscriptions", draft); status != http.StatusBadRequest || !strings.Contains(body, "must respond with 200 OK") {
		t.Errorf("a certificate that nobody knows: %d %s", status, body)
	}
	draft["notificationUrl"] = known.URL
	if status, body := post("/subscriptions", draft); status != http.StatusCreated {
		t.Fatalf("a certificate of the simulator's CA: %d %s", status, body)
	}
	if status, body := post("/me/messages", map[string]any{"subject": "over TLS"}); status != http.StatusCreated {
		t.Fatalf("making a message: %d %s", status, body)
	}
	if got := <-delivered; !strings.Contains(got, `"changeType":"created"`) {
		t.Errorf("delivered %s", got)
	}
}
