package nav

import (
	"context"
	"net/http"
	"testing"

	"github.com/dime-scheduler/connectors/local/erpsim"
	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/backofficetest"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// work does what the worker does: it looks after an ambiguous outcome, and
// sends what is not there as an update.
func work(t *testing.T, c backoffice.Connector, d backoffice.Delivery) error {
	t.Helper()
	var err error
	for d.Attempt = 1; d.Attempt < 6; d.Attempt++ {
		if _, err = c.Deliver(t.Context(), d); err == nil {
			return nil
		}
		f := fault.Of(err)
		if f.Kind == fault.Permanent && !f.Ambiguous {
			return err
		}
		if f.Ambiguous {
			_, found, err := c.Find(t.Context(), d)
			for n := 0; err != nil && n < 5; n++ {
				_, found, err = c.Find(t.Context(), d)
			}
			if err != nil {
				t.Fatal(err)
			}
			if found {
				return nil
			}
			if d.Operation == backoffice.Insert {
				d.Operation = backoffice.Update
			}
		}
	}
	return err
}

// Whatever is lost between the two calls that such a server needs, each resource
// has one document in the end, and one row has made it.
func TestHalfWrittenRows(t *testing.T) {
	lost := &erpsim.FaultResponse{AfterCommit: true, Cut: true}
	never := &erpsim.FaultResponse{Cut: true}
	locked := &erpsim.FaultResponse{Locked: true, Language: "de"}
	for _, test := range []struct {
		name   string
		faults []*erpsim.FaultResponse // of Create, Update, Create, ...
	}{
		{"nothing", nil},
		{"the insertion's reply", []*erpsim.FaultResponse{lost}},
		{"the insertion", []*erpsim.FaultResponse{never}},
		{"the lines' reply", []*erpsim.FaultResponse{nil, lost}},
		{"the lines", []*erpsim.FaultResponse{nil, never}},
		{"the lines, by a lock", []*erpsim.FaultResponse{nil, locked}},
		{"the insertion's reply, then the lines", []*erpsim.FaultResponse{lost, never}},
	} {
		for name, o := range map[string]erpsim.Options{
			"in two calls": {SOAP: erpsim.SOAPOptions{LinesLater: true}, Manual: true},
			"in one call":  {},
		} {
			if name == "in one call" && len(test.faults) > 1 {
				continue
			}
			t.Run(test.name+", "+name, func(t *testing.T) {
				w := newWorld(t, backoffice.Basic, o)
				w.faults = test.faults
				err := work(t, w.open(), backofficetest.Delivery(backofficetest.Sample(1), 1))
				for _, r := range w.sim.Rows(company) {
					if o.Manual {
						w.sim.Process(company, r.Entry)
					}
				}
				if err != nil {
					t.Fatal(err)
				}
				documents := w.sim.DocumentsOf(company, backofficetest.Sample(1).Appointment)
				if len(documents) != 2 || documents[0].Resource != "R1" || documents[1].Resource != "R2" {
					t.Errorf("documents %+v, want one for R1 and one for R2", documents)
				}
			})
		}
	}
}

// Lines that the back office refuses leave no row without lines behind.
func TestRefusedLinesTakeTheRowBack(t *testing.T) {
	w := newWorld(t, backoffice.Basic, erpsim.Options{SOAP: erpsim.SOAPOptions{LinesLater: true}, Manual: true})
	c := w.open()
	w.faults = []*erpsim.FaultResponse{nil, {Status: http.StatusBadRequest, Code: "NavTestFieldException", Message: "Unit of Measure must have a value in Resource: No.=R1"}}
	_, err := c.Deliver(context.Background(), backofficetest.Delivery(backofficetest.Sample(1), 1))
	if f := fault.Of(err); err == nil || f.Kind != fault.Permanent || f.Ambiguous {
		t.Errorf("%v: want a refusal for good", err)
	}
	if rows := w.sim.Rows(company); len(rows) != 0 {
		t.Errorf("%d rows stay behind", len(rows))
	}
}
