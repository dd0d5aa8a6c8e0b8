package funchost

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// envelope is the JSON that the host posts to a trigger:
// {"Data":{"<binding>":...},"Metadata":{...}}.
type envelope struct {
	data, metadata object
}

func decodeEnvelope(body []byte) (envelope, error) {
	var outer object
	if err := json.Unmarshal(body, &outer); err != nil {
		return envelope{}, fmt.Errorf("the envelope is not a JSON object: %w", withoutContent(err))
	}
	var e envelope
	data, ok := outer.get("Data")
	if !ok {
		return envelope{}, errors.New("the envelope has no Data")
	}
	if err := json.Unmarshal(data, &e.data); err != nil {
		return envelope{}, errors.New("the envelope's Data is not an object")
	}
	if metadata, ok := outer.get("Metadata"); ok {
		if err := json.Unmarshal(metadata, &e.metadata); err != nil {
			return envelope{}, errors.New("the envelope's Metadata is not an object")
		}
	}
	return e, nil
}

// binding returns the trigger's own value.
func (e envelope) binding(name string) (json.RawMessage, error) {
	value, ok := e.data.get(name)
	if !ok {
		return nil, fmt.Errorf("the envelope's Data has no %q: does function.json name its binding so?", name)
	}
	return value, nil
}

// object is a JSON object that keeps the order of its keys, and all of them.
type object []member

type member struct {
	key   string
	value json.RawMessage
}

// UnmarshalJSON implements json.Unmarshaler; null is the empty object.
func (o *object) UnmarshalJSON(text []byte) error {
	*o = nil
	d := json.NewDecoder(bytes.NewReader(text))
	switch start, err := d.Token(); {
	case err != nil:
		return err
	case start == nil:
		return nil
	case start != json.Delim('{'):
		return errors.New("not an object")
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		m := member{key: key.(string)} // the decoder lets nothing else be a key
		if err := d.Decode(&m.value); err != nil {
			return err
		}
		*o = append(*o, m)
	}
	_, err := d.Token()
	return err
}

// get finds a key: as it is written, else without regard to letter case. Of
// several the first counts, for what leaks from a body comes after the host's own.
func (o object) get(key string) (json.RawMessage, bool) {
	for _, m := range o {
		if m.key == key {
			return m.value, true
		}
	}
	for _, m := range o {
		if strings.EqualFold(m.key, key) {
			return m.value, true
		}
	}
	return nil, false
}

// withoutContent keeps of a JSON error where it is, and not what was there.
func withoutContent(err error) error {
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("it breaks at byte %d", e.Offset)
	}
	return errors.New("it can not be read")
}
