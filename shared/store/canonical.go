package store

import (
	"reflect"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
)

// clone returns a deep copy in canonical form, the one in which every store
// hands out what it holds: times in UTC without a monotonic part, an empty map
// or slice as nil. So what was stored equals what is read. It goes by the
// fields' types: a field that is added needs nothing here.
func clone[T any](p *T) *T {
	c := new(T)
	canonical(reflect.ValueOf(c).Elem(), reflect.ValueOf(p).Elem())
	return c
}

func canonical(dst, src reflect.Value) {
	switch src.Kind() {
	case reflect.Struct:
		if t, ok := src.Interface().(time.Time); ok {
			dst.Set(reflect.ValueOf(instant(t)))
			return
		}
		for i := range src.NumField() {
			canonical(dst.Field(i), src.Field(i))
		}
	case reflect.Pointer:
		if !src.IsNil() {
			dst.Set(reflect.New(src.Type().Elem()))
			canonical(dst.Elem(), src.Elem())
		}
	case reflect.Map:
		if src.Len() > 0 {
			dst.Set(reflect.MakeMapWithSize(src.Type(), src.Len()))
			for _, k := range src.MapKeys() {
				v := reflect.New(src.Type().Elem()).Elem()
				canonical(v, src.MapIndex(k))
				dst.SetMapIndex(k, v)
			}
		}
	case reflect.Slice:
		if src.Len() > 0 {
			dst.Set(reflect.MakeSlice(src.Type(), src.Len(), src.Len()))
			if src.Type().Elem().Kind() == reflect.Uint8 {
				reflect.Copy(dst, src)
				return
			}
			for i := range src.Len() {
				canonical(dst.Index(i), src.Index(i))
			}
		}
	default:
		dst.Set(src)
	}
}

func instant(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Round(0)
}

// Clone returns a deep copy, with times in UTC and empty maps as nil.
func (l *Link) Clone() *Link { return clone(l) }

// Clone returns a deep copy, with times in UTC and empty maps as nil.
func (h *Head) Clone() *Head { return clone(h) }

// same reports whether two canonical links say the same, but for what the
// store itself writes.
func same(a, b *Link) bool {
	x, y := *a, *b
	x.Updated, x.ETag = y.Updated, y.ETag
	return reflect.DeepEqual(&x, &y)
}

// changed lets change edit a copy of l and returns it with its keys as they
// were, or nil if there is nothing to store.
func changed(l *Link, change func(*Link) error) (*Link, error) {
	next := clone(l)
	if err := change(next); err != nil {
		return nil, err
	}
	next = clone(next)
	next.Target, next.Appointment, next.ETag = l.Target, l.Appointment, l.ETag
	if same(l, next) {
		return nil, nil
	}
	return next, nil
}

// edited lets change edit a copy of r and returns it with its keys as they were,
// or nil if there is nothing to store: a row that is not there is always stored.
func edited(r *Resource, change func(*Resource)) *Resource {
	next := clone(r)
	change(next)
	next = clone(next)
	next.No, next.ETag = r.No, r.ETag
	if r.ETag != "" && reflect.DeepEqual(r, next) {
		return nil
	}
	return next
}

// renamed returns source as the link of another appointment, after absorb; its
// ETag is that of the row whose place it takes.
func renamed(source, there *Link, to string, absorb func(moved, there *Link) error) (*Link, error) {
	moved := clone(source)
	moved.Appointment = to
	var etag string
	var copied *Link
	if there != nil {
		etag, copied = there.ETag, clone(there)
	}
	if err := absorb(moved, copied); err != nil {
		return nil, err
	}
	moved = clone(moved)
	moved.Target, moved.Appointment, moved.ETag = source.Target, to, etag
	return moved, nil
}

func (t Transaction) at(now time.Time) Transaction {
	if t.At.IsZero() {
		t.At = now
	}
	return *clone(&t)
}

func (d Delta) at(now time.Time) Delta {
	if d.At.IsZero() {
		d.At = now
	}
	return *clone(&d)
}

// tombstone reports whether nothing but the memory of it is left in a link,
// so that Prune may take it (R7).
func tombstone(l *Link, before time.Time) bool {
	// A hidden link lives as long as its event (R32).
	over := l.State == Gone || l.State == Hidden && l.OutlookSeen.EventID == ""
	return over && l.Wanted.Held == "" && l.DueAt.IsZero() && l.Updated.Before(before)
}

// buried is tombstone for heads: those of appointments deleted on the board.
func buried(h *Head, before time.Time) bool {
	return h.Operation == appointment.Delete && h.Updated.Before(before)
}

// needsLower reports whether a due time has to be set to be at or before at.
func needsLower(due, at time.Time) bool { return due.IsZero() || due.After(at) }
