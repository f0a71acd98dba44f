package box

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
)

// event is an entry of a stream. What its source is depends on the type and on the stream.
type event struct {
	ID      text            `json:"event_id"`
	Type    text            `json:"event_type"`
	Created when            `json:"created_at"`
	Source  json.RawMessage `json:"source"`
	// Accessible is, on the enterprise stream, whose access changed.
	Accessible part[principal] `json:"accessible_by"`
}

// principal is a user or a group.
type principal struct {
	Type text `json:"type"`
	ID   text `json:"id"`
}

// action is what an event asks for.
type action uint8

const (
	// refreshItem: the item that the source names is not what it was. Box's lists of types are not exhaustive, so this also
	// goes for types that nobody knows, if their source is an item.
	refreshItem action = iota
	// changeTree is refreshItem of something that listings show for certain.
	changeTree
	// removeItem is changeTree of something that went to the trash.
	removeItem
	// restoreItem is changeTree of something that came back from there.
	restoreItem
	// changeAccess: somebody may see more or less than before.
	changeAccess
	// changeUsers: the lists of users and groups are not what they were.
	changeUsers
	// ignore: nothing that is shown changed.
	ignore
)

// actions by type, of the streams of users and of the enterprise (developer.box.com/guides/events/event-triggers).
var actions = map[text]action{
	"ITEM_CREATE": changeTree, "ITEM_UPLOAD": changeTree, "ITEM_COPY": changeTree, "ITEM_MOVE": changeTree, "ITEM_RENAME": changeTree,
	"ITEM_MAKE_CURRENT_VERSION": changeTree, "ITEM_MODIFY": changeTree,
	"ITEM_TRASH": removeItem, "ITEM_UNDELETE_VIA_TRASH": restoreItem,
	"UPLOAD": changeTree, "COPY": changeTree, "MOVE": changeTree, "RENAME": changeTree, "EDIT": changeTree, "FILE_VERSION_RESTORE": changeTree,
	"DELETE": removeItem, "UNDELETE": restoreItem,

	"COLLAB_ADD_COLLABORATOR": changeAccess, "COLLAB_INVITE_COLLABORATOR": changeAccess, "COLLAB_ROLE_CHANGE": changeAccess,
	"COLLAB_REMOVE_COLLABORATOR": changeAccess,
	"COLLABORATION_INVITE":       changeAccess, "COLLABORATION_ACCEPT": changeAccess, "COLLABORATION_REMOVE": changeAccess,
	"COLLABORATION_ROLE_CHANGE": changeAccess, "COLLABORATION_EXPIRATION": changeAccess, "CHANGE_FOLDER_PERMISSION": changeAccess,
	"GROUP_ADD_USER": changeAccess, "GROUP_REMOVE_USER": changeAccess, "GROUP_ADD_ITEM": changeAccess, "GROUP_REMOVE_ITEM": changeAccess,

	"NEW_USER": changeUsers, "EDIT_USER": changeUsers, "DELETE_USER": changeUsers, "CHANGE_ADMIN_ROLE": changeUsers,
	"GROUP_CREATION": changeUsers, "GROUP_DELETION": changeUsers, "GROUP_EDITED": changeUsers,

	// Downloads above all: those of this program, too, are told.
	"ITEM_DOWNLOAD": ignore, "ITEM_PREVIEW": ignore, "ITEM_OPEN": ignore, "ITEM_SYNC": ignore, "ITEM_UNSYNC": ignore,
	"DOWNLOAD": ignore, "PREVIEW": ignore, "CONTENT_ACCESS": ignore, "LOGIN": ignore,
	"COMMENT_CREATE": ignore, "COMMENT_EDIT": ignore, "COMMENT_DELETE": ignore, "TASK_CREATE": ignore, "TASK_UPDATE": ignore,
	"TASK_ASSIGNMENT_CREATE": ignore, "TASK_ASSIGNMENT_UPDATE": ignore, "TASK_ASSIGNMENT_DELETE": ignore,
}

// source is what an event, or an answer, says of an item.
type source struct {
	item
	Sequence text `json:"sequence_id"`
	// Parent has an empty ID where Box sends null: for roots, and for what is shared from a folder that the user can't see.
	Parent part[struct{ ID text }] `json:"parent"`
	Owner  part[principal]         `json:"owned_by"`

	whole bool // everything that an entry is made of was sent
}

// needed are the fields without which an entry can't be made; files need more.
var (
	needed     = []string{"etag", "name", "created_at", "modified_at", "item_status", "parent"}
	fileNeeds  = []string{"size", "sha1", "file_version", "content_modified_at", "permissions", "lock"}
	linkNeeds  = []string{"url"}
	sourceMore = ",sequence_id,parent,owned_by" // to itemFields
)

// decodeSource reads an item as the API and the streams of users give it, or names it as the stream of the enterprise
// does. false: it is not an item.
func decodeSource(raw json.RawMessage) (source, bool) {
	var s source
	var has map[string]json.RawMessage
	if json.Unmarshal(raw, &has) != nil || json.Unmarshal(raw, &s) != nil {
		return source{}, false
	}
	if s.ID == "" {
		var named struct {
			Type   text                    `json:"item_type"`
			ID     text                    `json:"item_id"`
			Parent part[struct{ ID text }] `json:"parent"`
			Owner  part[principal]         `json:"owned_by"`
		}
		if json.Unmarshal(raw, &named) != nil {
			return source{}, false
		}
		s = source{item: item{Type: named.Type, ID: named.ID}, Parent: named.Parent, Owner: named.Owner}
	}
	if !isItem(s.Type) || s.ID == "" {
		return source{}, false
	}
	s.whole = s.Name != "" && number(s.ETag) >= 0 && hasAll(has, needed)
	switch s.Type {
	case "file":
		s.whole = s.whole && s.FileVersion.V.ID != "" && hasAll(has, fileNeeds)
	case "web_link":
		s.whole = s.whole && hasAll(has, linkNeeds)
	}
	return s, true
}

func hasAll(has map[string]json.RawMessage, names []string) bool {
	for _, name := range names {
		if _, ok := has[name]; !ok {
			return false
		}
	}
	return true
}

func isItem(kind text) bool { return kind == "file" || kind == "folder" || kind == "web_link" }

// removed tells whether the item is in the trash or gone.
func (s *source) removed() bool { return s.Status == "trashed" || s.Status == "deleted" }

// number reads an etag or a sequence id; -1 when Box gives none.
func number(t text) int64 {
	n, err := strconv.ParseInt(string(t), 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// concerned tells whose access an event is about; "" for several or unknown users. The shapes that a source may have here
// are not documented: a collaboration, or the item with the collaborator beside it.
func (e *event) concerned() (user string) {
	var s struct {
		Type       text            `json:"type"`
		ID         text            `json:"id"`
		Accessible part[principal] `json:"accessible_by"`
		User       part[principal] `json:"user"`
		UserID     text            `json:"user_id"`
	}
	_ = json.Unmarshal(e.Source, &s)
	of := []principal{e.Accessible.V, s.Accessible.V, s.User.V, {"user", s.UserID}}
	if strings.HasPrefix(string(e.Type), "GROUP_") {
		of = append(of, principal{s.Type, s.ID}) // who joins or leaves
	}
	for _, p := range of {
		if p.Type == "user" && p.ID != "" {
			return string(p.ID)
		}
	}
	return ""
}

// owner tells whose the item of a source is, "" when it is not said.
func (e *event) owner() string {
	var s struct {
		Owner part[principal] `json:"owned_by"`
		Item  part[struct {
			Owner part[principal] `json:"owned_by"`
		}] `json:"item"`
	}
	_ = json.Unmarshal(e.Source, &s)
	return string(cmp.Or(s.Owner.V.ID, s.Item.V.Owner.V.ID))
}
