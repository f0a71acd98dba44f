package outlook_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends/sim/outlook"
)

func TestMessagePaging(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	all, _ := f.alice.All("/me/mailFolders/inbox/messages?$top=1000")
	if len(all) < 150 {
		t.Fatalf("only %d messages in the Inbox", len(all))
	}
	if n := len(f.alice.Get("/me/mailFolders/inbox/messages").Items()); n != 10 {
		t.Errorf("a default page of %d", n)
	}
	for i := 1; i < len(all); i++ {
		if str(all[i-1], "receivedDateTime") < str(all[i], "receivedDateTime") {
			t.Fatalf("not newest first at %d", i)
		}
	}
	paged, _ := f.alice.All("/me/mailFolders/inbox/messages?$top=7&$select=id")
	if !slices.Equal(ids(paged), ids(all)) {
		t.Errorf("pages of 7 give %d messages, want the same %d", len(paged), len(all))
	}
	f.Set("graph.awkward_pages", true)
	paged, _ = f.alice.All("/me/mailFolders/inbox/messages?$top=10&$select=id")
	if !slices.Equal(ids(paged), ids(all)) {
		t.Errorf("short and empty pages give %d messages, want the same %d", len(paged), len(all))
	}
	f.Set("graph.awkward_pages", false)
	page := f.alice.Get("/me/mailFolders/inbox/messages?$count=true&$select=id", "Prefer", "odata.maxpagesize=25")
	if len(page.Items()) != 25 || page.JSON["@odata.count"] != float64(len(all)) || page.Header.Get("Preference-Applied") != "odata.maxpagesize=25" {
		t.Errorf("maxpagesize: %d items, count %v, %q", len(page.Items()), page.JSON["@odata.count"], page.Header.Get("Preference-Applied"))
	}
	link := page.Link("@odata.nextLink")
	if !strings.Contains(link, "$skip=25") || !strings.Contains(link, "/me/mailfolders('inbox')/messages?") {
		t.Errorf("nextLink %q", link)
	}
	if r := f.alice.Do("GET", strings.Replace(link, "$skip=25", "$skip=50", 1), nil); r.Status != http.StatusBadRequest {
		t.Errorf("an altered link: %d", r.Status)
	}
	skipped := f.alice.Get("/me/mailFolders/inbox/messages?$skip=3&$top=2&$select=id").Items()
	if !slices.Equal(ids(skipped), ids(all[3:5])) {
		t.Error("$skip=3&$top=2 gave others")
	}
	whole, _ := f.alice.All("/me/messages?$top=1000&$select=id,parentFolderId")
	if len(whole) < 500 {
		t.Errorf("the mailbox has %d messages", len(whole))
	}
	if r := f.alice.Get("/me/mailFolders/inbox/messages/$count"); string(r.Body) != fmt.Sprint(len(all)) {
		t.Errorf("$count gave %s, want %d", r.Body, len(all))
	}
}

func TestMessageFilters(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	all, _ := f.alice.All("/me/mailFolders/inbox/messages?$top=1000")
	want := func(filter string, match func(map[string]any) bool) {
		t.Helper()
		var expected []string
		for _, m := range all {
			if match(m) {
				expected = append(expected, str(m, "id"))
			}
		}
		got, last := f.alice.All("/me/mailFolders/inbox/messages?$top=20&$count=true&$filter=" + q(filter))
		if !slices.Equal(ids(got), expected) || len(expected) == 0 || len(expected) == len(all) {
			t.Errorf("%s: %d messages, want %d of %d", filter, len(got), len(expected), len(all))
		}
		if last.JSON["@odata.count"] != float64(len(expected)) {
			t.Errorf("%s: count %v, want %d", filter, last.JSON["@odata.count"], len(expected))
		}
	}
	received := func(m map[string]any) string { return str(m, "receivedDateTime") }
	want("receivedDateTime ge 2026-10-01T00:00:00Z and receivedDateTime lt 2026-11-01T00:00:00Z", func(m map[string]any) bool {
		return received(m) >= "2026-10-01" && received(m) < "2026-11-01"
	})
	middle := received(all[10])
	want("receivedDateTime gt "+middle, func(m map[string]any) bool { return received(m) > middle })
	want("receivedDateTime le "+middle, func(m map[string]any) bool { return received(m) <= middle })
	want("receivedDateTime eq "+middle, func(m map[string]any) bool { return received(m) == middle })
	want("sentDateTime lt 2026-01-01T00:00:00Z", func(m map[string]any) bool { return str(m, "sentDateTime") < "2026-01-01" })
	want("lastModifiedDateTime ge 2026-01-01T00:00:00Z", func(m map[string]any) bool { return str(m, "lastModifiedDateTime") >= "2026-01-01" })
	want("isRead eq false", func(m map[string]any) bool { return m["isRead"] == false })
	want("not(isRead eq false)", func(m map[string]any) bool { return m["isRead"] == true })
	want("hasAttachments eq true and receivedDateTime ge 2026-01-01", func(m map[string]any) bool {
		return m["hasAttachments"] == true && received(m) >= "2026-01-01"
	})
	want("internetMessageId eq '"+str(all[5], "internetMessageId")+"'", func(m map[string]any) bool { return m["internetMessageId"] == all[5]["internetMessageId"] })
	want("conversationId eq '"+str(all[20], "conversationId")+"'", func(m map[string]any) bool { return m["conversationId"] == all[20]["conversationId"] })
	want("contains(subject,'report') or startswith(subject,'re:')", func(m map[string]any) bool {
		s := strings.ToLower(str(m, "subject"))
		return strings.Contains(s, "report") || strings.HasPrefix(s, "re:")
	})
	want("from/emailAddress/address eq 'bob@contoso.com'", func(m map[string]any) bool {
		from, _ := m["from"].(map[string]any)
		address, _ := from["emailAddress"].(map[string]any)
		return address["address"] == "bob@contoso.com"
	})

	ascending, _ := f.alice.All("/me/mailFolders/inbox/messages?$top=50&$orderby=receivedDateTime&$filter=" + q("receivedDateTime ge 2026-06-01"))
	if len(ascending) < 10 || !slices.IsSortedFunc(ascending, func(a, b map[string]any) int { return strings.Compare(received(a), received(b)) }) {
		t.Error("$orderby=receivedDateTime is not ascending")
	}
	bySubject, _ := f.alice.All("/me/mailFolders/inbox/messages?$top=1000&$orderby=subject%20desc&$select=subject")
	if len(bySubject) != len(all) || !slices.IsSortedFunc(bySubject, func(a, b map[string]any) int {
		return strings.Compare(strings.ToLower(str(b, "subject")), strings.ToLower(str(a, "subject")))
	}) {
		t.Error("$orderby=subject desc is not in order")
	}
}

func TestMessageQueryErrors(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	for options, code := range map[string]string{
		"$filter=" + q("isRead eq false") + "&$orderby=receivedDateTime":                                    "InefficientFilter",
		"$filter=" + q("isRead eq false and receivedDateTime ge 2026-01-01") + "&$orderby=receivedDateTime": "InefficientFilter",
		"$filter=" + q("nonsense eq 1"):           "RequestBroker--ParseUri",
		"$filter=" + q("receivedDateTime ge 'x'"): "RequestBroker--ParseUri",
		"$top=0": "BadRequest",
		"$expand=" + q("singleValueExtendedProperties"): "RequestBroker--ParseUri",
	} {
		if r := f.alice.Do("GET", "/me/messages?"+options, nil); r.Status != http.StatusBadRequest || r.Code() != code {
			t.Errorf("%s: %d %s, want 400 %s", options, r.Status, r.Body, code)
		}
	}
	if r := f.alice.Get("/me/messages?$top=5000&$select=nosuchproperty"); len(r.Items()) < 500 || len(r.Items()) > 1000 {
		t.Errorf("$top=5000 gave %d messages, want at most 1000", len(r.Items()))
	}
}

func TestSearch(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	items, _ := f.alice.All("/me/messages?$top=100&$search=" + q(`"subject:numbers from:bob"`))
	found := false
	for _, m := range items {
		if !strings.Contains(strings.ToLower(str(m, "subject")), "numbers") {
			t.Errorf("found %v", m["subject"])
		}
		found = found || m["subject"] == "Q4 numbers"
	}
	if !found {
		t.Errorf("%d found, without the one that was looked for", len(items))
	}
	if r := f.alice.Do("GET", "/me/messages?$search=x&$orderby=subject", nil); r.Status != http.StatusBadRequest {
		t.Errorf("$search with $orderby: %d", r.Status)
	}
}

func TestMessageProperties(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	m := f.message("inbox", "Q4 numbers")
	if m["receivedDateTime"] != "2026-11-20T09:12:33Z" || m["hasAttachments"] != true || m["isDraft"] != false || m["@odata.type"] != nil {
		t.Errorf("message %v", m)
	}
	for _, name := range []string{"uniqueBody", "internetMessageHeaders", "singleValueExtendedProperties", "attachments", "size"} {
		if _, ok := m[name]; ok {
			t.Errorf("%s is there without being asked for", name)
		}
	}
	path := "/me/messages/" + str(m, "id")
	headers := f.alice.Get(path + "?$select=internetMessageHeaders,uniqueBody").JSON
	if list, _ := headers["internetMessageHeaders"].([]any); len(list) < 5 || headers["uniqueBody"] == nil || headers["subject"] != nil {
		t.Errorf("selected: %v", headers)
	}
	extended := f.alice.Get(path + "?$select=id&$expand=" + q("singleValueExtendedProperties($filter=id eq 'Integer 0x0E08' or id eq 'String 0x007D' or id eq 'Integer 0x0E07')")).JSON
	values := map[string]string{}
	for _, p := range extended["singleValueExtendedProperties"].([]any) {
		values[str(p.(map[string]any), "id")] = str(p.(map[string]any), "value")
	}
	if len(values["Integer 0xe08"]) < 4 || !strings.HasPrefix(values["String 0x7d"], "Received: from ") || !slices.Contains([]string{"16", "17"}, values["Integer 0xe07"]) {
		t.Errorf("extended properties %q", values)
	}
	text := f.alice.Get(path, "Prefer", `outlook.body-content-type="text"`)
	body := text.JSON["body"].(map[string]any)
	if body["contentType"] != "text" || strings.Contains(str(body, "content"), "<p>") || text.Header.Get("Preference-Applied") != `outlook.body-content-type="text"` {
		t.Errorf("as text: %v, applied %q", body, text.Header.Get("Preference-Applied"))
	}
	if preview := str(m, "bodyPreview"); preview == "" || !strings.HasPrefix(str(body, "content"), preview) || len([]rune(preview)) > 255 {
		t.Errorf("preview %q", preview)
	}
}

func TestAwkwardMessages(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	odd := f.folder("Odds & ends")
	all, _ := f.alice.All("/me/mailFolders/" + odd + "/messages?$top=200&$select=subject,from,toRecipients,receivedDateTime,body,sentDateTime")
	inbox, _ := f.alice.All("/me/mailFolders/inbox/messages?$top=500&$select=subject,body")
	var subjects []string
	for _, m := range append(slices.Clone(all), inbox...) {
		subjects = append(subjects, str(m, "subject"))
	}
	for _, want := range []string{"", "../../etc/passwd", "injected\r\nBcc: evil@example.com\r\n\r\nbody", "bidi \u202Egpj.exe\u202C and \u2066isolate\u2069", strings.Repeat("long ", 60)} {
		if !slices.Contains(subjects, want) {
			t.Errorf("no subject %q", want)
		}
	}
	nameOnly, x500, dates := 0, 0, map[string]bool{}
	for _, m := range all {
		from, _ := m["from"].(map[string]any)
		address, _ := from["emailAddress"].(map[string]any)
		if address["name"] != nil && address["address"] == nil {
			nameOnly++
		}
		if strings.HasPrefix(str(address, "address"), "/O=EXCHANGELABS/") {
			x500++
		}
		dates[str(m, "receivedDateTime")[:4]] = true
	}
	if nameOnly == 0 || x500 == 0 || !dates["0001"] || !dates["2099"] || !dates["1969"] {
		t.Errorf("%d senders without address, %d X.500 ones, years %v", nameOnly, x500, dates)
	}
	drafts, _ := f.alice.All("/me/mailFolders/drafts/messages")
	without := 0
	for _, m := range drafts {
		if m["from"] == nil && m["sentDateTime"] == nil && m["isDraft"] == true {
			without++
		}
	}
	if without < 2 {
		t.Errorf("%d drafts without from and sentDateTime", without)
	}
	types := map[string]int{}
	meetings, _ := f.alice.All("/me/messages?$top=1000&$filter=" + q("contains(subject,'Budget round')"))
	for _, m := range meetings {
		types[str(m, "@odata.type")+" "+str(m, "meetingMessageType")]++
	}
	for _, want := range []string{"#microsoft.graph.eventMessageRequest meetingRequest", "#microsoft.graph.eventMessageResponse meetingTenativelyAccepted", "#microsoft.graph.eventMessage meetingCancelled"} {
		if types[want] != 1 {
			t.Errorf("meeting messages %v, want %s", types, want)
		}
	}
}

func TestUnsafeHTML(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	search := "/me/mailFolders/" + f.folder("Odds & ends") + "/messages?$top=200&$select=body"
	scripts := func(headers ...string) (n int) {
		items, _ := f.alice.All(search, headers...)
		for _, m := range items {
			content := str(m["body"].(map[string]any), "content")
			if strings.Contains(content, "<script") || strings.Contains(content, "onclick") || strings.Contains(content, "javascript:") {
				n++
			}
		}
		return n
	}
	if n := scripts(); n != 0 {
		t.Errorf("%d scripted bodies", n)
	}
	if n := scripts("Prefer", "outlook.allow-unsafe-html"); n != 1 {
		t.Errorf("with unsafe HTML allowed: %d scripted bodies, want 1", n)
	}
}

func TestIDs(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	list := "/me/mailFolders/inbox/messages?$top=500&$select=id,parentFolderId"
	normal, _ := f.alice.All(list)
	stable, _ := f.alice.All(list, "Prefer", immutable)
	folded := map[string]int{}
	twins := 0
	for i := range normal {
		if normal[i]["id"] == stable[i]["id"] {
			t.Fatal("both kinds of id are the same")
		}
		if normal[i]["parentFolderId"] != stable[i]["parentFolderId"] {
			t.Fatal("folder ids must not depend on the header")
		}
		key := strings.ToLower(str(normal[i], "id"))
		if folded[key]++; folded[key] > 1 {
			twins++
		}
	}
	if twins == 0 {
		t.Error("no two ids differ only by letter case")
	}
	was, immutableID := str(normal[0], "id"), str(stable[0], "id")
	both := []string{was, immutableID}
	for _, id := range both {
		if r := f.alice.Get("/me/messages/"+id, "Prefer", immutable); r.JSON["id"] != immutableID {
			t.Errorf("%s with the header gives %v", id, r.JSON["id"])
		}
		if r := f.alice.Get("/me/messages/" + id); r.JSON["id"] != was {
			t.Errorf("%s without the header gives %v", id, r.JSON["id"])
		}
	}
	translated := f.alice.Do("POST", "/me/translateExchangeIds", map[string]any{"inputIds": []string{was}, "sourceIdType": "restId", "targetIdType": "restImmutableEntryId"})
	if items := translated.Items(); len(items) != 1 || items[0]["targetId"] != immutableID {
		t.Errorf("translated: %s", translated.Body)
	}
	archive := str(f.alice.Get("/me/mailFolders/archive").JSON, "id")
	moved := f.alice.Do("POST", "/me/messages/"+was+"/move", map[string]any{"destinationId": "archive"})
	if moved.Status != http.StatusCreated || moved.JSON["id"] == was || moved.JSON["parentFolderId"] != archive {
		t.Fatalf("moved: %d %s", moved.Status, moved.Body)
	}
	if r := f.alice.Do("GET", "/me/messages/"+was, nil); r.Status != http.StatusNotFound || r.Code() != "ErrorItemNotFound" {
		t.Errorf("the old default id: %d %s", r.Status, r.Body)
	}
	if r := f.alice.Get("/me/messages/"+immutableID, "Prefer", immutable); r.JSON["id"] != immutableID || r.JSON["parentFolderId"] != archive {
		t.Errorf("the immutable id after the move: %s", r.Body)
	}
	if r := f.alice.Do("GET", "/me/messages/"+strings.ToLower(immutableID), nil); r.Status == http.StatusOK {
		t.Error("ids must be case-sensitive")
	}
}
