package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// ReadValue returns what is kept as JSON under a name, and its ETag; the zero T and
// no ETag if there is nothing.
func ReadValue[T any](ctx context.Context, values Values, name string) (v T, etag string, err error) {
	text, etag, err := values.Value(ctx, name)
	if errors.Is(err, ErrNotFound) {
		return v, "", nil
	}
	if err != nil {
		return v, "", err
	}
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return v, "", fmt.Errorf("the value %s of the settings table is not the JSON that the portal has written: %w", name, err)
	}
	return v, etag, nil
}

// ChangeValue edits what is kept as JSON under a name, by swap: when somebody else was
// faster it begins again with theirs, so edit may run several times. An error of edit
// ends it, with nothing stored.
func ChangeValue[T any](ctx context.Context, values Values, name string, edit func(*T) error) error {
	for {
		v, etag, err := ReadValue[T](ctx, values, name)
		if err != nil {
			return err
		}
		if err := edit(&v); err != nil {
			return err
		}
		data, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if _, err = values.SwapValue(ctx, name, string(data), etag); !errors.Is(err, ErrConflict) {
			return err
		}
	}
}
