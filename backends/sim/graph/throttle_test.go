package graph_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
	"github.com/workfs/workfs/backends/sim/graph"
)

// TestMailboxConcurrency holds four requests to one mailbox and sends a fifth.
func TestMailboxConcurrency(t *testing.T) {
	f := newFixture(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	f.s.Handle("GET {U}/messages", mail, func(r *graph.Request) {
		arrived <- struct{}{}
		<-release
		ok(r)
	})
	f.s.Handle("GET {U}/events", graph.Perms{App: []string{"Calendars.Read"}}, ok)
	token := f.app("Mail.Read", "Calendars.Read")
	alice, bob := "/users/"+f.c.Alice().ID, "/users/"+f.c.Bob().ID
	statuses := make(chan int, 5)
	request := func(path string) { go func() { statuses <- f.get(token, path).status }() }
	for range 4 {
		request(alice + "/messages")
		<-arrived
	}
	for _, path := range []string{"/messages", "/events"} {
		a := f.get(token, alice+path)
		if a.status != 429 || a.code() != "ApplicationThrottled" || a.header.Get("Retry-After") != "1" {
			t.Errorf("fifth request to %s: %d %s %v", path, a.status, a.text, a.header)
		}
	}
	// By another name it is the same mailbox.
	if a := f.get(token, "/users/alice@contoso.com/events"); a.status != 429 {
		t.Errorf("by address: %d", a.status)
	}
	if a := f.get(token, bob+"/events"); a.status != 200 {
		t.Errorf("another mailbox: %d", a.status)
	}
	request(bob + "/messages")
	<-arrived
	close(release)
	for range 5 {
		if got := <-statuses; got != 200 {
			t.Errorf("one of the first four got %d", got)
		}
	}
	peak := f.w.Stats.Snapshot().PeakConcurrency["mailbox:"+f.c.Alice().ID]
	if peak != 5 {
		t.Errorf("peak %d, want 5: what was tried", peak)
	}
	if a := f.get(token, alice+"/events"); a.status != 200 {
		t.Errorf("after they ended: %d", a.status)
	}
}

func TestRealThrottling(t *testing.T) {
	all := graph.Perms{Delegated: []string{"User.Read"}, App: []string{"User.Read"}}
	tests := []struct {
		name, pattern string
		paths         []string // asked for in turn
		allowed       int      // before the first 429
		app           bool
		wait          time.Duration
	}{
		{"one per channel", "GET /teams/{team}/channels/{channel}/messages", []string{"/teams/t/channels/c/messages"}, 1, true, time.Second},
		{"replies of one channel", "GET /teams/{team}/channels/{channel}/messages/{m}/replies", []string{"/teams/t/channels/c/messages/1/replies", "/teams/t/channels/c/messages/2/replies"}, 1, true, time.Second},
		{"twenty over channels", "GET /teams/{team}/channels/{channel}/messages", nil, 20, true, time.Second},
		{"one per chat", "GET /chats/{chat}/messages", []string{"/chats/c/messages"}, 1, true, time.Second},
		{"four per team", "GET /teams/{team}/channels", []string{"/teams/t/channels"}, 4, true, time.Second},
		{"one chat list per user", "GET /me/chats", []string{"/me/chats"}, 1, false, time.Second},
		{"chat list of the tenant", "GET /users/{user}/chats", []string{"/users/x/chats"}, 20, true, time.Second},
		{"directory units", "GET /groups/{id}/members", []string{"/groups/g/members"}, 1166, true, 10 * time.Second},
		{"drive units", "GET /drives/{drive}/root/children", []string{"/drives/d/root/children"}, 625, true, time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			f.set("throttle", core.ThrottleReal)
			f.s.Handle(tt.pattern, all, ok)
			token := f.user(f.c.Alice(), "User.Read")
			if tt.app {
				token = f.app("User.Read")
			}
			path := func(i int) string {
				if tt.paths == nil {
					return fmt.Sprintf("/teams/t/channels/c%d/messages", i)
				}
				return tt.paths[i%len(tt.paths)]
			}
			var first time.Time
			for i := range tt.allowed {
				if a := f.get(token, path(i)); a.status != 200 {
					t.Fatalf("request %d: %d %s", i, a.status, a.text)
				}
				// Back to just after the window began, or it ends because the machine is slow.
				if i == 0 {
					first = f.w.Clock.Now()
				}
				f.w.Clock.Set(first)
			}
			a := f.get(token, path(tt.allowed))
			secs, err := strconv.Atoi(a.header.Get("Retry-After"))
			if a.status != 429 || err != nil || secs < 1 || time.Duration(secs)*time.Second > tt.wait {
				t.Fatalf("request over the limit: %d, Retry-After %q", a.status, a.header.Get("Retry-After"))
			}
			if strings.HasPrefix(tt.name, "drive") && (a.header.Get("RateLimit-Limit") != "1250" || a.header.Get("RateLimit-Remaining") != "0") {
				t.Errorf("headers %v", a.header)
			}
			f.w.Clock.Advance(time.Duration(secs) * time.Second)
			if a := f.get(token, path(tt.allowed)); a.status != 200 {
				t.Errorf("after the wait: %d %s", a.status, a.text)
			}
		})
	}
}

func TestThrottlingIsOffByDefault(t *testing.T) {
	f := newFixture(t)
	f.s.Handle("GET /chats/{chat}/messages", graph.Perms{App: []string{"Chat.Read.All"}}, ok)
	token := f.app("Chat.Read.All")
	for range 30 {
		if a := f.get(token, "/chats/c/messages"); a.status != 200 {
			t.Fatalf("%d", a.status)
		}
	}
}
