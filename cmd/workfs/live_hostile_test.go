package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim"
)

// inboxNow mounts a mailbox behind a tunnel and has its newest month of the Inbox live, with a message of its own in it
// that was delivered.
func (e *env) inboxNow(u *tunnel, args ...string) (m *mnt, month string) {
	e.t.Helper()
	c := e.cloud()
	c.message("inbox", "the first", "text")
	m = e.mount(append(append(slices.Clone(u.flags), "-c", "contoso"), args...)...)
	month = alice + "/mail/Inbox/" + time.Now().UTC().Format("2006-01")
	m.awaitLive(month)
	c.message("inbox", "delivered", "text")
	e.poll("a delivered message", func() bool { return len(with(m.entries(month), "delivered")) == 1 })
	return m, month
}

// TestLiveRefusals: what is no delivery of the service is refused with the status that fits, changes nothing, and is logged
// once however often it comes.
func TestLiveRefusals(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	e.features("mail", "calendar", "contacts")
	u := newTunnel(t)
	m, month := e.inboxNow(u)
	e.readAll(month)
	path, body := u.latest()
	names := m.entries(month)
	e.quiet()

	address := "http://" + u.flags[1]
	post := func(path, kind string, body []byte) int {
		t.Helper()
		res, err := http.Post(address+path, kind, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		answer, err := io.ReadAll(res.Body)
		if err != nil || len(answer) > 0 {
			t.Errorf("the answer says %q %v", answer, err)
		}
		return res.StatusCode
	}
	const json = "application/json"
	forged := bytes.Replace(body, []byte(`"clientState":"`), []byte(`"clientState":"x`), 1)
	if bytes.Equal(forged, body) {
		t.Fatalf("the delivery has no clientState: %s", body)
	}
	for range 3 {
		for _, c := range []struct {
			name, path, kind string
			body             []byte
			status           int
		}{
			{"forged", path, json, forged, http.StatusAccepted}, // a forger learns nothing
			{"replayed", path, json, body, http.StatusAccepted},
			{"malformed", path, json, []byte(`{"value":[{`), http.StatusBadRequest},
			{"of another kind", path, "image/png", body, http.StatusUnsupportedMediaType},
			{"oversized", path, json, bytes.Repeat([]byte(" "), 1<<20+1), http.StatusRequestEntityTooLarge},
			{"elsewhere", "/nowhere", json, body, http.StatusNotFound},
			{"beside", path + "x", json, body, http.StatusNotFound},
		} {
			if got := post(c.path, c.kind, c.body); got != c.status {
				t.Errorf("%s: %d, want %d", c.name, got, c.status)
			}
		}
	}
	// A body that does not come is not waited for without end, and holds up nobody.
	slow, err := net.Dial("tcp", u.flags[1])
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	fmt.Fprintf(slow, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{", path)
	e.cloud().message("inbox", "meanwhile", "text")
	e.poll("a message meanwhile", func() bool { return len(with(m.entries(month), "meanwhile")) == 1 })
	e.asked("the message", 1)
	if err := slow.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(slow); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") {
		t.Errorf("the slow delivery got %q %v", answer, err)
	}

	after := slices.DeleteFunc(m.entries(month), func(name string) bool { return strings.Contains(name, "meanwhile") })
	same(t, "names", names, after)
	e.asked("all of them", 0)
	log := m.logged()
	for _, problem := range []string{"clientState is wrong", "malformed notification", "content type is neither", "body too large", "unknown address", "unknown subscription address", "body cut off or too slow"} {
		if n := strings.Count(log, problem); n != 1 {
			t.Errorf("%q is logged %d times:\n%s", problem, n, head(log, 20))
		}
	}
	if secret := string(body[bytes.Index(body, []byte(`"clientState":"`))+15:][:16]); strings.Contains(log, secret) {
		t.Errorf("the log tells the secret %q", secret)
	}
	m.umount()
}

// BenchmarkFlood measures how much thousands of forged deliveries a second slow down who reads: what the kernel keeps, and
// what the daemon serves from its cache. Who sends them shares this machine's processors with the reader, so the same flood
// goes to a server that does nothing, for comparison.
func BenchmarkFlood(b *testing.B) {
	e := newEnv(b, sim.Options{Scale: 2000})
	e.features("mail", "calendar", "contacts")
	u := newTunnel(b)
	m, month := e.inboxNow(u)
	inbox := filepath.Dir(month)
	e.readAll(inbox)
	path, body := u.latest()
	forged := bytes.Replace(body, []byte(`"clientState":"`), []byte(`"clientState":"x`), 1)
	idle := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusAccepted) }))
	defer idle.Close()
	drop := func() {
		// What a reader gets next comes from the daemon.
		if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0); err != nil {
			b.Skipf("SKIPPED: the kernel's caches can't be dropped: %v", err)
		}
	}
	for _, r := range []struct {
		name  string
		drop  bool
		reads int
	}{{"warm", false, 5}, {"daemon", true, 1}} {
		read := func() time.Duration {
			if r.drop {
				drop()
			}
			start := time.Now()
			for range r.reads {
				e.must("grep", "-rc", "budget", inbox)
			}
			return time.Since(start)
		}
		b.Run(r.name, func(b *testing.B) {
			var calm, other, flooded []time.Duration
			var deliveries int
			var took, spent time.Duration
			for range b.N {
				calm = append(calm, read())
				f := newFlood(b, idle.URL, forged)
				other = append(other, read())
				f.end()
				before := m.processor()
				f = newFlood(b, "http://"+u.flags[1]+path, forged)
				flooded = append(flooded, read())
				n, d := f.end()
				deliveries, took, spent = deliveries+n, took+d, spent+m.processor()-before
			}
			median := func(d []time.Duration) float64 {
				slices.Sort(d)
				return float64(d[len(d)/2]) / float64(time.Millisecond)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(calm), "calm-ms")
			b.ReportMetric(median(other), "other-ms")
			b.ReportMetric(median(flooded), "flooded-ms")
			b.ReportMetric((median(flooded)/median(other)-1)*100, "%slower")
			b.ReportMetric(float64(deliveries)/took.Seconds(), "deliveries/s")
			b.ReportMetric(float64(spent)/took.Seconds()/1e7, "%processor") // of the daemon, reads included
		})
	}
	m.umount()
}

// flood is a stream of deliveries.
type flood struct {
	stop    chan struct{}
	sending sync.WaitGroup
	sent    atomic.Int64
	start   time.Time
}

// newFlood sends 2,000 deliveries a second until its end.
func newFlood(b *testing.B, address string, body []byte) *flood {
	const rate, senders = 2000, 4
	f := &flood{stop: make(chan struct{}), start: time.Now()}
	for range senders {
		f.sending.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for n := 0; ; n++ {
				select {
				case <-f.stop:
					return
				case <-time.After(time.Until(f.start.Add(time.Duration(n) * time.Second * senders / rate))):
				}
				res, err := client.Post(address, "application/json", bytes.NewReader(body))
				if err != nil {
					b.Error(err)
					return
				}
				_ = res.Body.Close() // empty
				f.sent.Add(1)
			}
		})
	}
	return f
}

// end ends the flood and tells how many deliveries there were in which time.
func (f *flood) end() (int, time.Duration) {
	close(f.stop)
	f.sending.Wait()
	return int(f.sent.Load()), time.Since(f.start)
}

// processor gives the processor time that the process has spent.
func (m *mnt) processor() time.Duration {
	m.e.t.Helper()
	// proc_pid_stat(5): utime and stime in hundredths of a second, after the name in brackets.
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", m.cmd.Process.Pid))
	if err != nil {
		m.e.t.Fatal(err)
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	var sum time.Duration
	for _, f := range fields[11:13] {
		n, err := strconv.Atoi(f)
		if err != nil {
			m.e.t.Fatal(err)
		}
		sum += time.Duration(n) * 10 * time.Millisecond
	}
	return sum
}
