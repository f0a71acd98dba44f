package render

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// hostileText are strings that have become keys, headers, parts, lines or commands elsewhere.
var hostileText = []string{
	"", " ", "\n", "---", "---\nkey: value\n---", "...\n", "a: b", "- x", "# c", "&a *a !!x %y @z `", "|\n  x", "{a: b}", "[1]", "null", "true", "~", "1e3",
	"2026-11-20", "\"", "\\", "\\\"", "'", "\r\nBcc: x@y", "\n\nbody", "x\r\n.\r\n", "\x00", "\x1b]0;t\x07", "\u0085X: y", "\u009b31m", "\u2028X:y", "\u2029",
	"\u202egnp.exe", "\u2066x\u2069", "\u200f", "\ufeff", "\ufffe", "\uffff", "\U0001fffe", "\ufffd", "=?utf-8?q?a=0D=0Ab?=", "=?utf-8?b?Cg==?=", "--=_x--", "=", "=\r\n",
	"END:VEVENT", "BEGIN:VALARM\nX:y", ";X=y:z", "\":mailto:x", ",", "x@y", "<x@y>", "a b@c", "@", "/o=ExchangeLabs/x", "mailto:x?subject=y\r\n", "javascript:x",
	"https://x/\r\nX: y", "https://x/)](y", "data:text/html,x", "cid:x\n", "<b>", "</p><script>x</script>", "<attachment id=\"a1\">", "<!--", "<img src=cid:x>",
	"<pre>```", "<table><tr><th>a<th>b</table>", "é", "e\u0301", "日本語", "🙂", "\u200d", strings.Repeat("x", 2000), strings.Repeat("漢字 ", 400), strings.Repeat("🙂", 300),
	"0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-11-20T09:12:33.1234567Z", "OID.x.2026-02-30", "Pacific Standard Time", "Europe/Berlin", "../../x",
	"#microsoft.graph.callEndedEventMessageDetail", "reference", "messageReference", "application/vnd.microsoft.card.adaptive", "html", "daily", "relativeYearly", "last", "{\"body\":[{\"text\":\"\\n---\"}]}",
}

// mutate changes about one value in n of a decoded JSON document.
func mutate(r *rand.Rand, v any, n int) any {
	if r.IntN(n) == 0 {
		switch r.IntN(12) {
		case 0:
			return nil
		case 1:
			return r.IntN(2) == 0
		case 2:
			return []any{1e99, -5.0, 0.0, 3.5, 28.0, 31.0}[r.IntN(6)]
		case 3:
			return []any{v, nil, "x"}
		case 4:
			return map[string]any{"emailAddress": v}
		default:
			s := hostileText[r.IntN(len(hostileText))]
			if old, ok := v.(string); ok && r.IntN(3) == 0 {
				s = old + s
			}
			return s + hostileText[r.IntN(len(hostileText))]
		}
	}
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out[k] = mutate(r, v[k], n)
		}
		return out
	case []any:
		out := make([]any, 0, len(v))
		for _, e := range v {
			out = append(out, mutate(r, e, n))
		}
		return out
	}
	return v
}

func goldenInputs(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/golden/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden inputs", err)
	}
	inputs := map[string][]byte{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		inputs[strings.TrimSuffix(filepath.Base(f), ".json")] = b
	}
	return inputs
}

// checkAll renders a resource as what its kind may become and checks all promises.
func checkAll(t *testing.T, kind string, raw []byte) {
	t.Helper()
	if out, err := JSON(raw); err == nil {
		checkJSON(t, raw, out)
	}
	switch kind {
	case "message":
		got, err := MessageMD(raw, "x\n.attachments")
		if err != nil {
			return
		}
		checkText(t, "m.md", got)
		checkFrontMatter(t, got, messageKeys)
		MessageStable(raw)
		if m, err := ParseMessage(raw); err == nil {
			checkLine(t, m.Person())
		}
	case "chat":
		o := ChatOptions{AttachmentsDir: "x\ny", ConversationName: "a\r\nb", Members: map[string]Member{"b": {Name: "n\r\nX: y", Email: "e@x\r\nX: y"}}}
		got, err := ChatMD(raw, o)
		if err != nil {
			return
		}
		checkText(t, "c.md", got)
		checkFrontMatter(t, got, chatKeys)
		eml, err := ChatEML(raw, o)
		if err != nil {
			t.Errorf("ChatEML: %v", err)
		}
		checkText(t, "c.eml", eml)
		checkEML(t, eml)
		if c, err := ParseChat(raw); err == nil {
			checkLine(t, c.Person())
			checkLine(t, c.Subject())
		}
	case "event":
		got, err := EventICS(raw, [][]byte{raw}, []string{"2026-11-30", "x\r\ny"})
		if err != nil {
			if _, e := MessageMD(raw, ""); e == nil {
				t.Errorf("EventICS: %v", err)
			}
			return
		}
		checkText(t, "e.ics", got)
		checkICS(t, got)
	case "contact":
		got, err := ContactVCF(raw)
		if err != nil {
			return
		}
		checkText(t, "c.vcf", got)
		checkVCF(t, got)
		checkLine(t, ContactName(raw))
	}
}

func checkLine(t *testing.T, s string) {
	t.Helper()
	for _, r := range s {
		if isControl(r) || isBidi(r) {
			t.Errorf("%U in %q", r, s)
		}
	}
}

func TestHostileResources(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	inputs := goldenInputs(t)
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		raw := inputs[name]
		kind, _, _ := strings.Cut(name, "-")
		var doc any
		if err := decodeNumbers(raw, &doc); err != nil {
			t.Fatal(err)
		}
		for i := range 250 / slow {
			b, err := json.Marshal(mutate(r, doc, 2+i%12))
			if err != nil {
				t.Fatal(err)
			}
			if i%7 == 0 {
				b = bytes.ReplaceAll(b, []byte("x"), []byte("\xff"))
			}
			if i%11 == 0 {
				b = bytes.ReplaceAll(b, []byte("e"), []byte(`\ud800`))
			}
			checkAll(t, kind, b)
			if t.Failed() {
				t.Fatalf("%s: %s", name, b)
			}
		}
	}
}

func TestBounds(t *testing.T) {
	deep := strings.Repeat(`{"a":[`, 20_000) + strings.Repeat(`]}`, 20_000)
	if _, err := JSON([]byte(deep)); err == nil {
		t.Error("JSON took 40,000 levels")
	}
	if _, err := MessageMD([]byte(`{"x":`+deep+`}`), ""); err == nil {
		t.Error("MessageMD took 40,000 levels")
	}
	fine := strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth)
	if out, err := JSON([]byte(fine)); err != nil || len(out) > 5*len(fine) {
		t.Errorf("JSON of %d levels: %d bytes, %v", maxDepth, len(out), err)
	}
	wide := "[" + strings.Repeat(`{"b":1,"a":"`+strings.Repeat("x", 100)+`"},`, 50_000) + "0]"
	if out, err := JSON([]byte(wide)); err != nil || len(out) > 2*len(wide) {
		t.Errorf("JSON of %d bytes: %d bytes, %v", len(wide), len(out), err)
	}
	card := strings.Repeat(`{"items":[`, 5000) + strings.Repeat(`]}`, 5000)
	content, _ := json.Marshal(card)
	checkAll(t, "chat", []byte(`{"id":"1","attachments":[{"id":"c","contentType":"application/vnd.microsoft.card.adaptive","content":`+string(content)+`}]}`))
	big, _ := json.Marshal(strings.Repeat("line \u202e of text\r\n\x1b", 10<<20/18/slow))
	for _, kind := range []string{"text", "html"} {
		raw := []byte(`{"id":"1","receivedDateTime":"2026-11-20T09:12:33Z","body":{"contentType":"` + kind + `","content":` + string(big) + `}}`)
		got, err := MessageMD(raw, "")
		if err != nil || len(got) > 12<<20 || !utf8.Valid(got) || bytes.ContainsAny(got, "\r\x1b") {
			t.Errorf("10 MB of %s: %d bytes, %v", kind, len(got), err)
		}
	}
}

func TestJSONRefuses(t *testing.T) {
	for _, s := range []string{"", "{", "[1,]", "{\"a\":}", "{\"a\" 1}", "{a:1}", "01", "-", "1.", "1e", ".5", "\"", "\"\\x\"", "\"\\u12\"", "nul", "{} {}", "[1 2]", "{\"a\":1,}"} {
		if out, err := JSON([]byte(s)); err == nil {
			t.Errorf("JSON(%q) = %q", s, out)
		}
	}
}

func fuzzSeeds(f *testing.F, kind string) {
	for name, raw := range goldenInputs(f) {
		if strings.HasPrefix(name, kind) {
			f.Add(raw)
		}
	}
}

func FuzzMessageMD(f *testing.F) {
	fuzzSeeds(f, "message")
	f.Fuzz(func(t *testing.T, raw []byte) { checkAll(t, "message", raw) })
}

func FuzzChatEML(f *testing.F) {
	fuzzSeeds(f, "chat")
	f.Fuzz(func(t *testing.T, raw []byte) { checkAll(t, "chat", raw) })
}

func FuzzEventICS(f *testing.F) {
	fuzzSeeds(f, "event")
	f.Fuzz(func(t *testing.T, raw []byte) { checkAll(t, "event", raw) })
}

func FuzzContactVCF(f *testing.F) {
	fuzzSeeds(f, "contact")
	f.Fuzz(func(t *testing.T, raw []byte) { checkAll(t, "contact", raw) })
}

func FuzzJSON(f *testing.F) {
	fuzzSeeds(f, "")
	f.Fuzz(func(t *testing.T, raw []byte) {
		out, err := JSON(raw)
		if err == nil {
			checkJSON(t, raw, out)
		} else if json.Valid(raw) && !strings.Contains(err.Error(), "deep") {
			t.Errorf("refused valid JSON: %v", err)
		}
	})
}

func FuzzHTMLToMarkdown(f *testing.F) {
	for _, s := range hostileText {
		f.Add(s)
	}
	f.Add("<table><tr><td>a<table><tr><th>b</th><th>c</th></tr></table></td><td>d</td></tr></table><ul><li><p>x<ol><li>y</ul>")
	f.Add("<a href='https://x'><b>a<i>b</b>c</a></i><pre>x<codeblock class=Go>y</pre><blockquote><h1>z")
	f.Fuzz(func(t *testing.T, s string) {
		for _, out := range []string{HTMLToMarkdown(s), HTMLToText(s)} {
			for _, r := range out {
				if r != '\n' && r != '\t' && isControl(r) {
					t.Errorf("%U in %q", r, out)
				}
			}
			if !utf8.ValidString(out) || len(out) > 20*len(s)+100 {
				t.Errorf("%d bytes from %d: %q", len(out), len(s), out)
			}
		}
	})
}
