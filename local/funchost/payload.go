package funchost

import (
	"time"

	"github.com/google/uuid"
)

// payload is the body of a call in JSON mode.
func payload(binding, data string, metadata *object) []byte {
	var d, body object
	d.set(binding, data)
	body.set("Data", d.String())
	body.set("Metadata", metadata.String())
	return []byte(body.String())
}

// addSys adds the value that each call's metadata carries.
func addSys(o *object, function string, now time.Time) {
	var sys object
	sys.set("MethodName", quote(function))
	sys.set("UtcNow", quote(ticks(now)+"Z"))
	sys.set("RandGuid", quote(uuid.NewString()))
	o.set("sys", sys.String())
}

// timerStatus is what the host knows of a monitored timer.
type timerStatus struct {
	Last, Next, LastUpdated time.Time
}

// timerPayload is a timer's call. status is nil for a timer that is not monitored.
func timerPayload(f *function, status *timerStatus, pastDue bool, now time.Time) []byte {
	var timer, plan object
	plan.set("AdjustForDST", "true")
	timer.set("Schedule", plan.String())
	timer.set("ScheduleStatus", "null")
	if status != nil {
		var o object
		o.set("Last", quote(offset(status.Last)))
		o.set("Next", quote(offset(status.Next)))
		o.set("LastUpdated", quote(offset(status.LastUpdated)))
		timer.set("ScheduleStatus", o.String())
	}
	timer.set("IsPastDue", "false")
	if pastDue {
		timer.set("IsPastDue", "true")
	}
	var metadata object
	addSys(&metadata, f.Name, now)
	return payload(f.Binding, timer.String(), &metadata)
}
