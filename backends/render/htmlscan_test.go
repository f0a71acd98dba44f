package render

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// tokens lists the tokens that our scanner finds, texts joined, attributes sorted out to the ones that rendering reads.
func tokens(s string) []string {
	var list []string
	z := htmlScanner{s: s}
	for z.next() {
		switch z.kind {
		case htmlText:
			list = addText(list, z.content())
		case htmlStart:
			list = append(list, "<"+string(z.name)+" "+z.attr("href")+" "+z.attr("alt")+">")
		case htmlEnd:
			list = append(list, "</"+string(z.name)+">")
		}
	}
	return list
}

// reference is tokens by golang.org/x/net/html.
func reference(s string) []string {
	var list []string
	z := html.NewTokenizer(strings.NewReader(s))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return list
		case html.TextToken:
			list = addText(list, string(z.Text()))
		case html.StartTagToken, html.SelfClosingTagToken:
			t := z.Token()
			href, alt := "", ""
			for _, a := range slices.Backward(t.Attr) {
				switch a.Key {
				case "href":
					href = a.Val
				case "alt":
					alt = a.Val
				}
			}
			list = append(list, "<"+cutString(t.Data)+" "+href+" "+alt+">")
		case html.EndTagToken:
			name, _ := z.TagName()
			list = append(list, "</"+cutString(string(name))+">")
		}
	}
}

// cutString cuts a name where the scanner does.
func cutString(s string) string { return s[:min(len(s), 32)] }

func addText(list []string, s string) []string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	if n := len(list); n > 0 && strings.HasPrefix(list[n-1], "#") {
		list[n-1] += s
		return list
	}
	return append(list, "#"+s)
}

func TestScannerAgainstLibrary(t *testing.T) {
	fixed := []string{
		"a<b", "a < b", "a<", "<", "</", "</>x", "</ x>y", "<!x>y", "<!>y", "<!-->y", "<!--->y", "<!-- a --!>y", "<!-- a -- b -->y", "<!--", "<!doctype html>x",
		"<?xml version='1'?>x", "<a href=x>", "<a href='x>y'>z", `<a href="x" href="y" ALT = 'q'/>z`, "<a href>x", "<a =href=x>y", "<a/href=x>y", "<a href=x/>y",
		"<A HREF=&amp;&copy=1&copy;&lt&#65;>", "<a href='?a=1&copy=2&amp=3&region'>", "&amp;&copy x&nosuch;&#0;&#x41", "<title>a<b>&amp;</title>c", "<textarea>&lt;</TEXTAREA >x",
		"<style>a</styl></style>b", "<style>a</style/>b", "<xmp><b>&amp;</xmp>c", "<plaintext>a</plaintext>b", "<iframe><p></iframe>x", "<noscript><p>x</noscript>y",
		"<o:p>&nbsp;</o:p>", "<p class=\"x\n\">y</p >z", "<a href=\"x", "<a hre", "x</p", "<br/><br / >", "<![CDATA[x]]>y", "<" + strings.Repeat("long", 20) + ">x",
	}
	for _, s := range fixed {
		if got, want := tokens(s), reference(s); !slices.Equal(got, want) {
			t.Errorf("%q:\n got %q\nwant %q", s, got, want)
		}
	}
	r := rand.New(rand.NewPCG(9, 10))
	pieces := []string{"<", ">", "/", "a", "b", " ", "=", "'", "\"", "!", "-", "--", "?", "&amp;", "&lt", "<a href=", "<p>", "</p>", "<!--", "-->", "<style>", "</style>",
		"<title>", "</title>", "<img alt='", "x", "\n", "\t", "<textarea", "é", ";"}
	for range 60_000 / slow {
		var b strings.Builder
		for range r.IntN(9) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		s := b.String()
		if got, want := tokens(s), reference(s); !slices.Equal(got, want) {
			t.Fatalf("%q:\n got %q\nwant %q", s, got, want)
		}
	}
}
