package render

import "errors"

var errLater = errors.New("render: not rendered yet")

// Member is what is known of a person by id, for messages that name people by id alone.
type Member struct {
	Name  string
	Email string
}

// ChatOptions are the facts about a chat message that are not in its resource.
type ChatOptions struct {
	// AttachmentsDir is the name of the directory beside the file that holds the attachments.
	AttachmentsDir string
	// ConversationName is the chat's or channel's name for people, ConversationID its id.
	ConversationName, ConversationID string
	// RootID is the id of the root post for a reply in a channel; empty takes the message's own replyToId.
	RootID string
	// Members gives names and addresses by user id. What is rendered depends on it, so it should hold stable facts only.
	Members map[string]Member
}

// ChatMD gives a Teams message as Markdown.
func ChatMD(raw []byte, o ChatOptions) ([]byte, error) { return nil, errLater }

// ChatEML gives a Teams message as an RFC 5322 message with text and HTML parts, threaded by References.
func ChatEML(raw []byte, o ChatOptions) ([]byte, error) { return nil, errLater }

// ChatHasAttachments tells whether a Teams message has attachments to show: hosted contents, files or links.
func ChatHasAttachments(raw []byte) bool { return false }

// ChatPerson gives the display text of a Teams message's author for a file name: the name, else "system" for what the
// service itself says, else "unknown".
func ChatPerson(raw []byte) string { return unknown }

// ChatSubject gives the text for a Teams message's file name: its subject, else the first words of its body, else what it is.
func ChatSubject(raw []byte) string { return "" }
