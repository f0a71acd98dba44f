package directory

import (
	"net/http"
	"slices"

	"github.com/workfs/workfs/backends/sim/graph"
)

func (d *Directory) listGroups(r *graph.Request) {
	items, ok := d.filtered(r, kindGroup)
	if ok {
		d.page(r, "groups", items, func(o listed) map[string]any { return r.Select(o.props) })
	}
}

func (d *Directory) group(r *graph.Request) {
	_, v := d.Store.live(r.Param("id"), kindGroup, d.Store.replicated())
	if v == nil {
		r.NotFound(r.Param("id"))
		return
	}
	out := copyOf(r.Select(v.props))
	out["@odata.context"] = r.ContextURL("groups/$entity")
	r.JSON(http.StatusOK, out)
}

// members serves the direct or the transitive members of a group, of all kinds mixed.
func (d *Directory) members(transitive bool) func(*graph.Request) {
	return func(r *graph.Request) {
		seq := d.Store.replicated()
		_, v := d.Store.live(r.Param("id"), kindGroup, seq)
		if v == nil {
			r.NotFound(r.Param("id"))
			return
		}
		seen := map[string]bool{r.Param("id"): true}
		var ids []string
		var add func([]string)
		add = func(members []string) {
			for _, id := range members {
				if seen[id] {
					continue
				}
				seen[id] = true
				ids = append(ids, id)
				if _, g := d.Store.live(id, kindGroup, seq); g != nil && transitive {
					add(g.members)
				}
			}
		}
		add(v.members)
		slices.Sort(ids)
		var items []listed
		kinds := map[string]string{}
		for _, id := range ids {
			d.Store.mu.RLock()
			o := d.Store.objects[id]
			d.Store.mu.RUnlock()
			if _, v := d.Store.live(id, o.kind, seq); v != nil {
				items = append(items, listed{id, *v})
				kinds[id] = o.kind
			}
		}
		d.page(r, "directoryObjects", items, func(o listed) map[string]any { return memberObject(r, kinds[o.id], o) })
	}
}

// memberObject gives a member as its kind allows: one that the caller may not read has only its type and id.
func memberObject(r *graph.Request, kind string, o listed) map[string]any {
	may := map[string]bool{
		kindUser:             r.Caller.Has("User.ReadBasic.All", "User.Read.All"),
		kindGroup:            r.Caller.Has("GroupMember.Read.All"),
		kindDevice:           r.Caller.Has("Device.Read.All"),
		kindServicePrincipal: r.Caller.Has("Application.Read.All"),
	}[kind]
	out := map[string]any{"@odata.type": kind, "id": o.id}
	if !may {
		return out
	}
	props, defaults := o.props, []string(nil)
	if kind == kindUser {
		props, defaults = shown(r, props, false), defaultUser
	}
	for k, v := range r.Select(props, defaults...) {
		out[k] = v
	}
	return out
}
