package box

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

// poll is one answer of the realtime host.
type poll struct {
	status  int
	message string
	closed  bool // the connection is not used again
	err     error
}

// realtime asks for the address of long polls.
func (f *fixture) realtime(stream string) doc {
	f.Helper()
	d := f.do("OPTIONS", "/events?stream_type="+stream, nil).doc(f)
	servers := d.list("entries")
	if d.str("chunk_size") != "1" || len(servers) != 1 || servers[0].str("type") != "realtime_server" {
		f.Fatalf("realtime servers: %v", d)
	}
	return servers[0]
}

// poll waits at an address as the SDKs do: the position is appended, and the access token comes along.
func (f *fixture) poll(ctx context.Context, address, pos string) <-chan poll {
	f.Helper()
	req, err := http.NewRequestWithContext(ctx, "GET", address+"&stream_position="+pos, nil)
	if err != nil {
		f.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+f.token)
	out := make(chan poll, 1)
	go func() {
		resp, err := f.client.Do(req)
		if err != nil {
			out <- poll{err: err}
			return
		}
		defer resp.Body.Close()
		var m struct{ Message string }
		body, err := io.ReadAll(resp.Body)
		if err == nil && resp.StatusCode == 200 {
			err = json.Unmarshal(body, &m)
		}
		out <- poll{resp.StatusCode, m.Message, resp.Close, err}
	}()
	return out
}

// hears waits for the message of a poll.
func (f *fixture) hears(c <-chan poll, want string) {
	f.Helper()
	select {
	case p := <-c:
		if p.err != nil || p.status != 200 || p.message != want || !p.closed {
			f.Fatalf("poll: %+v, want %s", p, want)
		}
	case <-time.After(30 * time.Second):
		f.Fatalf("the poll never ends, want %s", want)
	}
}

// waiting waits until n polls are held at the realtime host.
func (f *fixture) waiting(n int) {
	f.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		held := f.s.WaitingPolls()
		if held == n {
			return
		}
		if time.Now().After(end) {
			f.Fatalf("%d polls are waiting, want %d", held, n)
		}
	}
}

func TestLongPoll(t *testing.T) {
	f := start(t, core.Options{}, "")
	f.quietly()
	ctx := t.Context()
	server := f.realtime("changes")
	if server.str("retry_timeout") != "610" {
		t.Errorf("server: %v", server)
	}
	for _, key := range []string{"ttl", "max_retries"} {
		if v, ok := server[key].(string); !ok || v != "10" {
			t.Errorf("%s is %v, want a text", key, server[key])
		}
	}
	address := server.str("url")
	if !strings.HasPrefix(address, f.w.Hosts.BoxRealtime+"/subscribe?channel=") || !strings.HasSuffix(address, "&stream_type=changes") {
		t.Errorf("address %s", address)
	}
	f.refused(f.service().api("OPTIONS", "/events?stream_type=admin_logs", nil), 400, "bad_request")

	pos := f.position("changes")
	c := f.poll(ctx, address, pos)
	f.waiting(1)
	f.bob().newFolder("Not Alice's", "0")
	file := f.newFile("a.txt", "0", "a")
	f.hears(c, "new_change")
	f.hears(f.poll(ctx, address, pos), "new_change") // still, from the old position
	events := f.events("changes", pos)
	f.same("events", types(events), "ITEM_UPLOAD "+file)

	// What is on "all" only ends no poll of "changes"; a nudge does, with nothing new.
	pos = f.position("changes")
	c = f.poll(ctx, address, pos)
	f.waiting(1)
	f.do("POST", "/comments", map[string]any{"message": "hm", "item": map[string]string{"type": "file", "id": file}})
	all := f.poll(ctx, f.realtime("all").str("url"), pos)
	f.hears(all, "new_change")
	f.waiting(1)
	f.control(`{"action":"nudge"}`)
	f.hears(c, "new_change")
	f.same("nothing", types(f.events("changes", pos)))

	// Silence ends with reconnect, by the virtual clock.
	c = f.poll(ctx, address, f.position("changes"))
	f.waiting(1)
	f.w.Clock.Advance(9 * time.Minute)
	f.waiting(1)
	f.w.Clock.Advance(2 * time.Minute)
	f.hears(c, "reconnect")

	// An address is good for so many uses.
	address = f.realtime("changes").str("url")
	for range 11 {
		f.hears(f.poll(ctx, address, "0"), "new_change")
	}
	f.hears(f.poll(ctx, address, "0"), "max_retries")
	if p := <-f.poll(ctx, strings.Replace(address, "channel=", "channel=x", 1), "0"); p.status != 404 {
		t.Errorf("unknown channel: %+v", p)
	}
	if p := <-f.poll(ctx, f.realtime("all").str("url"), "x"); p.status != 400 {
		t.Errorf("bad position: %+v", p)
	}

	// Messages that a test asks for.
	address = f.realtime("changes").str("url")
	f.set("box.poll_next", "new_change, reconnect,max_retries,what is this,silence")
	for _, want := range []string{"new_change", "reconnect", "max_retries", "what is this"} {
		f.hears(f.poll(ctx, address, f.position("changes")), want)
	}
	silent, cancel := context.WithCancel(ctx)
	c = f.poll(silent, address, pos)
	f.waiting(1)
	f.newFolder("Unheard", "0")
	f.w.Clock.Advance(time.Hour)
	f.waiting(1)
	cancel()
	if p := <-c; p.err == nil {
		t.Errorf("silence: %+v", p)
	}
	f.waiting(0)
	if leaks := f.w.Stats.Snapshot().Leaks; len(leaks) > 0 {
		t.Errorf("the token leaked: %v", leaks)
	}
}

func TestLateEventsEndNoPoll(t *testing.T) {
	f := start(t, core.Options{}, "")
	f.quietly()
	f.set("box.event_late_percent", 100)
	address, pos := f.realtime("changes").str("url"), f.position("changes")
	c := f.poll(t.Context(), address, pos)
	f.waiting(1)
	dir := f.newFolder("Late", "0")
	f.w.Clock.Advance(31 * time.Second)
	f.same("readable", types(f.events("changes", pos)), "ITEM_CREATE "+dir)
	f.waiting(1)
	f.set("box.event_late_percent", 0)
	f.set("box.event_reorder_percent", 100)
	f.newFolder("Soon", "0")
	f.w.Clock.Advance(3 * time.Second)
	f.hears(c, "new_change")
}

// TestLongPollLikeSDK follows the stream as Box's SDK for Node does: OPTIONS, poll, read from the last position, poll again
// at the same address up to max_retries times, dedupe by id.
func TestLongPollLikeSDK(t *testing.T) {
	f := start(t, core.Options{}, "")
	f.set("box.event_duplicate_percent", 50)
	f.set("box.event_short_percent", 50)
	f.set("box.poll_next", "new_change,max_retries,reconnect,odd")
	const many = 30
	pos := f.position("changes")
	seen, made := map[string]bool{}, 0
	for end := time.Now().Add(time.Minute); len(seen) < many; {
		server := f.realtime("changes")
		most, err := strconv.Atoi(server.str("max_retries"))
		if err != nil {
			t.Fatal(err)
		}
		for tries := 0; tries <= most && len(seen) < many; tries++ {
			for range min(2, many-made) {
				f.newFolder("F"+strconv.Itoa(made), "0")
				made++
			}
			p := <-f.poll(t.Context(), server.str("url"), pos)
			if p.err != nil || time.Now().After(end) {
				t.Fatalf("%d events, then %+v", len(seen), p)
			}
			if p.message == "reconnect" {
				break
			}
			if p.message != "new_change" {
				continue
			}
			d := f.get("/events?stream_type=changes&limit=500&stream_position=" + pos)
			pos = d.str("next_stream_position")
			for _, e := range d.list("entries") {
				seen[e.str("event_id")] = true
			}
		}
	}
	if len(seen) != many || made != many {
		t.Errorf("%d events for %d folders", len(seen), made)
	}
}
