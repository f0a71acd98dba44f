// Package box simulates Box: the token endpoint, the content API, uploads and the download host, for one enterprise that
// is seeded with the people of package company.
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
// Events, long polls, webhooks and the sign-in flows with a browser or a JWT are not here; OnChange is where events
// attach, and grantTypes where flows do.
package box
