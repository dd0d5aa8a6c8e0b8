package graphsim_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dime-scheduler/connectors/local/graphsim"
)

// How long one batch of 20 creates takes, so that the simulator is not what a benchmark measures.
func BenchmarkBatch(b *testing.B) {
	sim := graphsim.New(graphsim.Options{Anonymous: true})
	defer sim.Close()
	user := sim.AddUser(graphsim.User{UPN: "a@contoso.test"}).ID
	var items []map[string]any
	for i := range 20 {
		items = append(items, item(fmt.Sprint(i), "POST", "/users/"+user+"/events", event("E", "09:00:00", "10:00:00")))
	}
	body, err := json.Marshal(map[string]any{"requests": items})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		rec := httptest.NewRecorder()
		sim.ServeHTTP(rec, httptest.NewRequest("POST", "/v1.0/$batch", strings.NewReader(string(body))))
		if rec.Code != 200 {
			b.Fatal(rec.Body)
		}
	}
}
