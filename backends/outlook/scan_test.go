package outlook

import (
	"encoding/json"
	"testing"
)

func TestScanFacts(t *testing.T) {
	raw := []byte(` { "@odata.etag" : "W/\"x\"" ,"id":"A\u0041=","isDraft":true,"body":{"id":"no","content":"a \"}\\"},
		"list":[{"id":1},"]"],"receivedDateTime":"2026-11-20T09:12:33Z","n":-1.5e3,"changeKey":null,
		"from":{"emailAddress":{"name":"{\"","address":"bob@contoso.com"}} } `)
	if !json.Valid(raw) {
		t.Fatal("the sample is no JSON")
	}
	var x facts
	if !scanFacts(raw, &x) {
		t.Fatal("the sample was not read")
	}
	want := facts{ID: "AA=", ETag: `W/"x"`, Received: "2026-11-20T09:12:33Z", IsDraft: true, From: "bob@contoso.com"}
	if x != want {
		t.Errorf("got %+v, want %+v", x, want)
	}
	if scanFacts([]byte(`["id"]`), &x) || scanFacts(nil, &x) {
		t.Error("what is no object was read")
	}
}

func TestCanonical(t *testing.T) {
	for in, want := range map[string]string{
		`{"@odata.type":"#microsoft.graph.message","id":"1","a":{"@odata.type":"#microsoft.graph.message"}}`: `{"id":"1","a":{"@odata.type":"#microsoft.graph.message"}}`,
		`{"id":"1", "@odata.type" : "#microsoft.graph.message"}`:                                             `{"id":"1"}`,
		`{"@odata.context":"x","id":"1"}`:                                                                    `{"id":"1"}`,
		`{"@odata.type":"#microsoft.graph.eventMessage","id":"1"}`:                                           `{"@odata.type":"#microsoft.graph.eventMessage","id":"1"}`,
	} {
		var x facts
		scanFacts([]byte(in), &x)
		if got := string(canonical([]byte(in), &x, "#microsoft.graph.message")); got != want {
			t.Errorf("%s becomes %s, want %s", in, got, want)
		}
	}
}
