package box

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// page is the wanted part of a collection.
type page struct {
	limit, offset int
	useMarker     bool
	marker        string
}

// paging reads limit, offset, usemarker and marker. A limit above highest is clamped.
func (c *call) paging(standard, highest, ceiling int) (page, error) {
	q := c.URL.Query()
	p := page{limit: standard, useMarker: q.Get("usemarker") == "true", marker: q.Get("marker")}
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			e := errParameter("limit", "Invalid value '"+text+"'.")
			e.code = "invalid_limit"
			return p, e
		}
		if n > 0 {
			p.limit = min(n, highest)
		}
	}
	if text := q.Get("offset"); text != "" && !p.useMarker {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			e := errParameter("offset", "Invalid value '"+text+"'.")
			e.code = "invalid_offset"
			return p, e
		}
		if n > ceiling {
			return p, errParameter("offset", fmt.Sprintf("Invalid value '%d'. Offset must not be greater than %d", n, ceiling))
		}
		p.offset = n
	}
	c.s.w.Stats.Page(c.Route)
	return p, nil
}

// window gives the bounds of the page in n entries.
func (p page) window(n int) (from, to int) {
	from = min(p.offset, n)
	return from, min(from+p.limit, n)
}

// mark is the content of a marker: the last entry that was served.
type mark struct {
	Scope string `json:"c"` // the collection and its order
	Kind  kind   `json:"k"`
	Text  string `json:"t,omitempty"`
	Value int64  `json:"v,omitempty"`
	Num   uint64 `json:"n"`
	Stage int    `json:"s,omitempty"` // pages served so far
}

func (s *Server) sign(payload []byte) string {
	m := hmac.New(sha256.New, s.key[:])
	m.Write(payload)
	return base64.RawURLEncoding.EncodeToString(payload) + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:16])
}

// verify gives the payload that sign wrapped.
func (s *Server) verify(text string) ([]byte, bool) {
	data, mac, ok := strings.Cut(text, ".")
	payload, err := base64.RawURLEncoding.DecodeString(data)
	if !ok || err != nil {
		return nil, false
	}
	m := hmac.New(sha256.New, s.key[:])
	m.Write(payload)
	return payload, hmac.Equal([]byte(mac), []byte(base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:16])))
}

func (s *Server) encodeMark(m mark) string {
	b, err := json.Marshal(m)
	if err != nil {
		panic(err) // a struct of plain values
	}
	return s.sign(b)
}

// decodeMark reads a marker of a collection; an empty one is its start.
func (s *Server) decodeMark(text, scope string) (mark, error) {
	m := mark{Scope: scope}
	if text == "" {
		return m, nil
	}
	payload, ok := s.verify(text)
	if !ok || json.Unmarshal(payload, &m) != nil || m.Scope != scope {
		return m, errParameter("marker", "Invalid value '"+text+"'.")
	}
	return m, nil
}

// lastMarker ends a marker listing in one of the ways that Box does: null, empty or absent, by turns.
func (s *Server) lastMarker(o object) object {
	switch s.calls.Load() % 3 {
	case 0:
		return append(o, member{"next_marker", nil})
	case 1:
		return append(o, member{"next_marker", ""})
	}
	return o
}

var errMarkerUse = fail(http.StatusBadRequest, "bad_request", "marker needs usemarker=true; sort, direction and offset do not go with markers here")

// byOffset answers a simple collection by offset.
func byOffset[T any](p page, all []T, order any, show func(T) object) object {
	from, to := p.window(len(all))
	entries := make([]object, 0, to-from)
	for _, v := range all[from:to] {
		entries = append(entries, show(v))
	}
	o := object{{"total_count", len(all)}, {"entries", entries}, {"limit", p.limit}, {"offset", p.offset}}
	if order != nil {
		o = append(o, member{"order", order})
	}
	return o
}

// byMarker answers a simple collection, sorted by num, by marker.
func byMarker[T any](s *Server, p page, scope string, all []T, num func(T) uint64, show func(T) object) (object, error) {
	m, err := s.decodeMark(p.marker, scope)
	if err != nil {
		return nil, err
	}
	entries := []object{}
	var last uint64
	more := false
	for _, v := range all {
		if p.marker != "" && num(v) <= m.Num {
			continue
		}
		if len(entries) == p.limit {
			more = true
			break
		}
		entries = append(entries, show(v))
		last = num(v)
	}
	o := object{{"entries", entries}, {"limit", p.limit}}
	if more {
		return append(o, member{"next_marker", s.encodeMark(mark{Scope: scope, Num: last})}), nil
	}
	return s.lastMarker(o), nil
}
