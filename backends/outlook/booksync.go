package outlook

import (
	"context"
	"errors"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/graph/subscription"
)

// shownContact tells how a folder shows a contact.
func (s *service) shownContact(b *book, id string, sink backends.Sink) (backends.Shown, bool) {
	for _, at := range sink.Where(s.id(b.mailbox, "contact", id, "vcf")) {
		if at.Collection == b.collection() {
			return at, true
		}
	}
	return backends.Shown{}, false
}

// syncBook makes a folder of contacts right by its cursor, unless the notifications bring nothing new.
func (fl *follower) syncBook(ctx context.Context, b *book, n []subscription.Notification, sink backends.Sink) ([]subscription.Notification, error) {
	if !sink.Dir(b.dir()).Whole {
		return nil, nil
	}
	if len(n) == 0 {
		return nil, fl.listBook(ctx, b, sink)
	}
	if err := b.ops.acquire(ctx); err != nil {
		return nil, err
	}
	defer b.ops.release()
	var left []subscription.Notification
	for _, x := range n {
		at, here := fl.shownContact(b, x.ID, sink)
		if x.ID == "" || !consistent(x, at.Info.ETag, here) {
			left = append(left, x)
			continue
		}
		b.gone.hear(x)
	}
	if len(left) == 0 {
		return nil, nil
	}
	told, err := fl.readBook(ctx, b, nil, sink)
	if err != nil {
		return nil, err
	}
	var open []subscription.Notification
	shown := func(id string) (backends.Shown, bool) { return fl.shownContact(b, id, sink) }
	for _, x := range oneOfEach(unsettled(left, shown)) {
		at, here := shown(x.ID)
		if (here || !told[x.ID]) && fl.isEarly(x) {
			open = append(open, x)
			continue
		}
		if told[x.ID] {
			continue
		}
		late, err := fl.isLate(ctx, b, x, at, here)
		if err != nil {
			return nil, err
		}
		if !late {
			open = append(open, x)
		}
	}
	return open, nil
}

// isLate tells whether a notification that the cursor's answer does not account for is about what was overtaken: the contact
// is as it is shown, or in another folder, or gone as it is from here.
func (s *service) isLate(ctx context.Context, b *book, n subscription.Notification, at backends.Shown, here bool) (bool, error) {
	raw, err := s.client.Raw(ctx, s.prefix(b.mailbox)+graph.Path("contacts", n.ID), graph.Opts("$select", "id,parentFolderId"))
	if errors.Is(err, backends.ErrNotFound) {
		return !here && b.gone.has(n.ID), nil
	}
	if err != nil && !concernsAll(err) {
		s.log.Warn("the contact of a notification can't be read", "id", n.ID, "error", err)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var x facts
	scanFacts(raw, &x)
	parent, err := parentFolder(raw)
	if err != nil {
		return false, err
	}
	if parent != b.id {
		return !here, nil
	}
	return here && x.ETag == at.Info.ETag, nil
}
