package outlook

import (
	"bytes"
	"encoding/json"
)

// members calls fn for each member of a JSON object with its raw name (without quotes, escapes not undone), its raw value and
// where the member begins and ends in raw. It gives false for what is not an object. A page has hundreds of elements of
// which a few small members are wanted here; decoding each as a whole would cost as much as rendering it.
//
// raw must be valid JSON, as the elements of a decoded page are; whatever it is, members ends and stays within it.
func members(raw []byte, fn func(name, value []byte, from, to int)) bool {
	i := space(raw, 0)
	if i >= len(raw) || raw[i] != '{' {
		return false
	}
	i++
	for {
		i = space(raw, i)
		if i >= len(raw) || raw[i] != '"' {
			return i < len(raw) && raw[i] == '}'
		}
		from := i
		end := endOfString(raw, i)
		if end > len(raw) {
			return false
		}
		name := raw[i+1 : end-1]
		i = space(raw, end)
		if i >= len(raw) || raw[i] != ':' {
			return false
		}
		i = space(raw, i+1)
		to := endOfValue(raw, i)
		if to > len(raw) || to <= i {
			return false
		}
		fn(name, raw[i:to], from, to)
		if i = space(raw, to); i < len(raw) && raw[i] == ',' {
			i++
		}
	}
}

func space(raw []byte, i int) int {
	for i < len(raw) && (raw[i] == ' ' || raw[i] == '\t' || raw[i] == '\n' || raw[i] == '\r') {
		i++
	}
	return i
}

// endOfString gives the position after the string that begins at i, more than len(raw) if it does not end.
func endOfString(raw []byte, i int) int {
	for i++; i < len(raw); {
		q := bytes.IndexByte(raw[i:], '"')
		if q < 0 {
			break
		}
		i += q
		slashes := 0
		for raw[i-1-slashes] == '\\' {
			slashes++
		}
		i++
		if slashes%2 == 0 {
			return i
		}
	}
	return len(raw) + 1
}

// endOfValue gives the position after the value that begins at i, more than len(raw) if it does not end.
func endOfValue(raw []byte, i int) int {
	depth := 0
	for i < len(raw) {
		switch raw[i] {
		case '"':
			i = endOfString(raw, i)
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // the end of what holds a number or a word
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return len(raw) + 1
}

// text gives the string that a raw value is, "" for anything else.
func text(value []byte) string {
	if len(value) < 2 || value[0] != '"' {
		return ""
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : len(value)-1])
	}
	var s string
	if json.Unmarshal(value, &s) != nil {
		return ""
	}
	return s
}

// scanFacts reads the facts of an item; false if it is not an object.
func scanFacts(raw []byte, x *facts) bool {
	return members(raw, func(name, value []byte, _, _ int) {
		switch string(name) {
		case "id":
			x.ID = text(value)
		case "@odata.etag":
			x.ETag = text(value)
		case "@odata.type":
			x.Type = text(value)
		case "@odata.context":
			x.Context = text(value)
		case "@removed":
			x.Removed = true
		case "receivedDateTime":
			x.Received = text(value)
		case "createdDateTime":
			x.Created = text(value)
		case "lastModifiedDateTime":
			x.Modified = text(value)
		case "isDraft":
			x.IsDraft = string(value) == "true"
		case "webLink":
			x.WebLink = text(value)
		case "changeKey":
			x.Change = text(value)
		case "from":
			var who struct {
				EmailAddress struct {
					Address string `json:"address"`
				} `json:"emailAddress"`
			}
			if decode(value, &who) == nil {
				x.From = who.EmailAddress.Address
			}
		}
	})
}

// without gives an object without some of its members, and otherwise as it was.
func without(raw []byte, drop func(name, value []byte) bool) []byte {
	type span struct{ from, to int }
	var kept []span
	dropped := false
	ok := members(raw, func(name, value []byte, from, to int) {
		if drop(name, value) {
			dropped = true
			return
		}
		kept = append(kept, span{from, to})
	})
	if !ok || !dropped {
		return raw
	}
	out := make([]byte, 0, len(raw))
	out = append(out, '{')
	for i, k := range kept {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, raw[k.from:k.to]...)
	}
	return append(out, '}')
}
