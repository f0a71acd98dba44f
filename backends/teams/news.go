package teams

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph/subscription"
)

// sync commits what changed in the conversation, with one request where notifications say that something did.
func (c *conversation) sync(ctx context.Context, told []subscription.Notification, sink backends.Sink) (open []subscription.Notification, err error) {
	if err := await(ctx, c.turn); err != nil {
		return told, err
	}
	defer func() { c.turn <- struct{}{} }()
	if _, known := c.loadMark(sink); !known {
		return nil, nil // nothing was read yet that could be kept right
	}
	if err := c.commitData(told, sink); err != nil {
		return told, err
	}
	if !c.rereading() {
		// Without news there is time for what nobody tells of.
		open, err = c.catchUp(ctx, len(told) == 0, told, sink)
		if !mustReread(err) && !(len(told) > 0 && errors.Is(err, backends.ErrNotFound)) {
			return open, err
		}
	}
	if len(told) > 0 {
		// One by one they can be had without the delta. All else is for the next time that the whole is asked for.
		return c.readTold(ctx, told, sink)
	}
	if c.kind != kindChannel {
		return nil, fmt.Errorf("%w: what changed in a chat can't be told: %v", backends.ErrUnavailable, err)
	}
	if !c.rereading() {
		c.s.log.Info("reading a conversation anew", "kind", c.kind, "id", c.id, "error", err)
		c.pass = newPass(true)
	}
	return nil, c.readChannel(ctx, month{}, sink)
}

// commitData shows messages that came within notifications at once; the delta confirms them.
func (c *conversation) commitData(told []subscription.Notification, sink backends.Sink) error {
	var b backends.Batch
	how := backends.Commit{Memory: map[string][]byte{}}
	months := map[month]bool{}
	for _, n := range told {
		var f facts
		if len(n.Data) == 0 || json.Unmarshal(n.Data, &f) != nil || f.ID == "" || f.Created == "" {
			continue
		}
		at := parsePath(n.Path)
		root := at.root()
		if f.ReplyTo != "" && f.ReplyTo != f.ID {
			root = f.ReplyTo
		}
		if f.ID != at.id() || c.known(root, f.ID, sink).version.atLeast(versionOf(f.ETag)) {
			continue // it is about something else, or older than what is shown
		}
		if b == nil {
			b = sink.Begin(c.collection())
			defer b.Discard()
		}
		m := c.message(n.Data, &f, root)
		if err := c.add(b, &how, m); err != nil {
			return err
		}
		months[m.month] = true
	}
	if b == nil {
		return nil
	}
	if err := c.addMonths(b, &how, months, sink); err != nil {
		return err
	}
	return b.Commit(how)
}

// readTold reads the messages of notifications, each by itself. Those that are not there yet are given back.
func (c *conversation) readTold(ctx context.Context, told []subscription.Notification, sink backends.Sink) (open []subscription.Notification, err error) {
	b := sink.Begin(c.collection())
	defer b.Discard()
	how := backends.Commit{Memory: map[string][]byte{}}
	months := map[month]bool{}
	round := map[string]bool{}
	for _, n := range told {
		at := parsePath(n.Path)
		root, id := at.root(), at.id()
		if id == "" || n.Change == "" || round[item(root, id)] {
			continue
		}
		raw, err := c.s.client.Raw(ctx, c.messagePath(root, id), c.query())
		if errors.Is(err, backends.ErrNotFound) {
			open = append(open, n)
			continue
		}
		if err != nil {
			return told, err
		}
		f, ok := c.decode(raw)
		if !ok {
			continue
		}
		if f.ReplyTo != "" && f.ReplyTo != f.ID {
			root = f.ReplyTo
		}
		m := c.message(raw, &f, root)
		if err := c.add(b, &how, m); err != nil {
			return told, err
		}
		if c.pass != nil {
			c.pass.take([]message{m})
		}
		c.note(m, round)
		months[m.month] = true
	}
	if err := c.addMonths(b, &how, months, sink); err != nil {
		return told, err
	}
	return open, b.Commit(how)
}

// version is a message's etag, which is the time of its last modification in milliseconds; "" when nothing is known.
type version string

func versionOf(etag string) version {
	return version(strings.Trim(strings.TrimPrefix(etag, "W/"), `"`))
}

// atLeast tells whether a version certainly is another one or later than it.
func (v version) atLeast(other version) bool {
	if v == other {
		return v != ""
	}
	a, errA := strconv.ParseInt(string(v), 10, 64)
	b, errB := strconv.ParseInt(string(other), 10, 64)
	return errA == nil && errB == nil && a >= b
}

// lately is what a conversation remembers of a message that was read lately.
type lately struct {
	version version
	deleted bool
}

// maxLately bounds how many messages a conversation remembers.
const maxLately = 1000

// note remembers a message that was read, and that it was in this round. Notifications may name a reply without its post.
func (c *conversation) note(m message, round map[string]bool) {
	if c.lately == nil || len(c.lately) >= maxLately {
		c.lately = map[string]lately{}
	}
	for _, key := range []string{item(m.root, m.id), item("", m.id)} {
		round[key] = true
		c.lately[key] = lately{versionOf(m.etag), m.deleted}
	}
}

// known gives what is known of a message that was read lately or is shown.
func (c *conversation) known(root, id string, sink backends.Sink) lately {
	if l, ok := c.lately[item(root, id)]; ok {
		return l
	}
	for _, format := range c.s.formats {
		for _, shown := range sink.Where(join(c.messageID(root, id), format)) {
			return lately{version: versionOf(shown.Info.ETag)}
		}
	}
	return lately{}
}

// accounted tells whether what a notification tells of has been read, in this round or before. Most notifications of
// messages have no version, so a change that was read before its notification came looks like one that can't be read yet.
func (c *conversation) accounted(n subscription.Notification, round map[string]bool, sink backends.Sink) bool {
	at := parsePath(n.Path)
	if n.Change == "" || at.id() == "" {
		return true // it does not say what to look for
	}
	told := versionOf(n.ETag)
	var f facts
	if told == "" && json.Unmarshal(n.Data, &f) == nil {
		told = versionOf(f.ETag)
	}
	known := c.known(at.root(), at.id(), sink)
	switch {
	case known.version.atLeast(told):
		return true
	case told.atLeast(known.version):
		return false // by number: it is later
	case round[item(at.root(), at.id())]:
		return true
	}
	return n.Change == "created" && known.version != "" || n.Change == "deleted" && known.deleted
}
