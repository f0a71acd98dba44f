package graph_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends/sim/core"
	"github.com/workfs/workfs/backends/sim/graph"
)

type item struct {
	ID      string
	Status  int
	Headers map[string]string
	Body    json.RawMessage
}

// batch sends a batch and gives the items in the order of the answer.
func (f *fixture) batch(token, body string) (answer, []item) {
	f.t.Helper()
	a := f.call(token, "POST", "/$batch", body, "Content-Type", "application/json")
	var out struct{ Responses []item }
	if err := json.Unmarshal([]byte(a.text), &out); err != nil {
		f.t.Fatalf("%s: %v", a.text, err)
	}
	return a, out.Responses
}

func byID(items []item) map[string]item {
	m := map[string]item{}
	for _, it := range items {
		m[it.ID] = it
	}
	return m
}

func batchFixture(t *testing.T) (*fixture, string) {
	t.Helper()
	f := newFixture(t)
	read := graph.Perms{Delegated: []string{"Mail.Read"}}
	f.s.Handle("GET /me/messages/{message}", read, func(r *graph.Request) {
		if r.Param("message") == "missing" {
			r.NotFound("missing")
			return
		}
		r.JSON(200, map[string]any{"id": r.Param("message"), "immutable": r.Prefer.ImmutableID, "select": r.Query.Select})
	})
	f.s.Handle("GET /me/messages/{message}/$value", read, func(r *graph.Request) { r.Bytes(200, "text/plain", []byte("MIME-Version: 1.0\r\n")) })
	f.s.Handle("GET /drives/{drive}/content", read, func(r *graph.Request) {
		r.W.Header().Set("Location", "http://elsewhere.invalid/x")
		r.Empty(http.StatusFound)
	})
	f.s.Handle("PATCH /me/messages/{message}", read, func(r *graph.Request) {
		var body map[string]any
		if r.ReadJSON(&body) {
			r.JSON(200, body)
		}
	})
	f.s.Handle("PUT /me/photo", read, func(r *graph.Request) {
		buf := make([]byte, 10)
		n, _ := r.Body.Read(buf)
		r.JSON(200, map[string]any{"got": string(buf[:n])})
	})
	return f, f.user(f.c.Alice(), "Mail.Read")
}

func TestBatch(t *testing.T) {
	f, token := batchFixture(t)
	a, items := f.batch(token, `{"requests":[
		{"id":"1","method":"GET","url":"/me/messages/a?$select=id","headers":{"Prefer":"IdType=\"ImmutableId\""}},
		{"id":"2","method":"get","url":"me/messages/missing"},
		{"id":"3","method":"GET","url":"/me/messages/a/$value"},
		{"id":"4","method":"GET","url":"/drives/d/content"},
		{"id":"5","method":"PATCH","url":"/me/messages/a","body":{"isRead":true},"headers":{"Content-Type":"application/json"}},
		{"id":"6","method":"PUT","url":"/me/photo","body":"aGVsbG8","headers":{"Content-Type":"image/jpeg"}},
		{"id":"7","method":"GET","url":"/me/messages/b","dependsOn":["2"]},
		{"id":"8","method":"GET","url":"/me/messages/b","dependsOn":["1"]},
		{"id":"9","method":"PUT","url":"/me/photo","body":"aGVsbG8"}]}`)
	if a.status != 200 || len(items) != 9 {
		t.Fatalf("%d with %d items", a.status, len(items))
	}
	got := byID(items)
	wants := map[string]struct {
		status int
		body   string
	}{
		"1": {200, `{"id":"a","immutable":true,"select":["id"]}`}, "2": {404, "ErrorItemNotFound"},
		"3": {200, `"TUlNRS1WZXJzaW9uOiAxLjANCg=="`}, "4": {302, ""}, "5": {200, `{"isRead":true}`}, "6": {200, `{"got":"hello"}`},
		"7": {424, "FailedDependency"}, "8": {200, `"id":"b"`}, "9": {400, "BadRequest"},
	}
	for id, want := range wants {
		if got[id].Status != want.status || !strings.Contains(string(got[id].Body), want.body) {
			t.Errorf("item %s: %d %s, want %d %s", id, got[id].Status, got[id].Body, want.status, want.body)
		}
	}
	if got["4"].Headers["Location"] != "http://elsewhere.invalid/x" {
		t.Errorf("item 4: headers %v", got["4"].Headers)
	}
	stats := f.w.Stats.Snapshot()
	// Item 9 and 7 never ran.
	if stats.Total != 7 || stats.Batches != 1 || stats.Requests["GET /v1.0/me/messages/{message}"] != 3 {
		t.Errorf("total %d, batches %d, %v: want the items counted one by one", stats.Total, stats.Batches, stats.Requests)
	}
}

func TestBatchEnvelope(t *testing.T) {
	f, token := batchFixture(t)
	many := func(n int) string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf(`{"id":"%d","method":"GET","url":"/me/messages/m%d"}`, i, i))
		}
		return `{"requests":[` + strings.Join(list, ",") + `]}`
	}
	for name, body := range map[string]string{
		"21 requests":            many(21),
		"none":                   `{"requests":[]}`,
		"no JSON":                `{`,
		"duplicate id":           `{"requests":[{"id":"a","method":"GET","url":"/me"},{"id":"A","method":"GET","url":"/me"}]}`,
		"unknown dependency":     `{"requests":[{"id":"a","method":"GET","url":"/me","dependsOn":["b"]}]}`,
		"without id":             `{"requests":[{"method":"GET","url":"/me"}]}`,
		"null":                   `{"requests":[null]}`,
		"dependency upon itself": `{"requests":[{"id":"a","method":"GET","url":"/me","dependsOn":["a"]}]}`,
	} {
		if a, _ := f.batch(token, body); a.status != 400 {
			t.Errorf("%s: %d, want 400", name, a.status)
		}
	}
	if a := f.call("", "POST", "/$batch", many(1)); a.status != 401 {
		t.Errorf("without a token: %d", a.status)
	}
	a, items := f.batch(token, many(20))
	if a.status != 200 || len(items) != 20 {
		t.Fatalf("20 requests: %d with %d items", a.status, len(items))
	}
	if slices.IsSortedFunc(items, func(a, b item) int { return len(a.ID)*100 + int(a.ID[0]) - len(b.ID)*100 - int(b.ID[0]) }) {
		t.Error("the answers come in the order of the requests")
	}
}

func TestBatchItemsAreThrottledOneByOne(t *testing.T) {
	f, token := batchFixture(t)
	f.w.Faults.Set(core.FaultRule{Route: "GET /v1.0/me/messages/b", Status: 429, Headers: map[string]string{"Retry-After": "3"}})
	a, items := f.batch(token, `{"requests":[{"id":"1","method":"GET","url":"/me/messages/a"},{"id":"2","method":"GET","url":"/me/messages/b"}]}`)
	got := byID(items)
	if a.status != 200 || got["1"].Status != 200 || got["2"].Status != 429 || got["2"].Headers["Retry-After"] != "3" {
		t.Errorf("%d %v", a.status, got)
	}
	f.w.Faults.Set(core.FaultRule{Route: "POST *batch", Status: 503})
	if a := f.call(token, "POST", "/$batch", `{"requests":[]}`); a.status != 503 || a.text != "" {
		t.Errorf("fault on the envelope: %d %q", a.status, a.text)
	}
}
