package render

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// decode fills v with what of the resource has the expected types. Values of other types count as missing: a field that a
// service changed must not make a whole message unreadable.
func decode(raw []byte, v any) error {
	err := json.Unmarshal(raw, v)
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("render: decode: %w", err)
	}
	return nil
}

type itemBody struct {
	ContentType string `json:"contentType"`
	Content     string `json:"content"`
}

func (b itemBody) isHTML() bool { return strings.EqualFold(b.ContentType, "html") }

// markdown gives the body for reading.
func (b itemBody) markdown() string {
	if b.isHTML() {
		return HTMLToMarkdown(b.Content)
	}
	return bodyText(b.Content)
}

// plain gives the body as plain text.
func (b itemBody) plain() string {
	if b.isHTML() {
		return HTMLToText(b.Content)
	}
	return bodyText(b.Content)
}

type emailAddress struct {
	Name    string `json:"name"`
	Address string `json:"address"`
}

// String gives "Name <address>", or the one of the two that there is.
func (a emailAddress) String() string {
	name, address := oneLine(a.Name), oneLine(a.Address)
	switch {
	case address == "":
		return name
	case name == "" || strings.EqualFold(name, address):
		return address
	}
	return name + " <" + address + ">"
}

// person gives the name of a correspondent for people: the name, else the local part of the address.
func (a emailAddress) person() string {
	name := oneLine(a.Name)
	if name == "" || strings.EqualFold(name, oneLine(a.Address)) {
		name = oneLine(a.Address)
		if local, _, ok := strings.Cut(name, "@"); ok && local != "" {
			name = local
		}
	}
	return name
}

type recipient struct {
	EmailAddress emailAddress `json:"emailAddress"`
}

func addresses(rs []recipient) []string {
	if len(rs) == 0 {
		return nil
	}
	out := make([]string, len(rs))
	for i, r := range rs {
		out[i] = r.EmailAddress.String()
	}
	return out
}
