package render

import (
	"strings"
	"testing"
)

func TestHTMLToMarkdown(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"paragraphs", "<p>one</p><p>two\n three&nbsp;four</p>", "one\n\ntwo three four"},
		{"divs are lines", "<div>a</div><div>b</div><div><br></div><div>c</div>", "a\nb\n\nc"},
		{"line breaks", "a<br>b<br/><br>c<br><br><br><br>d", "a\nb\n\nc\n\nd"},
		{"styles", "x <b>bold </b>and <i>it <b>both</b></i>, <s>no</s> <code>f(x)</code>", "x **bold** and *it **both***, ~~no~~ `f(x)`"},
		{"styles in words", "Q<b>4</b> nu<i>mbe</i>rs", "Q4 numbers"},
		{"styles over lines", "<b>a<br>b</b>", "**a**\n**b**"},
		{"empty styles", "a<b> </b><i></i>b", "a b"},
		{"headings", "<h1>Title</h1>text<h3>Sub</h3>", "# Title\n\ntext\n\n### Sub"},
		{"nothing is escaped", "snake_case * 2 # 1. [x] &lt;b&gt; `y`", "snake_case * 2 # 1. [x] <b> `y`"},
		{"list", "<p>x</p><ul><li>a</li><li><p>b</p><ul><li>c</li></ul></li><li>d</li></ul><p>y", "x\n\n- a\n- b\n  - c\n- d\n\ny"},
		{"ordered list", "<ol start=9><li>a<ul><li>b</ul><li>c<br>more</ol>", "9. a\n   - b\n10. c\n    more"},
		{"quotes", "a<blockquote><p>b</p><p>c</p><blockquote>d</blockquote></blockquote>e", "a\n\n> b\n>\n> c\n>\n> > d\n\ne"},
		{"links", `<a href="https://a.b/c">text</a> <a href="https://a.b/">https://a.b</a> <a href="mailto:x@y">x@y</a> <a href="javascript:alert(1)">js</a> <a href=" https://e/(x) y ">z</a>`,
			"[text](https://a.b/c) https://a.b x@y js [z](https://e/%28x%29%20y)"},
		{"link over blocks", `<a href="https://a.b"><div>one</div><div>two</div></a>`, "[one](https://a.b)\ntwo"},
		{"link cannot escape", "<a href=\"https://a/\n\n# x\u202e\">y</a>", "[y](https://a/%0A%0A#%20x%E2%80%AE)"},
		{"images", `<img src="cid:a@b" alt="Logo]"><img src="data:image/png;base64,AAAA" alt="pic"><img src="https://t/p.gif" width="1" height="1"><img src="https://h/i.png"><img alt="only">`,
			"![Logo)](cid:a@b)[embedded image pic]![](https://h/i.png)only"},
		{"no scripts", "<head><title>t</title><style>p{}</style></head>a<script>alert('<b>')</script>b<!-- c --><!--[if mso]>d<![endif]-->", "ab"},
		{"table", "<table><tr><th>Item</th><th>Qty</th></tr><tr><td><p>Tea</p></td><td><p>4</p></td></tr><tr><td>a</td><td></td><td>c</td></tr></table>after",
			"Item | Qty\n--- | ---\nTea | 4\na | | c\n\nafter"},
		{"layout table", "<table><tr><td><table><tr><td>Left</td></tr></table></td><td><p>One</p><p>Two</p></td><td>Three</td></tr></table>", "Left\n\nOne\n\nTwo\n\nThree"},
		{"cell of two lines", "<table><tr><td>a<br>b</td><td>c</td></tr></table>", "a\nb\nc"},
		{"list in a cell", "<table><tr><td>a</td><td><ul><li>x<li>y</ul></td></tr><tr><td>b</td></tr></table><p>c</p><p>d</p>", "a | - x\n- y\nb\n\nc\n\nd"},
		{"preformatted", "<pre>a  b\n  c\n```\n</pre>x", "````\na  b\n  c\n```\n````\n\nx"},
		{"pre in quote", "<blockquote><pre>a\nb</pre></blockquote>", "> ```\n> a\n> b\n> ```"},
		{"invisible characters", "a\u200bb\u00adc &zwnj;&nbsp;&zwnj;&nbsp; d\u200de \u0000\u0085\u001bf", "abc d\u200de f"},
		{"broken UTF-8", "a\xffb", "a\ufffdb"},
		{"front matter in the body", "<p>---</p><p>from: x</p>", "---\n\nfrom: x"},
		{"Outlook", "<div class=WordSection1><p class=MsoNormal>Hi,<o:p></o:p></p><p class=MsoNormal><o:p>&nbsp;</o:p></p><p class=MsoNormal>Bye<o:p></o:p></p></div>", "Hi,\n\nBye"},
		{"rule", "a<hr>b", "a\n\n---\n\nb"},
		{"empty", "<html><body><div>&nbsp;</div></body></html>", ""},
		{"unclosed", "<b>a<i>b<ul><li>c<pre>d", "**ab**\n\n- ***c***\n\n  ```\n  d\n  ```"},
	} {
		if got := HTMLToMarkdown(c.in); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

func TestHTMLToText(t *testing.T) {
	in := `<h1>T</h1><p>a <b>b</b> <a href="https://x.y/z">link</a> <a href="https://x.y">https://x.y</a></p><ul><li>one</ul><pre>x
 y</pre><img src="cid:1" alt="L"><table><tr><th>a</th><th>b</th></tr></table>`
	want := "T\n\na b link <https://x.y/z> https://x.y\n\n- one\n\nx\n y\n\n[image L cid:1]\n\na | b"
	if got := HTMLToText(in); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestHTMLBounds(t *testing.T) {
	const n = 100_000 / slow
	for _, tag := range []string{"div", "b", "blockquote", "ul", "li", "ol", "table", "tr", "td", "a href='https://x'", "pre", "span", "h1", "codeblock", "p", "i"} {
		in := strings.Repeat("<"+tag+">", n) + "deep" + strings.Repeat("</"+strings.Fields(tag)[0]+">", n)
		got := HTMLToMarkdown(in)
		if !strings.Contains(got, "deep") || len(got) > 300 {
			t.Errorf("%s: %d bytes, %.100q", tag, len(got), got)
		}
	}
	for _, piece := range []string{"<!---->", "<!-- -", "<!x", "<a x='", "<style>", "<style></style>", "</", "&amp", "<img src=data:x alt=", "<b>x<i>y</b>z", "<td>a<td>", "<tr><td>a<table>"} {
		if got := HTMLToMarkdown(strings.Repeat(piece, n)); len(got) > 20*n*len(piece) {
			t.Errorf("%q: %d bytes", piece, len(got))
		}
	}
	nest := strings.Repeat("<blockquote><ul><li>x", n)
	if got := HTMLToMarkdown(nest); len(got) > 15*len(nest) {
		t.Errorf("%d bytes from %d", len(got), len(nest))
	}
	big := strings.Repeat("<p>word <b>bold</b> <a href='https://example.com/a'>link</a></p>\n", 10<<20/64/slow)
	if got := HTMLToMarkdown(big); len(got) > len(big) || !strings.HasSuffix(got, "[link](https://example.com/a)") {
		t.Errorf("%d bytes from %d", len(got), len(big))
	}
}
