package world

import (
	"slices"
	"strings"
	"time"
)

// Ledger is what a person sees who looks into one back office.
type Ledger struct {
	Connector string  `json:"connector"` // its id
	Name      string  `json:"name"`
	How       string  `json:"how"` // it is spoken to
	SourceApp string  `json:"sourceApp"`
	Down      bool    `json:"down"`
	Taken     int     `json:"taken"`    // deliveries: rows of the staging table, calls of the webhook
	Repeated  int     `json:"repeated"` // deliveries of the webhook with a key that it knew
	Refused   int     `json:"refused"`
	Entries   []Entry `json:"entries"`
	// PerResource: an appointment has an entry for each of its resources.
	PerResource bool `json:"-"`
}

// Entry is a document of a company, or an appointment as the webhook knows it.
type Entry struct {
	Appointment string    `json:"appointment"`
	Number      int       `json:"number,omitempty"` // of the document
	Resources   []string  `json:"resources"`        // a document has one
	Subject     string    `json:"subject"`
	JobNo       string    `json:"job"`
	TaskNo      string    `json:"task"`
	Start       time.Time `json:"start"`
	End         time.Time `json:"end"`
	Deleted     bool      `json:"deleted,omitempty"` // the webhook was told so
}

// Ledgers are those of all back offices.
func (w *World) Ledgers() []Ledger {
	return []Ledger{w.Ledger(Cronus), w.Ledger(Fabrikam), w.Ledger(Partner)}
}

// Ledger is that of one back office, by the id of its connector.
func (w *World) Ledger(connector string) Ledger {
	l := Ledger{Connector: connector, Entries: []Entry{}}
	server, company := w.back.online, cronusName
	switch connector {
	case Partner:
		l.Name, l.How, l.SourceApp = "Partner portal", "webhook, signed", CronusApp
		w.readHook(&l)
		return l
	case Cronus:
		l.Name, l.How, l.SourceApp = cronusName, "Business Central online · API page, OAuth2", CronusApp
	case Fabrikam:
		l.Name, l.How, l.SourceApp = fabrikamCo, "Business Central on-premises · SOAP page, NTLM", FabrikamApp
		server, company = w.back.premises, fabrikamCo
	}
	l.PerResource, l.Down = true, w.back.outlets[connector].isDown()
	for _, row := range server.Rows(company) {
		l.Taken++
		if row.Status == "Error" {
			l.Refused++
		}
	}
	for _, d := range server.Documents(company) {
		l.Entries = append(l.Entries, Entry{
			Appointment: strings.ToLower(strings.Trim(d.Appointment, "{}")), Number: d.No, Resources: []string{d.Resource}, Subject: d.Subject,
			JobNo: d.Job, TaskNo: d.Task, Start: d.Start, End: d.End,
		})
	}
	return l
}

func (w *World) readHook(l *Ledger) {
	states, counts := w.back.hook.State()
	l.Taken, l.Repeated, l.Refused = counts.Taken, counts.Repeated, counts.Refused
	for _, a := range states {
		l.Entries = append(l.Entries, Entry{
			Appointment: a.GUID, Resources: a.Resources, Subject: a.Subject, JobNo: a.JobNo, TaskNo: a.TaskNo,
			Start: a.Start, End: a.End, Deleted: a.Operation == "Delete",
		})
	}
}

// Of returns the entries of one appointment that are not deleted.
func (l Ledger) Of(guid string) []Entry {
	return slices.DeleteFunc(slices.Clone(l.Entries), func(e Entry) bool { return e.Deleted || !strings.EqualFold(e.Appointment, guid) })
}

// deliveries counts what all back offices have taken, repetitions included.
func (w *World) deliveries() int {
	n := 0
	for _, l := range w.Ledgers() {
		n += l.Taken + l.Repeated
	}
	return n
}

// backOfficeCalls counts all calls, for a look whether anything happens.
func (w *World) backOfficeCalls() int {
	_, counts := w.back.hook.State()
	return total(w.back.online.Calls()) + total(w.back.premises.Calls()) + counts.Taken + counts.Repeated + counts.Refused
}
