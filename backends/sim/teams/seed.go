package teams

import (
	"encoding/base64"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/drive"
)

const (
	months = 18 // how far back the seeded conversations go
	day    = 24 * time.Hour
)

// seeder fills the Store. What it makes depends on the company's seed, the day and the scale alone: dates count from the end
// of the first day, and what would lie after the start of the clock is left out.
type seeder struct {
	*Store
	svc   *Service
	start time.Time // nothing is later
	end   time.Time // of the first day
	scale int
	// fabrikam is another tenant, whose people are in some channels and chats.
	fabrikam string
}

func newSeeder(s *Service) *seeder {
	start := s.world.Start()
	return &seeder{Store: s.Store, svc: s, start: start, end: start.Truncate(day).Add(day), scale: s.world.Scale,
		fabrikam: s.Store.people.GUID("tenant fabrikam")}
}

// ago is a time of day some days before the first day's end.
func (s *seeder) ago(days, hour, minute int) time.Time {
	return s.end.AddDate(0, 0, -days-1).Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
}

// threadID makes a conversation id with a suffix such as "@thread.tacv2".
func (s *seeder) threadID(purpose, suffix string) string {
	return "19:" + strings.ReplaceAll(s.people.GUID("thread "+purpose), "-", "") + suffix
}

// channelSpec is one row of the seed.
type channelSpec struct {
	name, description string
	kind              string   // "" is standard
	members           []string // aliases, of private and shared channels
	threads           int
	files             int
	unprovisioned     bool
}

type teamSpec struct {
	group    string // nickname of the company's group; "" for a team whose group is gone
	name     string
	archived bool
	deleted  bool
	channels []channelSpec
}

// The names are as people give them, and some as no program expects them.
var teamSpecs = []teamSpec{
	{group: "engineering", channels: []channelSpec{
		{name: "General", threads: 150, files: 12},
		{name: "Build/Deploy", description: "One post per build", threads: 60, files: 2},
		{name: "Hiring 🕵️", kind: private, members: []string{"jose", "zoe", "alice"}, threads: 12, files: 4},
		{name: "Salary review", kind: private, members: []string{"jose", "bob"}, threads: 5, files: 2},
		{name: "Orion x Fabrikam", kind: shared, members: []string{"jose", "zoe", "lukasz"}, threads: 15, files: 4},
		{name: "Odds & ends", description: "Where what fits nowhere goes", threads: 3, files: 3},
		{name: "New ideas", threads: 1, unprovisioned: true},
		{name: "Empty", files: 0},
	}},
	{group: "finance", channels: []channelSpec{
		{name: "General", threads: 40, files: 8},
		{name: "Closing Q4: numbers? <draft>", threads: 20, files: 6},
		{name: "Board", kind: private, members: []string{"bob", "grace", "alice"}, threads: 6, files: 3},
	}},
	{group: "legal", channels: []channelSpec{
		{name: "General", threads: 15, files: 5},
		{name: "../contracts", description: "Not a path", threads: 8, files: 4},
	}},
	{group: "sales", channels: []channelSpec{
		{name: "General", threads: 30, files: 6},
		{name: "日本チーム", threads: 12, files: 3},
		{name: "فريق دبي", threads: 12, files: 3},
	}},
	{group: "orion", channels: []channelSpec{
		{name: "General", threads: 35, files: 6},
		{name: "Дизайн", threads: 14, files: 5},
		{name: "Κυκλοφορία 🚀", threads: 9, files: 2},
	}},
	{group: "websiterelaunch", archived: true, channels: []channelSpec{
		{name: "General", threads: 18, files: 4},
		{name: "Copy & translations", threads: 7, files: 2},
		{name: "files", description: "Where do files go?", threads: 6, files: 3},
		{name: "members.csv", description: "Access lists", threads: 4, files: 1},
		{name: "2026-11", description: "Sprint of November", threads: 8, files: 2},
	}},
	{name: "Skunkworks", deleted: true, channels: []channelSpec{{name: "General", threads: 5}}},
}

func (s *seeder) seed() {
	for _, spec := range teamSpecs {
		s.addTeamOf(spec)
	}
	s.shareChannels()
	s.seedChats()
	s.lastMS = ms(s.start)
}

// addTeamOf makes a team with its site, channels, files and messages.
func (s *seeder) addTeamOf(spec teamSpec) {
	g := s.people.Group(spec.group)
	if g == nil {
		g = &company.Group{ID: s.people.GUID("group " + spec.name), DisplayName: spec.name, Nickname: strings.ReplaceAll(spec.name, " ", ""),
			Description: "No longer in use", Owners: s.people.People[6:7],
			Members: []*company.Person{s.people.Alice(), s.people.People[6], s.people.People[7]}}
	}
	t := &Team{ID: g.ID, Name: g.DisplayName, Description: g.Description, InternalID: s.threadID("team "+g.ID, "@thread.tacv2"),
		Visibility: "public", Created: s.ago(months*31+40, 9, 30), Archived: spec.archived, Deleted: spec.deleted}
	if g.Private {
		t.Visibility = "private"
	}
	for _, p := range g.Members {
		m := Member{Person: p}
		switch {
		case p == g.Owners[0]:
			m.Role = "owner"
		case p.Kind == company.Guest:
			m.Role = "guest"
		}
		t.Members = append(t.Members, m)
	}
	s.addTeam(t)
	t.Drive = s.svc.drives.Store.AddDrive("team "+g.ID, "/sites/"+g.Nickname, drive.Drive{Type: "documentLibrary", GroupID: t.ID, SiteName: t.Name,
		Created: t.Created.Truncate(time.Second), Readers: func(userID string) bool { return member(t.Members, userID) != nil }})
	for i, cs := range spec.channels {
		s.addChannelOf(t, g.Nickname, cs, i == 0)
	}
}

func (s *seeder) addChannelOf(t *Team, nickname string, spec channelSpec, primary bool) {
	c := &Channel{ID: s.threadID("channel "+t.ID+spec.name, "@thread.tacv2"), Name: spec.name, Description: spec.description,
		Membership: standard, Created: t.Created.Add(time.Duration(len(t.Channels)) * 7 * time.Minute)}
	if spec.name == "members.csv" {
		// Channels from before 2021 have ids of an older form.
		c.ID = strings.TrimSuffix(c.ID, "@thread.tacv2") + "@thread.skype"
	}
	if spec.kind != "" {
		c.Membership = spec.kind
		for i, alias := range spec.members {
			m := Member{Person: s.people.Person(alias + "@" + s.people.Domain)}
			if i == 0 {
				m.Role = "owner"
			}
			c.Members = append(c.Members, m)
		}
	}
	if c.Membership == shared {
		for i := range 3 {
			c.Members = append(c.Members, Member{Person: s.outsider(i), Role: "guest", TenantID: s.fabrikam})
		}
	}
	s.addChannel(t, c)
	if !t.Deleted && !spec.unprovisioned {
		s.addFiles(c, nickname, spec, primary)
	}
	f := &filler{seeder: s, c: c, w: s.people.Writer("channel " + c.ID)}
	if spec.name == "Build/Deploy" {
		f.builds(max(spec.threads, s.scale/10))
		return
	}
	f.events(primary)
	f.threads(spec.threads)
	switch {
	case primary && nickname == "engineering":
		f.everyEvent()
		f.revived()
	case spec.name == "Odds & ends":
		f.awkward()
	}
}

// addFiles gives a channel its folder: in the team's library, or in a site of its own.
func (s *seeder) addFiles(c *Channel, nickname string, spec channelSpec, primary bool) {
	store := s.svc.drives.Store
	c.Drive = c.team.Drive
	if c.Membership != standard {
		site := nickname + "-" + strings.ReplaceAll(strings.Map(func(r rune) rune {
			if r < 128 {
				return r
			}
			return -1
		}, spec.name), " ", "")
		c.Drive = store.AddDrive("channel "+c.ID, "/sites/"+site, drive.Drive{Type: "documentLibrary", SiteName: c.team.Name + "-" + spec.name,
			Created: c.Created.Truncate(time.Second), Readers: func(userID string) bool { return member(c.allMembers(), userID) != nil }})
	}
	sd := store.Seeder("channel "+c.ID, s.end.Add(-day))
	c.Folder = sd.Folder(c.Drive, c.Drive.Root, folderName(spec.name))
	sd.Some(c.Drive, c.Folder, spec.files)
	if primary && nickname == "engineering" {
		sd.Awkward(c.Drive, c.Folder)
	}
	if spec.files > 4 {
		sd.Some(c.Drive, sd.Folder(c.Drive, c.Folder, "Reports 2026"), 4)
	}
}

// folderName is the name of a channel's folder, without what SharePoint refuses.
func folderName(channel string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(`\/*<>?:|"`, r) {
			return '_'
		}
		return r
	}, strings.TrimLeft(channel, "."))
}

// outsider is a person of another tenant, who is in no directory of ours.
func (s *seeder) outsider(i int) *company.Person {
	names := []string{"Sofia", "Mateo", "Yuki", "Omar", "Ingrid", "Pavel", "Chloé", "Ravi", "Nia", "Lars"}
	surnames := []string{"Rossi", "García", "Tanaka", "Haddad", "Lindström", "Novák", "Dubois", "Patel", "Okafor", "Berg"}
	given, surname := names[i%10], surnames[(i+i/10)%10]
	return &company.Person{ID: s.people.GUID("fabrikam person " + given + surname), Kind: company.Guest,
		Mail:        strings.ToLower(given[:1]) + "." + base64.RawURLEncoding.EncodeToString([]byte(surname))[:6] + "@fabrikam.com",
		DisplayName: given + " " + surname + " (Fabrikam)", GivenName: given, Surname: surname, CompanyName: "Fabrikam"}
}

// shareChannels shares one of Engineering's channels with Orion, and one of Fabrikam's with Finance.
func (s *seeder) shareChannels() {
	orion, finance := s.byTeam[s.people.Group("orion").ID], s.byTeam[s.people.Group("finance").ID]
	for _, t := range s.teams {
		for _, c := range t.Channels {
			if c.Membership == shared {
				c.SharedWith = append(c.SharedWith, orion)
				orion.Incoming = append(orion.Incoming, c)
			}
		}
	}
	host := &Team{ID: s.people.GUID("fabrikam team"), Name: "Fabrikam Audit", InternalID: s.threadID("fabrikam team", "@thread.tacv2")}
	foreign := &Channel{ID: s.threadID("fabrikam channel", "@thread.tacv2"), Name: "Audit 2026", Membership: shared, Created: s.ago(200, 10, 0),
		TenantID: s.fabrikam, SharedWith: []*Team{finance}, team: host, Conversation: newConversation()}
	foreign.channel = foreign
	finance.Incoming = append(finance.Incoming, foreign)
}
