package outlook

import (
	"slices"

	"github.com/workfs/workfs/backends/sim/graph"
	"github.com/workfs/workfs/backends/sim/outlook/query"
)

// page answers with the part of a list that $top and $skip ask for.
func page[T any](c *call, list []T, def, limit int, show func(T) any) {
	n, ok := c.PageSize(def, limit)
	if !ok {
		return
	}
	from := min(c.Query.Skip, len(list))
	to := min(from+n, len(list))
	p := graph.Page{}
	for _, item := range list[from:to] {
		p.Items = append(p.Items, show(item))
	}
	if to < len(list) {
		p.NextSkip = to
	}
	if total := len(list); c.Query.Count {
		p.Count = &total
	}
	c.WritePage(p)
}

// sortBy orders a list by the keys of an $orderby; without keys it stays as it is.
func sortBy[T any](list []T, keys []query.Order, get func(T) query.Getter) {
	if len(keys) > 0 {
		slices.SortStableFunc(list, func(a, b T) int { return query.Compare(keys, get(a), get(b)) })
	}
}
