package config

import (
	"fmt"
	"strings"

	"github.com/BurntSushi/toml"
)

// statement is a header or a key with its value in the text of a TOML file. Its bytes are text[start:end], without the
// blanks before it and without a comment or a newline after it.
type statement struct {
	start, end int
	header     bool     // [path] or [[path]]
	array      bool     // [[path]]
	path       []string // of a key, with the table that it is in
	own        []span   // where the parts of path that are written here lie
}

// span is a piece of a text.
type span struct{ start, end int }

// within tells whether the statement's path begins with table.
func (s statement) within(table ...string) bool {
	if len(s.path) < len(table) {
		return false
	}
	for i, part := range table {
		if s.path[i] != part {
			return false
		}
	}
	return true
}

// scanner finds statements. It expects what a TOML decoder has accepted: on other texts it may find nonsense, which the
// comparison after an edit notices.
type scanner struct {
	text string
	at   int
}

// scan lists the statements of a TOML text in their order.
func scan(text string) ([]statement, error) {
	s := scanner{text: strings.TrimPrefix(text, "\ufeff")}
	skew := len(text) - len(s.text)
	var list []statement
	var table []string
	for {
		s.blank(true)
		if s.at >= len(s.text) {
			break
		}
		st := statement{start: s.at}
		if st.header = s.text[s.at] == '['; st.header {
			st.array = strings.HasPrefix(s.text[s.at:], "[[")
			s.at++
			if st.array {
				s.at++
			}
		}
		if err := s.key(&st); err != nil {
			return nil, err
		}
		if st.header {
			table = st.path
			s.at++
			if st.array {
				s.at++
			}
		} else {
			st.path = append(table[:len(table):len(table)], st.path...)
			s.at++ // the equals sign
			s.value()
		}
		if s.at > len(s.text) {
			return nil, fmt.Errorf("line %d ends early", 1+strings.Count(s.text, "\n"))
		}
		st.end = st.start + len(strings.TrimRight(s.text[st.start:s.at], " \t\r"))
		list = append(list, st)
	}
	for i := range list {
		list[i].start += skew
		list[i].end += skew
		for j := range list[i].own {
			list[i].own[j].start += skew
			list[i].own[j].end += skew
		}
	}
	return list, nil
}

// blank passes blanks; with lines, also newlines and comments.
func (s *scanner) blank(lines bool) {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == ' ' || c == '\t':
		case lines && (c == '\n' || c == '\r'):
		case lines && c == '#':
			s.comment()
			continue
		default:
			return
		}
		s.at++
	}
}

// comment passes the rest of a line without its newline.
func (s *scanner) comment() {
	if n := strings.IndexByte(s.text[s.at:], '\n'); n >= 0 {
		s.at += n
	} else {
		s.at = len(s.text)
	}
}

// key reads the parts of a key up to what follows it: the equals sign or the bracket.
func (s *scanner) key(st *statement) error {
	for {
		s.blank(false)
		from := s.at
		if s.at < len(s.text) && (s.text[s.at] == '"' || s.text[s.at] == '\'') {
			s.quoted()
		} else {
			s.at += len(s.text[s.at:]) - len(strings.TrimLeft(s.text[s.at:], bareKey))
		}
		part, err := unquote(s.text[from:min(s.at, len(s.text))])
		if err != nil || s.at == from {
			return fmt.Errorf("line %d is not understood", 1+strings.Count(s.text[:from], "\n"))
		}
		st.path = append(st.path, part)
		st.own = append(st.own, span{from, s.at})
		s.blank(false)
		if s.at >= len(s.text) || s.text[s.at] != '.' {
			return nil
		}
		s.at++
	}
}

// bareKey are the characters of keys that need no quotes.
const bareKey = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

// unquote gives the value of a part of a key.
func unquote(part string) (string, error) {
	if part == "" || part[0] != '"' && part[0] != '\'' {
		return part, nil
	}
	var v struct{ K string }
	_, err := toml.Decode("K = "+part, &v)
	return v.K, err
}

// value passes a value up to the end of its line or to the comment after it.
func (s *scanner) value() {
	for depth := 0; s.at < len(s.text); {
		switch s.text[s.at] {
		case '"', '\'':
			s.quoted()
			continue
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case '#':
			if depth == 0 {
				return
			}
			s.comment()
			continue
		case '\n':
			if depth == 0 {
				return
			}
		}
		s.at++
	}
}

// quoted passes a string of any of the four kinds.
func (s *scanner) quoted() {
	quote := s.text[s.at : s.at+1]
	escapes := quote == `"`
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(s.text[s.at:], triple) {
		quote = triple
	}
	for s.at += len(quote); s.at < len(s.text); s.at++ {
		switch {
		case escapes && s.text[s.at] == '\\':
			s.at++
		case strings.HasPrefix(s.text[s.at:], quote):
			s.at += len(quote)
			// A string in three quotes may end with further ones of its own.
			for len(quote) == 3 && s.at < len(s.text) && s.text[s.at] == quote[0] {
				s.at++
			}
			return
		}
	}
	s.at++ // beyond the text: it ends within the string
}
