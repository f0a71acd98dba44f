package outlook

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/sim/core"
	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
)

func fileAttachment(name, contentID, body string) *mailbox.Attachment {
	return &mailbox.Attachment{
		Type: mailbox.FileAttachment, Name: name, ContentType: "application/octet-stream", ContentID: contentID,
		Inline: contentID != "", Data: func() []byte { return []byte(body) }, Length: len(body), Modified: today.Add(-time.Hour),
	}
}

// put adds one message to alice's inbox and gives its id.
func (c *cloud) put(content *mailbox.Content) (id string, ref mailbox.Ref) {
	box := c.alice()
	msg := c.add(box.Folder("inbox"), message(today.Add(-time.Hour), content))
	return box.ID(msg.Ref(true)), msg.Ref(true)
}

func TestAttachments(t *testing.T) {
	c := newCloud(t, -1)
	content := say("Parts", `<p>See <img src="cid:logo"> and <a href="https://contoso.sharepoint.com/x/Plan.docx?d=1">Plan.docx</a></p>`)
	content.Attachments = []*mailbox.Attachment{
		fileAttachment("budget.xlsx", "", "numbers"),
		fileAttachment("budget.xlsx", "", "other numbers"),
		fileAttachment("../../etc/passwd", "", "hostile"),
		fileAttachment("logo.png", "logo", "png"),
		{Type: mailbox.ItemAttachment, Name: "Re: lunch?", Message: say("Re: lunch?", "<p>yes</p>"), Sent: today, Modified: today},
		{Type: mailbox.ItemAttachment, Name: "Kick-off", Event: map[string]any{"subject": "Kick-off"}, Sent: today, Modified: today},
		{Type: mailbox.ItemAttachment, Name: "Bob Jones", Contact: map[string]any{"displayName": "Bob Jones"}, Modified: today},
		{Type: mailbox.ReferenceAttachment, Name: "Plan.docx", Modified: today},
	}
	c.put(content)
	inline := say("Only inline", `<img src="cid:pic">`)
	inline.Attachments = []*mailbox.Attachment{fileAttachment("pic.png", "pic", "picture")}
	_, inlineRef := c.put(inline)
	c.put(say("None", "plain"))

	m := c.mount(sign{formats: []string{"md", "eml"}})
	const here = inbox + "/2026-11"
	stems := map[string]string{}
	for name, e := range m.list(here) {
		if e.Name.Ext == ".attachments" {
			stems[strings.Split(name, "_")[3]] = name
			if e.Mtime.IsZero() || !e.Mtime.Equal(e.Ctime) {
				t.Errorf("%s has the times %s and %s", name, e.Mtime, e.Ctime)
			}
			md := m.read(here + "/" + strings.TrimSuffix(name, ".attachments") + ".md")
			if !strings.Contains(md, name) {
				t.Errorf("the text does not name %s:\n%s", name, md)
			}
		}
	}
	if len(stems) != 2 {
		t.Fatalf("directories of attachments: %q", stems)
	}
	var dir string
	for word, name := range stems {
		if strings.HasPrefix(word, "Parts~") {
			dir = here + "/" + name
		}
	}
	m.exactly(1, "ls of attachments", func() { m.list(dir) })
	got := m.names(dir)
	if len(got) != 8 {
		t.Fatalf("attachments are %q", got)
	}
	want := map[string]string{"logo.png": "png"}
	twins := 0
	for _, name := range got {
		if strings.ContainsAny(name, "/\x00") || name == ".." {
			t.Errorf("unusable name %q", name)
		}
		if strings.HasPrefix(name, "budget~") && strings.HasSuffix(name, ".xlsx") {
			twins++
		}
		if strings.Contains(name, "passwd") {
			want[name] = "hostile"
		}
	}
	if twins != 2 {
		t.Errorf("twins are not told apart: %q", got)
	}
	for name, body := range want {
		m.exactly(1, "an attachment", func() {
			if have := m.read(dir + "/" + name); have != body {
				t.Errorf("%s reads %q, want %q", name, have, body)
			}
		})
	}
	m.exactly(1, "the link", func() {
		if have := m.read(dir + "/Plan.docx.url"); !strings.Contains(have, "URL=https://contoso.sharepoint.com/x/Plan.docx?d=1\r\n") {
			t.Errorf("link reads %q", have)
		}
	})
	if have := m.read(dir + "/Re: lunch?.eml"); !strings.Contains(have, "\r\nSubject: Re: lunch?") {
		t.Errorf("attached message reads %q", have)
	}

	for name, begin := range map[string]string{"Kick-off.ics": "BEGIN:VCALENDAR", "Bob Jones.vcf": "BEGIN:VCARD"} {
		if have := m.read(dir + "/" + name); !strings.HasPrefix(have, begin) {
			t.Errorf("%s reads %q", name, have)
		}
	}

	// One more attachment for the other message: listed again, but only if it was listed before.
	var other string
	for word, name := range stems {
		if strings.HasPrefix(word, "Only-inline~") {
			other = here + "/" + name
		}
	}
	if got := m.names(other); !slices.Equal(got, []string{"pic.png"}) {
		t.Fatalf("inline attachments are %q", got)
	}
	if _, err := c.alice().UpdateMessage(inlineRef, func(msg *mailbox.Message) error {
		next := *inline
		next.Attachments = append(slices.Clone(inline.Attachments), fileAttachment("late.txt", "", "late"))
		msg.Content = func() *mailbox.Content { return &next }
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	m.exactly(2, "stale look at a message with another attachment", func() { m.refresh(here) })
	if got := m.names(other); !slices.Equal(got, []string{"late.txt", "pic.png"}) {
		t.Errorf("attachments are %q after the change", got)
	}
}

func TestAttachmentsOfAnOldMonthAreNotListedAgain(t *testing.T) {
	c := newCloud(t, -1)
	box := c.alice()
	c.fill(box.Folder("inbox"), 1200, parsed(t, "2026-01"), parsed(t, "2026-11"))
	content := say("Parts", "x")
	content.Attachments = []*mailbox.Attachment{fileAttachment("a.txt", "", "a")}
	msg := c.add(box.Folder("inbox"), message(parsed(t, "2026-03").start(), content))
	m := c.mount(sign{})
	const here = inbox + "/2026-03"
	var dir string
	for name, e := range m.list(here) {
		if e.IsDir {
			dir = here + "/" + name
		}
	}
	m.list(dir)
	m.exactly(1, "the month again", func() { m.refresh(here) })
	if _, err := box.UpdateMessage(msg.Ref(true), func(*mailbox.Message) error { return nil }); err != nil {
		t.Fatal(err)
	}
	m.exactly(2, "the month with a changed message", func() { m.refresh(here) })
	m.exactly(1, "and again", func() { m.refresh(here) })
}

func TestMIME(t *testing.T) {
	c := newCloud(t, -1)
	c.put(say("Fine", "<p>hello</p>"))
	bad := say("Corrupt", "x")
	bad.Corrupt = true
	c.put(bad)
	_, gone := c.put(say("Gone", "x"))
	m := c.mount(sign{formats: []string{"eml"}})
	files := m.list(inbox + "/2026-11")
	if err := c.alice().DeleteMessage(gone, true); err != nil {
		t.Fatal(err)
	}
	for name, e := range files {
		if e.Size != backends.SizeUnknown || e.Body != nil {
			t.Errorf("%s pretends to know its size: %d", name, e.Size)
		}
		body, err := m.tryRead(e)
		switch {
		case strings.Contains(name, "Fine"):
			if err != nil || !strings.Contains(body, "Subject: Fine\r\n") || !strings.Contains(body, "hello") {
				t.Errorf("%s reads %q, %v", name, body, err)
			}
		case strings.Contains(name, "Corrupt"):
			if !errors.Is(err, backends.ErrBroken) {
				t.Errorf("a corrupt message fails with %v", err)
			}
			again := c.remount(sign{}, m.sink)
			if !slices.ContainsFunc(again.Coverage(), func(g backends.Gap) bool { return g.Path == "alice@contoso.com/mail/"+e.Info.ServiceID }) {
				t.Errorf("the corrupt message is not in %v", again.Coverage())
			}
		default:
			if !errors.Is(err, backends.ErrNotFound) {
				t.Errorf("a deleted message fails with %v", err)
			}
		}
	}
}

// meddler runs fn once after the nth answer to a request whose address has all of the words.
type meddler struct {
	words []string
	nth   int
	fn    func()
	mu    sync.Mutex
	seen  int
}

func (x *meddler) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return res, err
	}
	for _, w := range x.words {
		if !strings.Contains(r.URL.String(), w) {
			return res, nil
		}
	}
	// The answer is complete before anything else happens.
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(body))
	x.mu.Lock()
	x.seen++
	now := x.seen == x.nth
	x.mu.Unlock()
	if now {
		x.fn()
	}
	return res, err
}

func TestMonthThatChangesWhileItIsRead(t *testing.T) {
	c := newCloud(t, -1)
	box := c.alice()
	f := box.Folder("inbox")
	c.fill(f, 1300, parsed(t, "2026-10"), parsed(t, "2026-10"))
	x := &meddler{words: []string{"count=true"}, nth: 1, fn: func() {
		// What was on the first page goes, so that $skip jumps over one of the second page.
		box.RLock()
		ref := f.Messages()[3].Ref(true)
		box.RUnlock()
		if err := box.DeleteMessage(ref, true); err != nil {
			t.Error(err)
		}
	}}
	m := c.mount(sign{transport: x})
	all := map[string]backends.Entry{}
	for name, e := range m.list(inbox + "/2026-10") {
		all["2026-10/"+name] = e
	}
	sameAsStore(t, m, f, all)
	if x.seen < 4 {
		t.Errorf("the month was read in %d requests, so it was not read again", x.seen)
	}
}

func TestRoundOverAListing(t *testing.T) {
	// While a slow round runs, a newer listing of a month is committed: the round must not bring back what it saw before.
	c := newCloud(t, -1)
	box := c.alice()
	f := box.Folder("inbox")
	c.fill(f, 1500, parsed(t, "2026-09"), parsed(t, "2026-11"))
	var m *mount
	x := &meddler{words: []string{"/delta"}, nth: 2, fn: func() {
		box.RLock()
		newest := f.Messages()[1499].Ref(true)
		box.RUnlock()
		if err := box.DeleteMessage(newest, true); err != nil {
			t.Error(err)
		}
		if err := m.takeMonth(context.Background(), m.folder(m.account.UserID, box.ID(f.Ref())), parsed(t, "2026-11"), m.sink); err != nil {
			t.Error(err)
		}
	}}
	m = c.mount(sign{transport: x})
	sameAsStore(t, m, f, m.walk(inbox))
}

func TestSlowRoundLetsMonthsListThemselves(t *testing.T) {
	c := newCloud(t, -1)
	f := c.alice().Folder("inbox")
	c.fill(f, 1500, parsed(t, "2026-09"), parsed(t, "2026-11"))
	hold := make(chan struct{})
	x := &meddler{words: []string{"/delta"}, nth: 1, fn: func() { <-hold }}
	m := c.mount(sign{transport: x})
	m.limits.roundWait = 10 * time.Millisecond
	sameAsStore(t, m, f, m.walk(inbox))
	close(hold)
	// The round goes on and makes the folder complete.
	dir := m.find(inbox).Dir
	k := split(string(dir))
	deadline := time.Now().Add(20 * time.Second)
	for m.snapshot(m.folder(k[1], k[2]), m.sink).Extent != everything {
		if time.Now().After(deadline) {
			t.Fatal("the round never ended")
		}
		time.Sleep(time.Millisecond)
	}
	m.exactly(1, "stale look at a folder that became complete", func() { m.refresh(inbox + "/2026-09") })
}

func TestIdleMinutesCompleteAFolder(t *testing.T) {
	c := newCloud(t, -1)
	c.fill(c.alice().Folder("inbox"), 2500, parsed(t, "2026-09"), parsed(t, "2026-11"))
	m := c.mount(sign{})
	m.limits.idle, m.limits.pace = 50*time.Millisecond, time.Millisecond
	m.list(inbox + "/2026-10")
	k := split(string(m.find(inbox).Dir))
	f := m.folder(k[1], k[2])
	deadline := time.Now().Add(20 * time.Second)
	for m.snapshot(f, m.sink).Extent != everything {
		if time.Now().After(deadline) {
			t.Fatal("the folder never became complete")
		}
		time.Sleep(time.Millisecond)
	}
	m.exactly(0, "months after idle minutes", func() { sameAsStore(t, m, c.alice().Folder("inbox"), m.walk(inbox)) })
}

func TestWalkHurriesAnIdleRound(t *testing.T) {
	c := newCloud(t, -1)
	c.fill(c.alice().Folder("inbox"), 1500, parsed(t, "2026-09"), parsed(t, "2026-11"))
	m := c.mount(sign{})
	m.limits.idle, m.limits.pace = time.Millisecond, time.Hour
	m.list(inbox + "/2026-10")
	k := split(string(m.find(inbox).Dir))
	f := m.folder(k[1], k[2])
	deadline := time.Now().Add(20 * time.Second)
	for !m.rounding(f) {
		if time.Now().After(deadline) {
			t.Fatal("no round began")
		}
		time.Sleep(time.Millisecond)
	}
	sameAsStore(t, m, c.alice().Folder("inbox"), m.walk(inbox))
	if got := m.snapshot(f, m.sink).Extent; got != everything {
		t.Errorf("the walk did not wait for the round: extent %q", got)
	}
}

func TestInterruptedListing(t *testing.T) {
	c := newCloud(t, -1)
	c.fill(c.alice().Folder("inbox"), 1500, parsed(t, "2026-09"), parsed(t, "2026-11"))
	m := c.mount(sign{})
	dir := m.find(inbox + "/2026-10").Dir
	c.world.Faults.Set(core.FaultRule{Route: "GET *messages*", Delay: core.Duration(20 * time.Second)})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := m.List(ctx, dir, m.sink); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("interrupted listing gives %v", err)
	}
	if m.sink.Dir(dir).Whole {
		t.Error("an interrupted listing is whole")
	}
}

func TestFailuresLeaveNothingHalf(t *testing.T) {
	c := newCloud(t, -1)
	c.fill(c.alice().Folder("inbox"), 1500, parsed(t, "2026-10"), parsed(t, "2026-11"))
	m := c.mount(sign{})
	dir := m.find(inbox + "/2026-10").Dir
	for what, rule := range map[string]struct {
		core.FaultRule
		want error
	}{
		"forbidden":   {core.FaultRule{Route: "GET *messages*", Status: 403, Skip: 1}, backends.ErrForbidden},
		"gone":        {core.FaultRule{Route: "GET *messages*", Status: 404, Skip: 1}, backends.ErrNotFound},
		"unavailable": {core.FaultRule{Route: "GET *messages*", Status: 500, Skip: 1}, backends.ErrUnavailable},
	} {
		c.world.Faults.Set(rule.FaultRule)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		if err := m.List(ctx, dir, m.sink); !errors.Is(err, rule.want) {
			t.Errorf("%s: listing gives %v", what, err)
		}
		cancel()
		if m.sink.Dir(dir).Whole {
			t.Errorf("%s: half a listing is whole", what)
		}
	}
	c.world.Faults.Set()
	if got := len(m.list(inbox + "/2026-10")); got != 750 {
		t.Errorf("month holds %d files after the faults", got)
	}
}

func TestOrganisation(t *testing.T) {
	c := newCloud(t, -1)
	m := c.mount(sign{app: true})
	everyone := len(c.company.Everyone())
	m.exactly((everyone+998)/999, "ls of all mailboxes", func() {
		if got := m.names(""); len(got) != everyone || !slices.Contains(got, "carol@contoso.com") {
			t.Errorf("%d mailboxes of %d people: %q", len(got), everyone, got)
		}
	})
	if got := m.names("carol@contoso.com/mail"); len(got) < 5 {
		t.Errorf("carol's folders are %q", got)
	}
	without := 0
	for name := range m.list("") {
		if !strings.Contains(name, "#EXT#") {
			continue
		}
		without++
		if got := m.names(name); len(got) != 0 {
			t.Errorf("a guest's mailbox holds %q", got)
		}
		if !slices.ContainsFunc(m.Coverage(), func(g backends.Gap) bool { return g.Path == name }) {
			t.Errorf("the guest %s is not in %v", name, m.Coverage())
		}
	}
	if without == 0 {
		t.Fatal("the company has no guests")
	}
	m.refresh("")
	if got := m.names(""); len(got) != everyone-without {
		t.Errorf("%d mailboxes are left, want %d", len(got), everyone-without)
	}

	if err := c.world.Switches.Set("outlook.no_odata", "carol@contoso.com"); err != nil {
		t.Fatal(err)
	}
	closed := c.mount(sign{app: true})
	if _, err := closed.tryList(closed.find("carol@contoso.com/mail").Dir); !errors.Is(err, backends.ErrForbidden) {
		t.Errorf("a mailbox behind a policy gives %v", err)
	}
	if !slices.ContainsFunc(closed.Coverage(), func(g backends.Gap) bool {
		return g.Path == "carol@contoso.com/mail" && strings.Contains(g.Reason, "access policy")
	}) {
		t.Errorf("the policy is not in %v", closed.Coverage())
	}
}

func TestMissingPermission(t *testing.T) {
	c := newCloud(t, -1)
	m := c.mount(sign{without: "Calendars."})
	if _, err := m.tryList(m.find("alice@contoso.com/calendar").Dir); !errors.Is(err, backends.ErrForbidden) {
		t.Errorf("calendars without permission give %v", err)
	}
	m.names(inbox)
	m.names("alice@contoso.com/contacts")
	again := c.remount(sign{without: "Calendars."}, m.sink)
	if !slices.ContainsFunc(again.Coverage(), func(g backends.Gap) bool {
		return g.Path == "alice@contoso.com/calendar" && strings.Contains(g.Reason, "Calendars.Read")
	}) {
		t.Errorf("the missing permission is not in %v", again.Coverage())
	}
	nomail := c.mount(sign{without: "Mail."})
	if got := nomail.names("alice@contoso.com"); len(got) != 3 {
		t.Errorf("a mailbox without mail holds %q", got)
	}
	nomail.names("alice@contoso.com/calendar/Calendar")
}

func TestSharedMailboxes(t *testing.T) {
	c := newCloud(t, 0)
	shared := c.company.Shared[0].UPN
	m := c.mount(sign{shared: []string{shared, "bob@contoso.com", "carol@contoso.com"}})
	if got := m.names(shared + "/mail"); len(got) < 5 {
		t.Errorf("the shared mailbox holds %q", got)
	}
	if got := m.names("bob@contoso.com/mail"); len(got) != 1 {
		t.Errorf("of bob's mailbox alice sees %q", got)
	} else if len(m.walk("bob@contoso.com/mail/"+got[0])) == 0 {
		t.Error("bob's inbox is empty")
	}
	if got := m.names("bob@contoso.com/calendar"); len(got) != 1 {
		t.Errorf("of bob's calendars alice sees %q", got)
	}
	if _, err := m.tryList(m.find("carol@contoso.com/mail").Dir); !errors.Is(err, backends.ErrForbidden) {
		t.Errorf("a mailbox that is not shared gives %v", err)
	}
}

func TestWholeSeededMailbox(t *testing.T) {
	c := newCloud(t, 0)
	m := c.mount(sign{formats: []string{"md", "json", "eml"}})
	box := c.alice()
	seen := map[string]string{}
	var visit func(path string)
	visit = func(path string) {
		for name, e := range m.list(path) {
			if e.IsDir && e.Name.User {
				seen[e.Info.ServiceID] = path + "/" + name
				visit(path + "/" + name)
			}
		}
	}
	nonEmpty, parents := 0, 0
	var all []*mailbox.Folder
	box.RLock()
	box.Folders(func(f *mailbox.Folder) {
		if f.Unlisted || f.Search != nil {
			return
		}
		all = append(all, f)
		if len(f.Messages()) > 0 {
			nonEmpty++
		}
		if len(f.Children) > 0 {
			parents++
		}
	})
	box.RUnlock()
	m.atMost(3+parents+2*nonEmpty, "ls -R of the folders", func() { visit("alice@contoso.com/mail") })
	for _, f := range all {
		path, ok := seen[box.ID(f.Ref())]
		if !ok {
			t.Errorf("folder %q is not shown", f.Name)
			continue
		}
		sameAsStore(t, m, f, m.walk(path))
	}
	if s := c.world.Stats.Snapshot(); s.PeakConcurrency["mailbox"] > 4 {
		t.Errorf("%v requests at a time", s.PeakConcurrency)
	}
}
