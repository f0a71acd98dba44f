// Package churn changes a simulated company at random, as its people's own programs would: by the public calls of Graph and
// Box over HTTP, with tokens from the sign-in service. Tests use it to see whether a mounted tree follows, demos to have
// something happen.
//
// The choices follow from a seed, and so do names and texts; what the services make of them (ids, times) does not, except for
// the services' own determinism. Each step makes one change and ends when the service has answered, so a caller that
// compares states between steps finds them at rest.
//
// The generator knows nothing of workfs and shares no client code with it.
package churn
