package graphsim

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
)

const (
	mostItems   = 20
	itemsAtOnce = 4 // of a batch, regardless of mailbox
)

type batchItem struct {
	ID        string            `json:"id"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	Body      json.RawMessage   `json:"body"`
	DependsOn []string          `json:"dependsOn"`
}

// batch executes up to 20 requests: in parallel, or each after the one that it depends on. The
// responses come in an arbitrary order.
func (s *Server) batch(c *call) (reply, *graphError) {
	var in struct {
		Requests []batchItem `json:"requests"`
	}
	if err := decode(c.body, &in); err != nil {
		return reply{}, err
	}
	if err := checkBatch(in.Requests); err != nil {
		return reply{}, err
	}
	answers := s.runBatch(c, in.Requests)
	responses := []object{}
	for i, item := range in.Requests {
		if answers[i].cut {
			return reply{cut: true}, nil
		}
		responses = append(responses, renderItem(item.ID, answers[i]))
	}
	s.mu.Lock()
	s.rng.Shuffle(len(responses), func(i, j int) { responses[i], responses[j] = responses[j], responses[i] })
	s.mu.Unlock()
	return ok(object{"responses": responses}), nil
}

// runBatch answers every item, at most four at a time.
func (s *Server) runBatch(c *call, items []batchItem) []reply {
	answers := make([]reply, len(items))
	done := map[string]chan struct{}{}
	index := map[string]int{}
	for i, item := range items {
		done[item.ID], index[item.ID] = make(chan struct{}), i
	}
	slots := make(chan struct{}, itemsAtOnce)
	var wg sync.WaitGroup
	for i, item := range items {
		wg.Go(func() {
			defer close(done[item.ID])
			for _, id := range item.DependsOn {
				<-done[id]
				if before := answers[index[id]]; before.failed() || before.cut {
					answers[i] = s.refuse(c, &graphError{http.StatusFailedDependency, "FailedDependency", "A request that this one depends on failed."})
					return
				}
			}
			slots <- struct{}{}
			answers[i] = s.runItem(c, item)
			<-slots
		})
	}
	wg.Wait()
	return answers
}

func (s *Server) runItem(outer *call, item batchItem) reply {
	c := &call{
		ctx: outer.ctx, requestID: outer.requestID, method: strings.ToUpper(item.Method), header: http.Header{},
		base: outer.base, app: outer.app, batched: true, body: item.Body,
	}
	for k, v := range item.Headers {
		c.header.Set(k, v)
	}
	// A body that is not JSON travels as base64 in a string; SDKs do so with unusual content types.
	var packed string
	if json.Unmarshal(item.Body, &packed) == nil {
		if raw, err := base64.StdEncoding.DecodeString(packed); err == nil {
			c.body = raw
		}
	}
	path, query, _ := strings.Cut(item.URL, "?")
	if err := c.address(path, query); err != nil {
		return s.refuse(c, err)
	}
	return s.dispatch(c)
}

// checkBatch refuses the batch as a whole.
func checkBatch(items []batchItem) *graphError {
	if len(items) == 0 {
		return badRequest("BadRequest", "Invalid batch payload format.")
	}
	if len(items) > mostItems {
		return badRequest("BadRequest", "Number of batch requests exceeds the maximum of %d.", mostItems)
	}
	seen := map[string]bool{}
	for _, item := range items {
		switch {
		case item.ID == "" || item.Method == "" || item.URL == "":
			return badRequest("BadRequest", "Every batch request needs id, method and url.")
		case seen[item.ID]:
			return badRequest("BadRequest", "Request Id %s has been used more than once in the batch.", item.ID)
		case strings.Contains(item.URL, "://"):
			return badRequest("BadRequest", "Request Id %s: the url must be relative.", item.ID)
		case strings.HasPrefix(strings.ToLower(strings.Trim(item.URL, "/")), "$batch"):
			return badRequest("BadRequest", "Request Id %s: batches can not be nested.", item.ID)
		case len(item.Body) > 0 && string(item.Body) != "null" && header(item, "Content-Type") == "":
			return badRequest("BadRequest", "Write request id %s does not contain Content-Type header or body.", item.ID)
		}
		for _, id := range item.DependsOn {
			if !seen[id] {
				return badRequest("BadRequest", "Request Id %s depends on %s, which is not an earlier request.", item.ID, id)
			}
		}
		seen[item.ID] = true
	}
	return checkDependencies(items)
}

// checkDependencies takes what is documented: none, all after one, or each after the one before.
func checkDependencies(items []batchItem) *graphError {
	parallel, serial, same := true, true, ""
	one := true
	for i, item := range items {
		if len(item.DependsOn) == 0 {
			serial = serial && i == 0
			continue
		}
		parallel = false
		serial = serial && len(item.DependsOn) == 1 && i > 0 && item.DependsOn[0] == items[i-1].ID
		one = one && len(item.DependsOn) == 1 && (same == "" || same == item.DependsOn[0])
		same = item.DependsOn[0]
	}
	if parallel || serial || one {
		return nil
	}
	return badRequest("BadRequest", "The dependsOn properties must make the requests all parallel, all serial, or all dependent on the same request.")
}

func header(item batchItem, name string) string {
	for k, v := range item.Headers {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

func renderItem(id string, answer reply) object {
	headers := map[string]string{}
	for k, v := range answer.header {
		headers[k] = strings.Join(v, ", ")
	}
	o := object{"id": id, "status": answer.status, "headers": headers}
	if answer.body != nil {
		headers["Content-Type"] = "application/json; odata.metadata=minimal; odata.streaming=true; charset=utf-8"
		o["body"] = answer.body
	}
	return o
}
