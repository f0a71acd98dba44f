package outlook

import "github.com/workfs/workfs/backends/render/jsonscan"

// scanFacts reads the facts of an item, which must be valid JSON; false if it is not an object.
func scanFacts(raw []byte, x *facts) bool {
	return jsonscan.Members(raw, func(name, value []byte, _, _ int) {
		switch string(name) {
		case "id":
			x.ID = jsonscan.String(value)
		case "@odata.etag":
			x.ETag = jsonscan.String(value)
		case "@odata.type":
			x.Type = jsonscan.String(value)
		case "@odata.context":
			x.Context = jsonscan.String(value)
		case "@removed":
			x.Removed = true
		case "receivedDateTime":
			x.Received = jsonscan.String(value)
		case "createdDateTime":
			x.Created = jsonscan.String(value)
		case "lastModifiedDateTime":
			x.Modified = jsonscan.String(value)
		case "isDraft":
			x.IsDraft = string(value) == "true"
		case "webLink":
			x.WebLink = jsonscan.String(value)
		case "changeKey":
			x.Change = jsonscan.String(value)
		case "from":
			x.From = addressOf(value)
		}
	})
}

// addressOf gives the address of a recipient.
func addressOf(recipient []byte) (address string) {
	jsonscan.Members(recipient, func(name, value []byte, _, _ int) {
		if string(name) != "emailAddress" {
			return
		}
		jsonscan.Members(value, func(name, value []byte, _, _ int) {
			if string(name) == "address" {
				jsonscan.SetString(&address, value)
			}
		})
	})
	return address
}

// without gives an object without some of its members, and otherwise as it was.
func without(raw []byte, drop func(name, value []byte) bool) []byte {
	type span struct{ from, to int }
	kept := make([]span, 0, 48) // a message has some forty members
	dropped := false
	ok := jsonscan.Members(raw, func(name, value []byte, from, to int) {
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
