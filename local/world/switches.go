package world

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
)

// switches are the Exchange connector's settings as an administrator of this
// world has set them (docs/operations.md): people have agreed that their
// calendars flow back to the board, and mailboxes are released without a look at
// their previews, which nobody has in a new installation.
func (w *World) switches() string {
	return fmt.Sprintf(`{"releaseAll":%t,"preferences":{"optIn":true}}`, !w.opts.Preview)
}

// setSwitches writes them into the app's table, before the app starts.
func (w *World) setSwitches(ctx context.Context) error {
	service, err := aztables.NewServiceClientFromConnectionString(w.storage.TablesConnectionString(), nil)
	if err != nil {
		return err
	}
	const table = "settings"
	if _, err := service.CreateTable(ctx, table, nil); err != nil && !strings.Contains(err.Error(), string(aztables.TableAlreadyExists)) {
		return fmt.Errorf("the table %s: %w", table, err)
	}
	row, err := json.Marshal(map[string]string{"PartitionKey": "value", "RowKey": "exchange", "Name": "exchange", "Text": w.switches()})
	if err != nil {
		return err
	}
	if _, err := service.NewClient(table).UpsertEntity(ctx, row, nil); err != nil {
		return fmt.Errorf("the row exchange of the table %s: %w", table, err)
	}
	return nil
}
