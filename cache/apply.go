package cache

import (
	"bytes"
	"errors"
	"slices"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/names"
)

// oldEntry is an entry that a directory had before the batch.
type oldEntry struct {
	cookie  uint64
	raw     []byte // of the transaction
	rawDet  []byte
	entry   entry
	ident   ident
	matched bool // an addition has its identity
}

// newEntry is an entry that the directory has after it.
type newEntry struct {
	want names.Wanted
	name string
	add  *addition // nil: the entry stays as it is, but for its name
	old  *oldEntry // what the directory had of that identity
	same bool      // with the same detail
	coll uint64
}

// apply brings one directory up to date.
func (a *applier) apply(w *dirWork) error {
	if w.staged != nil {
		return a.applyStaged(w)
	}
	olds, err := a.olds(w)
	if err != nil {
		return err
	}
	byIdent := make(map[ident]*oldEntry, len(olds))
	for i := range olds {
		byIdent[olds[i].ident] = &olds[i]
	}
	news := make([]newEntry, len(w.adds))
	for i, at := range w.adds {
		n := &news[i]
		add, err := a.b.load(a.b.adds.at(at))
		if err != nil {
			return err
		}
		n.add, n.coll = add.addition, a.coll
		if n.old = byIdent[add.ident]; n.old != nil {
			n.old.matched = true
		}
	}
	stay, err := a.namesStay(w, len(olds), news)
	if err == nil && !stay {
		news, err = a.name(w, olds, news)
	}
	if err != nil {
		return err
	}
	changed := false
	for i := range olds {
		if o := &olds[i]; !o.matched {
			changed = true
			if err := a.drop(w, o); err != nil {
				return err
			}
			a.event(w, backends.EventRemoved, &o.entry, o.rawDet)
		}
	}
	// Entries that get another name leave before any comes, so that names can be swapped.
	for i := range news {
		n := &news[i]
		if n.old != nil && n.old.entry.name != n.name {
			if n.add == nil {
				if n.add, err = a.additionOf(n.old); err != nil {
					return err
				}
			}
			changed = true
			if err := a.drop(w, n.old); err != nil {
				return err
			}
			a.event(w, backends.EventRemoved, &n.old.entry, n.old.rawDet)
			n.old, n.same = nil, false
		}
	}
	for i := range news {
		n := &news[i]
		if n.add == nil {
			continue
		}
		add, err := a.b.load(n.add)
		if err != nil {
			return err
		}
		if n.same && add.unchanged(&n.old.entry, n.coll) {
			continue
		}
		moved, err := a.put(w, n, &add)
		if err != nil {
			return err
		}
		changed = changed || moved
	}
	return a.close(w, changed)
}

// namesStay tells whether a directory that is listed whole, and had so many entries, has the same ones with the same wishes:
// then it gives them their names, and nothing has to be named anew.
func (a *applier) namesStay(w *dirWork, had int, news []newEntry) (bool, error) {
	stay := w.listing != nil && len(news) == had
	for i := range news {
		n := &news[i]
		if n.old == nil {
			stay = false
			continue
		}
		add, err := a.b.load(n.add)
		if err != nil {
			return false, err
		}
		n.name = n.old.entry.name
		if n.same = bytes.Equal(add.packed.raw, n.old.rawDet); n.same || !stay {
			continue
		}
		d, err := add.packed.detail()
		if err != nil {
			return false, err
		}
		old, err := decodeDetail(n.old.rawDet)
		if err != nil {
			return false, err
		}
		stay = d.Name == old.Name
	}
	if stay {
		return true, nil
	}
	for i := range news {
		add, err := a.b.load(news[i].add)
		if err != nil {
			return false, err
		}
		d, err := add.packed.detail()
		if err != nil {
			return false, err
		}
		news[i].want = cloned(d.Name)
	}
	return false, nil
}

// unchanged tells whether an addition certainly leaves an entry as it is that has the same name and detail.
func (p *pending) unchanged(e *entry, coll uint64) bool {
	if p.flags&isDir != 0 || p.flags != e.flags&(isDir|ranged) || e.coll != coll || p.own || p.body != e.body {
		return false
	}
	if p.size >= 0 && p.size != e.size && !e.is(learnt) {
		return false
	}
	if p.mtime.IsZero() != e.is(ownTime) || !p.mtime.IsZero() && !p.mtime.Equal(e.mtime) || !p.btime.Equal(e.btime) {
		return false
	}
	return e.is(refetched) || !p.ctime.IsZero() && p.ctime.Equal(e.ctime)
}

// applyStaged adds to a staged directory what was left to the commit.
func (a *applier) applyStaged(w *dirWork) error {
	for i := range w.staged.rest {
		n := &w.staged.rest[i]
		add, err := a.b.load(n.add)
		if err != nil {
			return err
		}
		if _, err := a.put(w, n, &add); err != nil {
			return err
		}
	}
	if err := a.tx.Bucket(bucketStaging).Delete(keyNode(w.node)); err != nil {
		return err
	}
	return a.close(w, false)
}

// additionOf makes an addition of an entry that is there already.
func (a *applier) additionOf(o *oldEntry) (*addition, error) {
	d, err := decodeDetail(o.rawDet)
	if err != nil {
		d = detail{}
	}
	h := head{
		flags: o.entry.flags & (isDir | ranged), ident: o.ident, ino: a.c.ino(a.s.scope, d.ID), size: o.entry.size,
		mtime: o.entry.mtime, ctime: o.entry.ctime, btime: o.entry.btime, version: hash64(d.Version), content: hash64(d.Version),
	}
	if o.entry.is(ownTime) && o.entry.is(isDir) {
		h.mtime, h.ctime = zeroTime, zeroTime
	}
	p := &addition{body: o.entry.body, hasItem: d.Item != ""}
	if p.hasItem {
		p.item = itemHash(d.Item)
	}
	p.det, err = a.b.details.add(append(h.append(nil), o.rawDet...))
	return p, err
}

// olds loads the entries that the batch may change: all where the directory is listed whole, else those of its items
// and identities.
func (a *applier) olds(w *dirWork) ([]oldEntry, error) {
	if w.listing != nil {
		return a.allOlds(w, nil)
	}
	for _, i := range w.adds {
		p, err := a.b.load(a.b.adds.at(i))
		if err != nil {
			return nil, err
		}
		_, k, err := a.inode(&p)
		if err != nil {
			return nil, err
		}
		for _, at := range k.places {
			if at.dir == w.node {
				w.touch(at.cookie)
			}
		}
		if p.flags&isDir != 0 && k.node != 0 {
			if rec, err := a.getDir(k.node); err == nil && rec.parent == w.node {
				w.touch(rec.cookie)
			}
		}
	}
	cookies := make([]uint64, 0, len(w.touched))
	for c := range w.touched {
		cookies = append(cookies, c)
	}
	slices.Sort(cookies)
	var olds []oldEntry
	for _, c := range cookies {
		key := place{w.node, c}.key()
		raw := a.tx.Bucket(bucketEntries).Get(key)
		if raw == nil {
			continue
		}
		o, err := a.old(c, raw, a.tx.Bucket(bucketDetails).Get(key))
		if err != nil {
			return nil, err
		}
		olds = append(olds, o)
	}
	return olds, nil
}

func (a *applier) old(cookie uint64, raw, rawDet []byte) (oldEntry, error) {
	e, err := decodeEntry(raw)
	if err != nil {
		return oldEntry{}, err
	}
	d, err := decodeDetail(rawDet)
	if err != nil {
		return oldEntry{}, err
	}
	return oldEntry{cookie: cookie, raw: raw, rawDet: rawDet, entry: e, ident: identOf(a.s.scope, d.ID)}, nil
}

// allOlds loads the entries of a directory but for some cookies.
func (a *applier) allOlds(w *dirWork, but map[uint64]bool) ([]oldEntry, error) {
	var olds []oldEntry
	prefix := keyNode(w.node)
	c := a.tx.Bucket(bucketEntries).Cursor()
	details := a.tx.Bucket(bucketDetails)
	for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = c.Next() {
		at := placeAt(k)
		if but[at.cookie] {
			continue
		}
		o, err := a.old(at.cookie, v, details.Get(k))
		if err != nil {
			return nil, err
		}
		olds = append(olds, o)
	}
	return olds, nil
}

// name gives all entries their final names. As long as no name depends on another entry, additions can be named alone
// when nobody has their names; else the whole directory is named, which may rename entries that stay.
func (a *applier) name(w *dirWork, olds []oldEntry, news []newEntry) ([]newEntry, error) {
	if w.listing == nil {
		if len(news) == 0 && w.rec.plain {
			return news, nil
		}
		if w.rec.plain {
			if assign(news) && a.free(w, olds, news) {
				return news, nil
			}
		}
		but := make(map[uint64]bool, len(olds))
		for i := range olds {
			but[olds[i].cookie] = true
		}
		kept, err := a.allOlds(w, but)
		if err != nil {
			return nil, err
		}
		for i := range kept {
			d, err := decodeDetail(kept[i].rawDet)
			if err != nil {
				return nil, err
			}
			news = append(news, newEntry{want: cloned(d.Name), old: &kept[i], coll: kept[i].entry.coll})
		}
	}
	w.rec.plain = assign(news)
	return news, nil
}

// assign names entries as a whole directory, and tells whether all names are plain.
func assign(news []newEntry) bool {
	wanted := make([]names.Wanted, len(news))
	for i := range news {
		wanted[i] = news[i].want
	}
	all := true
	for i, name := range names.Assign(wanted) {
		news[i].name = name
		all = all && plain(wanted[i], name)
	}
	return all
}

// plain tells whether a name is certainly what its entry alone would have got.
func plain(w names.Wanted, name string) bool {
	if w.User || w.Fixed {
		return name == w.Stem+w.Ext
	}
	return len(name) == len(w.Stem)+1+names.HashLen+len(w.Ext)
}

// free tells whether the additions' names are nobody else's.
func (a *applier) free(w *dirWork, olds []oldEntry, news []newEntry) bool {
	leaving := make(map[uint64]bool, len(olds))
	for i := range olds {
		leaving[olds[i].cookie] = true
	}
	for i := range news {
		if v := a.names.get(keyIn(w.node, news[i].name)); v != nil && !leaving[number(v)] {
			return false
		}
	}
	return true
}

// drop takes an entry out of its directory.
func (a *applier) drop(w *dirWork, o *oldEntry) error {
	at := place{w.node, o.cookie}
	d, err := decodeDetail(o.rawDet)
	if err != nil {
		return err
	}
	if d.Item != "" {
		a.dropItem(o.entry.coll, itemHash(d.Item), at)
	}
	if o.entry.is(isDir) {
		err = a.orphan(o.entry.node, at)
	} else {
		err = a.dropNode(o, at)
	}
	if err != nil {
		return err
	}
	a.bytes -= max(o.entry.size, 0)
	a.count--
	w.rec.count--
	return a.deleteKeys(at, o.entry.name)
}

func (a *applier) deleteKeys(at place, name string) error {
	key := at.key()
	if err := a.tx.Bucket(bucketEntries).Delete(key); err != nil {
		return err
	}
	if err := a.tx.Bucket(bucketDetails).Delete(key); err != nil {
		return err
	}
	nameKey := keyIn(at.dir, name)
	if number(a.names.get(nameKey)) == at.cookie {
		a.names.delete(nameKey)
	}
	return nil
}

// dropNode notes that a file is not shown at a place any more, and that its body is nobody's if other places have none or
// another.
func (a *applier) dropNode(o *oldEntry, at place) error {
	err := dropPlace(a.tx, o.entry.node, at, retired{since: a.now, scope: a.s.no, entry: o.raw, det: o.rawDet})
	v := a.tx.Bucket(bucketNodes).Get(keyNode(o.entry.node))
	if err != nil || o.entry.body == 0 || len(v) == 0 || v[0] != nodePlaces {
		return err
	}
	for _, p := range decodePlaces(v[1:]) {
		e, err := decodeEntry(a.tx.Bucket(bucketEntries).Get(p.key()))
		if err != nil || e.body == o.entry.body {
			return err
		}
	}
	a.loose[o.entry.body] = true
	return nil
}

// orphan notes that a directory is not listed at a place any more.
func (a *applier) orphan(n backends.NodeID, at place) error {
	rec, err := a.getDir(n)
	if errors.Is(err, backends.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if rec.parent != at.dir || rec.cookie != at.cookie {
		return nil // it has moved
	}
	rec.parent, rec.cookie, rec.gone = 0, 0, a.now
	if err := a.tx.Bucket(bucketOrphans).Put(timeKey(a.now, n), nil); err != nil {
		return err
	}
	return a.putDir(n, &rec)
}

// put stores an addition and tells whether the directory looks different for it.
func (a *applier) put(w *dirWork, n *newEntry, p *pending) (changed bool, err error) {
	ino, k, err := a.inode(p)
	if err != nil {
		return false, err
	}
	return a.putAs(w, n, p, ino, &k)
}

// putAs is put for who has found out what is known of the addition's inode.
func (a *applier) putAs(w *dirWork, n *newEntry, p *pending, ino uint64, k *known) (changed bool, err error) {
	var was string
	if n.old == nil {
		if was, err = a.shownAt(w, p); err != nil {
			return false, err
		}
	}
	e, err := a.entryFor(p, ino, k)
	if err != nil {
		return false, err
	}
	e.name, e.coll = n.name, n.coll
	if n.old != nil {
		return a.update(w, n, &e, p)
	}
	at := place{w.node, w.rec.next}
	w.rec.next++
	w.rec.count++
	a.count++
	a.bytes += max(e.size, 0)
	a.event(w, backends.EventAdded, &e, p.packed.raw)
	if was != "" {
		a.notes.list[len(a.notes.list)-1].was = was
	}
	a.names.put(keyIn(w.node, e.name), key64(at.cookie))
	if err := a.write(at, &e, p.packed.raw); err != nil {
		return true, err
	}
	if p.hasItem {
		a.addItem(n.coll, p.item, at)
	}
	if !e.is(isDir) && e.node != k.node {
		return true, newPlace(a.tx, e.node, at)
	}
	return true, a.settleAt(&e, at, p.ident)
}

// settleAt tells a file's node or a child directory where it stands now.
func (a *applier) settleAt(e *entry, at place, id ident) error {
	if !e.is(isDir) {
		return addPlace(a.tx, e.node, at)
	}
	rec, err := a.getDir(e.node)
	if err != nil {
		return err
	}
	rec.parent, rec.cookie, rec.gone, rec.ident = at.dir, at.cookie, zeroTime, id
	rec.ownTime = e.is(ownTime)
	return a.putDir(e.node, &rec)
}

func (a *applier) write(at place, e *entry, det []byte) error {
	key := at.key()
	entries, details := a.tx.Bucket(bucketEntries), a.tx.Bucket(bucketDetails)
	entries.FillPercent = ascending
	details.FillPercent = 1 // they seldom change their size, unlike entries whose size is learnt
	if err := entries.Put(key, e.append(nil)); err != nil {
		return err
	}
	return details.Put(key, det)
}

// update stores an addition in the place of what was there of its identity.
func (a *applier) update(w *dirWork, n *newEntry, e *entry, p *pending) (changed bool, err error) {
	o, at, det := n.old, place{w.node, n.old.cookie}, p.packed.raw
	d, err := p.packed.detail()
	if err != nil {
		return false, err
	}
	old, err := decodeDetail(o.rawDet)
	if err != nil {
		return false, err
	}
	if old.Item != d.Item || o.entry.coll != e.coll {
		if old.Item != "" {
			a.dropItem(o.entry.coll, itemHash(old.Item), at)
		}
		if d.Item != "" {
			a.addItem(e.coll, p.item, at)
		}
	}
	moved := e.node != o.entry.node || e.is(isDir) != o.entry.is(isDir)
	if moved {
		if o.entry.is(isDir) {
			err = a.orphan(o.entry.node, at)
		} else {
			err = a.dropNode(o, at)
		}
		if err != nil {
			return true, err
		}
	}
	raw := e.append(nil)
	if moved || e.is(isDir) {
		if err := a.settleAt(e, at, p.ident); err != nil {
			return true, err
		}
	}
	a.bytes += max(e.size, 0) - max(o.entry.size, 0)
	switch {
	case moved && (e.is(isDir) || o.entry.is(isDir)):
		a.event(w, backends.EventRemoved, &o.entry, o.rawDet)
		a.event(w, backends.EventAdded, e, det)
	case moved:
		if a.event(w, backends.EventReplaced, e, det) {
			a.events[len(a.events)-1].Was = o.entry.node
		}
	case !bytes.Equal(raw, o.raw):
		a.event(w, backends.EventAttr, e, det)
	}
	if bytes.Equal(raw, o.raw) && bytes.Equal(det, o.rawDet) {
		return false, nil
	}
	return moved, a.write(at, e, det)
}

// event notes a change of an entry with a detail, and tells whether: nobody can know some directories yet.
func (a *applier) event(w *dirWork, kind backends.EventKind, e *entry, det []byte) (noted bool) {
	if !w.rec.listed {
		return false
	}
	a.note(w.node, kind, e, det)
	a.events = append(a.events, backends.Event{Kind: kind, Dir: w.node, Name: e.name, Node: e.node, IsDir: e.is(isDir)})
	return true
}

// close stores the directory's record.
func (a *applier) close(w *dirWork, changed bool) error {
	r := &w.rec
	if l := w.listing; l != nil {
		r.epoch = a.c.epoch.Load()
		r.asOf = a.b.begun
		r.covered = l.Covered
		r.maxAge = l.MaxAge
		r.coll = a.coll
		r.gone = zeroTime
	}
	if changed && r.ownTime && r.listed {
		// Not at the first listing, which only tells what has been there all along.
		r.mtime = a.now
		a.state.times[r.ident] = seen{at: a.now}
		a.events = append(a.events, backends.Event{Kind: backends.EventAttr, Dir: r.parent, Node: w.node, IsDir: true})
	}
	r.listed = true
	return storeDir(a.tx, w.node, r)
}
