package jsonscan

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

var samples = []string{
	`{}`, `{"a":1}`, `{"a":"\\\"","b":[{}],"c":{"d":[1,2]}}`, `{"a":`, `{"a"`, `{`, `{"a":"`, `{"a":"\`, `{"":null,"é":true}`, `{"a" : 1 }`, `[]`, `["a"`,
	`[1, "]" ,[2],{"x":"]"}]`, `["\ud83d\ude42","\ud83d","\ud83d\ud83d\ude42","\ude42x","\u00e9\u003c\/\b\f\n\r\t\"\\"]`, "[\"\xff\xc3\", \"a\xe6\x97\\n\"]",
	`{"a\u0062\"":1,"ab":2}`, `{"a":1,"a":[2]}`, `"x"`, `null`, `{"a":-1.5e3,"b":false}`, "\"\u2028\"", `["\u12"]`, `["\u"]`, `["\ud83d\u12"]`,
}

// FuzzMembers compares Members, String, SetBool and Valid with encoding/json, and sees that they survive what is not JSON.
func FuzzMembers(f *testing.F) {
	for _, s := range samples {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := map[string]string{}
		ok := Members(raw, func(name, value []byte, from, to int) {
			got[String([]byte(`"`+string(name)+`"`))] = string(value)
			if from < 0 || to > len(raw) || from >= to {
				t.Fatalf("member at %d to %d of %d", from, to, len(raw))
			}
			checkValue(t, value)
		})
		if valid := json.Valid(raw); Valid(raw) != valid {
			t.Fatalf("Valid(%q) is %v", raw, !valid)
		}
		var want map[string]json.RawMessage
		if !json.Valid(raw) || json.Unmarshal(raw, &want) != nil || want == nil {
			return
		}
		if !ok {
			t.Fatalf("%s was not read", raw)
		}
		for k, v := range want {
			// A name with a quote or a backslash in it can't be put in quotes as it is.
			if g, ok := got[k]; !strings.ContainsAny(k, "\uFFFD\"\\") && (!ok || g != string(v)) {
				t.Fatalf("%q has %q, want %q", raw, got, want)
			}
		}
	})
}

// FuzzElements compares Elements and String with encoding/json.
func FuzzElements(f *testing.F) {
	for _, s := range samples {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var got []string
		ok := Elements(raw, func(value []byte) {
			got = append(got, string(value))
			checkValue(t, value)
		})
		var elements []json.RawMessage
		if json.Unmarshal(raw, &elements) != nil || elements == nil {
			return
		}
		var want []string
		for _, e := range elements {
			want = append(want, string(e))
		}
		if !ok || !slices.Equal(got, want) {
			t.Fatalf("%q has %q, want %q", raw, got, want)
		}
	})
}

// checkValue compares what a value is taken for with encoding/json.
func checkValue(t *testing.T, value []byte) {
	t.Helper()
	got, flag := "before", true
	SetString(&got, value)
	SetBool(&flag, value)
	if !json.Valid(value) {
		return
	}
	want, wantFlag := "before", true
	if json.Unmarshal(value, &want) == nil && got != want {
		t.Fatalf("%q is %q, want %q", value, got, want)
	}
	if json.Unmarshal(value, &wantFlag) == nil && flag != wantFlag {
		t.Fatalf("%q is %v", value, flag)
	}
}

func TestMembers(t *testing.T) {
	if Members([]byte(`["id"]`), nil) || Members(nil, nil) || Elements([]byte(`{"id":1}`), nil) || Elements(nil, nil) {
		t.Error("what is of another type was read")
	}
	var got []string
	raw := ` {"a\u0062\"" : 1,"ab":"x\ny", "ab":null} `
	if !Members([]byte(raw), func(name, value []byte, from, to int) {
		got = append(got, string(name), string(value), raw[from:to])
	}) {
		t.Fatal("the sample was not read")
	}
	want := []string{`ab"`, `1`, `"a\u0062\"" : 1`, `ab`, `"x\ny"`, `"ab":"x\ny"`, `ab`, `null`, `"ab":null`}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
