// Package seed fills the simulated mailboxes with three years of believable mail, calendars and contacts of the seeded
// company, and with the awkward things that real mailboxes hold: hostile names, broken items, every kind of attachment.
//
// Everything follows from the company's seed, the time at which the data end, and the wanted scale.
package seed

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
)

// Options of Fill.
type Options struct {
	Company *company.Company
	Boxes   map[string]*mailbox.Mailbox // by user id
	Now     time.Time                   // the newest mail is about as old as this
	Scale   int                         // when not 0: how many messages Alice's Inbox holds, over ten years
	NoMail  bool                        // leave Alice's folders empty, for mail that is imported
}

// FolderNames gives the display names of the system folders in a user's language; folders that are missing keep their
// English names.
func FolderNames(language string) map[string]string {
	lang, _, _ := strings.Cut(language, "-")
	names := map[string][]string{
		"de": {"Posteingang", "Entwürfe", "Gesendete Elemente", "Gelöschte Elemente", "Junk-E-Mail", "Archiv", "Postausgang"},
		"es": {"Bandeja de entrada", "Borradores", "Elementos enviados", "Elementos eliminados", "Correo no deseado", "Archivo", "Bandeja de salida"},
		"pl": {"Skrzynka odbiorcza", "Wersje robocze", "Elementy wysłane", "Elementy usunięte", "Wiadomości-śmieci", "Archiwum", "Skrzynka nadawcza"},
		"ru": {"Входящие", "Черновики", "Отправленные", "Удаленные", "Нежелательная почта", "Архив", "Исходящие"},
		"ja": {"受信トレイ", "下書き", "送信済みアイテム", "削除済みアイテム", "迷惑メール", "アーカイブ", "送信トレイ"},
	}[lang]
	if names == nil {
		return nil
	}
	out := map[string]string{}
	for i, wellKnown := range []string{"inbox", "drafts", "sentitems", "deleteditems", "junkemail", "archive", "outbox"} {
		out[wellKnown] = names[i]
	}
	return out
}

type seeder struct {
	Options
	c *company.Company
}

// Fill fills all mailboxes.
func Fill(o Options) {
	o.Now = o.Now.UTC().Truncate(time.Second)
	s := &seeder{Options: o, c: o.Company}
	for _, p := range s.c.Everyone() {
		mb := o.Boxes[p.ID]
		switch {
		case mb == nil:
		case p == s.c.Alice():
			s.alice(p, mb)
		case p.Kind == company.Member:
			s.member(p, mb, 45)
		case p.Kind == company.SharedMailbox:
			s.member(p, mb, 40)
		}
		if mb != nil {
			s.calendar(p, mb)
		}
		if mb != nil && p.Kind == company.Member {
			s.contacts(p, mb)
		}
	}
	s.share()
}

// share gives Alice one shared mailbox whole, and of Bob's only his Inbox and his calendar.
func (s *seeder) share() {
	alice := map[string]bool{s.c.Alice().ID: true}
	if len(s.c.Shared) > 0 {
		s.Boxes[s.c.Shared[0].ID].SharedWith = alice
	}
	bob := s.Boxes[s.c.Bob().ID]
	bob.Folder("inbox").SharedWith = alice
	bob.Calendars[0].SharedWith = alice
}

// places are the folders of a mailbox with the share of its mail that each gets.
type places []struct {
	folder *mailbox.Folder
	weight int
}

func (ps places) pick(w *company.Writer) *mailbox.Folder {
	total := 0
	for _, p := range ps {
		total += p.weight
	}
	n := w.IntN(total)
	for _, p := range ps {
		if n -= p.weight; n < 0 {
			return p.folder
		}
	}
	return ps[0].folder
}

// batch collects messages by folder, so that each folder's index is built once.
type batch struct {
	order   []*mailbox.Folder
	folders map[*mailbox.Folder][]*mailbox.Message
}

func (b *batch) add(f *mailbox.Folder, m *mailbox.Message) {
	if b.folders == nil {
		b.folders = map[*mailbox.Folder][]*mailbox.Message{}
	}
	if b.folders[f] == nil {
		b.order = append(b.order, f)
	}
	b.folders[f] = append(b.folders[f], m)
}

func (b *batch) fill(mb *mailbox.Mailbox) {
	for _, f := range b.order {
		if len(b.folders[f]) > 0 {
			mb.Fill(f, b.folders[f])
		}
	}
}

func (s *seeder) alice(p *company.Person, mb *mailbox.Mailbox) {
	root, inbox := mb.Root, mb.Folder("inbox")
	projects := mb.SeedFolder(root, "Projects")
	orion := mb.SeedFolder(projects, s.c.Projects[0])
	design := mb.SeedFolder(orion, "Design reviews")
	bluebird := mb.SeedFolder(projects, s.c.Projects[1])
	sakura := mb.SeedFolder(projects, "さくら 🌸")
	travel := mb.SeedFolder(root, "Receipts/Travel")
	odd := mb.SeedFolder(root, "Odds & ends")
	month := mb.SeedFolder(odd, "2026-11")
	hidden := mb.SeedFolder(root, "TeamsMessagesData")
	hidden.Hidden = true
	search := mb.SeedFolder(root, "Unread in Projects")
	search.Search = &mailbox.Search{Sources: []*mailbox.Folder{projects}, Nested: true, Filter: "isRead eq false"}
	mb.SeedFolder(mb.SeedFolder(root, "Empty"), "Also empty")
	mb.Folder("conversationhistory").OtherItems = 3
	inbox.OtherItems = 2

	b := &batch{}
	s.threads(b, p, mb, 560, places{
		{inbox, 50}, {mb.Folder("archive"), 14}, {orion, 8}, {design, 5}, {bluebird, 5}, {sakura, 4}, {projects, 4}, {travel, 3},
		{month, 2}, {mb.Folder("deleteditems"), 4}, {hidden, 2},
	})
	s.extras(b, p, mb)
	s.oddities(b, p, odd, inbox, mb.Folder("drafts"))
	switch {
	case s.NoMail:
	case s.Scale > 0:
		delete(b.folders, inbox)
		b.fill(mb)
		s.scale(p, mb)
	default:
		b.fill(mb)
	}
}

func (s *seeder) member(p *company.Person, mb *mailbox.Mailbox, n int) {
	b := &batch{}
	notes := mb.SeedFolder(mb.Root, s.c.Projects[len(p.UPN)%len(s.c.Projects)])
	s.threads(b, p, mb, n, places{{mb.Folder("inbox"), 70}, {mb.Folder("archive"), 15}, {notes, 15}})
	if p == s.c.Bob() {
		s.extras(b, p, mb)
	}
	b.fill(mb)
}

const years = 3 * 365 * 24 * time.Hour

// moment gives a time in the last three years, the more likely the later, mostly in working hours.
func (s *seeder) moment(w *company.Writer) time.Time {
	u := float64(w.IntN(1_000_000)) / 1_000_000
	t := s.Now.Add(-time.Duration(u * u * float64(years)))
	if u > 0.1 && w.Chance(85) {
		t = time.Date(t.Year(), t.Month(), t.Day(), 7+w.IntN(12), w.IntN(60), w.IntN(60), 0, time.UTC)
	}
	if t.After(s.Now) {
		t = s.Now.Add(-time.Duration(w.IntN(3600)) * time.Second)
	}
	return t.Truncate(time.Second)
}

// threads adds about n messages to a mailbox, in conversations of one to six.
func (s *seeder) threads(b *batch, p *company.Person, mb *mailbox.Mailbox, n int, ps places) {
	for t := 0; n > 0; t++ {
		w := s.c.Writer(fmt.Sprintf("thread %s %d", p.UPN, t))
		f := ps.pick(w)
		length := 1
		if w.Chance(35) {
			length = 2 + w.IntN(5)
		}
		th := s.newThread(w, p, fmt.Sprintf("%s %d", p.UPN, t))
		at := s.moment(w)
		for i := 0; i < length && n > 0 && !at.After(s.Now); i++ {
			c := th.next(w, at)
			where, read := f, at.Before(s.Now.AddDate(0, 0, -7)) && w.IntN(25) > 0 || w.Chance(50)
			if c.From.Address == p.Mail {
				where, read = mb.Folder("sentitems"), true
			}
			b.add(where, s.message(w, c, at, read))
			n--
			at = at.Add(time.Duration(1+w.IntN(72*60)) * time.Minute)
		}
	}
}

// message puts content into the frame that a mailbox keeps.
func (s *seeder) message(w *company.Writer, c *mailbox.Content, at time.Time, read bool) *mailbox.Message {
	m := &mailbox.Message{
		Received: at, Sent: at.Add(-time.Duration(w.IntN(20)) * time.Second), Created: at, Modified: at.Add(time.Duration(w.IntN(90)) * time.Second),
		IsRead: read, HasAttachments: c.HasAttachments(), Content: func() *mailbox.Content { return c },
	}
	switch w.IntN(30) {
	case 0:
		m.Flag = &mailbox.Flag{Status: "flagged", Start: day(at), Due: day(at.AddDate(0, 0, 3))}
	case 1:
		m.Flag = &mailbox.Flag{Status: "complete", Completed: day(at)}
	case 2:
		m.Categories = []string{"Blue category"}
	case 3:
		m.Categories = []string{"Red category", w.Project()}
	}
	return m
}

func day(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC) }

func addressOf(p *company.Person) mailbox.Address {
	return mailbox.Address{Name: p.DisplayName, Address: p.Mail}
}

// extras are the mails that tours and examples speak of.
func (s *seeder) extras(b *batch, p *company.Person, mb *mailbox.Mailbox) {
	w := s.c.Writer("extras " + p.UPN)
	at := time.Date(s.Now.Year(), s.Now.Month(), s.Now.Day(), 9, 12, 33, 0, time.UTC)
	if at.After(s.Now) {
		at = at.AddDate(0, 0, -1)
	}
	alice, bob := s.c.Alice(), s.c.Bob()
	th := s.newThread(w, p, "q4 numbers")
	th.subject, th.people = "Q4 numbers", []*company.Person{bob, alice}
	c := th.compose(w, bob, at, "html")
	c.Attachments = []*mailbox.Attachment{s.file(w, "budget.xlsx", "xlsx", at)}
	folder := mb.Folder("inbox")
	if p == bob {
		folder = mb.Folder("sentitems")
	}
	b.add(folder, s.message(w, c, at, p == bob))
}

// thread is a conversation that grows by one message at a time.
type thread struct {
	s       *seeder
	owner   *company.Person
	key     string
	subject string
	people  []*company.Person
	ids     []string
	lastBy  *company.Person
	lastAt  time.Time
	quote   []string
	bulk    string // "", "newsletter" or "notification"
	index   []byte
}

func (s *seeder) newThread(w *company.Writer, owner *company.Person, key string) *thread {
	th := &thread{s: s, owner: owner, key: key, subject: w.Subject(), people: []*company.Person{owner}}
	for len(th.people) < 2+w.IntN(3) {
		if p := w.Person(); !slices.Contains(th.people, p) {
			th.people = append(th.people, p)
		}
	}
	if len(s.c.Guests) > 0 && w.Chance(10) {
		th.people = append(th.people, s.c.Guests[w.IntN(len(s.c.Guests))])
	}
	switch n := w.IntN(100); {
	case n < 10:
		th.bulk = "newsletter"
	case n < 18:
		th.bulk = "notification"
	}
	return th
}

// next composes the thread's next message.
func (th *thread) next(w *company.Writer, at time.Time) *mailbox.Content {
	from := th.people[w.IntN(len(th.people))]
	for from == th.lastBy || (th.lastBy == nil && from == th.owner && w.Chance(60)) {
		from = th.people[w.IntN(len(th.people))]
	}
	style := "html"
	if w.Chance(18) {
		style = "text"
	}
	if th.bulk != "" && th.lastBy == nil {
		style = th.bulk
		th.lastBy = nil
	}
	return th.compose(w, from, at, style)
}

func (th *thread) messageID(n int) string {
	return "<" + strings.ToUpper(strings.ReplaceAll(th.s.c.GUID(fmt.Sprintf("mail %s %d", th.key, n)), "-", "")) + "@" + th.s.c.Domain + ">"
}

// conversation gives what Exchange keeps of one: its id, and its index, a 22-byte head that grows by 5 bytes per reply.
func conversation(rng uint64, at time.Time) (id string, index []byte) {
	r := rand.New(rand.NewPCG(rng, 7))
	var head [22]byte
	head[0] = 1
	binary.BigEndian.PutUint32(head[1:], uint32(at.Unix()>>6))
	for i := 6; i < 22; i++ {
		head[i] = byte(r.UintN(256))
	}
	var long [48]byte
	copy(long[32:], head[6:])
	for i := range 32 {
		long[i] = byte(i) * 37
	}
	return "AAQk" + base64.URLEncoding.EncodeToString(long[:]), head[:]
}
