package render

import (
	"encoding/json"
	"strings"
	"testing"

	htmltomarkdown "github.com/JohannesKaufmann/html-to-markdown/v2"
)

func benchHTML() string {
	return "<html><head><style>p.MsoNormal{margin:0}</style></head><body lang=EN-US><div class=WordSection1>" +
		strings.Repeat(`<p class="MsoNormal" style="margin:0cm;font-size:11.0pt">Dear Bob, the <b>fourth quarter</b> numbers are in the <a href="https://contoso.sharepoint.com/sites/q4/report.xlsx?d=w1">report</a>; see snake_case.</p><p class="MsoNormal">&nbsp;</p>`, 20) +
		"</div></body></html>"
}

func benchMessage() []byte {
	b, _ := json.Marshal(benchHTML())
	return []byte(strings.Replace(sampleMessage, `"content":"`, `"content":`+string(b)+`,"old":"`, 1))
}

func BenchmarkHTML(b *testing.B) {
	s := benchHTML()
	b.SetBytes(int64(len(s)))
	b.ReportAllocs()
	for b.Loop() {
		HTMLToMarkdown(s)
	}
}
func BenchmarkHTMLLibrary(b *testing.B) {
	s := benchHTML()
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		htmltomarkdown.ConvertString(s)
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
