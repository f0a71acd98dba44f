// Package box shows Box: the signed-in user's files, with an enterprise sign-in those of every user by impersonation, and
// who is in the enterprise.
//
// A view is what one acting user sees from that user's root "0"; the same file has other paths and permissions in another
// view, so views share nothing. Folders are listed by markers, which neither lose nor repeat items while a folder
// changes, with every field named that an entry needs: a page is the only request that a listing makes. A content is
// named by its file version, asked for by that version, and checked against its SHA-1 when it is read whole.
//
// Who signs in is not always who is seen. As one other user (Config.AsUser) every request names that user, and the tree is the
// same as if that user signed in. An enterprise sign-in acts as each of its users for their views, or, with the scope to all
// content, acts as nobody and finds what each user owns. recent/ shows files of the own view a second time, as files of their
// own with the same contents.
//
// Changes are followed by events: those of the signed-in user by a long poll, those of an enterprise, for the views of others,
// by asking every now and then, and sooner where webhooks hint at them. An event says what an item is now and not what it was,
// may come late, twice or before an older one, and tells of a folder with one entry for all that lies below; so what it says
// counts only where its etag is newer than what is known, and where that leaves a doubt Box is asked. All folders of a view are
// one collection: a move is one commit, together with the position in the stream. The stream that is followed leaves out
// downloads, which this program makes itself, and tells of collaborations only the owner; what others share with a user shows
// in the root, which is therefore listed by age, as are folders with files that may not be downloaded.
//
// Facts about the service are from developer.box.com (guides and OpenAPI document, version 2024.0).
package box
