package graph

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/workfs/workfs/backends/sim/core"
)

// maxBatch is how many requests a batch may hold (json-batching.md).
const maxBatch = 20

// batchParallel is how many items of a batch run at a time; Outlook takes no more per mailbox.
const batchParallel = 4

type batchItem struct {
	ID        string            `json:"id"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	Body      json.RawMessage   `json:"body"`
	DependsOn []string          `json:"dependsOn"`

	done   chan struct{}
	answer batchAnswer
}

type batchAnswer struct {
	ID      string            `json:"id"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    any               `json:"body,omitempty"`
}

// batch serves POST /$batch.
func (s *Server) batch(cr *core.Request) {
	r := &Request{Request: cr, server: s, Caller: identityOf(cr.Request).caller}
	var envelope struct {
		Requests []*batchItem `json:"requests"`
	}
	if !r.ReadJSON(&envelope) {
		return
	}
	items, problem := checkBatch(envelope.Requests)
	if problem != "" {
		r.Error(http.StatusBadRequest, "BadRequest", problem)
		return
	}
	slots := make(chan struct{}, batchParallel)
	var wg sync.WaitGroup
	for _, it := range envelope.Requests {
		wg.Go(func() {
			defer close(it.done)
			for _, id := range it.DependsOn {
				dep := items[strings.ToLower(id)]
				<-dep.done
				if dep.answer.Status >= 400 {
					it.answer = failedItem(it.ID, http.StatusFailedDependency, "FailedDependency",
						"This request depends on one or more requests that failed.")
					return
				}
			}
			slots <- struct{}{}
			defer func() { <-slots }()
			it.answer = s.runItem(r, it)
		})
	}
	wg.Wait()
	answers := make([]batchAnswer, len(envelope.Requests))
	for i, it := range envelope.Requests {
		answers[i] = it.answer
	}
	shuffle := r.World.Rand("batch " + r.W.Header().Get("request-id"))
	shuffle.Shuffle(len(answers), func(i, j int) { answers[i], answers[j] = answers[j], answers[i] })
	r.JSON(http.StatusOK, map[string]any{"responses": answers})
}

// checkBatch gives the items by their id in lower case, or what is wrong with the whole batch.
func checkBatch(list []*batchItem) (map[string]*batchItem, string) {
	if len(list) == 0 {
		return nil, "Invalid batch payload format."
	}
	if len(list) > maxBatch {
		return nil, fmt.Sprintf("Number of batch request steps exceeds the maximum value of %d.", maxBatch)
	}
	items := map[string]*batchItem{}
	for _, it := range list {
		if it == nil || it.ID == "" || it.Method == "" || it.URL == "" {
			return nil, "Invalid batch payload format."
		}
		key := strings.ToLower(it.ID)
		if items[key] != nil {
			return nil, "Request Id's must be unique. Duplicate id: " + it.ID
		}
		it.done = make(chan struct{})
		// Only earlier items can be depended on, so there are no circles.
		for _, dep := range it.DependsOn {
			if items[strings.ToLower(dep)] == nil {
				return nil, fmt.Sprintf("Request Id %s depends on %s, which is not an earlier request of the batch.", it.ID, dep)
			}
		}
		items[key] = it
	}
	return items, ""
}

func failedItem(id string, status int, code, message string) batchAnswer {
	return batchAnswer{ID: id, Status: status, Headers: map[string]string{"Content-Type": "application/json"},
		Body: map[string]any{"error": map[string]any{"code": code, "message": message}}}
}

// runItem serves one item through the router.
func (s *Server) runItem(r *Request, it *batchItem) batchAnswer {
	target := Version + "/" + strings.TrimPrefix(it.URL, "/")
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return failedItem(it.ID, http.StatusBadRequest, "BadRequest", "Invalid request URL.")
	}
	header := http.Header{}
	for k, v := range it.Headers {
		header.Set(k, v)
	}
	header.Set("Authorization", r.Header.Get("Authorization"))
	body := []byte(it.Body)
	if media := header.Get("Content-Type"); len(body) > 0 && body[0] == '"' && !strings.HasPrefix(media, "application/json") {
		var text string
		_ = json.Unmarshal(body, &text)
		if body, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "=")); err != nil || media == "" {
			return failedItem(it.ID, http.StatusBadRequest, "BadRequest", "Invalid batch payload format: body of request "+it.ID+".")
		}
	}
	if bytes.Equal(body, []byte("null")) {
		body = nil
	}
	req := (&http.Request{
		Method: strings.ToUpper(it.Method), URL: u, RequestURI: target, Host: r.Host, Header: header, Proto: r.Proto,
		ProtoMajor: r.ProtoMajor, ProtoMinor: r.ProtoMinor, RemoteAddr: r.RemoteAddr,
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}).WithContext(r.Context())
	rec := &recorder{header: http.Header{}}
	s.router.ServeItem(rec, req)
	return rec.answer(it.ID)
}

// recorder keeps the answer of an item.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *recorder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// itemHeaders are those that Graph repeats in an item's answer.
var itemHeaders = []string{"Content-Type", "Location", "Retry-After", "Preference-Applied", "Etag", "Cache-Control", "Odata-Version",
	"Www-Authenticate", "Ratelimit-Limit", "Ratelimit-Remaining", "Ratelimit-Reset"}

func (w *recorder) answer(id string) batchAnswer {
	a := batchAnswer{ID: id, Status: w.status, Headers: map[string]string{}}
	for k := range w.header {
		if slices.Contains(itemHeaders, k) {
			a.Headers[k] = w.header.Get(k)
		}
	}
	switch {
	case w.body.Len() == 0:
	case strings.HasPrefix(w.header.Get("Content-Type"), "application/json") && json.Valid(w.body.Bytes()):
		a.Body = json.RawMessage(w.body.Bytes())
	default:
		a.Body = base64.StdEncoding.EncodeToString(w.body.Bytes())
	}
	return a
}
