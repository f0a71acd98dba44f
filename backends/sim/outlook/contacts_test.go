package outlook_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/workfs/workfs/backends/sim/outlook"
)

func TestContacts(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	all, _ := f.alice.All("/me/contacts")
	if n := len(f.alice.Get("/me/contacts").Items()); n != 10 || len(all) < 18 {
		t.Errorf("a default page of %d of %d", n, len(all))
	}
	for _, want := range []string{"Bob Jones", "王小明", "ليلى حسن", "../../etc/passwd", "two\r\nEND:VCARD\r\nlines"} {
		if !slices.Contains(names(all), want) {
			t.Errorf("no contact %q", want)
		}
	}
	bob, _ := f.alice.All("/me/contacts?$filter=" + q("surname eq 'Jones'"))
	if len(bob) != 1 || bob[0]["emailAddresses"].([]any)[0].(map[string]any)["address"] != "bob@contoso.com" {
		t.Errorf("Bob is %v", bob)
	}
	folders := f.alice.Get("/me/contactFolders").Items()
	if got := names(folders); !slices.Equal(got, []string{"Suppliers", "Empty"}) {
		t.Errorf("folders %q", got)
	}
	nested := f.alice.Get("/me/contactFolders/" + str(folders[0], "id") + "/childFolders").Items()
	if got := names(nested); !slices.Equal(got, []string{"EU / UK"}) {
		t.Errorf("nested %q", got)
	}
	if got := f.alice.Get("/me/contactFolders/" + str(nested[0], "id") + "/contacts").Items(); len(got) != 1 || got[0]["parentFolderId"] != nested[0]["id"] {
		t.Errorf("nested contacts %v", got)
	}
	if r := f.alice.Get("/me/contactFolders/" + str(all[0], "parentFolderId")); r.JSON["displayName"] != "Contacts" {
		t.Errorf("the default folder is %v", r.JSON)
	}
}

func TestContactDelta(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	f.Set("outlook.delta_replays", false)
	folder := str(f.alice.Get("/me/contacts?$top=1").Items()[0], "parentFolderId")
	path := "/me/contactFolders/" + folder + "/contacts"
	link, items := f.round(path + "/delta?$select=displayName")
	all, _ := f.alice.All(path)
	if !slices.Equal(sorted(ids(items)), sorted(ids(all))) || items[0]["emailAddresses"] != nil {
		t.Errorf("delta gives %d contacts, list %d", len(items), len(all))
	}
	made := f.alice.Do("POST", path, map[string]any{"givenName": "Ada", "surname": "Lovelace", "emailAddresses": []any{map[string]any{"address": "ada@example.com"}}})
	if made.Status != http.StatusCreated || made.JSON["displayName"] != "Ada Lovelace" {
		t.Fatalf("create: %d %s", made.Status, made.Body)
	}
	id := str(made.JSON, "id")
	link, items = f.round(link)
	if len(items) != 1 || items[0]["displayName"] != "Ada Lovelace" {
		t.Errorf("created: %v", items)
	}
	if r := f.alice.Do("PATCH", "/me/contacts/"+id, map[string]any{"displayName": "Countess", "jobTitle": nil}); r.JSON["displayName"] != "Countess" || r.JSON["@odata.etag"] == made.JSON["@odata.etag"] {
		t.Errorf("patched: %s", r.Body)
	}
	f.alice.Do("DELETE", "/me/contacts/"+id, nil)
	if _, items = f.round(link); len(items) != 1 || items[0]["@removed"] == nil || items[0]["id"] != id {
		t.Errorf("deleted: %v", items)
	}
	if r := f.alice.Do("POST", path, map[string]any{"displayName": []string{"x"}}); r.Status != http.StatusBadRequest {
		t.Errorf("a name that is a list: %d", r.Status)
	}

	folders, items := f.round("/me/contactFolders/delta")
	if len(items) != 4 {
		t.Errorf("folder delta: %q", names(items))
	}
	made = f.alice.Do("POST", "/me/contactFolders", map[string]any{"displayName": "Made"})
	f.alice.Do("PATCH", "/me/contactFolders/"+str(made.JSON, "id"), map[string]any{"displayName": "Renamed"})
	folders, items = f.round(folders)
	if got := names(items); !slices.Equal(got, []string{"Renamed"}) {
		t.Errorf("folder changes: %q", got)
	}
	f.alice.Do("DELETE", "/me/contactFolders/"+str(made.JSON, "id"), nil)
	if _, items = f.round(folders); len(items) != 1 || items[0]["@removed"] == nil {
		t.Errorf("a deleted folder: %v", items)
	}
}
