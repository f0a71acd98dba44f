// Package drive simulates the files part of Microsoft Graph: drives of people, of team sites and of private and shared
// channels, with their items, versions, permissions, delta and content.
//
// It owns the Store of all drives, the routes under /drives, /me/drive, /users/{u}/drive, /groups/{g}/drive, /sites and
// /shares, and the handler of the host that gives out bytes: /content answers with a redirect to that host, which wants
// no token and refuses one. Who may see a team's drive is told by the team's owner through Drive.Readers; this package
// knows no teams.
package drive
