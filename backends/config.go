package backends

import (
	"log/slog"
	"time"

	"github.com/workfs/workfs/auth"
)

// Connection is one sign-in as the configuration file describes it ([connections.NAME]), with absolute paths. Empty
// addresses mean the real services of the global clouds.
type Connection struct {
	// Name is the directory of the connection at the root of the mount.
	Name string
	// Type is "microsoft" or "box".
	Type string
	// Auth is how tokens are had: "delegated" (a person's refresh token) or "app" (client credentials) for microsoft,
	// "oauth" (a person's refresh token), "ccg" (client credentials for Subject) or "jwt" (a signed assertion for Subject)
	// for box. "token" is for both: TokenCommand prints access tokens.
	Auth string

	// Tenant is a GUID, a verified domain or, for a person, "common" or "organizations" (microsoft).
	Tenant   string
	ClientID string
	// Certificate is a PEM file with the certificate that is registered for the application (microsoft). With it the
	// application proves itself by a signed assertion instead of a secret.
	Certificate string
	// PrivateKey is the PEM file of the key of Certificate, or of PublicKeyID; "" where Certificate's file has it, too, or
	// the credentials have it.
	PrivateKey string
	// PublicKeyID is the id that Box gave to the public key (box, jwt).
	PublicKeyID string
	// Subject is "user:ID" or "enterprise:ID" (box, ccg and jwt).
	Subject string
	// Enterprise says that the sign-in may act as every user of its enterprise (box). EnterpriseContent says that it reads
	// the enterprise's content by the scope for that, and impersonates nobody.
	Enterprise, EnterpriseContent bool
	// AsUser is the login or id of the one user as whom everything is seen, "" for the signed-in one (box).
	AsUser string
	// Headers are sent with each request to the API.
	Headers map[string]string

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
	// Credentials is the path of the credentials file, or of what takes its place beside a keyring (a lock).
	Credentials string
	// Store keeps the credentials; nil means the plain file at Credentials.
	Store auth.Store
	// RenewHelper is the command line of a program that renews a person's sign-in to Box, so that the renewal survives the end
	// of this process (see auth.BoxConfig); empty for none.
	RenewHelper []string
	// TokenCommand is a shell command that prints an access token, "" for none.
	TokenCommand string

	// SignatureKeys is the path of a file with the keys by which Box signs its webhooks, "" for none.
	SignatureKeys string

	// SharedMailboxes are addresses of mailboxes to show beside the own one (microsoft, delegated).
	SharedMailboxes []string
	// Features limits what is shown, by the names in package permission ("mail", "calendar", …); empty means everything.
	Features []string
	// Scopes are asked for at the sign-in instead of those of Features (microsoft, delegated).
	Scopes []string
}

// Options are the settings of a mount that services heed.
type Options struct {
	// Features limits what services of a Microsoft sign-in show, as Connection.Features.
	Features []string
	// Granted are the scopes that a person's sign-in was granted, nil if unknown: what needs others is not asked for and
	// is named in Coverage.
	Granted []string
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
