package outlook

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/graph"
	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
	"github.com/workfs/workfs/backends/sim/outlook/query"
)

var messageSchema = query.Schema{
	"receivedDateTime": query.Time, "sentDateTime": query.Time, "lastModifiedDateTime": query.Time, "createdDateTime": query.Time,
	"isRead": query.Bool, "isDraft": query.Bool, "hasAttachments": query.Bool, "internetMessageId": query.String,
	"conversationId": query.String, "subject": query.String, "importance": query.String, "inferenceClassification": query.String,
	"from/emailAddress/address": query.String, "from/emailAddress/name": query.String, "sender/emailAddress/address": query.String,
	"sender/emailAddress/name": query.String, "categories": query.Strings, "flag/flagStatus": query.String,
	"parentFolderId": query.String, "id": query.String, "bodyPreview": query.String,
}

func messageGetter(m *mailbox.Message) query.Getter {
	return func(path string) any {
		switch path {
		case "receivedDateTime":
			return m.Received
		case "sentDateTime":
			if m.Sent.IsZero() {
				return nil
			}
			return m.Sent
		case "lastModifiedDateTime":
			return m.Modified
		case "createdDateTime":
			return m.Created
		case "isRead":
			return m.IsRead
		case "isDraft":
			return m.IsDraft
		case "hasAttachments":
			return m.HasAttachments
		case "categories":
			return m.Categories
		case "flag/flagStatus":
			if m.Flag == nil {
				return "notFlagged"
			}
			return m.Flag.Status
		}
		c := m.Content()
		part, isAddress := strings.CutPrefix(path, "from/emailAddress/")
		who := c.From
		if !isAddress {
			part, isAddress = strings.CutPrefix(path, "sender/emailAddress/")
			who = c.Sender
		}
		switch {
		case isAddress && who == nil:
			return nil
		case isAddress && part == "address":
			return who.Address
		case isAddress:
			return who.Name
		}
		switch path {
		case "subject":
			return c.Subject
		case "internetMessageId":
			return c.MessageID
		case "conversationId":
			return c.ConversationID
		case "bodyPreview":
			return preview(c)
		case "importance":
			if c.Importance == "" {
				return "normal"
			}
			return c.Importance
		case "inferenceClassification":
			if c.Other {
				return "other"
			}
			return "focused"
		}
		return nil
	}
}

func (s *Store) listMessages(c *call) {
	c.mb.RLock()
	defer c.mb.RUnlock()
	index := c.mb.All()
	if c.Param("folder") != "" {
		f := c.lookFolder()
		if f == nil {
			return
		}
		if index = f.Messages(); f.Search != nil {
			index = c.search(f)
		}
	} else if !c.owns() {
		c.AccessDenied()
		return
	}
	index = c.replicated(index)
	v, ok := c.newView()
	if !ok {
		return
	}
	if v.basic && (v.attach != nil || len(v.extended) > 0) {
		c.AccessDenied()
		return
	}
	if search := c.Query.Search; search != "" {
		if c.Query.Filter != "" || c.Query.OrderBy != "" {
			c.Error(http.StatusBadRequest, "SearchWithFilter", "The query parameter '$filter' is not supported with '$search'.")
			return
		}
		index = searchText(index, search)
	}
	filter, keys, ok := c.options(messageSchema)
	if !ok {
		return
	}
	size, ok := c.PageSize(10, 1000)
	if !ok {
		return
	}
	found := selectRows(index, filter, keys, c.Query.Skip, size, c.Query.Count)
	p := graph.Page{}
	for _, m := range found.rows {
		if v.attach != nil && c.tooHuge(v, m.Content()) {
			return
		}
		p.Items = append(p.Items, v.message(m))
	}
	if found.more {
		p.NextSkip = c.Query.Skip + len(found.rows)
	}
	if c.Query.Count {
		p.Count = &found.total
	}
	c.WritePage(p)
}

type rows struct {
	rows  mailbox.Index
	more  bool
	total int // set when it was asked for, or known anyway
}

// selectRows takes a page out of an index. Bounds on receivedDateTime cost a binary search, and so does the page when
// nothing else is filtered and the order is by received time; other conditions are checked row by row within the bounds.
func selectRows(index mailbox.Index, filter *query.Filter, keys []query.Order, skip, size int, count bool) rows {
	span, rest := filter.Split("receivedDateTime")
	from, to := 0, len(index)
	if !span.From.IsZero() {
		from = index.At(ceilSecond(span.From))
	}
	if !span.To.IsZero() {
		to = max(from, index.At(ceilSecond(span.To)))
	}
	index = index[from:to]
	byReceived := len(keys) == 0 || keys[0].Path == "receivedDateTime"
	ascending := len(keys) > 0 && !keys[0].Desc
	if !byReceived {
		var matching mailbox.Index
		for _, m := range slices.Backward(index) {
			if rest.Match(messageGetter(m)) {
				matching = append(matching, m)
			}
		}
		sortBy(matching, keys, messageGetter)
		index, rest, ascending = matching, nil, true
	}
	at := func(i int) *mailbox.Message {
		if ascending {
			return index[i]
		}
		return index[len(index)-1-i]
	}
	var out rows
	if rest == nil {
		out.total = len(index)
		for i := min(skip, len(index)); i < min(skip+size, len(index)); i++ {
			out.rows = append(out.rows, at(i))
		}
		out.more = skip+size < len(index)
		return out
	}
	for i := range index {
		m := at(i)
		if !rest.Match(messageGetter(m)) {
			continue
		}
		out.total++
		switch {
		case out.total <= skip:
		case len(out.rows) < size:
			out.rows = append(out.rows, m)
		default:
			out.more = true
			if !count {
				return out
			}
		}
	}
	return out
}

// ceilSecond moves a bound to the next whole second: messages have whole ones.
func ceilSecond(t time.Time) time.Time {
	if t.Nanosecond() == 0 {
		return t
	}
	return t.Truncate(time.Second).Add(time.Second)
}

// maxSearchResults bounds $search (undocumented figure).
const maxSearchResults = 1000

// searchText finds the messages that have all words of a KQL text in subject, body or sender. Property restrictions of KQL
// are known for subject, from and body.
func searchText(index mailbox.Index, search string) mailbox.Index {
	words := strings.Fields(strings.ToLower(strings.Trim(search, `"`)))
	var found mailbox.Index
	for _, m := range slices.Backward(index) {
		c := m.Content()
		from := ""
		if c.From != nil {
			from = c.From.Name + " " + c.From.Address
		}
		fields := map[string]string{"subject": strings.ToLower(c.Subject), "from": strings.ToLower(from), "body": strings.ToLower(c.Body)}
		all := true
		for _, w := range words {
			prop, value, restricted := strings.Cut(w, ":")
			if field, ok := fields[prop]; restricted && ok {
				all = all && strings.Contains(field, value)
				continue
			}
			all = all && (strings.Contains(fields["subject"], w) || strings.Contains(fields["from"], w) || strings.Contains(fields["body"], w))
		}
		if all {
			if found = append(found, m); len(found) == maxSearchResults {
				break
			}
		}
	}
	slices.Reverse(found)
	return found
}

// countMessages serves $count of a collection of messages.
func (s *Store) countMessages(c *call) {
	c.mb.RLock()
	defer c.mb.RUnlock()
	index := c.mb.All()
	if c.Param("folder") != "" {
		f := c.lookFolder()
		if f == nil {
			return
		}
		if index = f.Messages(); f.Search != nil {
			index = c.search(f)
		}
	} else if !c.owns() {
		c.AccessDenied()
		return
	}
	index = c.replicated(index)
	filter, _, ok := c.options(messageSchema)
	if !ok {
		return
	}
	found := selectRows(index, filter, nil, 0, 0, true)
	c.Bytes(http.StatusOK, "text/plain", []byte(itoa(found.total)))
}

// lookMessage finds the message that the path names and checks that the caller may see it; else it answers. Needs RLock.
func (c *call) lookMessage() *mailbox.Message {
	id := c.Param("message")
	m := c.mb.Message(id)
	if m == nil || c.hidden(m) {
		if !c.owns() {
			c.AccessDenied()
			return nil
		}
		c.unknownID(id)
		return nil
	}
	if !c.sees(m.Folder.SharedWith) {
		c.AccessDenied()
		return nil
	}
	if c.Param("folder") != "" {
		f := c.lookFolder()
		if f == nil {
			return nil
		}
		if f.Search == nil && f != m.Folder {
			c.itemNotFound()
			return nil
		}
	}
	return m
}

func (s *Store) getMessage(c *call) {
	c.mb.RLock()
	defer c.mb.RUnlock()
	m := c.lookMessage()
	if m == nil {
		return
	}
	v, ok := c.newView()
	if !ok {
		return
	}
	if v.basic && (v.attach != nil || len(v.extended) > 0) {
		c.AccessDenied()
		return
	}
	if v.attach != nil && c.tooHuge(v, m.Content()) {
		return
	}
	c.one(http.StatusOK, "messages/$entity", v.message(m))
}
