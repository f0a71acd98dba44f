package outlook

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
)

// envelopesOnly keeps watch over requests: none may ask for bodies of messages or what hangs on them.
type envelopesOnly struct {
	t    *testing.T
	mu   sync.Mutex
	seen map[string]int // requests for messages by kind
}

func (w *envelopesOnly) RoundTrip(r *http.Request) (*http.Response, error) {
	kind := ""
	switch path := strings.ToLower(r.URL.Path); {
	case strings.HasSuffix(path, "/messages"):
		kind = "list"
	case strings.HasSuffix(path, "/messages/delta"):
		kind = "delta"
	case strings.Contains(path, "/messages/"):
		kind = "one"
	}
	q := r.URL.Query()
	fields := strings.Split(strings.ToLower(q.Get("$select")), ",")
	link := q.Has("$skiptoken") || q.Has("$deltatoken") || q.Has("$skip") // has the options of the first request
	if kind != "" {
		w.mu.Lock()
		w.seen[kind]++
		w.mu.Unlock()
		for _, body := range []string{"", "body", "bodypreview", "uniquebody", "attachments", "internetmessageheaders", "*"} {
			if slices.Contains(fields, body) && !(body == "" && link) {
				w.t.Errorf("%s asks for bodies", r.URL.RequestURI())
			}
		}
		if q.Has("$expand") || strings.HasSuffix(r.URL.Path, "/$value") || strings.HasSuffix(r.URL.Path, "/attachments") {
			w.t.Errorf("%s asks for more than envelopes", r.URL.RequestURI())
		}
	}
	return http.DefaultTransport.RoundTrip(r)
}

// TestEnvelopes: mail without bodies, because that was chosen or because no more was granted.
func TestEnvelopes(t *testing.T) {
	const basic = "User.Read Mail.ReadBasic"
	for name, o := range map[string]sign{
		"chosen":              {features: []string{"mail-names"}},
		"chosen and granted":  {features: []string{"mail-names"}, scopes: basic, granted: strings.Fields(basic)},
		"no more was granted": {features: []string{"mail"}, scopes: basic, granted: strings.Fields(basic)},
		"an application":      {features: []string{"mail-names"}, app: true, scopes: "User.Read.All Mail.ReadBasic.All"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t, 0)
			watch := &envelopesOnly{t: t, seen: map[string]int{}}
			o.transport, o.formats = watch, []string{"eml", "md", "json"}
			m := c.mount(o)
			if got := m.names("alice@contoso.com"); !slices.Equal(got, []string{"mail"}) {
				t.Errorf("the mailbox has %q", got)
			}
			full := c.mount(sign{app: o.app, formats: []string{"md", "json"}})
			for _, folder := range []string{inbox, "alice@contoso.com/mail/Odds & ends"} {
				all := full.walk(folder)
				got := m.walk(folder)
				for path, e := range all {
					switch other, shown := got[path]; {
					case e.IsDir && shown:
						t.Errorf("%s is shown", path)
					case e.IsDir:
					case !shown || other.ID != e.ID:
						t.Errorf("%s is %q, want %q", path, other.ID, e.ID)
					case other.Version == e.Version && strings.HasSuffix(path, ".md"):
						t.Errorf("%s has one version with and without body", path)
					}
				}
				for path, e := range got {
					body := string(e.Body)
					switch {
					case strings.HasSuffix(path, ".eml"), strings.HasSuffix(path, ".attachments"):
						t.Errorf("%s is shown", path)
					case strings.HasSuffix(path, ".md") && (!strings.HasPrefix(body, "---\n") || !strings.HasSuffix(body, "---\n\n*The body can't be read with this sign-in.*\n")):
						t.Errorf("%s is\n%s", path, body)
					case strings.HasSuffix(path, ".md") && strings.Contains(body, "\nattachments:"):
						t.Errorf("%s names a directory that is not there:\n%s", path, body)
					case strings.HasSuffix(path, ".json") && (strings.Contains(body, `"body"`) || strings.Contains(body, `"bodyPreview"`) || !strings.Contains(body, `"subject"`)):
						t.Errorf("%s is\n%s", path, body)
					}
				}
			}
			if watch.seen["list"] == 0 || watch.seen["delta"] == 0 {
				t.Errorf("messages were asked for by %v only: the test proves little", watch.seen)
			}
			if n := c.world.Stats.Snapshot().Statuses["403"]; n != 0 {
				t.Errorf("%d requests were refused", n)
			}
		})
	}
}

// TestEnvelopesWithoutText: where nothing but MIME is to be shown, envelopes are shown as text.
func TestEnvelopesWithoutText(t *testing.T) {
	c := newCloud(t, -1)
	c.fill(c.alice().Folder("inbox"), 3, parsed(t, "2026-10"), parsed(t, "2026-11"))
	m := c.mount(sign{features: []string{"mail-names"}, formats: []string{"eml"}})
	if all := m.walk(inbox); len(all) != 3 {
		t.Errorf("%d messages", len(all))
	}
	for path := range m.walk(inbox) {
		if !strings.HasSuffix(path, ".md") {
			t.Errorf("%s is shown", path)
		}
	}
}

// TestBodiesGrantedLater: the same files get bodies, as new versions with other times of change, and lose them again.
func TestBodiesGrantedLater(t *testing.T) {
	c := newCloud(t, -1)
	c.fill(c.alice().Folder("inbox"), 40, parsed(t, "2026-06"), parsed(t, "2026-11"))
	sink := backendtest.NewSink()
	read := func(o sign) map[string]backends.Entry {
		m := c.remount(o, sink)
		// The cache takes what another edition listed for not listed.
		for _, dir := range append([]string{"", "alice@contoso.com", "alice@contoso.com/mail", inbox}, prefixed(inbox+"/", m.months(inbox))...) {
			m.refresh(dir)
		}
		return m.walk(inbox)
	}
	names := sign{features: []string{"mail"}, scopes: "User.Read Mail.ReadBasic", granted: []string{"Mail.ReadBasic"}}
	whole := sign{features: []string{"mail"}, granted: []string{"Mail.Read"}}
	before, after := read(names), read(whole)
	if len(before) != 40 || len(after) != 40 {
		t.Fatalf("%d messages, then %d", len(before), len(after))
	}
	again := read(names)
	for path, e := range before {
		now := after[path]
		if now.ID != e.ID || now.Version == e.Version || now.Ctime.Equal(e.Ctime) || !now.Mtime.Equal(e.Mtime) || !strings.Contains(string(now.Body), "\nBody ") {
			t.Errorf("%s was %s %s changed %s, is %s %s changed %s:\n%s", path, e.ID, e.Version, e.Ctime, now.ID, now.Version, now.Ctime, now.Body)
		}
		if again[path].Version != e.Version {
			t.Errorf("%s was version %s without a body and is %s", path, e.Version, again[path].Version)
		}
	}
}

func prefixed(prefix string, names []string) (out []string) {
	for _, n := range names {
		out = append(out, prefix+n)
	}
	return out
}

// TestUnknownMissingBodies: where nobody knew that bodies would not come, the file says so all the same.
func TestUnknownMissingBodies(t *testing.T) {
	c := newCloud(t, -1)
	c.fill(c.alice().Folder("inbox"), 3, parsed(t, "2026-10"), parsed(t, "2026-11"))
	m := c.mount(sign{scopes: "User.Read Mail.ReadBasic"})
	if all := m.walk(inbox); len(all) != 3 {
		t.Errorf("%d messages", len(all))
	}
	for path, e := range m.walk(inbox) {
		if !strings.Contains(string(e.Body), "can't be read with this sign-in") {
			t.Errorf("%s is\n%s", path, e.Body)
		}
	}
}

// TestPartsOfMailboxes: a mailbox holds what is shown of it, also for an application that may not read mail; users without a
// mailbox are found out all the same, and what is not shown is neither asked for nor watched.
func TestPartsOfMailboxes(t *testing.T) {
	c := newCloud(t, 0)
	for _, tt := range []struct {
		sign
		want []string
	}{
		{sign{features: []string{"calendar"}}, []string{"calendar"}},
		{sign{features: []string{"contacts", "mail"}}, []string{"contacts", "mail"}},
		{sign{granted: []string{"Contacts.Read"}}, []string{"contacts"}},
		{sign{app: true, features: []string{"contacts"}, scopes: "User.Read.All Contacts.Read"}, []string{"contacts"}},
		{sign{app: true, features: []string{"calendar"}, scopes: "User.Read.All Calendars.Read"}, []string{"calendar"}},
	} {
		m := c.mount(tt.sign)
		if got := m.names("alice@contoso.com"); !slices.Equal(got, tt.want) {
			t.Errorf("%+v: the mailbox has %q, want %q", tt.sign, got, tt.want)
		}
		for _, guest := range c.company.Guests[:2] {
			if !tt.app {
				continue
			}
			if entries, err := m.tryList(dirKey(kindMailbox, guest.ID)); err != nil || len(entries) != 0 {
				t.Errorf("%+v: the guest %s has %d parts, %v", tt.sign, guest.UPN, len(entries), err)
			}
		}
		fl := newFollower(m.service, &nobodyFeeds{sink: m.sink})
		mailbox := m.account.UserID
		if tt.app {
			mailbox = c.company.Alice().ID
		}
		for part, k := range map[string][]string{
			"mail": {kindMail, mailbox}, "calendar": {kindCalendars, mailbox}, "contacts": {kindContacts, mailbox},
		} {
			if slices.Contains(tt.want, part) {
				continue
			}
			m.exactly(0, "a look at what is not shown", func() {
				if err := m.List(m.ctx(), dirKey(k...), m.sink); !errors.Is(err, backends.ErrNotFound) {
					t.Errorf("%+v: listing %s: %v", tt.sign, part, err)
				}
			})
			kind := map[string]string{"mail": kindMail, "calendar": kindCalendar, "contacts": kindContacts}[part]
			if w, ok := fl.Watch(join(kind, mailbox, "id")); ok || w.Wish.Resource != "" || w.Poll {
				t.Errorf("%+v: %s is watched: %+v", tt.sign, part, w)
			}
		}
	}
}

// nobodyFeeds is a feed of which only the sink is used.
type nobodyFeeds struct {
	backends.Feed
	sink *backendtest.Sink
}

func (f *nobodyFeeds) Sink(backends.Origin) backends.Sink { return f.sink }

// TestSharedMailboxPermissions: what others share is shown with the permissions for that, and a mailbox of which nothing can
// be read is not shown.
func TestSharedMailboxPermissions(t *testing.T) {
	c := newCloud(t, 0)
	const other = "invoices@contoso.com"
	for granted, want := range map[string][]string{
		"Mail.Read Calendars.Read Contacts.Read":        nil,
		"Mail.Read.Shared Calendars.Read":               {"mail"},
		"Mail.Read Calendars.Read.Shared":               {"calendar"},
		"Mail.ReadBasic.Shared Mail.Read Contacts.Read": {"mail"},
	} {
		m := c.mount(sign{shared: []string{other}, granted: strings.Fields(granted), scopes: "User.Read " + granted})
		_, shown := m.list("")[other]
		if shown != (want != nil) {
			t.Errorf("%s: the mailbox is shown: %v", granted, shown)
			continue
		}
		if shown {
			if got := m.names(other); !slices.Equal(got, want) {
				t.Errorf("%s: the mailbox has %q, want %q", granted, got, want)
			}
		}
	}
}

// TestGapsOfAnotherView: what was refused to another sign-in is not said of this one.
func TestGapsOfAnotherView(t *testing.T) {
	c := newCloud(t, 0)
	sink := backendtest.NewSink()
	m := c.remount(sign{without: "Contacts."}, sink)
	if _, err := m.tryList(m.find("alice@contoso.com/contacts").Dir); !errors.Is(err, backends.ErrForbidden) {
		t.Fatal(err)
	}
	says := func(m *mount) bool {
		return slices.ContainsFunc(m.Coverage(), func(g backends.Gap) bool { return g.Path == "alice@contoso.com/contacts" })
	}
	if !says(m) || !says(c.remount(sign{without: "Contacts."}, sink)) {
		t.Error("the coverage does not tell what was refused")
	}
	if says(c.remount(sign{features: []string{"mail"}}, sink)) {
		t.Error("the coverage tells of what was refused to another sign-in")
	}
}
