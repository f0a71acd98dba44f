package outlook_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends/sim/outlook"
	"github.com/workfs/workfs/backends/sim/simtest"
)

func TestScale(t *testing.T) {
	const n = 20000
	f := start(t, n, outlook.Options{})
	page := f.alice.Get("/me/mailFolders/inbox/messages?$top=999&$count=true")
	items := page.Items()
	if len(items) != 999 || page.JSON["@odata.count"] != float64(n) {
		t.Fatalf("%d items, count %v", len(items), page.JSON["@odata.count"])
	}
	if newest := str(items[0], "receivedDateTime"); newest > "2026-11-20T12:00:00Z" || newest < "2026-11-20" {
		t.Errorf("the newest is of %s", newest)
	}
	oldest := f.alice.Get("/me/mailFolders/inbox/messages?$top=1&$orderby=receivedDateTime").Items()[0]
	if r := str(oldest, "receivedDateTime"); r > "2016-11-21" || r < "2016-11-20" {
		t.Errorf("the oldest is of %s", r)
	}
	attached := 0
	for _, m := range items {
		if m["hasAttachments"] == true {
			attached++
		}
	}
	if attached == 0 || attached > 50 {
		t.Errorf("%d of %d have attachments, want some, at most 5 %%", attached, len(items))
	}
	i := slices.IndexFunc(items, func(m map[string]any) bool { return m["hasAttachments"] == true })
	path := "/me/messages/" + str(items[i], "id")
	if got := f.alice.Get(path + "/attachments").Items(); len(got) == 0 || str(got[0], "contentBytes") == "" {
		t.Errorf("attachments %v", got)
	}
	if again := f.alice.Get(path).JSON; again["subject"] != items[i]["subject"] || again["bodyPreview"] != items[i]["bodyPreview"] {
		t.Error("a message says something else when it is read again")
	}
	if r := f.alice.Get(path + "/$value"); !strings.Contains(string(r.Body), str(items[i], "internetMessageId")) {
		t.Error("its MIME is of another message")
	}
	month := "receivedDateTime ge 2020-02-01T00:00:00Z and receivedDateTime lt 2020-03-01T00:00:00Z"
	got, last := f.alice.All("/me/mailFolders/inbox/messages?$top=100&$count=true&$orderby=receivedDateTime&$select=receivedDateTime&$filter=" + q(month))
	if last.JSON["@odata.count"] != float64(len(got)) || len(got) < 100 || len(got) > 250 {
		t.Errorf("February 2020 has %d messages, count %v", len(got), last.JSON["@odata.count"])
	}
	if !slices.IsSortedFunc(got, func(a, b map[string]any) int {
		return strings.Compare(str(a, "receivedDateTime"), str(b, "receivedDateTime"))
	}) {
		t.Error("not in order")
	}
	if _, items := f.round(inboxDelta+"?$select=id&$filter="+q("receivedDateTime ge 2016-01-01"), "Prefer", "odata.maxpagesize=1000"); len(items) < 5000 || len(items) > 5010 {
		t.Errorf("a filtered delta gives %d, want 5,000 and a few repeats", len(items))
	}
}

func TestDeterministic(t *testing.T) {
	var bodies []string
	for range 2 {
		f := start(t, 0, outlook.Options{})
		body := string(f.alice.Get("/me/messages?$top=1000").Body)
		bodies = append(bodies, strings.ReplaceAll(body, f.World.Hosts.Graph, ""))
	}
	if bodies[0] != bodies[1] {
		t.Error("two simulators of one seed differ")
	}
}

// BenchmarkStart builds the mailboxes with 100,000 messages in Alice's Inbox.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		h := simtest.New(b, 100000)
		if _, err := outlook.New(h.World, h.Graph, h.Company, outlook.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPage serves pages of 999 from the middle of 100,000 messages, HTTP and JSON included.
func BenchmarkPage(b *testing.B) {
	h := simtest.New(b, 100000)
	if _, err := outlook.New(h.World, h.Graph, h.Company, outlook.Options{}); err != nil {
		b.Fatal(err)
	}
	c := h.As(h.Company.Alice())
	for name, path := range map[string]string{
		"full":   "/me/mailFolders/inbox/messages?$top=999&$skip=50000",
		"ids":    "/me/mailFolders/inbox/messages?$top=999&$skip=50000&$select=id",
		"month":  "/me/mailFolders/inbox/messages?$top=10&$count=true&$select=id&$filter=" + q("receivedDateTime ge 2020-02-01 and receivedDateTime lt 2020-03-01"),
		"unread": "/me/mailFolders/inbox/messages?$top=10&$select=id&$filter=" + q("isRead eq false"),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if r := c.Do("GET", path, nil); r.Status != http.StatusOK {
					b.Fatal(r.Status)
				}
			}
		})
	}
}
