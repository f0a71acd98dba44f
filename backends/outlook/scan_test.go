package outlook

import (
	"encoding/json"
	"reflect"
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

// FuzzMembers compares the scanner with encoding/json, and sees that it survives what is not JSON.
func FuzzMembers(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":1}`, `{"a":"\\\"","b":[{}],"c":{"d":[1,2]}}`, `{"a":`, `{"a"`, `{`, `{"a":"`, `{"a":"\`, `{"":null,"é":true}`, `{"a" : 1 }`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := map[string]string{}
		ok := members(raw, func(name, value []byte, from, to int) {
			got[text([]byte(`"`+string(name)+`"`))] = string(value)
			if from < 0 || to > len(raw) || from >= to {
				t.Fatalf("member at %d to %d of %d", from, to, len(raw))
			}
		})
		var want map[string]json.RawMessage
		if !json.Valid(raw) || json.Unmarshal(raw, &want) != nil || want == nil {
			return
		}
		if !ok {
			t.Fatalf("%s was not read", raw)
		}
		same := map[string]string{}
		for k, v := range want {
			same[k] = string(v)
		}
		if len(got) != len(same) || !reflect.DeepEqual(got, same) {
			// Names that are not valid UTF-8 come out of encoding/json replaced.
			for k := range same {
				if _, ok := got[k]; !ok && json.Valid(raw) && !containsReplacement(k) {
					t.Fatalf("%s has %q, want %q", raw, got, same)
				}
			}
		}
	})
}

func containsReplacement(s string) bool {
	for _, r := range s {
		if r == '\uFFFD' {
			return true
		}
	}
	return false
}
