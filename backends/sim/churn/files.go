package churn

import (
	"context"
	"net/url"
)

type driveItem struct {
	drive, id, name string
	folder, own     bool
}

// drives changes the files of channels: libraries of the teams that alice is in.
type drives struct {
	*Churn
	items list[driveItem]
}

func newFiles(c *Churn) *area {
	d := &drives{Churn: c}
	return &area{load: d.load, ops: []operation{
		{"upload", 8, d.upload}, {"new version", 6, d.newVersion}, {"rename", 4, d.rename}, {"move", 4, d.move}, {"delete", 4, d.delete},
		{"create folder", 2, d.createFolder}, {"describe", 1, d.describe},
	}}
}

func (d *drives) load(ctx context.Context) error {
	teams, err := d.all(ctx, asAlice, "/me/joinedTeams", 3)
	if err != nil {
		return err
	}
	for _, team := range teams {
		root, err := d.http.do(ctx, call{as: asApp, method: "GET", url: d.http.ready.Graph + "/v1.0/groups/" + text(team["id"]) + "/drive/root"})
		if err != nil {
			return err
		}
		ref, _ := root["parentReference"].(object)
		if err := d.learn(ctx, text(ref["driveId"]), text(root["id"]), 0); err != nil {
			return err
		}
	}
	return nil
}

// learn reads a folder and those below. Only what was made here is renamed, moved or deleted among the folders, since the
// others belong to channels.
func (d *drives) learn(ctx context.Context, drive, folder string, depth int) error {
	items, err := d.all(ctx, asApp, "/drives/"+drive+"/items/"+folder+"/children", known)
	if err != nil {
		return err
	}
	for _, it := range items {
		one := &driveItem{drive: drive, id: text(it["id"]), name: text(it["name"]), folder: it["folder"] != nil}
		if it["file"] == nil && !one.folder || it["malware"] != nil {
			continue
		}
		d.items.add(one)
		if one.folder && depth < 2 {
			if err := d.learn(ctx, drive, one.id, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Churn) content() []byte {
	var text string
	for _, p := range c.words.Paragraphs(1 + c.words.IntN(6)) {
		text += p + "\n\n"
	}
	return []byte(text)
}

func isFolder(it *driveItem) bool { return it.folder }

func isFile(it *driveItem) bool { return !it.folder }

func movable(it *driveItem) bool { return !it.folder || it.own }

// change runs a call on an item and forgets the item if it is gone.
func (d *drives) change(ctx context.Context, suits func(*driveItem) bool, method, suffix string, body any) (*driveItem, object, error) {
	it := d.items.pick(d.words, suits)
	if it == nil {
		return nil, nil, errNothing
	}
	answer, err := d.graph(ctx, asApp, method, "/drives/"+it.drive+"/items/"+it.id+suffix, body)
	if gone(err) {
		d.items.drop(it)
	}
	return it, answer, err
}

func (d *drives) upload(ctx context.Context) (string, string, error) {
	name := d.number() + " " + d.words.FileName([...]string{"txt", "md", "csv", "docx"}[d.words.IntN(4)])
	folder, made, err := d.change(ctx, isFolder, "PUT", ":/"+url.PathEscape(name)+":/content", d.content())
	if err != nil {
		return "", "", err
	}
	it := d.items.add(&driveItem{drive: folder.drive, id: text(made["id"]), name: text(made["name"]), own: true})
	return it.id, it.name, nil
}

func (d *drives) newVersion(ctx context.Context) (string, string, error) {
	it, _, err := d.change(ctx, isFile, "PUT", "/content", d.content())
	if err != nil {
		return "", "", err
	}
	return it.id, it.name, nil
}

func (d *drives) rename(ctx context.Context) (string, string, error) {
	name := d.number() + " " + d.words.FileName("txt")
	it, _, err := d.change(ctx, movable, "PATCH", "", object{"name": name})
	if err != nil {
		return "", "", err
	}
	it.name = name
	return it.id, name, nil
}

func (d *drives) move(ctx context.Context) (string, string, error) {
	to := d.items.pick(d.words, isFolder)
	if to == nil {
		return "", "", errNothing
	}
	// A folder cannot go into itself, so only files move.
	it, _, err := d.change(ctx, func(it *driveItem) bool { return isFile(it) && it.drive == to.drive }, "PATCH", "", object{"parentReference": object{"id": to.id}})
	if err != nil {
		return "", "", err
	}
	return it.id, it.name, nil
}

func (d *drives) delete(ctx context.Context) (string, string, error) {
	it, _, err := d.change(ctx, movable, "DELETE", "", nil)
	if err != nil {
		return "", "", err
	}
	d.items.drop(it)
	return it.id, it.name, nil
}

func (d *drives) createFolder(ctx context.Context) (string, string, error) {
	folder, made, err := d.change(ctx, isFolder, "POST", "/children", object{"name": d.words.Project() + " " + d.number(), "folder": object{}})
	if err != nil {
		return "", "", err
	}
	it := d.items.add(&driveItem{drive: folder.drive, id: text(made["id"]), name: text(made["name"]), folder: true, own: true})
	return it.id, it.name, nil
}

func (d *drives) describe(ctx context.Context) (string, string, error) {
	it, _, err := d.change(ctx, isFile, "PATCH", "", object{"description": d.words.Sentence()})
	if err != nil {
		return "", "", err
	}
	return it.id, it.name, nil
}
