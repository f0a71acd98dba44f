// Package subscription simulates the change notifications of Microsoft Graph: the /subscriptions endpoint, the validation of
// the receivers' addresses, and the delivery of what the simulated services report to them.
//
// It follows the pages change-notifications-overview, -delivery-webhooks, -lifecycle-events and -with-resource-data of the
// Graph documentation. All times are virtual: [core.Clock] jumps make due what lies in between. Only how long a receiver takes
// to answer is real time, scaled by the switch "subscriptions.second_ms".
//
// What goes wrong in real life is off by default and set by the switches named "subscriptions.…": loss, duplicates,
// disorder, delays, forged items, spoilt signatures and validation tokens. The control host lists all subscriptions, removes
// them as the service does, and sends lifecycle notifications:
//
//	GET  /subscriptions  all of them with their state and counts
//	POST /notifications  {"remove":"<id>"}, {"missed":"<id>"} or {"reauthorize":"<id>"}
//
// A change reaches [Service.Changed] from the store that it happened in; each subscription has a watch that tells what it
// sees of it. What is seen becomes a notification, which waits at the endpoint, the receiver's address, until it is posted
// together with whatever else waits there.
package subscription
