package outlook

import (
	"strings"

	"github.com/workfs/workfs/backends/sim/graph"
)

func (s *Store) routes(g *graph.Server) {
	on := func(p graph.Perms, pattern string, h func(*call)) { s.handle(g, pattern, p, h) }
	basic := graph.Perms{Delegated: []string{"Mail.ReadBasic"}, App: []string{"Mail.ReadBasic", "Mail.ReadBasic.All"},
		DelegatedShared: []string{"Mail.ReadBasic.Shared"}}
	read, write := perms("Mail.Read"), perms("Mail.ReadWrite")
	send := graph.Perms{Delegated: []string{"Mail.Send"}, App: []string{"Mail.Send"}, DelegatedShared: []string{"Mail.Send.Shared"}}
	settings := graph.Perms{Delegated: []string{"MailboxSettings.Read"}, App: []string{"MailboxSettings.Read"},
		DelegatedShared: []string{"MailboxSettings.Read"}}

	on(basic, "GET {U}/mailFolders", s.listFolders)
	on(basic, "GET {U}/mailFolders/delta", s.folderDelta)
	on(basic, "GET {U}/mailFolders/{folder}", s.getFolder)
	on(basic, "GET {U}/mailFolders/{folder}/childFolders", s.listChildFolders)
	on(basic, "GET {U}/mailFolders/{parent}/childFolders/{folder}", s.getFolder)
	on(write, "POST {U}/mailFolders", s.createFolder)
	on(write, "POST {U}/mailFolders/{folder}/childFolders", s.createFolder)
	for _, folder := range []string{"{U}/mailFolders/{folder}", "{U}/mailFolders/{parent}/childFolders/{folder}"} {
		on(write, "PATCH "+folder, s.patchFolder)
		on(write, "DELETE "+folder, s.deleteFolder)
		on(write, "POST "+folder+"/permanentDelete", s.deleteFolder)
		on(write, "POST "+folder+"/move", s.moveFolder)
		on(write, "POST "+folder+"/copy", s.copyFolder)
	}
	on(basic, "GET {U}/mailFolders/{folder}/messages/delta", s.messageDelta)

	for _, messages := range []string{"{U}/messages", "{U}/mailFolders/{folder}/messages"} {
		one := messages + "/{message}"
		on(basic, "GET "+messages, s.listMessages)
		on(basic, "GET "+messages+"/$count", s.countMessages)
		on(write, "POST "+messages, s.createMessage)
		on(basic, "GET "+one, s.getMessage)
		on(write, "PATCH "+one, s.patchMessage)
		on(write, "DELETE "+one, s.deleteMessage)
		on(write, "POST "+one+"/permanentDelete", s.deleteMessage)
		on(write, "POST "+one+"/move", s.transferMessage)
		on(write, "POST "+one+"/copy", s.transferMessage)
		on(send, "POST "+one+"/send", s.sendDraft)
		for _, answer := range []string{"reply", "replyAll", "forward"} {
			on(send, "POST "+one+"/"+answer, s.answerMessage)
			on(write, "POST "+one+"/create"+strings.ToUpper(answer[:1])+answer[1:], s.answerMessage)
		}
		on(read, "GET "+one+"/$value", s.messageValue)
		on(read, "GET "+one+"/attachments", s.listAttachments)
		on(write, "POST "+one+"/attachments", s.addAttachment)
		on(read, "GET "+one+"/attachments/{attachment}", s.getAttachment)
		on(write, "DELETE "+one+"/attachments/{attachment}", s.deleteAttachment)
		on(read, "GET "+one+"/attachments/{attachment}/$value", s.attachmentValue)
	}
	on(send, "POST {U}/sendMail", s.sendMail)
	on(graph.Perms{Delegated: []string{"User.Read", "Mail.ReadBasic"}, App: []string{"Mail.ReadBasic", "Mail.ReadBasic.All"}},
		"POST {U}/translateExchangeIds", s.translateIDs)
	on(settings, "GET {U}/mailboxSettings", s.mailboxSettings)
	on(settings, "GET {U}/mailboxSettings/{property}", s.mailboxSettings)

	s.calendarRoutes(on)
	s.contactRoutes(on)
}
