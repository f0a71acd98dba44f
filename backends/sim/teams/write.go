package teams

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/graph"
)

// draft is a chatMessage as clients send it.
type draft struct {
	Subject    string `json:"subject"`
	Importance string `json:"importance"`
	Body       struct {
		ContentType string `json:"contentType"`
		Content     string `json:"content"`
	} `json:"body"`
	Attachments []struct {
		ID          string `json:"id"`
		ContentType string `json:"contentType"`
		ContentURL  string `json:"contentUrl"`
		Content     string `json:"content"`
		Name        string `json:"name"`
	} `json:"attachments"`
	Mentions []struct {
		MentionText string `json:"mentionText"`
		Mentioned   struct {
			User struct {
				ID string `json:"id"`
			} `json:"user"`
		} `json:"mentioned"`
	} `json:"mentions"`
	HostedContents []struct {
		TemporaryID  string `json:"@microsoft.graph.temporaryId"`
		ContentBytes string `json:"contentBytes"`
		ContentType  string `json:"contentType"`
	} `json:"hostedContents"`
}

// message makes the message that a draft describes; the error is for the client.
func (d draft) message(from *company.Person, people *company.Company) (*Message, error) {
	m := &Message{From: &Sender{Person: from}, Subject: d.Subject, Importance: d.Importance, Body: d.Body.Content,
		HTML: strings.EqualFold(d.Body.ContentType, "html")}
	switch d.Importance {
	case "", "normal":
		m.Importance = ""
	case "high", "urgent":
	default:
		return nil, fmt.Errorf("invalid importance %q", d.Importance)
	}
	if m.Body == "" && len(d.Attachments) == 0 {
		return nil, fmt.Errorf("the body is missing")
	}
	for _, a := range d.Attachments {
		m.Attachments = append(m.Attachments, Attachment{ID: a.ID, ContentType: a.ContentType, ContentURL: a.ContentURL, Content: a.Content, Name: a.Name})
	}
	for _, at := range d.Mentions {
		p := people.Person(at.Mentioned.User.ID)
		if p == nil {
			return nil, fmt.Errorf("invalid mention %q", at.MentionText)
		}
		m.Mentions = append(m.Mentions, Mention{Text: at.MentionText, Person: p})
	}
	for i, h := range d.HostedContents {
		data, err := base64.StdEncoding.DecodeString(h.ContentBytes)
		if err != nil {
			return nil, fmt.Errorf("invalid contentBytes")
		}
		m.Hosted = append(m.Hosted, Hosted{ContentType: h.ContentType, Data: func() []byte { return data }})
		m.Body = strings.ReplaceAll(m.Body, `"../hostedContents/`+h.TemporaryID+`/$value"`, `"hosted:`+strconv.Itoa(i)+`"`)
	}
	return m, nil
}

// hostedID makes an id in the service's form: base64 of a list of properties.
func hostedID(m *Message, i int) string {
	sum := sha256.Sum256([]byte(m.path() + "#" + strconv.Itoa(i)))
	object := "0-weu-d3-" + hex.EncodeToString(sum[:16])
	return base64.RawURLEncoding.EncodeToString([]byte("id=x_" + object + ",type=1,url=https://eu-api.asm.skype.com/v1/objects/" + object + "/views/imgo"))
}

// post adds a message to the channel, the thread or the chat that the path names.
func (s *Service) post(r *graph.Request) {
	var d draft
	if !r.ReadJSON(&d) {
		return
	}
	m, err := d.message(r.Company().Person(r.Caller.UserID), s.Store.people)
	if err != nil {
		r.Error(http.StatusBadRequest, "BadRequest", err.Error())
		return
	}
	var conv *Conversation
	var root *Message
	toChannel := s.inChannel(func(r *graph.Request, _ view, c *Channel) answer {
		if c.team.Archived {
			return func(r *graph.Request) { r.Error(http.StatusForbidden, "Forbidden", "The team is archived.") }
		}
		if id := r.Param("message"); id != "" {
			if root = c.find("", id); root == nil {
				return notFound
			}
		}
		conv = &c.Conversation
		return nil
	})
	toChat := s.inChat(func(_ *graph.Request, _ view, c *Chat) answer {
		conv = &c.Conversation
		return nil
	})
	s.Store.mu.RLock()
	var problem answer
	if r.Param("channel") != "" {
		problem = toChannel(r, s.view(r))
	} else {
		problem = toChat(r, s.view(r))
	}
	s.Store.mu.RUnlock()
	if problem != nil {
		problem(r)
		return
	}
	s.Store.Post(conv, root, m)
	s.read(func(_ *graph.Request, v view) answer { return sendEntity(http.StatusCreated, v.message(m)) })(r)
}

// change finds the message that the path names and hands it on without the lock. own demands that the caller wrote it.
func (s *Service) change(r *graph.Request, own bool, h func(*Message)) {
	var found *Message
	s.Store.mu.RLock()
	problem := s.onMessage(func(r *graph.Request, _ view, m *Message) answer {
		if own && (m.From == nil || m.From.Person == nil || m.From.Person.ID != r.Caller.UserID) {
			return func(r *graph.Request) {
				r.Error(http.StatusForbidden, "Forbidden", "Only the sender can change a message.")
			}
		}
		found = m
		return nil
	})(r, s.view(r))
	s.Store.mu.RUnlock()
	if problem != nil {
		problem(r)
		return
	}
	h(found)
	r.Empty(http.StatusNoContent)
}

func (s *Service) edit(r *graph.Request) {
	var d draft
	if !r.ReadJSON(&d) {
		return
	}
	if d.Body.Content == "" {
		r.Error(http.StatusBadRequest, "BadRequest", "The body is missing.")
		return
	}
	s.change(r, true, func(m *Message) { s.Store.Edit(m, strings.EqualFold(d.Body.ContentType, "html"), d.Body.Content) })
}

func (s *Service) softDelete(r *graph.Request) { s.change(r, true, s.Store.SoftDelete) }

func (s *Service) undoSoftDelete(r *graph.Request) { s.change(r, true, s.Store.UndoSoftDelete) }

// reaction reads the type of a reaction and hands it on with the message and the caller.
func (s *Service) reaction(r *graph.Request, h func(*Message, string, *company.Person)) {
	var in struct {
		ReactionType string `json:"reactionType"`
	}
	if !r.ReadJSON(&in) {
		return
	}
	if in.ReactionType == "" {
		r.Error(http.StatusBadRequest, "BadRequest", "reactionType is missing.")
		return
	}
	s.change(r, false, func(m *Message) { h(m, in.ReactionType, r.Company().Person(r.Caller.UserID)) })
}

func (s *Service) setReaction(r *graph.Request) { s.reaction(r, s.Store.React) }

func (s *Service) unsetReaction(r *graph.Request) { s.reaction(r, s.Store.Unreact) }
