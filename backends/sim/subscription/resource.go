package subscription

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/graph"
)

// workload is the service that a resource belongs to; it decides quotas and lifecycle notifications.
type workload int

const (
	exchange workload = iota
	teamsMessages
	teamsOther
	files
	people
)

// rule is one kind of resource that can be subscribed to (change-notifications-overview.md, "Supported resources").
type rule struct {
	pattern   string   // {name} is one segment; /me is users/{user}
	delegated []string // any of them suffices; none: not with a delegated token
	app       []string
	rich      []string // besides, when resource data are included; none: they cannot be
	minutes   int      // of life at most
	richLife  int      // the same with resource data; 0: as without
	latency   time.Duration
	changes   []string
	workload  workload
	watch     func(*Service, *target) (watch, *refusal)
}

var (
	allChanges  = []string{"created", "updated", "deleted"}
	onlyUpdated = []string{"updated"}
	noCreated   = []string{"updated", "deleted"}
)

const (
	exchangeLife = 10080
	exchangeRich = 1440
	teamsLife    = 4320
	filesLife    = 42300
	peopleLife   = 41760
)

// rules in order: the first pattern that fits counts.
var rules = []rule{
	mail("users/{user}/messages"),
	mail("users/{user}/mailfolders/{folder}/messages"),
	exchangeRule("users/{user}/events", "Calendars.Read"),
	exchangeRule("users/{user}/contacts", "Contacts.Read"),
	exchangeRule("users/{user}/contactfolders/{folder}/contacts", "Contacts.Read"),

	messages("teams/getallmessages", nil, "ChannelMessage.Read.All"),
	messages("teams/{team}/channels/{channel}/messages", []string{"ChannelMessage.Read.All"}, "ChannelMessage.Read.All"),
	messages("chats/getallmessages", nil, "Chat.Read.All"),
	messages("chats/{chat}/messages", []string{"Chat.Read"}, "Chat.Read.All"),
	messages("users/{user}/chats/getallmessages", []string{"Chat.Read"}, "Chat.Read.All"),

	conversations("teams", nil, "Team.ReadBasic.All"),
	conversations("teams/getallchannels", nil, "Channel.ReadBasic.All"),
	conversations("teams/{team}", []string{"Team.ReadBasic.All"}, "Team.ReadBasic.All"),
	conversations("teams/{team}/channels", []string{"Channel.ReadBasic.All"}, "Channel.ReadBasic.All"),
	conversations("teams/{team}/members", []string{"TeamMember.Read.All"}, "TeamMember.Read.All"),
	conversations("teams/{team}/channels/getallmembers", []string{"ChannelMember.Read.All"}, "ChannelMember.Read.All"),
	conversations("chats", nil, "Chat.ReadBasic.All"),
	conversations("chats/getallmembers", nil, "ChatMember.Read.All", "Chat.ReadBasic.All"),
	conversations("chats/{chat}", []string{"Chat.ReadBasic"}, "Chat.ReadBasic.All"),
	conversations("chats/{chat}/members", []string{"ChatMember.Read", "Chat.ReadBasic"}, "ChatMember.Read.All", "Chat.ReadBasic.All"),
	conversations("users/{user}/chats", []string{"Chat.ReadBasic"}, "Chat.ReadBasic.All"),

	driveRoot("drives/{drive}/root"),
	driveRoot("users/{user}/drive/root"),

	directoryRule("users", "User.Read.All"),
	directoryRule("users/{user}", "User.Read.All"),
	directoryRule("groups", "Group.Read.All"),
	directoryRule("groups/{group}", "Group.Read.All"),
	directoryRule("groups/{group}/members", "Group.Read.All"),
}

func mail(pattern string) rule {
	r := exchangeRule(pattern, "Mail.Read")
	r.delegated = []string{"Mail.ReadBasic"}
	return r
}

func exchangeRule(pattern, perm string) rule {
	return rule{pattern: pattern, delegated: []string{perm}, app: []string{perm}, rich: []string{perm}, minutes: exchangeLife,
		richLife: exchangeRich, latency: 3 * time.Minute, changes: allChanges, workload: exchange, watch: watchOutlook}
}

func messages(pattern string, delegated []string, app ...string) rule {
	return rule{pattern: pattern, delegated: delegated, app: app, rich: slices.Concat(delegated, app), minutes: teamsLife,
		latency: time.Minute, changes: allChanges, workload: teamsMessages, watch: watchMessages}
}

func conversations(pattern string, delegated []string, app ...string) rule {
	return rule{pattern: pattern, delegated: delegated, app: app, rich: slices.Concat(delegated, app), minutes: teamsLife,
		latency: time.Hour, changes: allChanges, workload: teamsOther, watch: watchConversations}
}

func driveRoot(pattern string) rule {
	return rule{pattern: pattern, delegated: []string{"Files.ReadWrite"}, app: []string{"Files.ReadWrite.All"}, minutes: filesLife,
		latency: 6 * time.Hour, changes: onlyUpdated, workload: files, watch: watchDrive}
}

func directoryRule(pattern, perm string) rule {
	return rule{pattern: pattern, delegated: []string{perm}, app: []string{perm}, minutes: peopleLife, latency: time.Minute,
		changes: noCreated, workload: people, watch: watchDirectory}
}

// target is a resource that somebody wants to subscribe to.
type target struct {
	*rule
	params    map[string]string
	user      *company.Person // of {user}
	query     url.Values
	canonical string // tells the same resource in another spelling
	caller    graph.Caller
	data      bool // resource data are wanted
	immutable bool // ids
	late      bool // members of evolvable enumerations
}

// resolve finds the rule for a resource and what it names.
func (s *Service) resolve(resource string, caller graph.Caller) (*target, *refusal) {
	path, rawQuery, _ := strings.Cut(resource, "?")
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return nil, invalid("Invalid query in resource '" + resource + "'.")
	}
	tokens := segments(path)
	if len(tokens) > 0 && strings.EqualFold(tokens[0], "me") {
		if caller.AppOnly {
			return nil, &refusal{400, "BadRequest", "/me request is only valid with delegated authentication flow."}
		}
		tokens = append([]string{"users", caller.UserID}, tokens[1:]...)
	}
	for i := range rules {
		params, ok := rules[i].match(tokens)
		if !ok {
			continue
		}
		t := &target{rule: &rules[i], params: params, query: query, caller: caller}
		if key := params["user"]; key != "" {
			if t.user = s.company.Person(key); t.user == nil {
				return nil, wrapped(404, "NotFound", "The requested user '"+key+"' is invalid.")
			}
			tokens[1] = t.user.ID
		}
		t.canonical = strings.Join(tokens, "/") + "?" + query.Encode()
		return t, nil
	}
	return nil, invalid("Resource '" + resource + "' is not supported for subscriptions.")
}

// segments parts a path; users('alice')/messages is users/alice/messages, and getAllMessages() is getAllMessages.
func segments(path string) (tokens []string) {
	for seg := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if text, err := url.PathUnescape(seg); err == nil {
			seg = text
		}
		name, key, keyed := strings.Cut(strings.TrimSuffix(seg, "()"), "('")
		tokens = append(tokens, name)
		if keyed {
			tokens = append(tokens, strings.ReplaceAll(strings.TrimSuffix(key, "')"), "''", "'"))
		}
	}
	return tokens
}

func (r *rule) match(tokens []string) (map[string]string, bool) {
	want := strings.Split(r.pattern, "/")
	if len(want) != len(tokens) {
		return nil, false
	}
	params := map[string]string{}
	for i, w := range want {
		if name, ok := strings.CutPrefix(w, "{"); ok && tokens[i] != "" {
			params[strings.TrimSuffix(name, "}")] = tokens[i]
		} else if !strings.EqualFold(w, tokens[i]) {
			return nil, false
		}
	}
	return params, true
}

// permitted checks the caller's permissions.
func (t *target) permitted() *refusal {
	want := t.delegated
	if t.caller.AppOnly {
		want = t.app
	}
	if !t.caller.Has(want...) || t.data && !t.caller.Has(t.rich...) {
		return wrapped(403, "Forbidden", "Access is denied. Check credentials and try again.")
	}
	// A delegated token opens one's own mailbox, chats and drive only (outlook-change-notifications-overview.md).
	if t.user != nil && t.workload != people && !t.caller.AppOnly && t.user.ID != t.caller.UserID {
		return wrapped(403, "Forbidden", "Access is denied. Check credentials and try again.")
	}
	return nil
}

// life is how long a subscription may live.
func (t *target) life() time.Duration {
	if t.data && t.richLife > 0 {
		return time.Duration(t.richLife) * time.Minute
	}
	return time.Duration(t.minutes) * time.Minute
}

// refusal is an error answer.
type refusal struct {
	status        int
	code, message string
}

func (f *refusal) answer(r *graph.Request) { r.Error(f.status, f.code, f.message) }

// invalid is the answer to a request that the subscription service refuses by itself.
func invalid(message string) *refusal { return &refusal{400, "ValidationError", message} }

// wrapped is the answer of a workload, as the subscription service passes it on (observed).
func wrapped(status int, name, reason string) *refusal {
	return &refusal{status, "ExtensionError", "Operation: Create; Exception: [Status Code: " + name + "; Reason: " + reason + "]"}
}
