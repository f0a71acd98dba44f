package outlook_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/workfs/workfs/backends/sim/outlook"
)

// TestReadersAndWriters lets everything happen to one mailbox at once, for the race detector, and then checks that a client
// that followed delta all along holds what the folder holds.
func TestReadersAndWriters(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	link, items := f.round(inboxDelta + "?$select=subject&$top=500")
	held := state{}
	held.apply(items)
	var wg sync.WaitGroup
	var mu sync.Mutex
	do := func(work func(i int) (method, path string, body any)) {
		wg.Go(func() {
			for i := range 15 {
				method, path, body := work(i)
				if r := f.alice.Do(method, path, body); r.Status >= 500 || r.Status == http.StatusBadRequest {
					mu.Lock()
					t.Errorf("%s %s: %d %s", method, path, r.Status, r.Body)
					mu.Unlock()
				}
			}
		})
	}
	do(func(i int) (string, string, any) {
		return "POST", "/me/mailFolders/inbox/messages", map[string]any{"subject": fmt.Sprint("draft ", i)}
	})
	ids := ids(items)[:15]
	do(func(i int) (string, string, any) {
		return "PATCH", "/me/messages/" + ids[i], map[string]any{"isRead": i%2 == 0}
	})
	do(func(i int) (string, string, any) {
		return "POST", "/me/messages/" + ids[i] + "/move", map[string]any{"destinationId": "archive"}
	})
	do(func(i int) (string, string, any) {
		return "GET", []string{"/me/messages?$top=50", "/me/mailFolders", "/me/calendarView?" + november, "/me/contacts"}[i%4], nil
	})
	do(func(i int) (string, string, any) {
		return "POST", "/me/events", map[string]any{"subject": "e", "start": map[string]any{"dateTime": "2026-11-20T10:00:00"}, "end": map[string]any{"dateTime": "2026-11-20T11:00:00"}}
	})
	do(func(i int) (string, string, any) {
		return "POST", "/me/mailFolders", map[string]any{"displayName": fmt.Sprint("f", i)}
	})
	wg.Wait()
	_, items = f.round(link)
	held.apply(items)
	now, _ := f.alice.All("/me/mailFolders/inbox/messages?$top=500&$select=id")
	if len(held) != len(now) {
		t.Errorf("the client holds %d messages, the folder %d", len(held), len(now))
	}
	for _, m := range now {
		if held[str(m, "id")] == nil {
			t.Errorf("the client lacks %v", m["id"])
		}
	}
}
