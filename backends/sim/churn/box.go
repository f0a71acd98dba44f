package churn

import (
	"context"
	"net/http"
	"time"
)

type boxItem struct {
	id, name string
	folder   bool
	own      bool // made here
	trashed  bool // by itself, not with a folder above
	parent   *boxItem
}

// boxes changes alice's Box files.
type boxes struct {
	*Churn
	items list[boxItem]
}

func newBox(c *Churn) *area {
	b := &boxes{Churn: c}
	return &area{load: b.load, ops: []operation{
		{"upload", 10, b.upload}, {"new version", 6, b.newVersion}, {"rename", 5, b.rename}, {"move", 5, b.move}, {"copy", 2, b.copy},
		{"trash", 5, b.trash}, {"restore", 4, b.restore}, {"delete for good", 1, b.purge}, {"create folder", 3, b.createFolder}, {"describe", 1, b.describe},
	}}
}

// box sends a request to the Box API.
func (b *boxes) box(ctx context.Context, method, path string, body any) (object, error) {
	b.sent = time.Now()
	return b.http.do(ctx, call{as: asBox, method: method, url: b.http.ready.BoxAPI + path, body: body})
}

// load reads the top of alice's tree, two levels deep. Of what is not hers to change, the service says so later.
func (b *boxes) load(ctx context.Context) error {
	root := b.items.add(&boxItem{id: "0", name: "All Files", folder: true})
	return b.learn(ctx, root, 0)
}

func (b *boxes) learn(ctx context.Context, in *boxItem, depth int) error {
	page, err := b.http.do(ctx, call{as: asBox, method: "GET", url: b.http.ready.BoxAPI + "/2.0/folders/" + in.id + "/items?limit=40&fields=id,type,name,permissions"})
	if err != nil {
		return err
	}
	for _, e := range objects(page["entries"]) {
		may, _ := e["permissions"].(object)
		it := &boxItem{id: text(e["id"]), name: text(e["name"]), folder: e["type"] == "folder", parent: in}
		switch {
		case e["type"] == "web_link" || may["can_rename"] == false || may["can_upload"] == false:
			continue
		case it.folder && depth < 2:
			if err := b.learn(ctx, b.items.add(it), depth+1); err != nil {
				return err
			}
		case !it.folder && may["can_delete"] != false:
			b.items.add(it)
		}
	}
	return nil
}

func (it *boxItem) path() string {
	if it.folder {
		return "/2.0/folders/" + it.id
	}
	return "/2.0/files/" + it.id
}

// away tells whether the item lies in the trash, by itself or with a folder above.
func (it *boxItem) away() bool {
	for ; it != nil; it = it.parent {
		if it.trashed {
			return true
		}
	}
	return false
}

// within tells whether the item is a folder or lies below it.
func (it *boxItem) within(folder *boxItem) bool {
	for ; it != nil; it = it.parent {
		if it == folder {
			return true
		}
	}
	return false
}

func (it *boxItem) takes() bool { return it.folder && !it.away() }

func (it *boxItem) isFile() bool { return !it.folder && !it.away() }

// loose items can be renamed, moved and trashed: files, and the folders that were made here.
func (it *boxItem) loose() bool { return (!it.folder || it.own) && !it.away() }

// change runs a call on an item. One that is gone, or that only others may change, is forgotten.
func (b *boxes) change(ctx context.Context, suits func(*boxItem) bool, method, suffix string, body any) (*boxItem, object, error) {
	it := b.items.pick(b.words, suits)
	if it == nil {
		return nil, nil, errNothing
	}
	answer, err := b.box(ctx, method, it.path()+suffix, body)
	return it, answer, b.forget(it, err)
}

func (b *boxes) forget(it *boxItem, err error) error {
	if refusedAs(err, http.StatusForbidden) {
		b.items.drop(it)
		return errNothing
	}
	if gone(err) && it.id != "0" {
		b.items.drop(it)
	}
	return err
}

// send uploads a file with its attributes.
func (b *boxes) send(ctx context.Context, path string, attributes object, content []byte) (object, error) {
	b.sent = time.Now()
	return b.http.upload(ctx, path, attributes, content)
}

func (b *boxes) upload(ctx context.Context) (string, string, error) {
	to := b.items.pick(b.words, (*boxItem).takes)
	if to == nil {
		return "", "", errNothing
	}
	name := b.number() + " " + b.words.FileName([...]string{"txt", "md", "csv"}[b.words.IntN(3)])
	made, err := b.send(ctx, "/api/2.0/files/content", object{"name": name, "parent": object{"id": to.id}}, b.content())
	if err != nil {
		return "", "", b.forget(to, err)
	}
	it := b.items.add(&boxItem{id: text(made["id"]), name: text(made["name"]), own: true, parent: to})
	return it.id, it.name, nil
}

func (b *boxes) newVersion(ctx context.Context) (string, string, error) {
	it := b.items.pick(b.words, (*boxItem).isFile)
	if it == nil {
		return "", "", errNothing
	}
	if _, err := b.send(ctx, "/api/2.0/files/"+it.id+"/content", nil, b.content()); err != nil {
		return "", "", b.forget(it, err)
	}
	return it.id, it.name, nil
}

func (b *boxes) rename(ctx context.Context) (string, string, error) {
	name := b.number() + " " + b.words.FileName("txt")
	it, _, err := b.change(ctx, (*boxItem).loose, "PUT", "", object{"name": name})
	if err != nil {
		return "", "", err
	}
	it.name = name
	return it.id, name, nil
}

func (b *boxes) move(ctx context.Context) (string, string, error) {
	to := b.items.pick(b.words, (*boxItem).takes)
	if to == nil {
		return "", "", errNothing
	}
	it, _, err := b.change(ctx, func(it *boxItem) bool { return it.loose() && !to.within(it) }, "PUT", "", object{"parent": object{"id": to.id}})
	if err != nil {
		return "", "", err
	}
	it.parent = to
	return it.id, it.name, nil
}

func (b *boxes) copy(ctx context.Context) (string, string, error) {
	to := b.items.pick(b.words, (*boxItem).takes)
	if to == nil {
		return "", "", errNothing
	}
	_, made, err := b.change(ctx, (*boxItem).isFile, "POST", "/copy", object{"parent": object{"id": to.id}, "name": b.number() + " " + b.words.FileName("txt")})
	if err != nil {
		return "", "", err
	}
	it := b.items.add(&boxItem{id: text(made["id"]), name: text(made["name"]), own: true, parent: to})
	return it.id, it.name, nil
}

func (b *boxes) trash(ctx context.Context) (string, string, error) {
	it := b.items.pick(b.words, (*boxItem).loose)
	if it == nil {
		return "", "", errNothing
	}
	suffix := ""
	if it.folder {
		suffix = "?recursive=true"
	}
	if _, err := b.box(ctx, "DELETE", it.path()+suffix, nil); err != nil {
		return "", "", b.forget(it, err)
	}
	it.trashed = true
	return it.id, it.name, nil
}

func (it *boxItem) inTrash() bool { return it.trashed && !it.parent.away() }

func (b *boxes) restore(ctx context.Context) (string, string, error) {
	it, _, err := b.change(ctx, (*boxItem).inTrash, "POST", "", object{})
	if err != nil {
		return "", "", err
	}
	it.trashed = false
	return it.id, it.name, nil
}

func (b *boxes) purge(ctx context.Context) (string, string, error) {
	it, _, err := b.change(ctx, (*boxItem).inTrash, "DELETE", "/trash", nil)
	if err != nil {
		return "", "", err
	}
	b.items.drop(it)
	return it.id, it.name, nil
}

func (b *boxes) createFolder(ctx context.Context) (string, string, error) {
	to := b.items.pick(b.words, (*boxItem).takes)
	if to == nil {
		return "", "", errNothing
	}
	made, err := b.box(ctx, "POST", "/2.0/folders", object{"name": b.words.Project() + " " + b.number(), "parent": object{"id": to.id}})
	if err != nil {
		return "", "", b.forget(to, err)
	}
	it := b.items.add(&boxItem{id: text(made["id"]), name: text(made["name"]), folder: true, own: true, parent: to})
	return it.id, it.name, nil
}

func (b *boxes) describe(ctx context.Context) (string, string, error) {
	it, _, err := b.change(ctx, (*boxItem).isFile, "PUT", "", object{"description": b.words.Sentence()})
	if err != nil {
		return "", "", err
	}
	return it.id, it.name, nil
}
