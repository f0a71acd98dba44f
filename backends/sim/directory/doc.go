// Package directory simulates the people and groups of a tenant on Graph: /me, /users, /groups, members, presence and
// organization, with their delta queries and the writes that cause changes.
package directory
