package churn

import (
	"context"
	"net/http"
	"net/url"
)

func own(r *room) bool { return r.own }

// changeRoom runs a call on a channel or chat that was made here and forgets it if it is gone.
func (t *talk) changeRoom(ctx context.Context, suits func(*room) bool, method, suffix string, body any) (*room, object, error) {
	r := t.rooms.pick(t.words, suits)
	if r == nil {
		return nil, nil, errNothing
	}
	answer, err := t.graph(ctx, asAlice, method, r.path+suffix, body)
	if gone(err) && suffix == "" {
		t.rooms.drop(r)
	}
	return r, answer, err
}

func (t *talk) createChannel(ctx context.Context) (string, string, error) {
	if len(t.teams) == 0 {
		return "", "", errNothing
	}
	base := t.teams[t.words.IntN(len(t.teams))]
	kind := "standard"
	if t.words.Chance(30) {
		kind = "private"
	}
	name := t.words.Project() + " " + t.number()
	made, err := t.graph(ctx, asAlice, "POST", base, object{"displayName": name, "membershipType": kind, "description": t.words.Phrase()})
	if err != nil {
		return "", "", err
	}
	t.rooms.add(&room{path: base + "/" + url.PathEscape(text(made["id"])), name: name, channel: true, own: true})
	return text(made["id"]), name, nil
}

func (t *talk) renameChannel(ctx context.Context) (string, string, error) {
	name := t.words.Project() + " " + t.number()
	r, _, err := t.changeRoom(ctx, own, "PATCH", "", object{"displayName": name})
	if err != nil {
		return "", "", err
	}
	r.name = name
	return r.path, name, nil
}

func (t *talk) deleteChannel(ctx context.Context) (string, string, error) {
	r, _, err := t.changeRoom(ctx, own, "DELETE", "", nil)
	if err != nil {
		return "", "", err
	}
	t.rooms.drop(r)
	return r.path, r.name, nil
}

// bound is a member in the body of a request.
func bound(userID string) object {
	return object{"@odata.type": "#microsoft.graph.aadUserConversationMember", "roles": []string{"owner"},
		"user@odata.bind": "https://graph.microsoft.com/v1.0/users('" + userID + "')"}
}

func (t *talk) createChat(ctx context.Context) (string, string, error) {
	users := t.http.ready.Users
	first := 1 + t.words.IntN(len(users)-1)
	topic := t.words.Subject() + " " + t.number()
	made, err := t.graph(ctx, asAlice, "POST", "/chats", object{"chatType": "group", "topic": topic, "members": []object{bound(users[0].ID), bound(users[first].ID)}})
	if err != nil {
		return "", "", err
	}
	t.rooms.add(&room{path: "/chats/" + url.PathEscape(text(made["id"])), name: topic, own: true})
	return text(made["id"]), topic, nil
}

func (t *talk) renameChat(ctx context.Context) (string, string, error) {
	topic := t.words.Subject() + " " + t.number()
	r, _, err := t.changeRoom(ctx, own, "PATCH", "", object{"topic": topic})
	if err != nil {
		return "", "", err
	}
	r.name = topic
	return r.path, topic, nil
}

func (t *talk) addMember(ctx context.Context) (string, string, error) {
	users := t.http.ready.Users
	who := users[1+t.words.IntN(len(users)-1)]
	r, made, err := t.changeRoom(ctx, own, "POST", "/members", bound(who.ID))
	if refusedAs(err, http.StatusBadRequest) {
		return "", "", errNothing // is one already
	}
	if err != nil {
		return "", "", err
	}
	r.members = append(r.members, text(made["id"]))
	return r.path, who.Name, nil
}

func (t *talk) removeMember(ctx context.Context) (string, string, error) {
	r := t.rooms.pick(t.words, func(r *room) bool { return len(r.members) > 0 })
	if r == nil {
		return "", "", errNothing
	}
	last := len(r.members) - 1
	_, err := t.graph(ctx, asAlice, "DELETE", r.path+"/members/"+url.PathEscape(r.members[last]), nil)
	if err == nil || gone(err) {
		r.members = r.members[:last]
	}
	return r.path, r.name, err
}
