package storetest

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/shared/store"
)

func TestFlakyPassesTheSuite(t *testing.T) {
	Run(t, func(*testing.T) store.Store { return &Flaky{Store: store.NewMem(time.Now)} })
}

func TestFlakyFailsBeforeAndAfterTheEffect(t *testing.T) {
	crash := errors.New("crash")
	keys := []string{guid(1), guid(2), guid(3), guid(4)}
	touch := func(l *store.Link) error { l.Attempts++; return nil }
	for _, c := range []struct {
		point  string
		stored int // links, of one or four
		call   func(s store.Store) []error
	}{
		{"before UpdateLink", 0, func(s store.Store) []error {
			_, err := s.UpdateLink(t.Context(), mailbox, guid(1), touch)
			return []error{err}
		}},
		{"after UpdateLink", 1, func(s store.Store) []error {
			_, err := s.UpdateLink(t.Context(), mailbox, guid(1), touch)
			return []error{err}
		}},
		{"before UpdateLinks", 0, func(s store.Store) []error {
			_, errs := s.UpdateLinks(t.Context(), mailbox, keys, touch)
			return errs
		}},
		{"amid UpdateLinks", 2, func(s store.Store) []error {
			_, errs := s.UpdateLinks(t.Context(), mailbox, keys, touch)
			return errs[2:]
		}},
		{"after UpdateLinks", 4, func(s store.Store) []error {
			_, errs := s.UpdateLinks(t.Context(), mailbox, keys, touch)
			return errs
		}},
	} {
		t.Run(c.point, func(t *testing.T) {
			mem := store.NewMem(time.Now)
			s := &Flaky{Store: mem, Hook: func(op string) error {
				if op == c.point {
					return crash
				}
				return nil
			}}
			for i, err := range c.call(s) {
				if err != crash {
					t.Errorf("error %d is %v", i, err)
				}
			}
			if links, err := mem.Links(t.Context(), mailbox); err != nil || len(links) != c.stored {
				t.Errorf("%d links stored, %v; want %d", len(links), err, c.stored)
			}
		})
	}
}

// TestFlakyCoversTheStore calls every method and wants its own name at its
// points, so that no call is forgotten or mixed up.
func TestFlakyCoversTheStore(t *testing.T) {
	stop := errors.New("stop")
	contract := reflect.TypeFor[store.Store]()
	for i := range contract.NumMethod() {
		name := contract.Method(i).Name
		var points []string
		s := reflect.ValueOf(&Flaky{Hook: func(op string) error { points = append(points, op); return stop }})
		method := s.MethodByName(name)
		var args []reflect.Value
		for j := range method.Type().NumIn() {
			arg := method.Type().In(j)
			if j == 0 {
				args = append(args, reflect.ValueOf(t.Context()))
			} else if !method.Type().IsVariadic() {
				args = append(args, reflect.Zero(arg))
			}
		}
		method.Call(args)
		if !slices.Equal(points, []string{"before " + name}) {
			t.Errorf("%s asks at %v", name, points)
		}
	}
}
