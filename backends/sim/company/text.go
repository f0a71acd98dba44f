package company

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
)

// Writer makes text that one could believe. Each purpose has its own stream, so the text of item i never depends on
// whether item i-1 was asked for. A Writer is cheap to make and not safe for concurrent use.
type Writer struct {
	rng *rand.Rand
	c   *Company
}

// Writer gives the text stream of a purpose, the same every time.
func (c *Company) Writer(purpose string) *Writer {
	b := c.digest("text", purpose)
	return &Writer{
		rng: rand.New(rand.NewPCG(binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:16]))),
		c:   c,
	}
}

// IntN gives a number in [0,n).
func (w *Writer) IntN(n int) int { return w.rng.IntN(n) }

// Chance is true in the given percentage of calls.
func (w *Writer) Chance(percent int) bool { return w.rng.IntN(100) < percent }

// Pick takes one of the strings.
func (w *Writer) Pick(of []string) string { return of[w.rng.IntN(len(of))] }

// Person takes one of the company's members.
func (w *Writer) Person() *Person { return w.c.People[w.rng.IntN(len(w.c.People))] }

// Project takes one of the company's code names.
func (w *Writer) Project() string { return w.Pick(w.c.Projects) }

// Subject is a short headline without a full stop, as in a mail's subject or a document's title.
func (w *Writer) Subject() string { return w.expand(w.Pick(subjects)) }

// Sentence is one sentence with its full stop; about one in twelve is not in English.
func (w *Writer) Sentence() string {
	if w.rng.IntN(12) == 0 {
		return w.Phrase()
	}
	return w.expand(w.Pick(sentences))
}

// Paragraph is the given number of sentences on one line.
func (w *Writer) Paragraph(n int) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = w.Sentence()
	}
	return strings.Join(parts, " ")
}

// Paragraphs is n paragraphs of two to five sentences.
func (w *Writer) Paragraphs(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = w.Paragraph(2 + w.rng.IntN(4))
	}
	return out
}

// Phrase is a short phrase in a script or language other than English.
func (w *Writer) Phrase() string { return w.Pick(phrases) }

// Emoji is one emoji, sometimes a sequence with joiners or skin tones.
func (w *Writer) Emoji() string { return w.Pick(emojis) }

// Chat is a short message as in a chat, at times only an emoji.
func (w *Writer) Chat() string {
	switch w.rng.IntN(10) {
	case 0:
		return w.Emoji()
	case 1, 2:
		return w.Pick(quips) + " " + w.Emoji()
	case 3, 4:
		return w.Pick(quips)
	default:
		return w.Sentence()
	}
}

// FileName is a name as people give them, with the extension (no dot) added.
func (w *Writer) FileName(ext string) string {
	return w.expand(w.Pick(fileStems)) + "." + ext
}

// expand fills {project}, {person}, {quarter}, {number}, {money}, {day} and {thing}.
func (w *Writer) expand(t string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(t, '{')
		if i < 0 {
			break
		}
		j := i + strings.IndexByte(t[i:], '}')
		b.WriteString(t[:i])
		switch t[i+1 : j] {
		case "project":
			b.WriteString(w.Project())
		case "person":
			b.WriteString(w.Person().GivenName)
		case "quarter":
			fmt.Fprintf(&b, "Q%d", 1+w.rng.IntN(4))
		case "number":
			fmt.Fprint(&b, 2+w.rng.IntN(97))
		case "money":
			fmt.Fprintf(&b, "$%d,%03d", 1+w.rng.IntN(900), w.rng.IntN(1000))
		case "day":
			b.WriteString(w.Pick(days))
		case "thing":
			b.WriteString(w.Pick(things))
		}
		t = t[j+1:]
	}
	b.WriteString(t)
	return b.String()
}
