package htmltext

import (
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"<p>Hello <b>big</b> world</p><p>two &amp; three</p>":              "Hello big world\r\n\r\ntwo & three",
		"<style>p{}</style><script>x()</script>a<br>b":                     "a\r\nb",
		Wrap("<ul><li>one</li><li>two</li></ul>"):                          "* one\r\n  * two",
		"see <img src=\"cid:pic1\"> here":                                  "see [cid:pic1] here",
		"<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>x": "a\tb\t\r\nc\t\r\nx",
		"": "",
	} {
		if got := Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestSanitise(t *testing.T) {
	for in, want := range map[string]string{
		"<P  class=x>kept &nbsp; as\r\nis</P>":                      "<P  class=x>kept &nbsp; as\r\nis</P>",
		"a<script>alert(1)</script>b<SCRIPT src=x></SCRIPT>c":       "abc",
		"<img src=x onerror=alert(1)><a href=' JavaScript:x'>y</a>": "<img src=\"x\"><a>y</a>",
		"<iframe src=x>in</iframe>z":                                "z",
	} {
		if got := Sanitise(in); got != want {
			t.Errorf("Sanitise(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestSanitiseHidden(t *testing.T) {
	for _, in := range []string{
		"<a href=\"java&#115;cript:alert(1)\">x</a>", "<img onerror\n = x>", "<ScRiPt>x</sCrIpT>", "<svg><script>x</script></svg>", "<a href=' vbscript:x'>y</a>",
		"<input autofocus onfocus=x>",
	} {
		out := strings.ToLower(Sanitise(in))
		if strings.Contains(out, "script") || strings.Contains(out, "onerror") || strings.Contains(out, "onfocus") {
			t.Errorf("Sanitise(%q) = %q", in, out)
		}
	}
}

func TestPreview(t *testing.T) {
	in := ""
	for range 300 {
		in += "é"
	}
	if got := []rune(Preview(in)); len(got) != 255 {
		t.Errorf("a preview of %d characters, want 255", len(got))
	}
}

func TestPreviewHTML(t *testing.T) {
	for _, text := range []string{strings.Repeat("word ", 200), strings.Repeat("日本語", 200), "short", "", strings.Repeat(" <br>x", 300)} {
		if got, want := PreviewHTML(Wrap("<p>"+text+"</p>")), Preview(Text(Wrap("<p>"+text+"</p>"))); got != want {
			t.Errorf("PreviewHTML gives %q, want %q", got, want)
		}
	}
}
