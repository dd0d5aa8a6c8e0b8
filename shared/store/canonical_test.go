package store

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fill sets every field of what v points to, whatever fields there are, so
// that one that was added and is not handled is noticed. Each gets another value.
func fill(t *testing.T, v reflect.Value, n *int64) {
	t.Helper()
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(1_800_000_000+*n, *n*1_000_001).In(time.FixedZone("", 3600))))
		return
	case string:
		v.SetString("text " + time.Duration(*n).String())
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("kind " + time.Duration(*n).String())
	case reflect.Int, reflect.Int64:
		v.SetInt(*n)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 2 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(t, key, n)
			fill(t, value, n)
			v.SetMapIndex(key, value)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 3, 3))
		for i := range 3 {
			fill(t, v.Index(i), n)
		}
	case reflect.Uint8:
		v.SetUint(uint64(*n % 256))
	default:
		t.Fatalf("%s: a store can not keep a %s", v.Type(), v.Kind())
	}
}

func filled[T any](t *testing.T) *T {
	t.Helper()
	v, n := new(T), int64(0)
	fill(t, reflect.ValueOf(v).Elem(), &n)
	return v
}

func TestCloneIsDeepAndEqual(t *testing.T) {
	l := filled[Link](t)
	c, again := clone(l), clone(l)
	if diff := cmp.Diff(l, c); diff != "" {
		t.Errorf("clone (-want +got):\n%s", diff)
	}
	if !reflect.DeepEqual(c, again) {
		t.Error("two clones of the same link differ")
	}
	if c.DueAt.Location() != time.UTC || c.Sent.At.Location() != time.UTC {
		t.Error("times of a clone are not in UTC")
	}
	clear(l.Wanted.Content)
	clear(l.Sent.Content)
	*l.Inbound, *l.BoardSent = Inbound{}, BoardSent{}
	if !reflect.DeepEqual(c, again) {
		t.Error("a clone shares memory with its original")
	}
	if empty := clone(l); empty.Wanted.Content != nil || empty.Sent.Content != nil {
		t.Error("an empty content is not nil")
	}
}
