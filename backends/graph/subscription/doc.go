// Package subscription keeps the change notification subscriptions of one Microsoft connection: it creates, renews,
// reauthorizes, adopts and deletes them, and it verifies what is delivered for them
// (https://learn.microsoft.com/graph/change-notifications-overview).
//
// Nothing is remembered of a subscription but one secret. The address that it delivers to and its clientState are derived
// from the secret and from what is wished for, so that after a crash, whenever that was, the service's own list tells which
// subscriptions are ours, and what for. One that is at our address but not derived from the secret is of a time before the
// secret was lost: it is deleted.
//
// The state of a wish says since when notifications come without a gap. A subscription that was made anew or adopted starts
// over: its listener asks for everything that changed meanwhile.
package subscription
