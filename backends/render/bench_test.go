package render

import (
	"strings"
	"testing"
)

// benchHTML is Outlook's HTML with styles, links and bold text in every paragraph, 5 KB.
func benchHTML() string {
	return "<html><head><style>p.MsoNormal{margin:0}</style></head><body lang=EN-US><div class=WordSection1>" +
		strings.Repeat(`<p class="MsoNormal" style="margin:0cm;font-size:11.0pt">Dear Bob, the <b>fourth quarter</b> numbers are in the <a href="https://contoso.sharepoint.com/sites/q4/report.xlsx?d=w1">report</a>; see snake_case.</p><p class="MsoNormal">&nbsp;</p>`, 20) +
		"</div></body></html>"
}

// benchMessage is a mail with that body as a listing gives it.
func benchMessage() []byte {
	return []byte(strings.Replace(sampleMessage, `"content":"`, `"content":"`+strings.ReplaceAll(benchHTML(), `"`, `\"`), 1))
}

// BenchmarkHTML measures the body of a usual mail, 5 KB.
func BenchmarkHTML(b *testing.B) {
	s := benchHTML()
	b.SetBytes(int64(len(s)))
	b.ReportAllocs()
	for b.Loop() {
		HTMLToMarkdown(s)
	}
}

func BenchmarkMessageMD(b *testing.B) {
	raw := benchMessage()
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		MessageMD(raw, "x.attachments")
	}
}

func BenchmarkJSON(b *testing.B) {
	raw := benchMessage()
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		JSON(raw)
	}
}

// BenchmarkListing measures what one message of a listing costs with the formats md and json and all that names need.
func BenchmarkListing(b *testing.B) {
	raw := benchMessage()
	b.ReportAllocs()
	for b.Loop() {
		m, err := ParseMessage(raw)
		if err != nil {
			b.Fatal(err)
		}
		m.MD("x.attachments")
		m.Person()
		m.Stable()
		if _, err := JSON(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkChatEML(b *testing.B) {
	raw := goldenInputs(b)["chat-post"]
	for b.Loop() {
		if _, err := ChatEML(raw, goldenChat); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEventICS(b *testing.B) {
	raw := goldenInputs(b)["event-series"]
	for b.Loop() {
		if _, err := EventICS(raw, nil, nil); err != nil {
			b.Fatal(err)
		}
	}
}
