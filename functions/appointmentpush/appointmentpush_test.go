package appointmentpush

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/funchost"
)

type router func(context.Context, appointment.Change) error

func (r router) Route(ctx context.Context, c appointment.Change) error { return r(ctx, c) }

// decode keeps what it was given in the change.
func decode(body []byte, changeType string, sequence int64, enqueued time.Time) (appointment.Change, error) {
	return appointment.Change{
		Operation: appointment.Operation(changeType),
		Version:   appointment.Version{Modified: enqueued, Sequence: sequence},
		Raw:       body,
	}, nil
}

func TestHandler(t *testing.T) {
	at := time.Date(2026, 11, 23, 5, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name       string
		properties map[string]string
		sequence   int64
	}{
		{"as the board sends it", map[string]string{"changeType": "Update"}, 42},
		{"returned from the dead letters: R5", map[string]string{"changeType": "Update", "firstSequenceNumber": "7"}, 7},
		{"names in another case", map[string]string{"ChangeType": "Update", "FIRSTSEQUENCENUMBER": "7"}, 7},
		{"a first number that is none", map[string]string{"changeType": "Update", "firstSequenceNumber": "-1"}, 42},
		{"a first number that is no number", map[string]string{"changeType": "Update", "firstSequenceNumber": "x"}, 42},
	} {
		t.Run(tc.name, func(t *testing.T) {
			want := appointment.Change{Operation: appointment.Update, Version: appointment.Version{Modified: at, Sequence: tc.sequence}, Raw: []byte(`{}`)}
			down := errors.New("store down")
			h := Handler(decode, router(func(ctx context.Context, c appointment.Change) error {
				if ctx != t.Context() {
					t.Error("another context: the trace is lost")
				}
				if diff := cmp.Diff(want, c); diff != "" {
					t.Errorf("want (-), got (+):\n%s", diff)
				}
				return down
			}))
			m := funchost.Message{Body: []byte(`{}`), SequenceNumber: 42, Enqueued: at, Properties: tc.properties}
			if err := h(t.Context(), m); err != down {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestPoisonIsNotRouted(t *testing.T) {
	poison := fault.Poisoned("decode", "no id")
	h := Handler(func([]byte, string, int64, time.Time) (appointment.Change, error) {
		return appointment.Change{}, poison
	},
		router(func(context.Context, appointment.Change) error {
			t.Error("routed")
			return nil
		}))
	if err := h(t.Context(), funchost.Message{}); err != poison {
		t.Errorf("error %v", err)
	}
}
