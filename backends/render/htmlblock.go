package render

import (
	"strconv"
	"strings"
	"unicode"
)

func (w *htmlWriter) startList(ordered bool, z *htmlScanner) {
	l := list{ordered: ordered, next: 1}
	if ordered {
		if n, err := strconv.Atoi(z.attr("start")); err == nil && n >= 0 && n < 1e6 {
			l.next = n
		}
	}
	if n := len(w.lists); n > 0 {
		up := w.lists[n-1]
		l.indent = min(up.indent+max(up.width, 2), 4*maxList)
		w.breaks = min(w.breaks, 1)
	}
	if w.marker != "" {
		// A list that begins where an item does, as Outlook nests them: its own marker takes the line.
		w.marker = ""
	}
	if len(w.lists) < 1000 {
		w.lists = append(w.lists, l)
	}
}

func (w *htmlWriter) startItem() {
	w.block(1)
	if w.pre > 0 {
		return
	}
	if len(w.lists) == 0 {
		w.marker = "- "
		return
	}
	l := &w.lists[len(w.lists)-1]
	if l.items++; l.items > 1 {
		w.breaks = min(w.breaks, 1)
	}
	w.marker = "- "
	if l.ordered {
		w.marker = strconv.Itoa(l.next) + ". "
		l.next++
	}
	l.width = len(w.marker)
}

func (w *htmlWriter) startPre(lang string) {
	w.closeLink()
	w.closeStyles()
	w.pre++
	if w.pre == 1 {
		w.preText = w.preText[:0]
		w.preLang = ""
		for _, r := range strings.ToLower(lang) {
			if r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r)) && len(w.preLang) < 20 {
				w.preLang += string(r)
			}
		}
	}
}

// endPre writes the collected preformatted text as a fenced block.
func (w *htmlWriter) endPre() {
	if w.pre == 0 {
		return
	}
	if w.pre--; w.pre > 0 {
		return
	}
	text := strings.ReplaceAll(bodyText(string(w.preText)), "\u00a0", " ")
	w.preText = w.preText[:0]
	text = strings.TrimPrefix(text, "\n")
	if text == "" {
		return
	}
	fence := "```"
	for strings.Contains(text, fence) && len(fence) < 64 {
		fence += "`"
	}
	w.block(2)
	style := w.style
	w.style = [styles]int{}
	lines := strings.Split(text, "\n")
	if w.marks {
		lines = append(append([]string{fence + w.preLang}, lines...), fence)
	}
	for i, line := range lines {
		if i > 0 {
			w.breaks = 1
		}
		w.newLine()
		w.out = append(w.out, line...)
	}
	w.style = style
	w.inCell, w.row.oneLine = false, false
	w.block(2)
}

func (w *htmlWriter) startRow() {
	if w.pre > 0 {
		return
	}
	first := w.row.first
	w.endRow()
	if !first {
		w.breaks = min(w.breaks, 1)
	}
	w.row = row{open: true, oneLine: true, header: true, first: first}
}

func (w *htmlWriter) startCell(header bool) {
	if w.pre > 0 || !w.row.open || !w.row.oneLine {
		w.inCell = false
		w.block(1)
		return
	}
	w.endCell()
	if w.row.text {
		// What ended blocks in the cell before does not end the row's line.
		w.breaks, w.inLine = 0, true
		w.row.seps++
	}
	w.row.cells++
	w.row.header = w.row.header && header
	w.inCell = true
}

func (w *htmlWriter) endCell() {
	w.closeLink()
	w.closeStyles()
	w.inCell, w.space = false, false
}

// endRow ends the row's line; below a line of header cells comes the delimiter that makes it a table in Markdown.
func (w *htmlWriter) endRow() {
	r := w.row
	w.row = row{first: r.first && !r.open}
	w.inCell = false
	w.block(1)
	if r.open && r.first && r.header && r.oneLine && r.columns > 0 && w.marks {
		w.breaks = 1
		w.newLine()
		w.out = append(w.out, strings.Repeat("--- | ", r.columns)+"---"...)
		w.block(1)
	}
}
