package render

import (
	"strings"
	"testing"
)

const sampleMessage = `{"@odata.etag":"W/\"x\"","id":"AAMk=","changeKey":"CQ","receivedDateTime":"2026-11-20T09:12:33Z","sentDateTime":"2026-11-20T09:12:30.5000000Z",
"subject":"Q4 \"numbers\"","from":{"emailAddress":{"name":"Bob Jones","address":"bob@contoso.com"}},"sender":{"emailAddress":{"name":"Bob Jones","address":"bob@contoso.com"}},
"toRecipients":[{"emailAddress":{"name":"Alice Smith","address":"alice@contoso.com"}},{"emailAddress":{"address":"carol@contoso.com"}}],"ccRecipients":[],"bccRecipients":null,
"internetMessageId":"<1@contoso.com>","conversationId":"AAQ=","importance":"high","hasAttachments":false,"isRead":false,"flag":{"flagStatus":"flagged"},"categories":["Red"],
"body":{"contentType":"html","content":"<html><head><style>p{}</style></head><body><p>Hello <b>Alice</b>,</p><ul><li>snake_case_name</li><li>two</li></ul><p><img src=\"cid:logo@1\" alt=\"Logo\"> <a href=\"https://contoso.com/q4\">the report</a></p></body></html>"}}`

const sampleMD = `---
from: "Bob Jones <bob@contoso.com>"
to:
  - "Alice Smith <alice@contoso.com>"
  - "carol@contoso.com"
date: 2026-11-20T09:12:33Z
sent: 2026-11-20T09:12:30.5Z
subject: "Q4 \"numbers\""
message_id: "<1@contoso.com>"
conversation: "AAQ="
importance: "high"
has_attachments: true
attachments: "x.attachments"
---

Hello **Alice**,

- snake_case_name
- two

![Logo](cid:logo@1) [the report](https://contoso.com/q4)
`

func TestMessageMD(t *testing.T) {
	got, err := MessageMD([]byte(sampleMessage), "x.attachments")
	if err != nil || string(got) != sampleMD {
		t.Errorf("MessageMD: %v\n%s\nwant\n%s", err, got, sampleMD)
	}
}

func TestMessageStable(t *testing.T) {
	base := MessageStable([]byte(sampleMessage))
	if len(base) != 32 {
		t.Errorf("MessageStable = %q", base)
	}
	for _, c := range [][2]string{
		{`"isRead":false`, `"isRead":true`}, {`"flagStatus":"flagged"`, `"flagStatus":"complete"`}, {`"Red"`, `"Blue"`}, {`"CQ"`, `"CR"`},
		{`"id":"AAMk="`, `"lastModifiedDateTime":"2026-11-21T00:00:00Z"`}, {`30.5000000Z`, `30.5Z`}, {`"bccRecipients":null,`, ``},
	} {
		if got := MessageStable([]byte(strings.Replace(sampleMessage, c[0], c[1], 1))); got != base {
			t.Errorf("%s to %s changed the hash", c[0], c[1])
		}
	}
	for _, c := range [][2]string{{"Q4", "Q5"}, {"two", "three"}, {"bob@", "rob@"}, {`"hasAttachments":false`, `"hasAttachments":true`}, {`"isRead":false`, `"isDraft":true`}} {
		if got := MessageStable([]byte(strings.ReplaceAll(sampleMessage, c[0], c[1]))); got == base {
			t.Errorf("%s to %s did not change the hash", c[0], c[1])
		}
	}
}

func TestPerson(t *testing.T) {
	for in, want := range map[string]string{
		sampleMessage: "Bob Jones", `{}`: "unknown", `null`: "unknown", `{"from":null}`: "unknown",
		`{"from":{"emailAddress":{"name":"x@y.z","address":"X@y.z"}}}`:                "X",
		`{"from":{"emailAddress":{"name":null,"address":"bob@y"}}}`:                   "bob",
		`{"from":{"emailAddress":{"name":5}},"sender":{"emailAddress":{"name":"S"}}}`: "S",
	} {
		m, err := ParseMessage([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Person(); got != want {
			t.Errorf("the author of %s is %q, want %q", in, got, want)
		}
	}
}
