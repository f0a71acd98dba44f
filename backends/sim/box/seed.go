package box

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
)

// seeder fills a store with the company's data.
type seeder struct {
	s   *store
	co  *company.Company
	day time.Time // midnight of the day that the data end in
	n   int
}

// seed makes users, groups and trees; importDir, if not empty, becomes Alice's tree. It gives the imported files.
func seed(s *store, co *company.Company, importDir string) ([]*disk, error) {
	g := &seeder{s: s, co: co, day: s.w.Start().Truncate(24 * time.Hour)}
	g.people()
	g.teams()
	alice := g.user(co.Alice())
	var imported []*disk
	if importDir != "" {
		im := &importer{s: s, owner: alice}
		if err := im.run(importDir); err != nil {
			return nil, err
		}
		imported = im.files
	} else {
		g.aliceTree(alice)
		g.scale(alice)
	}
	for _, p := range co.People[1:] {
		g.smallTree(g.user(p))
	}
	audit := g.external(g.user(co.Guests[0]))
	if importDir == "" {
		// An imported root holds what the directory holds and nothing that others share.
		g.collab(audit, alice, nil, "viewer")
		g.sharing(alice)
	}
	s.remount()
	if importDir == "" {
		g.recents(alice)
	}
	return imported, nil
}

func mustParse(id string) uint64 {
	n, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		panic("company has a Box id that is no number: " + id)
	}
	return n
}

func (g *seeder) user(p *company.Person) *user { return g.s.userByID[mustParse(p.BoxID)] }

func (g *seeder) addUser(u *user) *user {
	u.created = g.day.AddDate(-3, 0, len(g.s.users))
	g.s.users = append(g.s.users, u)
	g.s.userByID[u.num] = u
	g.s.newRoot(u)
	return u
}

func (g *seeder) person(p *company.Person, e *enterprise, role string) *user {
	return g.addUser(&user{
		num: mustParse(p.BoxID), name: p.DisplayName, login: p.Mail, enterprise: e, role: role, status: "active",
		job: p.JobTitle, phone: p.BusinessPhone, address: p.Office, language: p.Language[:2], zone: p.TimeZone,
	})
}

func (g *seeder) people() {
	s, co := g.s, g.co
	s.ours = &enterprise{co.BoxEnterprise, co.Name}
	for _, p := range co.People {
		role := "user"
		switch p.JobTitle {
		case "Chief Executive Officer":
			role = "admin"
		case "General Counsel":
			role = "coadmin"
		}
		g.person(p, s.ours, role)
	}
	for _, p := range co.Guests {
		g.person(p, &enterprise{co.Number("enterprise "+p.CompanyName, 6), p.CompanyName}, "user")
	}
	g.addUser(&user{
		num: mustParse(co.Number("box inactive", 10)), name: "Frank Former", login: "frank@" + co.Domain, enterprise: s.ours, role: "user",
		status: "inactive", language: "en", zone: "America/New_York",
	})
	g.addUser(&user{
		num: mustParse(co.Number("box app user", 10)), name: "Intake Portal", login: "AppUser_" + co.Number("box app", 7) + "_Qm3xT9aWbz@boxdevedition.com",
		enterprise: s.ours, role: "user", status: "active", appUser: true, language: "en", zone: "America/Los_Angeles",
	})
	for _, a := range []struct{ key, name, id string }{
		{"box service account", "Contoso Archive App", "AutomationUser_" + co.Number("box app", 7) + "_hV2kLr8yDn"},
		{"box jwt service account", "Contoso Archive Server", "AutomationUser_" + co.Number("box jwt app", 7) + "_pW7cXe4sGq"},
	} {
		s.services = append(s.services, g.addUser(&user{
			num: mustParse(co.Number(a.key, 10)), name: a.name, login: a.id + "@boxdevedition.com",
			enterprise: s.ours, role: "user", status: "active", service: true, language: "en", zone: "America/Los_Angeles",
		}))
	}
	slices.SortFunc(s.users, func(a, b *user) int { return cmp.Compare(a.num, b.num) })
}

func (g *seeder) teams() {
	for _, cg := range g.co.Groups {
		gr := &group{num: mustParse(cg.BoxID), name: cg.DisplayName, kind: "managed_group", description: cg.Description, created: g.day.AddDate(-2, 0, 0)}
		if len(cg.Members) >= len(g.co.People) {
			gr.kind = "all_users_group"
		}
		for _, p := range cg.Members {
			u := g.user(p)
			role := "member"
			if slices.Contains(cg.Owners, p) {
				role = "admin"
			}
			m := &membership{num: mustParse(g.co.Number("box member "+cg.Nickname+p.Mail, 9)), user: u, group: gr, role: role, created: gr.created}
			gr.members = append(gr.members, m)
			u.groups = append(u.groups, gr)
		}
		g.s.groups = append(g.s.groups, gr)
		g.s.groupByID[gr.num] = gr
	}
	slices.SortFunc(g.s.groups, func(a, b *group) int { return cmp.Compare(foldName(a.name), foldName(b.name)) })
}

// when gives a time in the two years before the last day, the same for a path every time.
func (g *seeder) when(path string) time.Time {
	w := g.co.Writer("box time " + path)
	return g.day.Add(-time.Duration(w.IntN(730*86400)) * time.Second)
}

// trail names an item for ids and random choices.
func trail(dir *item, name string) string {
	t := name
	for ; dir != nil && !dir.isRoot(); dir = dir.parent {
		t = dir.name + "/" + t
	}
	return t
}

func (g *seeder) folder(dir *item, name string) *item {
	path := dir.owner.login + " " + trail(dir, name)
	it := g.s.newItem(folderKind, path, name, dir, dir.owner, g.when(path))
	dir.children.add(it)
	return it
}

func (g *seeder) fileOf(dir *item, name string, c content) *item {
	path := dir.owner.login + " " + trail(dir, name)
	at := g.when(path)
	it := g.s.newItem(fileKind, path, name, dir, dir.owner, at)
	it.contentModified = at.Add(-time.Duration(it.num%100000) * time.Second)
	it.contentCreated = it.contentModified.Add(-time.Hour)
	if g.n++; g.n%29 == 11 {
		it.contentModified, it.contentCreated = time.Time{}, time.Time{}
	}
	g.s.addVersion(it, path, c, dir.owner, at, at)
	dir.children.add(it)
	return it
}

func (g *seeder) file(dir *item, name string, data []byte) *item {
	return g.fileOf(dir, name, newMemory(data))
}

// document adds a file with a generated name and real content; a name that is taken already gets a number.
func (g *seeder) document(dir *item, kind string, w *company.Writer) *item {
	name := w.FileName(kind)
	for n := 2; dir.children.named(name) != nil; n++ {
		name = fmt.Sprintf("%s %d.%s", name[:len(name)-len(kind)-1], n, kind)
	}
	return g.file(dir, name, company.Document(kind, w))
}

// older puts a version before the current one.
func (g *seeder) older(it *item, data []byte, by *user, age time.Duration) {
	v := &version{
		num: g.s.number("older "+numeral(it.num)+strconv.Itoa(len(it.versions)), g.s.versionTaken), name: it.name, content: newMemory(data),
		created: it.created.Add(-age), modified: it.created.Add(-age), by: by,
	}
	g.s.versions[v.num] = v
	it.versions = append([]*version{v}, it.versions...)
	it.etag++
}

// smallTree gives a colleague a few folders of documents.
func (g *seeder) smallTree(u *user) {
	w := g.co.Writer("box tree " + u.login)
	for _, name := range []string{"Work", "Drafts", u.name} {
		dir := g.folder(u.root, name)
		for range 2 + w.IntN(4) {
			g.document(dir, company.Kinds[w.IntN(len(company.Kinds))], w)
		}
	}
	g.file(u.root, "todo.txt", []byte(w.Paragraph(3)+"\n"))
}

// external gives a guest a folder of her own enterprise.
func (g *seeder) external(u *user) *item {
	w := g.co.Writer("box external")
	dir := g.folder(u.root, "Audit Fabrikam 2026")
	for _, kind := range []string{"pdf", "xlsx", "txt"} {
		g.document(dir, kind, w)
	}
	return dir
}

func (g *seeder) collab(it *item, u *user, gr *group, role string) *collab {
	at := it.created.Add(time.Hour)
	co := &collab{item: it, user: u, group: gr, role: role, status: "accepted", created: at, modified: at, createdBy: it.owner, acknowledgedAt: at}
	return g.s.addCollab(co, fmt.Sprintf("%s %d", numeral(it.num), len(it.collabs)))
}
