package teams_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/sim"
)

// item is a driveItem as the service has it.
type item struct {
	ID, Name, CTag, WebURL string
	Size                   int64
	Modified               time.Time `json:"lastModifiedDateTime"`
	FileSystemInfo         struct {
		Modified time.Time `json:"lastModifiedDateTime"`
	}
	ParentReference struct{ DriveID string }
	File            *struct{ Hashes struct{ QuickXorHash string } }
	Folder, Package *struct{}
}

// folder gives the address of a channel's folder.
func (o *office) folder(channel string) string {
	o.t.Helper()
	var f item
	if err := json.Unmarshal(o.ask(o.admin, http.MethodGet, channel+"/filesFolder", nil), &f); err != nil {
		o.t.Fatal(err)
	}
	return "/drives/" + f.ParentReference.DriveID + "/items/" + f.ID
}

func (o *office) children(folder string) map[string]item {
	o.t.Helper()
	found := map[string]item{}
	for _, raw := range o.all(o.admin, folder+"/children") {
		var it item
		if err := json.Unmarshal(raw, &it); err != nil {
			o.t.Fatal(err)
		}
		found[it.Name] = it
	}
	return found
}

// content reads a file the plain way.
func (o *office) content(drive, id string) []byte {
	o.t.Helper()
	req, err := http.NewRequestWithContext(o.t.Context(), http.MethodGet, o.Ready().Graph+"/v1.0"+drive+"/items/"+id+"/content", nil)
	if err != nil {
		o.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+o.admin)
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		o.t.Fatal(err)
	}
	defer res.Body.Close()
	req, err = http.NewRequestWithContext(o.t.Context(), http.MethodGet, res.Header.Get("Location"), nil)
	if err != nil {
		o.t.Fatal(err)
	}
	res, err = http.DefaultTransport.RoundTrip(req)
	if err != nil {
		o.t.Fatal(err)
	}
	defer res.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err != nil || res.StatusCode != http.StatusOK {
		o.t.Fatalf("%s of %s: %s, %v", id, drive, res.Status, err)
	}
	return b.Bytes()
}

// TestFiles compares the files of channels with what the drives hold.
func TestFiles(t *testing.T) {
	o := newOffice(t, sim.Options{})
	r := o.open(false)
	files, kinds, drives := 0, map[string]int{}, map[string]bool{}
	var visit func(dir backends.DirKey, at, folder string)
	visit = func(dir backends.DirKey, at, folder string) {
		drive := folder[:strings.LastIndex(folder, "/items/")]
		most := 2
		if !drives[drive] {
			drives[drive], most = true, 3 // its first listing comes with a delta link
		}
		if n := o.requests(func() { r.list(dir) }); n > most {
			t.Errorf("%s: %d requests for a listing", at, n)
		}
		want := o.children(folder)
		got := map[string]backends.Entry{}
		for name, e := range r.sink.Names(dir) {
			got[e.Info.ServiceID] = e
			it, ok := want[strings.TrimSuffix(name, ".url")]
			if plain := hashed(name); !ok && !strings.Contains(plain, "~#") && len(name) < 200 && it.ID != e.Info.ServiceID {
				t.Errorf("%s/%s is not in the drive", at, name)
			}
		}
		for name, it := range want {
			e, ok := got[it.ID]
			switch {
			case !ok:
				t.Errorf("%s lacks %s", at, name)
			case it.Package != nil:
				kinds["package"]++
				if !strings.HasSuffix(e.Name.Stem, ".url") || !strings.Contains(string(e.Body), "URL="+it.WebURL) {
					t.Errorf("%s/%s is %q", at, name, e.Body)
				}
			case it.Folder != nil:
				kinds["folder"]++
				visit(e.Dir, at+"/"+name, drive+"/items/"+it.ID)
			default:
				files++
				if e.Size != it.Size || !e.Mtime.Equal(it.FileSystemInfo.Modified) || !e.Ctime.Truncate(time.Second).Equal(it.Modified.Truncate(time.Second)) {
					t.Errorf("%s/%s has %d bytes and times %s, %s, want %+v", at, name, e.Size, e.Mtime, e.Ctime, it)
				}
				if it.File.Hashes.QuickXorHash != "" && e.Info.Hash != "quickxor:"+it.File.Hashes.QuickXorHash {
					t.Errorf("%s/%s has the hash %s", at, name, e.Info.Hash)
				}
				o.readFile(t, r, e, name, drive, kinds)
			}
		}
	}
	for _, name := range []string{"General", "Hiring 🕵️", "Orion x Fabrikam"} {
		at := "channels/Engineering/" + name + "/files"
		visit(r.key(at), at, o.folder(o.channel("Engineering", name)))
	}
	if files < 30 || kinds["package"] == 0 || kinds["folder"] == 0 || kinds["malware"] == 0 || kinds["empty"] == 0 || kinds["resized"] == 0 || kinds["large"] == 0 {
		t.Errorf("%d files, %v", files, kinds)
	}
}

// readFile reads one file and counts what it costs.
func (o *office) readFile(t *testing.T, r *reader, e backends.Entry, name, drive string, kinds map[string]int) {
	cost := func(step func()) int {
		o.World().Stats.Reset()
		step()
		return backendtest.Requests(o.Sim)
	}
	switch {
	case name == "invoice_scan.exe":
		kinds["malware"]++
		if _, err := backendtest.Read(t.Context(), r.b, e); !errors.Is(err, backends.ErrBroken) {
			t.Errorf("%s: %v", name, err)
		}
	case e.Size == 0:
		kinds["empty"]++
		if n := cost(func() {
			if got, err := backendtest.Read(t.Context(), r.b, e); err != nil || len(got) != 0 {
				t.Errorf("%s has %d bytes, %v", name, len(got), err)
			}
		}); n != 0 {
			t.Errorf("%s took %d requests", name, n)
		}
	case e.Size > 10<<20:
		kinds["large"]++
		want := o.content(drive, e.Info.ServiceID)
		const step = 8 << 20
		var got []byte
		n := cost(func() {
			for off := int64(0); off < e.Size; off += step {
				part, err := backendtest.ReadRange(t.Context(), r.b, e, off, min(step, e.Size-off))
				if err != nil {
					t.Fatalf("%s at %d: %v", name, off, err)
				}
				got = append(got, part...)
			}
		})
		if !bytes.Equal(got, want) || n > (len(want)+step-1)/step+2 {
			t.Errorf("%s: %d bytes of %d in %d requests", name, len(got), len(want), n)
		}
	default:
		var got []byte
		n := cost(func() {
			var err error
			if got, err = r.fetch(e); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
		want := o.content(drive, e.Info.ServiceID)
		if !bytes.Equal(got, want) || n > 2 {
			t.Errorf("%s: %d bytes of %d in %d requests", name, len(got), len(want), n)
		}
		if int64(len(got)) != e.Size {
			kinds["resized"]++
		}
	}
}

// fetch reads a file and takes its size from the answer.
func (r *reader) fetch(e backends.Entry) ([]byte, error) {
	got, err := r.b.Fetch(r.t.Context(), backends.File{ID: e.ID, Version: e.Version, Ref: e.Ref, Size: e.Size}, 0, -1)
	if err != nil {
		return nil, err
	}
	defer got.Close()
	var b bytes.Buffer
	_, err = b.ReadFrom(got)
	if got.Total >= 0 && got.Total != int64(b.Len()) {
		r.t.Errorf("%s: %d bytes, the answer says %d", e.Name.Stem, b.Len(), got.Total)
	}
	return b.Bytes(), err
}

// TestFileChanges writes to a channel's folder: what changed has another version, what moved keeps its identity.
func TestFileChanges(t *testing.T) {
	o := newOffice(t, sim.Options{})
	r := o.open(false)
	dir := r.key("channels/Engineering/General/files")
	before := r.list(dir)
	folder := o.folder(o.channel("Engineering", "General"))
	drive := folder[:strings.LastIndex(folder, "/items/")]
	o.World().Clock.Advance(time.Minute)
	road := before["Roadmap.md"]
	o.put(drive+"/items/"+road.Info.ServiceID+"/content", "# Roadmap, final\n")
	o.put(folder+":/"+url.PathEscape("new one.txt")+":/content", "new")
	hidden := before[".hidden.txt"]
	o.ask(o.alice, http.MethodPatch, drive+"/items/"+hidden.Info.ServiceID, object{"name": "shown.txt"})
	o.ask(o.alice, http.MethodDelete, drive+"/items/"+before["a+b & c = d;e,f'g@h.txt"].Info.ServiceID, nil)
	after := r.list(dir)
	if e := after["Roadmap.md"]; e.ID != road.ID || e.Version == road.Version || !e.Ctime.After(road.Ctime) {
		t.Errorf("a written file went from %+v to %+v", road, e)
	} else if got, err := r.fetch(e); err != nil || string(got) != "# Roadmap, final\n" {
		t.Errorf("a written file holds %q, %v", got, err)
	}
	if e := after["shown.txt"]; e.ID != hidden.ID || e.Version != hidden.Version || e.Ctime.Equal(hidden.Ctime) {
		t.Errorf("a renamed file went from %+v to %+v", hidden, e)
	}
	if _, ok := after["a+b & c = d;e,f'g@h.txt"]; ok {
		t.Error("a deleted file is shown")
	}
	if e, ok := after["new one.txt"]; !ok || e.Size != 3 {
		t.Errorf("a new file is %+v", e)
	}
}

func (o *office) put(path, body string) {
	o.t.Helper()
	req, err := http.NewRequestWithContext(o.t.Context(), http.MethodPut, o.Ready().Graph+"/v1.0"+path, strings.NewReader(body))
	if err != nil {
		o.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+o.alice)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		o.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		o.t.Fatalf("PUT %s: %s", path, res.Status)
	}
}
