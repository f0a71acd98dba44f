package graph

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Page is one page of a collection or of a delta round.
type Page struct {
	Items []any // null is never sent, an empty page is []
	// Next is the handler's own mark of where the next page begins; with it the page gets an opaque nextLink, and the next
	// request has it in Request.State. Empty on the last page.
	Next string
	// NextSkip, in place of Next, makes a nextLink of Outlook's kind: the options of the request with $skip set to this.
	NextSkip int
	// Delta, in place of Next, ends a delta round: the mark that the next round's Request.DeltaState gives.
	Delta string
	// Token is the name of the token parameter of links; default $skiptoken and $deltatoken. Drives use "token" for both.
	Token string
	// Count is given as @odata.count.
	Count *int
	// Fragment of @odata.context; empty gives one made of the path.
	Fragment string
	// Extra are further properties of the answer.
	Extra map[string]any
}

// linkToken is what the token of a link carries. The client sees base64.
type linkToken struct {
	Kind  string `json:"k"` // "next", "skip" or "delta"
	Query string `json:"q,omitempty"`
	State string `json:"s,omitempty"`
	Page  int    `json:"n,omitempty"`
	Time  int64  `json:"t,omitempty"` // virtual, seconds since 1970
	Fill  string `json:"f,omitempty"`
}

// clientError is a message in the service's own words.
type clientError string

func (e clientError) Error() string { return string(e) }

const errBadToken = clientError("Badly formed token.")

var tokenNames = []string{"$skiptoken", "$deltatoken", "token"}

// State gives the mark of the page that the followed nextLink stands for; ok is false on the first page.
func (r *Request) State() (mark string, ok bool) {
	return r.link.State, r.linked && r.link.Kind == "next"
}

// DeltaState gives the mark of the followed deltaLink, or "latest" when the client asked for a link without history, or the
// time (RFC 3339) that it gave to a drive; ok is false when a full round begins.
func (r *Request) DeltaState() (mark string, ok bool) {
	if r.latest != "" {
		return r.latest, true
	}
	return r.link.State, r.linked && r.link.Kind == "delta"
}

// TokenTime gives the virtual time at which the followed link was made; zero without one.
func (r *Request) TokenTime() time.Time {
	if !r.linked {
		return time.Time{}
	}
	return time.Unix(r.link.Time, 0).UTC()
}

// WritePage answers with one page.
func (r *Request) WritePage(p Page) {
	r.World.Stats.Page(r.Route)
	fragment := p.Fragment
	if fragment == "" {
		fragment = r.contextPath(false)
	}
	items := p.Items
	if items == nil {
		items = []any{}
	}
	out := map[string]any{"@odata.context": r.ContextURL(fragment), "value": items}
	for k, v := range p.Extra {
		out[k] = v
	}
	if p.Count != nil {
		out["@odata.count"] = *p.Count
	}
	next, delta := p.Token, p.Token
	if p.Token == "" {
		next, delta = "$skiptoken", "$deltatoken"
	}
	switch {
	case p.Next != "":
		out["@odata.nextLink"] = r.NextLink(r.restyled(), next, p.Next)
	case p.NextSkip > 0:
		out["@odata.nextLink"] = r.skipLink(p.NextSkip)
	case p.Delta != "":
		out["@odata.deltaLink"] = r.deltaLink(delta, p.Delta)
	}
	r.JSON(http.StatusOK, out)
}

// NextLink gives an opaque link to an escaped path below the version (or the same path, restyled, when WritePage calls it).
// It carries the options of this request and the mark. Handlers use it for nested links such as replies@odata.nextLink,
// with tokenName "$skiptoken".
func (r *Request) NextLink(escapedPath, tokenName, mark string) string {
	t := linkToken{Kind: "next", Query: r.Query.Raw, State: mark, Page: r.link.Page + 1, Time: r.Now().Unix()}
	if r.area == areaTeams {
		// Skip tokens of Teams are kilobytes long, which buffers and logs of clients must bear.
		t.Fill = strings.Repeat("W3siVG9rZW4i", 120)
	}
	return r.signed(Version+escapedPath+"?"+tokenName+"=", t)
}

func (r *Request) skipLink(skip int) string {
	visible := dropOptions(r.Query.Raw, "$skip")
	if visible != "" {
		visible += "&"
	}
	t := linkToken{Kind: "skip", Page: r.link.Page + 1, Time: r.Now().Unix()}
	return r.signed(Version+r.restyled()+"?"+visible+"$skip="+strconv.Itoa(skip)+"&$skiptoken=", t)
}

func (r *Request) deltaLink(tokenName, mark string) string {
	t := linkToken{Kind: "delta", Query: r.Query.Raw, State: mark, Time: r.Now().Unix()}
	// Nothing new: the same link again, unless it has become old.
	if r.linked && r.link.Kind == "delta" && r.link.State == mark && t.Time-r.link.Time < int64(24*time.Hour/time.Second) {
		t.Time = r.link.Time
	}
	return r.signed(Version+r.restyled()+"?"+tokenName+"=", t)
}

// signed completes a link. The signature covers every byte of the request line's target, so that a link that was rebuilt
// or re-encoded is refused. Only the order of the options may change: Microsoft's JavaScript library puts those with a $
// first.
func (r *Request) signed(target string, t linkToken) string {
	body, err := json.Marshal(t)
	if err != nil {
		panic("encoding a link: " + err.Error())
	}
	target += base64.RawURLEncoding.EncodeToString(body) + "."
	return r.World.Hosts.Graph + target + r.server.mac(target)
}

func (s *Server) mac(target string) string {
	path, query, _ := strings.Cut(target, "?")
	options := strings.Split(query, "&")
	slices.Sort(options)
	m := hmac.New(sha256.New, s.key[:])
	m.Write([]byte(path + "?" + strings.Join(options, "&")))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:16])
}

// readLink recognises a followed link and puts back the options of the first request.
func (r *Request) readLink(q *Query) error {
	for _, name := range tokenNames {
		v := q.Values.Get(name)
		if !q.Values.Has(name) || name == "token" && r.area != areaDrive {
			continue
		}
		_, notTime := time.Parse(time.RFC3339, v)
		if name != "$skiptoken" && (v == "" || v == "latest" || name == "token" && notTime == nil) {
			r.latest = v
			q.Raw = dropOptions(q.Raw, name)
			return nil
		}
		dot := strings.LastIndexByte(v, '.')
		before, after, found := strings.Cut(r.RequestURI, v)
		if dot < 0 || !found || !hmac.Equal([]byte(r.server.mac(before+v[:dot+1]+after)), []byte(v[dot+1:])) {
			return errBadToken
		}
		body, err := base64.RawURLEncoding.DecodeString(v[:dot])
		if err != nil || json.Unmarshal(body, &r.link) != nil {
			return errBadToken
		}
		r.linked = true
		if r.link.Kind == "skip" {
			q.Raw = dropOptions(q.Raw, "$skiptoken")
			return nil
		}
		original, err := parseQuery(r.link.Query)
		*q = original
		return err
	}
	return nil
}

// dropOptions removes an option from a query string and leaves the rest as it was written.
func dropOptions(raw string, name string) string {
	var kept []string
	for _, pair := range strings.Split(raw, "&") {
		k, _, _ := strings.Cut(pair, "=")
		if key, err := url.QueryUnescape(k); err == nil && strings.EqualFold(key, name) || pair == "" {
			continue
		}
		kept = append(kept, pair)
	}
	return strings.Join(kept, "&")
}

// restyled gives the path of the request below the version as Graph likes to write it in links: collections in lower
// case, keys in parentheses. Routes with a rest parameter keep their path.
func (r *Request) restyled() string {
	pattern := strings.TrimPrefix(afterMethod(r.Route), Version)
	if strings.Contains(pattern, "...}") {
		return strings.TrimPrefix(r.Request.URL.EscapedPath(), Version)
	}
	var b strings.Builder
	for i, seg := range strings.Split(pattern[1:], "/") {
		if name, ok := strings.CutPrefix(seg, "{"); ok && i > 0 {
			key := strings.ReplaceAll(r.Param(strings.TrimSuffix(name, "}")), "'", "''")
			b.WriteString("('" + url.PathEscape(key) + "')")
			continue
		}
		b.WriteString("/" + strings.ToLower(seg))
	}
	return b.String()
}

// Gone answers that a delta token can no longer be used: 410 with a Location that starts over with an empty token.
func (r *Request) Gone(code, message string) {
	q := dropOptions(r.Query.Raw, "$deltatoken")
	if q != "" {
		q += "&"
	}
	r.W.Header().Set("Location", r.World.Hosts.Graph+Version+r.restyled()+"?"+q+"$deltatoken=")
	r.Error(http.StatusGone, code, message)
}
