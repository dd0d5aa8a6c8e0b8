package graph

import (
	"strings"
	"testing"
	"time"
)

func TestZoneNames(t *testing.T) {
	for name, want := range map[string]string{
		"Europe/Brussels": "Romance Standard Time", "europe/brussels": "Romance Standard Time", "Romance Standard Time": "Romance Standard Time",
		"romance standard time": "Romance Standard Time", "UTC": "UTC", "Etc/UTC": "UTC", "tzone://Microsoft/Utc": "UTC",
		"Asia/Kolkata": "India Standard Time", "Asia/Calcutta": "India Standard Time", "Europe/Kyiv": "FLE Standard Time",
	} {
		if windows, ok := windowsName(name); !ok || windows != want {
			t.Errorf("%s = %q, want %q", name, windows, want)
		}
	}
	for _, name := range []string{"", "Local", "Mars/Olympus", "tzone://Microsoft/Custom", "../../etc/passwd"} {
		if _, ok := windowsName(name); ok {
			t.Errorf("%q has a Windows name", name)
		}
		if _, ok := location(name); ok {
			t.Errorf("%q is known", name)
		}
	}
}

// The main zone of every line is in the embedded time zone database. (A few of
// the aliases have left it long ago.)
func TestZonesAreComplete(t *testing.T) {
	n := 0
	for line := range strings.Lines(windowsZones) {
		windows, list, _ := strings.Cut(strings.TrimSpace(line), "\t")
		for _, name := range []string{windows, strings.Fields(list)[0]} {
			if _, ok := location(name); !ok {
				t.Errorf("%s can not be loaded", name)
			}
		}
		n++
	}
	if n < 130 {
		t.Errorf("only %d zones", n)
	}
}

func TestWallTime(t *testing.T) {
	for name, c := range map[string]struct {
		zone, utc, wall string // wall "" = ambiguous
	}{
		"summer":                          {"Europe/Brussels", "2026-07-01T08:00:00Z", "2026-07-01T10:00:00"},
		"winter":                          {"Europe/Brussels", "2026-12-01T08:00:00Z", "2026-12-01T09:00:00"},
		"before the hour that is skipped": {"Europe/Brussels", "2026-03-29T00:59:00Z", "2026-03-29T01:59:00"},
		"after it":                        {"Europe/Brussels", "2026-03-29T01:00:00Z", "2026-03-29T03:00:00"},
		"hour that occurs twice, first":   {"Europe/Brussels", "2026-10-25T00:30:00Z", ""},
		"hour that occurs twice, second":  {"Europe/Brussels", "2026-10-25T01:30:00Z", ""},
		"just before it":                  {"Europe/Brussels", "2026-10-24T23:59:59Z", "2026-10-25T01:59:59"},
		"just after it":                   {"Europe/Brussels", "2026-10-25T02:00:00Z", "2026-10-25T03:00:00"},
		"half an hour twice":              {"Australia/Lord_Howe", "2026-04-04T14:45:00Z", ""},
		"southern summer":                 {"Pacific/Auckland", "2026-01-01T00:00:00Z", "2026-01-01T13:00:00"},
	} {
		loc, ok := location(c.zone)
		if !ok {
			t.Fatal(c.zone)
		}
		utc, err := time.Parse(time.RFC3339, c.utc)
		if err != nil {
			t.Fatal(err)
		}
		wall, once := wallTime(utc, loc)
		if once != (c.wall != "") || once && wall.Format("2006-01-02T15:04:05") != c.wall {
			t.Errorf("%s: %s, %t; want %q", name, wall, once, c.wall)
		}
	}
}
