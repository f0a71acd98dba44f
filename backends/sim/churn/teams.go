package churn

import (
	"context"
	"encoding/base64"
	"net/url"
)

// post is a message of a channel or a chat.
type post struct {
	path, text    string
	mine, deleted bool
	root          bool // takes replies
}

// talk changes what alice can see in Teams: posts of channels or messages of chats. She writes all of it herself, since
// applications cannot.
type talk struct {
	*Churn
	rooms list[room]
	posts list[post]
	teams []string // paths of the channels of alice's teams
}

type room struct {
	path    string // of the channel or chat
	name    string
	channel bool     // its messages are posts with replies
	own     bool     // made here, so that it may be renamed and deleted
	members []string // of a chat that was made here: ids of memberships that were added
}

func (r *room) messages() string { return r.path + "/messages" }

// pixel is a PNG of one point.
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

func newChannels(c *Churn) *area {
	t := &talk{Churn: c}
	return &area{load: t.loadChannels, ops: append(t.common(), operation{"reply", 8, t.reply},
		operation{"create channel", 1, t.createChannel}, operation{"rename channel", 1, t.renameChannel}, operation{"delete channel", 1, t.deleteChannel})}
}

func newChats(c *Churn) *area {
	t := &talk{Churn: c}
	return &area{load: t.loadChats, ops: append(t.common(), operation{"begin chat", 1, t.createChat}, operation{"rename chat", 1, t.renameChat},
		operation{"add member", 1, t.addMember}, operation{"remove member", 1, t.removeMember})}
}

func (t *talk) common() []operation {
	return []operation{{"post", 8, t.post}, {"edit", 5, t.edit}, {"delete", 3, t.delete}, {"undo delete", 2, t.undoDelete},
		{"react", 4, t.react}, {"take reaction back", 2, t.unreact}, {"post picture", 1, t.picture}}
}

func (t *talk) loadChannels(ctx context.Context) error {
	teams, err := t.all(ctx, asAlice, "/me/joinedTeams", 4)
	if err != nil {
		return err
	}
	for _, team := range teams {
		base := "/teams/" + text(team["id"]) + "/channels"
		whole, err := t.graph(ctx, asAlice, "GET", "/teams/"+text(team["id"]), nil)
		if err != nil {
			return err
		}
		if whole["isArchived"] == true {
			continue
		}
		t.teams = append(t.teams, base)
		channels, err := t.all(ctx, asAlice, base, 8)
		if err != nil {
			return err
		}
		for _, c := range channels {
			if err := t.learn(ctx, base+"/"+url.PathEscape(text(c["id"])), true); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *talk) loadChats(ctx context.Context) error {
	chats, err := t.all(ctx, asAlice, "/me/chats", 12)
	if err != nil {
		return err
	}
	for _, c := range chats {
		if err := t.learn(ctx, "/chats/"+url.PathEscape(text(c["id"])), false); err != nil {
			return err
		}
	}
	return nil
}

// learn reads the latest messages of a channel or chat.
func (t *talk) learn(ctx context.Context, path string, channel bool) error {
	messages := t.rooms.add(&room{path: path, channel: channel}).messages()
	found, err := t.all(ctx, asAlice, messages+"?$top=20", 20)
	if err != nil {
		return err
	}
	alice := t.http.ready.Users[0].ID
	for _, m := range found {
		if m["messageType"] != "message" {
			continue
		}
		from, _ := m["from"].(object)
		user, _ := from["user"].(object)
		t.posts.add(&post{path: messages + "/" + text(m["id"]), mine: user["id"] == alice, deleted: m["deletedDateTime"] != nil, root: channel})
	}
	return nil
}

func (t *talk) write() object {
	if t.words.Chance(50) {
		return object{"contentType": "text", "content": t.words.Chat()}
	}
	return object{"contentType": "html", "content": "<p>" + t.words.Paragraph(1+t.words.IntN(3)) + "</p>"}
}

// say posts below a path of messages and remembers what came of it.
func (t *talk) say(ctx context.Context, path string, body object, root bool) (string, string, error) {
	made, err := t.graph(ctx, asAlice, "POST", path, body)
	if err != nil {
		return "", "", err
	}
	id := text(made["id"])
	said, _ := body["body"].(object) // as sent, since the service writes its own addresses into it
	p := t.posts.add(&post{path: path + "/" + id, text: text(said["content"]), mine: true, root: root})
	return id, p.text, nil
}

func (t *talk) post(ctx context.Context) (string, string, error) {
	return t.start(ctx, object{"body": t.write()})
}

// start begins a thread in a channel, or says something in a chat.
func (t *talk) start(ctx context.Context, body object) (string, string, error) {
	r := t.rooms.pick(t.words, nil)
	if r == nil {
		return "", "", errNothing
	}
	if r.channel && t.words.Chance(60) {
		body["subject"] = t.words.Subject()
	}
	id, said, err := t.say(ctx, r.messages(), body, r.channel)
	if gone(err) {
		t.rooms.drop(r)
	}
	return id, said, err
}

func (t *talk) picture(ctx context.Context) (string, string, error) {
	data, err := base64.StdEncoding.DecodeString(pixel)
	if err != nil {
		return "", "", err
	}
	return t.start(ctx, object{"body": object{"contentType": "html", "content": `<p>` + t.words.Chat() + `</p><img src="../hostedContents/1/$value" width="20" height="20">`},
		"hostedContents": []object{{"@microsoft.graph.temporaryId": "1", "contentBytes": data, "contentType": "image/png"}}})
}

func (t *talk) reply(ctx context.Context) (string, string, error) {
	p := t.posts.pick(t.words, func(p *post) bool { return p.root && !p.deleted })
	if p == nil {
		return "", "", errNothing
	}
	return t.say(ctx, p.path+"/replies", object{"body": t.write()}, false)
}

// change runs a call on a message.
func (t *talk) change(ctx context.Context, suits func(*post) bool, method, suffix string, body any) (*post, error) {
	p := t.posts.pick(t.words, suits)
	if p == nil {
		return nil, errNothing
	}
	_, err := t.graph(ctx, asAlice, method, p.path+suffix, body)
	if gone(err) {
		t.posts.drop(p)
	}
	return p, err
}

func (t *talk) edit(ctx context.Context) (string, string, error) {
	body := t.write()
	p, err := t.change(ctx, func(p *post) bool { return p.mine && !p.deleted }, "PATCH", "", object{"body": body})
	if err != nil {
		return "", "", err
	}
	p.text = text(body["content"])
	return p.path, p.text, nil
}

func (t *talk) delete(ctx context.Context) (string, string, error) {
	p, err := t.change(ctx, func(p *post) bool { return p.mine && !p.deleted }, "POST", "/softDelete", nil)
	if err != nil {
		return "", "", err
	}
	p.deleted = true
	return p.path, p.text, nil
}

func (t *talk) undoDelete(ctx context.Context) (string, string, error) {
	p, err := t.change(ctx, func(p *post) bool { return p.mine && p.deleted }, "POST", "/undoSoftDelete", nil)
	if err != nil {
		return "", "", err
	}
	p.deleted = false
	return p.path, p.text, nil
}

func (t *talk) react(ctx context.Context) (string, string, error) {
	return t.reaction(ctx, "/setReaction")
}

func (t *talk) unreact(ctx context.Context) (string, string, error) {
	return t.reaction(ctx, "/unsetReaction")
}

func (t *talk) reaction(ctx context.Context, action string) (string, string, error) {
	kind := [...]string{"👍", "❤️", "😆"}[t.words.IntN(3)]
	p, err := t.change(ctx, func(p *post) bool { return !p.deleted }, "POST", action, object{"reactionType": kind})
	if err != nil {
		return "", "", err
	}
	return p.path, p.text + " " + kind, nil
}
