package outlook

import (
	"context"
	"slices"
	"strings"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/graph/permission"
)

// envelope selects all of a message but what belongs to its body: with the permission for the rest, the service gives no
// more, and who has the one for bodies and chose to show none should not have them sent either
// (https://learn.microsoft.com/graph/permissions-reference, Mail.ReadBasic; message resource type).
const envelope = "changeKey,categories,createdDateTime,lastModifiedDateTime,receivedDateTime,sentDateTime,hasAttachments,internetMessageId," +
	"subject,importance,parentFolderId,conversationId,conversationIndex,isDeliveryReceiptRequested,isReadReceiptRequested,isRead,isDraft," +
	"webLink,inferenceClassification,from,sender,toRecipients,ccRecipients,bccRecipients,replyTo,flag"

// Edition implements backends.Editioned.
func (s *service) Edition() string {
	features := []permission.Feature{permission.Mail, permission.MailNames, permission.Calendar, permission.Contacts}
	edition := s.view.Edition(features...)
	if len(s.shared) > 0 {
		edition += " shared " + s.view.Shared().Edition(features...)
	}
	return edition
}

// viewOf tells what is shown of a mailbox.
func (s *service) viewOf(mailbox string) permission.View {
	if strings.HasPrefix(mailbox, sharedPrefix) {
		return s.view.Shared()
	}
	return s.view
}

// envelopes tells whether mail of a mailbox is shown without bodies.
func (s *service) envelopes(mailbox string) bool {
	return s.viewOf(mailbox).Mail() == permission.Envelopes
}

// part is one of the directories of a mailbox.
type part struct {
	name, kind string
	list       func(ctx context.Context, mailbox string, sink backends.Sink) error
}

// parts gives those that are shown.
func (s *service) parts(mailbox string) []part {
	all := []part{{"mail", kindMail, s.listMail}, {"calendar", kindCalendars, s.listCalendars}, {"contacts", kindContacts, s.listContacts}}
	return slices.DeleteFunc(all, func(p part) bool { return !s.shows([]string{p.kind, mailbox}) })
}

// shows tells whether a directory, given by the parts of its key, is shown. What is not may still be asked for by who saw it
// in another mount.
func (s *service) shows(k []string) bool {
	if len(k) < 2 {
		return true
	}
	v := s.viewOf(k[1])
	switch k[0] {
	case kindMail, kindFolder, kindMonth:
		return v.Mail() != permission.NoLetters
	case kindCalendars, kindCalendar, kindCalMonth:
		return v.Allows(permission.Calendar)
	case kindContacts, kindBook:
		return v.Allows(permission.Contacts)
	case kindAttachments:
		return len(k) > 2 && (k[2] == "messages" && v.Mail() == permission.WholeLetters || k[2] == "events" && v.Allows(permission.Calendar))
	}
	return true
}

// mailFormats gives the forms in which messages of a mailbox are shown. Without bodies there is no MIME.
func (s *service) mailFormats(mailbox string) []string {
	if !s.envelopes(mailbox) {
		return s.formats
	}
	formats := slices.DeleteFunc(slices.Clone(s.formats), func(f string) bool { return f == "eml" })
	if len(formats) == 0 {
		formats = []string{"md"} // or months would be empty
	}
	return formats
}

// messageQuery gives a query for messages of a mailbox with what is shown of them.
func (s *service) messageQuery(mailbox string, options ...string) graph.Query {
	if s.envelopes(mailbox) {
		options = append(options, "$select", envelope)
	}
	return graph.Opts(options...)
}
