package drive

import (
	"testing"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/simtest"
)

func TestWritesInDelta(t *testing.T) {
	f := newFixture(t)
	var heard []Change
	f.svc.Store.OnChange(func(c Change) { heard = append(heard, c) })
	base := "/drives/" + f.team.ID
	_, last := f.alice.All(base + "/root/delta?token=latest")
	round := func() (byID map[string]map[string]any) {
		t.Helper()
		var items []map[string]any
		items, last = f.alice.All(last.Link("@odata.deltaLink"))
		byID = map[string]map[string]any{}
		for _, it := range items {
			byID[it["id"].(string)] = it
		}
		return byID
	}
	id := func(r *simtest.Response) string {
		t.Helper()
		if r.Status >= 300 {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		return r.JSON["id"].(string)
	}
	folder := id(f.alice.Do("POST", base+"/root/children", map[string]any{"name": "Live", "folder": map[string]any{}}))
	file := id(f.alice.Do("PUT", base+"/items/"+folder+":/a.txt:/content", []byte("one")))
	twin := f.alice.Do("PUT", base+"/items/"+folder+":/a.txt:/content?@microsoft.graph.conflictBehavior=rename", []byte("two"))
	if twin.Status != 201 || twin.JSON["name"] != "a 1.txt" {
		t.Errorf("an upload that renames: %d %s", twin.Status, twin.Body)
	}
	got := round()
	if len(got) != 4 || got[folder]["name"] != "Live" || got[file]["name"] != "a.txt" || got[id(twin)] == nil || got[f.team.Root.ID]["root"] == nil {
		t.Errorf("created: %v", got)
	}
	tag := got[file]["eTag"]
	// One call is one change, whatever it changes.
	heard = nil
	f.alice.Do("PATCH", base+"/items/"+file, map[string]any{"name": "b.txt", "description": "d", "parentReference": map[string]any{"id": f.team.Root.ID},
		"fileSystemInfo": map[string]any{"lastModifiedDateTime": "2020-01-02T03:04:05Z"}})
	if len(heard) != 1 || heard[0] != (Change{DriveID: f.team.ID, ItemID: file}) {
		t.Errorf("heard %+v", heard)
	}
	got = round()
	if it := got[file]; it["name"] != "b.txt" || it["eTag"] == tag || it["parentReference"].(map[string]any)["id"] != f.team.Root.ID ||
		it["fileSystemInfo"].(map[string]any)["lastModifiedDateTime"] != "2020-01-02T03:04:05Z" {
		t.Errorf("edited: %v", it)
	}
	if got[folder] == nil {
		t.Error("the folder that lost the file is not mentioned")
	}
	heard = nil
	if r := f.alice.Do("DELETE", base+"/items/"+folder, nil); r.Status != 204 {
		t.Errorf("delete: %d", r.Status)
	}
	if r := f.alice.Do("POST", base+"/items/"+file+"/permanentDelete", nil); r.Status != 204 {
		t.Errorf("permanentDelete: %d", r.Status)
	}
	if len(heard) != 2 || !heard[0].Deleted || heard[0].ItemID != folder || heard[1].ItemID != file {
		t.Errorf("heard %+v", heard)
	}
	got = round()
	for _, gone := range []string{folder, file, id(twin)} {
		if got[gone]["deleted"] == nil || got[gone]["name"] != nil {
			t.Errorf("deleted: %v", got[gone])
		}
	}
	if got = round(); len(got) != 0 {
		t.Errorf("nothing changed: %v", got)
	}
	for _, code := range []string{"resyncChangesApplyDifferences", "resyncChangesUploadDifferences"} {
		f.Set("drive.resync_code", code)
		f.Set("drive.delta_epoch", 2)
		if r := f.alice.Do("GET", last.Link("@odata.deltaLink"), nil); r.Status != 410 || r.Code() != code || r.Header.Get("Location") == "" {
			t.Errorf("an old token: %d %s", r.Status, r.Body)
		}
	}
}

func TestPromotionIsAChange(t *testing.T) {
	f := newFixture(t)
	heard := 0
	f.svc.Store.OnChange(func(Change) { heard++ })
	f.alice.Do("PUT", f.path("General/up.docx")+":/content", company.DOCX("x", nil))
	f.alice.Do("PUT", f.path("General/up.txt")+":/content", []byte("x"))
	if heard != 3 {
		t.Errorf("heard of %d changes, want an upload and what it leads to, and an upload", heard)
	}
}
