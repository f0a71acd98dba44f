package seed

import (
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
)

func boxes(c *company.Company) map[string]*mailbox.Mailbox {
	out := map[string]*mailbox.Mailbox{}
	for _, p := range c.Everyone() {
		if p.Kind != company.Guest {
			out[p.ID] = mailbox.New(p.ID, c.GUID("mailbox "+p.UPN), time.Now, FolderNames(p.Language))
		}
	}
	return out
}

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// TestPromises checks what the index says of each message against what the message says of itself.
func TestPromises(t *testing.T) {
	c := company.New(1)
	all := boxes(c)
	Fill(Options{Company: c, Boxes: all, Now: now, Scale: 500})
	for _, p := range c.Everyone() {
		mb := all[p.ID]
		if mb == nil {
			continue
		}
		for _, m := range mb.All() {
			content := m.Content()
			if m.HasAttachments != content.HasAttachments() || m.IsMeeting != (content.Meeting != nil) {
				t.Errorf("%s: index and content of %q differ", p.UPN, content.Subject)
			}
			for _, a := range content.Attachments {
				if a.Type == mailbox.FileAttachment && len(a.Data()) != a.Length {
					t.Errorf("%q is %d bytes long, not %d", a.Name, len(a.Data()), a.Length)
				}
			}
			if m.Received.After(now) && m.Received.Year() != 2099 {
				t.Errorf("%s: mail of the future, %v", p.UPN, m.Received)
			}
			if content.MessageID == "" || content.ConversationID == "" {
				t.Errorf("%q has no ids", content.Subject)
			}
		}
		if mb.Folder("inbox").Unread < 0 || len(mb.All()) < 20 && p.Kind != company.Room {
			t.Errorf("%s has %d messages", p.UPN, len(mb.All()))
		}
	}
	if n := len(all[c.Alice().ID].Folder("inbox").Messages()); n != 500 {
		t.Errorf("a scaled Inbox of %d, want 500", n)
	}
}

// BenchmarkScaled writes one message of a scaled Inbox.
func BenchmarkScaled(b *testing.B) {
	c := company.New(1)
	s := &seeder{c: c}
	i := 0
	for b.Loop() {
		s.scaled(c.Alice(), i, now, i%25 == 0)
		i++
	}
}

// BenchmarkFill seeds all mailboxes, with 100,000 messages in Alice's Inbox.
func BenchmarkFill(b *testing.B) {
	c := company.New(1)
	for b.Loop() {
		Fill(Options{Company: c, Boxes: boxes(c), Now: now, Scale: 100000})
	}
}
