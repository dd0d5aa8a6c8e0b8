package servicebus_test

import (
	"context"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/dime-scheduler/connectors/local/servicebus"
)

// One message at a time, with the SDK, over TCP.
func BenchmarkSendReceiveComplete(b *testing.B) {
	broker := servicebus.New(servicebus.Options{Queues: []servicebus.Queue{{Name: "q"}}})
	defer broker.Close()
	if err := broker.Listen("127.0.0.1:0"); err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	client, err := azservicebus.NewClientFromConnectionString(broker.ConnectionString(), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close(ctx)
	sender, err := client.NewSender("q", nil)
	if err != nil {
		b.Fatal(err)
	}
	receiver, err := client.NewReceiverForQueue("q", nil)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := sender.SendMessage(ctx, &azservicebus.Message{Body: []byte("hello")}, nil); err != nil {
			b.Fatal(err)
		}
		messages, err := receiver.ReceiveMessages(ctx, 1, nil)
		if err != nil || len(messages) != 1 {
			b.Fatal(len(messages), err)
		}
		if err := receiver.CompleteMessage(ctx, messages[0], nil); err != nil {
			b.Fatal(err)
		}
	}
}
