// Package servicebus is an Azure Service Bus namespace inside this process: a
// broker that speaks AMQP 1.0 in the Service Bus dialect, over TCP, so that
// the vendors' own clients work against it. It is held against azservicebus
// v1.11.0 (Go) and the .NET client 7.20.1 inside the real Functions host; the
// JavaScript dialect is understood too.
//
//	b := servicebus.New(servicebus.Options{Queues: []servicebus.Queue{{Name: "orders", RequiresSession: true}}})
//	err := b.Listen("127.0.0.1:0")
//	client, err := azservicebus.NewClientFromConnectionString(b.ConnectionString(), nil)
//	...
//	b.Close()
//
// There: $cbs (any well-formed shared access signature or JSON Web Token);
// queues; peek-lock and receive-and-delete; complete, abandon, defer,
// dead-letter with properties; lock expiry and renewal; delivery count and
// dead-letter queues; sessions by name or next, with lock, renewal and state;
// scheduled messages; duplicate detection; batches; time to live; link credit
// and drain; heartbeats; messages up to 256 KiB in as many frames as it takes;
// the $management operations renew-lock, renew-session-lock, peek-message,
// schedule-message, cancel-scheduled-message, receive-by-sequence-number,
// update-disposition, get- and set-session-state, get-message-sessions.
//
// Three layers, each to be read alone: package amqp is the codec, package
// broker the state machine without network (and the place that says when a
// delivery counts), this package the server between them. Faults are put in
// with Inject, DropConnections, ExpireLocks, ExpireSession and DetachLinks.
//
// Not documented, and chosen so that the clients work: a message without id is
// given one; a dead letter keeps its sequence number, delivery count and
// enqueued time; a message over the limit is rejected and its link stays.
//
// # Not modelled
//
//   - Persistence: a broker begins empty and Close forgets everything.
//   - Topics, subscriptions, rules, auto-forwarding (so DeadLetterSource and
//     EnqueuedSequenceNumber are never set), transfer dead letters, partitions.
//   - Transactions, the administration API, batch delete, AMQP over
//     WebSockets, TLS: put a TLS listener before it.
//   - Rights: a token is good for everything, is not verified and does not
//     expire during a connection.
//   - Quotas of a namespace or queue, throttling but by Inject, the ten minutes
//     after which the service detaches an idle link but by DetachLinks.
//   - Resuming links and their unsettled deliveries after a reconnect: the
//     service does not either.
package servicebus
