package routing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/store"
	"github.com/dime-scheduler/connectors/shared/trace"
)

// Connectors finds the back offices that a job concerns.
type Connectors interface {
	// Matching returns those that the job's source app and source type select.
	Matching(ctx context.Context, sourceApp, sourceType string) ([]*backoffice.Entry, error)
	// All returns every one, by id.
	All(ctx context.Context) (map[string]*backoffice.Entry, error)
}

const connectorPrefix = string(store.Connector) + "/"

// ConnectorTarget is the name of a connector's shard in Head.Targets.
func ConnectorTarget(shard string) string { return connectorPrefix + shard }

// job is where the appointment's job was made, as the graph says.
type job struct{ sourceApp, sourceType, jobNo string }

func jobOf(graph []byte) job {
	var g struct {
		Task struct {
			Job struct{ SourceApp, SourceType, JobNo any }
		}
	}
	if json.Unmarshal(graph, &g) != nil {
		return job{}
	}
	text := func(v any) string {
		if v == nil {
			return ""
		}
		return strings.TrimSpace(fmt.Sprint(v))
	}
	return job{text(g.Task.Job.SourceApp), text(g.Task.Job.SourceType), text(g.Task.Job.JobNo)}
}

// connectors brings the head's connector targets up to date: those that the job
// selects are wanted, all others that ever were are not. A shard is kept once it
// is chosen, so that a changed job does not reorder what is under way.
//
// A connector that was deleted, or whose record does not tell its source app, says
// nothing of what belongs to it: it is wanted if it was, and its worker sees to it.
func (r *Router) connectors(ctx context.Context, head, next *store.Head, c appointment.Change) error {
	if r.Connectors == nil {
		return nil
	}
	all, err := r.Connectors.All(ctx)
	if err != nil {
		return err
	}
	gone := c.Operation == appointment.Delete && (speaksForAll(c) || !assigned(next.Graph))
	chosen := map[string]string{} // connector -> target
	for t := range next.Targets {
		if shard, ok := strings.CutPrefix(t, connectorPrefix); ok {
			id, _, ok := backoffice.ParseTarget(shard)
			next.Targets[t] = !gone && head.Targets[t] && sourceAppOf(all[id]) == ""
			if ok {
				chosen[id] = t
			}
		}
	}
	if gone {
		return nil
	}
	j := jobOf(next.Graph)
	if j.sourceApp == "" {
		return r.noBackOffice(ctx, c, backoffice.CodeMissingField, "the appointment has no task or job, so that no back office is concerned")
	}
	matching, err := r.Connectors.Matching(ctx, j.sourceApp, j.sourceType)
	if err != nil {
		return err
	}
	for _, e := range matching {
		t, ok := chosen[e.Config.ID]
		if !ok {
			t = ConnectorTarget(backoffice.TargetID(e.Config.ID, backoffice.Shard(j.sourceApp, j.jobNo, e.Config.Shards)))
		}
		next.Targets[t] = true
	}
	if len(matching) == 0 {
		return r.noBackOffice(ctx, c, "", "no connector is registered for the source app "+j.sourceApp+" and source type "+j.sourceType)
	}
	return nil
}

// sourceApps returns the source apps of those assigned, as the board lists its
// resources, for messages that do not say them (the flat form).
func (r *Router) sourceApps(ctx context.Context, graph []byte) (map[string]string, error) {
	var g struct {
		Assignments []struct {
			Resource struct{ ResourceNo, SourceApp any }
		}
	}
	if json.Unmarshal(graph, &g) != nil {
		return nil, nil // GraphFor says what is wrong with it
	}
	apps := map[string]string{}
	for _, a := range g.Assignments {
		if a.Resource.SourceApp != nil || a.Resource.ResourceNo == nil {
			continue
		}
		no := strings.TrimSpace(fmt.Sprint(a.Resource.ResourceNo))
		row, err := r.Store.Resource(ctx, no)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		apps[no] = row.SourceApp
	}
	return apps, nil
}

// sourceAppOf is the source app of a connector; empty = it does not tell.
func sourceAppOf(e *backoffice.Entry) string {
	if e == nil {
		return ""
	}
	return strings.TrimSpace(e.Config.SourceApp)
}

// assigned reports whether the graph shows anybody assigned.
func assigned(graph []byte) bool {
	var g struct{ Assignments []json.RawMessage }
	return json.Unmarshal(graph, &g) != nil || len(g.Assignments) > 0
}

// noBackOffice records that an appointment is not sent to any back office, where
// there are back offices at all. It is for people: that it can not be written must
// not stop the change.
func (r *Router) noBackOffice(ctx context.Context, c appointment.Change, code, text string) error {
	all, err := r.Connectors.All(ctx)
	if err != nil || len(all) == 0 {
		return err
	}
	cause := trace.Of(ctx)
	err = r.Store.Record(ctx, store.Transaction{
		Invocation: cause.Invocation, Trace: cause.TraceID,
		Family: backoffice.BusinessCentral.Family(), Appointment: c.Appointment.Guid, Operation: string(c.Operation),
		Status: backoffice.StatusEmpty, Code: code, Text: text, Source: "service", At: r.Now(),
	})
	if err != nil {
		r.Log.WarnContext(ctx, "an appointment without a back office could not be recorded", "error", err)
	}
	return nil
}

// stale records that a change came too late for the back offices that know a newer one.
func (r *Router) stale(ctx context.Context, head *store.Head, c appointment.Change) {
	if r.Connectors == nil {
		return
	}
	all, err := r.Connectors.All(ctx)
	if err != nil {
		return
	}
	var rows []store.Transaction
	cause := trace.Of(ctx)
	for _, t := range slices.Sorted(maps.Keys(head.Targets)) {
		shard, ok := strings.CutPrefix(t, connectorPrefix)
		id, _, _ := backoffice.ParseTarget(shard)
		if e := all[id]; ok && e != nil {
			rows = append(rows, store.Transaction{
				Invocation: cause.Invocation, Trace: cause.TraceID,
				Family: e.Config.Type.Family(), Appointment: head.Appointment, Target: id, Operation: string(c.Operation), Status: backoffice.StatusSkipped,
				Text: "not sent: a later change of the appointment was dealt with already", Source: store.SourceService, At: r.Now(),
			})
		}
	}
	if len(rows) == 0 {
		return
	}
	if err := r.Store.Record(ctx, rows...); err != nil {
		r.Log.WarnContext(ctx, "a skipped change could not be recorded", "error", err)
	}
}

// tellConnectors writes what is wanted into the links of the head's connectors and
// nudges those for which there is something to do. It is safe twice.
func (r *Router) tellConnectors(ctx context.Context, head *store.Head, c appointment.Change, targets []string) error {
	if r.Connectors == nil || len(targets) == 0 {
		return nil
	}
	all, err := r.Connectors.All(ctx)
	if err != nil {
		return err
	}
	apps, err := r.sourceApps(ctx, head.Graph)
	if err != nil {
		return err
	}
	var nudges []bus.Nudge
	now := r.Now()
	for _, t := range targets {
		shard := strings.TrimPrefix(t, connectorPrefix)
		id, _, _ := backoffice.ParseTarget(shard)
		app := sourceAppOf(all[id])
		if app == "" {
			app = jobOf(head.Graph).sourceApp
		}
		graph, err := backoffice.GraphFor(head.Graph, app, apps)
		if err != nil {
			return err
		}
		due, err := r.tell(ctx, shard, head, graph, c, !head.Targets[t], now)
		if err != nil {
			return err
		}
		if due {
			nudges = append(nudges, bus.Nudge{Kind: bus.Push, Target: shard, Reason: "appointmentpush", At: now})
		}
	}
	if len(nudges) == 0 {
		return nil
	}
	return r.Backoffice.Nudge(ctx, nudges...)
}

// tell writes what is wanted into the link of one connector's shard; due says that
// its worker has something to do. The larger version stays, and absence is a value (R7).
func (r *Router) tell(ctx context.Context, shard string, head *store.Head, graph []byte, c appointment.Change, absent bool, now time.Time) (due bool, err error) {
	if err := r.Store.LowerDue(ctx, store.Connector, shard, now.Add(dueSoon)); err != nil { // R1
		return false, err
	}
	_, err = r.Store.UpdateLink(ctx, shard, head.Appointment, func(l *store.Link) error {
		due = false
		if l.ETag == "" {
			if absent {
				l.State = store.Gone
			} else {
				l.Origin, l.State = store.Board, store.Pending
			}
		}
		if head.Version.Compare(l.Wanted.Version) <= 0 {
			due = !l.DueAt.IsZero()
			return nil
		}
		was := l.Wanted
		deleted := absent && head.Operation == appointment.Delete
		graph := graph
		if absent && (!deleted || was.Absent) && len(was.Graph) > 0 {
			graph = was.Graph // it belongs elsewhere now: the deletion names what was told
		}
		news := absent != was.Absent || was.Version.IsZero() || backoffice.DigestOf(graph) != backoffice.DigestOf(was.Graph)
		told := l.Told != nil
		l.Wanted = store.Wanted{
			Version: head.Version, Absent: absent, Deleted: deleted, Graph: graph,
			Created: !absent && !told && (was.Created || c.Operation == appointment.Create),
			Joins:   !absent && !told && (was.Joins || backoffice.IsEcho(graph)),
		}
		if news {
			l.DueAt, l.Attempts, l.Since, l.FailureCode, l.FailureText = now, 0, time.Time{}, "", ""
			if l.State != store.Creating {
				l.State = store.Pending
			}
		}
		due = !l.DueAt.IsZero()
		return nil
	})
	if err != nil || !due {
		return due, err
	}
	// The worker may have raised it since, or be about to (R1).
	return due, r.Store.TouchDue(ctx, store.Connector, shard, now.Add(dueSoon))
}
