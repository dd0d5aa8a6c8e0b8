package boardsim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// upsertNotification keeps one row per connector, subject and code.
func (b *Board) upsertNotification(args arguments) (appointmentKey, error) {
	n, err := b.notification(args)
	if err != nil {
		return appointmentKey{}, err
	}
	if i := slices.IndexFunc(b.notifications, n.sameAs); i >= 0 {
		n.ID, n.Created = b.notifications[i].ID, b.notifications[i].Created
		b.notifications[i] = n
		return appointmentKey{}, nil
	}
	b.lastRow++
	n.ID = b.lastRow
	b.notifications = append(b.notifications, n)
	return appointmentKey{}, nil
}

func (n Notification) sameAs(m Notification) bool {
	return n.ConnectorID == m.ConnectorID && n.AppointmentGUID == m.AppointmentGUID && n.Code == m.Code &&
		n.SourceApp == m.SourceApp && n.SourceType == m.SourceType && n.JobNo == m.JobNo && n.TaskNo == m.TaskNo
}

func (b *Board) notification(args arguments) (Notification, error) {
	n := Notification{
		ConnectorID: args.text("mboc_id"), SourceApp: args.text("SourceApp"), SourceType: args.text("SourceType"),
		JobNo: args.text("JobNo"), TaskNo: args.text("TaskNo"), Code: args.text("NotificationCode"),
		Text: args.text("NotificationText"), Type: int(args.integer("NotificationType")), Created: b.now(), Date: b.now(),
	}
	args.setTime("NotificationDate", &n.Date)
	if n.Type < 0 || n.Type > 3 {
		return n, fmt.Errorf("notification type %d is none of 0 to 3", n.Type)
	}
	if args.integer("AppointmentId") != 0 || args.text("AppointmentGuid")+args.text("AppointmentNo") != "" {
		a, err := b.mustFind(args)
		if err != nil {
			return n, err
		}
		n.AppointmentGUID = a.GUID
	}
	return n, nil
}

// deleteNotification removes what matches all of connector, code and subject
// that are given; without any of them it would remove all, and is refused.
func (b *Board) deleteNotification(args arguments) (appointmentKey, error) {
	given := map[string]bool{}
	for _, name := range []string{"mboc_id", "NotificationCode", "AppointmentId", "AppointmentGuid", "AppointmentNo", "JobNo", "TaskNo"} {
		if value := args.text(name); value != "" && value != "0" {
			given[name] = true
		}
	}
	if len(given) == 0 {
		return appointmentKey{}, errors.New("the notification is not named")
	}
	byAppointment := given["AppointmentId"] || given["AppointmentGuid"] || given["AppointmentNo"]
	a := b.find(args)
	if byAppointment && a == nil {
		return appointmentKey{}, nil
	}
	b.notifications = slices.DeleteFunc(b.notifications, func(n Notification) bool {
		return (!given["mboc_id"] || n.ConnectorID == args.text("mboc_id")) &&
			(!given["NotificationCode"] || n.Code == args.text("NotificationCode")) &&
			(!byAppointment || n.AppointmentGUID == a.GUID) &&
			(!given["JobNo"] || n.JobNo == args.text("JobNo")) &&
			(!given["TaskNo"] || n.TaskNo == args.text("TaskNo"))
	})
	return appointmentKey{}, nil
}

func (b *Board) upsertResource(args arguments) (appointmentKey, error) {
	r := Resource{ResourceNo: args.text("ResourceNo"), DisplayName: args.text("ResourceName")}
	if old, err := b.resource(r.ResourceNo); err == nil {
		r = *old
	}
	args.setText("SourceApp", &r.SourceApp)
	args.setText("SourceType", &r.SourceType)
	args.setText("ResourceType", &r.ResourceType)
	args.setText("DisplayName", &r.DisplayName)
	args.setText("Department", &r.Department)
	args.setText("Email", &r.Email)
	args.setFlag("ExchangeIntegrationEnabled", &r.ExchangeIntegrationEnabled)
	args.setFlag("DoNotShow", &r.DoNotShow)
	b.putResource(r)
	return appointmentKey{}, nil
}

func (b *Board) upsertJob(args arguments) (appointmentKey, error) {
	b.putJob(Job{args.text("SourceApp"), args.text("SourceType"), args.text("JobNo"), args.text("ShortDescription")})
	return appointmentKey{}, nil
}

func (b *Board) upsertTask(args arguments) (appointmentKey, error) {
	t := Task{args.text("SourceApp"), args.text("SourceType"), args.text("JobNo"), args.text("TaskNo"), args.text("ShortDescription")}
	if !b.hasJob(t) {
		return appointmentKey{}, fmt.Errorf("job %q: %w", t.JobNo, ErrNotFound)
	}
	b.putTask(t)
	return appointmentKey{}, nil
}

// texts makes parameters of one kind from names separated by blanks.
func texts(max int, names string) parameters {
	p := parameters{}
	for _, name := range strings.Fields(names) {
		p[name] = parameter{text, max}
	}
	return p
}

// freeFields are the custom fields of jobs, tasks and resources.
func freeFields() parameters {
	p := parameters{}
	for i := 1; i <= 20; i++ {
		p[fmt.Sprintf("FreeText%d", i)] = parameter{text, 100}
	}
	for i := 1; i <= 5; i++ {
		p[fmt.Sprintf("FreeDecimal%d", i)] = parameter{kind: decimal}
		p[fmt.Sprintf("FreeDate%d", i)] = parameter{kind: instant}
		p[fmt.Sprintf("FreeBit%d", i)] = parameter{kind: flag}
	}
	return p
}

func resourceParameters() parameters {
	return freeFields().
		with(texts(30, "SourceApp")).with(texts(20, "HomeStreetNo HomePostcode TeamCode TeamType TeamMemberType")).
		with(texts(10, "SourceType HomeRegion")).
		with(texts(50, `ResourceNo Department Phone MobilePhone GpsTrackingResourceNo HomePhone HomeEmail
			HomeCity HomeCounty HomeState HomeCountry`)).
		with(texts(100, "ResourceType ResourceName DisplayName Email FieldServiceEmail PersonalEmail TeamName Pin")).
		with(texts(255, "HomeStreet urldesc1 urldesc2 urldesc3")).
		with(texts(1000, "url1 url2 url3")).
		with(texts(0, `ReplacementResource HomeAddress InServiceFrom InServiceTill`)).
		with(parameters{
			"ResourceTypeId": {kind: integer}, "TeamSort": {kind: integer}, "TeamMemberSort": {kind: integer},
			"HomeAddressGeoLong": {kind: decimal}, "HomeAddressGeoLat": {kind: decimal},
			"DoNotShow": {kind: flag}, "ExchangeIntegrationEnabled": {kind: flag},
			"BulkPlanning": {kind: flag}, "BulkCapacity": {kind: flag}, "ResourceGpsTrackingEnabled": {kind: flag},
		})
}

func jobParameters() parameters {
	return freeFields().with(texts(30, "SourceApp")).with(texts(10, "SourceType")).with(texts(50, "JobNo")).
		with(texts(0, `ShortDescription Description Type Name Category TimeMarker Pin
			CustomerNo CustomerName CustomerAddress CustomerPhone CustomerEmail
			ContactNo ContactName ContactAddress ContactPhone ContactEmail
			SiteNo SiteName SiteAddress SitePhone SiteEmail StartDate EndDate Note`))
}

func taskParameters() parameters {
	return freeFields().with(texts(30, "SourceApp")).with(texts(10, "SourceType")).with(texts(50, "JobNo TaskNo")).
		with(texts(0, `TaskType ShortDescription Description Name Type Category TimeMarker Pin
			RequestedStartDate RequestedEndDate ConfirmedStartDate ConfirmedEndDate
			UseFixPlanningQty Note ContainerName SentFromBackOffice CheckAppointments`))
}
