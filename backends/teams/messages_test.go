package teams_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/mail"
	"net/url"
	"path"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/sim"
)

// conversation collects what is shown of one channel or chat.
type conversation struct {
	path  string
	files map[string]map[string]string // path by format, by "root|id"
	id    string                       // the service's
}

// TestEveryMessage walks everything that alice and the application see and compares it with what the service has.
func TestEveryMessage(t *testing.T) {
	o := newOffice(t, sim.Options{})
	for name, appOnly := range map[string]bool{"user": false, "application": true} {
		t.Run(name, func(t *testing.T) {
			r := o.open(appOnly, "md", "json", "eml")
			tree := backendtest.Walk(t, r.b, r.sink, func(p string) bool {
				return strings.HasSuffix(p, "/files") || appOnly && strings.HasPrefix(p, "users/") && !strings.Contains(p+"/", "/bob@") && !strings.Contains(p+"/", "/grace@")
			})
			conversations := map[string]*conversation{}
			for p, e := range tree.Entries {
				depth := strings.Count(p, "/")
				isConversation := strings.HasPrefix(p, "channels/") && depth == 2 || strings.HasPrefix(p, "chats/") && depth == 1 ||
					strings.HasPrefix(p, "users/") && depth == 3
				if e.IsDir && isConversation && tree.Refused[p] == nil {
					conversations[p] = &conversation{path: p, id: e.Info.ServiceID, files: map[string]map[string]string{}}
				}
			}
			for p, e := range tree.Entries {
				month, _ := path.Split(p)
				c := conversations[path.Dir(path.Clean(month))]
				root, id, format := partsOf(e)
				if c == nil || format != "md" && format != "json" && format != "eml" {
					continue
				}
				if c.files[root+"|"+id] == nil {
					c.files[root+"|"+id] = map[string]string{}
				}
				if other := c.files[root+"|"+id][format]; other != "" {
					t.Errorf("message %s|%s is %s and %s", root, id, other, p)
				}
				c.files[root+"|"+id][format] = p
			}
			o.compareAll(t, r, tree, conversations, appOnly)
		})
	}
}

func (o *office) compareAll(t *testing.T, r *reader, tree *backendtest.Tree, conversations map[string]*conversation, appOnly bool) {
	hosts := map[string]string{} // channel by id
	for _, team := range o.ids(o.admin, "/teams") {
		for _, id := range o.ids(o.admin, "/teams/"+team+"/channels") {
			hosts[id] = "/teams/" + team + "/channels/" + url.PathEscape(id)
		}
	}
	have := map[string]bool{}
	for _, c := range conversations {
		have[c.id] = true
		where, isChannel := hosts[c.id]
		if !isChannel {
			where = "/chats/" + url.PathEscape(c.id)
		}
		compare(t, r.sink, tree, c, o.messages(where+"/messages", isChannel))
	}
	if appOnly {
		for id, where := range hosts {
			if !have[id] {
				t.Errorf("channel %s is not shown", where)
			}
		}
	}
	if len(have) < 15 {
		t.Errorf("only %d conversations", len(have))
	}
}

func compare(t *testing.T, sink *backendtest.Sink, tree *backendtest.Tree, c *conversation, want map[string]truth) {
	for key := range c.files {
		if _, ok := want[key]; !ok {
			t.Errorf("%s shows %s, which the service has not", c.path, key)
		}
	}
	ids := map[string]string{} // Message-ID by key
	replies := map[string]string{}
	for key, m := range want {
		files := c.files[key]
		if len(files) != 3 {
			t.Errorf("%s: %s is shown as %v", c.path, key, files)
			continue
		}
		stem := strings.TrimSuffix(files["md"], ".md")
		for format, p := range files {
			if strings.TrimSuffix(p, "."+format) != stem {
				t.Errorf("%s and %s should differ in their ending alone", p, files["md"])
			}
		}
		month, name := path.Split(stem)
		if path.Base(month) != m.Created.UTC().Format("2006-01") || !strings.HasPrefix(name, m.Created.UTC().Format("2006-01-02_15.04.05_")) {
			t.Errorf("%s was written %s", files["md"], m.Created)
		}
		checkReplyName(t, c, key, name)
		entry := func(format string) backends.Entry { return tree.Entries[files[format]] }
		if got := entry("json").Body; !sameJSON(got, m.raw) {
			t.Errorf("%s is\n%s\nwant\n%s", files["json"], got, m.raw)
		}
		text := string(entry("md").Body)
		if !strings.Contains(text, "\nid: \""+m.ID+"\"\n") || (m.ReplyTo != "") != strings.Contains(text, "\nthread: \""+m.ReplyTo+"\"\n") {
			t.Errorf("%s does not name message %s of thread %s:\n%s", files["md"], m.ID, m.ReplyTo, text)
		}
		if !m.Deleted.IsZero() != strings.Contains(text, "\ndeleted: ") || !m.Edited.IsZero() != strings.Contains(text, "\nedited: ") ||
			(m.Type == "systemEventMessage") != strings.Contains(text, "\nevent: ") {
			t.Errorf("%s is a %s edited %s, deleted %s:\n%s", files["md"], m.Type, m.Edited, m.Deleted, text)
		}
		for _, format := range []string{"md", "eml"} {
			if e := entry(format); !e.Mtime.Equal(m.changed()) || !e.Btime.Equal(m.Created) {
				t.Errorf("%s has mtime %s, want %s", files[format], e.Mtime, m.changed())
			}
		}
		if e := entry("json"); !e.Mtime.Equal(m.Modified) {
			t.Errorf("%s has mtime %s, want %s", files["json"], e.Mtime, m.Modified)
		}
		letter, err := mail.ReadMessage(bytes.NewReader(entry("eml").Body))
		if err != nil {
			t.Errorf("%s: %v", files["eml"], err)
			continue
		}
		if at, err := letter.Header.Date(); err != nil || at.Unix() != m.Created.Unix() {
			t.Errorf("%s has the date %s (%v), want %s", files["eml"], at, err, m.Created)
		}
		ids[key] = letter.Header.Get("Message-Id")
		if m.ReplyTo != "" {
			replies[key] = letter.Header.Get("In-Reply-To")
		}
		checkAttachments(t, sink, tree, files, m)
	}
	seen := map[string]string{}
	for key, id := range ids {
		if id == "" || seen[id] != "" {
			t.Errorf("%s: %s and %s have the Message-ID %q", c.path, key, seen[id], id)
		}
		seen[id] = key
	}
	for key, parent := range replies {
		if want := ids["|"+want[key].ReplyTo]; parent != want {
			t.Errorf("%s: %s replies to %s, want %s", c.path, key, parent, want)
		}
	}
}

var hashAtEnd = regexp.MustCompile(`~([0-9a-z]{8,})$`)

// checkReplyName looks for the hash of the post in the names of its replies.
func checkReplyName(t *testing.T, c *conversation, key, name string) {
	root, _, _ := strings.Cut(key, "|")
	if root == "" {
		if strings.Contains(name, "_re~") {
			t.Errorf("%s/%s is no reply", c.path, name)
		}
		return
	}
	post := strings.TrimSuffix(c.files["|"+root]["md"], ".md")
	m := hashAtEnd.FindStringSubmatch(post)
	if m == nil || !strings.Contains(name, "_re~"+m[1][:4]+"~") {
		t.Errorf("%s/%s does not name its post %s", c.path, name, post)
	}
}

// checkAttachments compares the directory beside a message with what the message refers to.
func checkAttachments(t *testing.T, sink *backendtest.Sink, tree *backendtest.Tree, files map[string]string, m truth) {
	dir := strings.TrimSuffix(files["md"], ".md") + ".attachments"
	links, pictures := map[string]int{}, 0
	in, shown := tree.Entries[dir]
	var attached map[string]backends.Entry
	if shown {
		attached = sink.Names(in.Dir)
	}
	for name, e := range attached {
		if strings.HasSuffix(name, ".url") {
			for line := range strings.Lines(string(e.Body)) {
				if address, ok := strings.CutPrefix(strings.TrimSpace(line), "URL="); ok {
					links[unescaped(address)]++
				}
			}
		} else {
			pictures++
		}
	}
	for _, f := range m.Files {
		if f.ContentType == "reference" {
			if links[unescaped(f.ContentURL)] == 0 {
				t.Errorf("%s has no link to %s, only %v", dir, f.ContentURL, links)
			}
			links[unescaped(f.ContentURL)]--
		}
	}
	contents := map[string]bool{}
	for _, found := range regexp.MustCompile(`hostedContents/([\w=-]+)/\$value`).FindAllSubmatch(m.raw, -1) {
		contents[string(found[1])] = true
	}
	if pictures != len(contents) {
		t.Errorf("%s has %d pictures, want %d", dir, pictures, len(contents))
	}
	if named := strings.Contains(string(tree.Entries[files["md"]].Body), "\nattachments: \""+path.Base(dir)+"\"\n"); named != shown {
		t.Errorf("%s is shown: %v, named in the text: %v", dir, shown, named)
	}
}

func unescaped(s string) string {
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}

func sameJSON(a, b []byte) bool {
	var x, y map[string]any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	delete(y, "@odata.context")
	return reflect.DeepEqual(x, y)
}

// TestPictures compares pasted images with the bytes that the service gives, in posts, replies and chats.
func TestPictures(t *testing.T) {
	o := newOffice(t, sim.Options{})
	r := o.open(false)
	checked := map[string]int{}
	check := func(kind, where string, e backends.Entry) {
		if checked[kind] > 5 {
			return
		}
		checked[kind]++
		got, err := backendtest.Read(t.Context(), r.b, e)
		want := o.ask(o.admin, http.MethodGet, where+"/hostedContents/"+e.Info.ServiceID+"/$value", nil)
		if err != nil || !bytes.Equal(got, want) || len(got) == 0 {
			t.Errorf("%s: %d bytes, want %d: %v", where, len(got), len(want), err)
		}
	}
	visit := func(dir, where string, channel bool) {
		for _, files := range r.months(r.key(dir)) {
			for _, e := range files {
				if !e.IsDir {
					continue
				}
				root, id, _ := partsOf(e)
				at, kind := where+"/messages/"+id, "chat"
				switch {
				case root != "":
					at, kind = where+"/messages/"+root+"/replies/"+id, "reply"
				case channel:
					kind = "post"
				}
				for _, file := range r.sink.Names(e.Dir) {
					if file.Body == nil {
						check(kind, at, file)
					}
				}
			}
		}
	}
	visit("channels/Engineering/General", o.channel("Engineering", "General"), true)
	for name, e := range r.list(r.key("chats")) {
		visit("chats/"+name, "/chats/"+url.PathEscape(e.Info.ServiceID), false)
	}
	for _, kind := range []string{"post", "reply", "chat"} {
		if checked[kind] == 0 {
			t.Errorf("no picture in a %s", kind)
		}
	}
}
