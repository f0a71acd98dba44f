// Package entra simulates the part of Microsoft Entra ID that a client of Graph needs: the v2 token endpoint with client
// credentials and refresh tokens, its error bodies, the metadata documents and keys, and access tokens as signed JWTs.
//
// Facts come from the Microsoft identity platform pages on the OAuth 2.0 flows, refresh tokens, access token claims and
// AADSTS error codes.
package entra
