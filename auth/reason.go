package auth

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Reason says why a sign-in service refuses, and what to do about it. All that services are known to say is in one table.
type Reason struct {
	// Service is "microsoft" or "box".
	Service string
	// Numbers are Entra's AADSTS numbers. Where there are any, the row is for these alone, with Error if that is not "".
	Numbers []int
	// Error is the OAuth error, "" for any.
	Error string
	// Says are texts in lower case of which the description holds one; empty for any description. Box's errors have no
	// numbers, and its guide on common errors tells them apart by their texts.
	Says []string

	// What is what happened and Do what helps: each one sentence without a capital and a full stop.
	What, Do string
	// Admin says that an administrator of the organisation has to help.
	Admin bool
	// Wait says that waiting may be all that is needed.
	Wait bool

	kind Kind
}

// throttledFor is how long a service is left alone that refuses because of too many requests without saying for how long.
// A guess: Entra detects loops within minutes.
const throttledFor = time.Minute

// Reasons lists the table: what can be said of refusals, for documentation and for whoever looks a number up. The rows of a
// service are in the order in which they are tried: numbers first, those that fit anything last.
func Reasons() []Reason { return slices.Concat(microsoftReasons, boxReasons) }

func of(service string, rows []Reason) []Reason {
	for i := range rows {
		rows[i].Service = service
	}
	return rows
}

// MicrosoftRefusal puts a refusal of Entra ID in words, be it of the token endpoint, of the device authorization endpoint or
// of the redirect from a sign-in page. code is OAuth's error, description its error_description and numbers error_codes; a
// redirect has no error_codes, so that the number is taken from the description if there is none. Nothing else of the
// description gets into the error.
func MicrosoftRefusal(code, description string, numbers []int) *Error {
	if len(numbers) == 0 {
		if m := aadsts.FindStringSubmatch(description); m != nil {
			n, _ := strconv.Atoi(m[1])
			numbers = []int{n}
		}
	}
	named := func(n int) string { return strings.TrimSpace(plainCode(code) + " AADSTS" + strconv.Itoa(n)) }
	for _, n := range numbers {
		for _, r := range microsoftReasons {
			if slices.Contains(r.Numbers, n) && (r.Error == "" || r.Error == code) {
				return refused(r, named(n))
			}
		}
	}
	text := plainCode(code)
	if len(numbers) > 0 {
		text = named(numbers[0])
	}
	return refused(match(microsoftReasons, code, description), text)
}

// aadsts finds Entra's number in a description (Microsoft identity platform, Authentication and authorization error codes).
var aadsts = regexp.MustCompile(`AADSTS([0-9]{4,9})\b`)

// BoxRefusal puts a refusal of Box in words, be it of the token endpoint, of the redirect from a sign-in page or a code of
// the API that no other token cures. Nothing of the description gets into the error.
func BoxRefusal(code, description string) *Error {
	return refused(match(boxReasons, code, description), plainCode(code))
}

// match finds the first row for anything but numbers. The last row of each table fits all.
func match(table []Reason, code, description string) Reason {
	description = strings.ToLower(description)
	says := func(s string) bool { return strings.Contains(description, s) }
	for _, r := range table {
		if len(r.Numbers) == 0 && (r.Error == "" || r.Error == code) && (len(r.Says) == 0 || slices.ContainsFunc(r.Says, says)) {
			return r
		}
	}
	panic("auth: a table of reasons has no last row")
}

func refused(r Reason, code string) *Error {
	e := &Error{Kind: r.kind, Code: code, Action: r.What + ": " + r.Do, Reason: r}
	if r.kind == Throttled {
		e.after = throttledFor
	}
	return e
}

// plainCode makes an error of OAuth fit for a message: services, and whoever stands between, may send anything.
func plainCode(code string) string {
	var b strings.Builder
	for _, r := range code {
		if r >= 'a' && r <= 'z' || r == '_' {
			b.WriteRune(r)
		}
		if b.Len() == 40 {
			break
		}
	}
	return b.String()
}
