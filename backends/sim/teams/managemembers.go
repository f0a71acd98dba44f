package teams

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/graph"
)

// memberBody is an aadUserConversationMember as clients write it.
type memberBody struct {
	User  string     `json:"user@odata.bind"`
	Roles []string   `json:"roles"`
	From  *time.Time `json:"visibleHistoryStartDateTime"`
}

// boundUser takes the user from https://graph.microsoft.com/v1.0/users('id') or …/users/id.
var boundUser = regexp.MustCompile(`/users(?:\('([^']+)'\)|/([^/()]+))$`)

// member makes a member of what a client wrote.
func (s *Service) member(b memberBody) (Member, error) {
	m := boundUser.FindStringSubmatch(b.User)
	if m == nil {
		return Member{}, fmt.Errorf("invalid bind statement %q", b.User)
	}
	p := s.Store.people.Person(m[1] + m[2])
	if p == nil {
		return Member{}, fmt.Errorf("the user %q is not found", m[1]+m[2])
	}
	out := Member{Person: p, Role: role(p, b.Roles)}
	if b.From != nil && b.From.Year() > 1 {
		out.From = b.From.UTC()
	}
	return out, nil
}

func role(p *company.Person, roles []string) string {
	switch {
	case p.Kind == company.Guest:
		return "guest"
	case slices.Contains(roles, "owner"):
		return "owner"
	}
	return ""
}

// membersOf makes the first members of something, and its maker, if a person, an owner among them.
func (s *Service) membersOf(list []memberBody, maker *company.Person) (members []Member, err error) {
	if maker != nil {
		members = append(members, Member{Person: maker, Role: "owner"})
	}
	for _, b := range list {
		m, err := s.member(b)
		if err != nil {
			return nil, err
		}
		if member(members, m.Person.ID) == nil {
			members = append(members, m)
		}
	}
	if len(members) == 0 {
		return nil, fmt.Errorf("an owner is required")
	}
	return members, nil
}

// circle finds what the request changes the members of, for a caller who may: an application, an owner, in chats any member, and
// whoever takes themselves out. It answers for the others.
func (s *Service) circle(r *graph.Request, leaving bool) (circle, place, bool) {
	p, ok := s.locate(r)
	if !ok {
		return circle{}, p, false
	}
	s.Store.mu.RLock()
	var c circle
	var problem answer
	switch {
	case p.chat != nil:
		c = p.chat.circle()
		if p.chat.Kind == "oneOnOne" {
			problem = badRequest("The members of a one-on-one chat cannot be changed.")
		}
	case p.channel != nil:
		c = p.channel.circle()
		if p.channel.Membership == standard {
			problem = badRequest("The members of a standard channel are those of its team.")
		}
	default:
		c = p.team.circle()
	}
	me := member(*c.members, r.Caller.UserID)
	if problem == nil && !r.Caller.AppOnly && p.chat == nil && (me == nil || me.Role != "owner" && !leaving) {
		problem = refused
	}
	s.Store.mu.RUnlock()
	if problem != nil {
		problem(r)
	}
	return c, p, problem == nil
}

func (s *Service) postMember(r *graph.Request) {
	var body memberBody
	if !r.ReadJSON(&body) {
		return
	}
	c, p, ok := s.circle(r, false)
	if !ok {
		return
	}
	m, err := s.member(body)
	if failed(r, err) {
		return
	}
	if p.chat != nil && body.From == nil {
		m.From = s.Store.moment() // without a date, nothing of the history is shared (chat-post-members.md)
	}
	if p.channel != nil && !s.isMember(p.team.circle(), m.Person) {
		r.Error(http.StatusBadRequest, "BadRequest", "Members of a private channel must be members of its team.")
		return
	}
	if !failed(r, s.Store.addMember(c, m, s.caller(r))) {
		v := s.view(r)
		r.Entity(http.StatusCreated, v.member(m, c.id))
	}
}

func (s *Service) isMember(c circle, p *company.Person) bool {
	s.Store.mu.RLock()
	defer s.Store.mu.RUnlock()
	return member(*c.members, p.ID) != nil
}

// bound finds the member that the path names by the opaque id; nil when there is none.
func (s *Service) bound(r *graph.Request, c circle) *company.Person {
	s.Store.mu.RLock()
	defer s.Store.mu.RUnlock()
	v := s.view(r)
	for _, m := range *c.members {
		if v.member(m, c.id)["id"] == r.Param("member") {
			return m.Person
		}
	}
	return nil
}

func (s *Service) patchMember(r *graph.Request) {
	var body memberBody
	if !r.ReadJSON(&body) {
		return
	}
	c, _, ok := s.circle(r, false)
	if !ok {
		return
	}
	who := s.bound(r, c)
	if who == nil {
		notFound(r)
		return
	}
	if failed(r, s.Store.setRole(c, who, role(who, body.Roles), s.caller(r))) {
		return
	}
	s.read(func(r *graph.Request, v view) answer {
		if m := member(*c.members, who.ID); m != nil {
			return sendEntity(http.StatusOK, v.member(*m, c.id))
		}
		return notFound
	})(r)
}

func (s *Service) deleteMember(r *graph.Request) {
	c, _, ok := s.circle(r, true)
	if !ok {
		return
	}
	who := s.bound(r, c)
	if who == nil {
		notFound(r)
		return
	}
	if !r.Caller.AppOnly && c.conv.chat == nil && who.ID != r.Caller.UserID {
		// Only owners take others out.
		if _, _, ok := s.circle(r, false); !ok {
			return
		}
	}
	if !failed(r, s.Store.removeMember(c, who, s.caller(r))) {
		r.Empty(http.StatusNoContent)
	}
}
