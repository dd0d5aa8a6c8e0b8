package store

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/dime-scheduler/connectors/shared/fault"
)

const (
	defaultPage = 50
	maxPage     = 500
)

func (q TransactionQuery) limit() int {
	if q.Limit <= 0 {
		return defaultPage
	}
	return min(q.Limit, maxPage)
}

// check returns the partition and the row behind which the page begins, or none.
func (q TransactionQuery) check(op string) (after []string, err error) {
	invalid := func(why string) error {
		return &fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Op: op, Err: errors.New(why)}
	}
	if q.Family == "" && q.Appointment == "" {
		return nil, invalid("name a family or an appointment")
	}
	if q.After == "" {
		return nil, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(q.After)
	after = strings.Split(string(text), "\n")
	if err != nil || len(after) != 3 || after[2] != q.scope() {
		return nil, invalid("the continuation is not of this query: begin at the first page")
	}
	return after[:2], nil
}

// scope is what a continuation belongs to.
func (q TransactionQuery) scope() string { return key(q.Family) + "|" + key(q.Appointment) }

func (q TransactionQuery) token(partition, row string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(partition + "\n" + row + "\n" + q.scope()))
}

// selects reports whether a transaction is one of those asked for.
func (q TransactionQuery) selects(t *Transaction) bool {
	is := func(want, got string) bool { return want == "" || want == got }
	return is(q.Family, t.Family) && is(q.Appointment, t.Appointment) && is(q.Target, t.Target) &&
		is(q.Status, t.Status) && is(q.Code, t.Code) &&
		(q.From.IsZero() || !t.At.Before(q.From)) && (q.To.IsZero() || t.At.Before(q.To))
}

// filter is selects in the words of the table service.
func (q TransactionQuery) filter(after []string) string {
	var parts []string
	if q.Appointment != "" {
		parts = append(parts, partition(historyKey(q.Appointment)))
		if q.Family != "" {
			parts = append(parts, "Family eq "+quote(q.Family))
		}
	} else {
		newest, oldest := "f|"+key(q.Family)+"|", "f|"+key(q.Family)+"}"
		if !q.To.IsZero() {
			newest = familyKey(q.Family, q.To)
		}
		if !q.From.IsZero() {
			oldest = familyKey(q.Family, q.From) + "~"
		}
		if len(after) > 0 {
			newest = max(newest, after[0])
		}
		parts = append(parts, between("PartitionKey", newest, oldest))
	}
	if len(after) > 0 {
		parts = append(parts, "(PartitionKey gt "+quote(after[0])+" or RowKey gt "+quote(after[1])+")")
	}
	for _, c := range []struct{ column, want string }{{"Target", q.Target}, {"Status", q.Status}, {"Code", q.Code}} {
		if c.want != "" {
			parts = append(parts, c.column+" eq "+quote(c.want))
		}
	}
	if !q.From.IsZero() {
		parts = append(parts, "At ge "+quote(timeText(q.From)))
	}
	if !q.To.IsZero() {
		parts = append(parts, "At lt "+quote(timeText(q.To)))
	}
	return strings.Join(parts, " and ")
}
