package sandbox

import (
	"context"
	"encoding/json"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/local/world"
)

// patience is for a machine that does other things too.
const patience = 2 * time.Minute

// browser starts a headless Chromium, or skips.
func browser(t *testing.T) context.Context {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("no chromium or google-chrome on PATH: the page is not tried in a browser")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.WindowSize(1400, 900), chromedp.WSURLReadTimeout(patience))
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

// carry stands for the app: what the board announces moves the event of that subject.
func carry(graph func() *graphsim.Server) func(context.Context, boardsim.Change) error {
	return func(_ context.Context, c boardsim.Change) error {
		var a struct {
			Subject            string
			StartDate, EndDate time.Time
		}
		if err := json.Unmarshal(c.Body, &a); err != nil {
			return err
		}
		for _, user := range []string{"anna@example.com", "bram@example.com"} {
			for _, e := range graph().Events(user) {
				if e.Subject == a.Subject {
					if _, err := graph().MoveEvent(user, e.ID, a.StartDate, a.EndDate); err != nil {
						return err
					}
				}
			}
		}
		return nil
	}
}

func TestDragInTheBrowser(t *testing.T) {
	ctx := browser(t)
	var r *room
	r = newRoom(t, boardsim.Options{Announce: carry(func() *graphsim.Server { return r.graph })})
	_, err := r.graph.CreateEvent("anna@example.com", graphsim.Event{Subject: "Survey", Start: at(9, 0), End: at(10, 0)})
	r.must(err)
	a, err := r.board.CreateAppointment(boardsim.Appointment{Subject: "Survey", Start: at(9, 0), End: at(10, 0), Resources: []string{"ANNA"}})
	r.must(err)

	r.controls.ledgers = []world.Ledger{{
		Connector: "co", Name: "Company", How: "REST", SourceApp: "APP", PerResource: true,
		Entries: []world.Entry{{Appointment: a.GUID, Number: 7, Resources: []string{"ANNA"}, Subject: "Survey", JobNo: "J1", TaskNo: "T1", Start: at(9, 0), End: at(10, 0)}},
	}}

	var mu sync.Mutex
	var problems []string
	r.must(chromedp.Listen(ctx, func(event any) {
		if thrown, ok := event.(*runtime.EventExceptionThrown); ok {
			mu.Lock()
			defer mu.Unlock()
			problems = append(problems, thrown.ExceptionDetails.Text)
		}
	}))
	const block = chromedp.CSS(`#board .row[data-row=ANNA] .block`)
	r.must(chromedp.Do(ctx,
		chromedp.Navigate(r.url),
		chromedp.SetValue(chromedp.ID("day"), day),
		void(chromedp.Evaluate[chromedp.Void](`document.querySelector('#day').dispatchEvent(new Event('change')); undefined`)),
		chromedp.WaitVisible(block),
		chromedp.WaitVisible(chromedp.CSS(`#outlook .row[data-row=ANNA] .block`)),
		void(chromedp.Poll[bool](`document.querySelector('[data-ledger=co] table').innerText.replace(/\s+/g, ' ').trim() === '09:00–10:00 Anna Survey J1/T1 no. 7'`,
			chromedp.WithPollingTimeout(patience))),
	))

	// Two hours to the right and one row down: the scale shows twelve hours.
	box, err := chromedp.Run(ctx, chromedp.Evaluate[struct{ X, Y, Hour, Row float64 }](`(() => {
		const b = document.querySelector('`+string(block)+`').getBoundingClientRect();
		const track = document.querySelector('#board .row .track').getBoundingClientRect();
		const rows = [...document.querySelectorAll('#board .row')].map((row) => row.getBoundingClientRect().top);
		return { X: b.left + b.width / 2, Y: b.top + b.height / 2, Hour: track.width / 12, Row: rows[1] - rows[0] };
	})()`))
	r.must(err)
	r.must(chromedp.Do(ctx,
		chromedp.DragAndDropXY(box.X, box.Y, box.X+2*box.Hour, box.Y+box.Row),
		outlookShows("11:00–12:00"), // the app has moved it
		chromedp.WaitVisible(chromedp.CSS(`#board .row[data-row=BRAM] .block`)),
	))
	after, err := r.board.Get(a.GUID)
	r.must(err)
	if !after.Start.Equal(at(11, 0)) || !after.End.Equal(at(12, 0)) || len(after.Resources) != 1 || after.Resources[0] != "BRAM" {
		t.Errorf("after the drag: %s to %s, resources %v", after.Start, after.End, after.Resources)
	}

	// The same by keyboard: Enter opens the form, which is sent.
	r.must(chromedp.Do(ctx,
		chromedp.Focus(chromedp.CSS(`#board .row[data-row=BRAM] .block`)),
		// Not KeyEvent: that types the character into the form, too, which has the focus by then.
		void(chromedp.Evaluate[chromedp.Void](`document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true })); undefined`)),
		chromedp.WaitVisible(chromedp.CSS(`#board-dialog[open]`)),
		chromedp.SetValue(chromedp.CSS(`#board-dialog [name=start]`), "2026-11-23T10:30"),
		chromedp.Click(chromedp.CSS(`#board-dialog .save`)),
		outlookShows("10:30–12:00"),
	))
	mu.Lock()
	defer mu.Unlock()
	if len(problems) > 0 {
		t.Errorf("errors on the page: %v", problems)
	}
}

// outlookShows waits until Anna's event, in the other pane, lies at these times.
func outlookShows(times string) chromedp.Action[chromedp.Void] {
	return void(chromedp.Poll[bool](
		`document.querySelector('#outlook .row[data-row=ANNA] .block small')?.textContent.startsWith('`+times+`')`,
		chromedp.WithPollingTimeout(patience)))
}

// void leaves out the result of an action.
func void[T any](a chromedp.Action[T]) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := a(ctx, t)
		return chromedp.Void{}, err
	}
}
