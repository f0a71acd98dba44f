package box

import (
	"slices"
	"strings"
	"time"
)

// targets are the kinds of items that a trigger can be set on.
type targets uint8

const (
	onFile targets = 1 << iota
	onFolder
)

func (t targets) allows(k kind) bool {
	return k == fileKind && t&onFile != 0 || k == folderKind && t&onFolder != 0
}

// triggers that an app can ask for (guide "Webhook triggers"). WEBHOOK.DELETED and NO_ACTIVE_SESSION come unasked.
var triggers = func() map[string]targets {
	m := map[string]targets{"FILE.UPLOADED": onFolder}
	for on, names := range map[targets]string{
		onFile | onFolder: "FILE.PREVIEWED FILE.DOWNLOADED FILE.TRASHED FILE.DELETED FILE.RESTORED FILE.COPIED FILE.MOVED FILE.LOCKED " +
			"FILE.UNLOCKED FILE.RENAMED COMMENT.CREATED COMMENT.UPDATED COMMENT.DELETED METADATA_INSTANCE.CREATED " +
			"METADATA_INSTANCE.UPDATED METADATA_INSTANCE.DELETED SHARED_LINK.CREATED SHARED_LINK.UPDATED SHARED_LINK.DELETED " +
			"TASK_ASSIGNMENT.CREATED TASK_ASSIGNMENT.UPDATED SIGN_REQUEST.COMPLETED SIGN_REQUEST.DECLINED SIGN_REQUEST.EXPIRED " +
			"SIGN_REQUEST.SIGNER_EMAIL_BOUNCED",
		onFolder: "FOLDER.CREATED FOLDER.RENAMED FOLDER.DOWNLOADED FOLDER.RESTORED FOLDER.DELETED FOLDER.COPIED FOLDER.MOVED " +
			"FOLDER.TRASHED COLLABORATION.CREATED COLLABORATION.ACCEPTED COLLABORATION.REJECTED COLLABORATION.REMOVED COLLABORATION.UPDATED",
	} {
		for _, name := range strings.Fields(names) {
			m[name] = on
		}
	}
	return m
}()

// covering lists the ids of the webhooks on an item and on the folders above.
func (h *hooks) covering(it *item) []uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	var ids []uint64
	for num, w := range h.byID {
		if it.within(w.item) {
			ids = append(ids, num)
		}
	}
	slices.Sort(ids)
	return ids
}

// fired gives the triggers of a change for a webhook. Moving a file into a folder counts as an upload there.
func (ch *change) fired(w *webhook) []string {
	name := ch.trigger
	switch kind := ch.item.kind; {
	case name == "" || kind == linkKind:
		return nil
	case strings.HasPrefix(name, "*."):
		name = strings.ToUpper(kind.String()) + name[1:]
	case strings.HasPrefix(name, "FILE.") && kind != fileKind, strings.HasPrefix(name, "FOLDER.") && kind != folderKind:
		return nil
	}
	names := []string{name}
	if name == "FILE.MOVED" && !slices.Contains(ch.hooks, w.num) {
		names = append(names, "FILE.UPLOADED")
	}
	return slices.DeleteFunc(names, func(n string) bool { return !slices.Contains(w.triggers, n) })
}

// fire delivers a change to the webhooks that it concerns. The store's lock must be held.
func (h *hooks) fire(ch *change) {
	if ch.quiet || ch.trigger == "" {
		return
	}
	ids := slices.Concat(ch.hooks, h.covering(ch.item))
	if ch.action == ActionCopy {
		ids = append(ids, h.covering(ch.from)...)
	}
	slices.Sort(ids)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cleanUp(ch.at)
	for _, num := range slices.Compact(ids) {
		w := h.byID[num]
		if w == nil || (viewer{user: w.by}).look(w.item).role == "" {
			continue // the creator is gone or sees the target no longer
		}
		for _, name := range ch.fired(w) {
			w.triggered = ch.at
			h.send(w, h.payload(w, ch, name))
		}
	}
}

// payload is the body of a delivery. Its id stays the same over all attempts.
func (h *hooks) payload(w *webhook, ch *change, trigger string) object {
	if w.sessionless {
		return h.envelope(w, "NO_ACTIVE_SESSION", ch.at, ch.by, showTarget(w), []object{})
	}
	return h.envelope(w, trigger, ch.at, ch.by, h.source(w, ch, trigger), ch.additional())
}

func (h *hooks) envelope(w *webhook, trigger string, at time.Time, by *user, source, info any) object {
	return object{
		{"type", "webhook_event"}, {"id", h.newID()}, {"created_at", stamp(at, w.num)}, {"trigger", trigger},
		{"webhook", object{{"id", numeral(w.num)}, {"type", "webhook"}}}, {"created_by", by.mini()}, {"source", source}, {"additional_info", info},
	}
}

// source is the item as the creator of the webhook sees it; collaborations and comments are sources of their own, with
// the item inside (a guess).
func (h *hooks) source(w *webhook, ch *change, trigger string) object {
	c := &call{s: h.s, v: viewer{user: w.by}, now: ch.at}
	it := ch.snap
	a := c.v.look(ch.item)
	bare := object{{"id", it.id()}, {"type", it.kind.String()}}
	switch {
	case ch.collab != nil:
		return c.showCollab(ch.collab)
	case ch.comment != nil:
		return c.showComment(it, ch.comment)
	case a.role == "", trigger == "FOLDER.TRASHED": // the latter: box-python-sdk#764
		return bare
	}
	if a.top == ch.item {
		a.top = it
	}
	return slices.DeleteFunc(c.show(it, a, standard), func(m member) bool { return m.key == "item_collection" })
}

// additional is an empty array or an object, as PHP has it. Which triggers tell more, and what, is a guess.
func (ch *change) additional() any {
	ref := func(d *item) object { return object{{"id", d.id()}, {"type", "folder"}} }
	switch ch.action {
	case ActionMove:
		return object{{"before", ref(ch.from)}, {"after", ref(ch.snap.parent)}}
	case ActionRename:
		return object{{"old_name", ch.oldName}}
	}
	return []object{}
}

// Limits of the rule by which Box removes webhooks that nobody answers (guide "Delete webhooks").
const (
	longestFailing = 30 * 24 * time.Hour // since the last delivery that succeeded
	longestGap     = 14 * 24 * time.Hour // between that and the last trigger
)

// cleanUp removes the webhooks that have failed for long, and tells their addresses. mu must be held.
func (h *hooks) cleanUp(now time.Time) {
	for _, w := range h.byID {
		if now.Sub(w.succeeded) > longestFailing && w.triggered.Sub(w.succeeded) > longestGap {
			h.remove(w, now, "auto_cleanup")
		}
	}
}

// remove ends a webhook as Box does on its own. mu must be held.
func (h *hooks) remove(w *webhook, now time.Time, reason string) {
	h.drop(w)
	h.send(w, h.envelope(w, "WEBHOOK.DELETED", now, w.by, showTarget(w), object{{"reason", reason}}))
}

// revive ends the lack of a session: a user has a new token.
func (h *hooks) revive(u *user) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range h.byID {
		if w.by == u {
			w.sessionless = false
		}
	}
}
