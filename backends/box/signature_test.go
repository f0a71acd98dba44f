package box

import (
	"net/http"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
)

// TestSignature checks the test vector of the fact sheet and what may not pass for it.
func TestSignature(t *testing.T) {
	const (
		body    = `{"type":"webhook_event","id":"e1","trigger":"FILE.RENAMED","webhook":{"id":"1","type":"webhook"},"source":{"id":"42","type":"file","name":"caf\u00e9 a\/b"}}`
		stamp   = "2026-01-02T03:04:05-08:00"
		first   = "primary-test-key"
		second  = "secondary-test-key"
		firstOK = "rySfgmIlt4IfUmly2LQd0PxsH1FMbszmBTHPMkFvexY="
		secOK   = "CaaM5QBTnTNEm1bL9YZ13Mk1Ng5tl1uyB66ViyLM+FQ="
	)
	if len(body) != 156 {
		t.Fatalf("the body has %d bytes", len(body))
	}
	now, err := time.Parse(time.RFC3339, stamp)
	if err != nil {
		t.Fatal(err)
	}
	both := []string{first, second}
	good := map[string]string{
		"BOX-SIGNATURE-VERSION": "1", "BOX-SIGNATURE-ALGORITHM": "HmacSHA256", "BOX-DELIVERY-TIMESTAMP": stamp,
		"BOX-SIGNATURE-PRIMARY": firstOK, "BOX-SIGNATURE-SECONDARY": secOK,
	}
	tests := map[string]struct {
		keys   []string
		change map[string]string
		body   string
		now    time.Time
		ok     bool
	}{
		"both":                  {keys: both, ok: true},
		"primary changed":       {keys: []string{"other", second}, ok: true},
		"secondary changed":     {keys: []string{first, "other"}, ok: true},
		"one key":               {keys: []string{first}, ok: true},
		"one signature":         {keys: both, change: map[string]string{"BOX-SIGNATURE-PRIMARY": ""}, ok: true},
		"both changed":          {keys: []string{"other", "another"}},
		"swapped":               {keys: []string{second, first}},
		"no keys":               {},
		"empty keys":            {keys: []string{"", ""}},
		"no signatures":         {keys: both, change: map[string]string{"BOX-SIGNATURE-PRIMARY": "", "BOX-SIGNATURE-SECONDARY": ""}},
		"malformed signatures":  {keys: both, change: map[string]string{"BOX-SIGNATURE-PRIMARY": "%", "BOX-SIGNATURE-SECONDARY": "%"}},
		"other version":         {keys: both, change: map[string]string{"BOX-SIGNATURE-VERSION": "2"}},
		"other algorithm":       {keys: both, change: map[string]string{"BOX-SIGNATURE-ALGORITHM": "none"}},
		"no time":               {keys: both, change: map[string]string{"BOX-DELIVERY-TIMESTAMP": ""}},
		"the same time, worded": {keys: both, change: map[string]string{"BOX-DELIVERY-TIMESTAMP": "2026-01-02T11:04:05Z"}},
		"decoded and encoded":   {keys: both, body: `{"type":"webhook_event"}`},
		"nine minutes old":      {keys: both, now: now.Add(9 * time.Minute), ok: true},
		"stale":                 {keys: both, now: now.Add(11 * time.Minute)},
		"from the future":       {keys: both, now: now.Add(-11 * time.Minute)},
	}
	for name, tt := range tests {
		h := http.Header{}
		for k, v := range good {
			h.Set(k, v)
		}
		for k, v := range tt.change {
			h.Set(k, v)
		}
		d := &backends.Delivery{Header: h, Body: []byte(body)}
		if tt.body != "" {
			d.Body = []byte(tt.body)
		}
		at := tt.now
		if at.IsZero() {
			at = now
		}
		if problem := verify(d, tt.keys, at); (problem == "") != tt.ok {
			t.Errorf("%s: %q", name, problem)
		}
	}
}

func TestRealtimeServer(t *testing.T) {
	entry := func(s string) string { return `{"chunk_size":1,"entries":[{"type":"realtime_server",` + s + `}]}` }
	tests := map[string]struct {
		url     string // "" for a refusal
		retries int
		timeout time.Duration
	}{
		entry(`"url":"http://2.realtime.services.box.net/subscribe?channel=c","ttl":"10","max_retries":"10","retry_timeout":610`): {"https://2.realtime.services.box.net/subscribe?channel=c", 10, 610 * time.Second},
		entry(`"url":"http://2.realtime.services.box.net:80/s","max_retries":3,"retry_timeout":"20"`):                             {"https://2.realtime.services.box.net/s", 3, 20 * time.Second},
		entry(`"url":"https://a.b/s"`):                                  {"https://a.b/s", 10, 610 * time.Second},
		entry(`"url":"http://127.0.0.7:90/s","retry_timeout":99999999`): {"http://127.0.0.7:90/s", 10, time.Hour},
		entry(`"url":"https://u:p@a.b/s"`):                              {},
		entry(`"url":"ftp://a.b/s"`):                                    {},
		entry(`"url":"/s"`):                                             {},
		`{"entries":[]}`:                                                {},
		`null`:                                                          {},
		`<html>`:                                                        {},
	}
	for body, want := range tests {
		got, err := decodeRealtime([]byte(body))
		if (err == nil) != (want.url != "") {
			t.Errorf("%s: %v", body, err)
			continue
		}
		if err == nil && (got.url.String() != want.url || got.retries != want.retries || got.timeout != want.timeout) {
			t.Errorf("%s: %s %d %v", body, got.url, got.retries, got.timeout)
		}
	}
}

func TestSources(t *testing.T) {
	const whole = `{"type":"folder","id":12,"etag":"3","sequence_id":4,"name":"n","created_at":null,"modified_at":null,"item_status":"active","parent":{"id":"0"}}`
	for raw, want := range map[string]struct {
		ok, whole bool
		parent    text
	}{
		whole:                                    {true, true, "0"},
		`{"type":"folder","id":"12","etag":"3"}`: {ok: true},
		`{"item_type":"file","item_id":"7","item_name":"n","parent":{"id":"5"}}`: {ok: true, parent: "5"},
		`{"type":"collaboration","id":"1"}`:                                      {},
		`{"type":"user","id":"1"}`:                                               {},
		`{}`:                                                                     {}, `null`: {}, `[]`: {}, `"x"`: {},
	} {
		s, ok := decodeSource([]byte(raw))
		if ok != want.ok || s.whole != want.whole || s.Parent.V.ID != want.parent {
			t.Errorf("%s: %+v %v", raw, s, ok)
		}
	}
	if s, _ := decodeSource([]byte(whole)); s.ID != "12" || number(s.Sequence) != 4 || number(s.ETag) != 3 {
		t.Errorf("%+v", s)
	}
	if !backwards("99", "100") || backwards("1152922976252290886", "1152922976252290885") || !backwards("1152922976252290885", "1152922976252290886") {
		t.Error("positions are not compared as numbers")
	}
}

func TestRecent(t *testing.T) {
	r := newRecent[int](2)
	for i, k := range []string{"a", "b", "a", "c"} {
		if forgot := r.put(k, i); forgot != (k == "c") {
			t.Errorf("%s: forgot %v", k, forgot)
		}
	}
	if _, ok := r.get("a"); ok {
		t.Error("the oldest is still there")
	}
	if v, ok := r.get("c"); !ok || v != 3 {
		t.Errorf("c is %d", v)
	}
	r.clear()
	if _, ok := r.get("b"); ok || r.put("d", 1) {
		t.Error("it is not empty")
	}
}
