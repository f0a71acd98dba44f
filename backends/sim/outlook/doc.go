// Package outlook is Exchange Online behind Microsoft Graph, simulated: mail folders, messages, attachments, MIME,
// calendars, events and contacts of the seeded company, with delta queries over all of them and the writes that cause
// changes.
//
// [New] builds the mailboxes and registers the routes. State lies in package mailbox, the seeded mail in package seed,
// MIME in package rfc822, query options in package query, recurrence in package recur; this package maps HTTP to them.
//
// Facts come from the v1.0 API pages of mailFolder, message, attachment, calendar, event, contactFolder and contact, from
// the concept pages on immutable ids, MIME and delta queries, and from the CSDL; what they leave open is a switch.
package outlook
