package rfc822

import (
	"bytes"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
)

func TestRoundTrip(t *testing.T) {
	in := &mailbox.Content{
		Subject: "Grüße, 你好\r\nX-Injected: yes", MessageID: "<1@x>", InReplyTo: "<0@x>", References: []string{"<0@x>"},
		From: &mailbox.Address{Name: "Zoë \"Z\" O'Brien", Address: "zoe@contoso.com"}, HTML: true, Body: "<p>Tschüß</p>",
		To:         []mailbox.Address{{Name: "王小明", Address: "x@contoso.com"}, {Name: "Legacy", Address: "/O=EX/OU=A (B)/CN=C D"}, {Name: "Nobody"}},
		Importance: "high",
		Attachments: []*mailbox.Attachment{
			{Type: mailbox.FileAttachment, Name: "pic.png", ContentType: "image/png", ContentID: "pic", Inline: true, Data: func() []byte { return []byte("PNG") }},
			{Type: mailbox.FileAttachment, Name: "../ré\"s\r\numé.txt", ContentType: "text/plain", Data: func() []byte { return []byte(strings.Repeat("long", 100)) }},
			{Type: mailbox.ItemAttachment, Name: "Inner", Message: &mailbox.Content{Subject: "Inner", MessageID: "<i@x>", Body: "text"}},
			{Type: mailbox.ReferenceAttachment, Name: "cloud"},
		},
	}
	sentAt := time.Date(2026, 11, 20, 9, 12, 33, 0, time.UTC)
	raw := Make(in, Options{Boundary: "b", Sent: sentAt})
	if _, err := mail.ReadMessage(bytes.NewReader(raw)); err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(raw), "\r\n") {
		if len(line) > 998 || strings.ContainsAny(line, "\r\n\x00") {
			t.Errorf("line %d is no line of a message: %.80q", i, line)
		}
	}
	out, received := Read(raw)
	if received != sentAt || out.Subject != in.Subject || out.MessageID != in.MessageID || !out.HTML || strings.TrimSpace(out.Body) != in.Body || out.Importance != "high" {
		t.Errorf("read %+v of %v", out, received)
	}
	if *out.From != *in.From || len(out.To) < 2 || out.To[0] != in.To[0] || !strings.HasPrefix(out.To[1].Address, "IMCEAEX-_O+3DEX") {
		t.Errorf("addresses %v, %v", *out.From, out.To)
	}
	if len(out.Attachments) != 3 {
		t.Fatalf("attachments %v", out.Attachments)
	}
	pic, file, inner := out.Attachments[0], out.Attachments[1], out.Attachments[2]
	if !pic.Inline || pic.ContentID != "pic" || string(pic.Data()) != "PNG" || file.Inline || string(file.Data()) != strings.Repeat("long", 100) {
		t.Errorf("parts %+v, %+v", pic, file)
	}
	if inner.Message == nil || inner.Message.Subject != "Inner" || strings.TrimSpace(inner.Message.Body) != "text" {
		t.Errorf("inner %+v", inner)
	}
}

func TestLongSubjects(t *testing.T) {
	for _, subject := range []string{strings.Repeat("x", 5000), strings.Repeat("long ", 900), strings.Repeat("ш", 3000), "a" + strings.Repeat(" ", 2000) + "b"} {
		raw := Make(&mailbox.Content{Subject: subject}, Options{Boundary: "b"})
		for _, line := range strings.Split(string(raw), "\r\n") {
			if len(line) > 998 {
				t.Errorf("a line of %d bytes for %.20q", len(line), subject)
			}
		}
		if c, _ := Read(raw); strings.TrimSpace(c.Subject) != strings.TrimSpace(subject) {
			t.Errorf("%.20q came back as %.60q", subject, c.Subject)
		}
	}
}

func TestReadDates(t *testing.T) {
	for header, want := range map[string]string{
		"Date: Fri, 20 Nov 2026 09:12:33 +0100":                                   "2026-11-20T08:12:33Z",
		"Date: Fri, 20 Nov 2026 09:12:33 GMT (a comment)":                         "2026-11-20T09:12:33Z",
		"Date: 2026-11-20T09:12:33Z":                                              "2026-11-20T09:12:33Z",
		"Date: Fri Nov 20 09:12:33 2026":                                          "2026-11-20T09:12:33Z",
		"Received: by x with y; Thu, 1 Jan 2026 00:00:00 +0000\nDate: whatever":   "2026-01-01T00:00:00Z",
		"Received: by x with y; nonsense\nDate: Thu, 1 Jan 2026 00:00:00 +0000":   "2026-01-01T00:00:00Z",
		"Received: by x\n\twith y;\n\tThu, 1 Jan 2026 00:00:00 +0000":             "2026-01-01T00:00:00Z",
		"Received: by x; Mon, 1 Jan 0001 00:00:00 +0000\nDate: 1 Jan 2026 0:00:1": "0001-01-01T00:00:00Z",
		"Subject: none": "0001-01-01T00:00:00Z",
	} {
		if _, got := Read([]byte(header + "\n\nbody")); got.Format(time.RFC3339) != want {
			t.Errorf("%q is of %s, want %s", header, got.Format(time.RFC3339), want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("Subject: =?utf-8?q?x?=\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\nx\r\n--b--\r\n"))
	f.Add([]byte("To: a <b@c>, =?x?b?!!?=\n\n\xff"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, _ := Read(raw)
		if c.MessageID == "" {
			t.Error("a message without an id")
		}
		if _, err := mail.ReadMessage(bytes.NewReader(Make(c, Options{Boundary: "b"}))); err != nil {
			t.Errorf("MIME made of %q: %v", raw, err)
		}
	})
}
