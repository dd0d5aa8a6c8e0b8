package world

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/dime-scheduler/connectors/local/boardsim"
)

// announceWithin bounds one announcement.
const announceWithin = 15 * time.Second

// announcer returns how the board tells of its changes: a message to the queue,
// over the wire, or a call of the app's webhook.
func (w *World) announcer() (func(context.Context, boardsim.Change) error, error) {
	if w.opts.Intake {
		client := &http.Client{Timeout: announceWithin}
		w.onClose(func() error { client.CloseIdleConnections(); return nil })
		return func(ctx context.Context, c boardsim.Change) error { return w.postChange(ctx, client, c) }, nil
	}
	client, err := azservicebus.NewClientFromConnectionString(w.Broker.ConnectionString(), nil)
	if err != nil {
		return nil, err
	}
	w.onClose(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return client.Close(ctx)
	})
	sender, err := client.NewSender(Appointments, nil)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, c boardsim.Change) error {
		ctx, cancel := context.WithTimeout(ctx, announceWithin)
		defer cancel()
		return sender.SendMessage(ctx, &azservicebus.Message{
			MessageID: to.Ptr(c.MessageID), ContentType: to.Ptr("application/json"), Body: c.Body,
			ApplicationProperties: map[string]any{"changeType": c.ChangeType},
		}, nil)
	}, nil
}

// postChange calls appointmentintake as Dime.Scheduler's own webhook connector does.
func (w *World) postChange(ctx context.Context, client *http.Client, c boardsim.Change) error {
	url := w.url + "/api/appointments/" + strings.ToLower(c.ChangeType)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(c.Body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	if err == nil && response.StatusCode/100 != 2 {
		err = fmt.Errorf("POST %s answers %s: %s", url, response.Status, text)
	}
	return err
}
