package sim_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/workfs/workfs/backends/sim"
)

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func start(t *testing.T, o sim.Options) *sim.Sim {
	t.Helper()
	if o.Now.IsZero() {
		o.Now = now
	}
	s, err := sim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func endpoint(r sim.Ready) oauth2.Endpoint {
	return oauth2.Endpoint{TokenURL: r.Login + "/" + r.Tenant + "/oauth2/v2.0/token", AuthStyle: oauth2.AuthStyleInParams}
}

// alice gives a client with alice's own sign-in to Graph, app one with the application's, box one with alice's to Box.
func alice(ctx context.Context, r sim.Ready) *http.Client {
	conf := oauth2.Config{ClientID: r.ClientID, ClientSecret: r.ClientSecret, Endpoint: endpoint(r)}
	return conf.Client(ctx, &oauth2.Token{RefreshToken: r.RefreshToken})
}

func app(ctx context.Context, r sim.Ready) *http.Client {
	conf := clientcredentials.Config{ClientID: r.ClientID, ClientSecret: r.ClientSecret, TokenURL: endpoint(r).TokenURL,
		Scopes: []string{"https://graph.microsoft.com/.default"}, AuthStyle: oauth2.AuthStyleInParams}
	return conf.Client(ctx)
}

func box(ctx context.Context, r sim.Ready) *http.Client {
	conf := clientcredentials.Config{ClientID: r.BoxClientID, ClientSecret: r.BoxClientSecret, TokenURL: r.BoxAPI + "/oauth2/token",
		EndpointParams: url.Values{"box_subject_type": {"user"}, "box_subject_id": {r.BoxSubject}}, AuthStyle: oauth2.AuthStyleInParams}
	return conf.Client(ctx)
}

func get(t *testing.T, c *http.Client, address string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// TestServices shares one simulator, since filling one takes its time.
func TestServices(t *testing.T) {
	s := start(t, sim.Options{})
	t.Run("answer", func(t *testing.T) { testAnswers(t, s) })
	s.World().Stats.Reset()
	t.Run("are apart", func(t *testing.T) { testHostsAreApart(t, s) })
	t.Run("config stays inside", func(t *testing.T) { testConfigStaysInside(t, s) })
	t.Run("close", func(t *testing.T) { testClose(t, s) })
}

func testAnswers(t *testing.T, s *sim.Sim) {
	r := s.Ready()
	delegated, application, boxed := alice(t.Context(), r), app(t.Context(), r), box(t.Context(), r)
	tests := []struct {
		name, address string
		client        *http.Client
		want          string
	}{
		{"me", r.Graph + "/v1.0/me", delegated, "alice@contoso.com"},
		{"users", r.Graph + "/v1.0/users", delegated, "bob@contoso.com"},
		{"users as an application", r.Graph + "/v1.0/users", application, "carol@contoso.com"},
		{"mail folders", r.Graph + "/v1.0/me/mailFolders", delegated, `"Inbox"`},
		{"mail", r.Graph + "/v1.0/me/mailFolders/inbox/messages?$top=1", delegated, "receivedDateTime"},
		{"mail of another", r.Graph + "/v1.0/users/" + r.Users[1].ID + "/messages?$top=1", application, "receivedDateTime"},
		{"calendars", r.Graph + "/v1.0/me/calendars", delegated, "Calendar"},
		{"contacts", r.Graph + "/v1.0/me/contacts?$top=1", delegated, "displayName"},
		{"teams", r.Graph + "/v1.0/me/joinedTeams", delegated, "Engineering"},
		{"chats", r.Graph + "/v1.0/me/chats", delegated, "oneOnOne"},
		{"drive", r.Graph + "/v1.0/me/drive/root/children", delegated, "driveType"},
		{"groups", r.Graph + "/v1.0/groups", application, "Finance"},
		{"box", r.BoxAPI + "/2.0/users/me", boxed, "alice@contoso.com"},
		{"box files", r.BoxAPI + "/2.0/folders/0/items", boxed, "total_count"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, body := get(t, tt.client, tt.address)
			if status != 200 || !strings.Contains(body, tt.want) {
				t.Errorf("%d %.300s, want 200 with %s", status, body, tt.want)
			}
		})
	}
	stats := s.World().Stats.Snapshot()
	for route, n := range map[string]int{"GET /v1.0/me": 1, "GET /v1.0/users": 2, "POST /{tenant}/oauth2/v2.0/token": 2} {
		if stats.Requests[route] != n {
			t.Errorf("%s counted %d times, want %d", route, stats.Requests[route], n)
		}
	}
	if len(stats.Leaks) != 0 {
		t.Errorf("leaks %v", stats.Leaks)
	}
}

func testHostsAreApart(t *testing.T, s *sim.Sim) {
	r := s.Ready()
	seen := map[string]bool{}
	for _, address := range []string{r.Control, r.Graph, r.Login, r.BoxAPI, r.BoxAccount, r.BoxDownload, r.BoxRealtime, r.DriveDownload} {
		u, err := url.Parse(address)
		if err != nil || u.Path != "" || seen[u.Hostname()] || !strings.HasPrefix(u.Hostname(), "127.0.0.") {
			t.Errorf("%s: %v, want a loopback address of its own", address, err)
		}
		seen[u.Hostname()] = true
	}
	// A Graph token at Box, a Box token at Graph, and either where files are downloaded.
	boxed, delegated := box(t.Context(), r), alice(t.Context(), r)
	for _, address := range []string{r.Graph + "/v1.0/me", r.DriveDownload + "/x"} {
		if status, _ := get(t, boxed, address); status != 401 {
			t.Errorf("Box token at %s: %d", address, status)
		}
	}
	for _, address := range []string{r.BoxAPI + "/2.0/users/me", r.DriveDownload + "/x"} {
		if status, _ := get(t, delegated, address); status != 401 {
			t.Errorf("Graph token at %s: %d", address, status)
		}
	}
	var hosts []string
	for _, leak := range s.World().Stats.Snapshot().Leaks {
		hosts = append(hosts, leak.Host)
	}
	slices.Sort(hosts)
	if !slices.Equal(hosts, []string{"box_api", "drive_download", "drive_download", "graph"}) {
		t.Errorf("leaks recorded at %v", hosts)
	}
}

func TestSameSeedSameData(t *testing.T) {
	bodies := func() []string {
		s := start(t, sim.Options{Seed: 3, Now: now.Add(time.Hour)})
		r := s.Ready()
		c := app(t.Context(), r)
		var out []string
		for _, path := range []string{"/users", "/groups", "/users/" + r.Users[0].ID + "/mailFolders", "/users/" + r.Users[0].ID + "/messages?$top=20&$select=subject,body,receivedDateTime,from",
			"/users/" + r.Users[0].ID + "/events?$top=20&$select=subject,start"} {
			status, body := get(t, c, r.Graph+"/v1.0"+path)
			if status != 200 {
				t.Fatalf("%s: %d %s", path, status, body)
			}
			out = append(out, withoutLinks(t, body))
		}
		return out
	}
	first, second := bodies(), bodies()
	for i := range first {
		if first[i] != second[i] {
			t.Errorf("answer %d differs between two runs:\n%.500s\n%.500s", i, first[i], second[i])
		}
	}
}

// withoutLinks drops what holds addresses and times of the run.
func withoutLinks(t *testing.T, body string) string {
	t.Helper()
	var page map[string]any
	if err := json.Unmarshal([]byte(body), &page); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(page["value"])
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestScale(t *testing.T) {
	s := start(t, sim.Options{Scale: 2000})
	r := s.Ready()
	_, body := get(t, alice(t.Context(), r), r.Graph+"/v1.0/me/mailFolders/inbox/messages?$top=1&$count=true&$select=id")
	if !strings.Contains(body, `"@odata.count":2000,`) {
		t.Errorf("inbox is %s, want 2000 messages", body)
	}
}

func TestImports(t *testing.T) {
	mail, files := t.TempDir(), t.TempDir()
	const message = "From: Bob <bob@example.org>\r\nTo: alice@contoso.com\r\nSubject: Imported\r\nDate: Mon, 2 Nov 2026 10:00:00 +0000\r\n\r\nHello\r\n"
	for path, data := range map[string]string{filepath.Join(mail, "one.eml"): message, filepath.Join(files, "notes.txt"): "some notes"} {
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := start(t, sim.Options{ImportMail: mail, ImportFiles: files})
	r := s.Ready()
	if _, body := get(t, alice(t.Context(), r), r.Graph+"/v1.0/me/mailFolders/inbox/messages?$select=subject"); !strings.Contains(body, `"Imported"`) {
		t.Errorf("mail is %s", body)
	}
	if _, body := get(t, box(t.Context(), r), r.BoxAPI+"/2.0/folders/0/items"); !strings.Contains(body, `"notes.txt"`) {
		t.Errorf("files are %s", body)
	}
}

func TestTLS(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tls")
	s := start(t, sim.Options{TLSDir: dir})
	r := s.Ready()
	t.Run("config", func(t *testing.T) { testWriteConfig(t, s) })
	ca, err := os.ReadFile(r.CA)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		t.Fatal("the CA file holds no certificate")
	}
	tr := http.DefaultTransport.(*http.Transport).Clone()
	tr.TLSClientConfig.RootCAs = pool
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: tr})
	if !strings.HasPrefix(r.Graph, "https://") {
		t.Errorf("graph is %s", r.Graph)
	}
	if status, body := get(t, alice(ctx, r), r.Graph+"/v1.0/me"); status != 200 {
		t.Errorf("Graph: %d %s", status, body)
	}
	if status, body := get(t, box(ctx, r), r.BoxAPI+"/2.0/users/me"); status != 200 {
		t.Errorf("Box: %d %s", status, body)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.Control+"/stats", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
		t.Error("a client that does not know the CA got through")
	}
	if info, err := os.Stat(filepath.Join(dir, "server-key.pem")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("server key: %v %v", info, err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, o := range map[string]sim.Options{
		"throttle": {Throttle: "sometimes"}, "scale": {Scale: -1}, "import-mail": {ImportMail: "/does/not/exist"}, "import-files": {ImportFiles: "/does/not/exist"},
	} {
		if _, err := sim.New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for _, listen := range []string{"0.0.0.0:0", "127.0.0.250:0", "nowhere", "[::1]:0"} {
		if _, err := sim.New(sim.Options{Listen: listen}); err == nil {
			t.Errorf("takes %s to listen on", listen)
		}
	}
}

func testClose(t *testing.T, s *sim.Sim) {
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if resp, err := http.Get(s.Ready().Control + "/stats"); err == nil {
		resp.Body.Close()
		t.Error("still serving after Close")
	}
}
