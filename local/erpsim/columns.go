package erpsim

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
)

// ColumnType is the AL type of a column.
type ColumnType string

const (
	Text       ColumnType = "Text"
	Code       ColumnType = "Code" // text that the ERP stores in capitals, without blanks at its ends
	Integer    ColumnType = "Integer"
	BigInteger ColumnType = "BigInteger"
	Decimal    ColumnType = "Decimal"
	Boolean    ColumnType = "Boolean"
	DateTime   ColumnType = "DateTime"
	Date       ColumnType = "Date"
	GUID       ColumnType = "Guid"
	Option     ColumnType = "Option"
)

// Column is one field of the staging table, or of one of its sub-tables.
type Column struct {
	Name    string // as in AL, "Database Action"
	Type    ColumnType
	Length  int      // of Text and Code; 0 = no limit
	Members []string // of Option, in the order of their numbers
	// Property is its name on the API page; "" = Camel(Name).
	Property string
	// ReadOnly columns are filled by the ERP.
	ReadOnly bool
}

func (c Column) property() string {
	if c.Property != "" {
		return c.Property
	}
	return Camel(c.Name)
}

// The names of columns that the processing reads or writes. Others may be renamed
// and left out at will (Options.Columns).
const (
	EntryNo         = "Entry No."
	SystemID        = "SystemId"
	DatabaseAction  = "Database Action"
	AppointmentID   = "Appointment Id"
	SourceApp       = "Source App"
	SourceType      = "Source Type"
	JobNo           = "Job No."
	TaskNo          = "Task No."
	Start           = "Start"
	End             = "End"
	Subject         = "Subject"
	BackofficeID    = "Backoffice Id"
	SentFrom        = "Sent From Backoffice"
	Status          = "Status"
	ErrorMessage    = "Error Message"
	Received        = "Date and Time Received"
	ResourceNo      = "Resource No."
	FieldCode       = "Field Code"
	FieldValue      = "Field Value"
	statusWaiting   = "New"
	statusProcessed = "Processed"
	statusError     = "Error"
)

// DefaultColumns are those of the staging table "Dime.Scheduler Appointments",
// as far as documents and AL samples name them; types and lengths are guesses.
func DefaultColumns() []Column {
	return []Column{
		{Name: SourceApp, Type: Code, Length: 30},
		{Name: SourceType, Type: Code, Length: 10},
		{Name: DatabaseAction, Type: Code, Length: 1},
		{Name: JobNo, Type: Code, Length: 50},
		{Name: TaskNo, Type: Code, Length: 50},
		{Name: AppointmentID, Type: GUID},
		{Name: Subject, Type: Text, Length: 250},
		{Name: "Body", Type: Text, Length: 2048},
		{Name: Start, Type: DateTime},
		{Name: End, Type: DateTime},
		{Name: "Time Marker", Type: Text, Length: 100},
		{Name: "Category", Type: Text, Length: 100},
		{Name: "Importance", Type: Option, Members: []string{"Normal", "High", "Low"}},
		{Name: "Is All Day Event", Type: Boolean},
		{Name: "Duration (Sec.)", Type: Integer},
		{Name: "Non Working Time (Sec.)", Type: Integer},
		{Name: "Planning Quantity", Type: Decimal},
		{Name: "Planning Unit Of Measure", Type: Code, Length: 20},
		{Name: "Planning UOM Conversion", Type: Decimal},
		{Name: "Use Fix Planning Quantity", Type: Boolean},
		{Name: "Round To Unit Of Measure", Type: Boolean},
		{Name: BackofficeID, Type: Text, Length: 100},
		{Name: "Backoffice Parent Id", Type: Text, Length: 100},
		{Name: SentFrom, Type: Boolean},
		{Name: "Last Modified Date", Type: DateTime},
		{Name: "Last Modified User", Type: Text, Length: 50},
		{Name: "Created Date", Type: DateTime},
		{Name: "Created User", Type: Text, Length: 50},
	}
}

// DefaultResourceColumns are those of "Dime DS Appointment Resource".
func DefaultResourceColumns() []Column {
	return []Column{{Name: ResourceNo, Type: Code, Length: 50}}
}

// DefaultFieldValueColumns are those of the custom fields.
func DefaultFieldValueColumns() []Column {
	return []Column{{Name: FieldCode, Type: Code, Length: 100}, {Name: FieldValue, Type: Text, Length: 250}}
}

// ownColumns are filled by the ERP in every row.
func ownColumns() []Column {
	return []Column{
		{Name: EntryNo, Type: Integer, ReadOnly: true},
		{Name: Status, Type: Option, Members: []string{statusWaiting, statusProcessed, statusError}, ReadOnly: true},
		{Name: ErrorMessage, Type: Text, Length: 2048, ReadOnly: true},
		{Name: Received, Type: DateTime, ReadOnly: true},
	}
}

// Camel returns the name that an API page would give to a column: "Job No." = "jobNo".
func Camel(name string) string {
	var b strings.Builder
	for i, w := range strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if w == strings.ToUpper(w) {
			w = strings.ToLower(w)
		}
		first := w[:1]
		if i == 0 {
			first = strings.ToLower(first)
		} else {
			first = strings.ToUpper(first)
		}
		b.WriteString(first + w[1:])
	}
	return b.String()
}

// Parse reads a value in the lexical form of XML and of OData's URLs, which for
// these types is one: "2024-05-01T08:00:00Z", "true", "1.5". An empty text is the
// type's zero. The Value is what a Row holds: string, int64, float64, bool or time.Time.
func (c Column) Parse(s string) (any, bool) {
	switch c.Type {
	case Integer, BigInteger:
		if s == "" {
			return int64(0), true
		}
		bits := 64
		if c.Type == Integer {
			bits = 32
		}
		n, err := strconv.ParseInt(s, 10, bits)
		return n, err == nil
	case Decimal:
		if s == "" {
			return float64(0), true
		}
		f, err := strconv.ParseFloat(s, 64)
		return f, err == nil
	case Boolean:
		switch s {
		case "true", "1":
			return true, true
		case "false", "0", "":
			return false, true
		}
		return nil, false
	case DateTime:
		return parseTime(s, time.RFC3339Nano, "2006-01-02T15:04:05.999999999")
	case Date:
		return parseTime(s, time.DateOnly)
	case GUID:
		if s == "" {
			return emptyGUID, true
		}
		return parseGUID(s)
	case Option:
		if s == "" {
			return c.Members[0], true
		}
		i := slices.IndexFunc(c.Members, func(m string) bool { return strings.EqualFold(m, s) })
		if i < 0 {
			return nil, false
		}
		return c.Members[i], true
	case Code:
		return strings.ToUpper(strings.Trim(s, " ")), true
	}
	return s, true
}

// zero is what an AL field holds that nobody has set.
func (c Column) zero() any {
	v, _ := c.Parse("")
	return v
}

// tooLong reports whether the value does not fit; lengths are in UTF-16 code units.
func (c Column) tooLong(v any) bool {
	s, ok := v.(string)
	return ok && (c.Type == Text || c.Type == Code) && c.Length > 0 && len(utf16.Encode([]rune(s))) > c.Length
}

const emptyGUID = "00000000-0000-0000-0000-000000000000"

func parseGUID(s string) (any, bool) {
	s = strings.ToLower(strings.Trim(s, "{}"))
	if len(s) != len(emptyGUID) {
		return nil, false
	}
	for i, r := range s {
		if (emptyGUID[i] == '-') != (r == '-') || r != '-' && !strings.ContainsRune("0123456789abcdef", r) {
			return nil, false
		}
	}
	return s, true
}

// parseTime reads a time; without offset it is UTC, as online. The empty text is
// AL's 0DT, the zero time. The database keeps milliseconds.
func parseTime(s string, layouts ...string) (any, bool) {
	if s == "" {
		return time.Time{}, true
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC().Truncate(time.Millisecond), true
		}
	}
	return nil, false
}
