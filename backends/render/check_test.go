package render

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/emersion/go-ical"
	gomessage "github.com/emersion/go-message"
	govcard "github.com/emersion/go-vcard"
	"go.yaml.in/yaml/v3"
)

var messageID = regexp.MustCompile(`^<[A-Za-z0-9-]+\.[0-9a-f]{16}@teams\.workfs\.invalid>$`)

var (
	messageKeys = []string{"from", "sender", "to", "cc", "bcc", "reply_to", "date", "sent", "subject", "message_id", "conversation", "importance",
		"draft", "has_attachments", "attachments"}
	chatKeys = []string{"from", "conversation", "date", "edited", "deleted", "subject", "event", "id", "conversation_id", "thread", "importance",
		"has_attachments", "attachments"}
	mailHeaders = []string{"From", "To", "Date", "Message-Id", "In-Reply-To", "References", "Subject", "Importance", "X-Teams-Edited",
		"X-Teams-Deleted", "X-Teams-Event", "Mime-Version", "Content-Type"}
)

// checkText checks the promise of all formats: UTF-8 without control characters but newline and tab, CR only before LF and
// only where a standard wants it.
func checkText(t *testing.T, name string, b []byte) {
	t.Helper()
	if !utf8.Valid(b) {
		t.Errorf("%s: not UTF-8", name)
	}
	s := string(b)
	if strings.HasSuffix(name, ".eml") || strings.HasSuffix(name, ".ics") || strings.HasSuffix(name, ".vcf") || strings.HasSuffix(name, ".url") {
		if strings.Count(s, "\n") != strings.Count(s, "\r\n") {
			t.Errorf("%s: a bare LF", name)
		}
		s = strings.ReplaceAll(s, "\r\n", "\n")
	}
	for i, r := range s {
		if r != '\n' && r != '\t' && isControl(r) {
			t.Errorf("%s: %U at byte %d", name, r, i)
			return
		}
	}
	if s != "" && !strings.HasSuffix(s, "\n") {
		t.Errorf("%s: no newline at its end", name)
	}
}

// checkFrontMatter checks that a Markdown file begins with one YAML block of allowed keys, each once, and gives it.
func checkFrontMatter(t *testing.T, b []byte, allowed []string) map[string]any {
	t.Helper()
	s := string(b)
	if !strings.HasPrefix(s, "---\n") {
		t.Errorf("no front matter: %.80q", s)
		return nil
	}
	head, rest, ok := strings.Cut(s[4:], "\n---\n")
	if !ok || rest != "" && !strings.HasPrefix(rest, "\n") {
		t.Errorf("front matter does not end: %.200q", s)
		return nil
	}
	for _, r := range head {
		if isBidi(r) || r == 0x2028 || r == 0x2029 {
			t.Errorf("front matter has %U", r)
		}
	}
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(head), &node); err != nil || len(node.Content) != 1 || node.Content[0].Kind != yaml.MappingNode {
		t.Errorf("front matter is no mapping: %v\n%s", err, head)
		return nil
	}
	seen := map[string]bool{}
	for i := 0; i < len(node.Content[0].Content); i += 2 {
		k := node.Content[0].Content[i].Value
		if seen[k] || !slices.Contains(allowed, k) {
			t.Errorf("key %q in front matter:\n%s", k, head)
		}
		seen[k] = true
	}
	values := map[string]any{}
	if err := node.Decode(&values); err != nil {
		t.Errorf("front matter: %v", err)
	}
	return values
}

// checkJSON checks that out is sorted JSON that means what raw does, where raw is valid itself.
func checkJSON(t *testing.T, raw, out []byte) {
	t.Helper()
	checkText(t, "out.json", out)
	if !json.Valid(out) {
		t.Errorf("invalid JSON: %.200q", out)
	}
	again, err := JSON(out)
	if err != nil || !bytes.Equal(again, out) {
		t.Errorf("not stable: %v\n%.200q\n%.200q", err, out, again)
	}
	var a, b any
	if decodeNumbers(raw, &a) == nil {
		if err := decodeNumbers(out, &b); err != nil || !reflect.DeepEqual(a, b) {
			t.Errorf("another value: %v\n%.200q\n%.200q", err, raw, out)
		}
	}
}

func decodeNumbers(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(v)
}

// checkEML checks that net/mail and go-message find the expected headers and two parts.
func checkEML(t *testing.T, b []byte) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(b))
	if err != nil {
		t.Errorf("net/mail: %v\n%s", err, b)
		return
	}
	for k, v := range m.Header {
		if !slices.Contains(mailHeaders, k) || len(v) != 1 {
			t.Errorf("header %q: %q", k, v)
		}
		dec := new(mime.WordDecoder)
		text, err := dec.DecodeHeader(v[0])
		if err != nil {
			t.Errorf("header %q: %v", k, err)
		}
		for _, r := range text {
			if isControl(r) || isBidi(r) {
				t.Errorf("header %q holds %U: %q", k, r, text)
			}
		}
	}
	for _, k := range []string{"From", "To"} {
		if l, err := m.Header.AddressList(k); err != nil || len(l) != 1 {
			t.Errorf("%s: %v, %v in %q", k, l, err, m.Header.Get(k))
		}
	}
	for _, k := range []string{"Message-Id", "In-Reply-To", "References"} {
		if v := m.Header.Get(k); (v != "" || k == "Message-Id") && !messageID.MatchString(v) {
			t.Errorf("%s: %q", k, v)
		}
	}
	for i, line := range strings.Split(string(b), "\r\n") {
		if len(line) > 998 {
			t.Errorf("line %d has %d bytes", i, len(line))
		}
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Errorf("Content-Type: %v", err)
		return
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for i, want := range []string{"text/plain; charset=utf-8", "text/html; charset=utf-8"} {
		p, err := parts.NextRawPart()
		if err != nil {
			t.Errorf("part %d: %v", i, err)
			return
		}
		body, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil || p.Header.Get("Content-Type") != want || len(p.Header) != 2 {
			t.Errorf("part %d: %v, %v", i, p.Header, err)
		}
		checkText(t, "part", bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n")))
	}
	if _, err := parts.NextRawPart(); err != io.EOF {
		t.Errorf("after the last part: %v", err)
	}
	e, err := gomessage.Read(bytes.NewReader(b))
	if err != nil {
		t.Errorf("go-message: %v", err)
		return
	}
	n := 0
	for r := e.MultipartReader(); ; n++ {
		p, err := r.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Errorf("go-message: %v", err)
			break
		}
		if _, err := io.ReadAll(p.Body); err != nil {
			t.Errorf("go-message: %v", err)
		}
	}
	if n != 2 {
		t.Errorf("go-message finds %d parts", n)
	}
}

var (
	eventProps = []string{"ATTENDEE", "CATEGORIES", "CLASS", "CREATED", "DESCRIPTION", "DTEND", "DTSTAMP", "DTSTART", "EXDATE", "LAST-MODIFIED",
		"LOCATION", "ORGANIZER", "PRIORITY", "RECURRENCE-ID", "RRULE", "STATUS", "SUMMARY", "TRANSP", "UID", "URL", "X-ALT-DESC",
		"X-MICROSOFT-CDO-BUSYSTATUS"}
	eventParams = []string{"CN", "CUTYPE", "FMTTYPE", "PARTSTAT", "ROLE", "TZID", "VALUE"}
	cardProps   = []string{"VERSION", "PRODID", "UID", "FN", "N", "NICKNAME", "X-PHONETIC-FIRST-NAME", "X-PHONETIC-LAST-NAME", "ORG", "TITLE", "ROLE",
		"EMAIL", "TEL", "IMPP", "X-IM", "ADR", "URL", "BDAY", "RELATED", "X-MANAGER", "X-ASSISTANT", "NOTE", "CATEGORIES", "REV"}
)

// checkLines checks folding: no line over 75 bytes, none that is not UTF-8 by itself, and gives the unfolded lines.
func checkLines(t *testing.T, b []byte) []string {
	t.Helper()
	for _, line := range strings.Split(string(b), "\r\n") {
		if len(line) > 75 || !utf8.ValidString(line) {
			t.Errorf("line of %d bytes: %q", len(line), line)
		}
	}
	return strings.Split(strings.TrimSuffix(strings.ReplaceAll(string(b), "\r\n ", ""), "\r\n"), "\r\n")
}

func checkICS(t *testing.T, b []byte) *ical.Calendar {
	t.Helper()
	checkText(t, "out.ics", b)
	cal, err := ical.NewDecoder(bytes.NewReader(b)).Decode()
	if err != nil {
		t.Errorf("go-ical: %v\n%s", err, b)
		return nil
	}
	lines := 2 + len(cal.Props)
	var count func(c *ical.Component)
	count = func(c *ical.Component) {
		for _, child := range c.Children {
			lines += 2
			for name, props := range child.Props {
				lines += len(props)
				if child.Name == ical.CompEvent && !slices.Contains(eventProps, name) {
					t.Errorf("property %s", name)
				}
				for _, p := range props {
					for k := range p.Params {
						if !slices.Contains(eventParams, k) {
							t.Errorf("parameter %s of %s", k, name)
						}
					}
				}
			}
			count(child)
		}
	}
	count(cal.Component)
	if n := len(checkLines(t, b)); n != lines {
		t.Errorf("%d lines, want %d\n%s", n, lines, b)
	}
	for _, e := range cal.Events() {
		if e.Props.Get("RRULE") != nil {
			if _, err := e.Props.RecurrenceRule(); err != nil {
				t.Errorf("RRULE: %v", err)
			}
		}
		if len(e.Children) > 1 {
			t.Errorf("%d alarms", len(e.Children))
		}
	}
	return cal
}

func checkVCF(t *testing.T, b []byte) {
	t.Helper()
	checkText(t, "out.vcf", b)
	d := govcard.NewDecoder(bytes.NewReader(b))
	card, err := d.Decode()
	if err != nil {
		t.Errorf("go-vcard: %v\n%s", err, b)
		return
	}
	if _, err := d.Decode(); err != io.EOF {
		t.Errorf("a second card: %v", err)
	}
	n := 2
	for k, fields := range card {
		n += len(fields)
		if !slices.Contains(cardProps, k) {
			t.Errorf("property %s", k)
		}
	}
	if lines := checkLines(t, b); len(lines) != n {
		t.Errorf("%d lines, want %d\n%s", len(lines), n, b)
	}
	if card.Get("VERSION").Value != "4.0" || card.Get("FN") == nil {
		t.Errorf("VERSION or FN missing\n%s", b)
	}
}
