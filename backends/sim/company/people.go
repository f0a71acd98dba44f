package company

import (
	"fmt"
	"strings"
)

type personRow struct {
	alias, given, surname, display, title, department, office, language, zone, manager string
}

// The scripts matter more than the jobs: names in Latin with diacritics, Cyrillic, Greek, Arabic, Chinese and Japanese,
// one with an apostrophe and one with a space in the surname.
var memberRows = []personRow{
	{"alice", "Alice", "Smith", "Alice Smith", "Financial Analyst", "Finance", "12/1108", "en-US", "America/Los_Angeles", "bob"},
	{"bob", "Bob", "Jones", "Bob Jones", "Chief Financial Officer", "Finance", "12/1110", "en-US", "America/Los_Angeles", "grace"},
	{"carol", "Carol", "Nguyen", "Carol Nguyen", "General Counsel", "Legal", "12/1201", "en-GB", "Europe/London", "grace"},
	{"zoe", "Zoë", "Müller-Lüdenscheidt", "Zoë Müller-Lüdenscheidt", "Staff Engineer", "Engineering", "B3/217", "de-DE", "Europe/Berlin", "jose"},
	{"jose", "José", "Álvarez Núñez", "José Álvarez Núñez", "VP Engineering", "Engineering", "B3/201", "es-ES", "Europe/Madrid", "grace"},
	{"lukasz", "Łukasz", "Żółkiewski", "Łukasz Żółkiewski", "Site Reliability Engineer", "Engineering", "B3/219", "pl-PL", "Europe/Warsaw", "jose"},
	{"dmitri", "Дмитрий", "Иванов", "Дмитрий Иванов", "Product Manager", "Product", "B3/305", "ru-RU", "Europe/Riga", "jose"},
	{"eleni", "Ελένη", "Παπαδοπούλου", "Ελένη Παπαδοπούλου", "Senior Designer", "Product", "B3/307", "el-GR", "Europe/Athens", "dmitri"},
	{"layla", "ليلى", "حسن", "ليلى حسن", "Regional Sales Director", "Sales", "DXB/4", "ar-AE", "Asia/Dubai", "grace"},
	{"xiaoming", "小明", "王", "王小明", "Manufacturing Lead", "Operations", "SHA/9", "zh-CN", "Asia/Shanghai", "grace"},
	{"hanako", "花子", "山田", "山田 花子", "Account Manager", "Sales", "TYO/2", "ja-JP", "Asia/Tokyo", "layla"},
	{"grace", "Grace", "O'Brien", "Grace O'Brien", "Chief Executive Officer", "Executive", "12/1300", "en-IE", "Europe/Dublin", ""},
}

var guestRows = []struct{ mail, given, surname, display, title, company string }{
	{"priya.raman@fabrikam.com", "Priya", "Raman", "Priya Raman (Fabrikam)", "External Auditor", "Fabrikam"},
	{"noel@northwind.example", "Noël", "Lefèvre", "Noël Lefèvre", "Consultant", "Northwind"},
}

var sharedRows = []struct{ alias, display, department string }{
	{"invoices", "Invoices", "Finance"},
	{"support", "Contoso Support", "Operations"},
}

var roomRows = []struct{ alias, display, office string }{
	{"room-fuji", "Room Fuji (12 seats)", "12/1150"},
}

type groupRow struct {
	name, nickname, description string
	unified, team, private      bool
	owner                       string
	members                     string
}

var groupRows = []groupRow{
	{"Finance", "finance", "Budgets, closing and reports", true, true, true, "bob", "alice bob grace"},
	{"Legal", "legal", "Contracts and compliance", true, true, true, "carol", "carol alice"},
	{"Engineering", "engineering", "Everything that is built here", true, true, false, "jose", "jose zoe lukasz dmitri eleni alice xiaoming"},
	{"Sales EMEA & Asia", "sales", "Customers, quotes, forecasts", true, true, false, "layla", "layla hanako alice"},
	{"Проект Орион", "orion", "Launch of Project Orion", true, true, false, "dmitri", "dmitri eleni zoe alice bob"},
	{"Website relaunch 2025", "websiterelaunch", "No longer in use", true, true, false, "dmitri", "dmitri eleni alice"},
	{"All Company", "allcompany", "Everybody", true, false, false, "grace", "*"},
	{"sg-vpn-users", "sgvpnusers", "May use the VPN", false, false, false, "lukasz", "alice bob lukasz zoe jose"},
	{"Offsite 2026 🎉", "offsite", "Planning the company offsite", true, false, true, "hanako", "hanako alice eleni"},
}

func (c *Company) addPeople() {
	ids := map[string]string{}
	for _, r := range memberRows {
		ids[r.alias] = c.GUID("person " + r.alias)
	}
	for i, r := range memberRows {
		p := &Person{
			ID: ids[r.alias], BoxID: c.Number("box user "+r.alias, 10), Kind: Member,
			UPN: r.alias + "@" + c.Domain, Mail: r.alias + "@" + c.Domain,
			DisplayName: r.display, GivenName: r.given, Surname: r.surname, JobTitle: r.title, Department: r.department,
			Office: r.office, BusinessPhone: fmt.Sprintf("+1 425 555 01%02d", i), Language: r.language, TimeZone: r.zone,
			CompanyName: c.Name, ManagerID: ids[r.manager], AccountEnabled: true,
		}
		if i%3 != 1 {
			p.MobilePhone = fmt.Sprintf("+1 206 555 07%02d", i)
		}
		c.People = append(c.People, p)
		c.index(p)
	}
	for _, r := range guestRows {
		p := &Person{
			ID: c.GUID("guest " + r.mail), BoxID: c.Number("box user "+r.mail, 10), Kind: Guest,
			UPN:  strings.ReplaceAll(r.mail, "@", "_") + "#EXT#@" + c.Domain,
			Mail: r.mail, DisplayName: r.display, GivenName: r.given, Surname: r.surname, JobTitle: r.title,
			CompanyName: r.company, Language: "en-US", TimeZone: "Europe/Paris", AccountEnabled: true,
		}
		c.Guests = append(c.Guests, p)
		c.index(p)
	}
	for _, r := range sharedRows {
		c.Shared = append(c.Shared, c.place(r.alias, r.display, SharedMailbox))
		c.Shared[len(c.Shared)-1].Department = r.department
	}
	for _, r := range roomRows {
		c.Rooms = append(c.Rooms, c.place(r.alias, r.display, Room))
		c.Rooms[len(c.Rooms)-1].Office = r.office
	}
}

// place is an identity nobody signs in with: its account is disabled, as for real shared mailboxes and rooms.
func (c *Company) place(alias, display string, kind Kind) *Person {
	p := &Person{
		ID: c.GUID("person " + alias), BoxID: c.Number("box user "+alias, 10), Kind: kind,
		UPN: alias + "@" + c.Domain, Mail: alias + "@" + c.Domain, DisplayName: display,
		CompanyName: c.Name, Language: "en-US", TimeZone: "America/Los_Angeles",
	}
	c.index(p)
	return p
}

func (c *Company) addGroups() {
	for _, r := range groupRows {
		g := &Group{
			ID: c.GUID("group " + r.nickname), BoxID: c.Number("box group "+r.nickname, 8),
			DisplayName: r.name, Nickname: r.nickname, Description: r.description,
			Unified: r.unified, Team: r.team, Private: r.private,
		}
		if r.unified {
			g.Mail = r.nickname + "@" + c.Domain
		}
		g.Owners = []*Person{c.Person(r.owner + "@" + c.Domain)}
		if r.members == "*" {
			g.Members = append(g.Members, c.People...)
		} else {
			for _, alias := range strings.Fields(r.members) {
				g.Members = append(g.Members, c.Person(alias+"@"+c.Domain))
			}
		}
		c.Groups = append(c.Groups, g)
	}
	// The auditor looks into Finance as a guest.
	fin := c.Group("finance")
	fin.Members = append(fin.Members, c.Guests[0])
}
