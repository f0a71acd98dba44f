package subscription

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/graph"
)

// draft is a subscription as clients send it.
type draft struct {
	ChangeType                string  `json:"changeType"`
	NotificationURL           string  `json:"notificationUrl"`
	LifecycleNotificationURL  string  `json:"lifecycleNotificationUrl"`
	Resource                  string  `json:"resource"`
	ExpirationDateTime        string  `json:"expirationDateTime"`
	ClientState               *string `json:"clientState"`
	IncludeResourceData       bool    `json:"includeResourceData"`
	EncryptionCertificate     string  `json:"encryptionCertificate"`
	EncryptionCertificateID   string  `json:"encryptionCertificateId"`
	LatestSupportedTLSVersion string  `json:"latestSupportedTlsVersion"`
}

// creatable are the properties that a new subscription may have. Those of web push are not for webhooks.
var creatable = []string{"changeType", "notificationUrl", "lifecycleNotificationUrl", "resource", "expirationDateTime", "clientState",
	"includeResourceData", "encryptionCertificate", "encryptionCertificateId", "latestSupportedTlsVersion", "notificationQueryOptions",
	"notificationUrlAppId", "id", "applicationId", "creatorId"}

// readDraft decodes the body, which may have the given properties only; else it answers 400 and gives false.
func readDraft(r *graph.Request, allowed []string) (d draft, has map[string]json.RawMessage, ok bool) {
	var raw json.RawMessage
	if !r.ReadJSON(&raw) {
		return d, nil, false
	}
	if json.Unmarshal(raw, &has) != nil || json.Unmarshal(raw, &d) != nil {
		invalid("The subscription is not valid.").answer(r)
		return d, nil, false
	}
	for name := range has {
		if !strings.HasPrefix(name, "@") && !slices.Contains(allowed, name) {
			invalid("The property '" + name + "' is not valid here.").answer(r)
			return d, nil, false
		}
	}
	return d, has, true
}

// create serves POST /subscriptions.
func (s *Service) create(r *graph.Request) {
	d, has, ok := readDraft(r, creatable)
	if !ok {
		return
	}
	for _, name := range []string{"changeType", "notificationUrl", "resource", "expirationDateTime"} {
		if _, ok := has[name]; !ok {
			invalid("The required property '" + name + "' is missing.").answer(r)
			return
		}
	}
	sub, problem := s.build(r, d)
	if problem != nil {
		problem.answer(r)
		return
	}
	for _, address := range []string{sub.notificationURL, sub.lifecycleURL} {
		if address == "" {
			continue
		}
		if problem := s.validate(r.Context(), address); problem != nil {
			problem.answer(r)
			return
		}
	}
	s.mu.Lock()
	problem = s.admit(sub)
	var shown map[string]any
	if problem == nil {
		s.serve.Do(func() { s.spawn(func() { s.times.serve(s.ctx) }) })
		s.subs[sub.id] = sub
		s.order = append(s.order, sub)
		s.authorize(sub)
		shown = s.resourceOf(sub, true)
	}
	s.mu.Unlock()
	if problem != nil {
		problem.answer(r)
		return
	}
	r.Entity(http.StatusCreated, shown)
}

// build makes a subscription of a draft that is valid as far as can be told without asking anybody.
func (s *Service) build(r *graph.Request, d draft) (*subscription, *refusal) {
	t, problem := s.resolve(d.Resource, r.Caller)
	if problem != nil {
		return nil, problem
	}
	t.data, t.immutable, t.late = d.IncludeResourceData, r.Prefer.ImmutableID, r.Prefer.UnknownEnums
	sub := &subscription{
		id: newGUID(), target: t, resource: d.Resource, changeType: d.ChangeType, notificationURL: d.NotificationURL,
		lifecycleURL: d.LifecycleNotificationURL, clientState: d.ClientState, tlsVersion: d.LatestSupportedTLSVersion,
		appID: r.Caller.AppID, creatorID: r.Caller.UserID, tenantID: r.Caller.TenantID,
	}
	if r.Caller.AppOnly {
		sub.creatorID = s.tokens.Confidential.ObjectID
	}
	if sub.tlsVersion == "" {
		sub.tlsVersion = "v1_2"
	}
	if !slices.Contains([]string{"v1_0", "v1_1", "v1_2", "v1_3"}, sub.tlsVersion) {
		return nil, invalid("Invalid latestSupportedTlsVersion '" + sub.tlsVersion + "'.")
	}
	if d.ClientState != nil && len([]rune(*d.ClientState)) > maxClientState {
		return nil, invalid(fmt.Sprintf("clientState must not be longer than %d characters.", maxClientState))
	}
	for change := range strings.SplitSeq(d.ChangeType, ",") {
		change = strings.ToLower(strings.TrimSpace(change))
		if !slices.Contains(t.changes, change) {
			return nil, invalid("Invalid changeType '" + d.ChangeType + "' for resource '" + d.Resource + "'.")
		}
		sub.changes = append(sub.changes, change)
	}
	for _, address := range []string{sub.notificationURL, sub.lifecycleURL} {
		if problem := s.address(address); problem != nil && (address != "" || address == sub.notificationURL) {
			return nil, problem
		}
	}
	if sub.expires, problem = s.expiration(sub, d.ExpirationDateTime); problem != nil {
		return nil, problem
	}
	if t.data && len(t.rich) == 0 {
		return nil, invalid("Resource data cannot be included for resource '" + d.Resource + "'.")
	}
	if problem := t.permitted(); problem != nil {
		return nil, problem
	}
	if t.data {
		if sub.certificate, problem = parseCertificate(d.EncryptionCertificate, d.EncryptionCertificateID); problem != nil {
			return nil, problem
		}
	}
	sub.watch, problem = t.watch(s, t)
	return sub, problem
}

// address checks a receiver's address.
func (s *Service) address(text string) *refusal {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Fragment != "" || u.User != nil:
		return invalid("The notification URL '" + text + "' is not valid.")
	case u.Scheme == "https", u.Scheme == "http" && s.world.Switches.Bool(switchLoopbackHTTP) && loopback(u.Hostname()):
		return nil
	}
	return invalid("The notification URL must start with 'https'.")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// expiration reads the wanted end of a subscription and raises it to the minimum.
func (s *Service) expiration(sub *subscription, text string) (time.Time, *refusal) {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return at, invalid("Invalid expirationDateTime '" + text + "'.")
	}
	now := s.world.Clock.Now()
	life := sub.target.life()
	switch {
	case !at.After(now):
		return at, invalid("Subscription expiration must be in the future.")
	case at.After(now.Add(life)):
		return at, invalid(fmt.Sprintf("Subscription expiration can only be %d minutes in the future.", int(life/time.Minute)))
	}
	teams := sub.target.workload == teamsMessages || sub.target.workload == teamsOther
	if teams && sub.lifecycleURL == "" && at.After(now.Add(lifecycleFree)) {
		return at, invalid("lifecycleNotificationUrl is a required property for subscription creation on this resource when the expirationDateTime value is set to greater than 1 hour.")
	}
	if least := now.Add(minimumLife); at.Before(least) {
		at = least
	}
	return at.UTC(), nil
}

// admit checks a new subscription against those that are there. s.mu is held.
func (s *Service) admit(sub *subscription) *refusal {
	now, sw := s.world.Clock.Now(), s.world.Switches
	t := sub.target
	var mailbox, teams, same, directory int
	for _, other := range s.order {
		if !other.live(now) {
			continue
		}
		o, own := other.target, other.appID == sub.appID
		if own && o.canonical == t.canonical && slices.Equal(sorted(other.changes), sorted(sub.changes)) &&
			(sub.creatorID == other.creatorID || t.caller.AppOnly == o.caller.AppOnly && t.caller.AppOnly) {
			// The code is of an observed answer (github.com/abraunegg/onedrive).
			return &refusal{http.StatusConflict, "ObjectIdentifierInUse", "Subscription Id " + other.id + " already exists for the requested combination"}
		}
		switch o.workload {
		case exchange:
			if t.user != nil && o.user == t.user {
				mailbox++
			}
		case teamsMessages, teamsOther:
			teams++
			if own && o.canonical == t.canonical {
				same++
			}
		case people:
			if own {
				directory++
			}
		}
	}
	perResource := sw.Int(switchPerResource)
	if t.pattern == "users/{user}/chats/getallmessages" {
		perResource = sw.Int(switchPerUserChats)
	}
	isTeams := t.workload == teamsMessages || t.workload == teamsOther
	if t.workload == exchange && mailbox >= sw.Int(switchPerMailbox) || t.workload == people && directory >= sw.Int(switchPerDirectory) ||
		isTeams && (teams >= sw.Int(switchPerTeams) || same >= perResource) {
		return wrapped(http.StatusForbidden, "Forbidden", "Maximum number of subscriptions has been reached")
	}
	return nil
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }
