package seed

import (
	"fmt"
	"strings"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
)

// contacts gives a user their colleagues as contacts; Alice gets folders and awkward ones besides.
func (s *seeder) contacts(p *company.Person, mb *mailbox.Mailbox) {
	add := func(f *mailbox.ContactFolder, c props) {
		at := s.Now.AddDate(0, 0, -100-len(f.Contacts))
		must(mb.AddItem(&mailbox.Item{Folder: f, Props: c, Created: at, Modified: at.AddDate(0, 0, len(f.Contacts)%30)}, true))
	}
	for i, q := range s.c.People {
		if q == p || (p != s.c.Alice() && i%4 > 0) {
			continue
		}
		c := props{
			"displayName": q.DisplayName, "givenName": q.GivenName, "surname": q.Surname, "fileAs": q.Surname + ", " + q.GivenName,
			"emailAddresses": []any{email(q.DisplayName, q.Mail)}, "primaryEmailAddress": email(q.DisplayName, q.Mail),
			"businessPhones": []any{q.BusinessPhone}, "companyName": q.CompanyName, "department": q.Department, "jobTitle": q.JobTitle, "officeLocation": q.Office,
		}
		if q.MobilePhone != "" {
			c["mobilePhone"] = q.MobilePhone
		}
		if i%3 == 0 {
			c["birthday"] = fmt.Sprintf("19%02d-%02d-%02dT11:59:00Z", 60+i, 1+i%12, 1+i)
			c["personalNotes"] = "Met at the offsite.\r\nLikes coffee; hates commas, semicolons and \\ signs."
			c["homeAddress"] = props{"street": "12 Main Street\r\nApt. 4", "city": "Redmond", "state": "WA", "postalCode": "98052", "countryOrRegion": "United States"}
			c["categories"] = []string{"Green category"}
		}
		add(mb.Contacts, c)
	}
	if p != s.c.Alice() {
		return
	}
	suppliers := contactFolder(mb, mb.Contacts, "Suppliers")
	eu := contactFolder(mb, suppliers, "EU / UK")
	contactFolder(mb, mb.Contacts, "Empty")
	for _, q := range s.c.Guests {
		add(suppliers, props{"displayName": q.DisplayName, "givenName": q.GivenName, "surname": q.Surname, "companyName": q.CompanyName, "jobTitle": q.JobTitle,
			"emailAddresses": []any{email(q.DisplayName, q.Mail), email("", "second."+q.Mail)}, "businessHomePage": "https://www." + strings.ToLower(q.CompanyName) + ".example"})
	}
	add(eu, props{"displayName": "Noël & Söhne GmbH", "companyName": "Noël & Söhne GmbH", "businessAddress": props{"street": "Königsallee 1", "city": "Düsseldorf", "countryOrRegion": "Germany"}})
	for _, name := range []string{"", "../../etc/passwd", "two\r\nEND:VCARD\r\nlines", "bidi \u202Egpj.exe", "esc\x1b[31m", strings.Repeat("long", 80), "Twin", "Twin", "twin"} {
		add(mb.Contacts, props{"displayName": name, "givenName": name, "emailAddresses": []any{props{"name": name}}})
	}
}

func email(name, address string) map[string]any { return props{"name": name, "address": address} }

func contactFolder(mb *mailbox.Mailbox, parent *mailbox.ContactFolder, name string) *mailbox.ContactFolder {
	f, err := mb.AddContactFolder(parent, name, true)
	must(err)
	return f
}

// must is for what cannot fail while a mailbox is seeded.
func must(err error) {
	if err != nil {
		panic("outlook seed: " + err.Error())
	}
}
