package churn

import (
	"context"
	"strconv"
	"strings"
)

type contactFolder struct {
	id, name string
	own      bool
}

type contact struct{ id, name string }

// contacts changes alice's contacts and their folders.
type contacts struct {
	*Churn
	base     string
	folders  list[contactFolder] // the first is the default one, with id ""
	contacts list[contact]
}

func newContacts(c *Churn) *area {
	k := &contacts{Churn: c, base: "/users/" + c.http.ready.Users[0].ID}
	return &area{load: k.load, ops: []operation{
		{"create contact", 8, k.create}, {"edit contact", 8, k.edit}, {"delete contact", 4, k.delete},
		{"create contact folder", 1, k.createFolder}, {"rename contact folder", 1, k.renameFolder}, {"delete contact folder", 1, k.deleteFolder},
	}}
}

func (k *contacts) load(ctx context.Context) error {
	items, err := k.all(ctx, asApp, k.base+"/contactFolders?$top=100", 100)
	if err != nil {
		return err
	}
	k.folders.add(&contactFolder{})
	for _, f := range items {
		k.folders.add(&contactFolder{id: text(f["id"]), name: text(f["displayName"])})
	}
	for _, f := range k.folders.all {
		found, err := k.all(ctx, asApp, k.contactsOf(f)+"?$top="+strconv.Itoa(known), known)
		if err != nil {
			return err
		}
		for _, one := range found {
			k.contacts.add(&contact{text(one["id"]), text(one["displayName"])})
		}
	}
	return nil
}

func (k *contacts) contactsOf(f *contactFolder) string {
	if f.id == "" {
		return k.base + "/contacts"
	}
	return k.base + "/contactFolders/" + f.id + "/contacts"
}

func (k *contacts) compose() object {
	p, q := k.words.Person(), k.words.Person()
	return object{"givenName": p.GivenName, "surname": q.Surname, "displayName": p.GivenName + " " + q.Surname, "jobTitle": q.JobTitle, "personalNotes": k.words.Sentence(),
		"emailAddresses": []object{{"name": p.GivenName, "address": strings.ToLower(p.GivenName) + strconv.Itoa(k.words.IntN(1000)) + "@example.com"}},
		"businessPhones": []string{q.BusinessPhone}}
}

func (k *contacts) create(ctx context.Context) (string, string, error) {
	f := k.folders.pick(k.words, nil)
	made, err := k.graph(ctx, asApp, "POST", k.contactsOf(f), k.compose())
	if gone(err) && f.own {
		k.folders.drop(f)
	}
	if err != nil {
		return "", "", err
	}
	one := k.contacts.add(&contact{text(made["id"]), text(made["displayName"])})
	return one.id, one.name, nil
}

func (k *contacts) change(ctx context.Context, method string, body any) (*contact, object, error) {
	one := k.contacts.pick(k.words, nil)
	if one == nil {
		return nil, nil, errNothing
	}
	answer, err := k.graph(ctx, asApp, method, k.base+"/contacts/"+one.id, body)
	if gone(err) {
		k.contacts.drop(one)
	}
	return one, answer, err
}

func (k *contacts) edit(ctx context.Context) (string, string, error) {
	body := k.compose()
	if k.words.Chance(50) {
		body = object{"mobilePhone": "+1 425 555 0" + strconv.Itoa(100+k.words.IntN(900)), "companyName": k.words.Project()}
	}
	one, made, err := k.change(ctx, "PATCH", body)
	if err != nil {
		return "", "", err
	}
	one.name = text(made["displayName"])
	return one.id, one.name, nil
}

func (k *contacts) delete(ctx context.Context) (string, string, error) {
	one, _, err := k.change(ctx, "DELETE", nil)
	if err != nil {
		return "", "", err
	}
	k.contacts.drop(one)
	return one.id, one.name, nil
}

func (k *contacts) folderName() string {
	return k.words.Project() + " " + k.number()
}

func (k *contacts) createFolder(ctx context.Context) (string, string, error) {
	made, err := k.graph(ctx, asApp, "POST", k.base+"/contactFolders", object{"displayName": k.folderName()})
	if err != nil {
		return "", "", err
	}
	f := k.folders.add(&contactFolder{id: text(made["id"]), name: text(made["displayName"]), own: true})
	return f.id, f.name, nil
}

func (k *contacts) changeFolder(ctx context.Context, method string, body any) (*contactFolder, error) {
	f := k.folders.pick(k.words, func(f *contactFolder) bool { return f.own })
	if f == nil {
		return nil, errNothing
	}
	_, err := k.graph(ctx, asApp, method, k.base+"/contactFolders/"+f.id, body)
	if gone(err) {
		k.folders.drop(f)
	}
	return f, err
}

func (k *contacts) renameFolder(ctx context.Context) (string, string, error) {
	name := k.folderName()
	f, err := k.changeFolder(ctx, "PATCH", object{"displayName": name})
	if err != nil {
		return "", "", err
	}
	f.name = name
	return f.id, name, nil
}

func (k *contacts) deleteFolder(ctx context.Context) (string, string, error) {
	f, err := k.changeFolder(ctx, "DELETE", nil)
	if err != nil {
		return "", "", err
	}
	k.folders.drop(f)
	return f.id, f.name, nil
}
