package seed

import (
	"fmt"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
)

// scaleYears is how far back a scaled Inbox goes.
const scaleYears = 10

// scale fills Alice's Inbox with messages at about equal distances over ten years up to now. Only what lists sort and
// filter by is made here; what each says is made when it is read, from its number alone.
func (s *seeder) scale(p *company.Person, mb *mailbox.Mailbox) {
	start := s.Now.AddDate(-scaleYears, 0, 0)
	span := s.Now.Sub(start)
	list := make([]mailbox.Message, s.Scale)
	all := make([]*mailbox.Message, s.Scale)
	for i := range list {
		h := mix(uint64(s.c.Seed), uint64(i))
		// At n = Scale the offset would be the whole span; the jitter stays within the slot, so the order holds.
		at := start.Add(time.Duration((float64(i) + float64(h%1000)/1000) / float64(s.Scale) * float64(span))).Truncate(time.Second)
		attached := h>>10%25 == 0
		list[i] = mailbox.Message{
			Received: at, Sent: at, Created: at, Modified: at, IsRead: h>>20%10 != 0 || i < s.Scale*9/10, HasAttachments: attached,
			Content: func() *mailbox.Content { return s.scaled(p, i, at, attached) },
		}
		all[i] = &list[i]
	}
	mb.Fill(mb.Folder("inbox"), all)
}

// mix is splitmix64 of two numbers.
func mix(a, b uint64) uint64 {
	x := a*0x9E3779B97F4A7C15 + b + 0x9E3779B97F4A7C15
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}

// scaled makes message i; every fourth opens a conversation that the next three continue.
func (s *seeder) scaled(p *company.Person, i int, at time.Time, attached bool) *mailbox.Content {
	w := s.c.Writer(fmt.Sprintf("scaled %d", i))
	other := w.Person()
	if other == p {
		other = s.c.Bob()
	}
	root := i / 4 * 4
	opening := s.c.Writer(fmt.Sprintf("scaled %d subject", root))
	th := &thread{s: s, owner: p, key: fmt.Sprintf("scaled %d", root), subject: opening.Subject(), people: []*company.Person{p, other}}
	for n := range i - root {
		th.ids = append(th.ids, th.messageID(n))
	}
	style := "html"
	if w.Chance(20) {
		style = "text"
	}
	c := th.compose(w, other, at, style)
	// Whether it has attachments was promised to the index.
	inline := c.Attachments[:0]
	for _, a := range c.Attachments {
		if a.Inline {
			inline = append(inline, a)
		}
	}
	c.Attachments = inline
	if attached {
		kind := w.Pick(attachmentKinds)
		c.Attachments = append(c.Attachments, s.file(w, w.FileName(kind), kind, at))
	}
	return c
}
