package teams

import (
	"net/url"
	"strings"
)

// target is what the path of a notification names; what it does not name is empty.
type target struct{ team, channel, chat, message, reply string }

// post and id give the message that is meant, as a conversation names it: the root post of a reply and the message's id.
func (t target) root() string {
	if t.reply != "" {
		return t.message
	}
	return ""
}

func (t target) id() string {
	if t.reply != "" {
		return t.reply
	}
	return t.message
}

// parsePath reads the path of a notification, which services write in several forms: "teams('…')/channels('…')/messages('…')"
// as well as "/Teams/…/channels/…", with ids that may be percent-encoded (change notifications for Teams resources).
func parsePath(path string) (t target) {
	for path != "" {
		var name, value string
		name, path = nextSegment(path)
		if open := strings.IndexByte(name, '('); open >= 0 {
			name, value = name[:open], unquoted(name[open:])
		}
		var to *string
		switch strings.ToLower(name) {
		case "teams":
			to = &t.team
		case "channels":
			to = &t.channel
		case "chats":
			to = &t.chat
		case "messages":
			to = &t.message
		case "replies":
			to = &t.reply
		default:
			continue
		}
		if value == "" {
			value, path = nextSegment(path)
		}
		if plain, err := url.PathUnescape(value); err == nil {
			value = plain
		}
		*to = value
	}
	return t
}

// nextSegment cuts a path at the first slash that is not within quotes, where a quote is doubled to stand for itself.
func nextSegment(path string) (segment, rest string) {
	path = strings.TrimLeft(path, "/")
	quoted := false
	for i := range len(path) {
		switch path[i] {
		case '\'':
			quoted = !quoted
		case '/':
			if !quoted {
				return path[:i], path[i+1:]
			}
		}
	}
	return path, ""
}

// unquoted takes the key out of "('…')".
func unquoted(s string) string {
	s = strings.TrimSuffix(strings.TrimPrefix(s, "("), ")")
	if len(s) >= 2 && s[0] == '\'' && s[len(s)-1] == '\'' {
		s = strings.ReplaceAll(s[1:len(s)-1], "''", "'")
	}
	return s
}
