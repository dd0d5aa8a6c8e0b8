package graph

import (
	"strings"
	"testing"
	"time"
)

// FuzzTimeMapping: the wall time and zone that are written name the instant again,
// to whoever reads them in that zone, in whatever way; also on the days on which
// clocks change, in every zone that Windows knows (graph.md E15).
func FuzzTimeMapping(f *testing.F) {
	var names []string
	for line := range strings.Lines(windowsZones) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
		names = append(names, name)
	}
	for i, hour := range []int64{497_233, 497_234, 494_137, 497_089, 496_905, 494_308, 497_424, 1_000_000, 0} {
		f.Add(hour*3600, uint16(30), uint8(i*13))
		f.Add(hour*3600+1800, uint16(90), uint8(i*7))
	}
	f.Fuzz(func(t *testing.T, seconds int64, minutes uint16, zone uint8) {
		start := time.Unix(seconds%4_000_000_000, 0).UTC()
		if start.Year() < 1970 {
			t.Skip()
		}
		end := start.Add(time.Duration(minutes) * time.Minute)
		name := names[int(zone)%len(names)]
		from, to := wallTimes(start, end, name)
		for _, x := range []struct {
			want time.Time
			got  wireTime
		}{{start, wireTime{*from.GetDateTime(), *from.GetTimeZone()}}, {end, wireTime{*to.GetDateTime(), *to.GetTimeZone()}}} {
			if at, ok := x.got.instant(); !ok || !at.Equal(x.want) {
				t.Errorf("%s in %s is written as %v, which is %s", x.want, name, x.got, at)
			}
			// Another reader may take the second of two instants: there must be one.
			loc, _ := location(x.got.TimeZone)
			for _, other := range []time.Duration{-2 * time.Hour, -time.Hour, -30 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour} {
				if twin := x.want.Add(other).In(loc).Format("2006-01-02T15:04:05"); twin == x.got.DateTime {
					t.Errorf("%s in %s is written as %v, which clocks show twice", x.want, name, x.got)
				}
			}
		}
	})
}
