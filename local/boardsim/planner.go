package boardsim

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// The methods of this file are what a planner does at the board. Each change
// of an appointment is announced.

var byPlanner = origin{user: "planner"}

// AddResource adds the resource, or replaces the one with its number, and
// returns it with its id.
func (b *Board) AddResource(r Resource) Resource {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.putResource(r)
}

func (b *Board) putResource(r Resource) Resource {
	if old, err := b.resource(r.ResourceNo); err == nil {
		r.ID = old.ID
		*old = r
		return r
	}
	b.lastRow++
	r.ID = b.lastRow
	b.resources = append(b.resources, r)
	return r
}

// RemoveResource takes the resource off the board and unassigns it everywhere.
func (b *Board) RemoveResource(resourceNo string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := b.resource(resourceNo); err != nil {
		return err
	}
	for _, a := range b.sorted() {
		if a.assigned(resourceNo) {
			if err := b.change(a.GUID, byPlanner, always(func(a *Appointment) { a.unassign(resourceNo) })); err != nil {
				return err
			}
		}
	}
	b.resources = slices.DeleteFunc(b.resources, func(r Resource) bool { return r.ResourceNo == resourceNo })
	return nil
}

// AddJob adds the job, or replaces the one with its key.
func (b *Board) AddJob(j Job) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.putJob(j)
}

func (b *Board) putJob(j Job) {
	b.jobs = put(b.jobs, j, func(a, b Job) bool {
		return a.SourceApp == b.SourceApp && a.SourceType == b.SourceType && a.JobNo == b.JobNo
	})
}

// AddTask adds the task, or replaces the one with its key. Its job is added
// when it is absent.
func (b *Board) AddTask(t Task) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.hasJob(t) {
		b.putJob(Job{SourceApp: t.SourceApp, SourceType: t.SourceType, JobNo: t.JobNo})
	}
	b.putTask(t)
}

func (b *Board) hasJob(t Task) bool {
	return slices.ContainsFunc(b.jobs, func(j Job) bool {
		return j.SourceApp == t.SourceApp && j.SourceType == t.SourceType && j.JobNo == t.JobNo
	})
}

func (b *Board) putTask(t Task) {
	b.tasks = put(b.tasks, t, func(a, b Task) bool {
		return a.SourceApp == b.SourceApp && a.SourceType == b.SourceType && a.JobNo == b.JobNo && a.TaskNo == b.TaskNo
	})
}

// AddCategory adds the category, or replaces the one of that name.
func (b *Board) AddCategory(c Category) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.categories = put(b.categories, c, func(a, b Category) bool { return a.Name == b.Name })
}

// AddTimeMarker adds the time marker, or replaces the one of that name.
func (b *Board) AddTimeMarker(m TimeMarker) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.timeMarkers = put(b.timeMarkers, m, func(a, b TimeMarker) bool { return a.Name == b.Name })
}

func put[T any](rows []T, row T, same func(a, b T) bool) []T {
	if i := slices.IndexFunc(rows, func(each T) bool { return same(each, row) }); i >= 0 {
		rows[i] = row
		return rows
	}
	return append(rows, row)
}

// CreateAppointment puts an appointment on the board. Ids and stamps are the
// board's, but for a GUID and an AppointmentNo that are not empty.
func (b *Board) CreateAppointment(a Appointment) (Appointment, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	created := a.clone()
	if err := b.create(created, byPlanner); err != nil {
		return Appointment{}, err
	}
	return *created.clone(), nil
}

// Move drags the appointment to another time.
func (b *Board) Move(guid string, start, end time.Time) error {
	return b.plan(guid, always(func(a *Appointment) { a.Start, a.End = start, end }))
}

// Edit changes what f changes of subject, body, times, importance, lock,
// category, time marker and task; other fields, and those of an edit that is
// refused, stay as they are.
func (b *Board) Edit(guid string, f func(*Appointment)) error {
	return b.plan(guid, always(func(a *Appointment) {
		edited := a.clone()
		f(edited)
		a.Subject, a.Body = edited.Subject, edited.Body
		a.Start, a.End = edited.Start, edited.End
		a.Importance, a.Locked = edited.Importance, edited.Locked
		a.Category, a.TimeMarker = edited.Category, edited.TimeMarker
		a.SourceApp, a.SourceType = edited.SourceApp, edited.SourceType
		a.JobNo, a.TaskNo = edited.JobNo, edited.TaskNo
	}))
}

// Assign adds a resource to the appointment.
func (b *Board) Assign(guid, resourceNo string) error {
	return b.plan(guid, always(func(a *Appointment) { a.assign(resourceNo) }))
}

// Unassign removes a resource from the appointment, which stays on the board.
func (b *Board) Unassign(guid, resourceNo string) error {
	return b.plan(guid, func(a *Appointment) error {
		if !a.assigned(resourceNo) {
			return fmt.Errorf("assignment of %q: %w", resourceNo, ErrNotFound)
		}
		a.unassign(resourceNo)
		return nil
	})
}

// Reassign drags the appointment from one resource to another, in one change.
func (b *Board) Reassign(guid, from, to string) error {
	return b.plan(guid, func(a *Appointment) error {
		if !a.assigned(from) {
			return fmt.Errorf("assignment of %q: %w", from, ErrNotFound)
		}
		a.unassign(from)
		a.assign(to)
		return nil
	})
}

func (b *Board) plan(guid string, edit func(*Appointment) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.change(guid, byPlanner, edit)
}

// Delete takes the appointment off the board.
func (b *Board) Delete(guid string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.remove(guid, byPlanner)
}

// Get returns the appointment, whatever the API key may see.
func (b *Board) Get(guid string) (Appointment, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a, err := b.appointment(guid)
	if err != nil {
		return Appointment{}, err
	}
	return *a.clone(), nil
}

// List returns the appointments that overlap the time from from until to, of
// these resources or, without any, all; sorted by start, then id. Zero times
// leave that end open.
func (b *Board) List(from, to time.Time, resourceNos ...string) []Appointment {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []Appointment
	for _, a := range b.sorted() {
		if a.overlaps(from, to) && a.ofAny(resourceNos) {
			list = append(list, *a.clone())
		}
	}
	return list
}

// overlaps is true also for an appointment without length inside the range.
func (a *Appointment) overlaps(from, to time.Time) bool {
	startsBeforeEnd := to.IsZero() || a.Start.Before(to)
	return startsBeforeEnd && (from.IsZero() || a.End.After(from) || a.Start.Equal(from))
}

func (a *Appointment) ofAny(resourceNos []string) bool {
	return len(resourceNos) == 0 || slices.ContainsFunc(resourceNos, a.assigned)
}

// sorted returns all appointments by start, then id; the caller holds the lock.
func (b *Board) sorted() []*Appointment {
	return slices.SortedFunc(maps.Values(b.appointments), func(x, y *Appointment) int {
		return cmp.Or(x.Start.Compare(y.Start), cmp.Compare(x.ID, y.ID))
	})
}

// Resources returns all resources in the order in which they were added.
func (b *Board) Resources() []Resource {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.resources)
}

// Notifications returns what the planner sees, oldest first.
func (b *Board) Notifications() []Notification {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.notifications)
}

// Messages returns the transient messages so far, oldest first.
func (b *Board) Messages() []Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.messages)
}
