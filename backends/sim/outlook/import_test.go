package outlook_test

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim/outlook"
)

func TestImportMail(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{
		"received.eml": "Received: from a by b; Tue, 3 Mar 2026 10:11:12 +0100 (CET)\r\nReceived: from x by a; Mon, 2 Mar 2026 01:01:01 +0000\r\n" +
			"Date: Sun, 1 Mar 2026 01:01:01 +0000\r\nFrom: =?iso-8859-1?q?J=F6rg?= <j@example.com>\r\nTo: a@example.com, \"B, C\" <b@example.com>\r\nSubject: Hello\r\nMessage-ID: <1@x>\r\n\r\nbody\r\n",
		"date.eml":        "Date: Sun, 1 Feb 2026 01:02:03 +0000\nSubject: LF only\n\nbody\n",
		"deep/er/no.eml":  "Subject: no date\r\n\r\nx",
		"Mail/cur/1:2,S":  "Date: 1 Jan 2026 00:00:00 GMT\r\nSubject: seen\r\n\r\n",
		"Mail/new/2":      "Date: 2 Jan 2026 00:00:00 GMT\r\nSubject: new\r\n\r\n",
		"Mail/tmp/3":      "Subject: in delivery\r\n\r\n",
		"empty.eml":       "",
		"garbage.eml":     strings.Repeat("\xff\xfe\x00", 1000),
		"noheader.eml":    "just text\r\nmore text",
		"nul.eml":         "Subject: a\x00b\r\n\r\nc\x00d",
		"latin.eml":       "Subject: caf\xe9\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\nna\xefve",
		"charset.eml":     "Subject: =?x-none?q?abc?=\r\nContent-Type: text/plain; charset=x-unknown\r\n\r\n\xe9\xe8",
		"truncated.eml":   "Subject: cut\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhalf a p",
		"noboundary.eml":  "Subject: nob\r\nContent-Type: multipart/mixed\r\n\r\n--b\r\n\r\nx",
		"badbase64.eml":   "Subject: b64\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!not base64!!!",
		"nested.eml":      "Subject: deep\r\n" + nest(100),
		"longheader.eml":  "Subject: " + strings.Repeat("x", 1<<20) + "\r\n\r\nbody",
		"colonless.eml":   "From a@b Thu Jan  1 00:00:00 2026\nthis is no field\nSubject: mbox line\n\nbody",
		"absurd.eml":      "Received: by x; Fri, 1 Jan 99999 00:00:00 +0000\r\nDate: whenever\r\nSubject: absurd\r\n\r\n",
		"multipart.eml":   multipartMail,
		"héllo wörld.eml": "Subject: name\r\n\r\n",
	}
	mtime := time.Date(2025, 5, 6, 7, 8, 9, 0, time.UTC)
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, mtime, mtime); err != nil {
			t.Fatal(err)
		}
	}
	f := start(t, 0, outlook.Options{ImportMail: dir})
	items, _ := f.alice.All("/me/mailFolders/inbox/messages?$top=10")
	if len(items) != len(files) {
		t.Fatalf("%d messages of %d files", len(items), len(files))
	}
	var want, got []string
	for _, content := range files {
		want = append(want, content)
	}
	bySubject := map[string]map[string]any{}
	for _, m := range items {
		r := f.alice.Do("GET", "/me/messages/"+str(m, "id")+"/$value", nil)
		got = append(got, string(r.Body))
		bySubject[str(m, "subject")] = m
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Error("$value must give the very bytes of the files")
	}
	for subject, received := range map[string]string{
		"Hello": "2026-03-03T09:11:12Z", "LF only": "2026-02-01T01:02:03Z", "no date": "2025-05-06T07:08:09Z", "seen": "2026-01-01T00:00:00Z", "absurd": "2025-05-06T07:08:09Z",
	} {
		if m := bySubject[subject]; m == nil || m["receivedDateTime"] != received {
			t.Errorf("%q was received %v, want %s", subject, m["receivedDateTime"], received)
		}
	}
	hello := bySubject["Hello"]
	if from := hello["from"].(map[string]any)["emailAddress"].(map[string]any); from["name"] != "Jörg" || from["address"] != "j@example.com" {
		t.Errorf("from %v", from)
	}
	if to := hello["toRecipients"].([]any); len(to) != 2 || to[1].(map[string]any)["emailAddress"].(map[string]any)["name"] != "B, C" {
		t.Errorf("to %v", to)
	}
	if bySubject["seen"]["isRead"] != true || bySubject["new"]["isRead"] != false {
		t.Error("Maildir flags are lost")
	}
	if m := bySubject["café"]; m == nil || str(m["body"].(map[string]any), "content") != "naïve" {
		t.Errorf("Latin-1: %v", m)
	}
	if m := bySubject["mbox line"]; m == nil || str(m["body"].(map[string]any), "content") != "body" {
		t.Errorf("a From line: %v", m)
	}
	m := bySubject["Parts"]
	body := str(m["body"].(map[string]any), "content")
	attachments := f.alice.Get("/me/messages/" + str(m, "id") + "/attachments").Items()
	if m["hasAttachments"] != true || body != "<p>é <img src=\"cid:pic\"></p>" || len(attachments) != 3 {
		t.Fatalf("parts: %v, body %q, attachments %v", m["hasAttachments"], body, attachments)
	}
	if a := attachments[0]; a["isInline"] != true || a["contentId"] != "pic" || a["contentBytes"] != base64.StdEncoding.EncodeToString([]byte("PNG")) {
		t.Errorf("inline %v", a)
	}
	if a := attachments[1]; a["name"] != "résumé.txt" || a["isInline"] != false {
		t.Errorf("file %v", a)
	}
	value := f.alice.Get("/me/messages/" + str(m, "id") + "/attachments/" + str(attachments[1], "id") + "/$value")
	if !bytes.Equal(value.Body, []byte("caf\xe9")) && string(value.Body) != "café" {
		t.Errorf("file holds %q", value.Body)
	}
	if a := attachments[2]; a["@odata.type"] != "#microsoft.graph.itemAttachment" || a["name"] != "Inner" {
		t.Errorf("message %v", a)
	}
	if whole, _ := f.alice.All("/me/messages?$top=100&$select=id"); len(whole) != len(files) {
		t.Errorf("the mailbox holds %d messages beside the imported ones", len(whole)-len(files))
	}
}

func nest(depth int) string {
	if depth == 0 {
		return "Content-Type: text/plain\r\n\r\nbottom"
	}
	b := "b" + strings.Repeat("x", depth%50)
	return "Content-Type: multipart/mixed; boundary=" + b + "\r\n\r\n--" + b + "\r\n" + nest(depth-1) + "\r\n--" + b + "--\r\n"
}

const multipartMail = `Subject: Parts
Content-Type: multipart/mixed; boundary=m

--m
Content-Type: multipart/related; boundary=r

--r
Content-Type: multipart/alternative; boundary=a

--a
Content-Type: text/plain

plain
--a
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: quoted-printable

<p>=C3=A9 <img src=3D"cid:pic"></p>
--a--
--r
Content-Type: image/png
Content-ID: <pic>
Content-Transfer-Encoding: base64

UE5H
--r--
--m
Content-Type: text/plain; charset=iso-8859-1
Content-Disposition: attachment; filename*=utf-8''r%C3%A9sum%C3%A9.txt
Content-Transfer-Encoding: 8bit

caf` + "\xe9" + `
--m
Content-Type: message/rfc822

Subject: Inner

inner body
--m--
`
