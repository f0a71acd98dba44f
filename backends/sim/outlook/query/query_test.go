package query

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

var schema = Schema{
	"receivedDateTime": Time, "sentDateTime": Time, "isRead": Bool, "subject": String, "size": Number,
	"from/emailAddress/address": String, "categories": Strings,
}

func item(path string) any {
	switch path {
	case "receivedDateTime":
		return time.Date(2026, 11, 20, 9, 12, 33, 0, time.UTC)
	case "isRead":
		return false
	case "subject":
		return "O'Neil (draft), Q4"
	case "size":
		return int64(42)
	case "from/emailAddress/address":
		return "bob@contoso.com"
	case "categories":
		return []string{"Blue", "Red"}
	}
	return nil
}

func TestFilterMatch(t *testing.T) {
	for text, want := range map[string]bool{
		"": true,
		"receivedDateTime ge 2026-11-01T00:00:00Z and receivedDateTime lt 2026-12-01T00:00:00Z": true,
		"receivedDateTime lt 2026-11-20T09:12:33Z":                                              false,
		"receivedDateTime le 2026-11-20T10:12:33+01:00":                                         true,
		"receivedDateTime eq 2026-11-20T09:12:33.000Z":                                          true,
		"receivedDateTime ge 2026-11-21":                                                        false,
		"isRead eq false":                                                                       true,
		"isRead":                                                                                false,
		"not isRead":                                                                            true,
		"not (isRead eq false or subject eq 'x')":                                               false,
		"isRead eq true or size gt 41 and size lt 4":                                            false,
		"isRead eq false or size gt 50 and size lt 4":                                           true,
		"subject eq 'o''neil (DRAFT), q4'":                                                      true,
		"contains(subject,'neil (')":                                                            true,
		"startswith(subject, 'Q4')":                                                             false,
		"startswith(subject,'O') eq false":                                                      false,
		"endsWith(subject,'Q4')":                                                                true,
		"From/EmailAddress/Address eq 'BOB@contoso.com'":                                        true,
		"categories/any(c:c eq 'red')":                                                          true,
		"categories/any(c: c eq 'green')":                                                       false,
		"categories/Any(c:startsWith(c,'B')) and isRead eq false":                               true,
		"sentDateTime eq null":                                                                  true,
		"sentDateTime ge 2000-01-01":                                                            false,
	} {
		f, err := ParseFilter(text, schema)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := f.Match(item); got != want {
			t.Errorf("%s = %v, want %v", text, got, want)
		}
	}
}

func TestFilterErrors(t *testing.T) {
	for _, text := range []string{
		"nope eq 1", "isRead eq 'true'", "receivedDateTime ge '2026-01-01'", "subject eq 'open", "(isRead eq true",
		"isRead eq", "isRead eq true)", "subject", "eq", "contains(subject)", "length(subject) eq 3", "categories eq 'x'",
		"categories/any(c:d eq 'x')", "not", "isRead eq true and", "()", "categories/any(", "contains(", "size eq x",
		strings.Repeat("(", 5000), strings.Repeat("not ", 5000) + "isRead", strings.Repeat("x", maxLength+1),
	} {
		_, err := ParseFilter(text, schema)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) && text != "categories eq 'x'" {
			t.Errorf("%.40s: err = %v, want a SyntaxError", text, err)
		}
	}
}

func FuzzParseFilter(f *testing.F) {
	f.Add("categories/any(c:c eq 'red') and not (isRead eq true or contains(subject,'x'))")
	f.Fuzz(func(t *testing.T, text string) {
		if parsed, err := ParseFilter(text, schema); err == nil {
			parsed.Match(item)
			parsed.Split("receivedDateTime")
		}
	})
}

func TestSplit(t *testing.T) {
	f, err := ParseFilter("receivedDateTime ge 2026-11-01T00:00:00Z and isRead eq false and (receivedDateTime le 2026-11-30T00:00:00Z)", schema)
	if err != nil {
		t.Fatal(err)
	}
	span, rest := f.Split("receivedDateTime")
	want := Span{time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 11, 30, 0, 0, 0, 1, time.UTC)}
	if span != want {
		t.Errorf("span = %v, want %v", span, want)
	}
	if rest == nil || !rest.Match(item) || rest.Match(func(string) any { return true }) {
		t.Errorf("rest = %v, want isRead eq false alone", rest)
	}
	f, _ = ParseFilter("receivedDateTime ge 2026-11-01 or isRead eq false", schema)
	if span, rest := f.Split("receivedDateTime"); span != (Span{}) || rest == nil {
		t.Errorf("a disjunction must stay whole, got %v", span)
	}
}

func TestInefficient(t *testing.T) {
	for _, c := range []struct {
		filter, order string
		want          bool
	}{
		{"", "subject", false},
		{"isRead eq false", "", false},
		{"isRead eq false", "receivedDateTime desc", true},
		{"isRead eq false and receivedDateTime ge 2026-01-01", "receivedDateTime desc", true},
		{"receivedDateTime ge 2026-01-01 and isRead eq false", "receivedDateTime desc", false},
		{"receivedDateTime ge 2026-01-01 and isRead eq false", "isRead, receivedDateTime", true},
	} {
		f, err := ParseFilter(c.filter, schema)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := ParseOrderBy(c.order, schema)
		if err != nil {
			t.Fatal(err)
		}
		if got := Inefficient(f, keys); got != c.want {
			t.Errorf("%q ordered by %q: %v, want %v", c.filter, c.order, got, c.want)
		}
	}
}

func TestExpand(t *testing.T) {
	got, err := ParseExpand("attachments($select=id,name;$top=2),singleValueExtendedProperties($filter=id eq 'Integer 0x0E08' or id eq 'String {a;b,c} Name x'),childFolders")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got[0].Options["$select"] != "id,name" || got[2].Name != "childFolders" {
		t.Fatalf("ParseExpand = %+v", got)
	}
	ids, err := got[1].ExtendedIDs()
	if want := []string{"Integer 0x0E08", "String {a;b,c} Name x"}; err != nil || !reflect.DeepEqual(ids, want) {
		t.Errorf("ExtendedIDs = %q, %v, want %q", ids, err, want)
	}
	if _, err := got[0].ExtendedIDs(); err == nil {
		t.Error("ExtendedIDs without a filter must fail")
	}
	if _, err := ParseExpand("attachments($select=id"); err == nil {
		t.Error("an unbalanced expand must fail")
	}
}

func TestSelect(t *testing.T) {
	s := ParseSelect("id, Subject ,from/emailAddress")
	if !s.Wants("subject") || !s.Wants("from") || s.Wants("body") || s.Asks("body") {
		t.Errorf("Select %q is wrong", s)
	}
	if s = ParseSelect(""); !s.Wants("body") || s.Asks("body") {
		t.Error("no $select wants the defaults and asks for nothing")
	}
}
