package directory

import (
	"net/http"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/graph"
)

// maxPresences is how many ids one request may ask for.
const maxPresences = 650

// seededPresences are pairs of availability and activity that go together.
var seededPresences = [][2]string{
	{"Available", "Available"}, {"Busy", "InAMeeting"}, {"Away", "Away"}, {"DoNotDisturb", "Presenting"}, {"Offline", "Offline"},
	{"BeRightBack", "BeRightBack"}, {"Busy", "InACall"}, {"AvailableIdle", "Inactive"},
}

func (d *Directory) presenceRoutes(s *graph.Server) {
	own := graph.Perms{Delegated: []string{"Presence.Read"}, DelegatedShared: []string{"Presence.Read.All"}, App: []string{"Presence.Read.All"}}
	all := graph.Perms{Delegated: []string{"Presence.Read.All"}, App: []string{"Presence.Read.All"}}
	s.Handle("GET {U}/presence", own, func(r *graph.Request) {
		if !d.appMay(r) {
			return
		}
		out := d.presence(r.User)
		out["@odata.context"] = r.ContextURL("users('" + r.User.ID + "')/presence/$entity")
		r.JSON(http.StatusOK, out)
	})
	d.presenceWriteRoutes(s)
	s.Handle("POST /communications/getPresencesByUserId", all, func(r *graph.Request) {
		var ask struct{ IDs []string }
		if !d.appMay(r) || !r.ReadJSON(&ask) {
			return
		}
		if len(ask.IDs) == 0 || len(ask.IDs) > maxPresences {
			r.Error(http.StatusBadRequest, "BadRequest", "The number of ids must be between 1 and 650.")
			return
		}
		p := graph.Page{Fragment: "Collection(presence)"}
		for _, id := range ask.IDs {
			if u := d.company.Person(id); u != nil {
				p.Items = append(p.Items, d.presence(u))
			}
		}
		r.WritePage(p)
	})
}

func (d *Directory) appMay(r *graph.Request) bool {
	if r.Caller.AppOnly && !r.World.Switches.Bool("directory.presence_app") {
		r.AccessDenied()
		return false
	}
	return true
}

// presence gives the state of a user, which the seed decides unless the user has set it.
func (d *Directory) presence(u *company.Person) map[string]any {
	sum := d.world.Sum("presence " + u.ID)
	state := seededPresences[int(sum[0])%len(seededPresences)]
	if u.Kind != company.Member {
		state = [2]string{"PresenceUnknown", "PresenceUnknown"}
	}
	set := d.setOf(u.ID)
	if set.state[0] != "" {
		state = set.state
	}
	out := map[string]any{
		"id": u.ID, "availability": state[0], "activity": state[1], "statusMessage": nil, "sequenceNumber": nil, "workLocation": nil,
		"outOfOfficeSettings": map[string]any{"message": nil, "isOutOfOffice": false},
	}
	if set.noted {
		if set.message != nil {
			out["statusMessage"] = set.message
		}
		return out
	}
	if sum[1]%4 == 0 && u.Kind == company.Member {
		out["statusMessage"] = map[string]any{
			"message":           map[string]any{"content": "Working on the quarterly review", "contentType": "text"},
			"publishedDateTime": d.world.Start().Format("2006-01-02T15:04:05.0000000Z"),
			"expiryDateTime":    map[string]any{"dateTime": "9999-12-30T23:00:00.0000000", "timeZone": "UTC"},
		}
	}
	return out
}
