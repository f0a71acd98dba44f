package outlook_test

import (
	"net/http"
	"testing"

	"github.com/workfs/workfs/backends/sim/outlook"
)

func TestMailboxErrors(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	app := f.App()
	codes := map[string]bool{}
	for _, guest := range f.Company.Guests {
		r := app.Do("GET", "/users/"+guest.ID+"/mailFolders", nil)
		if r.Status != http.StatusNotFound {
			t.Errorf("a guest's mailbox: %d %s", r.Status, r.Body)
		}
		codes[r.Code()] = true
	}
	if !codes["MailboxNotEnabledForRESTAPI"] || !codes["ResourceNotFound"] {
		t.Errorf("guests have no mailbox in both ways, got %v", codes)
	}
	for _, user := range []string{"bob@contoso.com", "invoices@contoso.com", "room-fuji@contoso.com"} {
		if r := app.Do("GET", "/users/"+user+"/mailFolders", nil); r.Status != http.StatusOK {
			t.Errorf("%s: %d %s", user, r.Status, r.Body)
		}
	}
	f.Set("outlook.no_odata", "bob@contoso.com, carol@contoso.com")
	if r := app.Do("GET", "/users/bob@contoso.com/messages", nil); r.Status != http.StatusForbidden || r.Code() != "ErrorAccessDenied" ||
		r.JSON["error"].(map[string]any)["message"] != "Access to OData is disabled." {
		t.Errorf("behind an access policy: %d %s", r.Status, r.Body)
	}
	if r := app.Do("GET", "/users/alice@contoso.com/messages", nil); r.Status != http.StatusOK {
		t.Errorf("others go on working, got %d", r.Status)
	}
	if r := app.Do("GET", "/me/messages", nil); r.Status != http.StatusBadRequest {
		t.Errorf("/me of an application: %d", r.Status)
	}
}

func TestSharedMailboxes(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	bob := "/users/bob@contoso.com"
	for path, want := range map[string]int{
		"/users/invoices@contoso.com/mailFolders":               http.StatusOK,
		"/users/invoices@contoso.com/messages":                  http.StatusOK,
		"/users/invoices@contoso.com/mailFolders/inbox":         http.StatusOK,
		"/users/support@contoso.com/mailFolders":                http.StatusForbidden,
		"/users/support@contoso.com/mailFolders/inbox":          http.StatusForbidden,
		"/users/carol@contoso.com/messages":                     http.StatusForbidden,
		bob + "/mailFolders('Inbox')/messages":                  http.StatusOK,
		bob + "/mailFolders/inbox/messages/delta":               http.StatusOK,
		bob + "/mailFolders/sentitems/messages":                 http.StatusForbidden,
		bob + "/mailFolders":                                    http.StatusForbidden,
		bob + "/messages":                                       http.StatusForbidden,
		bob + "/events":                                         http.StatusOK,
		"/users/carol@contoso.com/events":                       http.StatusForbidden,
		"/users/alice@contoso.com/mailFolders/inbox/messages":   http.StatusOK,
		"/users/" + f.Company.Alice().ID + "/mailFolders/inbox": http.StatusOK,
	} {
		if r := f.alice.Do("GET", path, nil); r.Status != want {
			t.Errorf("%s: %d %s, want %d", path, r.Status, r.Body, want)
		}
	}
	message := f.alice.Get(bob + "/mailFolders/inbox/messages").Items()[0]
	if r := f.alice.Do("GET", bob+"/messages/"+str(message, "id")+"/$value", nil); r.Status != http.StatusOK {
		t.Errorf("MIME of a message in a shared folder: %d %s", r.Status, r.Body)
	}
	without := f.As(f.Company.Alice(), "Mail.Read")
	if r := without.Do("GET", bob+"/mailFolders/inbox/messages", nil); r.Status != http.StatusForbidden {
		t.Errorf("without Mail.Read.Shared: %d", r.Status)
	}
}

func TestReadBasic(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	basic := f.As(f.Company.Alice(), "Mail.ReadBasic")
	m := basic.Get("/me/messages?$top=1").Items()[0]
	if m["subject"] == nil || m["body"] != nil || m["bodyPreview"] != nil {
		t.Errorf("with Mail.ReadBasic: %v", m)
	}
	for _, path := range []string{"/$value", "/attachments", "?$expand=attachments"} {
		if r := basic.Do("GET", "/me/messages/"+str(m, "id")+path, nil); r.Status != http.StatusForbidden {
			t.Errorf("%s with Mail.ReadBasic: %d", path, r.Status)
		}
	}
	if r := basic.Do("PATCH", "/me/messages/"+str(m, "id"), map[string]any{"isRead": true}); r.Status != http.StatusForbidden {
		t.Errorf("a write: %d", r.Status)
	}
}

func TestMailboxSettings(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	app := f.App()
	for user, purpose := range map[string]string{"alice@contoso.com": "user", "invoices@contoso.com": "shared", "room-fuji@contoso.com": "room"} {
		r := app.Get("/users/" + user + "/mailboxSettings")
		if r.JSON["userPurpose"] != purpose {
			t.Errorf("%s is %v, want %s", user, r.JSON["userPurpose"], purpose)
		}
	}
	r := f.alice.Get("/me/mailboxSettings").JSON
	if r["timeZone"] != "Pacific Standard Time" || r["archiveFolder"] != f.alice.Get("/me/mailFolders/archive").JSON["id"] {
		t.Errorf("settings %v", r)
	}
	if r := f.alice.Get("/me/mailboxSettings/userPurpose").JSON; r["value"] != "user" {
		t.Errorf("one setting: %v", r)
	}
	if r := f.alice.Do("GET", "/me/mailboxSettings/nosuch", nil); r.Status != http.StatusBadRequest {
		t.Errorf("no such setting: %d", r.Status)
	}
}
