package render

import (
	"encoding/csv"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	at := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	for in, want := range map[string]time.Time{
		"2024-05-06T07:08:09Z":              at,
		"2024-05-06T07:08:09.1Z":            at.Add(100 * time.Millisecond),
		"2024-05-06T07:08:09.123Z":          at.Add(123 * time.Millisecond),
		"2024-05-06T07:08:09.0000000":       at,
		"2024-05-06T07:08:09.1234567Z":      at.Add(123456700),
		"2024-05-06T09:08:09+02:00":         at,
		" 2024-05-06T07:08:09 ":             at,
		"2024-05-06T07:08Z":                 at.Add(-9 * time.Second),
		"2024-05-06":                        at.Truncate(24 * time.Hour),
		"0001-01-01T00:00:00Z":              {},
		"0001-01-01":                        {},
		"0001-01-01T00:00:00.0000000-08:00": {},
		"":                                  {},
		"yesterday":                         {},
		"2024-13-01T00:00:00Z":              {},
		"2024-05-06T07:08:09" + strings.Repeat("0", 100): {},
	} {
		got, ok := ParseTime(in)
		if !got.Equal(want) || ok == want.IsZero() || got.Location() != time.UTC {
			t.Errorf("ParseTime(%q) = %v, %v, want %v", in, got, ok, want)
		}
	}
}

func TestURL(t *testing.T) {
	for _, c := range []struct{ target, comment, want string }{
		{"https://a.b/c(1)?d=e&f=ü#g", "", "[InternetShortcut]\r\nURL=https://a.b/c(1)?d=e&f=ü#g\r\n"},
		{"https://a/\r\nIconFile=\\\\evil\\x", "", "[InternetShortcut]\r\nURL=https://a/%0D%0AIconFile=\\\\evil\\x\r\n"},
		{" https://a b/\u202e\u2028\x00 ", "Q4\r\n[x]", "; Q4 [x]\r\n[InternetShortcut]\r\nURL=https://a%20b/%E2%80%AE%E2%80%A8%00\r\n"},
		{"", "", "[InternetShortcut]\r\nURL=\r\n"},
		{"a\xffb", "", "[InternetShortcut]\r\nURL=a%EF%BF%BDb\r\n"},
	} {
		got := URL(c.target, c.comment)
		checkText(t, "x.url", got)
		if string(got) != c.want {
			t.Errorf("URL(%q, %q) = %q, want %q", c.target, c.comment, got, c.want)
		}
	}
}

func TestCSV(t *testing.T) {
	got := CSV([]string{"name", "role"}, [][]string{{`Jones, "Bob"`, "=1+2"}, {" x", ""}, {"a\r\nb\x00\u2028c", "é\xff"}, {"-", "#"}})
	want := "name,role\n\"Jones, \"\"Bob\"\"\",=1+2\n\" x\",\na  b  c,é\ufffd\n-,#\n"
	if string(got) != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := CSV([]string{"one"}, [][]string{{""}}); string(got) != "one\n\"\"\n" {
		t.Errorf("empty only field: %q", got)
	}
	for _, s := range hostileText {
		row := []string{s, "x", s}
		b := CSV(row, [][]string{row})
		checkText(t, "x.csv", b)
		back, err := csv.NewReader(strings.NewReader(string(b))).ReadAll()
		v := csvValue(s)
		if want := [][]string{{v, "x", v}, {v, "x", v}}; err != nil || !reflect.DeepEqual(back, want) {
			t.Errorf("%q came back as %q, %v", s, back, err)
		}
	}
}

func TestHasAttachments(t *testing.T) {
	for in, want := range map[string]bool{
		`{"hasAttachments":true}`:  true,
		`{"hasAttachments":false}`: false,
		`{"hasAttachments":null,"body":{"contentType":"HTML","content":"<img src='CID:x'>"}}`: true,
		`{"body":{"contentType":"text","content":"cid:x"}}`:                                   false,
		`{"body":{"contentType":"html","content":"c cid cid"}}`:                               false,
	} {
		m, err := ParseMessage([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		if got := m.HasAttachments(); got != want {
			t.Errorf("%s has attachments: %v", in, got)
		}
	}
	for in, want := range map[string]bool{
		`{"body":{"contentType":"html","content":"<img src=\"https://graph/x/hostedContents/a=/$value\">"}}`:                                                             true,
		`{"attachments":[{"contentType":"reference","contentUrl":"https://x"}]}`:                                                                                         true,
		`{"attachments":[{"contentType":"messageReference","content":"{}"}]}`:                                                                                            false,
		`{"attachments":[{"contentType":"application/vnd.microsoft.card.codesnippet","content":"{\"codeSnippetUrl\":\"https://graph/v1.0/hostedContents/b/$value\"}"}]}`: true,
		`{"attachments":null}`: false,
	} {
		c, err := ParseChat([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		if got := c.HasAttachments(); got != want {
			t.Errorf("%s has attachments: %v", in, got)
		}
	}
}

func TestChatParts(t *testing.T) {
	c, err := ParseChat([]byte(`{"body":{"contentType":"html","content":"<img src='https://g/hostedContents/a/$value'><img src='https://g/hostedContents/b/$value'><img src='https://g/hostedContents/a/$value'>"},
		"attachments":[{"id":"1","contentType":"reference","contentUrl":"https://x/y","name":"y"},{"id":"2","contentType":"application/vnd.microsoft.card.hero","contentUrl":"https://z"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.HostedContents(); !reflect.DeepEqual(got, []string{"a", "b"}) {
		t.Errorf("HostedContents: %q", got)
	}
	if got := c.Files(); !reflect.DeepEqual(got, []ChatFile{{ID: "1", Name: "y", URL: "https://x/y"}}) {
		t.Errorf("Files: %q", got)
	}
}

func TestChatNames(t *testing.T) {
	for in, want := range map[string][2]string{
		`{"from":{"user":{"displayName":"Ann"}},"subject":"S","body":{"content":"x"}}`:                                                         {"Ann", "S"},
		`{"from":{"application":{"displayName":"Bot"}},"body":{"contentType":"html","content":"<p>hello<br>there</p>"}}`:                       {"Bot", "hello"},
		`{"from":null,"messageType":"systemEventMessage","eventDetail":{"@odata.type":"#microsoft.graph.callEndedEventMessageDetail"}}`:        {"system", "callEnded"},
		`{"from":{"user":{"id":"1","displayName":null}},"attachments":[{"contentType":"reference","contentUrl":"https://x","name":"r.docx"}]}`: {"unknown", "r.docx"},
		`{}`: {"unknown", ""},
	} {
		c, err := ParseChat([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]string{c.Person(), c.Subject()}; got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

// TestReactionsDoNotShow checks that what changes without a word being written changes no md and no eml.
func TestReactionsDoNotShow(t *testing.T) {
	raw := goldenInputs(t)["chat-post"]
	more := []byte(strings.NewReplacer(`"reactionType":"like"`, `"reactionType":"💘"`, `"etag":"1735786801456"`, `"etag":"2"`,
		`"lastModifiedDateTime":"2026-11-21T03:00:01.456Z"`, `"lastModifiedDateTime":"2026-12-21T03:00:01.456Z"`).Replace(string(raw)))
	if string(more) == string(raw) {
		t.Fatal("nothing replaced")
	}
	for name, f := range map[string]func([]byte, ChatOptions) ([]byte, error){"md": ChatMD, "eml": ChatEML} {
		a, err1 := f(raw, goldenChat)
		b, err2 := f(more, goldenChat)
		if err1 != nil || err2 != nil || string(a) != string(b) {
			t.Errorf("%s changed: %v %v", name, err1, err2)
		}
	}
}

func TestReplyFindsItsRoot(t *testing.T) {
	inputs := goldenInputs(t)
	root, err1 := ChatEML(inputs["chat-post"], goldenChat)
	reply, err2 := ChatEML(inputs["chat-reply"], goldenChat)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	header := func(b []byte, key string) string {
		_, v, _ := strings.Cut(string(b), "\r\n"+key+": ")
		v, _, _ = strings.Cut(v, "\r\n")
		return v
	}
	id := header(root, "Message-Id")
	if id == "" || header(reply, "In-Reply-To") != id || header(reply, "References") != id || header(reply, "Message-Id") == id {
		t.Errorf("root %q, reply %q to %q", id, header(reply, "Message-Id"), header(reply, "In-Reply-To"))
	}
}
