package outlook

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"

	"github.com/workfs/workfs/backends/sim/graph"
	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
	"github.com/workfs/workfs/backends/sim/outlook/query"
)

func (s *Store) contactRoutes(on func(graph.Perms, string, func(*call))) {
	read, write := perms("Contacts.Read"), perms("Contacts.ReadWrite")
	on(read, "GET {U}/contactFolders", s.listContactFolders)
	on(read, "GET {U}/contactFolders/delta", s.contactFolderDelta)
	on(write, "POST {U}/contactFolders", s.createContactFolder)
	on(read, "GET {U}/contactFolders/{contactFolder}", s.getContactFolder)
	on(write, "PATCH {U}/contactFolders/{contactFolder}", s.patchContactFolder)
	on(write, "DELETE {U}/contactFolders/{contactFolder}", s.deleteContactFolder)
	on(write, "POST {U}/contactFolders/{contactFolder}/permanentDelete", s.deleteContactFolder)
	on(read, "GET {U}/contactFolders/{contactFolder}/childFolders", s.listContactFolders)
	on(write, "POST {U}/contactFolders/{contactFolder}/childFolders", s.createContactFolder)
	for _, contacts := range []string{"{U}/contacts", "{U}/contactFolders/{contactFolder}/contacts"} {
		on(read, "GET "+contacts, s.listContacts)
		on(read, "GET "+contacts+"/delta", s.contactDelta)
		on(write, "POST "+contacts, s.createContact)
		on(read, "GET "+contacts+"/{contact}", s.getContact)
		on(write, "PATCH "+contacts+"/{contact}", s.patchContact)
		on(write, "DELETE "+contacts+"/{contact}", s.deleteContact)
		on(write, "POST "+contacts+"/{contact}/permanentDelete", s.deleteContact)
	}
}

// contactDefaults are the properties of a contact with the values of an empty one.
var contactDefaults = map[string]any{
	"displayName": "", "givenName": nil, "middleName": nil, "surname": nil, "nickName": nil, "title": nil, "generation": nil, "initials": nil,
	"fileAs": "", "emailAddresses": []any{}, "primaryEmailAddress": nil, "secondaryEmailAddress": nil, "tertiaryEmailAddress": nil,
	"businessPhones": []any{}, "homePhones": []any{}, "mobilePhone": nil, "imAddresses": []any{}, "companyName": nil, "department": nil,
	"jobTitle": nil, "officeLocation": nil, "profession": nil, "manager": nil, "assistantName": nil, "businessAddress": map[string]any{},
	"homeAddress": map[string]any{}, "otherAddress": map[string]any{}, "businessHomePage": nil, "birthday": nil, "spouseName": nil,
	"children": []any{}, "personalNotes": "", "yomiCompanyName": nil, "yomiGivenName": nil, "yomiSurname": nil, "categories": []string{},
}

var contactSchema = query.Schema{
	"displayName": query.String, "givenName": query.String, "surname": query.String, "companyName": query.String, "id": query.String,
	"createdDateTime": query.Time, "lastModifiedDateTime": query.Time, "fileAs": query.String, "categories": query.Strings,
	"jobTitle": query.String, "department": query.String,
}

func (v *view) contact(it *mailbox.Item) map[string]any {
	ck := changeKey(it.Key, it.Rev)
	all := maps.Clone(contactDefaults)
	maps.Copy(all, it.Props)
	all["createdDateTime"], all["lastModifiedDateTime"] = stamp(it.Created), stamp(it.Modified)
	all["changeKey"], all["parentFolderId"] = ck, v.id(it.Folder.Ref())
	out := map[string]any{"@odata.etag": etag(ck), "id": v.id(it.Ref(false))}
	for name, value := range all {
		if v.sel.Wants(name) {
			out[name] = value
		}
	}
	return out
}

func (v *view) contactFolder(f *mailbox.ContactFolder) map[string]any {
	out := map[string]any{"id": v.id(f.Ref())}
	parent := mailbox.Ref{Kind: mailbox.KindMailFolder, Key: v.c.mb.Root.Key}
	if f.Parent != nil {
		parent = f.Parent.Ref()
	}
	if v.sel.Wants("displayName") {
		out["displayName"] = f.Name
	}
	if v.sel.Wants("parentFolderId") {
		out["parentFolderId"] = v.id(parent)
	}
	return out
}

// lookContactFolder finds the folder of the path, the default one when it names none; else it answers. Needs RLock.
func (c *call) lookContactFolder() *mailbox.ContactFolder {
	if !c.owns() {
		c.AccessDenied()
		return nil
	}
	id := c.Param("contactFolder")
	if id == "" {
		return c.mb.Contacts
	}
	f := c.mb.ContactFolder(id)
	if f == nil {
		c.unknownID(id)
	}
	return f
}

// lookContact finds the contact of the path; else it answers. Needs RLock.
func (c *call) lookContact() *mailbox.Item {
	f := c.lookContactFolder()
	if f == nil {
		return nil
	}
	r, ok := c.mb.Ref(c.Param("contact"))
	if !ok {
		c.malformed()
		return nil
	}
	it := c.mb.Item(r)
	// {U}/contacts/{id} takes contacts of any folder.
	if it == nil || r.Kind != mailbox.KindContact || (c.Param("contactFolder") != "" && it.Folder != f) {
		c.itemNotFound()
		return nil
	}
	return it
}

// listContactFolders gives the folders below the default one for the root as well: the default one itself is not listed,
// as in Exchange, where it is the parent of the others.
func (s *Store) listContactFolders(c *call) {
	c.mb.RLock()
	defer c.mb.RUnlock()
	f := c.lookContactFolder()
	if f == nil {
		return
	}
	if v, ok := c.newView(); ok {
		page(c, f.Children, 10, 1000, func(f *mailbox.ContactFolder) any { return v.contactFolder(f) })
	}
}

func (s *Store) getContactFolder(c *call) {
	c.mb.RLock()
	defer c.mb.RUnlock()
	f := c.lookContactFolder()
	if f == nil {
		return
	}
	if v, ok := c.newView(); ok {
		c.one(http.StatusOK, "contactFolders/$entity", v.contactFolder(f))
	}
}

func (s *Store) listContacts(c *call) {
	c.mb.RLock()
	defer c.mb.RUnlock()
	f := c.lookContactFolder()
	if f == nil {
		return
	}
	v, ok := c.newView()
	if !ok {
		return
	}
	filter, keys, ok := c.options(contactSchema)
	if !ok {
		return
	}
	getter := func(it *mailbox.Item) query.Getter { return propGetter((&view{c: c}).contact(it)) }
	var found []*mailbox.Item
	for _, it := range f.Contacts {
		if filter == nil || filter.Match(getter(it)) {
			found = append(found, it)
		}
	}
	sortBy(found, keys, getter)
	page(c, found, 10, 1000, func(it *mailbox.Item) any { return v.contact(it) })
}

func (s *Store) getContact(c *call) {
	c.mb.RLock()
	defer c.mb.RUnlock()
	it := c.lookContact()
	if it == nil {
		return
	}
	if v, ok := c.newView(); ok {
		c.one(http.StatusOK, "contacts/$entity", v.contact(it))
	}
}

func (s *Store) contactDelta(c *call) {
	c.mb.RLock()
	defer c.mb.RUnlock()
	f := c.lookContactFolder()
	if f == nil {
		return
	}
	v, ok := c.newView()
	if !ok {
		return
	}
	wholeThenChanges(c, f.Contacts, func(it *mailbox.Item) map[string]any {
		out := v.contact(it)
		out["@odata.type"] = "#microsoft.graph.contact"
		return out
	}, tracked{kind: mailbox.KindContact, log: &f.Log, id: v.id, show: func(e mailbox.Entry) map[string]any {
		it := c.mb.Item(e.Ref)
		if it == nil {
			return nil
		}
		out := v.contact(it)
		out["@odata.type"] = "#microsoft.graph.contact"
		return out
	}})
}

func (s *Store) contactFolderDelta(c *call) {
	c.mb.RLock()
	defer c.mb.RUnlock()
	root := c.lookContactFolder()
	if root == nil {
		return
	}
	v, ok := c.newView()
	if !ok {
		return
	}
	byKey := map[uint64]*mailbox.ContactFolder{}
	var all []*mailbox.ContactFolder
	root.Walk(func(f *mailbox.ContactFolder) {
		all = append(all, f)
		byKey[f.Key] = f
	})
	wholeThenChanges(c, all, v.contactFolder, tracked{kind: mailbox.KindContactFolder, log: &c.mb.ContactLog, id: v.id,
		show: func(e mailbox.Entry) map[string]any {
			if f := byKey[e.Ref.Key]; f != nil {
				return v.contactFolder(f)
			}
			return nil
		}})
}

// applyContact writes the JSON of a client to a contact.
func applyContact(it *mailbox.Item, body map[string]json.RawMessage) error {
	for name, raw := range body {
		def, ok := contactDefaults[name]
		if !ok {
			continue
		}
		var value any
		if err := json.Unmarshal(raw, &value); err != nil {
			return err
		}
		valid := value == nil
		switch value := value.(type) {
		case string:
			_, isString := def.(string)
			valid = def == nil || isString
		case []any:
			_, isList := def.([]any)
			_, isStrings := def.([]string)
			valid = isList || isStrings
		case map[string]any:
			_, valid = def.(map[string]any)
			valid = valid || (def == nil && value["address"] != nil)
		}
		if !valid {
			return fmt.Errorf("the property '%s' has a value of the wrong type", name)
		}
		it.Props[name] = value
	}
	if text(it.Props["displayName"]) == "" {
		it.Props["displayName"] = joinNames(text(it.Props["givenName"]), text(it.Props["surname"]))
	}
	if text(it.Props["fileAs"]) == "" {
		it.Props["fileAs"] = it.Props["displayName"]
	}
	return nil
}

func joinNames(given, surname string) string {
	if given == "" || surname == "" {
		return given + surname
	}
	return given + " " + surname
}

func (s *Store) createContact(c *call) {
	var body map[string]json.RawMessage
	if !c.ReadJSON(&body) {
		return
	}
	c.mb.RLock()
	f := c.lookContactFolder()
	c.mb.RUnlock()
	if f == nil {
		return
	}
	it := &mailbox.Item{Folder: f, Props: map[string]any{}}
	if c.refused(applyContact(it, body)) {
		return
	}
	if c.refused(c.mb.AddItem(it, false)) {
		return
	}
	c.showContact(http.StatusCreated, it)
}

func (c *call) showContact(status int, it *mailbox.Item) {
	c.mb.RLock()
	defer c.mb.RUnlock()
	c.one(status, "contacts/$entity", (&view{c: c, immutable: c.Prefer.ImmutableID}).contact(it))
}

func (s *Store) patchContact(c *call) {
	var body map[string]json.RawMessage
	if !c.ReadJSON(&body) {
		return
	}
	c.mb.RLock()
	it := c.lookContact()
	tag := ""
	if it != nil {
		tag = etag(changeKey(it.Key, it.Rev))
	}
	c.mb.RUnlock()
	if it == nil || !c.matches(tag) {
		return
	}
	it, err := c.mb.UpdateItem(it.Ref(false), func(it *mailbox.Item) error { return applyContact(it, body) })
	if !c.refused(err) {
		c.showContact(http.StatusOK, it)
	}
}

func (s *Store) deleteContact(c *call) {
	c.mb.RLock()
	it := c.lookContact()
	c.mb.RUnlock()
	if it != nil && !c.refused(c.mb.DeleteItem(it.Ref(false))) {
		c.Empty(http.StatusNoContent)
	}
}

func (s *Store) createContactFolder(c *call) {
	var body folderBody
	if !c.ReadJSON(&body) {
		return
	}
	c.mb.RLock()
	parent := c.lookContactFolder()
	c.mb.RUnlock()
	if parent == nil {
		return
	}
	if body.DisplayName == nil || *body.DisplayName == "" {
		c.Error(http.StatusBadRequest, "ErrorInvalidRequest", "The folder's displayName is missing.")
		return
	}
	f, err := c.mb.AddContactFolder(parent, *body.DisplayName, false)
	if !c.refused(err) {
		c.showContactFolder(http.StatusCreated, f)
	}
}

func (c *call) showContactFolder(status int, f *mailbox.ContactFolder) {
	c.mb.RLock()
	defer c.mb.RUnlock()
	c.one(status, "contactFolders/$entity", (&view{c: c}).contactFolder(f))
}

func (s *Store) patchContactFolder(c *call) {
	var body folderBody
	if !c.ReadJSON(&body) {
		return
	}
	c.mb.RLock()
	f := c.lookContactFolder()
	c.mb.RUnlock()
	switch {
	case f == nil:
	case body.DisplayName == nil || *body.DisplayName == "":
		c.Error(http.StatusBadRequest, "ErrorInvalidRequest", "The folder's displayName is missing.")
	case !c.refused(c.mb.RenameContactFolder(f, *body.DisplayName)):
		c.showContactFolder(http.StatusOK, f)
	}
}

// deleteContactFolder serves DELETE and permanentDelete.
func (s *Store) deleteContactFolder(c *call) {
	c.mb.RLock()
	f := c.lookContactFolder()
	c.mb.RUnlock()
	if f != nil && !c.refused(c.mb.DeleteContactFolder(f)) {
		c.Empty(http.StatusNoContent)
	}
}
