package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/sim/core"
)

func (e *env) faults(rules ...core.FaultRule) {
	e.t.Helper()
	e.sim.World().Faults.Set(rules...)
}

// fails looks at a path of the mount and checks the message of the errno that it gives.
func (e *env) fails(errno syscall.Errno, name string, args ...string) {
	e.t.Helper()
	stdout, stderr, code := e.tool(name, args...)
	if code == 0 || !strings.Contains(stderr, errnoText(errno)) {
		e.t.Errorf("%s %s: exit %d, says %q, want %q; printed %q", name, strings.Join(args, " "), code, head(stderr, 3), errnoText(errno), head(stdout, 3))
	}
}

// errnoText is what the C library says, which has capitals where Go has none.
func errnoText(errno syscall.Errno) string {
	return map[syscall.Errno]string{
		syscall.EACCES: "Permission denied", syscall.EIO: "Input/output error", syscall.ETIMEDOUT: "Connection timed out",
		syscall.ENOSPC: "No space left on device", syscall.EROFS: "Read-only file system", syscall.ENOENT: "No such file or directory",
	}[errno]
}

// graphDown makes Graph answer like this until faults is called again.
func (e *env) graphDown(rule core.FaultRule) {
	e.t.Helper()
	rule.Host = "graph"
	e.faults(rule)
}

// TestUnreachable: without the services nothing new can be mounted, and what is known is served as long as it takes.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	down := core.FaultRule{Reset: true}
	e.faults(down)
	e.expect(5, []string{"connection contoso", "connection box"}, "mount", e.point)
	e.faults()
	m := e.mount()
	inbox := e.must("ls", "-l", alice+"/mail/Inbox")
	month := filepath.Dir(strings.TrimPrefix(m.newest("*.md"), m.point+"/"))
	e.must("ls", month)
	text := e.must("grep", "-r", "", month, "--include=*.md")
	m.umount()

	e.faults(down)
	m = e.mount("--max-age", "1s") // mounts without a word from the services
	if got := e.must("ls", "-l", alice+"/mail/Inbox"); got != inbox {
		t.Errorf("the cached Inbox changed:\n%s\nwas:\n%s", head(got, 5), head(inbox, 5))
	}
	if got := e.must("grep", "-r", "", month, "--include=*.md"); got != text {
		t.Error("the cached messages changed")
	}
	e.fails(syscall.EIO, "ls", "contoso/teams/chats")
	e.expect(0, []string{"FAILED", "service unavailable"}, "status")
	e.faults()
	e.poll("the chats after the outage", func() bool {
		_, _, code := e.tool("ls", "contoso/teams/chats")
		return code == 0
	})
	m.umount()
	e.faults(down)
	e.expect(5, []string{"service unavailable"}, "api", "GET", "/me", "-c", "contoso")
}

// poll waits for something that must become true.
func (e *env) poll(what string, is func() bool) {
	e.t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			e.t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// TestNonsense: answers that are no answers give an errno, no panic, and nothing that stays wrong.
func TestNonsense(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	m := e.mount("-c", "contoso", "--op-timeout", "8s")
	cut := int64(20)
	for _, c := range []struct {
		name  string
		errno syscall.Errno
		rule  core.FaultRule
	}{
		{"503 of a gateway", syscall.EIO, core.FaultRule{Status: 503, Body: "<html><body>Service Unavailable</body></html>", Headers: map[string]string{"Content-Type": "text/html"}}},
		{"200 of a portal", syscall.EIO, core.FaultRule{Status: 200, Body: "<html>Log in to the hotel's network</html>", Headers: map[string]string{"Content-Type": "text/html"}}},
		{"cut JSON", syscall.EIO, core.FaultRule{BodyCut: &cut}},
		{"other JSON", syscall.EIO, core.FaultRule{Status: 200, Body: []any{1, "two", nil}}},
		{"wrong types", syscall.EIO, core.FaultRule{Status: 200, Body: map[string]any{"value": map[string]any{"id": []int{1}}}}},
		{"redirect elsewhere", syscall.EIO, core.FaultRule{Status: 302, Headers: map[string]string{"Location": "https://elsewhere.example/v1.0/me"}}},
		{"reset", syscall.EIO, core.FaultRule{Reset: true}},
		{"forbidden", syscall.EACCES, core.FaultRule{Status: 403, Body: map[string]any{"error": map[string]any{"code": "ErrorAccessDenied", "message": "no"}}}},
		{"storm", syscall.ETIMEDOUT, core.FaultRule{Status: 429, Headers: map[string]string{"Retry-After": "3600"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e.graphDown(c.rule)
			e.fails(c.errno, "ls", alice+"/mail/Archive")
			e.faults()
		})
	}
	m.umount()
	// A new process, since this one has been told to wait for an hour.
	m = e.mount("-c", "contoso")
	e.must("ls", alice+"/mail/Archive")
	m.umount()
}

// TestHanging: a reader of a service that does not answer can be interrupted, and does not keep others waiting.
func TestHanging(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	m := e.mount()
	e.must("ls", "box/files")
	e.graphDown(core.FaultRule{Delay: core.Duration(10 * time.Minute)})
	before := m.status().FUSERequests["LOOKUP"]
	ls := exec.Command("ls", m.path(alice, "mail"))
	if err := ls.Start(); err != nil {
		t.Fatal(err)
	}
	e.poll("the request of ls", func() bool { return m.status().FUSERequests["LOOKUP"] > before })
	e.must("ls", "-R", "box/files")
	if err := ls.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- ls.Wait() }()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("ls can't be interrupted")
	}
	// With the request still hanging, the mount ends.
	m.umount()
}

// TestDeadline: what a service does not answer in time is ETIMEDOUT.
func TestDeadline(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	m := e.mount("-c", "contoso", "--op-timeout", "1s")
	e.graphDown(core.FaultRule{Delay: core.Duration(10 * time.Minute)})
	e.fails(syscall.ETIMEDOUT, "ls", alice+"/mail")
	e.faults()
	e.poll("the mail after the hang", func() bool {
		_, _, code := e.tool("ls", alice+"/mail")
		return code == 0
	})
	m.umount()
}

// TestCertificates: a server that can't prove who it is gets nothing.
func TestCertificates(t *testing.T) {
	t.Parallel()
	tlsDir := t.TempDir()
	e := newEnv(t, sim.Options{TLSDir: tlsDir})
	m := e.mount()
	e.must("ls", alice+"/mail/Inbox")
	e.must("ls", "box/files")
	m.umount()
	e.cache, e.state = e.path("other cache"), e.path("other state")
	good := read(t, e.config)
	e.editConfig(func(s string) string { return regexp.MustCompile(`(?m)^ca_file.*$`).ReplaceAllString(s, "") })
	e.expect(5, []string{"certificate"}, "mount", e.point)
	e.write(e.config, strings.ReplaceAll(good, "ca_file = \"", "ca_file = \"/nowhere"))
	e.expect(1, []string{"ca_file"}, "mount", e.point)
	e.write(e.path("not-a-ca.pem"), "hello")
	e.write(e.config, regexp.MustCompile(`(?m)^ca_file.*$`).ReplaceAllString(good, "ca_file = \""+e.path("not-a-ca.pem")+"\""))
	e.expect(1, []string{"no certificate in PEM form"}, "mount", e.point)
	// Signed by an authority that is trusted here, but for another name.
	other := httptest.NewTLSServer(http.NotFoundHandler())
	defer other.Close()
	pem := e.path("other.pem")
	writeCertificate(t, pem, other)
	u, err := url.Parse(other.URL)
	if err != nil {
		t.Fatal(err)
	}
	wrong := strings.ReplaceAll(good, e.sim.Ready().Login, "https://localhost:"+u.Port())
	e.write(e.config, regexp.MustCompile(`(?m)^ca_file.*$`).ReplaceAllString(wrong, "ca_file = \""+pem+"\""))
	e.expect(5, []string{"certificate is valid for"}, "mount", e.point, "-c", "contoso")
	e.write(e.config, good)
	m = e.mount()
	e.must("ls", alice+"/mail/Inbox")
	m.umount()
}

// TestForeignLink: a link of the service to another host is not followed, and no token goes there.
func TestForeignLink(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	visited := make(chan *http.Request, 100)
	thief := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		visited <- r
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"value": []any{}})
	}))
	defer thief.Close()
	graph, err := url.Parse(e.sim.Ready().Graph)
	if err != nil {
		t.Fatal(err)
	}
	// A proxy that gives every list a next page at the thief's.
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(graph)
		r.Out.Header.Del("Accept-Encoding")
	}}
	proxy.ModifyResponse = func(res *http.Response) error {
		if !strings.Contains(res.Request.URL.Path, "/channels") {
			return nil
		}
		return rewrite(res, func(v map[string]any) {
			if _, list := v["value"]; list {
				v["@odata.nextLink"] = thief.URL + "/v1.0/next"
			}
		})
	}
	front := httptest.NewServer(proxy)
	defer front.Close()
	e.editConfig(func(s string) string { return strings.ReplaceAll(s, e.sim.Ready().Graph, front.URL) })
	m := e.mount("-c", "contoso")
	e.must("ls", "contoso/teams/channels")
	e.fails(syscall.EIO, "ls", "contoso/teams/channels/Engineering")
	if !strings.Contains(m.logged(), "is not followed") {
		t.Errorf("the log does not tell:\n%s", head(m.logged(), 10))
	}
	e.must("ls", alice+"/mail/Inbox")
	m.umount()
	select {
	case r := <-visited:
		t.Errorf("the thief got %s %s with %q", r.Method, r.URL, r.Header)
	default:
	}
	if _, err := os.Stat(e.point); err != nil {
		t.Error(err)
	}
}
