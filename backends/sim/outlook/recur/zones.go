package recur

import (
	"strings"
	"time"
	_ "time/tzdata" // zones must resolve on machines without a zone database
)

// windowsZones maps Windows zone names, which Outlook uses, to IANA ones (CLDR windowsZones, territory 001).
var windowsZones = map[string]string{
	"UTC":                             "UTC",
	"GMT Standard Time":               "Europe/London",
	"Greenwich Standard Time":         "Atlantic/Reykjavik",
	"W. Europe Standard Time":         "Europe/Berlin",
	"Central Europe Standard Time":    "Europe/Budapest",
	"Romance Standard Time":           "Europe/Paris",
	"Central European Standard Time":  "Europe/Warsaw",
	"GTB Standard Time":               "Europe/Bucharest",
	"FLE Standard Time":               "Europe/Kyiv",
	"E. Europe Standard Time":         "Europe/Chisinau",
	"Turkey Standard Time":            "Europe/Istanbul",
	"Russian Standard Time":           "Europe/Moscow",
	"Israel Standard Time":            "Asia/Jerusalem",
	"Egypt Standard Time":             "Africa/Cairo",
	"South Africa Standard Time":      "Africa/Johannesburg",
	"Arab Standard Time":              "Asia/Riyadh",
	"Arabian Standard Time":           "Asia/Dubai",
	"Iran Standard Time":              "Asia/Tehran",
	"Pakistan Standard Time":          "Asia/Karachi",
	"India Standard Time":             "Asia/Kolkata",
	"Nepal Standard Time":             "Asia/Kathmandu",
	"SE Asia Standard Time":           "Asia/Bangkok",
	"China Standard Time":             "Asia/Shanghai",
	"Singapore Standard Time":         "Asia/Singapore",
	"Tokyo Standard Time":             "Asia/Tokyo",
	"Korea Standard Time":             "Asia/Seoul",
	"AUS Eastern Standard Time":       "Australia/Sydney",
	"New Zealand Standard Time":       "Pacific/Auckland",
	"E. South America Standard Time":  "America/Sao_Paulo",
	"Argentina Standard Time":         "America/Buenos_Aires",
	"Newfoundland Standard Time":      "America/St_Johns",
	"Atlantic Standard Time":          "America/Halifax",
	"Eastern Standard Time":           "America/New_York",
	"Central Standard Time":           "America/Chicago",
	"Mountain Standard Time":          "America/Denver",
	"US Mountain Standard Time":       "America/Phoenix",
	"Pacific Standard Time":           "America/Los_Angeles",
	"Alaskan Standard Time":           "America/Anchorage",
	"Hawaiian Standard Time":          "Pacific/Honolulu",
	"Central Standard Time (Mexico)":  "America/Mexico_City",
	"Canada Central Standard Time":    "America/Regina",
	"Central Asia Standard Time":      "Asia/Almaty",
	"West Asia Standard Time":         "Asia/Tashkent",
	"Line Islands Standard Time":      "Pacific/Kiritimati",
	"Dateline Standard Time":          "Etc/GMT+12",
	"tzone://Microsoft/Utc":           "UTC",
	"Azores Standard Time":            "Atlantic/Azores",
	"Afghanistan Standard Time":       "Asia/Kabul",
	"Myanmar Standard Time":           "Asia/Yangon",
	"Lord Howe Standard Time":         "Australia/Lord_Howe",
	"Cen. Australia Standard Time":    "Australia/Adelaide",
	"E. Australia Standard Time":      "Australia/Brisbane",
	"W. Australia Standard Time":      "Australia/Perth",
	"Venezuela Standard Time":         "America/Caracas",
	"SA Pacific Standard Time":        "America/Bogota",
	"SA Western Standard Time":        "America/La_Paz",
	"SA Eastern Standard Time":        "America/Cayenne",
	"Sri Lanka Standard Time":         "Asia/Colombo",
	"Bangladesh Standard Time":        "Asia/Dhaka",
	"Taipei Standard Time":            "Asia/Taipei",
	"W. Central Africa Standard Time": "Africa/Lagos",
	"E. Africa Standard Time":         "Africa/Nairobi",
	"Morocco Standard Time":           "Africa/Casablanca",
}

// Zone finds a location by Windows or IANA name; ok is false for a name it does not know.
func Zone(name string) (loc *time.Location, ok bool) {
	iana, ok := windowsZones[name]
	if !ok {
		for windows, i := range windowsZones {
			if strings.EqualFold(windows, name) {
				iana, ok = i, true
				break
			}
		}
	}
	if !ok {
		// Only names of that form: LoadLocation also takes "" and "Local".
		if iana = name; !strings.Contains(name, "/") {
			return nil, false
		}
	}
	loc, err := time.LoadLocation(iana)
	return loc, err == nil
}

// aliases are the Windows names of IANA zones that are not the main one of their Windows zone, or of several.
var aliases = map[string]string{"Europe/Madrid": "Romance Standard Time", "Europe/Dublin": "GMT Standard Time",
	"Europe/Riga": "FLE Standard Time", "Europe/Athens": "GTB Standard Time", "UTC": "UTC"}

// Windows gives the Windows name of an IANA zone, "UTC" for one without.
func Windows(iana string) string {
	if w, ok := aliases[iana]; ok {
		return w
	}
	for windows, i := range windowsZones {
		if i == iana {
			return windows
		}
	}
	return "UTC"
}
