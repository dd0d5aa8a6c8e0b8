package world

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
)

// handlerEnv makes the test binary the handler of the packed app: compiling the
// real one takes minutes on a cold machine, and the world is the same around it.
const handlerEnv = "WORLD_TEST_HANDLER"

func TestMain(m *testing.M) {
	if os.Getenv(handlerEnv) != "" && os.Getenv("FUNCTIONS_CUSTOMHANDLER_PORT") != "" {
		fakeHandler()
		return
	}
	os.Exit(m.Run())
}

// fakeHandler answers everything with success and shows, under health, its
// process id, which settings it has and how often each path was called.
func fakeHandler() {
	var mu sync.Mutex
	calls := map[string]int{}
	handle := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		mu.Lock()
		defer mu.Unlock()
		calls[r.URL.Path]++
		if token := r.URL.Query().Get("validationToken"); token != "" {
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, token)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path != "/api/health" {
			_, _ = io.WriteString(w, "{}")
			return
		}
		env := map[string]string{}
		for _, pair := range os.Environ() {
			name, value, _ := strings.Cut(pair, "=")
			env[name] = value
		}
		_ = json.NewEncoder(w).Encode(fakeHealth{os.Getpid(), env, calls})
	}
	_ = http.ListenAndServe("127.0.0.1:"+os.Getenv("FUNCTIONS_CUSTOMHANDLER_PORT"), http.HandlerFunc(handle))
	os.Exit(1)
}

type fakeHealth struct {
	PID   int
	Env   map[string]string
	Calls map[string]int
}
