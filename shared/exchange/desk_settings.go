package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/store"
	"github.com/dime-scheduler/connectors/shared/target"
)

// ErrChanged says that somebody else was faster: look again, and decide anew.
var ErrChanged = errors.New("somebody else has changed this meanwhile: load it again")

// SettingsView is what people see of the settings.
type SettingsView struct {
	Settings Settings `json:"settings"`
	// Problems says what in the stored row does not make sense, and what holds instead.
	Problems []string `json:"problems,omitempty"`
	ETag     string   `json:"etag"`
	// Effective are the preferences that hold for whoever has said nothing: complete.
	Effective Choices `json:"effective"`
}

// Settings returns the settings as they hold.
func (d *Desk) Settings(ctx context.Context) (SettingsView, error) {
	text, etag, err := d.Store.Value(ctx, settingsName)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return SettingsView{}, err
	}
	s, problems := readSettings(text)
	return SettingsView{Settings: s, Problems: problems, ETag: etag, Effective: effective(s, []*store.Preferences{nil}).choices()}, nil
}

// SetSettings replaces the settings by the JSON of an administrator, if the row
// still has the etag (that of SettingsView). An error of ParseSettings, which says
// what is wrong, or ErrChanged means that nothing was stored. Keys in the row that
// this version does not know are kept (R40). The workers see it within a minute;
// mailboxes whose calendars have to be read anew for it are read within some more.
func (d *Desk) SetSettings(ctx context.Context, who, etag string, data []byte) error {
	s, err := ParseSettings(data)
	if err != nil {
		return err
	}
	was, now, err := d.Store.Value(ctx, settingsName)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	text, err := overlay(was, s)
	if err != nil {
		return err
	}
	if text != was {
		if now != etag {
			return ErrChanged
		}
		if _, err := d.Store.SwapValue(ctx, settingsName, text, etag); errors.Is(err, store.ErrConflict) {
			return ErrChanged
		} else if err != nil {
			return err
		}
	}
	if err := d.audit(ctx, who, "settings", settingsName, "the settings of the Exchange connector are now "+text); err != nil {
		return err
	}
	return d.wakeAll(ctx, "settings")
}

// overlay writes the settings over the row's text, whose other keys stay.
func overlay(was string, s Settings) (string, error) {
	row := map[string]json.RawMessage{}
	_ = json.Unmarshal([]byte(was), &row) // one that can not be read is replaced
	for f := range reflect.TypeFor[Settings]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		for key := range row {
			if strings.EqualFold(key, name) {
				delete(row, key)
			}
		}
	}
	data, err := json.Marshal(s)
	if err == nil {
		err = json.Unmarshal(data, &row)
	}
	if err != nil {
		return "", err
	}
	data, err = json.Marshal(row)
	return string(data), err
}

// wakeAllSpan is over how long the mailboxes of a fleet are woken.
const wakeAllSpan = 5 * time.Minute

// wakeAll books a look at every mailbox that takes part, once the workers have
// read the settings anew. What gets lost of it is made good by the sweep.
func (d *Desk) wakeAll(ctx context.Context, reason string) error {
	targets, err := d.Store.Targets(ctx, store.Mailbox)
	if err != nil {
		return err
	}
	for _, t := range targets {
		if !t.Participates {
			continue
		}
		at := d.Now().Add(settingsAge + time.Second + target.Spread(t.ID, wakeAllSpan))
		if err := d.Bus.NudgeAt(ctx, at, bus.Nudge{Kind: bus.Read, Target: t.ID, Reason: reason, At: at}); err != nil {
			return err
		}
	}
	return nil
}
