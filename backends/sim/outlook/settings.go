package outlook

import (
	"net/http"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/outlook/recur"
)

// mailboxSettings tells, among other things, whether the mailbox is a person's, shared, or a room's.
func (s *Store) mailboxSettings(c *call) {
	c.mb.RLock()
	defer c.mb.RUnlock()
	if !c.owns() {
		c.AccessDenied()
		return
	}
	purpose := "user"
	switch c.User.Kind {
	case company.SharedMailbox:
		purpose = "shared"
	case company.Room:
		purpose = "room"
	}
	zone := recur.Windows(c.User.TimeZone)
	out := map[string]any{
		"archiveFolder": c.mb.ID(c.mb.Folder("archive").Ref()),
		"timeZone":      zone, "delegateMeetingMessageDeliveryOptions": "sendToDelegateOnly",
		"dateFormat": "M/d/yyyy", "timeFormat": "h:mm tt", "userPurpose": purpose,
		"automaticRepliesSetting": map[string]any{"status": "disabled", "externalAudience": "all", "internalReplyMessage": "", "externalReplyMessage": "",
			"scheduledStartDateTime": zoned(s.w.Start()), "scheduledEndDateTime": zoned(s.w.Start().AddDate(0, 0, 1))},
		"language": map[string]any{"locale": c.User.Language, "displayName": c.User.Language},
		"workingHours": map[string]any{"daysOfWeek": []string{"monday", "tuesday", "wednesday", "thursday", "friday"},
			"startTime": "08:00:00.0000000", "endTime": "17:00:00.0000000", "timeZone": map[string]any{"name": zone}},
	}
	if property := c.Param("property"); property != "" {
		value, ok := out[property]
		if !ok {
			c.Error(http.StatusBadRequest, "BadRequest", "Resource not found for the segment '"+property+"'.")
			return
		}
		c.JSON(http.StatusOK, map[string]any{"@odata.context": c.ContextURL("users('" + c.User.ID + "')/mailboxSettings/" + property), "value": value})
		return
	}
	out = c.Select(out)
	out["@odata.context"] = c.ContextURL("users('" + c.User.ID + "')/mailboxSettings")
	c.JSON(http.StatusOK, out)
}
