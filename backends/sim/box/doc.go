// Package box simulates Box: the token endpoint, the content API, uploads, the download host, events with long polls, and
// webhooks, for one enterprise that is seeded with the people of package company.
//
// It follows Box's OpenAPI document and developer guides in their limits, error bodies and awkward shapes, and knows
// nothing of any client. What Box's documents leave open is a switch (see registerSwitches) or is decided here:
//
//   - A folder's etag does not move when a child changes.
//   - A refresh token that is used twice is refused, its family lives on; an access token outlives its refresh token's use.
//   - Revoking one half of a token pair kills both.
//   - Calls under As-User count against the user that is acted for.
//   - A download without the right to it is 403 access_denied_insufficient_permissions.
//   - The download host answers 416 to ranges it does not take, 405 to HEAD, and sends no ETag.
//   - Names are unique in a folder without regard to case; Unicode forms are not unified, and a collaborator's root may hold
//     twins.
//   - Only collaborations set on an item itself are listed with it.
//   - As-User for an inactive user is 403.
//   - Unknown names in "fields" are ignored.
//   - Listings by marker are ordered by type and id, so they neither skip nor repeat an item while others change.
//
// # What happened
//
// Every call that changes something notes a change (see change.go). Once the call has succeeded, and still under the lock
// of the data, the journal makes events of it for the streams of those who may hear of it, and the hooks make deliveries
// for the webhooks that cover the item. A source is the item as it was then, shown as its reader may see it now.
//
// By default the streams are as Box describes them where nothing fails: a few events come twice, side by side; ids in a
// source are numbers now and then; a page can be short; the streams for administrators are 12 and 60 seconds late and
// their position is 0 when nothing is new; webhooks come after up to 10 seconds, each in its own time. Loss, disorder, late
// events, forged deliveries, unknown types and missing sources are switches that are off. All of it draws from the seed,
// and all times but those of single requests are the virtual clock's.
//
// Decided here, since Box's documents leave it open:
//
//   - A purge from the trash is in no stream; webhooks tell of it.
//   - Whoever loses sight of an item by a move is told of the move once more, with type and id only.
//   - The owner is told of collaborations on "changes"; the collaborators, the one concerned included, on "all" only.
//   - A move is told to the webhooks of the former place and of the new one.
//   - A webhook is retried 11 times within two hours, with growing pauses.
//   - A webhook whose creator is gone, or sees the target no longer, stays in the list and is silent.
//
// # Signing in
//
// Two apps are registered: one for people (authorisation code, refresh token) and client credentials, one that signs JWTs.
// Box gives an app one kind of authentication; that the first has two is a convenience. Each has a Service Account of its
// own; webhooks and their keys are shared. What the developer console does are calls of the control host (console.go).
//
// The pages of the account host (authorize.go, pages.go) are one form each. The sign-in page has the fields login and
// password and the button login-submit, the consent page the buttons consent_accept_button and consent_reject_button,
// and an error page an element with the id "error"; those are ids, and the names of fields. Every person's password is
// company.Password. A browser stays signed in by a cookie and is asked for consent each time.
//
// Guesses, since Box's documents are silent:
//
//   - A refusal is error=access_denied; a wrong response_type or scope goes to the app with the codes of RFC 6749.
//   - A code that was used before is "Auth code doesn't exist or is invalid for the client".
//   - Assertions are checked in the order signature, iss, aud, exp, iat and nbf, jti, sub; a jti is spent once it was looked at.
//   - Under the scope enterprise_content, folder 0 stays the caller's own root, paths show whole, and search wants the scope (403).
//   - Accesses through the API make recent items; a download is an item_open.
//   - An App user of another app is an unknown subject for a JWT and 403 for As-User.
package box
