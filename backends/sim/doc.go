// Package sim runs simulated Microsoft and Box clouds in one process: Entra ID, Graph and Box over real HTTP, each on a
// loopback address of its own, with a small company inside. It follows the services' public documentation, limits and
// awkward shapes included, and knows nothing of the clients that talk to it.
//
// [New] builds the clouds, [Sim.Start] listens, [Sim.Ready] tells the addresses and credentials, [Sim.WriteConfig] writes
// them as a configuration. Tests and the demo use it in process, cmd/workfs-sim as a program. Package churn changes what is
// inside at random, by the clouds' own calls.
//
// # Control
//
// The control host is no part of any cloud. In process the same is reached through [Sim.World].
//
//	GET  /ready     addresses and credentials, as in the ready line
//	GET  /stats     requests, bytes and peak concurrency by route; tokens sent to the wrong host; retries that came too early
//	POST /reset     forget statistics, faults and used-up limits
//	PUT  /faults    a list of rules: [{"route":"GET /v1.0/me/messages/{id}","status":429,"headers":{"Retry-After":"0.5"},"count":2}]
//	GET  /switches  all named behaviours with their defaults and what they do
//	PUT  /switches  {"entra.token_lifetime":5}
//	POST /clock     {"advance":"24h"} or {"set":"2026-11-20T12:00:00Z"}; what waits for a time until then happens
//	GET  /subscriptions  change notification subscriptions of Graph with their state and counts
//	POST /notifications  {"remove":"<id>"}, {"missed":"<id>"} or {"reauthorize":"<id>"} of such a subscription
//	GET  /entra/devices, PUT /entra/apps/{client}/manifest, POST /entra/apps/{client}/redirects,
//	POST /entra/users/{user}/{action}  what happens around sign-ins (package entra)
//	GET  /box       keys that webhooks are signed with, deliveries under way, long polls that wait
//	POST /box       {"action":"rotate_key","key":"primary"}; also remove_key, delete_webhook, end_session, nudge (package box)
//
// What the clouds always do, however awkward, is on by default and mostly has a switch; failures are off until a fault rule
// asks for them. All limits and expiries run on the virtual clock; delays and latency are real time.
package sim
