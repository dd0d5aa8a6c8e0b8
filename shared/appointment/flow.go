package appointment

// Flow is how much of an event its owner lets the board see. Only the words are
// withheld by it; times of appointments that the board has planned are not.
type Flow string

const (
	Open     Flow = ""         // all of it
	Masked   Flow = "masked"   // that there is something, and when: a neutral word stands for the rest
	Withheld Flow = "withheld" // nothing: it has left the filter
	Unclear  Flow = "unclear"  // the event does not show what would decide it: as it was before
)

// wordy are the fields by which an event tells what it is about.
var wordy = []Field{Subject, Body, Importance}

// Wordless returns a copy of c without the fields that tell what it is about.
// What is kept is an allow-list, so that a field that is added later is private
// until somebody decides otherwise.
func (c Content) Wordless() Content { return c.Only(When, ShowAs, Sensitivity, TimeZone) }

// Words returns a copy that holds only the fields that tell what it is about.
func (c Content) Words() Content { return c.Only(wordy...) }
