package keygen

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"
)

// attributes are the parts of a name that can be written, by their keys in capitals (RFC 4514, 3, and openssl's names).
var attributes = map[string]asn1.ObjectIdentifier{
	"CN": {2, 5, 4, 3}, "C": {2, 5, 4, 6}, "L": {2, 5, 4, 7}, "ST": {2, 5, 4, 8}, "STREET": {2, 5, 4, 9}, "O": {2, 5, 4, 10}, "OU": {2, 5, 4, 11},
	"DC": {0, 9, 2342, 19200300, 100, 1, 25}, "UID": {0, 9, 2342, 19200300, 100, 1, 1}, "SERIALNUMBER": {2, 5, 4, 5},
	"EMAILADDRESS": {1, 2, 840, 113549, 1, 9, 1},
}

// ParseSubject reads a distinguished name: "/C=DE/O=Contoso/CN=workfs", as openssl's -subj takes it, or
// "CN=workfs,O=Contoso,C=DE", which has the parts the other way round (RFC 4514). A backslash takes the meaning from the
// character after it.
func ParseSubject(text string) (pkix.Name, error) {
	separator, body := ',', text
	if strings.HasPrefix(text, "/") {
		separator, body = '/', text[1:]
	}
	var parts []pkix.AttributeTypeAndValue
	for _, part := range split(body, separator) {
		key, value, ok := strings.Cut(part, "=")
		key, value = strings.ToUpper(strings.TrimSpace(key)), strings.TrimSpace(unescape(value))
		oid, known := attributes[key]
		switch {
		case !ok || value == "":
			return pkix.Name{}, errSubject
		case !known:
			return pkix.Name{}, fmt.Errorf("%w: there is no %s", errSubject, key)
		case key == "C" && len(value) != 2:
			return pkix.Name{}, fmt.Errorf("%w: a country (C) has two letters", errSubject)
		}
		parts = append(parts, pkix.AttributeTypeAndValue{Type: oid, Value: value})
	}
	if separator == ',' {
		slices.Reverse(parts)
	}
	// pkix.Name would put the parts in an order of its own but for ExtraNames.
	return pkix.Name{ExtraNames: parts}, nil
}

// split cuts a text at the separators that no backslash precedes.
func split(text string, separator rune) (parts []string) {
	var part strings.Builder
	escaped := false
	for _, r := range text {
		if r == separator && !escaped {
			parts = append(parts, part.String())
			part.Reset()
			continue
		}
		part.WriteRune(r)
		escaped = r == '\\' && !escaped
	}
	return append(parts, part.String())
}

func unescape(text string) string {
	var out strings.Builder
	escaped := false
	for _, r := range text {
		if escaped = r == '\\' && !escaped; !escaped {
			out.WriteRune(r)
		}
	}
	return out.String()
}
