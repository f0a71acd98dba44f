package drive

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
)

// bigFile is the size of the one large file that a seeded team drive has.
const bigFile = 20 << 20

// Seeder fills folders with files that one could believe, the same every time for the same store and purpose.
type Seeder struct {
	store   *Store
	start   time.Time
	writer  *company.Writer
	purpose string
	n       int
}

// Seeder makes one for a purpose; its files' dates end at start.
func (s *Store) Seeder(purpose string, start time.Time) *Seeder {
	return &Seeder{store: s, start: start, writer: s.people.Writer("files " + purpose), purpose: purpose}
}

// date is a time of day some time in the last 18 months.
func (sd *Seeder) date() time.Time {
	return sd.start.Add(-time.Duration(1+sd.writer.IntN(540*24*3600)) * time.Second).Truncate(time.Second)
}

func (sd *Seeder) next() string {
	sd.n++
	return fmt.Sprintf("%s/%d", sd.purpose, sd.n)
}

// Folder adds a folder.
func (sd *Seeder) Folder(d *Drive, in *Item, name string) *Item {
	at := sd.date()
	p := sd.author(d)
	return sd.store.Add(d, in, sd.next(), true, &Item{Name: name, Created: at, Modified: at, CreatedBy: p, ModifiedBy: p})
}

// author is the owner of a person's drive, or anybody.
func (sd *Seeder) author(d *Drive) *company.Person {
	if d.Owner != nil {
		return d.Owner
	}
	return sd.writer.Person()
}

// File adds a file with the given content; the media type follows from the name's extension.
func (sd *Seeder) File(d *Drive, in *Item, name string, c Content) *Item {
	made := sd.date()
	p := sd.author(d)
	it := &Item{Name: name, Created: made, Modified: made, CreatedBy: p, ModifiedBy: p, Content: c, ContentType: mimeType(name)}
	// What is copied into a library keeps its own date, which is older than the library's.
	it.ContentTime = made.Add(-time.Duration(sd.writer.IntN(5*3600)) * time.Second)
	return sd.store.Add(d, in, sd.next(), false, it)
}

// Document adds a small real document of a kind, named as people name them unless a name is given.
func (sd *Seeder) Document(d *Drive, in *Item, name, kind string) *Item {
	for tries := 0; name == "" || tries > 0 && walk(in, name) != nil; tries++ {
		name = strings.Map(func(r rune) rune {
			if strings.ContainsRune(`\/*<>?:|"`, r) {
				return '-'
			}
			return r
		}, sd.writer.FileName(kind))
		if tries > 0 {
			name = fmt.Sprintf("%d %s", tries, name)
		}
	}
	return sd.File(d, in, name, Bytes(company.Document(kind, sd.writer)))
}

// Some adds a number of documents of all kinds.
func (sd *Seeder) Some(d *Drive, in *Item, n int) {
	for i := range n {
		sd.Document(d, in, "", company.Kinds[i%len(company.Kinds)])
	}
}

// mimeType is the media type that SharePoint gives to a name.
func mimeType(name string) string {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return company.ContentType(strings.ToLower(name[i+1:]))
	}
	return "application/octet-stream"
}

// Awkward adds what real libraries hold and clients stumble over: odd names, an empty and a large file, a fresh one without
// a hash, one with malware, a notebook, one whose size is not that of its download, versions, a shared file.
func (sd *Seeder) Awkward(d *Drive, in *Item) {
	for _, name := range []string{
		"Budget #1 100% (final).xlsx", "résumé – Zoë.docx", "日本語 メモ.txt", "تقرير.md", "отчёт.csv", "Ενημέρωση.txt", "party 🎉.png",
		"a+b & c = d;e,f'g@h.txt", ".hidden.txt", "members.csv", "2026-11.md", strings.Repeat("long ", 40) + "name.txt",
	} {
		sd.Document(d, in, name, name[strings.LastIndexByte(name, '.')+1:])
	}
	sd.File(d, in, "empty.txt", Text(""))
	h := fnv.New64a()
	h.Write([]byte(sd.purpose))
	sd.File(d, in, "load-test.bin", Generated{Seed: h.Sum64(), Length: bigFile})
	sd.Document(d, in, "just uploaded.pdf", "pdf").HashAfter = sd.start.AddDate(0, 1, 0)
	sd.File(d, in, "invoice_scan.exe", Text("not really a program\n")).Malware = "Trojan:Win32/Sample"

	promoted := sd.Document(d, in, "Promoted properties.docx", "docx")
	sd.store.mu.Lock()
	sd.store.promote(d, promoted, promoted.Modified)
	sd.store.mu.Unlock()

	book := sd.Folder(d, in, "Team Notebook")
	book.Package = "oneNote"
	sd.Document(d, book, "Quick Notes.txt", "txt")

	many := sd.Document(d, in, "Roadmap.md", "md")
	for i := range 3 {
		many.Older = append(many.Older, &Version{Number: i + 1, Content: Text(fmt.Sprintf("# Roadmap\n\nDraft %d\n", i+1)),
			Modified: many.Created.Add(-time.Duration(72-i*24) * time.Hour), By: sd.author(d)})
	}
	sd.Document(d, in, "Shared with auditors.pdf", "pdf").Shared = true

	deep := in
	for _, name := range []string{"Archive", "2025", "Q4", "Final", "Final final"} {
		deep = sd.Folder(d, deep, name)
	}
	sd.Some(d, deep, 3)
	sd.Folder(d, in, "Empty folder")
}

// seedPeople gives everybody a drive of their own. Alice's has a shortcut into Bob's.
func (s *Store) seedPeople(start time.Time) {
	for _, p := range s.people.People {
		alias, _, _ := strings.Cut(p.UPN, "@")
		site := "/personal/" + alias + "_" + strings.ReplaceAll(s.people.Domain, ".", "_")
		d := s.AddDrive("person "+alias, site, Drive{Type: "business", Owner: p, SiteName: p.DisplayName, Created: start.AddDate(-3, 0, 0).Truncate(time.Second)})
		sd := s.Seeder("person "+alias, start)
		docs := sd.Folder(d, d.Root, "Documents")
		sd.Some(d, docs, 4)
		chat := sd.Folder(d, d.Root, ChatFiles)
		sd.Some(d, chat, 6)
	}
	alice, bob := s.byUser[s.people.Alice().ID], s.byUser[s.people.Bob().ID]
	sd := s.Seeder("shortcut", start)
	shared := sd.Folder(bob, bob.Root, "Shared with Alice")
	s.Grant(shared, s.people.Alice())
	sd.Some(bob, shared, 3)
	at := sd.date()
	s.Add(alice, alice.Root, "shortcut", false, &Item{Name: "Shared with Alice", Created: at, Modified: at, CreatedBy: s.people.Alice(),
		ModifiedBy: s.people.Alice(), Remote: &Remote{DriveID: bob.ID, ItemID: shared.ID}})
}

// ChatFiles is the folder of a person's drive that files sent in chats go to.
const ChatFiles = "Microsoft Teams Chat Files"
