package dimescheduler

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
)

// sentFromBackOffice is the flag of that name in what we write.
//
// Guess: a change made by a person in Outlook is news to the back offices, so
// it is not marked as coming from one (facts C.4: the API's default would be).
const sentFromBackOffice = false

// ExchangeAppointment is an Outlook event as the board's Exchange import takes
// it (facts A.8). ExchangeID, ICalUID and ResourceEmail name the Outlook side,
// Guid and ID the board's.
type ExchangeAppointment struct {
	Guid                               string
	ID                                 int64 // 0 = not known
	ExchangeID, ICalUID, ResourceEmail string
	// Content holds the fields to write; the others are not touched.
	Content appointment.Content
	// CreatedByExchange: it was born in Outlook.
	CreatedByExchange bool
}

func (e ExchangeAppointment) parameters() []parameter {
	list := []parameter{
		paramID("AppointmentId", e.ID),
		paramOr("AppointmentGuid", e.Guid),
		paramOr("ExchangeId", e.ExchangeID),
		paramOr("ICalUId", e.ICalUID),
	}
	list = append(list, contentParameters(e.Content)...)
	return append(list,
		enumParameter("ShowAs", e.Content, appointment.ShowAs, showAs),
		enumParameter("Sensitivity", e.Content, appointment.Sensitivity, sensitivities),
		paramOr("ResourceEmail", e.ResourceEmail),
		categoriesParameter(e.Content),
		paramBool("CreatedByExchange", e.CreatedByExchange),
	)
}

// categoriesParameter writes the names joined with semicolons (facts A.8); one in
// a name, which Outlook does not allow either, becomes a comma.
func categoriesParameter(c appointment.Content) parameter {
	list, ok := c[appointment.Categories]
	if !ok {
		return parameter{"Categories", nil}
	}
	names := appointment.CategoryNames(strings.ReplaceAll(list, ";", ","))
	return param("Categories", strings.Join(names, ";"))
}

// contentParameters are the fields that both upserts have.
func contentParameters(c appointment.Content) []parameter {
	list := []parameter{{"Start", nil}, {"End", nil}}
	if start, end, ok := c.Times(); ok {
		list = []parameter{paramTime("Start", start), paramTime("End", end)}
	}
	return append(list,
		textParameter("Subject", c, appointment.Subject),
		textParameter("Body", c, appointment.Body),
		enumParameter("Importance", c, appointment.Importance, importances),
	)
}

// textParameter writes a known text, also an empty one.
func textParameter(name string, c appointment.Content, f appointment.Field) parameter {
	if s, ok := c[f]; ok {
		return param(name, s)
	}
	return parameter{name, nil}
}

func enumParameter(name string, c appointment.Content, f appointment.Field, e enum) parameter {
	if n, ok := e.number(c[f]); ok {
		return param(name, strconv.FormatInt(n, 10))
	}
	return parameter{name, nil}
}

// UpsertExchange creates or updates the appointment of an Outlook event. The
// Guid of the answer is the board's own and may be another than the one
// proposed (R25); it is empty if the board did not say. Repeating it with the
// same Guid and ExchangeID makes no second appointment.
func (c *Client) UpsertExchange(ctx context.Context, e ExchangeAppointment) (Ref, error) {
	return c.imports(ctx, "mboc_upsertExchangeAppointment", e.parameters()...)
}

// DeleteExchange takes the Outlook event of one resource off the board; the
// appointment itself stays if it is planned or others are assigned. Repeating
// it is no error.
func (c *Client) DeleteExchange(ctx context.Context, e ExchangeAppointment) error {
	_, err := c.imports(ctx, "mboc_deleteExchangeAppointment", e.parameters()...)
	return err
}

// ids are the parameters that name an appointment (facts C.4).
func ids(a appointment.Appointment) []parameter {
	return []parameter{
		paramOr("SourceApp", a.SourceApp),
		paramOr("SourceType", a.SourceType),
		paramOr("AppointmentNo", a.Number),
		paramID("AppointmentId", a.ID),
		paramOr("AppointmentGuid", a.Guid),
		paramBool("SentFromBackOffice", sentFromBackOffice),
	}
}

// UpsertAppointment writes those fields of the appointment that its content
// holds, and assigns the resource if one is named ("" = none). It unassigns
// nobody, and does not write show-as and sensitivity: they are the resource's
// own (R35).
func (c *Client) UpsertAppointment(ctx context.Context, a appointment.Appointment, resourceNo string) (Ref, error) {
	list := append(ids(a),
		paramOr("JobNo", a.JobNo),
		paramOr("TaskNo", a.TaskNo),
		paramOr("ResourceNo", resourceNo),
		// Guess: without a task the board takes an appointment only if it is manual.
		paramBool("IsManualAppointment", a.TaskNo == ""),
	)
	return c.imports(ctx, "mboc_upsertAppointment", append(list, contentParameters(a.Content)...)...)
}

// Unassign removes one resource from the appointment and leaves it otherwise
// as it is. Repeating it is no error.
func (c *Client) Unassign(ctx context.Context, a appointment.Appointment, resourceNo string) error {
	_, err := c.imports(ctx, "mboc_deleteAppointmentResource", append(ids(a), param("ResourceNo", resourceNo))...)
	return err
}

// DeleteAppointment removes the appointment with all its assignments.
// Repeating it is no error.
func (c *Client) DeleteAppointment(ctx context.Context, a appointment.Appointment) error {
	_, err := c.imports(ctx, "mboc_deleteAppointment", append(ids(a), parameter{"ResourceNo", nil})...)
	return err
}

// Severity of a notification (facts C.4).
type Severity int

const (
	Info    Severity = 0
	Warning Severity = 1
	Error   Severity = 2
)

// Notification is what the planner sees on an appointment. Connector, the
// appointment and Code are its key: the same again replaces it.
type Notification struct {
	Appointment appointment.Appointment // Guid, ID and the names of its job
	Connector   string                  // at most 50 characters
	Severity    Severity
	Code        string // at most 20 characters
	Text        string
	At          time.Time
}

func (n Notification) parameters() []parameter {
	return append(ids(n.Appointment),
		paramOr("JobNo", n.Appointment.JobNo),
		paramOr("TaskNo", n.Appointment.TaskNo),
		paramOr("mboc_id", n.Connector),
		paramOr("NotificationCode", n.Code),
	)
}

// UpsertNotification shows a notification on the board until DeleteNotification
// takes it away. Repeating it, or calling it with another text, makes no second one.
func (c *Client) UpsertNotification(ctx context.Context, n Notification) error {
	_, err := c.imports(ctx, "mboc_upsertNotification", append(n.parameters(),
		param("NotificationType", strconv.Itoa(int(n.Severity))),
		param("NotificationText", n.Text),
		paramTime("NotificationDate", n.At),
	)...)
	return err
}

// DeleteNotification removes what UpsertNotification has shown with the same key;
// one that is not there is no error.
func (c *Client) DeleteNotification(ctx context.Context, n Notification) error {
	_, err := c.imports(ctx, "mboc_deleteNotification", n.parameters()...)
	return err
}
