package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/local/servicebus"
	"github.com/dime-scheduler/connectors/local/world"
)

// handlerEnv makes the test binary the handler of the packed app: the same program,
// without compiling it once more.
const handlerEnv = "PRIVACY_TEST_HANDLER"

func TestMain(m *testing.M) {
	if os.Getenv(handlerEnv) != "" && os.Getenv("FUNCTIONS_CUSTOMHANDLER_PORT") != "" {
		os.Exit(run(context.Background(), os.Getenv, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// kind of a word that must not be everywhere.
type kind string

const (
	planned   kind = "words of what was planned, also if a person changed them in an open event"
	open      kind = "words of an open event that a person made in Outlook"
	withdrawn kind = "words of such an event that became private later"
	private   kind = "words of a private event"
	broken    kind = "words of a message that can not be used"
	guest     kind = "an address of an invited person"
	address   kind = "an address of a resource"
	hush      kind = "a secret or token"
)

// mayStand lists where what may stand, by the beginning of the place, and why. All
// other places are for none of them.
var mayStand = []struct {
	kind   kind
	places string
	why    string
}{
	{planned, "table links", "what is wanted in the calendar, and what each side showed when last seen"},
	{planned, "table appointments", "the newest state that the board has announced, for back offices and for comparison"},
	{planned, "queue appointments", "the board's own announcement"},
	{planned, "page admin /appointments", "administrators see what is planned by its subject"},
	{open, "table links", "as planned words"},
	{open, "table appointments", "the board announces what it has taken over from Outlook"},
	{open, "queue appointments", "the same announcement"},
	{withdrawn, "queue appointments", "announced while the event was open; the message is consumed since"},
	{broken, "table parked", "kept for a person, who may send it again; shown by no page"},
	{broken, "queue appointments", "what was sent"},
	{address, "table resources", "by which the mailbox is found"},
	{address, "table targets", "shown beside the mailbox"},
	{address, "table appointments", "the board's announcement names the resources with their addresses"},
	{address, "queue appointments", "the same announcement"},
	{address, "table links WantedGraph", "the same, as a back office is to be sent it"},
	{address, "table parked", "the same, in a message that can not be used"},
	{address, "page admin /mailboxes", "administrators see whose mailbox it is"},
	{address, "page admin /preferences", "the same"},
	{address, "doctor", "the test mailbox, as it was given"},
}

// canary is a word that occurs once in the world.
type canary struct {
	word string
	kind kind
}

// leaks finds the canaries in text that may not stand at the place.
func leaks(place, text string, all []canary) (found []string) {
	lower := strings.ToLower(text)
	for _, c := range all {
		if !strings.Contains(lower, strings.ToLower(c.word)) {
			continue
		}
		if !slices.ContainsFunc(mayStand, func(m struct {
			kind        kind
			places, why string
		}) bool {
			return m.kind == c.kind && strings.HasPrefix(place, m.places)
		}) {
			found = append(found, fmt.Sprintf("%s: %s (%s)", place, c.word, c.kind))
		}
	}
	return found
}

// The test can fail: what must not be there is found, whatever the letter case, and
// what may be there is not.
func TestLeaksAreFound(t *testing.T) {
	all := []canary{{"cnry-dentist", private}, {"cnry-pump", planned}, {"k3y", hush}}
	for place, want := range map[string]int{"log": 3, "table links Wanted": 2, "page admin /transactions": 3, "page resource /": 3, "queue mailboxes": 3, "queue appointments": 2} {
		if got := leaks(place, `"subject":"Cnry-Dentist" CNRY-PUMP k3y`, all); len(got) != want {
			t.Errorf("%s: %q, want %d", place, got, want)
		}
	}
	row := map[string]any{"A": "text cnry-pump", "B": packedMark + "1"}
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = w.Write([]byte("cnry-dentist"))
	_ = w.Close()
	row["B_0"] = aztables.EDMBinary(z.Bytes())
	if text := unpacked(row); !strings.Contains(text["B"], "cnry-dentist") || !strings.Contains(text["A"], "cnry-pump") {
		t.Errorf("a row reads %q", text)
	}
}

// packedMark is how the store marks a column that is compressed (docs/exchange.md).
const packedMark = "gzip+chunks:"

// unpacked returns every column of a row as text, the compressed ones as what they
// hold, and what is left of chunks that no column counts any more.
func unpacked(row map[string]any) map[string]string {
	out := map[string]string{}
	chunks := map[string][]byte{}
	for name, v := range row {
		if b, binary := v.(aztables.EDMBinary); binary {
			base, _, _ := strings.Cut(name, "_")
			if chunks[base] == nil {
				for n := 0; ; n++ {
					part, there := row[fmt.Sprintf("%s_%d", base, n)].(aztables.EDMBinary)
					if !there {
						break
					}
					chunks[base] = append(chunks[base], part...)
				}
			}
			out[name] = string(b)
			continue
		}
		out[name] += fmt.Sprint(v)
	}
	for base, data := range chunks {
		r, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			continue // seen as it is above
		}
		text, _ := io.ReadAll(r) // up to a chunk that is a leftover
		out[base] += string(text)
	}
	return out
}

// witness is a world in which every word is marked.
type witness struct {
	*testing.T
	w   *world.World
	all []canary
	day time.Time

	mu     sync.Mutex
	tokens map[string]bool // that the app has sent to Graph
}

func (x *witness) word(k kind, name string) string {
	c := canary{"cnry-" + name, k}
	x.all = append(x.all, c)
	return c.word
}

func (x *witness) must(err error) {
	x.Helper()
	if err != nil {
		x.Fatalf("%v\n%s", err, x.w.LogTail())
	}
}

// quiet waits until nothing is on its way, settled also until nothing is booked for
// later: a change may be seen by a read that is booked only.
func (x *witness) quiet()   { x.Helper(); x.await(x.w.AwaitQuiet) }
func (x *witness) settled() { x.Helper(); x.await(x.w.AwaitNothingBooked) }

func (x *witness) await(what func(context.Context) error) {
	x.Helper()
	ctx, cancel := context.WithTimeout(x.Context(), 3*time.Minute)
	defer cancel()
	x.must(what(ctx))
}

// What a person reads of us, or could steal, holds nothing that does not belong
// there: every log line, table row, message and page of a day with everything in it.
func TestPrivacy(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a whole world")
	}
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("the local world needs Node.js for Azurite, and node is not on PATH")
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(handlerEnv, "1")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	w, err := world.Start(ctx, world.Options{Binary: binary})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	w.Broker.Record()
	x := &witness{T: t, w: w, day: time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 1), tokens: map[string]bool{}}
	x.secrets()
	x.must(w.AwaitReady(ctx))
	x.live()
	found := x.read()
	slices.Sort(found)
	for _, leak := range slices.Compact(found) {
		t.Error(leak)
	}
	if len(x.tokens) == 0 {
		t.Error("no token of Graph was seen: the test does not look at what it should")
	}
}

// secrets marks those that are there already.
func (x *witness) secrets() {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // a simulator of this process
	for _, name := range []string{"GRAPH_SECRET_NAME", "DIMESCHEDULER_SECRET_NAME", "CLIENT_STATE_SECRET_NAME"} {
		r, err := http.NewRequestWithContext(x.Context(), http.MethodGet, x.w.Settings["KEYVAULT_URL"]+"/secrets/"+x.w.Settings[name]+"?api-version=7.5", nil)
		x.must(err)
		r.Header.Set("Authorization", "Bearer any")
		res, err := client.Do(r)
		x.must(err)
		var body struct{ Value string }
		err = json.NewDecoder(res.Body).Decode(&body)
		res.Body.Close()
		x.must(err)
		if len(body.Value) < 20 {
			x.Fatalf("the secret %s is %d characters long", name, len(body.Value))
		}
		x.all = append(x.all, canary{body.Value, hush})
	}
	for _, r := range x.w.Board.Resources() {
		x.all = append(x.all, canary{r.Email, address})
	}
	x.all = append(x.all, canary{"SharedAccessKey=", hush}, canary{"AccountKey=", hush})
	x.w.Graph.SetFault(func(r graphsim.FaultRequest) *graphsim.FaultResponse {
		x.mu.Lock()
		defer x.mu.Unlock()
		if token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "); token != "" {
			x.tokens[token] = true
		}
		return nil
	})
}

// live is the day.
func (x *witness) live() {
	const anna, bram = "anna@example.com", "bram@example.com"
	at := func(h float64) time.Time { return x.day.Add(time.Duration(h * float64(time.Hour))) }
	x.w.Board.AddCategory(boardsim.Category{Name: x.word(planned, "category"), DisplayName: "Category", Color: "#ff0000"})

	// A back office with a password, and the board's own webhook with a function key.
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	x.Cleanup(hook.Close)
	x.form("/connectors/save", "id", "hook", "name", "Hook", "sourceApp", "CRONUS", "send", "1", "uri", hook.URL, "type", "webhook", "api", "rest",
		"auth", "basic", "login", "user", "password", x.word(hush, "password"), "signingKey", x.word(hush, "signing-key-0123456789abcdef0123456789"), "allowHttp", "1", "shards", "1", "repeat", "U")
	x.form("/board/register", "sourceApp", "OTHER", "key", x.word(hush, "function-key"))

	// Planned, edited on both sides, deleted.
	a, err := x.w.Board.CreateAppointment(boardsim.Appointment{
		Subject: x.word(planned, "planned-subject"), Body: x.word(planned, "planned-body") + strings.Repeat(" long", 10_000), Start: at(9), End: at(10),
		SourceApp: "CRONUS", SourceType: "ORDER", JobNo: "J1001", TaskNo: "T20", Category: "cnry-category", Resources: []string{"ANNA", "BRAM"},
	})
	x.must(err)
	x.quiet()
	x.edit(anna, "cnry-planned-subject", func(e *graphsim.Event) { e.Subject = x.word(planned, "renamed-subject") })
	x.quiet()
	// It becomes private, and what is written then is the person's alone.
	x.edit(bram, "", func(e *graphsim.Event) {
		e.Sensitivity, e.Subject, e.Body = "private", x.word(private, "planned-then-private"), x.word(private, "planned-then-private-body")
	})
	x.quiet()

	// Born in Outlook: open, private, open and then private, with guests.
	x.born(anna, graphsim.Event{Subject: x.word(open, "open-subject"), Body: x.word(open, "open-body"), Start: at(11), End: at(12)})
	x.born(anna, graphsim.Event{Subject: x.word(private, "private-subject"), Body: x.word(private, "private-body"), Start: at(13), End: at(14), Sensitivity: "private", Location: x.word(private, "private-place")})
	turns := x.born(anna, graphsim.Event{Subject: x.word(withdrawn, "turning-subject"), Body: x.word(withdrawn, "turning-body"), Start: at(15), End: at(16)})
	x.born(anna, graphsim.Event{
		Subject: x.word(open, "meeting"), Start: at(17), End: at(18), Attendees: []graphsim.Attendee{{Address: x.word(guest, "guest") + "@example.org", Name: "cnry-guest"}},
	})
	x.quiet()
	_, err = x.w.Graph.UpdateEvent(anna, turns, func(e *graphsim.Event) { e.Sensitivity = "private" })
	x.must(err)
	x.settled()
	_, err = x.w.Graph.UpdateEvent(anna, turns, func(e *graphsim.Event) { e.Subject = x.word(private, "turned-private") })
	x.must(err)
	x.settled()

	// What can not be used, on the queue and over HTTP.
	x.must(x.w.Broker.Send(world.Appointments, servicebus.Message{
		MessageID: "broken", Body: []byte(`{"Subject":"` + x.word(broken, "broken-message") + `","StartDate":"no date"`), ApplicationProperties: map[string]any{"changeType": "Update"},
	}))
	x.send(http.MethodPost, "/api/appointments/update", strings.NewReader(`{"Subject":"`+x.word(broken, "broken-post")+`","StartDate":`), "")
	x.send(http.MethodPost, "/api/graph/notifications", strings.NewReader(`{"value":[{"clientState":"`+x.word(hush, "forged-state")+`","subscriptionId":"s"}]}`), "")

	// Trouble: refused by both sides, so that somebody explains it.
	x.w.Board.SetFault(func(c boardsim.Call) boardsim.Fault {
		return boardsim.Fault{Error: "refused: cnry-renamed-subject"}
	})
	x.edit(anna, "", func(e *graphsim.Event) { e.Subject = x.word(planned, "refused-subject") })
	x.quiet()
	x.w.Board.SetFault(nil)
	x.must(x.w.Board.Delete(a.GUID))
	for _, timer := range []string{"resourcesync", "subscriptionrenewal", "mailboxsweep", "redrive"} {
		x.must(x.w.Trigger(x.Context(), timer))
	}
	x.quiet()
}

func (x *witness) born(user string, e graphsim.Event) string {
	x.Helper()
	made, err := x.w.Graph.CreateEvent(user, e)
	x.must(err)
	return made.ID
}

// edit changes the event of the day at nine o'clock.
func (x *witness) edit(user, subject string, f func(*graphsim.Event)) {
	x.Helper()
	for _, e := range x.w.Graph.Events(user) {
		if e.Start.Equal(x.day.Add(9*time.Hour)) && (subject == "" || e.Subject == subject) {
			_, err := x.w.Graph.UpdateEvent(user, e.ID, f)
			x.must(err)
			return
		}
	}
	x.Fatalf("%s has no event at nine: %+v", user, x.w.Graph.Events(user))
}

// form sends a form of the portal as the administrator.
func (x *witness) form(path string, pairs ...string) {
	x.Helper()
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	status, text := x.send(http.MethodPost, "/api/portal"+path, strings.NewReader(values.Encode()), "admin")
	if status != http.StatusSeeOther {
		x.Fatalf("%s: %d %s", path, status, regexp.MustCompile(`(?s)<p class="problem.*?</p>|<main>.*</main>`).FindString(text))
	}
}

// send makes a request as who is signed in and returns what came back.
func (x *witness) send(method, path string, body io.Reader, who string) (int, string) {
	x.Helper()
	r, err := http.NewRequestWithContext(x.Context(), method, x.w.HostURL()+path, body)
	x.must(err)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", x.w.HostURL())
	}
	if who != "" {
		r.AddCookie(&http.Cookie{Name: "portal-local", Value: who})
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(r)
	x.must(err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	x.must(err)
	return res.StatusCode, string(text)
}

// read reads all that is there and returns what should not be.
func (x *witness) read() (found []string) {
	_, report := x.send(http.MethodGet, "/api/health?deep=1&mailbox=david@example.com", nil, "admin")
	_, health := x.send(http.MethodGet, "/api/health", nil, "")
	x.mu.Lock()
	for token := range x.tokens {
		x.all = append(x.all, canary{token, hush})
	}
	x.mu.Unlock()
	if !strings.Contains(report, `"ok":true`) {
		x.Errorf("the doctor: %s", report)
	}
	found = append(leaks("doctor", report, x.all), leaks("health", health, x.all)...)
	found = append(found, x.pages()...)
	found = append(found, x.tables()...)
	messages := 0
	for queue, list := range x.w.Broker.Recorded() {
		for _, m := range list {
			messages++
			found = append(found, leaks("queue "+queue, fmt.Sprint(string(m.Body), m.MessageID, m.SessionID, m.ApplicationProperties), x.all)...)
		}
	}
	log, err := os.ReadFile(x.w.LogFile())
	x.must(err)
	lines := strings.Split(string(log), "\n")
	for _, line := range lines {
		for _, leak := range leaks("log", line, x.all) {
			found = append(found, leak+" in "+line)
		}
	}
	if len(lines) < 50 || messages < 10 {
		x.Errorf("%d lines of log and %d messages: the test does not look at what it should", len(lines), messages)
	}
	for _, n := range x.w.Board.Notifications() {
		found = append(found, leaks("notification", n.Text, x.all)...)
	}
	return found
}

// tables reads every row of every table.
func (x *witness) tables() (found []string) {
	service, err := aztables.NewServiceClientFromConnectionString(x.w.Settings["TABLES_CONNECTION_STRING"], nil)
	x.must(err)
	rows := 0
	for names := service.NewListTablesPager(nil); names.More(); {
		page, err := names.NextPage(x.Context())
		x.must(err)
		for _, table := range page.Tables {
			for pager := service.NewClient(*table.Name).NewListEntitiesPager(nil); pager.More(); {
				entities, err := pager.NextPage(x.Context())
				x.must(err)
				for _, data := range entities.Entities {
					var e aztables.EDMEntity
					x.must(json.Unmarshal(data, &e))
					rows++
					columns := unpacked(e.Properties)
					columns["PartitionKey"], columns["RowKey"] = e.PartitionKey, e.RowKey
					for column, text := range columns {
						found = append(found, leaks("table "+*table.Name+" "+column, text, x.all)...)
					}
				}
			}
		}
	}
	if rows < 50 {
		x.Errorf("%d rows: the test does not look at what it should", rows)
	}
	return found
}

var links = regexp.MustCompile(`href="(/api/portal[^"#]*)"`)

// pages follows every link of the portal, as the administrator and as two resources.
// A resource may see its own address.
func (x *witness) pages() (found []string) {
	for who, name := range map[string]string{"admin": "admin", "anna@example.com": "resource", "bram@example.com": "other"} {
		seen, todo := map[string]bool{}, []string{"/api/portal/"}
		all := slices.DeleteFunc(slices.Clone(x.all), func(c canary) bool { return c.word == who })
		for len(todo) > 0 {
			path := todo[0]
			todo = todo[1:]
			if seen[path] || len(seen) > 300 || strings.Contains(path, "/signin") {
				continue
			}
			seen[path] = true
			status, text := x.send(http.MethodGet, path, nil, who)
			if status >= 500 {
				x.Errorf("%s %s: %d", who, path, status)
			}
			found = append(found, leaks("page "+name+" "+strings.TrimPrefix(path, "/api/portal"), text, all)...)
			for _, m := range links.FindAllStringSubmatch(text, -1) {
				todo = append(todo, strings.ReplaceAll(m[1], "&amp;", "&"))
			}
		}
		if name == "admin" && len(seen) < 15 {
			x.Errorf("%d pages were seen", len(seen))
		}
	}
	return found
}
