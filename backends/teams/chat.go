package teams

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/names"
	"github.com/workfs/workfs/backends/render"
)

// listUsers lists the users, below whom an application finds their chats.
func (s *service) listUsers(ctx context.Context, sink backends.Sink) error {
	users, err := collect[struct {
		ID  string `json:"id"`
		UPN string `json:"userPrincipalName"`
	}](ctx, s.client, "/users", graph.Opts("$select", "id,userPrincipalName", "$top", usersPage))
	if err != nil {
		return err
	}
	entries := make([]backends.Entry, 0, len(users))
	for _, u := range users {
		e := s.userDir(cmp.Or(u.UPN, u.ID), join(kindUser, u.ID), dirKey(kindUser, u.ID))
		e.Info.ServiceID = u.ID
		entries = append(entries, e)
	}
	return s.commit(sink, dirKey(kindUsers), s.refresh, distinct(entries))
}

// listChats lists the chats of a view. A chat is named by its topic, else by its members in the order of their ids.
func (s *service) listChats(ctx context.Context, view string, sink backends.Sink) error {
	path := "/me/chats"
	if view != "" {
		path = graph.Path("users", view, "chats")
	}
	chats, err := collect[struct {
		ID      string   `json:"id"`
		Topic   string   `json:"topic"`
		Created string   `json:"createdDateTime"`
		WebURL  string   `json:"webUrl"`
		Members []member `json:"members"`
	}](ctx, s.client, path, graph.Opts("$expand", "members", "$top", pageSize))
	if errors.Is(err, backends.ErrNotFound) && view != "" {
		chats, err = nil, nil // a user without Teams
	}
	if err != nil {
		return err
	}
	dir := dirKey(kindChats, view)
	memory := map[string][]byte{}
	entries := make([]backends.Entry, 0, len(chats))
	for _, chat := range chats {
		c := s.chat(view, chat.ID)
		if len(chat.Members) >= maxExpanded {
			if chat.Members, err = s.chatMembers(ctx, chat.ID); err != nil {
				return err
			}
		}
		known := card{Members: chat.Members}
		known.Created, _ = render.ParseTime(chat.Created)
		memory[c.cardKey()] = known.value()
		stem := names.Slug(chat.Topic, names.MaxStem)
		if stem == "" {
			stem = cmp.Or(names.PeopleStem(people(chat.Members)), "chat")
		}
		id := c.identity()
		entries = append(entries, backends.Entry{
			Name: names.Wanted{Stem: stem, Key: s.key(id)}, ID: id, Item: id, IsDir: true, Dir: c.dir(),
			Info: backends.Info{ServiceID: chat.ID, WebURL: chat.WebURL},
		})
	}
	b := sink.Begin(string(dir))
	defer b.Discard()
	if err := b.Add(dir, distinct(entries)...); err != nil {
		return err
	}
	return b.Commit(backends.Commit{Whole: []backends.Listing{{Dir: dir, MaxAge: s.refresh}}, Memory: memory})
}

// people gives the names of members in the order of their ids.
func people(members []member) []string {
	sorted := slices.Clone(members)
	slices.SortFunc(sorted, func(a, b member) int { return strings.Compare(a.UserID, b.UserID) })
	list := make([]string, len(sorted))
	for i, m := range sorted {
		list[i] = cmp.Or(m.DisplayName, m.Email, m.UserID)
	}
	return list
}

func (c *conversation) cardKey() string { return "card|" + c.collection() }

func (c *conversation) loadCard(sink backends.Memory) (card, bool) {
	var known card
	v, ok := sink.Get(c.cardKey())
	return known, ok && json.Unmarshal(v, &known) == nil
}

// readChat reads a month of a chat, or for the chat's directory its newest messages, which tell its months.
func (c *conversation) readChat(ctx context.Context, want month, sink backends.Sink) error {
	options := []string{"$top", pageSize, "$orderby", "createdDateTime desc"}
	if !want.isZero() && want != undated {
		options = append(options, "$filter", "createdDateTime lt "+stamp(want.next().start))
	}
	var messages []message
	var oldest, modified time.Time
	path, q := c.messagesPath(), c.query(options...)
	done := false
	for pages := 0; !done; pages++ {
		switch {
		case want.isZero() && pages == eagerPages:
		case !want.isZero() && want != undated && !oldest.IsZero() && oldest.Before(want.start):
		default:
			page, err := c.s.client.Page(ctx, path, q)
			if err != nil {
				return err
			}
			for _, raw := range page.Values {
				f, ok := c.decode(raw)
				if !ok {
					continue
				}
				m, err := c.message(raw, &f, "")
				if err != nil {
					c.s.gap("chats", "message "+f.ID+" of "+c.id+" can't be shown: "+err.Error())
					continue
				}
				messages = append(messages, m)
				oldest, modified = m.created, later(modified, m.modified)
			}
			path, q, done = page.Next, c.query(), page.Next == ""
			continue
		}
		break
	}
	return c.commitChat(ctx, want, messages, oldest, modified, done, sink)
}

// commitChat commits what was read: the months that it holds wholly, and the chat's directory if that was wanted.
func (c *conversation) commitChat(ctx context.Context, want month, messages []message, oldest, modified time.Time, done bool, sink backends.Sink) error {
	whole := func(m month) bool { return done || m != undated && oldest.Before(m.start) }
	have := map[month]bool{}
	for _, m := range messages {
		have[m.month] = true
	}
	b := sink.Begin(c.collection())
	defer b.Discard()
	how := backends.Commit{Memory: map[string][]byte{}}
	months := span(have, month{})
	if want.isZero() {
		how.Memory[c.markKey()] = mark{Modified: modified}.value()
		if !done {
			created, err := c.created(ctx, sink)
			if err != nil {
				return err
			}
			months = span(have, monthOf(created))
		}
		known, ok := c.loadCard(sink)
		if !ok {
			var err error
			if known.Members, err = c.s.chatMembers(ctx, c.id); err != nil {
				return err
			}
		}
		entries := []backends.Entry{memberTable(join(c.identity(), "members"), known.Members)}
		for _, m := range months {
			entries = append(entries, c.monthEntry(m))
		}
		if err := b.Add(c.dir(), entries...); err != nil {
			return err
		}
		how.Whole = append(how.Whole, c.listing(c.dir()))
	} else if !have[want] {
		months = append(months, want)
	}
	for _, m := range messages {
		if whole(m.month) {
			if err := c.add(b, &how, m); err != nil {
				return err
			}
		}
	}
	for _, m := range months {
		if whole(m) {
			how.Whole = append(how.Whole, c.listing(c.monthKey(m)))
		}
	}
	return b.Commit(how)
}
