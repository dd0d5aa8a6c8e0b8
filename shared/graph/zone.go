package graph

import (
	_ "embed"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // the same zones on every machine, a Functions host has none
)

// windowsZones is Unicode CLDR 48's windowsZones, with the aliases of its
// timezone list: a Windows name, a tab, its IANA names, the main one first.
// The licence is in windowszones.LICENSE.
//
//go:embed windowszones.txt
var windowsZones string

// zones holds both directions; keys are in lower case.
var zones = sync.OnceValue(func() (z struct{ iana, windows map[string]string }) {
	z.iana, z.windows = map[string]string{}, map[string]string{}
	for line := range strings.Lines(windowsZones) {
		windows, list, _ := strings.Cut(strings.TrimSpace(line), "\t")
		names := strings.Fields(list)
		z.iana[strings.ToLower(windows)], z.windows[strings.ToLower(windows)] = names[0], windows
		for _, iana := range names {
			z.iana[strings.ToLower(iana)], z.windows[strings.ToLower(iana)] = iana, windows
		}
	}
	return z
})

// windowsName returns the Windows name of a zone that is given by its Windows or
// IANA name. Graph accepts all of these, of the IANA names a part only (facts B1).
func windowsName(name string) (string, bool) {
	windows, ok := zones().windows[zoneKey(name)]
	return windows, ok
}

// location loads a zone by its Windows or IANA name.
func location(name string) (*time.Location, bool) {
	iana, ok := zones().iana[zoneKey(name)]
	if !ok {
		return nil, false
	}
	loc, err := time.LoadLocation(iana)
	return loc, err == nil
}

func zoneKey(name string) string {
	return strings.TrimPrefix(strings.ToLower(name), "tzone://microsoft/") // "tzone://Microsoft/Utc" occurs
}

// wallTime returns the wall time of an instant; ok is false if the clock shows
// it twice on that day, so that it does not name the instant (E15).
func wallTime(t time.Time, loc *time.Location) (wall time.Time, ok bool) {
	wall = t.In(loc)
	_, offset := wall.Zone()
	for _, near := range []time.Time{t.Add(-24 * time.Hour), t.Add(24 * time.Hour)} {
		_, other := near.In(loc).Zone()
		if other == offset {
			continue
		}
		twin := t.Add(time.Duration(offset-other) * time.Second)
		if _, o := twin.In(loc).Zone(); o == other {
			return wall, false
		}
	}
	return wall, true
}
