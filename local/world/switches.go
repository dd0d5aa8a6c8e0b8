package world

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
)

// Placeholder is the category of appointments that a rule of this world keeps
// out of Outlook.
const Placeholder = "Placeholder"

// rules are those of the Exchange connector, in the form of docs/exchange.md.
const rules = `{"Rules":[{"Name":"Outlook","Rules":[{"Name":"NoPlaceholders",` +
	`"ErrorMessage":"Placeholders stay on the board.",` +
	`"Expression":"appointment.Category = NULL OR appointment.Category.Name <> \"` + Placeholder + `\""}]}]}`

// switches are the Exchange connector's settings as an administrator of this
// world has set them (docs/operations.md): people have agreed that their
// calendars flow back to the board, and mailboxes are released without a look at
// their previews, which nobody has in a new installation.
func (w *World) switches() string {
	return fmt.Sprintf(`{"releaseAll":%t,"preferences":{"optIn":true}}`, !w.opts.Preview)
}

// setUp writes all that administrators set up into the app's tables, before the
// app starts.
func (w *World) setUp(ctx context.Context) error {
	for name, text := range map[string]string{"exchange": w.switches(), "rules": rules} {
		row := map[string]string{"PartitionKey": "value", "RowKey": name, "Name": name, "Text": text}
		if err := w.putRow(ctx, "settings", row); err != nil {
			return err
		}
	}
	return w.setConnectors(ctx)
}

// putRow writes one row of a table of the app, which is made if it is missing.
func (w *World) putRow(ctx context.Context, table string, row any) error {
	service, err := aztables.NewServiceClientFromConnectionString(w.storage.TablesConnectionString(), nil)
	if err != nil {
		return err
	}
	if _, err := service.CreateTable(ctx, table, nil); err != nil && !strings.Contains(err.Error(), string(aztables.TableAlreadyExists)) {
		return fmt.Errorf("the table %s: %w", table, err)
	}
	data, err := json.Marshal(row)
	if err != nil {
		return err
	}
	if _, err := service.NewClient(table).UpsertEntity(ctx, data, nil); err != nil {
		return fmt.Errorf("a row of the table %s: %w", table, err)
	}
	return nil
}
