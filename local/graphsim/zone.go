package graphsim

import (
	"strings"
	"time"
	_ "time/tzdata" // the same zones on every machine
)

// windowsZones maps the Windows names that the simulator knows to IANA; a small part of CLDR's table.
var windowsZones = map[string]string{
	"utc": "UTC", "tzone://microsoft/utc": "UTC", "gmt standard time": "Europe/London",
	"greenwich standard time": "Atlantic/Reykjavik", "w. europe standard time": "Europe/Berlin",
	"romance standard time": "Europe/Paris", "central europe standard time": "Europe/Budapest",
	"central european standard time": "Europe/Warsaw", "e. europe standard time": "Europe/Chisinau",
	"fle standard time": "Europe/Kiev", "gtb standard time": "Europe/Bucharest",
	"russian standard time": "Europe/Moscow", "turkey standard time": "Europe/Istanbul",
	"israel standard time": "Asia/Jerusalem", "south africa standard time": "Africa/Johannesburg",
	"egypt standard time": "Africa/Cairo", "morocco standard time": "Africa/Casablanca",
	"arabian standard time": "Asia/Dubai", "arab standard time": "Asia/Riyadh",
	"iran standard time": "Asia/Tehran", "pakistan standard time": "Asia/Karachi",
	"india standard time": "Asia/Calcutta", "nepal standard time": "Asia/Katmandu",
	"se asia standard time": "Asia/Bangkok", "china standard time": "Asia/Shanghai",
	"singapore standard time": "Asia/Singapore", "tokyo standard time": "Asia/Tokyo",
	"korea standard time": "Asia/Seoul", "w. australia standard time": "Australia/Perth",
	"cen. australia standard time": "Australia/Adelaide", "e. australia standard time": "Australia/Brisbane",
	"aus eastern standard time": "Australia/Sydney", "lord howe standard time": "Australia/Lord_Howe",
	"new zealand standard time": "Pacific/Auckland", "chatham islands standard time": "Pacific/Chatham",
	"line islands standard time": "Pacific/Kiritimati", "hawaiian standard time": "Pacific/Honolulu",
	"alaskan standard time": "America/Anchorage", "pacific standard time": "America/Los_Angeles",
	"us mountain standard time": "America/Phoenix", "mountain standard time": "America/Denver",
	"central standard time": "America/Chicago", "eastern standard time": "America/New_York",
	"atlantic standard time": "America/Halifax", "newfoundland standard time": "America/St_Johns",
	"e. south america standard time": "America/Sao_Paulo", "argentina standard time": "America/Buenos_Aires",
	"pacific sa standard time": "America/Santiago", "azores standard time": "Atlantic/Azores",
}

// loadZone finds a zone by its Windows or IANA name.
func loadZone(name string) (*time.Location, *graphError) {
	iana, isWindows := windowsZones[strings.ToLower(name)]
	if !isWindows {
		iana = name
	}
	if isWindows || strings.Contains(name, "/") {
		if loc, err := time.LoadLocation(iana); err == nil {
			return loc, nil
		}
	}
	return nil, badRequest("TimeZoneNotSupportedException", "A valid TimeZone value must be specified. The following TimeZone value is not supported: '%s'.", name)
}

// dateTimeZone is Graph's dateTimeTimeZone: a wall time and the zone that it is read in.
type dateTimeZone struct {
	DateTime string `json:"dateTime"`
	TimeZone string `json:"timeZone"`
}

// wall reads the wall time in its zone; a missing zone is UTC, and a time with an offset is converted.
func (d dateTimeZone) wall() (time.Time, *graphError) {
	zone := d.TimeZone
	if zone == "" {
		zone = "UTC"
	}
	loc, err := loadZone(zone)
	if err != nil {
		return time.Time{}, err
	}
	for _, layout := range []string{"2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, d.DateTime, loc); err == nil {
			return t.Truncate(time.Second), nil
		}
	}
	if t, err := time.Parse(time.RFC3339Nano, d.DateTime); err == nil {
		return t.In(loc).Truncate(time.Second), nil
	}
	return time.Time{}, badRequest("ErrorInvalidParameter", "Cannot convert the literal '%s' to the expected type 'Edm.DateTimeOffset'.", d.DateTime)
}

// inZone is the wall time of a stored instant; all-day dates are the same in every zone.
func inZone(t time.Time, loc *time.Location, allDay bool) time.Time {
	if allDay {
		return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, loc)
	}
	return t.In(loc)
}

// stored is the reverse: what the store keeps of a wall time.
func stored(wall time.Time, allDay bool) time.Time {
	if allDay {
		return time.Date(wall.Year(), wall.Month(), wall.Day(), 0, 0, 0, 0, time.UTC)
	}
	return wall.UTC()
}
