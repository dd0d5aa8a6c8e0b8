package boardsim

import (
	"fmt"
	"slices"
	"strings"
)

// findExchange returns the appointment of an Outlook event, or nil: by id, else
// by Guid, else by the event.
func (b *Board) findExchange(args arguments) *Appointment {
	if a := b.find(args); a != nil || args.integer("AppointmentId") != 0 {
		return a
	}
	event, email := args.text("ExchangeId"), args.text("ResourceEmail")
	for _, a := range b.appointments {
		if i := a.mapping(email); i >= 0 && event != "" && a.Mappings[i].ExchangeID == event {
			return a
		}
	}
	return nil
}

// mapping returns the index of the resource's row, or -1.
func (a *Appointment) mapping(email string) int {
	return slices.IndexFunc(a.Mappings, func(m Mapping) bool { return strings.EqualFold(m.ResourceEmail, email) })
}

func (b *Board) upsertExchange(args arguments) (appointmentKey, error) {
	email := args.text("ResourceEmail")
	resource, err := b.resourceByEmail(email)
	if err != nil {
		return appointmentKey{}, err
	}
	fill := func(a *Appointment) error {
		args.setText("Subject", &a.Subject)
		args.setText("Body", &a.Body)
		args.setTime("Start", &a.Start)
		args.setTime("End", &a.End)
		args.setInt("Importance", &a.Importance)
		return a.writeMapping(args)
	}
	if found := b.findExchange(args); found != nil {
		return key(found), b.change(found.GUID, byAPI, fill)
	}
	if err := b.mayCreate(args); err != nil {
		return appointmentKey{}, err
	}
	a := &Appointment{
		GUID: args.text("AppointmentGuid"), CreatedByExchange: args.flag("CreatedByExchange"),
		Resources: []string{resource.ResourceNo},
	}
	if err := fill(a); err != nil {
		return appointmentKey{}, err
	}
	if err := b.create(a, byAPI); err != nil {
		return appointmentKey{}, err
	}
	return key(a), nil
}

// writeMapping writes the mapping row of the resource.
func (a *Appointment) writeMapping(args arguments) error {
	i := a.mapping(args.text("ResourceEmail"))
	if i < 0 {
		a.Mappings = append(a.Mappings, Mapping{ResourceEmail: args.text("ResourceEmail")})
		i = len(a.Mappings) - 1
	}
	m := &a.Mappings[i]
	args.setText("ExchangeId", &m.ExchangeID)
	args.setText("ICalUId", &m.ICalUID)
	args.setInt("ShowAs", &m.ShowAs)
	args.setInt("Sensitivity", &m.Sensitivity)
	if value, sent := args.values["Categories"]; sent {
		m.Categories = nil
		if value != "" {
			m.Categories = strings.Split(value, ";")
		}
	}
	if m.ShowAs < 0 || m.ShowAs > 6 {
		return fmt.Errorf("show-as %d is none of 1 to 6", m.ShowAs)
	}
	if m.Sensitivity < 0 || m.Sensitivity > 4 {
		return fmt.Errorf("sensitivity %d is none of 1 to 4", m.Sensitivity)
	}
	return nil
}

func (b *Board) deleteExchange(args arguments) (appointmentKey, error) {
	a := b.findExchange(args)
	if a == nil {
		return appointmentKey{}, nil
	}
	email := args.text("ResourceEmail")
	no := "" // of a resource that is not on the board any more
	if resource, err := b.resourceByEmail(email); err == nil {
		no = resource.ResourceNo
	}
	if !a.assigned(no) && a.mapping(email) < 0 {
		return key(a), nil
	}
	after := a.clone()
	after.unassign(no)
	after.Mappings = slices.DeleteFunc(after.Mappings, func(m Mapping) bool { return strings.EqualFold(m.ResourceEmail, email) })
	if a.CreatedByExchange && len(after.Resources) == 0 {
		return key(a), b.remove(a.GUID, byAPI)
	}
	return key(a), b.change(a.GUID, byAPI, always(func(a *Appointment) {
		a.Resources, a.Mappings = after.Resources, after.Mappings
	}))
}
