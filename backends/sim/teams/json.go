package teams

import (
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
)

// view is how one request wants resources.
type view struct {
	graph  string // base URL of the Graph host
	tenant string
	// late gives a member of an evolvable enumeration that came after unknownFutureValue as the request may see it.
	late func(string) string
}

// stamp is the form of times in Teams: milliseconds without trailing zeros; nil when unset.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05.999Z")
}

// orNil gives null for an empty text.
func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// enum hides members of an evolvable enumeration that only an opted-in request may see.
func (v view) enum(value string, late bool) string {
	if late {
		return v.late(value)
	}
	return value
}

func (v view) userIdentity(p *company.Person) map[string]any {
	return map[string]any{"@odata.type": "#microsoft.graph.teamworkUserIdentity", "id": p.ID, "displayName": p.DisplayName,
		"userIdentityType": "aadUser", "tenantId": v.tenant}
}

// sender is the from property.
func (v view) sender(f *Sender) any {
	if f == nil {
		return nil
	}
	m := map[string]any{"application": nil, "device": nil, "user": nil}
	switch {
	case f.AppID != "":
		m["application"] = map[string]any{"@odata.type": "#microsoft.graph.teamworkApplicationIdentity", "id": f.AppID,
			"displayName": orNil(f.Name), "applicationIdentityType": f.IdentityType}
	case f.Person != nil:
		u := v.userIdentity(f.Person)
		if f.NoName {
			u["displayName"] = nil
		}
		m["user"] = u
	default:
		m["user"] = map[string]any{"@odata.type": "#microsoft.graph.teamworkUserIdentity", "id": f.ID, "displayName": orNil(f.Name),
			"userIdentityType": v.enum(f.IdentityType, f.IdentityType == "emailUser"), "tenantId": orNil(f.TenantID)}
	}
	return m
}

func (v view) mention(i int, at Mention) map[string]any {
	to := map[string]any{"application": nil, "device": nil, "conversation": nil, "user": nil}
	conversation := func(id, name, kind string) map[string]any {
		return map[string]any{"id": id, "displayName": name, "conversationIdentityType": kind}
	}
	switch {
	case at.Person != nil:
		to["user"] = v.userIdentity(at.Person)
	case at.Channel != nil:
		to["conversation"] = conversation(at.Channel.ID, at.Channel.Name, "channel")
	case at.Team != nil:
		to["conversation"] = conversation(at.Team.ID, at.Team.Name, "team")
	case at.Chat != nil:
		to["conversation"] = conversation(at.Chat.ID, at.Chat.Topic, "chat")
	case at.AppID != "":
		to["application"] = map[string]any{"id": at.AppID, "displayName": at.Text, "applicationIdentityType": "bot"}
	default:
		to["tag"] = map[string]any{"id": at.Tag, "displayName": at.Text}
	}
	return map[string]any{"id": i, "mentionText": at.Text, "mentioned": to}
}

func (v view) reaction(r Reaction) map[string]any {
	who := map[string]any{"application": nil, "device": nil, "user": map[string]any{"id": r.By.ID, "displayName": nil, "userIdentityType": "aadUser"}}
	return map[string]any{"reactionType": r.Type, "displayName": orNil(r.DisplayName), "reactionContentUrl": orNil(r.ContentURL),
		"createdDateTime": stamp(r.At), "user": who}
}

// path is the message's resource path below the version.
func (m *Message) path() string {
	if c := m.conv.channel; c != nil {
		p := "/teams/" + c.team.ID + "/channels/" + url.PathEscape(c.ID) + "/messages/"
		if m.root != nil {
			return p + m.root.ID + "/replies/" + m.ID
		}
		return p + m.ID
	}
	return "/chats/" + url.PathEscape(m.conv.chat.ID) + "/messages/" + m.ID
}

// fill puts the addresses of hosted contents into a text.
func (v view) fill(m *Message, text string) string {
	for i, h := range m.Hosted {
		text = strings.ReplaceAll(text, `"hosted:`+strconv.Itoa(i)+`"`,
			`"`+v.graph+"/v1.0"+m.path()+"/hostedContents/"+h.ID+`/$value"`)
	}
	return text
}

func (v view) body(m *Message) map[string]any {
	kind := "text"
	if m.HTML {
		kind = "html"
	}
	return map[string]any{"contentType": kind, "content": v.fill(m, m.Body)}
}

// message is the chatMessage resource.
func (v view) message(m *Message) map[string]any {
	r := map[string]any{
		"id": m.ID, "replyToId": nil, "etag": strconv.FormatInt(m.etag, 10), "messageType": v.enum(m.Type, m.Type == typeSystem),
		"createdDateTime": stamp(m.Created), "lastModifiedDateTime": stamp(m.Modified), "lastEditedDateTime": stamp(m.Edited),
		"deletedDateTime": stamp(m.Deleted), "subject": orNil(m.Subject), "summary": orNil(m.Summary), "chatId": nil,
		"importance": "normal", "locale": "en-us", "webUrl": nil, "channelIdentity": nil, "policyViolation": m.Policy,
		"eventDetail": m.Event, "from": v.sender(m.From), "body": v.body(m),
	}
	if m.Policy == nil {
		r["policyViolation"] = nil
	}
	if m.Event == nil {
		r["eventDetail"] = nil
	}
	if m.Importance != "" {
		r["importance"] = m.Importance
	}
	if c := m.conv.channel; c != nil {
		parent := m.ID
		if m.root != nil {
			r["replyToId"], parent = m.root.ID, m.root.ID
		}
		r["channelIdentity"] = map[string]any{"teamId": c.team.ID, "channelId": c.ID}
		q := url.Values{"groupId": {c.team.ID}, "tenantId": {v.tenant}, "createdTime": {m.ID}, "parentMessageId": {parent}}
		r["webUrl"] = "https://teams.microsoft.com/l/message/" + url.PathEscape(c.ID) + "/" + m.ID + "?" + q.Encode()
	} else {
		r["chatId"] = m.conv.chat.ID
	}
	attachments, mentions, reactions := []any{}, []any{}, []any{}
	if m.Deleted.IsZero() {
		for _, a := range m.Attachments {
			attachments = append(attachments, map[string]any{"id": a.ID, "contentType": a.ContentType, "contentUrl": orNil(a.ContentURL),
				"content": orNil(v.fill(m, a.Content)), "name": orNil(a.Name), "thumbnailUrl": nil, "teamsAppId": orNil(a.TeamsAppID)})
		}
		for i, at := range m.Mentions {
			mentions = append(mentions, v.mention(i, at))
		}
		for _, re := range m.Reactions {
			reactions = append(reactions, v.reaction(re))
		}
	}
	r["attachments"], r["mentions"], r["reactions"] = attachments, mentions, reactions
	history := []any{}
	for _, h := range m.History {
		history = append(history, map[string]any{"modifiedDateTime": stamp(h.At), "actions": h.Actions, "reaction": v.reaction(h.Reaction)})
	}
	r["messageHistory"] = history
	return r
}

func (v view) team(t *Team) map[string]any {
	owners, guests := 0, 0
	for _, m := range t.Members {
		switch m.Role {
		case "owner":
			owners++
		case "guest":
			guests++
		}
	}
	return map[string]any{
		"id": t.ID, "displayName": t.Name, "description": t.Description, "internalId": t.InternalID, "classification": nil,
		"createdDateTime": stamp(t.Created), "specialization": "none", "visibility": t.Visibility, "isArchived": t.Archived,
		"tenantId": v.tenant,
		"webUrl":   "https://teams.microsoft.com/l/team/" + url.PathEscape(t.InternalID) + "/conversations?groupId=" + t.ID + "&tenantId=" + v.tenant,
		"summary":  map[string]any{"ownersCount": owners, "membersCount": len(t.Members) - owners - guests, "guestsCount": guests},
		"memberSettings": map[string]any{"allowCreateUpdateChannels": true, "allowDeleteChannels": true, "allowAddRemoveApps": true,
			"allowCreateUpdateRemoveTabs": true, "allowCreateUpdateRemoveConnectors": true, "allowCreatePrivateChannels": true},
		"guestSettings":     map[string]any{"allowCreateUpdateChannels": false, "allowDeleteChannels": false},
		"messagingSettings": map[string]any{"allowUserEditMessages": true, "allowUserDeleteMessages": true, "allowOwnerDeleteMessages": true, "allowTeamMentions": true, "allowChannelMentions": true},
		"funSettings":       map[string]any{"allowGiphy": true, "giphyContentRating": "moderate", "allowStickersAndMemes": true, "allowCustomMemes": true},
	}
}

// shortTeam is a team in lists: three properties, the others null.
func (v view) shortTeam(t *Team) map[string]any {
	m := map[string]any{"id": t.ID, "displayName": t.Name, "description": t.Description}
	for _, k := range []string{"internalId", "classification", "createdDateTime", "specialization", "visibility", "webUrl", "isArchived", "tenantId",
		"memberSettings", "guestSettings", "messagingSettings", "funSettings", "summary"} {
		m[k] = nil
	}
	return m
}

func (v view) channel(c *Channel) map[string]any {
	tenant := v.tenant
	if c.TenantID != "" {
		tenant = c.TenantID
	}
	local := strings.ToLower(strings.ReplaceAll(c.team.ID, "-", "")[:8])
	return map[string]any{
		"id": c.ID, "displayName": c.Name, "description": orNil(c.Description), "createdDateTime": stamp(c.Created),
		"membershipType": v.enum(c.Membership, c.Membership == shared), "isArchived": c.team.Archived, "isFavoriteByDefault": nil,
		"layoutType": "post", "tenantId": tenant, "email": local + "." + c.ID[3:min(11, len(c.ID))] + "@emea.teams.ms",
		"webUrl": "https://teams.microsoft.com/l/channel/" + url.PathEscape(c.ID) + "/" + url.PathEscape(c.Name) + "?groupId=" + c.team.ID + "&tenantId=" + tenant,
	}
}

// member is an aadUserConversationMember of the container, whose id makes the opaque membership id.
func (v view) member(m Member, container string) map[string]any {
	tenant := v.tenant
	if m.TenantID != "" {
		tenant = m.TenantID
	}
	roles := []string{}
	if m.Role != "" {
		roles = append(roles, m.Role)
	}
	from := "0001-01-01T00:00:00Z"
	if !m.From.IsZero() {
		from = m.From.UTC().Format("2006-01-02T15:04:05.999Z")
	}
	return map[string]any{
		"@odata.type": "#microsoft.graph.aadUserConversationMember",
		"id":          membershipID(tenant, container, m.Person.ID),
		"roles":       roles, "displayName": m.Person.DisplayName, "visibleHistoryStartDateTime": from,
		"userId": m.Person.ID, "email": m.Person.Mail, "tenantId": tenant,
	}
}

func membershipID(tenant, container, userID string) string {
	return base64.StdEncoding.EncodeToString([]byte("MCMjMiMj" + tenant + "##" + container + "##" + userID))
}

func (v view) chat(c *Chat, forUser string) map[string]any {
	m := map[string]any{
		"id": c.ID, "topic": orNil(c.Topic), "chatType": c.Kind, "createdDateTime": stamp(c.Created), "lastUpdatedDateTime": stamp(c.Updated),
		"tenantId": v.tenant, "isHiddenForAllMembers": false, "onlineMeetingInfo": nil, "viewpoint": nil,
		"webUrl": "https://teams.microsoft.com/l/chat/" + url.PathEscape(c.ID) + "/0?tenantId=" + v.tenant,
	}
	if c.Meeting != nil {
		m["onlineMeetingInfo"] = c.Meeting
	}
	if forUser != "" {
		m["viewpoint"] = map[string]any{"isHidden": c.Hidden, "lastMessageReadDateTime": stamp(c.LastRead)}
	}
	return m
}

// preview is the chatMessageInfo of a message.
func (v view) preview(m *Message) any {
	if m == nil {
		return nil
	}
	body := v.body(m)
	r := map[string]any{"id": m.ID, "createdDateTime": stamp(m.Created), "isDeleted": !m.Deleted.IsZero(),
		"messageType": v.enum(m.Type, m.Type == typeSystem), "from": v.sender(m.From), "body": body, "eventDetail": nil}
	if m.Event != nil {
		r["eventDetail"] = m.Event
	}
	return r
}
