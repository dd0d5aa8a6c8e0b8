package tour

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dime-scheduler/connectors/local/world"
)

// Report is the outcome of a tour.
type Report struct {
	Rows      []Row
	Problems  []string // found at the end of the day
	Mailboxes int
	// BackOffices are companies and webhooks.
	BackOffices int

	Startup world.Startup
	Memory  int64 // resident, of the idle handler, in bytes; 0 = not known
	Size    int64 // of the handler's file, in bytes
}

// OK tells whether every step succeeded and all sides agree in the end.
func (r Report) OK() bool {
	return len(r.Rows) > 0 && len(r.Problems) == 0 && !slices.ContainsFunc(r.Rows, func(row Row) bool { return row.Err != nil })
}

// settle is how long the end of the day waits for what is booked for later.
const settle = 2 * time.Minute

// judge looks at everything once more, when nothing is left to do.
func (r *Report) judge(ctx context.Context, w *world.World) {
	ctx, cancel := context.WithTimeoutCause(ctx, settle, fmt.Errorf("not within %s", settle))
	defer cancel()
	if err := w.AwaitNothingBooked(ctx); err != nil {
		r.Problems = append(r.Problems, "the app does not come to rest: "+err.Error())
	}
	r.Problems = append(r.Problems, w.Differences()...)
	r.Problems = append(r.Problems, w.DeadLetters()...)
	r.Memory = w.HandlerMemory()
}

// line is one step for the progress.
func (row Row) line() string {
	if row.Err != nil {
		return fmt.Sprintf("  FAILED  %s: %v", row.Name, row.Err)
	}
	return fmt.Sprintf("  %7s  %s", milliseconds(row.Agreed), row.Name)
}

// Write prints the table and the verdict.
func (r Report) Write(out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "agreed after\tGraph calls\tGraph writes\tboard writes\tdeliveries\techoes\t  what happened\n")
	var sum Row
	for _, row := range r.Rows {
		what := row.Name
		if row.Note != "" {
			what += " (" + row.Note + ")"
		}
		agreed := milliseconds(row.Agreed)
		if row.Err != nil {
			agreed = "FAILED"
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t  %s\n", agreed, row.GraphCalls, row.GraphWrites, row.BoardWrites, row.Deliveries, row.Echoes, what)
		sum.GraphCalls += row.GraphCalls
		sum.GraphWrites += row.GraphWrites
		sum.BoardWrites += row.BoardWrites
		sum.Deliveries += row.Deliveries
		sum.Echoes += row.Echoes
	}
	fmt.Fprintf(t, "\t%d\t%d\t%d\t%d\t%d\t  in all\n", sum.GraphCalls, sum.GraphWrites, sum.BoardWrites, sum.Deliveries, sum.Echoes)
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(out, r.verdict())
	return err
}

func (r Report) verdict() string {
	var b strings.Builder
	memory := "not known"
	if r.Memory > 0 {
		memory = megabytes(r.Memory)
	}
	fmt.Fprintf(&b, "\nhost start to first answer %s, idle memory of the handler %s, handler binary %s\n\n",
		milliseconds(r.Startup.Host), memory, megabytes(r.Size))
	for _, row := range r.Rows {
		if row.Err != nil {
			fmt.Fprintf(&b, "FAILED  %s: %v\n", row.Name, row.Err)
		}
	}
	for _, p := range r.Problems {
		fmt.Fprintf(&b, "FAILED  at the end: %s\n", p)
	}
	switch {
	case r.OK():
		fmt.Fprintf(&b, "All sides agree: %d calendars with one event per appointment, %d back offices as the board, no dead letters.\n", r.Mailboxes, r.BackOffices)
	case len(r.Problems) == 0:
		b.WriteString("All sides agree in the end, but not every step did what it should.\n")
	}
	return b.String()
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
