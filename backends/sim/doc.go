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
//	GET  /stats     requests, pages, bytes, time and peak concurrency by route; what was used of the limits, in resource
//	                units where a service counts in them; tokens sent to the wrong host; retries that came too early
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
// # Limits
//
// Four requests at a time per mailbox are always the limit. With the switch "throttle" at "real" (--throttle real) all that
// the services document hold, on the virtual clock:
//
//   - Outlook: 10,000 requests in 10 minutes and 150 MB uploaded in 5, for each app and mailbox.
//   - Teams: requests per second by operation, for an app, a tenant, a team, channel or chat, and a user; presence apart.
//   - Directory: a token bucket of resource units for each app and tenant, by the tenant's size (switch
//     "graph.tenant_users"), and a limit on writes. Answers tell their cost and, above 80 %, how much is used;
//     x-ms-throttle-priority: Low is refused first.
//   - Drives: resource units in a minute and a day, by licences, and requests of a user, with RateLimit headers.
//   - Subscriptions: calls in 20 seconds. Graph as a whole: 130,000 requests in 10 seconds and app.
//   - Box: calls, uploads and searches of an acting user, searches of the enterprise.
//
// GET /stats tells what an ideal client needs of them: the longest of pages times seconds per request for a chain of pages,
// of all seconds over the concurrency that is allowed, and for each entry of "limits" (busiest - limit) / limit * seconds.
// "busy_seconds" beside the time that a client took is the share for which it kept the services busy.
//
// What the clouds always do, however awkward, is on by default and mostly has a switch; failures are off until a fault rule
// asks for them. All limits and expiries run on the virtual clock; delays and latency are real time.
package sim
