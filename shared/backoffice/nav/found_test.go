package nav

import (
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/erpsim"
	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/backofficetest"
)

// Two changes within one second, of which the second is lost: the row of the first
// looks like it, and is not it.
func TestFound_TheRowOfTheChangeBeforeIsNotTaken(t *testing.T) {
	w := newWorld(t, backoffice.Basic, erpsim.Options{})
	c := w.open()
	r := backofficetest.Sample(1)
	r.Operation = backoffice.Update
	first := backofficetest.Delivery(r, 1)
	receipt, err := c.Deliver(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	r.Body = "Bring the short ladder."
	second := backofficetest.Delivery(r, 1)
	second.Appointment.Modified = first.Appointment.Modified.Add(300 * time.Millisecond)
	second.Previous, second.First = receipt, time.Now()
	if _, found, err := c.Find(t.Context(), second); err != nil || found {
		t.Errorf("found %t, %v: nothing of it has arrived", found, err)
	}
	if _, err := c.Deliver(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	if _, found, err := c.Find(t.Context(), second); err != nil || !found {
		t.Errorf("found %t, %v", found, err)
	}
}
