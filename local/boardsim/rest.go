package boardsim

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// restProcedures are the REST routes that do what a procedure does. REST has no
// update of its own: POST and PUT both are the upsert.
var restProcedures = map[string]string{
	"POST /appointment":    "mboc_upsertAppointment",
	"PUT /appointment":     "mboc_upsertAppointment",
	"DELETE /appointment":  "mboc_deleteAppointment",
	"POST /assignment":     "mboc_addAppointmentResource",
	"PUT /assignment":      "mboc_addAppointmentResource",
	"DELETE /assignment":   "mboc_deleteAppointmentResource",
	"POST /notification":   "mboc_upsertNotification",
	"DELETE /notification": "mboc_deleteNotification",
}

// renamed are the REST fields, in lower case, whose parameter has another name.
var renamed = map[string]string{
	"isallday": "IsAllDayEvent", "unitofmeasure": "PlanningUOM", "unitofmeasureconversion": "PlanningUOMConversion",
	"planningquantity": "PlanningQty", "usefixedplanningquantity": "UseFixPlanningQty", "roundtounitofmeasure": "RoundToUOM",
	"connectorid": "mboc_id", "type": "NotificationType", "code": "NotificationCode",
	"text": "NotificationText", "date": "NotificationDate",
}

type restAnswer struct {
	Success      bool      `json:"success"`
	Message      string    `json:"message"`
	Status       int       `json:"status"`
	Phrase       string    `json:"phrase"`
	Appointments []restKey `json:"appointments"`
}

type restKey struct {
	ID   int64  `json:"id"`
	GUID string `json:"guid"`
}

// rest runs a procedure for each object of the body, which is one or an array.
func (b *Board) rest(procedureName string, q *request) answer {
	objects, err := decodeObjects(q.body)
	if err != nil {
		return textAnswer(http.StatusBadRequest, "The body is neither a JSON object nor an array of objects.")
	}
	done := restAnswer{Success: true, Status: http.StatusOK, Phrase: "OK", Appointments: []restKey{}}
	for _, object := range objects {
		k, err := b.run(toImport(procedureName, object))
		switch {
		case errors.Is(err, ErrNotFound):
			return textAnswer(http.StatusNotFound, err.Error())
		case err != nil:
			return textAnswer(http.StatusBadRequest, err.Error())
		case k.ID != 0:
			done.Appointments = append(done.Appointments, restKey(k))
		}
	}
	return jsonAnswer(http.StatusOK, done)
}

func decodeObjects(body []byte) ([]map[string]any, error) {
	body = bytes.TrimSpace(body)
	if !bytes.HasPrefix(body, []byte("[")) {
		body = slices.Concat([]byte("["), body, []byte("]"))
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber() // an id of 64 bits does not fit a float
	var objects []map[string]any
	err := decoder.Decode(&objects)
	return objects, err
}

// toImport turns a JSON object into the request of a procedure. Fields that the
// procedure does not have are ignored, as JSON binding does.
func toImport(procedureName string, object map[string]any) importRequest {
	r := importRequest{StoredProcedureName: procedureName}
	for field, value := range object {
		name := renamed[strings.ToLower(field)]
		for each := range procedures[procedureName].parameters {
			if name == "" && strings.EqualFold(each, field) {
				name = each
			}
		}
		if _, known := procedures[procedureName].parameters[name]; !known || value == nil {
			continue
		}
		var s string
		switch v := value.(type) {
		case string:
			s = v
		case bool:
			s = strconv.FormatBool(v)
		case json.Number:
			s = v.String()
		default:
			continue
		}
		r.ParameterNames = append(r.ParameterNames, name)
		r.ParameterValues = append(r.ParameterValues, &s)
	}
	return r
}

// shows tells whether the key may see the appointment.
func (b *Board) shows(a *Appointment) bool {
	return b.visible == nil || slices.ContainsFunc(a.Resources, func(no string) bool { return b.visible[no] })
}

func (b *Board) getAppointments(q *request) answer {
	query := q.URL.Query()
	from, err := parseTime(query.Get("startDate"), b.opts.Zone)
	to, err2 := parseTime(query.Get("endDate"), b.opts.Zone)
	if err != nil || err2 != nil {
		return textAnswer(http.StatusBadRequest, "startDate and endDate are required.")
	}
	list := []graph{}
	for _, a := range b.sorted() {
		if a.overlaps(from, to) && a.ofAny(query["resources"]) && b.shows(a) {
			list = append(list, b.graph(a))
		}
	}
	return jsonAnswer(http.StatusOK, list)
}

func (b *Board) getAppointment(q *request) answer {
	if b.opts.NoGetByID {
		return textAnswer(http.StatusNotFound, "") // as for any path that no route matches
	}
	a := b.appointments[strings.ToLower(q.id)]
	if id, err := strconv.ParseInt(q.id, 10, 64); err == nil {
		a = b.appointmentByID(id)
	}
	if a == nil {
		return textAnswer(http.StatusNotFound, "The appointment does not exist.")
	}
	if !b.shows(a) {
		return textAnswer(b.opts.NarrowedStatus, http.StatusText(b.opts.NarrowedStatus))
	}
	return jsonAnswer(http.StatusOK, b.graph(a))
}

type restResource struct {
	ID                         int    `json:"id"`
	ResourceNo                 string `json:"resourceNo"`
	SourceApp                  string `json:"sourceApp"`
	SourceType                 string `json:"sourceType"`
	ResourceType               string `json:"resourceType"`
	ResourceName               string `json:"resourceName"`
	DisplayName                string `json:"displayName"`
	Department                 string `json:"department"`
	Email                      string `json:"email"`
	ExchangeIntegrationEnabled bool   `json:"exchangeIntegrationEnabled"`
	DoNotShow                  bool   `json:"doNotShow"`
}

func (b *Board) getResources() answer {
	list := []restResource{}
	for _, r := range b.resources {
		if b.visible == nil || b.visible[r.ResourceNo] {
			list = append(list, restResource{r.ID, r.ResourceNo, r.SourceApp, r.SourceType, r.ResourceType,
				r.DisplayName, r.DisplayName, r.Department, r.Email, r.ExchangeIntegrationEnabled, r.DoNotShow})
		}
	}
	return jsonAnswer(http.StatusOK, list)
}

func (b *Board) getCategories() answer {
	list := []map[string]any{}
	for i, c := range b.categories {
		list = append(list, map[string]any{"id": i + 1, "name": c.Name, "displayName": c.DisplayName, "color": c.Color})
	}
	return jsonAnswer(http.StatusOK, list)
}

func (b *Board) getTimeMarkers() answer {
	list := []map[string]any{}
	for i, m := range b.timeMarkers {
		list = append(list, map[string]any{"id": i + 1, "name": m.Name, "color": m.Color})
	}
	return jsonAnswer(http.StatusOK, list)
}

type restNotification struct {
	ID              int    `json:"id"`
	ConnectorID     string `json:"connectorId"`
	SourceApp       string `json:"sourceApp"`
	SourceType      string `json:"sourceType"`
	JobNo           string `json:"jobNo"`
	TaskNo          string `json:"taskNo"`
	AppointmentGUID string `json:"appointmentGuid"`
	Type            int    `json:"type"`
	Code            string `json:"code"`
	Text            string `json:"text"`
	Date            string `json:"date"`
	CreatedAt       string `json:"createdAt"`
}

// getNotifications takes page (from 1), limit (default 50) and sort, of which
// only createdAt:asc and createdAt:desc (the default) exist.
func (b *Board) getNotifications(q *request) answer {
	sorted := slices.Clone(b.notifications)
	slices.SortStableFunc(sorted, func(x, y Notification) int {
		return cmp.Or(x.Created.Compare(y.Created), cmp.Compare(x.ID, y.ID))
	})
	query := q.URL.Query()
	if query.Get("sort") != "createdAt:asc" {
		slices.Reverse(sorted)
	}
	number := func(name string, standard int) int {
		if n, err := strconv.Atoi(query.Get(name)); err == nil && n > 0 && n <= 1000 {
			return n
		}
		return standard
	}
	limit := number("limit", 50)
	first := min((number("page", 1)-1)*limit, len(sorted))
	list := []restNotification{}
	for _, n := range sorted[first:min(first+limit, len(sorted))] {
		list = append(list, restNotification{n.ID, n.ConnectorID, n.SourceApp, n.SourceType, n.JobNo, n.TaskNo,
			n.AppointmentGUID, n.Type, n.Code, n.Text, b.format(n.Date), b.format(n.Created)})
	}
	return jsonAnswer(http.StatusOK, list)
}

func (b *Board) postMessage(q *request) answer {
	objects, err := decodeObjects(q.body)
	if err != nil {
		return textAnswer(http.StatusBadRequest, "The body is neither a JSON object nor an array of objects.")
	}
	var messages []Message
	for _, object := range objects {
		var m Message // encoding/json matches names without regard to case
		if err := json.Unmarshal(encode(object), &m); err != nil || m.Text == "" || m.Severity < 0 || m.Severity > 5 {
			return textAnswer(http.StatusBadRequest, "A message needs a text and a severity from 0 to 5.")
		}
		messages = append(messages, m)
	}
	b.messages = append(b.messages, messages...)
	return jsonAnswer(http.StatusOK, restAnswer{Success: true, Status: http.StatusOK, Phrase: "OK", Appointments: []restKey{}})
}
