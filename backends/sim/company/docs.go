package company

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"strings"
	"sync"
	"time"
)

// Kinds are the document kinds that Document makes, each the usual file extension.
var Kinds = []string{"docx", "xlsx", "pdf", "png", "csv", "txt", "md", "json", "html"}

// ContentType is the media type of a kind; "application/octet-stream" for a kind it does not know.
func ContentType(kind string) string {
	switch kind {
	case "docx":
		return "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	case "xlsx":
		return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	case "pdf":
		return "application/pdf"
	case "png":
		return "image/png"
	case "csv":
		return "text/csv"
	case "txt":
		return "text/plain"
	case "md":
		return "text/markdown"
	case "json":
		return "application/json"
	case "html":
		return "text/html"
	}
	return "application/octet-stream"
}

// Document makes a small valid document of a kind with text from w; the same stream gives the same bytes. Unknown kinds
// give plain text.
func Document(kind string, w *Writer) []byte {
	title := w.Subject()
	switch kind {
	case "docx":
		return DOCX(title, w.Paragraphs(2+w.IntN(4)))
	case "xlsx":
		return XLSX("Figures", w.Table(4+w.IntN(12)))
	case "pdf":
		return PDF(title, w.Paragraphs(2+w.IntN(4)))
	case "png":
		return PNG(16+w.IntN(48), 16+w.IntN(48), uint32(w.IntN(1<<24)))
	case "csv":
		return CSV(w.Table(4 + w.IntN(40)))
	case "json":
		b, err := json.MarshalIndent(map[string]any{"title": title, "owner": w.Person().DisplayName, "amount": w.IntN(100000)}, "", "  ")
		if err != nil {
			panic(err) // strings and ints always marshal
		}
		return append(b, '\n')
	case "html":
		return fmt.Appendf(nil, "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>%s</title></head>\n<body><p>%s</p></body></html>\n",
			escape(title), escape(w.Paragraph(4)))
	case "md":
		return []byte("# " + title + "\n\n" + strings.Join(w.Paragraphs(3), "\n\n") + "\n")
	}
	return []byte(title + "\n\n" + strings.Join(w.Paragraphs(2), "\n\n") + "\n")
}

// Table is a table of figures: a header row and n more.
func (w *Writer) Table(n int) [][]string {
	rows := [][]string{{"Date", "Project", "Item", "Owner", "Amount"}}
	for i := range n {
		rows = append(rows, []string{
			fmt.Sprintf("2026-%02d-%02d", 1+i%12, 1+w.IntN(28)), w.Project(), w.Pick(things), w.Person().DisplayName,
			fmt.Sprintf("%d.%02d", w.IntN(90000), w.IntN(100)),
		})
	}
	return rows
}

// CSV is RFC 4180 text with LF line ends, in UTF-8.
func CSV(rows [][]string) []byte {
	var b bytes.Buffer
	if err := csv.NewWriter(&b).WriteAll(rows); err != nil {
		panic(err) // a bytes.Buffer does not fail
	}
	return b.Bytes()
}

// DOCX is a minimal WordprocessingML package with a heading and paragraphs.
func DOCX(title string, paragraphs []string) []byte {
	var body strings.Builder
	fmt.Fprintf(&body, `<w:p><w:r><w:rPr><w:b/></w:rPr><w:t xml:space="preserve">%s</w:t></w:r></w:p>`, escape(title))
	for _, p := range paragraphs {
		fmt.Fprintf(&body, `<w:p><w:r><w:t xml:space="preserve">%s</w:t></w:r></w:p>`, escape(p))
	}
	return packParts([]part{
		{"[Content_Types].xml", types("/word/document.xml", "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml", "")},
		{"_rels/.rels", relationships("officeDocument", "word/document.xml")},
		{"word/document.xml", xml.Header + `<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>` +
			body.String() + `<w:sectPr/></w:body></w:document>`},
	})
}

// XLSX is a minimal SpreadsheetML package with one sheet of inline strings.
func XLSX(sheet string, rows [][]string) []byte {
	var data strings.Builder
	for i, row := range rows {
		fmt.Fprintf(&data, `<row r="%d">`, i+1)
		for j, cell := range row {
			fmt.Fprintf(&data, `<c r="%c%d" t="inlineStr"><is><t>%s</t></is></c>`, 'A'+j%26, i+1, escape(cell))
		}
		data.WriteString(`</row>`)
	}
	const ns = `xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"`
	return packParts([]part{
		{"[Content_Types].xml", types("/xl/workbook.xml", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml",
			`<Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>`)},
		{"_rels/.rels", relationships("officeDocument", "xl/workbook.xml")},
		{"xl/workbook.xml", xml.Header + `<workbook ` + ns + ` xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="` +
			escape(sheet) + `" sheetId="1" r:id="rId1"/></sheets></workbook>`},
		{"xl/_rels/workbook.xml.rels", relationships("worksheet", "worksheets/sheet1.xml")},
		{"xl/worksheets/sheet1.xml", xml.Header + `<worksheet ` + ns + `><sheetData>` + data.String() + `</sheetData></worksheet>`},
	})
}

// PDF is a one-page PDF 1.4 in Helvetica. Its standard font has only Latin-1, other characters become "?".
func PDF(title string, lines []string) []byte {
	var text strings.Builder
	text.WriteString("BT /F1 14 Tf 56 780 Td 16 TL (" + pdfString(title) + ") Tj /F1 10 Tf")
	for _, l := range lines {
		for _, piece := range wrap(l, 90) {
			text.WriteString(" T* (" + pdfString(piece) + ") Tj")
		}
		text.WriteString(" T*")
	}
	text.WriteString(" ET")
	objects := []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", text.Len(), text.String()),
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
	}
	var b bytes.Buffer
	b.WriteString("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
	offsets := make([]int, len(objects))
	for i, o := range objects {
		offsets[i] = b.Len()
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, o := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, start)
	return b.Bytes()
}

// pictures keeps its compressor between pictures: making one costs more than a small picture does.
var pictures = png.Encoder{BufferPool: &encoders{}}

type encoders struct{ pool sync.Pool }

// Get gives a used buffer, nil if there is none.
func (e *encoders) Get() *png.EncoderBuffer {
	b, _ := e.pool.Get().(*png.EncoderBuffer)
	return b
}

// Put keeps a buffer for later.
func (e *encoders) Put(b *png.EncoderBuffer) { e.pool.Put(b) }

// PNG is a w by h picture of a gradient in the given colour (0xRRGGBB).
func PNG(w, h int, rgb uint32) []byte {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			f := uint32(255 * (x + y) / (w + h))
			img.SetRGBA(x, y, color.RGBA{uint8(rgb >> 16 & 0xff * f / 255), uint8(rgb >> 8 & 0xff * f / 255), uint8(rgb & 0xff * f / 255), 255})
		}
	}
	var b bytes.Buffer
	if err := pictures.Encode(&b, img); err != nil {
		panic(err) // a bytes.Buffer does not fail
	}
	return b.Bytes()
}

// ZIP is an archive of files in the order given, without compression and with a fixed date, so its bytes depend on
// names and contents alone.
func ZIP(names []string, contents [][]byte) []byte {
	var parts []part
	for i, n := range names {
		parts = append(parts, part{n, string(contents[i])})
	}
	return packParts(parts)
}

type part struct{ name, data string }

// packParts stores rather than deflates: a newer compress/flate must not change the bytes of a seed.
func packParts(parts []part) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, p := range parts {
		f, err := z.CreateRaw(&zip.FileHeader{
			Name: p.name, Method: zip.Store, Modified: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
			CRC32: crc32.ChecksumIEEE([]byte(p.data)), CompressedSize64: uint64(len(p.data)), UncompressedSize64: uint64(len(p.data)),
		})
		if err == nil {
			_, err = f.Write([]byte(p.data))
		}
		if err != nil {
			panic(err) // a bytes.Buffer does not fail
		}
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func types(main, mainType, more string) string {
	return xml.Header + `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">` +
		`<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
		`<Default Extension="xml" ContentType="application/xml"/>` +
		`<Override PartName="` + main + `" ContentType="` + mainType + `"/>` + more + `</Types>`
}

func relationships(kind, target string) string {
	return xml.Header + `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` +
		`<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/` + kind + `" Target="` + target + `"/></Relationships>`
}

func escape(s string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		panic(err) // a strings.Builder does not fail
	}
	return b.String()
}

func pdfString(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '(' || r == ')' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r >= 0x20 && r < 0x7f:
			b.WriteRune(r)
		case r >= 0xa0 && r <= 0xff:
			fmt.Fprintf(&b, "\\%03o", r)
		default:
			b.WriteByte('?')
		}
	}
	return b.String()
}

// wrap breaks a line at spaces so that no piece has more than n runes, long words aside.
func wrap(s string, n int) []string {
	var out []string
	line, length := "", 0
	for _, word := range strings.Fields(s) {
		w := len([]rune(word))
		if length > 0 && length+1+w > n {
			out = append(out, line)
			line, length = "", 0
		}
		if length > 0 {
			line += " "
			length++
		}
		line += word
		length += w
	}
	if length > 0 {
		out = append(out, line)
	}
	return out
}
