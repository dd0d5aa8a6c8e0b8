package fields

import (
	"strings"
	"unicode"
)

// Part is where a field belongs: the row of the appointment itself, or the
// lines below it.
type Part string

const (
	Header      Part = "appointment"
	Resources   Part = "resources"    // one line per assigned resource
	FieldValues Part = "field values" // one line per custom field
)

// Field is one thing that we can tell.
type Field struct {
	// Name is the caption on Business Central's appointment card (facts A4), and
	// the key in Config.Fields; there in any spelling ("start_date", "StartDate").
	Name string
	// Required: without a column for it no delivery would make sense.
	Required bool
	// Cut: a text that is too long is shortened, visibly. A text of other fields
	// names something, so that a part of it would name something else.
	Cut bool
	// Also are other names under which the column may be found. Guess: all of
	// them; the page's control names are in no public source.
	Also []string
}

// Names of fields that the code refers to.
const (
	DatabaseAction = "Database Action"
	AppointmentID  = "Appointment ID"
	GUID           = "Appointment Guid"
	Key            = "Delivery Key"
	Start          = "Start Date"
	End            = "End Date"
	LastModified   = "Last Modified Date"
	Subject        = "Subject"
	Body           = "Body"
	ResourceNo     = "Resource No"
	FieldCode      = "Field Code"
	FieldValue     = "Field Value"
	EntryNo        = "Entry Number"
	Status         = "Status"
	ErrorMessage   = "Error Message"
	BackOfficeID   = "Back Office Id"
	SentFromThere  = "Sent from Back Office"
	Importance     = "Importance"
)

// known are all fields, by part, in the order of the card.
var known = map[Part][]Field{
	Header: {
		{Name: "Source Type"},
		{Name: "Source App"},
		{Name: DatabaseAction, Required: true, Also: []string{"Action", "Operation", "DB Action"}},
		{Name: "Job No"},
		{Name: "Task No", Also: []string{"Job Task No"}},
		{Name: AppointmentID, Required: true},
		{Name: GUID, Also: []string{"Appointment UUID"}},
		{Name: "Appointment No"},
		{Name: Subject, Cut: true},
		{Name: Body, Cut: true, Also: []string{"Description"}},
		{Name: Start, Required: true, Also: []string{"Start", "Start Date Time", "Starting Date Time"}},
		{Name: End, Required: true, Also: []string{"End", "End Date Time", "Ending Date Time"}},
		{Name: "Time Marker", Also: []string{"Time Marker Code"}},
		{Name: "Category", Also: []string{"Category Code"}},
		{Name: Importance},
		{Name: "Is All Day Event", Also: []string{"All Day Event", "All Day", "Is All Day"}},
		{Name: "Locked"},
		{Name: "Duration (Sec.)", Also: []string{"Duration", "Duration In Seconds"}},
		{Name: "Non Working Time (Sec.)", Also: []string{"Non Working Time"}},
		{Name: "Planning Quantity", Also: []string{"Planning Qty"}},
		{Name: "Planning Unit Of Measure", Also: []string{"Planning UoM", "Planning Unit Of Measure Code"}},
		{Name: "Planning UoM Conversion", Also: []string{"Planning Unit Of Measure Conversion"}},
		{Name: "Use Fix Planning Quantity", Also: []string{"Use Fix Planning Qty", "Use Fixed Planning Quantity"}},
		{Name: "Round to Unit Of Measure", Also: []string{"Round To UoM"}},
		{Name: BackOfficeID},
		{Name: "Back Office Parent Id"},
		{Name: SentFromThere},
		{Name: LastModified, Also: []string{"Last Modified Date Time", "Last Modified At"}},
		{Name: "Last Modified User", Also: []string{"Last Modified By"}},
		{Name: "Created Date", Also: []string{"Created Date Time", "Created At"}},
		{Name: "Created User", Also: []string{"Created By"}},
		// A staging table that has a column for it takes each delivery once, or at
		// least shows which one a row came from.
		{Name: Key, Also: []string{"Idempotency Key", "External Message Id"}},
	},
	Resources: {
		{Name: ResourceNo, Required: true, Also: []string{"Resource", "No"}},
		{Name: "Resource Name", Cut: true, Also: []string{"Display Name"}},
		{Name: "Resource Type"},
		{Name: "Source App", Also: []string{"Resource Source App"}},
		{Name: "Source Type", Also: []string{"Resource Source Type"}},
	},
	FieldValues: {
		{Name: FieldCode, Required: true, Also: []string{"Code", "Field", "Field Name"}},
		{Name: FieldValue, Required: true, Cut: true, Also: []string{"Value"}},
	},
}

// answers are columns that we read and never write.
var answers = []Field{
	{Name: EntryNo, Also: []string{"Entry No"}},
	{Name: Status, Also: []string{"Processing Status"}},
	{Name: ErrorMessage, Also: []string{"Error", "Error Text"}},
	{Name: "Date and Time Received", Also: []string{"Received At", "Date Time Received"}},
}

// Fields returns our fields of a part, in the order of the card.
func Fields(p Part) []Field { return known[p] }

// Normal returns a name without what differs between spellings: letter case,
// blanks, punctuation, and the escapes of OData (_x0020_).
func Normal(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); {
		if e := odataEscape(name[i:]); e != 0 {
			i += e
			continue
		}
		b.WriteByte(name[i])
		i++
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, b.String())
}

// odataEscape returns the length of an escape "_xHHHH_" at the beginning of s;
// those that stand in names are signs, which Normal drops anyway.
func odataEscape(s string) int {
	const length = len("_x0020_")
	if len(s) < length || s[0] != '_' || s[1] != 'x' || s[length-1] != '_' {
		return 0
	}
	for _, c := range []byte(s[2 : length-1]) {
		if !strings.ContainsRune("0123456789abcdefABCDEF", rune(c)) {
			return 0
		}
	}
	return length
}
