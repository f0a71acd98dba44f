// Package subscription keeps the change notification subscriptions of one Microsoft connection: it creates, renews,
// reauthorizes, adopts and deletes them, and it verifies what is delivered for them
// (https://learn.microsoft.com/graph/change-notifications-overview).
package subscription
