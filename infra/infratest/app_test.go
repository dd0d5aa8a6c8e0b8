package infratest

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/shared/settings"
)

// Settings of the Functions host that the app does not read.
var hostOnly = []string{"AzureWebJobsStorage", "FUNCTIONS_WORKER_RUNTIME"}

func TestSampleHasWhatTheAppReads(t *testing.T) {
	if diff := cmp.Diff(settings.Names(), without(sorted(readSample(t)), hostOnly)); diff != "" {
		t.Errorf("settings.Names() (-) and local.settings.sample.json (+): %s", diff)
	}
}

func TestBicepHasWhatTheAppReads(t *testing.T) {
	if diff := cmp.Diff(without(settings.Names(), localOnly), without(sorted(appSettings(t)), azureOnly)); diff != "" {
		t.Errorf("settings.Names() (-) and Bicep (+): %s", diff)
	}
}

// Where the app has a default, the sample shows it, or nothing.
func TestSampleShowsTheDefaults(t *testing.T) {
	sample := readSample(t)
	for _, d := range settings.Describe() {
		if value := sample[d.Name]; d.Default != "" && value != "" && value != d.Default {
			t.Errorf("%s is %q in the sample, %q by default", d.Name, value, d.Default)
		}
	}
}

// Of the sample's values the app refuses none; it asks only for what the
// sample has to leave open.
func TestAppAcceptsTheSample(t *testing.T) {
	sample := readSample(t)
	_, err := settings.Load(func(name string) string { return sample[name] })
	for _, err := range flatten(err) {
		var problem *settings.Problem
		if !errors.As(err, &problem) {
			t.Errorf("not a problem of one setting: %v", err)
		} else if sample[problem.Setting] != "" {
			t.Error(problem)
		}
	}
}

// What Bicep sets must be enough: with its literals, and values of the right
// form for what only Azure knows, the app starts.
func TestAppAcceptsWhatBicepSets(t *testing.T) {
	const id = "00000000-0000-0000-0000-000000000001"
	azure, defaults := appSettings(t), readTemplate(t, "main.bicep").defaults
	known := map[string]string{ // by expression
		"bus.outputs.ServiceBus__fullyQualifiedNamespace": "sb-x.servicebus.windows.net",
		"bus.outputs.APPOINTMENTS_QUEUE":                  "appointments",
		"bus.outputs.MAILBOXES_QUEUE":                     "mailboxes",
		"bus.outputs.BACKOFFICE_QUEUE":                    "backoffice",
		"identity.outputs.AZURE_CLIENT_ID":                id,
		"storage.outputs.TABLES_URL":                      "https://stx.table.core.windows.net/",
		"vault.outputs.KEYVAULT_URL":                      "https://kv-x.vault.azure.net/",
		"environment().authentication.loginEndpoint":      "https://login.microsoftonline.com/",
		"tenant().tenantId":                               id,
		"baseUrl":                                         "https://func-x.azurewebsites.net",
	}
	getenv := func(name string) string {
		expression := azure[name]
		if value, isParam := defaults[expression]; isParam {
			expression = value
		}
		if value, literal := strings.CutPrefix(expression, "'"); literal {
			return strings.TrimSuffix(value, "'")
		}
		if expression != "" && known[expression] == "" {
			t.Errorf("%s: the test does not know the value of %s", name, expression)
		}
		return known[expression]
	}
	loaded, err := settings.Load(getenv)
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Local {
		t.Error("LOCAL_MODE in Azure")
	}
}

// flatten takes apart what errors.Join has put together.
func flatten(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}
