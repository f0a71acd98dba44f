package outlook

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/workfs/workfs/backends"
)

// syncTree renews the directories of a mailbox's folders from one listing of the upper two levels. Graph has a delta for
// folders, too, but it leaves out hidden ones and need not tell the numbers of messages. Folders further down have their age.
func (fl *follower) syncTree(ctx context.Context, mailbox string, sink backends.Sink) error {
	if !sink.Dir(dirKey(kindMail, mailbox)).Whole {
		return nil
	}
	t := fl.tree(mailbox)
	before := t.all()
	begun := time.Now().Add(-time.Nanosecond)
	if err := fl.listMail(ctx, mailbox, sink); err != nil {
		return err
	}
	for id, now := range t.all() {
		f := fl.folder(mailbox, id)
		if id == "" || !now.asOf.After(begun) || !sink.Dir(f.dir()).Whole {
			continue
		}
		var err error
		st := fl.snapshot(f, sink)
		old, known := before[id]
		switch {
		case fl.followsMonths(f, &st), fl.monthsHold(f, &st):
			err = fl.commitFolder(ctx, f, now.list, sink, nil)
		case known:
			err = fl.placeChildren(f, old.list, now.list, sink)
		default:
			fl.Expire(f.dir())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// all gives the listings that are known, by parent.
func (t *tree) all() map[string]childList {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.children)
}

// followsMonths tells whether the months that are shown of a folder are kept right by its cursor. Those that it does not
// cover are looked for by listings of the folder, now and then.
func (fl *follower) followsMonths(f *folder, st *folderState) bool {
	if !st.Listed || st.Link == "" || st.Extent != everything && !st.rangeIsYoung(fl.limits.rangeAge) {
		return false
	}
	f.mu.Lock()
	age := time.Since(f.synced)
	f.mu.Unlock()
	return fl.isLive(f.collection()) || age < 2*fl.options.PollInterval
}

// placeChildren shows what changed among the folders inside a folder, whose directory stays as old as its months are.
func (fl *follower) placeChildren(f *folder, before, now []child, sink backends.Sink) error {
	shown := map[string]string{}
	for _, c := range before {
		shown[c.ID] = c.DisplayName
	}
	fresh := slices.DeleteFunc(slices.Clone(now), func(c child) bool {
		name, ok := shown[c.ID]
		delete(shown, c.ID)
		return ok && name == c.DisplayName
	})
	if len(fresh) == 0 && len(shown) == 0 {
		return nil
	}
	batch := sink.Begin(f.collection())
	defer batch.Discard()
	for id := range shown {
		batch.Remove("folder:" + id)
	}
	if err := batch.Add(f.dir(), fl.folderEntries(f.mailbox, fresh)...); err != nil {
		return err
	}
	return batch.Commit(backends.Commit{})
}
