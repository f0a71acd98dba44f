package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/workfs/workfs/backends/rest"
)

// apiOutput is where an answer goes: standard output, or a file that appears when the answer is there as a whole.
type apiOutput struct {
	stdout   io.Writer
	terminal bool // standard output is one, which must not obey what a service sends
	raw      bool
	file     *os.File // instead of standard output for bodies; nil for none
	path     string   // of the file in the end; "" where it is written in place
}

func newAPIOutput(stdout io.Writer, output string, raw bool) (*apiOutput, error) {
	o := &apiOutput{stdout: stdout, raw: raw}
	if f, ok := stdout.(*os.File); ok {
		o.terminal = term.IsTerminal(int(f.Fd()))
	}
	if output == "" || output == "-" {
		return o, nil
	}
	var err error
	if info, statErr := os.Stat(output); statErr == nil && !info.Mode().IsRegular() {
		o.file, err = os.OpenFile(output, os.O_WRONLY, 0) // a pipe or a device
		return o, err
	}
	o.path = output
	o.file, err = os.CreateTemp(filepath.Dir(output), "."+filepath.Base(output)+".*")
	return o, err
}

// head prints the first lines of an answer.
func (o *apiOutput) head(status int, header http.Header) {
	fmt.Fprintf(o.stdout, "HTTP %d %s\n", status, http.StatusText(status))
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			fmt.Fprintf(o.stdout, "%s: %s\n", printable(name), printable(value))
		}
	}
	fmt.Fprintln(o.stdout)
}

// errBinary says that an answer is nothing for a terminal.
var errBinary = withCode(codeUsage, errors.New("the answer is no text: write it to a file with --output FILE, or print it with --raw"))

// body copies the body of an answer.
func (o *apiOutput) body(r io.Reader, contentType string) error {
	if o.file != nil {
		_, err := io.Copy(o.file, r)
		return err
	}
	w := o.text()
	tail := &lastByte{}
	if !o.raw && o.terminal && !isText(contentType) {
		var start [512]byte
		n, err := io.ReadFull(r, start[:])
		if !readable(start[:n], n == len(start)) {
			return errBinary
		}
		if _, err := w.Write(start[:n]); err != nil {
			return err
		}
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
	}
	if _, err := io.Copy(io.MultiWriter(w, tail), r); err != nil {
		return err
	}
	// The services end JSON without a newline.
	if media, _, _ := mime.ParseMediaType(contentType); !o.raw && strings.HasSuffix(media, "json") && tail.seen && tail.b != '\n' {
		fmt.Fprintln(o.stdout)
	}
	return nil
}

// text is where text goes that the service sent.
func (o *apiOutput) text() io.Writer {
	switch {
	case o.file != nil:
		return o.file
	case o.terminal && !o.raw:
		return &harmless{w: o.stdout}
	}
	return o.stdout
}

// refusal prints the answer of a request that the service refused. It is never what was to be written to a file.
func (o *apiOutput) refusal(e *rest.Error, include bool) {
	o.discard()
	if e.Header == nil {
		return
	}
	if include {
		o.head(e.Status, e.Header)
	}
	if len(e.Body) > 0 && readable(e.Body, true) {
		_, _ = o.text().Write(e.Body) // what matters goes to standard error
		if !bytes.HasSuffix(e.Body, []byte("\n")) {
			fmt.Fprintln(o.stdout)
		}
	}
}

// done puts the file in its place.
func (o *apiOutput) done() error {
	if o.file == nil {
		return nil
	}
	f := o.file
	err := f.Close()
	if o.path != "" && err == nil {
		err = os.Rename(f.Name(), o.path)
	}
	if err == nil {
		o.file = nil
	}
	return err
}

// discard takes back a file that is not whole.
func (o *apiOutput) discard() {
	if o.file == nil {
		return
	}
	o.file.Close()
	if o.path != "" {
		os.Remove(o.file.Name())
	}
	o.file = nil
}

// isText tells whether a content type is one of text.
func isText(contentType string) bool {
	media, _, _ := mime.ParseMediaType(contentType)
	return strings.HasPrefix(media, "text/") || strings.HasSuffix(media, "json") || strings.HasSuffix(media, "xml")
}

// readable tells whether the start of a content looks like text; cut says that it may end within a character.
func readable(start []byte, cut bool) bool {
	for len(start) > 0 {
		r, n := utf8.DecodeRune(start)
		if r == utf8.RuneError && n == 1 && !(cut && len(start) < utf8.UTFMax) || r == 0 {
			return false
		}
		start = start[n:]
	}
	return true
}

// lastByte remembers the last byte written to it.
type lastByte struct {
	b    byte
	seen bool
}

func (l *lastByte) Write(p []byte) (int, error) {
	if len(p) > 0 {
		l.b, l.seen = p[len(p)-1], true
	}
	return len(p), nil
}

// harmless writes text without what a terminal would obey.
type harmless struct {
	w    io.Writer
	rest []byte // the start of a character
}

func (h *harmless) Write(p []byte) (int, error) {
	text := append(h.rest, p...)
	end := len(text)
	for i := 1; i <= min(utf8.UTFMax-1, len(text)); i++ {
		if utf8.RuneStart(text[len(text)-i]) {
			if !utf8.FullRune(text[len(text)-i:]) {
				end = len(text) - i
			}
			break
		}
	}
	h.rest = bytes.Clone(text[end:])
	clean := bytes.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || !unicode.IsControl(r) && !unicode.Is(unicode.Bidi_Control, r) {
			return r
		}
		if r == '\r' {
			return -1
		}
		return '?'
	}, text[:end])
	if _, err := h.w.Write(clean); err != nil {
		return 0, err
	}
	return len(p), nil
}
