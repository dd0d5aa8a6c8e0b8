package boardsim

import (
	"fmt"
	"strings"
)

// procedure is one stored procedure of the import.
type procedure struct {
	parameters parameters
	required   []string
	perform    func(*Board, arguments) (appointmentKey, error)
}

// ids are the parameters that name an appointment.
var ids = parameters{
	"SourceApp": {text, 30}, "SourceType": {text, 10},
	"AppointmentNo": {text, 50}, "AppointmentId": {kind: integer}, "AppointmentGuid": {kind: guid},
	"SentFromBackOffice": {kind: flag},
}

var exchangeParameters = parameters{
	"AppointmentId": {kind: integer}, "AppointmentGuid": {kind: guid},
	"ExchangeId": {kind: text}, "ICalUId": {kind: text},
	"Start": {kind: instant}, "End": {kind: instant}, "Subject": {kind: text}, "Body": {kind: text},
	"Importance": {kind: integer}, "ResourceEmail": {text, 100},
	"ShowAs": {kind: integer}, "Sensitivity": {kind: integer},
	"Categories": {kind: text}, "CreatedByExchange": {kind: flag},
}

var notificationParameters = ids.with(parameters{
	"JobNo": {text, 50}, "TaskNo": {text, 50}, "mboc_id": {text, 50},
	"NotificationType": {kind: integer}, "NotificationCode": {text, 20},
	"NotificationText": {kind: text}, "NotificationDate": {kind: instant},
})

// procedures are those simulated, with the names and parameters of the real ones.
var procedures = map[string]procedure{
	"mboc_upsertExchangeAppointment": {exchangeParameters, []string{"ResourceEmail"}, (*Board).upsertExchange},
	"mboc_deleteExchangeAppointment": {exchangeParameters, []string{"ResourceEmail"}, (*Board).deleteExchange},

	"mboc_upsertAppointment": {ids.with(parameters{
		"JobNo": {text, 50}, "TaskNo": {text, 50}, "ResourceNo": {text, 50},
		"Subject": {kind: text}, "Body": {kind: text}, "Start": {kind: instant}, "End": {kind: instant},
		"IsAllDayEvent": {kind: flag}, "TimeMarker": {text, 100}, "Category": {text, 100},
		"Importance": {kind: integer}, "Locked": {kind: flag}, "ReplaceResource": {kind: flag},
		"BackofficeID": {text, 100}, "BackofficeParentID": {text, 100},
		"PlanningUOM": {text, 20}, "PlanningUOMConversion": {kind: decimal}, "PlanningQty": {kind: decimal},
		"UseFixPlanningQty": {kind: flag}, "RoundToUOM": {kind: flag}, "IsManualAppointment": {kind: flag},
	}), nil, (*Board).upsertAppointment},
	"mboc_deleteAppointment":         {ids.with(parameters{"ResourceNo": {text, 50}}), nil, (*Board).deleteAppointment},
	"mboc_addAppointmentResource":    {ids.with(parameters{"ResourceNo": {text, 50}}), []string{"ResourceNo"}, (*Board).addAppointmentResource},
	"mboc_deleteAppointmentResource": {ids.with(parameters{"ResourceNo": {text, 50}}), []string{"ResourceNo"}, (*Board).deleteAppointmentResource},

	"mboc_updateAppointmentContent": {ids.with(parameters{"Subject": {kind: text}, "Body": {kind: text}}), nil,
		update(func(args arguments, a *Appointment) {
			args.setText("Subject", &a.Subject)
			args.setText("Body", &a.Body)
		})},
	"mboc_updateAppointmentCategory": {ids.with(parameters{"Category": {text, 100}}), nil,
		update(func(args arguments, a *Appointment) { args.setText("Category", &a.Category) })},
	"mboc_updateAppointmentTimeMarker": {ids.with(parameters{"TimeMarker": {text, 100}}), nil,
		update(func(args arguments, a *Appointment) { args.setText("TimeMarker", &a.TimeMarker) })},
	"mboc_updateAppointmentImportance": {ids.with(parameters{"Importance": {kind: integer}}), []string{"Importance"},
		update(func(args arguments, a *Appointment) { args.setInt("Importance", &a.Importance) })},
	"mboc_updateAppointmentLocked": {ids.with(parameters{"Locked": {kind: flag}}), []string{"Locked"},
		update(func(args arguments, a *Appointment) { args.setFlag("Locked", &a.Locked) })},

	"mboc_upsertNotification": {notificationParameters, []string{"NotificationText"}, (*Board).upsertNotification},
	"mboc_deleteNotification": {notificationParameters, nil, (*Board).deleteNotification},

	"mboc_upsertConnector": {connectorParameters, []string{"SourceApp", "WebServiceAddress"}, (*Board).upsertConnector},
	"mboc_deleteConnector": {parameters{"SourceApp": {text, 30}}, []string{"SourceApp"}, (*Board).deleteConnector},
	"mboc_upsertActionUrl": {actionParameters, []string{"UrlType", "Url", "RequestType"}, (*Board).upsertActionURL},

	"mboc_upsertResource": {resourceParameters(), []string{"ResourceNo"}, (*Board).upsertResource},
	"mboc_upsertJob":      {jobParameters(), []string{"SourceApp", "SourceType", "JobNo"}, (*Board).upsertJob},
	"mboc_upsertTask":     {taskParameters(), []string{"SourceApp", "SourceType", "JobNo", "TaskNo"}, (*Board).upsertTask},
}

// find returns the appointment that the ids name, or nil: by id, else by Guid,
// else by number.
func (b *Board) find(args arguments) *Appointment {
	if id := args.integer("AppointmentId"); id != 0 {
		return b.appointmentByID(id)
	}
	if guid := args.text("AppointmentGuid"); guid != "" {
		return b.appointments[strings.ToLower(guid)]
	}
	if no := args.text("AppointmentNo"); no != "" {
		for _, a := range b.appointments {
			if a.AppointmentNo == no {
				return a
			}
		}
	}
	return nil
}

func (b *Board) mustFind(args arguments) (*Appointment, error) {
	if a := b.find(args); a != nil {
		return a, nil
	}
	return nil, fmt.Errorf("appointment: %w", ErrNotFound)
}

func key(a *Appointment) appointmentKey { return appointmentKey{a.ID, a.GUID} }

// mayCreate tells whether an upsert that found nothing may create.
func (b *Board) mayCreate(args arguments) error {
	if args.integer("AppointmentId") != 0 || b.opts.RejectUnknownGUIDs && args.text("AppointmentGuid") != "" {
		return fmt.Errorf("appointment: %w", ErrNotFound)
	}
	return nil
}

func (b *Board) upsertAppointment(args arguments) (appointmentKey, error) {
	fill := func(a *Appointment) {
		args.setText("AppointmentNo", &a.AppointmentNo)
		for name, target := range map[string]*string{
			"SourceApp": &a.SourceApp, "SourceType": &a.SourceType, "JobNo": &a.JobNo, "TaskNo": &a.TaskNo,
		} {
			if args.text(name) != "" {
				*target = args.text(name)
			}
		}
		args.setText("Subject", &a.Subject)
		args.setText("Body", &a.Body)
		args.setTime("Start", &a.Start)
		args.setTime("End", &a.End)
		args.setText("TimeMarker", &a.TimeMarker)
		args.setText("Category", &a.Category)
		args.setInt("Importance", &a.Importance)
		args.setFlag("Locked", &a.Locked)
		if no := args.text("ResourceNo"); no != "" {
			if args.flag("ReplaceResource") {
				a.Resources = nil
			}
			a.assign(no)
		}
	}
	if found := b.find(args); found != nil {
		return key(found), b.change(found.GUID, byAPI, always(fill))
	}
	if err := b.mayCreate(args); err != nil {
		return appointmentKey{}, err
	}
	a := &Appointment{GUID: args.text("AppointmentGuid")}
	fill(a)
	if !args.flag("IsManualAppointment") && !b.hasTask(a) {
		return appointmentKey{}, fmt.Errorf("task %q of job %q: %w", a.TaskNo, a.JobNo, ErrNotFound)
	}
	if err := b.create(a, byAPI); err != nil {
		return appointmentKey{}, err
	}
	return key(a), nil
}

func (b *Board) deleteAppointment(args arguments) (appointmentKey, error) {
	a := b.find(args)
	if a == nil {
		return appointmentKey{}, nil
	}
	no := args.text("ResourceNo")
	if no != "" && !a.assigned(no) {
		return key(a), nil
	}
	if no == "" || len(a.Resources) == 1 {
		return key(a), b.remove(a.GUID, byAPI)
	}
	return key(a), b.change(a.GUID, byAPI, always(func(a *Appointment) { a.unassign(no) }))
}

func (b *Board) addAppointmentResource(args arguments) (appointmentKey, error) {
	a, err := b.mustFind(args)
	if err != nil {
		return appointmentKey{}, err
	}
	return key(a), b.change(a.GUID, byAPI, always(func(a *Appointment) { a.assign(args.text("ResourceNo")) }))
}

func (b *Board) deleteAppointmentResource(args arguments) (appointmentKey, error) {
	a := b.find(args)
	if a == nil {
		return appointmentKey{}, nil
	}
	return key(a), b.change(a.GUID, byAPI, always(func(a *Appointment) { a.unassign(args.text("ResourceNo")) }))
}

// update makes the procedure that edits some fields of an existing appointment.
func update(edit func(arguments, *Appointment)) func(*Board, arguments) (appointmentKey, error) {
	return func(b *Board, args arguments) (appointmentKey, error) {
		a, err := b.mustFind(args)
		if err != nil {
			return appointmentKey{}, err
		}
		return key(a), b.change(a.GUID, byAPI, always(func(a *Appointment) { edit(args, a) }))
	}
}
