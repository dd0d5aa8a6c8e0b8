package backoffice

import (
	"errors"

	"github.com/dime-scheduler/connectors/shared/fault"
)

// Said is the cause of a fault whose text is fit for people: what the back office
// itself said, or what does not fit where, without a secret and without the words
// of an appointment. It is shown with the sentence of the fault's code.
type Said string

func (s Said) Error() string { return string(s) }

// sentence tells people what went wrong: what the code means, and what was said.
func sentence(f *fault.Error, code string) string {
	text := explain(code)
	if said, ok := errors.AsType[Said](f.Err); ok {
		text += ". In detail: " + clipped(string(said))
	}
	return text
}
