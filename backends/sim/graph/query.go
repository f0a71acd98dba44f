package graph

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Query holds the OData query options of a request. Names without $ are no options on v1.0 and land in Values alone.
type Query struct {
	Select  []string
	Filter  string
	OrderBy string
	Search  string
	Expand  string
	Top     int // 0 if absent
	Skip    int
	Count   bool
	Values  url.Values // every parameter as sent, option names in lower case
	Raw     string     // the query string as sent, without link tokens
}

// Selected reports whether $select names the property, or is absent.
func (q Query) Selected(property string) bool {
	if len(q.Select) == 0 {
		return true
	}
	for _, s := range q.Select {
		if strings.EqualFold(s, property) {
			return true
		}
	}
	return false
}

// Get gives a parameter that is no OData option, such as startDateTime, without regard to case.
func (q Query) Get(name string) string {
	for k, v := range q.Values {
		if strings.EqualFold(k, name) && len(v) > 0 {
			return v[0]
		}
	}
	return ""
}

// parseQuery reads the options; the error is for the client's eyes.
func parseQuery(raw string) (Query, error) {
	q := Query{Values: url.Values{}, Raw: raw}
	for _, pair := range strings.Split(raw, "&") {
		if pair == "" {
			continue
		}
		k, v, _ := strings.Cut(pair, "=")
		key, err := url.QueryUnescape(k)
		if err != nil {
			return q, fmt.Errorf("the query option %q is not encoded correctly", k)
		}
		value, err := url.QueryUnescape(v)
		if err != nil {
			return q, fmt.Errorf("the value of query option %q is not encoded correctly", key)
		}
		if strings.HasPrefix(key, "$") {
			key = strings.ToLower(key)
			if q.Values.Has(key) {
				return q, fmt.Errorf("query option '%s' was specified more than once, but it must be specified at most once", key)
			}
		}
		q.Values.Add(key, value)
	}
	for _, s := range strings.Split(q.Values.Get("$select"), ",") {
		if s = strings.TrimSpace(s); s != "" {
			q.Select = append(q.Select, s)
		}
	}
	q.Filter, q.OrderBy = q.Values.Get("$filter"), q.Values.Get("$orderby")
	q.Search, q.Expand = q.Values.Get("$search"), q.Values.Get("$expand")
	q.Count = strings.EqualFold(q.Values.Get("$count"), "true")
	if v := q.Values.Get("$top"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			return q, fmt.Errorf("invalid value '%s' for $top query option found; the $top query option requires a positive integer value", v)
		}
		q.Top = n
	}
	if v := q.Values.Get("$skip"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 {
			return q, fmt.Errorf("invalid value '%s' for $skip query option found; the $skip query option requires a non-negative integer value", v)
		}
		q.Skip = n
	}
	return q, nil
}

// readQuery fills Query and checks a link's token; it answers 400 itself.
func (r *Request) readQuery() bool {
	q, err := parseQuery(r.Request.URL.RawQuery)
	if err == nil {
		err = r.readLink(&q)
	}
	r.Query = q
	if err != nil {
		r.Error(http.StatusBadRequest, "BadRequest", err.Error())
		return false
	}
	return true
}

// PageSize gives how many items the next page may hold, from $top or (Outlook alone) Prefer: odata.maxpagesize, else def, and at most limit
// (a larger wish is clamped; Teams endpoints may be switched to 400). It can be less than asked and even 0 on later pages:
// then the page is empty and must still have a link. When ok is false the request has been answered.
func (r *Request) PageSize(def, limit int) (n int, ok bool) {
	n = def
	switch {
	case r.Query.Top > limit && r.area == areaTeams && r.World.Switches.Bool("graph.teams_top_error"):
		r.Error(http.StatusBadRequest, "BadRequest", fmt.Sprintf("Invalid page size specified: '%d'. Must be between 1 and %d inclusive.", r.Query.Top, limit))
		return 0, false
	case r.Query.Top > 0:
		n = r.Query.Top
	case r.Prefer.MaxPageSize > 0 && r.area == areaOutlook:
		n = r.Prefer.MaxPageSize
		r.Apply("odata.maxpagesize=" + strconv.Itoa(min(n, limit)))
	}
	return r.awkward(min(n, limit)), true
}

// awkward shortens some later pages, and empties a few, by a hash of their place in the run.
func (r *Request) awkward(n int) int {
	if !r.linked || r.link.Page < 1 || n < 10 || !r.World.Switches.Bool("graph.awkward_pages") {
		return n
	}
	sum := r.World.Sum(fmt.Sprintf("awkward %s %d", r.Request.URL.Path, r.link.Page))
	switch {
	case r.link.Page >= 2 && sum[0]%16 == 1:
		return 0
	case sum[0]%8 == 2:
		return n * 3 / 4
	}
	return n
}
