package graphsim_test

import (
	"fmt"
	"net/http/httptest"
	"time"

	"github.com/dime-scheduler/connectors/local/graphsim"
)

// A calendar on a port, an event in it by a person, and a service that answers every other PATCH
// after having executed it with 504.
func Example() {
	sim := graphsim.New(graphsim.Options{
		Fault: func(r graphsim.FaultRequest) *graphsim.FaultResponse {
			if r.Method == "PATCH" && r.N%2 == 0 {
				return &graphsim.FaultResponse{Status: 504, AfterCommit: true}
			}
			return nil
		},
	})
	defer sim.Close()
	server := httptest.NewServer(sim) // the address of Graph is server.URL + "/v1.0", that of the authority server.URL
	defer server.Close()

	ada := sim.AddUser(graphsim.User{UPN: "ada@contoso.test"})
	start := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	if _, err := sim.CreateEvent(ada.ID, graphsim.Event{Subject: "Dentist", Start: start, End: start.Add(time.Hour)}); err != nil {
		fmt.Println(err)
	}
	for _, e := range sim.Events(ada.ID) {
		fmt.Println(e.Start.Format(time.TimeOnly), e.Subject, e.ShowAs)
	}
	// Output: 09:00:00 Dentist busy
}
