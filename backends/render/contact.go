package render

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"strings"
)

type postalAddress struct {
	Street     string `json:"street"`
	City       string `json:"city"`
	State      string `json:"state"`
	PostalCode string `json:"postalCode"`
	Country    string `json:"countryOrRegion"`
}

// contact holds the fields of a Graph contact that rendering looks at.
type contact struct {
	ID               string         `json:"id"`
	DisplayName      string         `json:"displayName"`
	FileAs           string         `json:"fileAs"`
	GivenName        string         `json:"givenName"`
	MiddleName       string         `json:"middleName"`
	Surname          string         `json:"surname"`
	NickName         string         `json:"nickName"`
	Title            string         `json:"title"`
	Generation       string         `json:"generation"`
	YomiGivenName    string         `json:"yomiGivenName"`
	YomiSurname      string         `json:"yomiSurname"`
	Emails           []emailAddress `json:"emailAddresses"`
	PrimaryEmail     emailAddress   `json:"primaryEmailAddress"`
	SecondaryEmail   emailAddress   `json:"secondaryEmailAddress"`
	TertiaryEmail    emailAddress   `json:"tertiaryEmailAddress"`
	BusinessPhones   []string       `json:"businessPhones"`
	HomePhones       []string       `json:"homePhones"`
	MobilePhone      string         `json:"mobilePhone"`
	IMAddresses      []string       `json:"imAddresses"`
	CompanyName      string         `json:"companyName"`
	Department       string         `json:"department"`
	JobTitle         string         `json:"jobTitle"`
	OfficeLocation   string         `json:"officeLocation"`
	Profession       string         `json:"profession"`
	Manager          string         `json:"manager"`
	AssistantName    string         `json:"assistantName"`
	BusinessAddress  postalAddress  `json:"businessAddress"`
	HomeAddress      postalAddress  `json:"homeAddress"`
	OtherAddress     postalAddress  `json:"otherAddress"`
	BusinessHomePage string         `json:"businessHomePage"`
	Birthday         string         `json:"birthday"`
	SpouseName       string         `json:"spouseName"`
	Children         []string       `json:"children"`
	PersonalNotes    string         `json:"personalNotes"`
	Categories       []string       `json:"categories"`
	Modified         string         `json:"lastModifiedDateTime"`
}

// ContactVCF gives a contact as a vCard 4.0 (RFC 6350). Values without a property of their own are X- properties: X-MANAGER,
// X-ASSISTANT, X-IM (an address that is no URI), X-PHONETIC-FIRST-NAME and X-PHONETIC-LAST-NAME.
//
// The lines are written here and not by go-vcard, which neither folds nor can escape a semicolon inside a name.
func ContactVCF(raw []byte) ([]byte, error) {
	var c contact
	if err := decode(raw, &c); err != nil {
		return nil, err
	}
	var v vcard
	v.line("BEGIN", "VCARD")
	v.line("VERSION", "4.0")
	v.line("PRODID", "-//workfs//render "+strconv.Itoa(Version)+"//EN")
	v.text("UID;VALUE=text", c.ID)
	v.text("FN", c.name())
	v.list("N", c.Surname, c.GivenName, c.MiddleName, c.Title, c.Generation)
	v.text("NICKNAME", c.NickName)
	v.text("X-PHONETIC-FIRST-NAME", c.YomiGivenName)
	v.text("X-PHONETIC-LAST-NAME", c.YomiSurname)
	v.list("ORG", c.CompanyName, c.Department)
	v.text("TITLE", c.JobTitle)
	v.text("ROLE", c.Profession)
	for i, e := range c.emails() {
		name := "EMAIL"
		if i == 0 {
			name += ";PREF=1"
		}
		v.text(name, e)
	}
	for _, p := range c.BusinessPhones {
		v.text("TEL;TYPE=work", p)
	}
	for _, p := range c.HomePhones {
		v.text("TEL;TYPE=home", p)
	}
	v.text("TEL;TYPE=cell", c.MobilePhone)
	for _, im := range c.IMAddresses {
		if uri := linkTarget(oneLine(im)); uri != "" {
			v.line("IMPP", uri)
		} else {
			v.text("X-IM", im)
		}
	}
	v.address("ADR;TYPE=work", c.BusinessAddress, c.OfficeLocation)
	v.address("ADR;TYPE=home", c.HomeAddress, "")
	v.address("ADR", c.OtherAddress, "")
	if url := linkTarget(oneLine(c.BusinessHomePage)); url != "" {
		v.line("URL;TYPE=work", url)
	} else {
		v.text("URL;TYPE=work;VALUE=text", c.BusinessHomePage)
	}
	if t, ok := ParseTime(c.Birthday); ok {
		if t.Year() == 1604 { // what Outlook writes for a birthday without its year
			v.line("BDAY", t.Format("--0102"))
		} else {
			v.line("BDAY", t.Format("20060102"))
		}
	}
	v.text("RELATED;TYPE=spouse;VALUE=text", c.SpouseName)
	for _, child := range c.Children {
		v.text("RELATED;TYPE=child;VALUE=text", child)
	}
	v.text("X-MANAGER", c.Manager)
	v.text("X-ASSISTANT", c.AssistantName)
	if note := bodyText(c.PersonalNotes); note != "" {
		v.line("NOTE", escapeText(note))
	}
	v.many("CATEGORIES", c.Categories)
	if t, ok := ParseTime(c.Modified); ok {
		v.line("REV", utc(t))
	}
	v.line("END", "VCARD")
	return fold(v.out.Bytes()), nil
}

// ContactName gives the name of a contact for people: the display name, else what of given name and surname, filing name,
// company and first address there is; "unknown" if there is nothing.
func ContactName(raw []byte) string {
	var c contact
	if decode(raw, &c) != nil {
		return unknown
	}
	return c.name()
}

func (c *contact) name() string {
	emails := append(c.emails(), "")
	return cmp.Or(oneLine(c.DisplayName), oneLine(c.GivenName+" "+c.Surname), oneLine(c.FileAs), oneLine(c.NickName), oneLine(c.CompanyName),
		emails[0], unknown)
}

// emails gives the addresses, each once.
func (c *contact) emails() []string {
	var list []string
	for _, e := range append(slices.Clone(c.Emails), c.PrimaryEmail, c.SecondaryEmail, c.TertiaryEmail) {
		if a := oneLine(e.Address); a != "" && !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return list
}

type vcard struct{ out bytes.Buffer }

func (v *vcard) line(name, value string) {
	v.out.WriteString(name + ":" + value + "\r\n")
}

// text writes a text value of one line unless it is empty.
func (v *vcard) text(name, value string) {
	if value = oneLine(value); value != "" {
		v.line(name, escapeText(value))
	}
}

// list writes a structured value unless all its parts are empty.
func (v *vcard) list(name string, parts ...string) {
	empty := true
	for i, p := range parts {
		p = oneLine(p)
		empty = empty && p == ""
		parts[i] = escapeText(p)
	}
	if !empty {
		v.line(name, strings.Join(parts, ";"))
	}
}

// many writes values parted by commas unless there are none.
func (v *vcard) many(name string, values []string) {
	var list []string
	for _, s := range values {
		if s = oneLine(s); s != "" {
			list = append(list, escapeText(s))
		}
	}
	if len(list) > 0 {
		v.line(name, strings.Join(list, ","))
	}
}

func (v *vcard) address(name string, a postalAddress, office string) {
	v.list(name, "", office, a.Street, a.City, a.State, a.PostalCode, a.Country)
}
