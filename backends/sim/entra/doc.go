// Package entra simulates the part of Microsoft Entra ID that a client of Graph needs: the pages that people sign in and
// consent on, the v2 token endpoint with its error bodies, the metadata documents and keys, and access tokens as signed JWTs.
//
// Facts come from the Microsoft identity platform pages on the OAuth 2.0 flows, refresh tokens, redirect URIs, certificate
// credentials, access token claims and AADSTS error codes, some from answers that people have posted. What no source says
// is marked as a guess, or has a switch.
//
// # Pages
//
// They are plain HTML without scripts, so that a person, a headless browser and a parser of forms can all use them. Every
// form has the hidden field flowToken and works only in the browser that it was shown in. By their titles:
//
//	Sign in                      user name: name loginfmt, id i0116; password: name passwd, id i0118; button id idSIButton9;
//	                             after a mistake usernameError or passwordError with data-aadsts
//	Pick an account              buttons tile0, tile1, … (name account) and otherTile
//	Permissions requested        the list scopes, its items with data-scope; buttons idSIButton9 (accept) and idBtn_Back
//	                             (cancel); for an administrator the check box onBehalfOfOrganization; the page of
//	                             adminconsent looks the same
//	Need admin approval          buttons otherTile (sign in as an administrator) and idBtn_Back (return to the application)
//	Enter code                   at /devicelogin: name and id otc, button idSIButton9, then codeError with data-aadsts
//	Are you trying to sign in…   buttons idSIButton9 (continue) and idBtn_Back (cancel), for device codes
//	Sorry, but we're having…     exceptionMessageContainer with data-aadsts: an error that no client is told of
//
// The form fields and the buttons of the first page have the names that Entra's own have.
//
// # Who there is
//
// Every identity of the company has an account with the password [company.Password]; shared mailboxes and rooms are disabled. The
// company marks no administrator; Łukasz, who keeps its machines running, is the only one. [ForeignUser] belongs to another
// tenant. Two applications have the consent of everyone for all that they registered, two others nobody's.
//
// # Control
//
//	GET  /entra/devices                      device codes with their states, the times of polls and how many came too early
//	GET  /entra/apps/{client}/manifest       the registration of an application
//	PUT  /entra/apps/{client}/manifest       the portal's manifest editor: keyCredentials, redirect URIs, public client or not
//	POST /entra/apps/{client}/redirects      {"uri":"https://…","platform":"web"}; also publicClient and spa
//	POST /entra/users/{user}/{action}        revoke, change_password, reset_password ({"password":"…"}), expire_password,
//	                                         disable, enable, lock, unlock
package entra
