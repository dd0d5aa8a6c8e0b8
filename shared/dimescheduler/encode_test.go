package dimescheduler

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// TestRule_R10_WhatIsReadTravelsUnchanged: an appointment read from the board
// must come out of the queue as it went in, else each read is a change.
func TestRule_R10_WhatIsReadTravelsUnchanged(t *testing.T) {
	entries, err := os.ReadDir(filepath.Join("testdata", "messages"))
	if err != nil {
		t.Fatal(err)
	}
	s := schema(t)
	for _, e := range entries {
		first, err := DecodeChange(read(t, "messages", e.Name()), "Update", 7, enqueued, brussels(t))
		if err != nil {
			t.Fatalf("%s: %v", e.Name(), err)
		}
		body, err := EncodeChange(first.Appointment)
		if err != nil {
			t.Errorf("%s: %v", e.Name(), err)
			continue
		}
		if err := validate(t, s, body); err != nil {
			t.Errorf("%s: what we write breaks the schema: %v", e.Name(), err)
		}
		// Another zone must make no difference: we write no wall times.
		second, err := DecodeChange(body, "Update", 7, enqueued, time.FixedZone("x", 5*3600))
		if err != nil {
			t.Errorf("%s: %v", e.Name(), err)
			continue
		}
		if d := cmp.Diff(first.Appointment, second.Appointment); d != "" {
			t.Errorf("%s: -first +second\n%s", e.Name(), d)
		}
	}
}

func TestEncodeRefusesWhatItCanNotSay(t *testing.T) {
	for name, a := range map[string]appointment.Appointment{
		"two resources, partial": {Guid: guid, Partial: true, Assignees: []appointment.Assignee{{No: "A"}, {No: "B"}}},
		"unknown show-as":        {Guid: guid, Content: appointment.Content{appointment.ShowAs: "sleeping"}},
		"broken interval":        {Guid: guid, Content: appointment.Content{appointment.When: "soon"}},
		"too large":              {Guid: guid, Content: appointment.Content{appointment.Body: strings.Repeat("x", MaxMessage)}},
	} {
		if _, err := EncodeChange(a); err == nil || fault.Of(err).Kind != fault.Poison {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// FuzzDecodeChange: no body makes the decoder panic, and what it accepts
// survives a round trip.
func FuzzDecodeChange(f *testing.F) {
	for _, dir := range []string{"messages", "poison"} {
		entries, err := os.ReadDir(filepath.Join("testdata", dir))
		if err != nil {
			f.Fatal(err)
		}
		for _, e := range entries {
			f.Add(read(f, dir, e.Name()), "Update")
		}
	}
	zone := brussels(f)
	f.Fuzz(func(t *testing.T, body []byte, changeType string) {
		first, err := DecodeChange(body, changeType, 1, enqueued, zone)
		if err != nil {
			if fault.Of(err).Kind != fault.Poison {
				t.Fatalf("%v is no poison", err)
			}
			return
		}
		again, err := EncodeChange(first.Appointment)
		if err != nil {
			// Escaping may make a text larger than the limit; nothing else may fail.
			if !strings.Contains(err.Error(), "larger than") {
				t.Fatal(err)
			}
			return
		}
		second, err := DecodeChange(again, changeType, 1, enqueued, time.UTC)
		if err != nil {
			t.Fatalf("%v\nof %s", err, again)
		}
		if d := cmp.Diff(first.Appointment, second.Appointment); d != "" {
			t.Fatalf("-first +second\n%s", d)
		}
	})
}
