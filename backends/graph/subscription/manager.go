package subscription

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
)

// Wish is a subscription that somebody wants to have.
type Wish struct {
	// Resource is what to subscribe to: "/me/mailFolders('id')/messages".
	Resource string
	// Changes are the kinds of change: "created,updated,deleted".
	Changes string
	// MaxLife is the longest lifetime that the service allows for the resource.
	MaxLife time.Duration
	// Prefer are values of the Prefer header of the request that creates it; IdType="ImmutableId" is always among them.
	Prefer []string
	// Data asks for the resource within notifications. Only where the service gives the same that it gives on request.
	Data bool
}

// Notification is a verified notification: a hint that something changed.
type Notification struct {
	Subscription string // the service's id
	Resource     string // of the Wish
	Path         string // the resource that changed, as the service wrote it
	Change       string // "created", "updated" or "deleted"; "" when it is unknown what changed (notifications were missed)
	ID, ETag     string // of the resource, where the notification tells
	Data         json.RawMessage
	At           time.Time // when it arrived
}

// State is how a wish is doing.
type State struct {
	// Live says that notifications come. Those of before Since may have been lost.
	Live    bool
	Since   time.Time
	ID      string    // of the subscription
	Renewal time.Time // when it will be renewed
	// Problem says why not, in one sentence.
	Problem string
}

// Listener hears of a wish. Its methods return soon and may be called from any goroutine.
type Listener interface {
	Notified(n []Notification)
	Changed(resource string, s State)
}

// Options are the arguments of New.
type Options struct {
	// Name is the connection's. It must stay the same for the next start to adopt what this one made.
	Name     string
	Client   *graph.Client
	Account  graph.Account
	ClientID string // of the application, to which tokens within notifications must be addressed
	// LoginURL is the base of the sign-in service whose keys sign those tokens, that of the global cloud when empty.
	LoginURL  string
	Transport http.RoundTripper // for the keys; nil means http.DefaultTransport
	Memory    backends.Memory   // keeps the subscriptions and their secrets
	Receiver  backends.Receiver // the public address
	Options   backends.Options
}

// Manager keeps the subscriptions of one connection.
type Manager struct {
	o Options
}

// New makes a Manager, which does nothing before Run.
func New(o Options) *Manager { return &Manager{o: o} }

// Want asks for a subscription, which is created when Run gets to it. A resource has one Wish and one Listener.
func (m *Manager) Want(w Wish, l Listener) {}

// Drop deletes a subscription that is not wanted any more.
func (m *Manager) Drop(resource string) {}

// Run creates and renews what is wanted until ctx ends, then deletes it all.
func (m *Manager) Run(ctx context.Context) {}
