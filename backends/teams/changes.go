package teams

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/rest"
)

// deltaReach is how far back the delta of a channel goes; a day less, for clocks that differ.
const deltaReach = 8*30*24*time.Hour - 24*time.Hour

// errReread says that what changed can't be told and the conversation has to be read anew.
var errReread = errors.New("the service can't tell what changed")

// mustReread tells whether a failure to follow a link or a delta is cured by reading from the start.
func mustReread(err error) bool {
	var e *rest.Error
	return errors.Is(err, errReread) || graph.IsResync(err) ||
		errors.As(err, &e) && e.Status == http.StatusBadRequest
}

// catchUp asks what changed since the conversation was read and makes all its whole directories fresh.
func (c *conversation) catchUp(ctx context.Context, dir backends.DirKey, sink backends.Sink) error {
	since, ok := c.loadMark(sink)
	if !ok {
		return errReread
	}
	b := sink.Begin(c.collection())
	defer b.Discard()
	how := backends.Commit{Fresh: true, Memory: map[string][]byte{}}
	next := since
	take := func(p graph.Page) error {
		for _, raw := range p.Values {
			messages, _, modified, err := c.thread(ctx, raw)
			if err != nil {
				return err
			}
			next.Modified = later(next.Modified, modified)
			if err := c.add(b, &how, messages...); err != nil {
				return err
			}
			for _, m := range messages {
				if err := b.Add(c.dir(), c.monthEntry(m.month)); err != nil {
					return err
				}
			}
		}
		return nil
	}
	var err error
	if c.kind == kindChannel {
		next.Link, err = c.channelDelta(ctx, since, take)
	} else {
		_, err = c.s.client.Pages(ctx, c.messagesPath(), c.query("$top", pageSize, "$orderby", "lastModifiedDateTime desc",
			"$filter", "lastModifiedDateTime gt "+stamp(since.Modified)), take)
	}
	if err != nil {
		return err
	}
	if dir == c.dir() {
		if err := c.addMembers(ctx, b, sink); err != nil {
			return err
		}
	}
	how.Memory[c.markKey()] = next.value()
	return b.Commit(how)
}

// channelDelta runs the channel's delta: from its link, the first time from the mark.
func (c *conversation) channelDelta(ctx context.Context, since mark, take func(graph.Page) error) (link string, err error) {
	path, q := since.Link, c.query()
	if path == "" {
		if c.s.now().Sub(since.Modified) > deltaReach {
			return "", errReread
		}
		path = c.messagesPath() + "/delta"
		q = c.query("$top", pageSize, "$expand", "replies", "$filter", "lastModifiedDateTime gt "+stamp(since.Modified))
	}
	link, err = c.s.client.Pages(ctx, path, q, take)
	if err != nil {
		return "", err
	}
	if link == "" {
		return "", fmt.Errorf("%w: a delta without a link", errReread)
	}
	return link, nil
}

// addMembers brings the table of members up to date.
func (c *conversation) addMembers(ctx context.Context, b backends.Batch, sink backends.Sink) error {
	if c.kind == kindChannel {
		entries, err := c.channelEntries(ctx)
		if err != nil {
			return err
		}
		return b.Add(c.dir(), entries...)
	}
	members, err := c.s.chatMembers(ctx, c.id)
	if err != nil {
		return err
	}
	return b.Add(c.dir(), memberTable(join(c.identity(), "members"), members))
}
