package doctor

import (
	"fmt"
	"io"
	"strings"
)

// Write writes the report for a terminal: a line per check, and below a failed one
// what to do.
func (r Report) Write(w io.Writer) error {
	var b strings.Builder
	area, name := 0, 0
	for _, c := range r.Checks {
		area, name = max(area, len(c.Area)), max(name, len(c.Name))
	}
	for _, c := range r.Checks {
		code := ""
		if c.Code != "" {
			code = " (" + c.Code + ")"
		}
		fmt.Fprintf(&b, "%-7s  %-*s  %-*s  %s%s\n", c.Status, area, c.Area, name, c.Name, c.Text, code)
		if c.Do != "" {
			fmt.Fprintf(&b, "%-7s  %-*s  %-*s  -> %s\n", "", area, "", name, "", c.Do)
		}
	}
	fmt.Fprintf(&b, "\n%d ok, %d failed, %d skipped; version %s, %.1f s\n", r.Count(OK), r.Count(Failed), r.Count(Skipped), r.Version, r.Seconds)
	_, err := io.WriteString(w, b.String())
	return err
}
