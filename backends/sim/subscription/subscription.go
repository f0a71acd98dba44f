package subscription

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"time"

	"github.com/workfs/workfs/backends/sim/graph"
)

// subscription is one of them. It is guarded by the Service's lock but for what never changes after its creation.
type subscription struct {
	id           string
	target       *target
	watch        watch
	resource     string // as the client wrote it
	changeType   string // the same
	changes      []string
	lifecycleURL string // "": none
	clientState  *string
	tlsVersion   string
	appID        string
	creatorID    string // a user's or a service principal's object id
	tenantID     string

	notificationURL string
	certificate     *certificate // nil: without resource data
	expires         time.Time
	authorized      time.Time // until then; without a lifecycleURL there is no such limit
	round           int       // of scheduled challenges; older ones are void
	removed         bool
	missing         bool            // a missed notification is under way
	backlog         []*notification // that wait for an authorization

	delivered, failed, lost, pending int
}

// live tells whether the subscription is there.
func (sub *subscription) live(now time.Time) bool { return !sub.removed && now.Before(sub.expires) }

// paused tells whether delivery waits for an authorization.
func (sub *subscription) paused(now time.Time) bool {
	return sub.lifecycleURL != "" && !now.Before(sub.authorized)
}

// belongs tells whether a caller may know of the subscription: an application sees all of its own, a user those that they
// made with the application (subscription-list.md).
func (sub *subscription) belongs(c graph.Caller) bool {
	return sub.appID == c.AppID && (c.AppOnly || sub.creatorID == c.UserID)
}

// expiry is the form in which subscriptions show times, with up to 7 fraction digits.
const expiry = "2006-01-02T15:04:05.9999999Z"

// resourceOf is the subscription as the API shows it. The certificate is never shown.
func (s *Service) resourceOf(sub *subscription, created bool) map[string]any {
	m := map[string]any{
		"id": sub.id, "resource": sub.resource, "applicationId": sub.appID, "changeType": sub.changeType, "clientState": nil,
		"notificationUrl": sub.notificationURL, "notificationQueryOptions": nil, "lifecycleNotificationUrl": nil,
		"expirationDateTime": sub.expires.Format(expiry), "creatorId": sub.creatorID, "includeResourceData": nil,
		"latestSupportedTlsVersion": sub.tlsVersion, "encryptionCertificate": nil, "encryptionCertificateId": nil, "notificationUrlAppId": nil,
	}
	if sub.clientState != nil && (created || s.world.Switches.Bool(switchClientState)) {
		m["clientState"] = *sub.clientState
	}
	if sub.lifecycleURL != "" {
		m["lifecycleNotificationUrl"] = sub.lifecycleURL
	}
	if sub.certificate != nil {
		m["includeResourceData"], m["encryptionCertificateId"] = true, sub.certificate.id
	}
	return m
}

// newGUID gives a random GUID. Ids of subscriptions need not be reproducible.
func newGUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// newNotificationID gives an id in the form of the samples.
func newNotificationID() string {
	var b [45]byte
	_, _ = rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}
