package box

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/workfs/workfs/backends"
)

func TestOddJSON(t *testing.T) {
	for in, want := range map[string]text{
		`"42"`: "42", `42`: "42", `1.2e+3`: "1200", `null`: "", `[]`: "", `{"a":1}`: "", `true`: "", `1152922976252290886`: "1152922976252290886",
		`1e999999999`: "1e999999999", `"1e3"`: "1e3", `0.5`: "0.5", `""`: "",
	} {
		var got text
		if err := json.Unmarshal([]byte(in), &got); err != nil || got != want {
			t.Errorf("text %s: %q %v, want %q", in, got, err, want)
		}
	}
	for in, want := range map[string]count{
		`0`: 0, `12`: 12, `1.0034576983313e+14`: 100345769833130, `1e+18`: 1e18, `1e19`: -1, `1e999999999`: -1, `-5`: -1, `"7"`: 7,
		`[]`: -1, `9223372036854775807`: 9223372036854775807, `9223372036854775808`: -1,
	} {
		var got count
		if err := json.Unmarshal([]byte(in), &got); err != nil || got != want {
			t.Errorf("count %s: %d %v, want %d", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		`"2026-11-20T04:00:00-08:00"`: "2026-11-20T12:00:00Z", `"2026-11-20T12:00:00+00:00"`: "2026-11-20T12:00:00Z", `null`: "", `"soon"`: "", `7`: "", `[]`: "",
	} {
		var got when
		if err := json.Unmarshal([]byte(in), &got); err != nil || got.String() != want {
			t.Errorf("when %s: %s %v, want %s", in, got, err, want)
		}
	}
}

func TestEntryOfOddItems(t *testing.T) {
	b := &Backend{account: signIn{account: account{ID: "7"}}}
	decode := func(s string) (backends.Entry, bool) {
		t.Helper()
		var it item
		if err := json.Unmarshal([]byte(s), &it); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		return b.entry("7", it)
	}
	e, ok := decode(`{"type":"file","id":5,"etag":3,"name":"a.txt","size":1.2e+3,"sha1":"AB","file_version":{"id":9},"permissions":[],"lock":[],
		"created_at":"2026-01-01T00:00:00-08:00","modified_at":"2026-01-02T03:04:05-08:00","content_modified_at":null,"new":{"x":1}}`)
	if !ok || e.ID != "7|file|5" || e.Version != "9:AB" || e.Size != 1200 || !e.Ranged || e.Body != nil || e.Name.Stem != "a.txt" || !e.Name.User {
		t.Errorf("%+v", e)
	}
	if !e.Mtime.Equal(time.Date(2026, 1, 2, 11, 4, 5, 0, time.UTC)) || !e.Ctime.Truncate(time.Second).Equal(e.Mtime) || e.Ctime.Equal(e.Mtime) {
		t.Errorf("times %v %v", e.Mtime, e.Ctime)
	}
	if e.Info.Hash != "sha1:AB" || e.Info.ETag != "3" {
		t.Errorf("%+v", e.Info)
	}
	if e, _ = decode(`{"type":"file","id":"6","name":"empty","size":0,"file_version":null}`); e.Body == nil || e.Size != 0 || e.Version == "" {
		t.Errorf("empty: %+v", e)
	}
	if e, _ = decode(`{"type":"file","id":"6","name":"no size"}`); e.Body != nil || e.Size != backends.SizeUnknown {
		t.Errorf("no size: %+v", e)
	}
	if e, _ = decode(`{"type":"folder","id":"8","name":null,"modified_at":"2026-01-02T03:04:05Z"}`); !e.IsDir || e.Dir != "folder|7|8" || e.Name.Stem != "folder-8" {
		t.Errorf("folder: %+v", e)
	}
	e, _ = decode(`{"type":"web_link","id":"9","name":"Intranet","url":"https://x.example/\nURL=file:///etc"}`)
	if e.Name.Stem != "Intranet.url" || strings.Count(string(e.Body), "\n") != 2 {
		t.Errorf("link: %q %q", e.Name.Stem, e.Body)
	}
	// File and folder of one number are two items.
	x, _ := decode(`{"type":"folder","id":"5","name":"x"}`)
	y, _ := decode(`{"type":"file","id":"5","name":"x"}`)
	if x.ID == y.ID {
		t.Error("a file and a folder share an identity")
	}
	for _, s := range []string{`{"type":"hologram","id":"1","name":"x"}`, `{"type":"file","id":"1","name":"x","item_status":"trashed"}`} {
		if _, ok := decode(s); ok {
			t.Errorf("%s is shown", s)
		}
	}
	// The version follows the content, the stamp also the name.
	before, _ := decode(`{"type":"file","id":"1","etag":"1","name":"a","size":3,"sha1":"x","file_version":{"id":"1"},"modified_at":"2026-01-02T03:04:05Z"}`)
	renamed, _ := decode(`{"type":"file","id":"1","etag":"2","name":"b","size":3,"sha1":"x","file_version":{"id":"1"},"modified_at":"2026-01-02T03:04:05Z"}`)
	edited, _ := decode(`{"type":"file","id":"1","etag":"3","name":"a","size":3,"sha1":"y","file_version":{"id":"2"},"modified_at":"2026-01-02T03:04:05Z"}`)
	if before.Version != renamed.Version || before.Version == edited.Version || before.Ctime.Equal(renamed.Ctime) || before.Ctime.Equal(edited.Ctime) {
		t.Errorf("%+v\n%+v\n%+v", before, renamed, edited)
	}
}

func TestForbiddenByLock(t *testing.T) {
	b := &Backend{account: signIn{account: account{ID: "7"}}}
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for s, want := range map[string]bool{
		`{"lock":{"is_download_prevented":true,"created_by":{"id":"8"}}}`:                                     true,
		`{"lock":{"is_download_prevented":true,"created_by":{"id":8},"expired_at":"2026-11-21T00:00:00Z"}}`:   true,
		`{"lock":{"is_download_prevented":true,"created_by":{"id":"8"},"expired_at":"2026-11-19T00:00:00Z"}}`: false,
		`{"lock":{"is_download_prevented":true,"created_by":{"id":"7"}}}`:                                     false,
		`{"lock":{"is_download_prevented":false,"created_by":{"id":"8"}}}`:                                    false,
		`{"permissions":{"can_download":false}}`:                                                              true,
		`{"permissions":{"can_download":true}}`:                                                               false,
		`{"permissions":{}}`:                                                                                  false, `{"permissions":null,"lock":null}`: false,
	} {
		it := item{Type: "file", ID: "1"}
		if err := json.Unmarshal([]byte(s), &it); err != nil {
			t.Fatal(err)
		}
		e, _ := b.entry("7", it)
		var r ref
		if err := json.Unmarshal([]byte(e.Ref), &r); err != nil {
			t.Fatal(err)
		}
		if got := r.forbidden(now); got != want {
			t.Errorf("%s: forbidden %v", s, got)
		}
	}
}

func FuzzItem(f *testing.F) {
	f.Add([]byte(`{"type":"file","id":1e3,"size":1e99,"lock":{"created_by":[]}}`))
	b := &Backend{account: signIn{account: account{ID: "7"}}}
	f.Fuzz(func(t *testing.T, data []byte) {
		var it item
		if json.Unmarshal(data, &it) != nil {
			return
		}
		if e, ok := b.entry("7", it); ok && (e.Size < backends.SizeUnknown || e.Name.Stem == "" || !e.IsDir && e.Version == "") {
			t.Errorf("%+v", e)
		}
	})
}

func TestChecked(t *testing.T) {
	data := []byte("some content")
	sum := sha1.Sum(data)
	for _, tt := range []struct {
		want string
		good bool
	}{{hex.EncodeToString(sum[:]), true}, {strings.Repeat("0", 40), false}} {
		for _, size := range []int64{int64(len(data)), backends.SizeUnknown} {
			c := &checked{ReadCloser: io.NopCloser(iotest.OneByteReader(bytes.NewReader(data))), sum: sha1.New(), want: tt.want, size: size}
			var err error
			if size >= 0 {
				_, err = io.ReadFull(c, make([]byte, size)) // a reader that knows the size need not see EOF
			} else {
				_, err = io.ReadAll(c)
			}
			if good := err == nil; good != tt.good || !good && !errors.Is(err, backends.ErrUnavailable) {
				t.Errorf("size %d, good %v: %v", size, tt.good, err)
			}
		}
	}
}
