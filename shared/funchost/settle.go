package funchost

import (
	"encoding/json"
	"net/http"

	"github.com/dime-scheduler/connectors/shared/fault"
)

// Settle returns the status that tells the host what to do with a message
// after err: 200 completes it, 500 has it delivered again at once and, after
// the queue's last delivery, put into the dead letters.
//
// A function that can wait has written down what is pending and returns nil;
// an error that is transient here means that not even that worked. Poison and
// Permanent are 200 because the message has been parked before (Options.Park).
func Settle(err error) int {
	if err == nil {
		return http.StatusOK
	}
	switch fault.Of(err).Kind {
	case fault.Permanent, fault.Poison:
		return http.StatusOK
	}
	return http.StatusInternalServerError
}

// success is the whole answer to a trigger. An empty body, null or 204 would
// leave the host waiting until functionTimeout and then kill the process.
const success = `{"Outputs":{},"Logs":[],"ReturnValue":null}`

// answer writes the answer to a trigger; of a failure the host reads the status only.
func answer(w http.ResponseWriter, status int) {
	if status == http.StatusOK {
		writeJSON(w, status, json.RawMessage(success))
		return
	}
	refuse(w, status, "failed, see the log")
}

// refuse answers with {"error": problem}.
func refuse(w http.ResponseWriter, status int, problem string) {
	writeJSON(w, status, map[string]string{"error": problem})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // unreachable: only maps of strings and raw JSON come here
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body) // if the caller is gone there is nobody to tell
}
