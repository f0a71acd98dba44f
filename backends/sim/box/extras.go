package box

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

func (s *Server) extraRoutes() {
	s.handle("GET /files/{file}/comments", scopeRead, (*call).listComments)
	s.handle("POST /comments", scopeWrite, (*call).createComment)
	s.handle("PUT /comments/{comment}", scopeWrite, (*call).changeComment)
	s.handle("DELETE /comments/{comment}", scopeWrite, (*call).removeComment)
	s.handle("GET /files/{file}/tasks", scopeRead, (*call).listTasks)
	s.handle("GET /files/{file}/metadata", scopeRead, func(c *call) error { return c.listMetadata(fileKind, c.Param("file")) })
	s.handle("GET /folders/{folder}/metadata", scopeRead, func(c *call) error { return c.listMetadata(folderKind, c.Param("folder")) })
	s.handle("GET /files/{file}/metadata/{scope}/{template}", scopeRead, func(c *call) error { return c.getMetadata(fileKind, c.Param("file")) })
	s.handle("GET /folders/{folder}/metadata/{scope}/{template}", scopeRead, func(c *call) error { return c.getMetadata(folderKind, c.Param("folder")) })
	s.handle("GET /internal_files/{file}/versions/{version}/representations/{rep}", scopeRead, (*call).representationInfo)
}

func (c *call) showComment(it *item, cm *comment) object {
	o := object{
		{"type", "comment"}, {"id", numeral(cm.num)}, {"is_reply_comment", cm.reply}, {"message", cm.message},
		{"created_by", miniOrNil(cm.by)}, {"created_at", stamp(cm.created, cm.num)}, {"modified_at", stamp(cm.modified, cm.num)},
		{"item", object{{"type", "file"}, {"id", it.id()}}},
	}
	if slices.Contains(c.fields, "tagged_message") {
		o = append(o, member{"tagged_message", cm.tagged})
	}
	return o
}

func (c *call) listComments() error {
	p, err := c.paging(100, highestLimit, 10000)
	if err != nil {
		return err
	}
	return c.reading(func() (any, error) {
		it, a, err := c.file()
		if err != nil {
			return nil, err
		}
		if !can(a.role, "preview") {
			return nil, errForbidden()
		}
		var list []*comment
		if it.extra != nil {
			list = it.extra.comments
		}
		return byOffset(p, list, nil, func(cm *comment) object { return c.showComment(it, cm) }), nil
	})
}

func (c *call) createComment() error {
	var in struct {
		Message string `json:"message"`
		Tagged  string `json:"tagged_message"`
		Item    struct {
			Type string `json:"type"`
			ID   string `json:"id"`
		} `json:"item"`
	}
	if err := c.body(&in); err != nil {
		return err
	}
	if in.Message == "" && in.Tagged == "" {
		return errParameter("message", "Message is missing")
	}
	return c.writing(http.StatusCreated, func() (any, error) {
		id, reply := in.Item.ID, false
		if in.Item.Type == "comment" {
			num, _ := strconv.ParseUint(id, 10, 64) // 0 names nothing
			on := c.s.store.comments[num]
			if on == nil {
				return nil, errNotFound("comment", id)
			}
			id, reply = on.id(), true
		}
		it, a, err := c.item(fileKind, id)
		if err != nil {
			return nil, err
		}
		if !can(a.role, "preview") {
			return nil, errForbidden()
		}
		cm := &comment{message: in.Message, tagged: in.Tagged, reply: reply, by: c.v.user, created: c.now, modified: c.now}
		c.s.store.addComment(it, cm, c.s.store.fresh("comment"))
		c.after(ActionCommentAdd, it).comment = cm
		return c.showComment(it, cm), nil
	})
}

// addComment enters a comment. mu must be held.
func (s *store) addComment(it *item, cm *comment, purpose string) {
	cm.num = s.number(purpose, func(n uint64) bool { return s.comments[n] != nil })
	s.comments[cm.num] = it
	it.more().comments = append(it.more().comments, cm)
}

// commentOf finds the comment that the path names, its file and its place in the file's list. The store's lock must be
// held.
func (c *call) commentOf() (*item, int, error) {
	num, err := strconv.ParseUint(c.Param("comment"), 10, 64)
	if err != nil {
		return nil, 0, errMethod()
	}
	it := c.s.store.comments[num]
	if it == nil || c.v.look(it).role == "" {
		return nil, 0, errNotFound("comment", c.Param("comment"))
	}
	return it, slices.IndexFunc(it.extra.comments, func(cm *comment) bool { return cm.num == num }), nil
}

func (c *call) changeComment() error {
	var in struct {
		Message string `json:"message"`
	}
	if err := c.body(&in); err != nil {
		return err
	}
	if in.Message == "" {
		return errParameter("message", "Message is missing")
	}
	return c.writing(http.StatusOK, func() (any, error) {
		it, i, err := c.commentOf()
		if err != nil {
			return nil, err
		}
		cm := it.extra.comments[i]
		if cm.by != c.v.user {
			return nil, errForbidden()
		}
		cm.message, cm.modified = in.Message, c.now
		c.after(ActionCommentEdit, it).comment = cm
		return c.showComment(it, cm), nil
	})
}

func (c *call) removeComment() error {
	return c.writing(http.StatusNoContent, func() (any, error) {
		it, i, err := c.commentOf()
		if err != nil {
			return nil, err
		}
		list := it.extra.comments
		if list[i].by != c.v.user && !can(c.v.look(it).role, "own") {
			return nil, errForbidden()
		}
		c.after(ActionCommentRemove, it).comment = list[i]
		delete(c.s.store.comments, list[i].num)
		it.extra.comments = slices.Delete(list, i, i+1)
		return nil, nil
	})
}

func (c *call) listTasks() error {
	return c.reading(func() (any, error) {
		it, _, err := c.file()
		if err != nil {
			return nil, err
		}
		entries := []object{}
		if it.extra != nil {
			for _, t := range it.extra.tasks {
				entries = append(entries, c.showTask(it, t))
			}
		}
		return object{{"total_count", len(entries)}, {"entries", entries}}, nil
	})
}

func (c *call) showTask(it *item, t *task) object {
	on := object{{"type", "file"}, {"id", it.id()}, {"sequence_id", etag(it)}, {"etag", etag(it)}, {"sha1", sha1Of(it.current())}, {"name", it.name}}
	var finished any
	if t.state != "incomplete" {
		finished = stamp(t.due, t.num)
	}
	return object{
		{"type", "task"}, {"id", numeral(t.num)}, {"item", on}, {"due_at", stamp(t.due, t.num)}, {"action", t.action}, {"message", t.text},
		{"task_assignment_collection", object{{"total_count", 1}, {"entries", []object{{
			{"type", "task_assignment"}, {"id", numeral(t.num + 1)}, {"item", on}, {"assigned_to", t.to.mini()}, {"assigned_by", t.by.mini()},
			{"message", t.text}, {"assigned_at", stamp(t.created, t.num)}, {"completed_at", finished}, {"reminded_at", nil}, {"resolution_state", t.state},
		}}}}},
		{"is_completed", t.state != "incomplete"}, {"created_by", t.by.mini()}, {"created_at", stamp(t.created, t.num)}, {"completion_rule", t.rule},
	}
}

func (c *call) showInstance(it *item, in *instance) object {
	o := object{
		{"$id", c.s.w.GUID("metadata " + it.kind.String() + it.id() + in.template)}, {"$type", in.template + "-" + numeral(it.num)[:8]},
		{"$parent", it.kind.String() + "_" + it.id()}, {"$template", in.template}, {"$scope", in.scope}, {"$version", 0}, {"$typeVersion", 1}, {"$canEdit", true},
	}
	return append(o, in.values...)
}

func (c *call) listMetadata(k kind, id string) error {
	return c.reading(func() (any, error) {
		it, err := c.metadataOf(k, id)
		if err != nil {
			return nil, err
		}
		entries := []object{}
		if it.extra != nil {
			for _, in := range it.extra.metadata {
				entries = append(entries, c.showInstance(it, in))
			}
		}
		return object{{"entries", entries}, {"limit", 100}}, nil
	})
}

// metadataOf finds an item that may carry metadata; root folders may not. The store's lock must be held.
func (c *call) metadataOf(k kind, id string) (*item, error) {
	it, a, err := c.item(k, id)
	if err != nil {
		return nil, err
	}
	if it.isRoot() {
		return nil, fail(http.StatusForbidden, "forbidden", "Forbidden")
	}
	if !can(a.role, "preview") {
		return nil, errForbidden()
	}
	return it, nil
}

func (c *call) getMetadata(k kind, id string) error {
	return c.reading(func() (any, error) {
		it, err := c.metadataOf(k, id)
		if err != nil {
			return nil, err
		}
		scope := c.Param("scope")
		if scope == "enterprise" {
			scope = "enterprise_" + c.s.store.ours.id
		}
		if it.extra != nil {
			for _, in := range it.extra.metadata {
				if in.scope == scope && in.template == c.Param("template") {
					return c.showInstance(it, in), nil
				}
			}
		}
		return nil, fail(http.StatusNotFound, "instance_not_found", "Instance not found")
	})
}

// metadataField is the field metadata.<scope>.<template> of an item.
func metadataField(it *item, path string) any {
	scope, template, _ := strings.Cut(path, ".")
	if it.extra == nil {
		return nil
	}
	for _, in := range it.extra.metadata {
		if in.template == template && (in.scope == scope || scope == "enterprise" && strings.HasPrefix(in.scope, "enterprise_")) {
			return object{{in.scope, object{{template, in.values}}}}
		}
	}
	return nil
}

// mergeMetadata adds one more template to the field "metadata" of an item.
func mergeMetadata(o object, v any) object {
	more, ok := v.(object)
	if !ok {
		return o
	}
	for i, m := range o {
		if m.key == "metadata" {
			o[i].val = append(slices.Clone(m.val.(object)), more...)
		}
	}
	return o
}
