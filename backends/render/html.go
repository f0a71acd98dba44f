package render

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html/atom"
)

// HTMLToMarkdown gives the text of an HTML body as Markdown for people and grep: paragraphs, headings, lists, quotes, links,
// bold and italic, code, and tables as lines of cells. Text is never escaped (snake_case stays snake_case), so the result is
// for reading and not for turning back. Scripts, styles and comments are dropped, images that sit in the text as data: URLs
// become a note.
//
// It reads the token stream and builds no tree: nesting costs nothing, whatever its depth.
func HTMLToMarkdown(s string) string {
	w := htmlWriter{marks: true}
	return w.convert(s)
}

// HTMLToText gives the text of an HTML body as plain text: as HTMLToMarkdown without the marks of bold, italic, code and
// headings, links as "text <address>".
func HTMLToText(s string) string {
	w := htmlWriter{}
	return w.convert(s)
}

// htmlHooks lets the chat renderer handle its own elements. Both may be nil.
type htmlHooks struct {
	// element gives the text that stands for a start tag of its own, whether that is a block, and whether it is one at all.
	element func(z *htmlScanner) (text string, block, ok bool)
	// image rewrites the address of an image.
	image func(src string) string
}

const (
	// maxQuote and maxList bound the prefix of a line, so that hostile nesting does not multiply the output.
	maxQuote = 12
	maxList  = 12
)

// The inline styles, in the order in which they are opened.
const (
	styleStrike = iota
	styleBold
	styleItalic
	styleCode
	styles
)

var styleMark = [styles]string{"~~", "**", "*", "`"}

type list struct {
	ordered bool
	next    int
	items   int
	indent  int // columns before the list's markers
	width   int // columns of the present item's marker
}

type htmlWriter struct {
	marks bool
	hooks htmlHooks
	out   []byte

	space  bool // white space waits before the next text
	breaks int  // line ends wait before the next text: 1 for a new line, 2 for a blank one between
	inLine bool // the present line has text
	quote  int  // depth of block quotes
	last   int  // quote depth of the last line
	lists  []list
	marker string // list marker or heading mark that the next text gets

	style  [styles]int  // how many elements want it
	within [styles]bool // began inside a word, so it gets no marks
	open   []int        // the styles whose marks are open in the output, in that order

	href      string // address of the open link, "" if none
	linkStart int    // where its text starts in out, -1 before its first text

	skip atom.Atom // the element whose raw text is dropped

	pre     int // depth of preformatted elements
	preText []byte
	preLang string

	tables int  // depth of tables
	row    row  // the present row of the innermost one
	inCell bool // no text yet in the present cell
}

// row is the state of a table row. It is written as one line of cells; a cell with more than one line ends that, so that
// tables of figures stay tables and tables made for layout become text.
type row struct {
	open    bool
	oneLine bool
	text    bool // something was written
	header  bool // all cells are header cells
	first   bool // of its table
	cells   int  // cells begun
	seps    int  // separators that wait before the next text
	columns int  // separators written
}

func (w *htmlWriter) convert(s string) string {
	scratch := scratches.Get().(*[]byte)
	w.out = (*scratch)[:0]
	w.linkStart = -1
	z := htmlScanner{s: s}
	for z.next() {
		switch z.kind {
		case htmlText:
			if w.skip == 0 {
				w.text(z.content())
			}
		case htmlStart:
			w.start(&z)
		case htmlEnd:
			w.end(z.atom, z.name)
		}
	}
	w.pre = min(w.pre, 1)
	w.endPre()
	w.closeLink()
	w.closeStyles()
	out := string(bytes.TrimRightFunc(w.out, unicode.IsSpace))
	keepScratch(scratch, w.out)
	return out
}

func (w *htmlWriter) start(z *htmlScanner) {
	if w.skip != 0 {
		return
	}
	a := z.atom
	if w.hooks.element != nil {
		if text, block, ok := w.hooks.element(z); ok {
			if block {
				w.block(2)
			}
			w.literal(text)
			if block {
				w.block(2)
			}
			return
		}
	}
	switch a {
	case atom.Script, atom.Style, atom.Title, atom.Iframe, atom.Noembed, atom.Noframes,
		atom.Noscript:
		// The tokenizer takes their content for raw text up to the end tag, also after a self-closing one.
		w.skip = a
	case atom.Br:
		w.lineBreak()
	case atom.Hr:
		if w.pre == 0 {
			w.block(2)
			w.literal("---")
			w.block(2)
		}
	case atom.P, atom.Ul, atom.Ol, atom.Blockquote, atom.Dl, atom.Figure, atom.Pre, atom.Xmp, atom.Plaintext:
		w.block(2)
		switch a {
		case atom.Ul, atom.Ol:
			w.startList(a == atom.Ol, z)
		case atom.Blockquote:
			w.closeLink()
			w.quote++
		case atom.Pre, atom.Xmp:
			w.startPre("")
		}
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		w.block(2)
		if w.marks && w.marker == "" && !w.inCell && w.pre == 0 {
			w.marker = "######"[:z.name[1]-'0'] + " "
		}
	case atom.Div, atom.Section, atom.Article, atom.Header, atom.Footer, atom.Address, atom.Center, atom.Dt, atom.Dd, atom.Form,
		atom.Fieldset, atom.Main, atom.Nav, atom.Aside, atom.Figcaption, atom.Caption, atom.Details, atom.Summary, atom.Body, atom.Head,
		atom.Option, atom.Dir, atom.Menu:
		w.block(1)
	case atom.Li:
		w.startItem()
	case atom.B, atom.Strong:
		w.want(styleBold)
	case atom.I, atom.Em:
		w.want(styleItalic)
	case atom.S, atom.Strike, atom.Del:
		w.want(styleStrike)
	case atom.Code, atom.Kbd, atom.Samp, atom.Tt:
		w.want(styleCode)
	case atom.A:
		w.closeLink()
		if href := linkTarget(z.attr("href")); href != "" && w.pre == 0 {
			w.href = href
		}
	case atom.Img:
		w.image(z)
	case atom.Table:
		w.block(2 - min(w.tables, 1))
		w.tables++
		w.row = row{first: true}
	case atom.Tr:
		w.startRow()
	case atom.Td, atom.Th:
		w.startCell(a == atom.Th)
	default:
		if string(z.name) == "codeblock" {
			w.block(2)
			w.startPre(z.attr("class"))
		}
	}
}

func (w *htmlWriter) end(a atom.Atom, name []byte) {
	if w.skip != 0 {
		if a == w.skip {
			w.skip = 0
		}
		return
	}
	switch a {
	case atom.P, atom.Dl, atom.Figure, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		w.block(2)
		if a != atom.P && strings.HasPrefix(w.marker, "#") {
			w.marker = ""
		}
	case atom.Ul, atom.Ol:
		if n := len(w.lists); n > 0 {
			w.lists = w.lists[:n-1]
		}
		w.marker = ""
		w.block(2 - min(len(w.lists), 1))
	case atom.Blockquote:
		w.block(2)
		w.quote = max(0, w.quote-1)
	case atom.Pre, atom.Xmp:
		w.endPre()
	case atom.Div, atom.Section, atom.Article, atom.Header, atom.Footer, atom.Address, atom.Center, atom.Dt, atom.Dd, atom.Form,
		atom.Fieldset, atom.Main, atom.Nav, atom.Aside, atom.Figcaption, atom.Caption, atom.Details, atom.Summary, atom.Head, atom.Li:
		if a == atom.Li {
			w.marker = "" // an empty item
		}
		w.block(1)
	case atom.B, atom.Strong:
		w.unwant(styleBold)
	case atom.I, atom.Em:
		w.unwant(styleItalic)
	case atom.S, atom.Strike, atom.Del:
		w.unwant(styleStrike)
	case atom.Code, atom.Kbd, atom.Samp, atom.Tt:
		w.unwant(styleCode)
	case atom.A:
		w.closeLink()
	case atom.Table:
		w.tables = max(0, w.tables-1)
		w.endRow()
		w.block(2 - min(w.tables, 1))
	case atom.Tr:
		w.endRow()
	case atom.Td, atom.Th:
		w.endCell()
	default:
		if string(name) == "codeblock" {
			w.endPre()
		}
	}
}

// block asks for line ends before the next text.
func (w *htmlWriter) block(n int) {
	if w.pre > 0 {
		if len(w.preText) > 0 && w.preText[len(w.preText)-1] != '\n' {
			w.preText = append(w.preText, '\n')
		}
		return
	}
	w.space = false
	if w.inCell || w.marker != "" || len(w.out) == 0 {
		return
	}
	if w.inLine {
		w.closeLine()
	}
	w.breaks = max(w.breaks, n)
}

// lineBreak is <br>: one line end, a blank line if there are two.
func (w *htmlWriter) lineBreak() {
	if w.pre > 0 {
		w.preText = append(w.preText, '\n')
		return
	}
	w.space = false
	if w.inCell || w.marker != "" || len(w.out) == 0 {
		return
	}
	w.closeLine()
	w.breaks = min(w.breaks+1, 2)
}

// closeLine closes what must not span lines.
func (w *htmlWriter) closeLine() {
	if w.linkStart >= 0 {
		w.closeLink()
	}
	w.closeStyles()
	w.within = [styles]bool{}
	w.inLine = false
}

// text writes running text, its white space collapsed.
func (w *htmlWriter) text(t string) {
	if w.pre > 0 {
		w.preText = append(w.preText, t...)
		return
	}
	for len(t) > 0 {
		// A run of plain characters is the common case.
		n := 0
		for n < len(t) && t[n] > ' ' && t[n] < 0x7f {
			n++
		}
		if n > 0 {
			w.word(t[:n])
			t = t[n:]
			continue
		}
		r, size := utf8.DecodeRuneInString(t)
		switch {
		case r == ' ' || r == '\n' || r == '\t' || r == '\r' || r == '\f' || r == 0xa0 || r == 0x2028 || r == 0x2029:
			w.space = true
		case isControl(r) || r == 0x200b || r == 0xfeff || r == 0xad || r == 0x34f:
			// Invisible characters inside words keep grep from finding them.
		case (r == 0x200c || r == 0x200d) && (w.space || !w.inLine || w.breaks > 0):
			// Joiners join; alone they are the padding of newsletters.
		case r == utf8.RuneError && size == 1:
			w.word("\ufffd")
		default:
			w.word(t[:size])
		}
		t = t[size:]
	}
}

// literal writes text of ours or of an attribute, line by line.
func (w *htmlWriter) literal(s string) {
	if w.pre > 0 {
		w.preText = append(w.preText, s...)
		return
	}
	for i, line := range strings.Split(s, "\n") {
		if i > 0 {
			w.lineBreak()
		}
		w.text(line)
	}
}

// word writes characters that are not white space, after whatever waits before them.
func (w *htmlWriter) word(s string) {
	if w.breaks > 0 || !w.inLine {
		if w.row.text {
			w.row.oneLine = false
		}
		w.newLine()
	}
	if w.row.seps > 0 {
		for range w.row.seps {
			w.out = append(w.out, " |"...)
		}
		w.out = append(w.out, ' ')
		w.row.columns += w.row.seps
		w.row.seps, w.space = 0, false
	}
	if w.marker != "" {
		// An item at the start of a cell.
		w.out = append(w.out, w.marker...)
		w.marker = ""
	}
	w.row.text = w.row.open
	w.inCell = false
	if w.space || w.href != "" || w.marks && w.style != [styles]int{} {
		w.openMarks()
	}
	w.out = append(w.out, s...)
	w.inLine = true
}

// openMarks writes the waiting space and the marks of styles and link that begin here.
func (w *htmlWriter) openMarks() {
	glued := !w.space && w.inLine && len(w.out) > 0 && alnumAtEnd(w.out)
	if w.space {
		if w.inLine {
			w.out = append(w.out, ' ')
		}
		w.space = false
	}
	if w.href != "" && w.linkStart < 0 {
		if w.marks {
			w.out = append(w.out, '[')
		}
		w.linkStart = len(w.out)
		glued = false
	}
	if !w.marks {
		return
	}
	for i, n := range w.style {
		if n == 0 || w.within[i] || slices.Contains(w.open, i) {
			continue
		}
		if glued {
			w.within[i] = true
			continue
		}
		w.out = append(w.out, styleMark[i]...)
		w.open = append(w.open, i)
	}
}

func alnumAtEnd(b []byte) bool {
	r, _ := utf8.DecodeLastRune(b)
	return unicode.IsLetter(r) || unicode.IsDigit(r)
}

// newLine writes the waiting line ends and the prefix of the new line.
func (w *htmlWriter) newLine() {
	quote := min(w.quote, maxQuote)
	if len(w.out) > 0 {
		w.out = append(w.out, '\n')
		if w.breaks > 1 {
			w.out = appendQuote(w.out, min(quote, w.last), true)
			w.out = append(w.out, '\n')
		}
	}
	w.breaks, w.space = 0, false
	w.last = quote
	w.out = appendQuote(w.out, quote, false)
	if n := len(w.lists); n > 0 {
		l := &w.lists[n-1]
		indent := l.indent
		if w.marker == "" {
			indent += l.width
		}
		for range indent {
			w.out = append(w.out, ' ')
		}
	}
	w.out = append(w.out, w.marker...)
	w.marker = ""
	w.inLine = true
}

func appendQuote(out []byte, depth int, blank bool) []byte {
	for i := range depth {
		if i > 0 {
			out = append(out, ' ')
		}
		out = append(out, '>')
	}
	if depth > 0 && !blank {
		out = append(out, ' ')
	}
	return out
}

func (w *htmlWriter) want(s int) {
	if w.pre == 0 {
		w.style[s]++
	}
}

func (w *htmlWriter) unwant(s int) {
	if w.style[s] == 0 {
		return
	}
	if w.style[s]--; w.style[s] > 0 {
		return
	}
	w.within[s] = false
	// Marks nest: what was opened after it closes first and is opened again by the next text.
	if i := slices.Index(w.open, s); i >= 0 {
		w.closeMarks(i)
	}
}

// closeMarks closes the open marks from the i-th on, the last first.
func (w *htmlWriter) closeMarks(i int) {
	for k := len(w.open) - 1; k >= i; k-- {
		w.out = append(w.out, styleMark[w.open[k]]...)
	}
	w.open = w.open[:i]
}

func (w *htmlWriter) closeStyles() { w.closeMarks(0) }

// closeLink ends the open link. A link whose text is its address is written once.
func (w *htmlWriter) closeLink() {
	href, start := w.href, w.linkStart
	w.href, w.linkStart = "", -1
	if href == "" || start < 0 {
		return
	}
	w.closeStyles()
	text := w.out[start:]
	bare := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(href, "mailto:"), "tel:"), "/")
	if same := strings.Trim(string(text), "*`~"); strings.TrimSuffix(same, "/") == bare || same == href {
		if w.marks {
			w.out = append(w.out[:start-1], same...)
		}
		return
	}
	if w.marks {
		w.out = append(w.out, "]("...)
		w.out = append(w.out, href...)
		w.out = append(w.out, ')')
		return
	}
	w.out = append(w.out, " <"...)
	w.out = append(w.out, href...)
	w.out = append(w.out, '>')
}

func (w *htmlWriter) image(z *htmlScanner) {
	src, alt := strings.TrimSpace(z.attr("src")), oneLine(z.attr("alt"))
	if strings.Contains(z.attr("itemtype"), "schema.skype.com/Emoji") {
		w.literal(alt)
		return
	}
	if w.hooks.image != nil {
		src = w.hooks.image(src)
	}
	lower := strings.ToLower(src[:min(len(src), 8)])
	switch {
	case strings.HasPrefix(lower, "data:"):
		w.literal("[" + strings.TrimSpace("embedded image "+alt) + "]")
		return
	case strings.HasPrefix(lower, "cid:"):
	case strings.HasPrefix(lower, "http:"), strings.HasPrefix(lower, "https:"):
		if alt == "" && (z.attr("width") == "1" || z.attr("height") == "1" || z.attr("width") == "0" || z.attr("height") == "0") {
			return // a pixel that counts readers
		}
	default:
		w.literal(alt)
		return
	}
	src = escapeURL(src)
	if w.pre > 0 {
		return
	}
	alt = strings.NewReplacer("[", "(", "]", ")").Replace(alt)
	if w.marks {
		w.word("![" + alt + "](" + src + ")")
		return
	}
	w.word("[image " + strings.TrimSpace(alt+" "+src) + "]")
}
