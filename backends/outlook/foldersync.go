package outlook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/graph/subscription"
)

// where tells which whole months show a message.
func (s *service) where(mailbox, id string, sink backends.Sink) []backends.Shown {
	return sink.Where(s.id(mailbox, "message", id, s.mailFormats(mailbox)[0]))
}

// shownIn tells where a folder shows a message.
func (s *service) shownIn(f *folder, id string, sink backends.Sink) (backends.Shown, bool) {
	for _, at := range s.where(f.mailbox, id, sink) {
		if at.Collection == f.collection() {
			return at, true
		}
	}
	return backends.Shown{}, false
}

// monthOfDir gives the month that a directory shows.
func monthOfDir(dir backends.DirKey) (month, bool) {
	k := split(string(dir))
	if k[0] != kindMonth || len(k) != 4 {
		return 0, false
	}
	return parseMonth(k[3])
}

// syncFolder makes what is shown of a folder right by its cursor, and by looking at single messages where notifications are
// about what the cursor does not cover or does not tell.
func (fl *follower) syncFolder(ctx context.Context, f *folder, n []subscription.Notification, sink backends.Sink) ([]subscription.Notification, error) {
	if len(n) > 0 {
		f.turn()
	}
	d, left, err := fl.syncCursor(ctx, f, n, sink)
	if errors.Is(err, errNoCursor) {
		if d, left, err = newDelta(), n, fl.readWholeNow(ctx, f, sink); err != nil {
			return nil, err
		}
	}
	if err != nil || len(left) == 0 {
		return nil, err
	}
	if err := f.ops.acquire(ctx); err != nil {
		return nil, err
	}
	defer f.ops.release()
	return fl.lookUp(ctx, f, d, left, sink)
}

// syncCursor asks the cursor what changed unless the notifications bring nothing new, or are all about messages that it does
// not cover. It gives back those that remain to be looked into; errNoCursor means that the folder has to be read whole.
func (fl *follower) syncCursor(ctx context.Context, f *folder, n []subscription.Notification, sink backends.Sink) (*delta, []subscription.Notification, error) {
	if err := f.ops.acquire(ctx); err != nil {
		return nil, nil, err
	}
	defer f.ops.release()
	st := fl.snapshot(f, sink)
	d := newDelta()
	if !st.Listed || !fl.coveredInUse(f, &st, sink) || st.Busy && st.Extent == "" {
		return d, n, nil
	}
	if st.Link != "" && len(n) > 0 {
		asks := false
		var left []subscription.Notification
		for _, x := range n {
			at, here := fl.shownIn(f, x.ID, sink)
			if x.ID != "" && consistent(x, at.Info.ETag, here) {
				f.gone.hear(x)
				continue
			}
			left = append(left, x)
			asks = asks || x.ID == "" || !fl.isOutside(f, &st, x.ID, sink)
		}
		if n = left; !asks {
			return d, n, nil
		}
	}
	d, err := fl.ask(ctx, f, sink)
	return d, n, err
}

// isOutside tells whether a message is known to lie in a month that the cursor does not cover: it is shown there, or was
// where it comes from.
func (s *service) isOutside(f *folder, st *folderState, id string, sink backends.Sink) bool {
	all := s.where(f.mailbox, id, sink)
	for _, at := range all {
		if m, ok := monthOfDir(at.Dir); !ok || st.covers(m) {
			return false
		}
	}
	return len(all) > 0
}

// readWholeNow reads the folder by a round of its own or the one under way, and waits for it.
func (s *service) readWholeNow(ctx context.Context, f *folder, sink backends.Sink) error {
	f.mu.Lock()
	r := f.round
	if r == nil {
		r = s.startRound(ctx, f, sink)
	}
	f.mu.Unlock()
	r.want()
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// lookUp looks into the notifications that the cursor's answer d does not account for: it asks for each message by itself.
// It gives back those whose message can't be read yet. Needs the operation lock.
func (fl *follower) lookUp(ctx context.Context, f *folder, d *delta, n []subscription.Notification, sink backends.Sink) ([]subscription.Notification, error) {
	st := fl.snapshot(f, sink)
	var todo, open []subscription.Notification
	shown := func(id string) (backends.Shown, bool) { return fl.shownIn(f, id, sink) }
	for _, x := range unsettled(n, shown) {
		_, here := shown(x.ID)
		switch {
		case d.tells(x.ID) && here && fl.isEarly(x):
			// It may have told of an earlier change.
			open = append(open, x)
		case d.tells(x.ID):
		case !fl.concernsShown(f, &st, x.ID, here, sink):
			// The next look at the folder finds the month that it may be in.
			fl.expire(f, f.dir())
		default:
			todo = append(todo, x)
		}
	}
	todo = oneOfEach(todo)
	if len(todo) > fl.limits.lookUps {
		return append(open, fl.expireMonths(f, &st, todo, sink)...), nil
	}
	for _, x := range todo {
		settled, err := fl.take(ctx, f, x, sink)
		if err != nil {
			return nil, err
		}
		if !settled {
			open = append(open, x)
		}
	}
	return open, nil
}

// concernsShown tells whether a message is, or may be, one of those of the months that are listed. Where nobody looked at the
// newest months, new mail is none of them.
func (s *service) concernsShown(f *folder, st *folderState, id string, here bool, sink backends.Sink) bool {
	if here || s.coveredInUse(f, st, sink) {
		return true
	}
	for _, at := range s.where(f.mailbox, id, sink) {
		if m, ok := monthOfDir(at.Dir); ok && sink.Dir(f.month(m)).Whole {
			return true
		}
	}
	return false
}

// expire has directories that no cursor covers listed at their next look.
func (fl *follower) expire(f *folder, dirs ...backends.DirKey) {
	f.aside()
	fl.Expire(dirs...)
}

// aside counts something that happened to a month beside its listing.
func (f *folder) aside() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asides++
}

// expireMonths has the months expire that no cursor covers and that notifications may be about, instead of asking for one
// message after the other. It gives back those that may be about what is covered.
func (fl *follower) expireMonths(f *folder, st *folderState, n []subscription.Notification, sink backends.Sink) (open []subscription.Notification) {
	dirs := map[backends.DirKey]bool{f.dir(): true}
	for _, x := range n {
		if fl.isOutside(f, st, x.ID, sink) {
			for _, at := range fl.where(f.mailbox, x.ID, sink) {
				m, _ := monthOfDir(at.Dir)
				dirs[f.month(m)] = true
			}
			continue
		}
		open = append(open, x)
		for _, t := range st.Months {
			if m, ok := parseMonth(t); ok && !st.covers(m) {
				dirs[f.month(m)] = true
			}
		}
	}
	fl.expire(f, slices.Collect(maps.Keys(dirs))...)
	return open
}

// take asks for the message of a notification and has the folder show what it is now. It gives false when the message, or
// the change, can't be read yet. What it commits is at least as new as what the cursor will tell next, which repeats it. Needs the operation
// lock.
func (fl *follower) take(ctx context.Context, f *folder, n subscription.Notification, sink backends.Sink) (bool, error) {
	at, here := fl.shownIn(f, n.ID, sink)
	raw, err := fl.client.Raw(ctx, fl.prefix(f.mailbox)+graph.Path("messages", n.ID), fl.messageQuery(f.mailbox))
	switch {
	case errors.Is(err, backends.ErrNotFound) && (n.Change == "deleted" || f.gone.has(n.ID) && !fl.isEarly(n)):
		f.gone.add(n.ID)
		if !here {
			return true, nil
		}
		return true, fl.drop(f, at, n.ID, sink)
	case errors.Is(err, backends.ErrNotFound):
		return false, nil
	case err != nil && concernsAll(err):
		return false, fmt.Errorf("outlook: message of a notification: %w", err)
	case err != nil:
		fl.log.Warn("the message of a notification can't be read", "id", n.ID, "error", err)
		return false, nil
	}
	parent, err := parentFolder(raw)
	if err != nil {
		return false, err
	}
	if parent != f.id {
		if here {
			return true, fl.drop(f, at, n.ID, sink)
		}
		return n.Change != "created" || !fl.isEarly(n), nil
	}
	items, _ := fl.messages(f, []json.RawMessage{raw})
	if len(items) != 1 {
		return false, fmt.Errorf("outlook: message without id: %w", backends.ErrUnavailable)
	}
	if err := fl.place(ctx, f, items[0], sink); err != nil {
		return false, err
	}
	at, here = fl.shownIn(f, n.ID, sink)
	return !here || consistent(n, at.Info.ETag, here) || !fl.isEarly(n), nil
}

// place commits a message that was asked for by itself. Needs the operation lock.
func (fl *follower) place(ctx context.Context, f *folder, it item, sink backends.Sink) error {
	w := newWriter(f, sink)
	defer w.Discard()
	if err := fl.add(ctx, w, it); err != nil {
		return err
	}
	st := fl.snapshot(f, sink)
	d := newDelta()
	d.add(it.id, it.month)
	var c backends.Commit
	if st.Listed {
		if err := fl.newMonths(&st, d, w, &c); err != nil {
			return err
		}
	}
	f.aside()
	if err := w.commit(c, st); err != nil {
		return err
	}
	f.gone.take(d)
	return fl.trimMonths(f, st, sink)
}

// drop takes a message out of the month that shows it. Needs the operation lock.
func (fl *follower) drop(f *folder, at backends.Shown, id string, sink backends.Sink) error {
	w := newWriter(f, sink)
	defer w.Discard()
	w.Remove(messageItem(id))
	st := fl.snapshot(f, sink)
	f.aside()
	if err := w.commit(backends.Commit{}, st); err != nil {
		return err
	}
	m, ok := monthOfDir(at.Dir)
	if !ok || st.covers(m) {
		return fl.trimMonths(f, st, sink)
	}
	if !sink.Dir(at.Dir).Empty {
		return nil
	}
	// It may have been the oldest month, of which the listing of the folder has to find out.
	st.RangeAt = 0
	w = newWriter(f, sink)
	defer w.Discard()
	if err := w.commit(backends.Commit{}, st); err != nil {
		return err
	}
	fl.Expire(f.dir())
	return nil
}

// parentOf asks for the folder of a message.
func (s *service) parentOf(ctx context.Context, mailbox, id string) (string, error) {
	raw, err := s.client.Raw(ctx, s.prefix(mailbox)+graph.Path("messages", id), graph.Opts("$select", "id,parentFolderId"))
	if err != nil {
		return "", err
	}
	return parentFolder(raw)
}

func parentFolder(raw json.RawMessage) (string, error) {
	var x struct {
		ParentFolderID string `json:"parentFolderId"`
	}
	if err := decode(raw, &x); err != nil || x.ParentFolderID == "" {
		return "", fmt.Errorf("outlook: item without folder: %w", backends.ErrUnavailable)
	}
	return x.ParentFolderID, nil
}
