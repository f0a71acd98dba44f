package backends

import (
	"log/slog"
	"time"
)

// Connection is one sign-in as the configuration file describes it ([connections.NAME]), with absolute paths. Empty
// addresses mean the real services of the global clouds.
type Connection struct {
	// Name is the directory of the connection at the root of the mount.
	Name string
	// Type is "microsoft" or "box".
	Type string
	// Auth is how tokens are had: "delegated" (a person's refresh token) or "app" (client credentials) for microsoft,
	// "oauth" (a person's refresh token) or "ccg" (client credentials for Subject) for box.
	Auth string

	// Tenant is a GUID or a verified domain (microsoft).
	Tenant   string
	ClientID string
	// Subject is "user:ID" or "enterprise:ID" (box, ccg).
	Subject string
	// Enterprise says that the sign-in may act as every user of its enterprise (box).
	Enterprise bool

	// GraphURL and LoginURL are base URLs without a path, as https://graph.microsoft.com (microsoft).
	GraphURL, LoginURL string
	// APIURL is the base of Box's API without its version, TokenURL the whole address of the token endpoint, AccountURL
	// the base of the sign-in pages (box).
	APIURL, TokenURL, AccountURL string
	// ContentHosts are the hosts that downloads may be redirected to: "host", "host:port" or "*.domain".
	ContentHosts []string
	// RealtimeHosts are the hosts that may be given a token for a long poll.
	RealtimeHosts []string

	// CAFile is a PEM file of further certificate authorities to trust, "" for none.
	CAFile string
	// Credentials is the path of the credentials file.
	Credentials string

	// SignatureKeys is the path of a file with the keys by which Box signs its webhooks, "" for none.
	SignatureKeys string

	// SharedMailboxes are addresses of mailboxes to show beside the own one (microsoft, delegated).
	SharedMailboxes []string
	// Features limits what is shown ("outlook", "teams", "directory"); empty means everything.
	Features []string
}

// Options are the settings of a mount that services heed.
type Options struct {
	// Formats lists the forms in which each message is shown: "md", "json", "eml". Empty means md.
	Formats []string
	// TeamsRefresh is the age at which listings of Teams messages are asked for again; 0 means 24 hours.
	TeamsRefresh time.Duration
	// MaxAge is the age of other listings; 0 means the cache's default.
	MaxAge time.Duration
	// Receiver takes webhooks; nil where the services can't reach this machine.
	Receiver Receiver
	// WebhookKeys are the keys of the Box application by which deliveries are signed, primary first.
	WebhookKeys []string
	// ResourceData asks for the changed resource within notifications, encrypted, where the service offers that.
	ResourceData bool
	// PollInterval is how often changes are asked for, at first, where nothing tells of them; the interval adapts to how
	// often there are any. 0: they are asked for when somebody looks.
	PollInterval time.Duration
	// Now is the clock, time.Now when nil. Tick is the longest that anything waits by the real clock before it looks at Now
	// again; 0 means 30 seconds.
	Now  func() time.Time
	Tick time.Duration
	// Log gets what happens to requests, never contents or secrets; nil for none.
	Log *slog.Logger
	// UserAgent identifies this program to the services.
	UserAgent string
}
