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
		name, list, _ := strings.Cut(strings.TrimSpace(line), "\t")
		for i, iana := range strings.Fields(list) {
			if i == 0 {
				z.iana[strings.ToLower(name)] = iana
			}
			z.windows[strings.ToLower(iana)] = name
		}
	}
	return z
})

// loadZone finds a zone by its Windows or IANA name and returns the Windows name
// too, which Graph always accepts; of IANA names it knows a part only (facts B1).
func loadZone(name string) (loc *time.Location, windows string, ok bool) {
	lower := strings.ToLower(strings.TrimSpace(name))
	lower = strings.TrimPrefix(lower, "tzone://microsoft/") // "tzone://Microsoft/Utc" occurs
	iana, isWindows := zones().iana[lower]
	if isWindows {
		windows = zones().windows[strings.ToLower(iana)]
	} else if windows, ok = zones().windows[lower]; ok {
		iana = strings.TrimSpace(name)
	} else {
		return nil, "", false
	}
	if windows == "UTC" {
		return time.UTC, windows, true
	}
	loc, err := time.LoadLocation(iana)
	return loc, windows, err == nil
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
