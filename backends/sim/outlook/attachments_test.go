package outlook_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/mail"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends/sim/outlook"
)

func TestFileAttachments(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	path := "/me/messages/" + str(f.message("inbox", "Q4 numbers"), "id")
	items := f.alice.Get(path + "/attachments").Items()
	if len(items) != 1 || items[0]["name"] != "budget.xlsx" || items[0]["@odata.type"] != "#microsoft.graph.fileAttachment" || items[0]["isInline"] != false {
		t.Fatalf("attachments %v", items)
	}
	data, err := base64.StdEncoding.DecodeString(str(items[0], "contentBytes"))
	if err != nil || !bytes.HasPrefix(data, []byte("PK\x03\x04")) {
		t.Fatalf("contentBytes: %v, %d bytes", err, len(data))
	}
	if size := items[0]["size"].(float64); size <= float64(len(data)) {
		t.Errorf("size %v must be larger than the %d bytes", size, len(data))
	}
	short := f.alice.Get(path + "/attachments?$select=id,name,contentType,size,isInline").Items()[0]
	if short["contentBytes"] != nil || short["size"] != items[0]["size"] || short["id"] != items[0]["id"] {
		t.Errorf("selected: %v", short)
	}
	one := path + "/attachments/" + str(items[0], "id")
	value := f.alice.Get(one + "/$value")
	if !bytes.Equal(value.Body, data) || value.Header.Get("Content-Type") != "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" {
		t.Errorf("$value: %d bytes of %s", len(value.Body), value.Header.Get("Content-Type"))
	}
	if r := f.alice.Get(one); r.JSON["contentBytes"] != items[0]["contentBytes"] {
		t.Error("the attachment alone has other bytes")
	}
	expanded := f.alice.Get(path + "?$expand=attachments").JSON
	if list, _ := expanded["attachments"].([]any); len(list) != 1 {
		t.Errorf("expanded: %v", expanded["attachments"])
	}
	stable := f.alice.Get(path+"/attachments", "Prefer", immutable).Items()[0]
	if stable["id"] == items[0]["id"] {
		t.Error("attachments have immutable ids too")
	}
	if r := f.alice.Get(path + "/attachments/" + str(stable, "id") + "/$value"); !bytes.Equal(r.Body, data) {
		t.Error("the immutable id of the attachment gives other bytes")
	}
}

func TestInlineAttachments(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	odd := f.folder("Odds & ends")
	m := f.message(odd, "Only inline images")
	items := f.alice.Get("/me/messages/" + str(m, "id") + "/attachments").Items()
	if m["hasAttachments"] != false || len(items) != 2 {
		t.Errorf("hasAttachments %v with %d attachments", m["hasAttachments"], len(items))
	}
	body := str(m["body"].(map[string]any), "content")
	for _, a := range items {
		if a["isInline"] != true || !strings.Contains(body, "cid:"+str(a, "contentId")) {
			t.Errorf("inline attachment %v is not in the body", a["contentId"])
		}
	}
}

func TestItemAndReferenceAttachments(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	odd := f.folder("Odds & ends")
	link := "/me/messages/" + str(f.message(odd, "A link to the cloud"), "id") + "/attachments"
	reference := f.alice.Get(link).Items()[0]
	if reference["@odata.type"] != "#microsoft.graph.referenceAttachment" || reference["sourceUrl"] != nil || reference["contentBytes"] != nil {
		t.Errorf("reference attachment %v", reference)
	}
	if r := f.alice.Do("GET", link+"/"+str(reference, "id")+"/$value", nil); r.Status != http.StatusMethodNotAllowed {
		t.Errorf("$value of a reference: %d", r.Status)
	}
	path := "/me/messages/" + str(f.message(odd, "Fwd: three kinds of item"), "id") + "/attachments"
	items := f.alice.Get(path).Items()
	if len(items) != 3 || items[0]["@odata.type"] != "#microsoft.graph.itemAttachment" || items[0]["item"] != nil {
		t.Fatalf("item attachments %v", items)
	}
	whole := f.alice.Get(path + "/" + str(items[0], "id") + "?$expand=microsoft.graph.itemattachment/item").JSON
	item, _ := whole["item"].(map[string]any)
	if item["@odata.type"] != "#microsoft.graph.message" || item["subject"] != items[0]["name"] || item["body"] == nil {
		t.Errorf("attached message %v", item)
	}
	inner := f.alice.Get(path + "/" + str(items[0], "id") + "/$value")
	if msg, err := mail.ReadMessage(bytes.NewReader(inner.Body)); err != nil || msg.Header.Get("From") == "" {
		t.Errorf("attached MIME: %v", err)
	}
	for i, want := range map[int]string{1: "BEGIN:VCALENDAR", 2: "BEGIN:VCARD"} {
		if r := f.alice.Get(path + "/" + str(items[i], "id") + "/$value"); !strings.HasPrefix(string(r.Body), want) {
			t.Errorf("$value %d: %.40s", i, r.Body)
		}
	}
}

func TestAwkwardAttachments(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	odd := f.folder("Odds & ends")
	huge := "/me/messages/" + str(f.message(odd, "Too many attachments to list"), "id")
	for _, path := range []string{huge + "/attachments", huge + "?$expand=attachments"} {
		if r := f.alice.Do("GET", path, nil); r.Status != http.StatusGatewayTimeout || len(r.Body) != 0 {
			t.Errorf("%s: %d %s", path, r.Status, r.Body)
		}
	}
	items := f.alice.Get(huge + "/attachments?$select=id,name,size").Items()
	if len(items) != 60 {
		t.Fatalf("%d attachments by selection", len(items))
	}
	if r := f.alice.Get(huge + "/attachments/" + str(items[7], "id")); str(r.JSON, "contentBytes") == "" {
		t.Error("one by one must work")
	}
	hostile := f.alice.Get("/me/messages/" + str(f.message(odd, "Attachment names"), "id") + "/attachments?$select=name").Items()
	var names []string
	for _, a := range hostile {
		names = append(names, str(a, "name"))
	}
	joined := strings.Join(names, "|")
	for _, want := range []string{"../../etc/passwd", "|..|", "twin.txt|twin.txt|TWIN.TXT", "\u202E", "\x1b[2J"} {
		if !strings.Contains(joined, want) {
			t.Errorf("no attachment named %q in %q", want, joined)
		}
	}
	if r := f.alice.Do("GET", huge+"/attachments/"+str(f.message(odd, "Twin"), "id"), nil); r.Status != http.StatusNotFound {
		t.Errorf("an id of something else: %d", r.Status)
	}
}

// parts walks a MIME message and gives its leaves.
func parts(t *testing.T, contentType string, body io.Reader) (types []string) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		t.Fatalf("content type %q: %v", contentType, err)
	}
	if !strings.HasPrefix(kind, "multipart/") {
		if _, err := io.Copy(io.Discard, body); err != nil {
			t.Fatal(err)
		}
		return []string{kind}
	}
	types = append(types, kind)
	r := multipart.NewReader(body, params["boundary"])
	for {
		p, err := r.NextPart()
		if err == io.EOF {
			return types
		}
		if err != nil {
			t.Fatalf("%s: %v", contentType, err)
		}
		types = append(types, parts(t, p.Header.Get("Content-Type"), p)...)
	}
}

func TestMIME(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	path := "/me/messages/" + str(f.message("inbox", "Q4 numbers"), "id") + "/$value"
	r := f.alice.Get(path, "Range", "bytes=0-9")
	if r.Status != http.StatusOK || r.Header.Get("Content-Type") != "text/plain" || r.Header.Get("Content-Length") != "" || r.Header.Get("ETag") != "" {
		t.Errorf("%d %v", r.Status, r.Header)
	}
	msg, err := mail.ReadMessage(bytes.NewReader(r.Body))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(parts(t, msg.Header.Get("Content-Type"), msg.Body), " ")
	if got != "multipart/mixed multipart/alternative text/plain text/html application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" {
		t.Errorf("parts %s", got)
	}
	if msg.Header.Get("Subject") != "Q4 numbers" || msg.Header.Get("Message-Id") == "" {
		t.Errorf("header %v", msg.Header)
	}
	if again := f.alice.Get(path); bytes.Equal(again.Body, r.Body) {
		t.Error("made MIME must differ from call to call")
	}
	f.Set("outlook.stable_mime", true)
	if a, b := f.alice.Get(path), f.alice.Get(path); !bytes.Equal(a.Body, b.Body) {
		t.Error("with the switch on it must not")
	}
	odd := f.folder("Odds & ends")
	corrupt := f.alice.Do("GET", "/me/messages/"+str(f.message(odd, "Corrupt"), "id")+"/$value", nil)
	if corrupt.Status != http.StatusInternalServerError || corrupt.Code() != "ErrorCorruptData" {
		t.Errorf("a corrupt item: %d %s", corrupt.Status, corrupt.Body)
	}
}

// TestMIMEOfEverything reads the MIME of every message of Alice and finds none that a strict parser refuses, and none
// whose hostile values became fields of their own.
func TestMIMEOfEverything(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	all, _ := f.alice.All("/me/messages?$top=1000&$select=subject,isDraft")
	if len(all) < 600 {
		t.Errorf("%d messages", len(all))
	}
	for i, m := range all {
		if i%4 > 0 && !strings.ContainsAny(str(m, "subject"), "\r\n\x00\x1b") {
			continue
		}
		r := f.alice.Do("GET", "/me/messages/"+str(m, "id")+"/$value", nil)
		if r.Status != http.StatusOK {
			if m["subject"] != "Corrupt" {
				t.Errorf("%q: %d", m["subject"], r.Status)
			}
			continue
		}
		msg, err := mail.ReadMessage(bytes.NewReader(r.Body))
		if err != nil {
			t.Errorf("%q: %v", m["subject"], err)
			continue
		}
		if msg.Header.Get("Bcc") != "" {
			t.Errorf("%q has an injected field", m["subject"])
		}
		decoded, err := new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject"))
		if want := str(m, "subject"); err != nil || strings.TrimSpace(decoded) != strings.TrimSpace(want) {
			t.Errorf("subject %q became %q, %v", want, decoded, err)
		}
		parts(t, msg.Header.Get("Content-Type"), msg.Body)
	}
}
