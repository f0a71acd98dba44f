package teams_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/graph/subscription"
	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/sim/core"
)

// library is a channel's folder with ways to change it.
type library struct {
	*office
	drive, root string // "/drives/…" and the id of the channel's folder
}

func (o *office) library(team, channel string) *library {
	o.t.Helper()
	f := o.folder(o.channel(team, channel))
	drive, root, _ := strings.Cut(f, "/items/")
	return &library{o, drive, root}
}

func (l *library) collection() string {
	return backends.JoinKey("drive", strings.TrimPrefix(l.drive, "/drives/"))
}

func (l *library) item(id string) string { return l.drive + "/items/" + id }

// id decodes the id of an answer.
func (l *library) id(answer []byte) string {
	l.t.Helper()
	var got struct{ ID string }
	if err := json.Unmarshal(answer, &got); err != nil || got.ID == "" {
		l.t.Fatalf("%v in %s", err, answer)
	}
	return got.ID
}

func (l *library) upload(parent, name, content string) string {
	l.t.Helper()
	path := l.item(parent) + ":/" + url.PathEscape(name)
	l.put(path+":/content", content)
	return l.id(l.ask(l.alice, http.MethodGet, path, nil))
}

func (l *library) write(id, content string) { l.put(l.item(id)+"/content", content) }

func (l *library) mkdir(parent, name string) string {
	l.t.Helper()
	return l.id(l.ask(l.alice, http.MethodPost, l.item(parent)+"/children", object{"name": name, "folder": object{}}))
}

func (l *library) move(id, parent, name string) {
	l.t.Helper()
	l.ask(l.alice, http.MethodPatch, l.item(id), object{"name": name, "parentReference": object{"id": parent}})
}

func (l *library) remove(id string) {
	l.t.Helper()
	l.ask(l.alice, http.MethodDelete, l.item(id), nil)
}

// files lists a directory of files with all below it, and gives what is there by path. listed says that all was listed.
func (r *reader) files(dir backends.DirKey, listed bool) map[string]backends.Entry {
	r.t.Helper()
	found := map[string]backends.Entry{}
	var visit func(at string, dir backends.DirKey)
	visit = func(at string, dir backends.DirKey) {
		if !listed || !r.sink.Dir(dir).Whole {
			r.list(dir)
		}
		for name, e := range r.sink.Names(dir) {
			found[at+name] = e
			if e.IsDir {
				visit(at+name+"/", e.Dir)
			}
		}
	}
	visit("", dir)
	return found
}

// sameFiles tells how files that were followed differ from what is listed anew. Which of several tags names a version depends
// on how it was learnt, so contents are compared instead.
func (r *reader) sameFiles(fresh *reader, path string) {
	r.t.Helper()
	got, want := r.files(r.key(path), true), fresh.files(fresh.key(path), true)
	for name, w := range want {
		g, ok := got[name]
		if !ok {
			r.t.Errorf("lacks %s", name)
			continue
		}
		if g.ID != w.ID || g.Dir != w.Dir || g.Size != w.Size || !g.Mtime.Equal(w.Mtime) || !g.Ctime.Equal(w.Ctime) || g.Info.ETag != w.Info.ETag || g.Name != w.Name {
			r.t.Errorf("%s is\n%+v, want\n%+v", name, g, w)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			r.t.Errorf("shows %s", name)
		}
	}
}

// driveNews is what a notification of a drive says: next to nothing.
var driveNews = subscription.Notification{Change: "updated", Path: "drives/x/root"}

// TestFollowDrive changes the files of a channel in every way: each change costs one request, and moves keep identities.
func TestFollowDrive(t *testing.T) {
	o := newOffice(t, sim.Options{})
	r, l := o.open(false), o.library("Engineering", "General")
	const path = "channels/Engineering/General/files"
	dir := r.key(path)
	a, b := l.mkdir(l.root, "a"), l.mkdir(l.root, "b")
	doc := l.upload(a, "doc.txt", "one")
	inner := l.mkdir(a, "inner")
	l.upload(inner, "deep.txt", "deep")
	closed := l.mkdir(l.root, "closed")
	before := r.files(dir, false)
	r.sink.Forget(before["closed"].Dir)
	step := func(what string, change func(), gone, came []string) map[string]backends.Entry {
		t.Helper()
		o.World().Clock.Advance(time.Minute)
		change()
		before := shownFiles(r, dir)
		var open []subscription.Notification
		if n := o.requests(func() { open = r.sync(l.collection(), driveNews) }); n != 1 || len(open) > 0 {
			t.Errorf("%s: took %d requests, left open %v", what, n, open)
		}
		after := shownFiles(r, dir)
		var went, new []string
		for p := range before {
			if _, ok := after[p]; !ok {
				went = append(went, p)
			}
		}
		for p := range after {
			if _, ok := before[p]; !ok {
				new = append(new, p)
			}
		}
		slices.Sort(went)
		slices.Sort(new)
		if !slices.Equal(went, gone) || !slices.Equal(new, came) {
			t.Errorf("%s: gone are %v, want %v; new are %v, want %v", what, went, gone, new, came)
		}
		return after
	}
	is := func(what string, e backends.Entry, id string, version string, content string) {
		t.Helper()
		if e.Info.ServiceID != id || version != "" && e.Version != version {
			t.Errorf("%s is %+v, want id %s and version %s", what, e, id, version)
		}
		if got, err := r.fetch(e); err != nil || string(got) != content {
			t.Errorf("%s holds %q, %v", what, got, err)
		}
	}
	later := func() { // when the service has hashed everything
		o.World().Clock.Advance(time.Hour)
		o.alice, o.admin = o.token(false), o.token(true)
		r.sync(l.collection()) // takes a new token
	}
	later()
	r.sink.Forget(before["a"].Dir)
	r.list(before["a"].Dir)
	version := shownFiles(r, dir)["a/doc.txt"].Version
	var id string
	got := step("an upload", func() { id = l.upload(a, "new.txt", "fresh") }, nil, []string{"a/new.txt"})
	is("an upload", got["a/new.txt"], id, "", "fresh")
	got = step("a new version", func() { l.write(doc, "second") }, nil, nil)
	if e := got["a/doc.txt"]; e.Version == version || e.Size != 6 {
		t.Errorf("a new version is %+v", e)
	}
	is("a new version", got["a/doc.txt"], doc, "", "second")
	later()
	step("a touch", func() { l.ask(l.alice, http.MethodPatch, l.item(doc), object{"description": "x"}) }, nil, nil)
	version = shownFiles(r, dir)["a/doc.txt"].Version
	got = step("a rename", func() { l.move(doc, a, "renamed.txt") }, []string{"a/doc.txt"}, []string{"a/renamed.txt"})
	is("a rename", got["a/renamed.txt"], doc, version, "second")
	got = step("a move", func() { l.move(doc, b, "renamed.txt") }, []string{"a/renamed.txt"}, []string{"b/renamed.txt"})
	is("a move", got["b/renamed.txt"], doc, version, "second")
	got = step("a directory moves", func() { l.move(inner, b, "inside") }, []string{"a/inner", "a/inner/deep.txt"}, []string{"b/inside", "b/inside/deep.txt"})
	if got["b/inside"].Dir != before["a/inner"].Dir || got["b/inside"].ID != before["a/inner"].ID {
		t.Error("a directory that moves changes its identity")
	}
	step("a move to where nobody looked", func() { l.move(doc, closed, "renamed.txt") }, []string{"b/renamed.txt"}, nil)
	step("a new directory", func() { l.mkdir(l.root, "c") }, nil, []string{"c"})
	step("a deletion", func() { l.remove(id) }, []string{"a/new.txt"}, nil)
	step("a directory is deleted", func() { l.remove(inner) }, []string{"b/inside", "b/inside/deep.txt"}, nil)
	o.World().Clock.Advance(time.Minute)
	if open := r.sync(l.collection(), driveNews); len(open) != 1 {
		t.Errorf("news without a change left open %v", open)
	}
	// The whole drive is fresh by one request, whatever is listed.
	l.upload(b, "last.txt", "last")
	if n := o.requests(func() { r.list(r.key(path + "/b")) }); n != 1 {
		t.Errorf("listing again took %d requests", n)
	}
	asOf := r.sink.Dir(r.key(path + "/b")).AsOf
	if !r.sink.Dir(dir).AsOf.Equal(asOf) {
		t.Error("listing one folder again leaves the others as old as they were")
	}
	r.sameFiles(o.open(false), path)
}

// shownFiles is what is shown of a directory of files and below, as far as that is listed.
func shownFiles(r *reader, dir backends.DirKey) map[string]backends.Entry {
	found := map[string]backends.Entry{}
	for name, e := range r.sink.Names(dir) {
		found[name] = e
		if e.IsDir {
			for below, e := range shownFiles(r, e.Dir) {
				found[name+"/"+below] = e
			}
		}
	}
	return found
}

// TestDriveResync has the service forget what changed, with either of its codes: what is listed is listed anew, once.
func TestDriveResync(t *testing.T) {
	for _, code := range []string{"resyncChangesApplyDifferences", "resyncChangesUploadDifferences"} {
		t.Run(code, func(t *testing.T) {
			o := newOffice(t, sim.Options{})
			r, l := o.open(false), o.library("Engineering", "General")
			const path = "channels/Engineering/General/files"
			a := l.mkdir(l.root, "a")
			doc := l.upload(a, "doc.txt", "one")
			l.upload(l.mkdir(l.root, "closed"), "unseen.txt", "x")
			dir := r.key(path)
			r.list(dir)
			r.list(r.key(path + "/a"))
			o.World().Clock.Advance(time.Minute)
			l.move(doc, l.root, "up.txt")
			l.upload(a, "another.txt", "two")
			backendtest.Set(t, o.Sim, "drive.resync_code", code)
			backendtest.Set(t, o.Sim, "drive.delta_epoch", 2)
			if n := o.requests(func() { r.sync(l.collection(), driveNews) }); n != 4 {
				t.Errorf("reading two folders anew took %d requests, want the refusal, a link and one for each", n)
			}
			got := slices.Sorted(maps.Keys(shownFiles(r, dir)))
			if !slices.Contains(got, "up.txt") || !slices.Contains(got, "a/another.txt") || slices.Contains(got, "a/doc.txt") || slices.Contains(got, "closed/unseen.txt") {
				t.Errorf("shows %v", got)
			}
			l.write(doc, "two")
			if n := o.requests(func() { r.sync(l.collection(), driveNews) }); n != 1 {
				t.Errorf("following afterwards took %d requests", n)
			}
			r.sameFiles(o.open(false), path)
		})
	}
}

// TestDriveWhileListing commits deltas between the answer to a listing and its commit: the listing does not bring back what
// was before.
func TestDriveWhileListing(t *testing.T) {
	o := newOffice(t, sim.Options{})
	h := &hook{}
	r, l := o.openWith(h), o.library("Engineering", "General")
	const path = "channels/Engineering/General/files"
	a, b := l.mkdir(l.root, "a"), l.mkdir(l.root, "b")
	gone, moved, renamed := l.upload(a, "gone.txt", "1"), l.upload(a, "moved.txt", "2"), l.upload(a, "old.txt", "3")
	came := l.upload(b, "came.txt", "4")
	r.list(r.key(path))
	dirB, dirA := r.key(path+"/b"), r.key(path+"/a")
	r.list(dirB)
	o.World().Clock.Advance(time.Minute)
	rounds := 0
	h.after = func(req *http.Request) {
		if !strings.HasSuffix(req.URL.Path, a+"/children") || rounds > 0 {
			return
		}
		rounds++
		l.remove(gone)
		l.move(moved, b, "moved.txt")
		l.move(renamed, a, "new.txt")
		l.move(came, a, "came.txt")
		r.sync(l.collection(), driveNews)
	}
	got := slices.Sorted(maps.Keys(r.list(dirA)))
	if want := []string{"came.txt", "new.txt"}; rounds != 1 || !slices.Equal(got, want) {
		t.Errorf("the listing shows %v, want %v", got, want)
	}
	if got, want := slices.Sorted(maps.Keys(r.sink.Names(dirB))), []string{"moved.txt"}; !slices.Equal(got, want) {
		t.Errorf("the other folder shows %v, want %v", got, want)
	}
	o.World().Clock.Advance(time.Minute)
	l.upload(a, "later.txt", "5")
	r.sync(l.collection(), driveNews)
	r.sameFiles(o.open(false), path)
}

// TestDriveWithoutDelta lists the files of a drive whose delta is refused: by age, as before.
func TestDriveWithoutDelta(t *testing.T) {
	for _, status := range []int{400, 403, 404} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			o := newOffice(t, sim.Options{})
			o.World().Faults.Set(core.FaultRule{Route: "GET *delta*", Status: status, Body: object{"error": object{"code": "notSupported", "message": "No."}}})
			r, l := o.open(false), o.library("Engineering", "General")
			dir := r.key("channels/Engineering/General/files")
			r.list(dir)
			l.upload(l.root, "new.txt", "x")
			if r.sync(l.collection(), driveNews); len(r.sink.Names(dir)) == 0 {
				t.Error("nothing is shown")
			}
			asOf := r.sink.Dir(dir).AsOf
			if n := o.requests(func() { r.list(dir) }); n > 1 {
				t.Errorf("listing again took %d requests", n)
			}
			if _, ok := r.sink.Names(dir)["new.txt"]; !ok || !r.sink.Dir(dir).AsOf.After(asOf) {
				t.Error("listing again shows nothing new")
			}
		})
	}
}

// TestChannelFolderComesAndGoes provisions the files of a new channel, and removes them.
func TestChannelFolderComesAndGoes(t *testing.T) {
	o := newOffice(t, sim.Options{})
	r, l := o.open(false), o.library("Engineering", "General")
	const path = "channels/Engineering/General/files"
	o.World().Faults.Set(core.FaultRule{Route: "GET *filesFolder", Status: 404, Body: object{"error": object{"code": "itemNotFound", "message": "No."}}})
	dir := r.key(path)
	if got := r.list(dir); len(got) > 0 {
		t.Fatalf("a channel without files shows %v", got)
	}
	o.World().Faults.Set()
	l.upload(l.root, "first.txt", "1")
	if _, ok := r.list(dir)["first.txt"]; !ok {
		t.Error("the files of a channel do not appear")
	}
	o.World().Clock.Advance(time.Minute)
	l.remove(l.root)
	r.sync(l.collection(), driveNews)
	if got := r.sink.Names(dir); len(got) > 0 {
		t.Errorf("a channel whose folder is gone shows %v", got)
	}
	o.World().Faults.Set(core.FaultRule{Route: "GET *filesFolder", Status: 404, Body: object{"error": object{"code": "itemNotFound", "message": "No."}}})
	if got := r.list(dir); len(got) > 0 {
		t.Errorf("a channel whose folder is gone shows %v", got)
	}
}

// TestDriveAfterRestart changes a drive while nobody runs: one request makes all of its folders fresh afterwards.
func TestDriveAfterRestart(t *testing.T) {
	o := newOffice(t, sim.Options{})
	r, l := o.open(true), o.library("Engineering", "General")
	const path = "channels/Engineering/General/files"
	a := l.mkdir(l.root, "a")
	doc := l.upload(l.root, "doc.txt", "one")
	dir := r.key(path)
	r.list(dir)
	r.list(r.key(path + "/a"))
	o.World().Clock.Advance(time.Minute)
	l.move(doc, a, "moved.txt")
	again := &reader{t, open(true)(t, o.Sim, r.sink), r.sink}
	if n := o.requests(func() { again.list(dir) }); n != 1 {
		t.Errorf("listing after a restart took %d requests", n)
	}
	if got := slices.Sorted(maps.Keys(shownFiles(again, dir))); !slices.Contains(got, "a/moved.txt") || slices.Contains(got, "doc.txt") {
		t.Errorf("shows %v", got)
	}
}
