// Package box shows Box: the signed-in user's files, with an enterprise sign-in those of every user by impersonation, and
// who is in the enterprise.
//
// A view is what one acting user sees from that user's root "0"; the same file has other paths and permissions in another
// view, so views share nothing. Folders are listed by markers, which neither lose nor repeat items while a folder
// changes, with every field named that an entry needs: a page is the only request that a listing makes. A content is
// named by its file version, asked for by that version, and checked against its SHA-1 when it is read whole.
//
// Facts about the service are from developer.box.com (guides and OpenAPI document, version 2024.0).
package box
