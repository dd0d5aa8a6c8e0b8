// Package funchost is a double of the Azure Functions host: it runs a packed custom-handler app on this machine as
// the real host does.
//
// It reads host.json and the function.json files, starts the handler and waits for its port, forwards public HTTP
// requests to it, fires its timers, receives its Service Bus messages, judges its answers, settles the messages,
// and restarts the handler when it ends. Requests to the handler are, but for ids and times, byte for byte those of
// the real host: testdata/captures holds recordings of host 4.1045.200, and the tests compare against them.
// Where this package and Microsoft's documentation differ, the package follows what the real host was seen to do.
//
// [Start] runs the double. [StartFunc] runs the real host, the program func on PATH, behind the same interface
// [Host], so that a caller can exchange one for the other.
//
// # Not modelled
//
//   - Triggers other than httpTrigger, timerTrigger and serviceBusTrigger on a queue, and all output bindings but
//     http: an app that has one is refused with an error that names it. So is an HTTP function while host.json does
//     not set customHandler.enableProxyingHttpRequest, cardinality "many" with a dataType other than "binary",
//     retry policies, route constraints, TimeSpan schedules, and managed-identity connections.
//   - One broken function stops the start; the real host reports it and runs the rest.
//   - Scaling, placeholder mode, the platform's front end (230 s limit, Easy Auth), leases between hosts: each
//     double fires its own timers.
//   - A GET that hangs until functionTimeout is sent once more to the new process by the real host, after its caller
//     has had the 500. Here it ends with its caller.
//   - A request target with a malformed escape (%zz) is forwarded, escaped, by the real host; here it is a 400.
//   - The order of application properties is that of their names; the real host keeps the sender's, which the Go
//     SDK does not show.
package funchost
