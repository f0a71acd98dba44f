package churn

import (
	"context"
	"encoding/base64"
	"net/http"
	"strconv"

	"github.com/workfs/workfs/backends/sim"
)

type mailFolder struct {
	id, name string
	own      bool // made here, so that it may be renamed, moved and deleted
	deleted  bool // in Deleted Items
}

type message struct {
	id, subject string
	draft       bool
	own         bool // a draft that was made here, so that nobody else sends it
	mute        bool // cannot be answered: nobody to answer to
	attachments []string
}

// mail changes alice's mailbox, and sends her messages from the others.
type mail struct {
	*Churn
	base     string
	folders  list[mailFolder]
	messages list[message]
}

func newMail(c *Churn) *area {
	m := &mail{Churn: c, base: "/users/" + c.http.ready.Users[0].ID}
	return &area{load: m.load, ops: []operation{
		{"receive", 12, m.receive}, {"send", 3, m.send}, {"answer", 3, m.answer}, {"draft", 4, m.draft}, {"edit", 4, m.edit}, {"send draft", 3, m.sendDraft},
		{"mark", 8, m.mark}, {"move", 6, m.move}, {"copy", 2, m.copy}, {"delete", 4, m.delete}, {"delete for good", 2, m.deleteForGood},
		{"attach", 2, m.attach}, {"detach", 2, m.detach},
		{"create folder", 2, m.createFolder}, {"rename folder", 1, m.renameFolder}, {"move folder", 1, m.moveFolder}, {"delete folder", 1, m.deleteFolder},
	}}
}

// known bounds how many messages of a folder are learned of at first.
const known = 40

func (m *mail) load(ctx context.Context) error {
	var walk func(path string, depth int) error
	walk = func(path string, depth int) error {
		items, err := m.all(ctx, asApp, path+"?$top=100", 200)
		if err != nil {
			return err
		}
		for _, f := range items {
			if f["@odata.type"] != nil {
				continue // a search folder holds no messages of its own
			}
			id := text(f["id"])
			m.folders.add(&mailFolder{id: id, name: text(f["displayName"])})
			found, err := m.all(ctx, asApp, m.base+"/mailFolders/"+id+"/messages?$top="+strconv.Itoa(known)+"&$select=id,subject,isDraft", known)
			if err != nil {
				return err
			}
			for _, one := range found {
				m.messages.add(&message{id: text(one["id"]), subject: text(one["subject"]), draft: one["isDraft"] == true})
			}
			if n, _ := f["childFolderCount"].(float64); n > 0 && depth < 4 {
				if err := walk(m.base+"/mailFolders/"+id+"/childFolders", depth+1); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return walk(m.base+"/mailFolders", 0)
}

// compose makes a message of a random kind.
func (m *mail) compose(to ...string) object {
	subject := m.words.Subject()
	switch m.words.IntN(12) {
	case 0:
		subject = ""
	case 1:
		subject = m.words.Phrase()
	case 2:
		subject = "Re: " + subject + " / " + m.words.Emoji()
	}
	out := object{"subject": subject, "body": m.body()}
	var list []object
	for _, address := range to {
		list = append(list, object{"emailAddress": object{"address": address}})
	}
	out["toRecipients"] = list
	if m.words.Chance(20) {
		out["importance"] = "high"
	}
	if m.words.Chance(15) {
		out["attachments"] = []object{m.file()}
	}
	return out
}

func (c *Churn) body() object {
	if c.words.Chance(40) {
		return object{"contentType": "text", "content": c.words.Paragraph(1+c.words.IntN(8)) + "\n"}
	}
	html := ""
	for _, p := range c.words.Paragraphs(1 + c.words.IntN(4)) {
		html += "<p>" + p + "</p>"
	}
	return object{"contentType": "html", "content": html}
}

func (m *mail) file() object {
	return object{"@odata.type": "#microsoft.graph.fileAttachment", "name": m.words.FileName("txt"), "contentType": "text/plain",
		"contentBytes": base64.StdEncoding.EncodeToString([]byte(m.words.Paragraph(20)))}
}

func (m *mail) someone() sim.User {
	return m.http.ready.Users[1+m.words.IntN(len(m.http.ready.Users)-1)]
}

func (m *mail) receive(ctx context.Context) (string, string, error) {
	out := m.compose(m.http.ready.Users[0].Mail)
	_, err := m.graph(ctx, asApp, "POST", "/users/"+m.someone().ID+"/sendMail", object{"message": out})
	return "", text(out["subject"]), err
}

func (m *mail) send(ctx context.Context) (string, string, error) {
	out := m.compose(m.someone().Mail)
	_, err := m.graph(ctx, asApp, "POST", m.base+"/sendMail", object{"message": out, "saveToSentItems": m.words.Chance(80)})
	return "", text(out["subject"]), err
}

// change runs a call on a message and forgets the message if it is gone.
func (m *mail) change(ctx context.Context, suits func(*message) bool, method, suffix string, body any) (*message, object, error) {
	one := m.messages.pick(m.words, suits)
	if one == nil {
		return nil, nil, errNothing
	}
	answer, err := m.graph(ctx, asApp, method, m.base+"/messages/"+one.id+suffix, body)
	if gone(err) {
		m.messages.drop(one)
	}
	return one, answer, err
}

func (m *mail) answer(ctx context.Context) (string, string, error) {
	action := [...]string{"/reply", "/replyAll", "/forward"}[m.words.IntN(3)]
	body := object{"comment": m.words.Sentence()}
	if action == "/forward" {
		body["toRecipients"] = []object{{"emailAddress": object{"address": m.someone().Mail}}}
	}
	one, _, err := m.change(ctx, func(one *message) bool { return !one.draft && !one.mute }, "POST", action, body)
	if refusedAs(err, http.StatusBadRequest) {
		one.mute = true
		return "", "", errNothing
	}
	if err != nil {
		return "", "", err
	}
	return one.id, one.subject, nil
}

func (m *mail) draft(ctx context.Context) (string, string, error) {
	made, err := m.graph(ctx, asApp, "POST", m.base+"/messages", m.compose(m.someone().Mail))
	if err != nil {
		return "", "", err
	}
	one := m.messages.add(&message{id: text(made["id"]), subject: text(made["subject"]), draft: true, own: true})
	return one.id, one.subject, nil
}

func isDraft(one *message) bool { return one.draft && one.own }

func (m *mail) edit(ctx context.Context) (string, string, error) {
	one, made, err := m.change(ctx, isDraft, "PATCH", "", object{"subject": m.words.Subject(), "body": m.body()})
	if err != nil {
		return "", "", err
	}
	one.subject = text(made["subject"])
	return one.id, one.subject, nil
}

func (m *mail) sendDraft(ctx context.Context) (string, string, error) {
	one, _, err := m.change(ctx, isDraft, "POST", "/send", nil)
	if err != nil {
		return "", "", err
	}
	m.messages.drop(one)
	return one.id, one.subject, nil
}

func (m *mail) mark(ctx context.Context) (string, string, error) {
	body := object{"isRead": m.words.Chance(50)}
	switch m.words.IntN(3) {
	case 0:
		body = object{"categories": []string{"Red category", m.words.Project()}[:m.words.IntN(3)]}
	case 1:
		body = object{"flag": object{"flagStatus": [...]string{"notFlagged", "flagged", "complete"}[m.words.IntN(3)]}}
	}
	one, _, err := m.change(ctx, nil, "PATCH", "", body)
	if err != nil {
		return "", "", err
	}
	return one.id, one.subject, nil
}

// transfer moves or copies a message to another folder.
func (m *mail) transfer(ctx context.Context, action string) (*message, object, error) {
	to := m.folders.pick(m.words, nil)
	if to == nil {
		return nil, nil, errNothing
	}
	one, made, err := m.change(ctx, nil, "POST", action, object{"destinationId": to.id})
	if gone(err) {
		// It was the folder, perhaps: those that were not made here stay.
		if to.own {
			m.folders.drop(to)
		}
	}
	return one, made, err
}

func (m *mail) move(ctx context.Context) (string, string, error) {
	one, _, err := m.transfer(ctx, "/move")
	if err != nil {
		return "", "", err
	}
	return one.id, one.subject, nil
}

func (m *mail) copy(ctx context.Context) (string, string, error) {
	one, made, err := m.transfer(ctx, "/copy")
	if err != nil {
		return "", "", err
	}
	twin := m.messages.add(&message{id: text(made["id"]), subject: one.subject, draft: one.draft, own: one.own})
	return twin.id, twin.subject, nil
}

// delete leaves the message in Deleted Items, or hidden among the recoverable ones if it was there already.
func (m *mail) delete(ctx context.Context) (string, string, error) {
	one, _, err := m.change(ctx, nil, "DELETE", "", nil)
	if err != nil {
		return "", "", err
	}
	return one.id, one.subject, nil
}

func (m *mail) deleteForGood(ctx context.Context) (string, string, error) {
	one, _, err := m.change(ctx, nil, "POST", "/permanentDelete", nil)
	if err != nil {
		return "", "", err
	}
	m.messages.drop(one)
	return one.id, one.subject, nil
}

func (m *mail) attach(ctx context.Context) (string, string, error) {
	one, made, err := m.change(ctx, isDraft, "POST", "/attachments", m.file())
	if err != nil {
		return "", "", err
	}
	one.attachments = append(one.attachments, text(made["id"]))
	return one.id, one.subject, nil
}

func (m *mail) detach(ctx context.Context) (string, string, error) {
	one := m.messages.pick(m.words, func(one *message) bool { return len(one.attachments) > 0 })
	if one == nil {
		return "", "", errNothing
	}
	last := len(one.attachments) - 1
	_, err := m.graph(ctx, asApp, "DELETE", m.base+"/messages/"+one.id+"/attachments/"+one.attachments[last], nil)
	if err == nil || gone(err) {
		one.attachments = one.attachments[:last]
	}
	return one.id, one.subject, err
}

// folderName is one that no other folder will have.
func (m *mail) folderName() string {
	return [...]string{m.words.Project(), m.words.Subject(), m.words.Phrase()}[m.words.IntN(3)] + " " + m.number()
}

func (m *mail) createFolder(ctx context.Context) (string, string, error) {
	path := m.base + "/mailFolders"
	if parent := m.folders.pick(m.words, func(f *mailFolder) bool { return !f.deleted }); parent != nil && m.words.Chance(50) {
		path += "/" + parent.id + "/childFolders"
	}
	made, err := m.graph(ctx, asApp, "POST", path, object{"displayName": m.folderName()})
	if err != nil {
		return "", "", err
	}
	f := m.folders.add(&mailFolder{id: text(made["id"]), name: text(made["displayName"]), own: true})
	return f.id, f.name, nil
}

// changeFolder runs a call on a folder that was made here and forgets the folder if it is gone.
func (m *mail) changeFolder(ctx context.Context, method, suffix string, body any) (*mailFolder, error) {
	f := m.folders.pick(m.words, func(f *mailFolder) bool { return f.own })
	if f == nil {
		return nil, errNothing
	}
	_, err := m.graph(ctx, asApp, method, m.base+"/mailFolders/"+f.id+suffix, body)
	if gone(err) {
		m.folders.drop(f)
	}
	return f, err
}

func (m *mail) renameFolder(ctx context.Context) (string, string, error) {
	name := m.folderName()
	f, err := m.changeFolder(ctx, "PATCH", "", object{"displayName": name})
	if err != nil {
		return "", "", err
	}
	f.name = name
	return f.id, name, nil
}

// moveFolder puts a folder among the top ones, or into the inbox.
func (m *mail) moveFolder(ctx context.Context) (string, string, error) {
	to := [...]string{"msgfolderroot", "inbox", "archive"}[m.words.IntN(3)]
	f, err := m.changeFolder(ctx, "POST", "/move", object{"destinationId": to})
	if err != nil {
		return "", "", err
	}
	f.deleted = false
	return f.id, f.name, nil
}

// deleteFolder leaves the folder in Deleted Items, or ends it with all in it if it is there already.
func (m *mail) deleteFolder(ctx context.Context) (string, string, error) {
	f, err := m.changeFolder(ctx, "DELETE", "", nil)
	if err != nil {
		return "", "", err
	}
	f.deleted = true
	return f.id, f.name, nil
}
