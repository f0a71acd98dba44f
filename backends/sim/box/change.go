package box

import (
	"slices"
	"time"
)

// Action is what happened to something in Box.
type Action string

// The actions.
const (
	ActionCreate        Action = "create" // a folder or web link
	ActionUpload        Action = "upload" // a new file or a new version
	ActionRename        Action = "rename"
	ActionMove          Action = "move"
	ActionCopy          Action = "copy"
	ActionTrash         Action = "trash"
	ActionRestore       Action = "restore"
	ActionPurge         Action = "purge"
	ActionDescribe      Action = "describe" // description or link target
	ActionTag           Action = "tag"
	ActionLock          Action = "lock"
	ActionUnlock        Action = "unlock"
	ActionShare         Action = "share"
	ActionReshare       Action = "reshare" // a shared link that was there before
	ActionUnshare       Action = "unshare"
	ActionSync          Action = "sync"
	ActionUnsync        Action = "unsync"
	ActionPromote       Action = "promote" // a past version made current
	ActionCollabInvite  Action = "collab_invite"
	ActionCollabAccept  Action = "collab_accept"
	ActionCollabReject  Action = "collab_reject"
	ActionCollabRole    Action = "collab_role"
	ActionCollabRemove  Action = "collab_remove"
	ActionCommentAdd    Action = "comment_add"
	ActionCommentEdit   Action = "comment_edit"
	ActionCommentRemove Action = "comment_remove"
	ActionDownload      Action = "download"
	ActionUserNew       Action = "user_new"
	ActionUserEdit      Action = "user_edit"
	ActionUserRole      Action = "user_role"
	ActionUserDelete    Action = "user_delete"
	ActionGroupAdd      Action = "group_add_user"
	ActionGroupRemove   Action = "group_remove_user"
)

// reach is who hears of an action on the streams of users.
type reach int

const (
	reachAll     reach = iota // all who see the item
	reachOwner                // the owner of the item alone
	reachParties              // the owner on all streams; collaborators, the one concerned included, on "all" only
	reachMember               // the member of the group
)

// naming is what Box calls an action; an empty name means that it does not tell of it there.
type naming struct {
	userType  string // on the streams of users
	changes   bool   // on "changes" and "sync", too, and not on "all" only
	reach     reach
	adminType string // on the streams for administrators
	trigger   string // of webhooks; with * for FILE or FOLDER
}

// namings follows the guides "Get user events", "Get enterprise events" and "Webhook triggers". Guesses, since the lists
// have no entry that fits: a new folder or link is an UPLOAD for administrators; what is purged from the trash is in no
// stream; changed tags are no change of the tree.
var namings = map[Action]naming{
	ActionCreate:        {userType: "ITEM_CREATE", changes: true, adminType: "UPLOAD", trigger: "FOLDER.CREATED"},
	ActionUpload:        {userType: "ITEM_UPLOAD", changes: true, adminType: "UPLOAD", trigger: "FILE.UPLOADED"},
	ActionRename:        {userType: "ITEM_RENAME", changes: true, adminType: "RENAME", trigger: "*.RENAMED"},
	ActionMove:          {userType: "ITEM_MOVE", changes: true, adminType: "MOVE", trigger: "*.MOVED"},
	ActionCopy:          {userType: "ITEM_COPY", changes: true, adminType: "COPY", trigger: "*.COPIED"},
	ActionTrash:         {userType: "ITEM_TRASH", changes: true, adminType: "DELETE", trigger: "*.TRASHED"},
	ActionRestore:       {userType: "ITEM_UNDELETE_VIA_TRASH", changes: true, adminType: "UNDELETE", trigger: "*.RESTORED"},
	ActionPurge:         {trigger: "*.DELETED"},
	ActionDescribe:      {userType: "ITEM_MODIFY", changes: true, adminType: "RENAME"}, // "name or description is changed"
	ActionTag:           {userType: "TAG_ITEM_CREATE", adminType: "ITEM_MODIFY"},
	ActionLock:          {userType: "LOCK_CREATE", changes: true, adminType: "LOCK", trigger: "FILE.LOCKED"},
	ActionUnlock:        {userType: "LOCK_DESTROY", changes: true, adminType: "UNLOCK", trigger: "FILE.UNLOCKED"},
	ActionShare:         {userType: "ITEM_SHARED_CREATE", adminType: "SHARE", trigger: "SHARED_LINK.CREATED"},
	ActionReshare:       {userType: "ITEM_SHARED_UPDATE", adminType: "ITEM_SHARED_UPDATE", trigger: "SHARED_LINK.UPDATED"},
	ActionUnshare:       {userType: "ITEM_SHARED_UNSHARE", adminType: "UNSHARE", trigger: "SHARED_LINK.DELETED"},
	ActionSync:          {userType: "ITEM_SYNC", changes: true, adminType: "ITEM_SYNC"},
	ActionUnsync:        {userType: "ITEM_UNSYNC", changes: true, adminType: "ITEM_UNSYNC"},
	ActionPromote:       {userType: "ITEM_MAKE_CURRENT_VERSION", changes: true, adminType: "FILE_VERSION_RESTORE"},
	ActionCollabInvite:  {userType: "COLLAB_INVITE_COLLABORATOR", changes: true, reach: reachParties, adminType: "COLLABORATION_INVITE", trigger: "COLLABORATION.CREATED"},
	ActionCollabAccept:  {userType: "COLLAB_ADD_COLLABORATOR", changes: true, reach: reachParties, adminType: "COLLABORATION_ACCEPT", trigger: "COLLABORATION.ACCEPTED"},
	ActionCollabReject:  {trigger: "COLLABORATION.REJECTED"},
	ActionCollabRole:    {userType: "COLLAB_ROLE_CHANGE", changes: true, reach: reachParties, adminType: "COLLABORATION_ROLE_CHANGE", trigger: "COLLABORATION.UPDATED"},
	ActionCollabRemove:  {userType: "COLLAB_REMOVE_COLLABORATOR", changes: true, reach: reachParties, adminType: "COLLABORATION_REMOVE", trigger: "COLLABORATION.REMOVED"},
	ActionCommentAdd:    {userType: "COMMENT_CREATE", adminType: "COMMENT_CREATE", trigger: "COMMENT.CREATED"},
	ActionCommentEdit:   {adminType: "COMMENT_EDIT", trigger: "COMMENT.UPDATED"},
	ActionCommentRemove: {userType: "COMMENT_DELETE", adminType: "COMMENT_DELETE", trigger: "COMMENT.DELETED"},
	ActionDownload:      {userType: "ITEM_DOWNLOAD", reach: reachOwner, adminType: "DOWNLOAD", trigger: "FILE.DOWNLOADED"},
	ActionUserNew:       {adminType: "NEW_USER"},
	ActionUserEdit:      {adminType: "EDIT_USER"},
	ActionUserRole:      {adminType: "CHANGE_ADMIN_ROLE"},
	ActionUserDelete:    {adminType: "DELETE_USER"},
	ActionGroupAdd:      {userType: "GROUP_ADD_USER", changes: true, reach: reachMember, adminType: "GROUP_ADD_USER"},
	ActionGroupRemove:   {userType: "GROUP_REMOVE_USER", changes: true, reach: reachMember, adminType: "GROUP_REMOVE_USER"},
}

// change is one thing that happened. A call notes it with after; once the call has succeeded, and still under the store's
// lock, events and deliveries are made of it.
type change struct {
	naming
	action Action
	at     time.Time
	by     *user
	quiet  bool // the call said box-notifications: off

	item *item // nil for changes of users and groups
	snap *item // item as it was when the call ended
	gone bool  // the event has no source: the item was deleted along with what the event is about

	collab  *collab  // as it was then, of collaborations
	comment *comment // of comments
	version *version // of uploads and downloads
	from    *item    // the former folder of a move, the original of a copy
	oldName string   // of a rename
	former  []*user  // who saw the item before a move, or was party to a collaboration
	user    *user    // of changes of users and groups
	group   *group   // of changes of groups
	hooks   []uint64 // webhooks that covered the item before it moved
}

// after notes a change of an item, or of the directory when it is nil, to tell when the call has succeeded. The caller
// adds what it knows.
func (c *call) after(a Action, it *item) *change {
	ch := &change{naming: namings[a], action: a, at: c.now, by: c.v.user, item: it, quiet: c.quiet()}
	c.changes = append(c.changes, ch)
	return ch
}

// quiet says whether the call asked for no webhooks. Box heeds that from apps that it has given a special permission.
func (c *call) quiet() bool {
	return c.Header.Get("Box-Notifications") == "off" && c.s.w.Switches.Bool("box.notifications_off")
}

// tell makes events and deliveries of what the call noted. The store's lock must be held.
func (c *call) tell() {
	for _, ch := range c.changes {
		c.s.visited(ch)
		if ch.item != nil {
			snap := *ch.item
			ch.snap = &snap
			if ours := c.s.store.ours; snap.owner.enterprise != ours && ch.by.enterprise != ours {
				ch.adminType = "" // none of this enterprise's business
			}
		}
		if ch.collab != nil {
			co := *ch.collab
			ch.collab = &co
		}
		if ch.comment != nil {
			cm := *ch.comment
			ch.comment = &cm
		}
		c.s.journal.record(ch, c.s.store.readers(ch))
		c.s.hooks.fire(ch)
	}
	c.changes = nil
}

// watchers lists the users who see an item. The lock must be held.
func (s *store) watchers(it *item) []*user {
	var all []*user
	for _, u := range s.users {
		if (viewer{user: u}).look(it).role != "" {
			all = append(all, u)
		}
	}
	return all
}

// readers gives the users whose streams tell of a change; true for those whose "changes" does, too. Those who can no
// longer see an item after a move are told once more, else nothing would tell them that it is gone (a guess). The lock
// must be held.
func (s *store) readers(ch *change) map[*user]bool {
	to := map[*user]bool{}
	switch {
	case ch.userType == "":
	case ch.reach == reachMember:
		to[ch.user] = ch.changes
	case ch.reach == reachOwner:
		to[ch.item.owner] = ch.changes
	default:
		for _, u := range slices.Concat(s.watchers(ch.item), ch.former) {
			to[u] = ch.changes && (ch.reach == reachAll || u == ch.item.owner)
		}
	}
	return to
}

// parties lists whom a collaboration is about, and who sees its item. The lock must be held.
func (s *store) parties(co *collab) []*user {
	all := s.watchers(co.item)
	if co.user != nil {
		all = append(all, co.user)
	}
	if co.group != nil {
		for _, m := range co.group.members {
			all = append(all, m.user)
		}
	}
	return all
}
