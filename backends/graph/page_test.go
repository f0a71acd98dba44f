package graph

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// FuzzPage compares the decoding of a page with that of encoding/json, which takes names in any case.
func FuzzPage(f *testing.F) {
	for _, s := range []string{
		`{"value":[]}`, ` { "value" : [ {"id":"1"} , null,2, "x" ,[]] , "@odata.count":3,"@odata.nextLink":"https://x/y\u0026z","other":{"value":[1]} } `,
		`{"value":[{"id":1}],"@odata.deltaLink":"x"}`, `{"value":null}`, `{"value":[1],"value":[2,3]}`, `{"value":[1],"value":null}`, `{}`, `null`, `[]`, `"x"`, ``, ` `,
		`{"value":{}}`, `{"value":[1],"@odata.count":"3"}`, `{"value":[1],"@odata.count":null,"@odata.nextLink":null}`, `{"value":[1],"@odata.count":1.5}`, `{"value":[1`,
		`{"value":[1]`, `{"value":[1]}}`, `{"value":[1]} {}`, `{"value":[1,]}`, `{"value":1,"x"`, "{\"value\":[\"\xff\\ud800\"]}", `{"v\u0061lue":[{"a":1,"a":2}]}`,
		`{"@odata.nextLink":5,"value":[}`, "{\"value\":[\"a\nb\"]}", strings.Repeat("[", 10001), `{"value":` + strings.Repeat("[", 9999) + strings.Repeat("]", 9999) + `}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var want struct {
			Value []json.RawMessage `json:"value"`
			Count *int64            `json:"@odata.count"`
			Next  string            `json:"@odata.nextLink"`
			Delta string            `json:"@odata.deltaLink"`
		}
		lower := strings.ToLower(string(raw))
		for _, name := range []string{"value", "@odata.count", "@odata.nextLink", "@odata.deltaLink", `\u`, "ſ", "\u212a"} {
			if strings.Count(lower, strings.ToLower(name)) != strings.Count(string(raw), name) {
				t.Skip()
			}
		}
		var got pageBody
		err, failed := json.Unmarshal(raw, &want), got.DecodeJSON(raw)
		var mismatch, mismatched *json.UnmarshalTypeError
		if (err == nil) != (failed == nil) || errors.As(err, &mismatch) != errors.As(failed, &mismatched) {
			t.Fatalf("%q: %v, encoding/json says %v", raw, failed, err)
		}
		if err == nil && !reflect.DeepEqual(got, pageBody(want)) {
			t.Fatalf("%q:\n got %+v\nwant %+v", raw, got, want)
		}
	})
}
