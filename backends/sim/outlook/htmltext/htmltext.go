// Package htmltext does to HTML bodies what Exchange does before it hands them out: it makes the plain text of one, and
// it takes out what could run.
package htmltext

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Text gives the plain text of an HTML body, lines ended by CRLF as Exchange does.
func Text(body string) string { return textUpTo(body, len(body)) }

// textUpTo stops reading once it has so many bytes of text.
func textUpTo(body string, limit int) string {
	var b strings.Builder
	skip := 0
	fresh := true // at the start of a line
	line := func() {
		if !fresh {
			b.WriteString("\r\n")
			fresh = true
		}
	}
	z := html.NewTokenizer(strings.NewReader(body))
	for {
		kind := z.Next()
		if kind == html.ErrorToken || b.Len() > limit {
			return strings.TrimSpace(b.String())
		}
		t := z.Token()
		switch kind {
		case html.TextToken:
			if skip > 0 {
				continue
			}
			text := strings.Join(strings.Fields(t.Data), " ")
			if text == "" {
				if !fresh && strings.ContainsAny(t.Data, " \t") {
					b.WriteByte(' ')
				}
				continue
			}
			if !fresh && strings.ContainsAny(t.Data[:1], " \t\r\n") {
				b.WriteByte(' ')
			}
			b.WriteString(text)
			fresh = false
			if strings.ContainsAny(t.Data[len(t.Data)-1:], " \t\r\n") {
				b.WriteByte(' ')
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			switch t.DataAtom {
			case atom.Script, atom.Style, atom.Head, atom.Title:
				if kind == html.StartTagToken {
					skip++
				}
			case atom.Br:
				b.WriteString("\r\n")
				fresh = true
			case atom.P, atom.Div, atom.Tr, atom.Table, atom.H1, atom.H2, atom.H3, atom.Ul, atom.Ol, atom.Blockquote, atom.Hr:
				line()
			case atom.Li:
				line()
				b.WriteString("  * ")
				fresh = false
			case atom.Img:
				for _, a := range t.Attr {
					if cid, ok := strings.CutPrefix(a.Val, "cid:"); ok && a.Key == "src" {
						b.WriteString("[cid:" + cid + "]")
						fresh = false
					}
				}
			}
		case html.EndTagToken:
			switch t.DataAtom {
			case atom.Script, atom.Style, atom.Head, atom.Title:
				skip = max(0, skip-1)
			case atom.P:
				line()
				b.WriteString("\r\n")
			case atom.Div, atom.Tr, atom.H1, atom.H2, atom.H3, atom.Li, atom.Blockquote:
				line()
			case atom.Td, atom.Th:
				b.WriteByte('\t')
			}
		}
	}
}

var active = []atom.Atom{atom.Script, atom.Iframe, atom.Object, atom.Embed, atom.Applet, atom.Form, atom.Input, atom.Button, atom.Base}

// Sanitise takes scripts, frames, forms, event handlers and javascript: links out of an HTML body, and leaves all other
// bytes as they are.
func Sanitise(body string) string {
	if harmless(body) {
		return body
	}
	var b bytes.Buffer
	z := html.NewTokenizer(strings.NewReader(body))
	dropping := atom.Atom(0) // the element whose content goes too
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			return b.String()
		}
		raw := slices.Clone(z.Raw()) // Token overwrites the buffer
		t := z.Token()
		if dropping != 0 {
			if kind == html.EndTagToken && t.DataAtom == dropping {
				dropping = 0
			}
			continue
		}
		switch kind {
		case html.StartTagToken, html.SelfClosingTagToken, html.EndTagToken:
			if slices.Contains(active, t.DataAtom) {
				if kind == html.StartTagToken && (t.DataAtom == atom.Script || t.DataAtom == atom.Iframe || t.DataAtom == atom.Object) {
					dropping = t.DataAtom
				}
				continue
			}
			if n := len(t.Attr); n > 0 {
				t.Attr = slices.DeleteFunc(t.Attr, func(a html.Attribute) bool {
					value := strings.ToLower(strings.TrimSpace(a.Val))
					return strings.HasPrefix(a.Key, "on") || strings.HasPrefix(value, "javascript:") || strings.HasPrefix(value, "vbscript:")
				})
				if len(t.Attr) != n {
					raw = []byte(t.String())
				}
			}
		}
		b.Write(raw)
	}
}

// harmless tells cheaply that there is nothing to take out; false may be a false alarm.
func harmless(body string) bool {
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '<':
			name := strings.ToLower(body[i+1 : min(i+8, len(body))])
			for _, a := range active {
				if strings.HasPrefix(name, a.String()) {
					return false
				}
			}
		case ':':
			if strings.EqualFold(body[max(0, i-6):i], "script") {
				return false
			}
		case '&': // may hide any of them inside an attribute; escaped quotes are common and cannot
			if entity := body[i:min(i+5, len(body))]; strings.HasPrefix(entity, "&#") && entity != "&#39;" && entity != "&#34;" {
				return false
			}
		case '=':
			word := strings.TrimRight(body[:i], " \t\r\n\f")
			from := len(word)
			for from > 0 && word[from-1]|0x20 >= 'a' && word[from-1]|0x20 <= 'z' {
				from--
			}
			if w := word[from:]; len(w) > 2 && strings.EqualFold(w[:2], "on") {
				return false
			}
		}
	}
	return true
}

// Wrap makes a document of a fragment, in the form in which Exchange stores HTML bodies.
func Wrap(fragment string) string {
	return "<html><head>\r\n<meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\"></head><body>" + fragment + "</body></html>\r\n"
}

// previewLength is how many characters a bodyPreview has at most.
const previewLength = 255

// Preview gives the bodyPreview of plain text: its first 255 characters.
func Preview(text string) string {
	n := 0
	for i := range text {
		if n++; n > previewLength {
			return text[:i]
		}
	}
	return text
}

// PreviewHTML is Preview of an HTML body's text.
func PreviewHTML(body string) string {
	// Trimming can cost a few characters at either end; longer ones than one byte are the exception.
	text := textUpTo(body, previewLength+16)
	if utf8.RuneCountInString(text) < previewLength {
		text = textUpTo(body, (previewLength+16)*utf8.UTFMax)
	}
	return Preview(text)
}

// FromText makes an HTML document of plain text, for clients that ask for the HTML of a text body.
func FromText(text string) string {
	text = strings.ReplaceAll(html.EscapeString(strings.ReplaceAll(text, "\r\n", "\n")), "\n", "<br>\r\n")
	return Wrap("<div class=\"PlainText\">" + text + "</div>")
}
