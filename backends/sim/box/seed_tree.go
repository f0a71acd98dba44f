package box

import (
	"fmt"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
)

// AwkwardFolder is the name of the seeded folder below which listings have odd JSON by default.
const AwkwardFolder = "Odd corners"

// aliceTree is about 150 documents in nested folders and one folder for each thing that a client could trip over.
func (g *seeder) aliceTree(u *user) {
	w := g.co.Writer("box tree alice")
	projects := g.folder(u.root, "Projects")
	for _, p := range g.co.Projects[:6] {
		dir := g.folder(projects, p)
		for _, name := range []string{"Planning", "Drawings", "Minutes"} {
			sub := g.folder(dir, name)
			for range 3 + w.IntN(3) {
				g.document(sub, company.Kinds[w.IntN(len(company.Kinds))], w)
			}
		}
		g.document(dir, "md", w)
	}
	finance := g.folder(u.root, "Finance")
	for _, q := range []string{"Q1", "Q2", "Q3", "Q4"} {
		dir := g.folder(g.folder(finance, "2026 "+q), "Closing")
		for range 4 {
			g.document(dir, []string{"xlsx", "csv", "pdf"}[w.IntN(3)], w)
		}
	}
	deep := g.folder(u.root, "Deep")
	for i := range 12 {
		deep = g.folder(deep, fmt.Sprintf("level %d", i+1))
	}
	g.file(deep, "bottom.txt", []byte("You have reached the bottom.\n"))
	g.folder(u.root, "Empty folder")
	g.oddNames(g.folder(u.root, "Odd names"))
	g.oddCorners(g.folder(u.root, AwkwardFolder), w)
	g.many(g.folder(u.root, "Many files"), 1500)

	g.file(u.root, "README.txt", []byte("Alice's files.\n"))
	g.file(u.root, "empty.txt", nil)
	g.fileOf(g.folder(u.root, "Large"), "recording.bin", newPattern(24<<20, u.num))
	g.link(u.root, "Contoso intranet", "https://intranet.contoso.com/")
	g.link(finance, "Exchange rates [live]", "https://rates.example/?base=USD&day=today#top")
	g.states(g.folder(u.root, "States"), u, w)
	g.trash(u, w)
}

// oddNames has names that Box allows and a local filesystem, a shell or a parser may not.
func (g *seeder) oddNames(dir *item) {
	names := []string{
		strings.Repeat("😀", 251) + ".txt", // 255 characters, 1008 bytes
		strings.Repeat("界", 251) + ".txt",
		"colon: and star * and question ?.txt", " leading space.txt", "a|b<c>d\"e.txt", "-rf", "CON", "nul.txt", "trailing dot.",
		"caf\u00e9.txt", "cafe\u0301.txt", "...", ".hidden", "100% sure #1 & co; $(echo no) `id`.txt", "tab-free but 'quoted'.txt",
		"right-to-left \u202eexe.txt", "zero\u200bwidth.txt", "\u0645\u0644\u0641.txt", "2026-11", "members.csv", "undated", "files",
		"report~k3v9qf2a.md", "letter.attachments", "\ufb01le.txt", "%2e%2e%2f.txt",
	}
	for i, n := range names {
		g.file(dir, n, fmt.Appendf(nil, "odd name %d\n", i))
	}
	g.folder(dir, "folder: with * colon")
	g.file(g.folder(dir, strings.Repeat("é", 255)), strings.Repeat("x", 255), []byte("long path\n"))
}

// oddCorners is listed with awkward JSON; items made below inherit that.
func (g *seeder) oddCorners(dir *item, w *company.Writer) {
	dir.odd = true
	sub := g.folder(dir, "Nested")
	for _, kind := range company.Kinds {
		g.document(dir, kind, w)
		g.document(sub, kind, w)
	}
}

// many fills a folder with small texts that are made when they are read.
func (g *seeder) many(dir *item, n int) {
	text := []byte(strings.Join(g.co.Writer("box many").Paragraphs(12), "\n") + "\n")
	items := make([]*item, 0, n)
	base := dir.owner.login + " " + trail(dir, "")
	for i := range n {
		name := fmt.Sprintf("record-%06d.txt", i)
		purpose := base + name
		it := g.s.newItem(fileKind, purpose, name, dir, dir.owner, g.day.Add(-time.Duration(i+1)*time.Hour))
		size := int64(it.num%6000 + 40)
		g.s.addVersion(it, purpose, newRepeated(size, fmt.Sprintf("Record %d\n", i), text), dir.owner, it.created, it.created)
		items = append(items, it)
	}
	dir.children.fill(items)
}

// scale adds a tenth of the world's scale: half of it in one folder, the rest in folders of at most a thousand.
func (g *seeder) scale(u *user) {
	left := g.s.w.Scale / 10
	if left <= 0 {
		return
	}
	top := g.folder(u.root, "Archive")
	for i := 0; left > 0; i++ {
		n := min(left, 1000)
		if i == 0 {
			n = max(n, left/2)
		}
		g.many(g.folder(top, fmt.Sprintf("Batch %04d", i)), n)
		left -= n
	}
}

func (g *seeder) link(dir *item, name, url string) *item {
	path := dir.owner.login + " " + trail(dir, name)
	it := g.s.newItem(linkKind, path, name, dir, dir.owner, g.when(path))
	it.url = url
	dir.children.add(it)
	return it
}

// states has one file for each thing that can be the matter with a file.
func (g *seeder) states(dir *item, u *user, w *company.Writer) {
	bob := g.user(g.co.Bob())
	f := g.file(dir, "three versions.txt", []byte("third\n"))
	g.older(f, []byte("second, by Bob\n"), bob, 24*time.Hour)
	g.older(f, []byte("first\n"), u, 48*time.Hour)

	f = g.document(dir, "docx", w)
	f.lock = &lock{num: g.s.number("lock mine", func(uint64) bool { return false }), by: bob, created: f.created, noDownload: true}
	f.description = "Locked by Bob, who prevents downloads."
	f = g.file(dir, "lock that ran out.txt", []byte("open again\n"))
	f.lock = &lock{num: g.s.number("lock old", func(uint64) bool { return false }), by: bob, created: f.created, expires: g.day.AddDate(-1, 0, 0), noDownload: true, app: "office_wopi"}

	f = g.file(dir, "policy forbids download.txt", []byte("secret\n"))
	f.policy = true
	f.more().class = "Confidential"

	f = g.file(dir, "commented.txt", []byte("What do you think?\n"))
	for i := range 3 {
		by := g.user(w.Person())
		at := f.created.Add(time.Duration(i+1) * time.Hour)
		cm := &comment{message: w.Chat(), reply: i == 2, by: by, created: at, modified: at}
		if i == 1 {
			cm.tagged = "@[" + u.id() + ":" + u.name + "] " + w.Sentence()
			cm.message = ""
		}
		g.s.addComment(f, cm, fmt.Sprintf("seed comment %d", i))
	}
	f.more().tasks = []*task{
		{num: g.s.number("task a", func(uint64) bool { return false }), action: "review", text: w.Sentence(), rule: "all_assignees", by: bob, to: u,
			created: f.created, due: f.created.Add(72 * time.Hour), state: "incomplete"},
		{num: g.s.number("task b", func(uint64) bool { return false }), action: "complete", text: w.Sentence(), rule: "any_assignee", by: u, to: bob,
			created: f.created, due: f.created.Add(24 * time.Hour), state: "completed"},
	}

	f = g.document(dir, "pdf", w)
	f.more().tags = []string{"approved", "2026", "größe"}
	f.more().shared = &sharedLink{key: fmt.Sprintf("%x", f.num), access: "open", download: true}
	f.more().metadata = []*instance{
		{"global", "properties", object{{"customer", "Fabrikam"}, {"note: free-form", "line one\nline two"}}},
		{"enterprise_" + g.co.BoxEnterprise, "contract", object{{"amount", 125000.5}, {"signed", "2026-03-31T00:00:00.000Z"}, {"status", "active"}, {"regions", []string{"EMEA", "APAC"}}}},
	}
	dir.more().metadata = []*instance{{"global", "properties", object{{"retention", "7 years"}}}}

	f = g.file(dir, "Presentation.key", company.ZIP([]string{"index.apxl"}, [][]byte{[]byte("<presentation/>\n")}))
	f.more().isPackage = true
	g.file(dir, "Meeting notes.boxnote", []byte(`{"atext":{"text":"Notes of the meeting\n"}}`))
	f = g.file(dir, "from the portal.txt", []byte("uploaded by somebody without an account\n"))
	f.more().uploader = "visitor@example.org"
	f.createdBy = nil
	g.fileOf(dir, "exactly 8 MiB.bin", newRepeated(8<<20, "", []byte("8 bytes\n")))
}

// trash has a file and a folder with something in it.
func (g *seeder) trash(u *user, w *company.Writer) {
	f := g.file(u.root, "thrown away.txt", []byte("gone\n"))
	dir := g.folder(u.root, "Old project")
	g.document(dir, "txt", w)
	for _, it := range []*item{f, dir} {
		g.s.toTrash(it, g.day.Add(-24*time.Hour))
	}
}

// sharing lets people see each other's folders in all the ways there are.
func (g *seeder) sharing(alice *user) {
	w := g.co.Writer("box sharing")
	bob, carol := g.user(g.co.Bob()), g.user(g.co.Carol())
	zoe, jose := g.user(g.co.Person("zoe@"+g.co.Domain)), g.user(g.co.Person("jose@"+g.co.Domain))

	board := g.folder(g.folder(bob.root, "CFO"), "Board papers")
	sub := g.folder(board, "Appendix")
	g.document(board, "pdf", w)
	g.document(sub, "xlsx", w)
	g.collab(board, alice, nil, "editor")

	review := g.folder(carol.root, "Contract review (preview only)")
	g.document(review, "docx", w)
	g.collab(review, alice, nil, "previewer")

	inbox := g.folder(carol.root, "Drop box")
	g.document(inbox, "txt", w)
	g.collab(inbox, alice, nil, "uploader")

	g.collab(g.file(zoe.root, "single shared file.txt", []byte("just this one\n")), alice, nil, "viewer")

	hidden := g.folder(jose.root, "Access only")
	g.document(hidden, "txt", w)
	g.collab(hidden, alice, nil, "viewer").accessOnly = true

	specs := g.folder(g.folder(jose.root, "Engineering"), "Specifications")
	g.document(specs, "md", w)
	for _, gr := range g.s.groups {
		if gr.name == "Engineering" {
			g.collab(specs, nil, gr, "viewer uploader").viewPath = true
		}
	}
	for _, it := range alice.root.children.byName {
		if it.name == "Projects" {
			g.collab(it, bob, nil, "co-owner")
			g.collab(it, g.user(g.co.Guests[0]), nil, "viewer")
		}
	}
	invited := g.folder(bob.root, "Pending invitation")
	g.collab(invited, alice, nil, "viewer").status = "pending"
}
