package infratest

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Settings that exist on one side only, because a host reads them there or
// because they stand for another way to sign in.
var (
	localOnly = []string{"AzureWebJobsStorage", "FUNCTIONS_WORKER_RUNTIME", "LOCAL_CA_FILE", "LOCAL_MODE", "ServiceBus", "TABLES_CONNECTION_STRING"}
	azureOnly = []string{"APPLICATIONINSIGHTS_AUTHENTICATION_STRING", "APPLICATIONINSIGHTS_CONNECTION_STRING",
		"AzureWebJobsStorage__accountName", "AzureWebJobsStorage__clientId", "AzureWebJobsStorage__credential",
		"OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID"}
)

// appSettings returns the app settings that Bicep sets: the ones that
// main.bicep hands to the app's module, and those that the module adds.
func appSettings(t *testing.T) map[string]string {
	t.Helper()
	app, ok := readTemplate(t, "modules/functionapp.bicep").blocks["appSettings"]
	if !ok || app.props["properties...."] != "settings" || app.props["name"] != "'appsettings'" {
		t.Fatalf("modules/functionapp.bicep does not take over its param settings: %v", app.props)
	}
	settings := map[string]string{}
	for prefix, props := range map[string]map[string]string{
		"properties.":      app.props,
		"params.settings.": readTemplate(t, "main.bicep").blocks["app"].props,
	} {
		for path, expression := range props {
			if name, found := strings.CutPrefix(path, prefix); found && name != "..." {
				settings[name] = expression
			}
		}
	}
	return settings
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func without(names, others []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(others, name) })
}

func TestSampleAndBicepHaveTheSameSettings(t *testing.T) {
	sample, azure := sorted(readSample(t)), sorted(appSettings(t))
	if diff := cmp.Diff(without(sample, localOnly), without(azure, azureOnly)); diff != "" {
		t.Errorf("local.settings.sample.json (-) and Bicep (+): %s", diff)
	}
	for _, name := range localOnly {
		if slices.Contains(azure, name) {
			t.Errorf("Bicep sets %s, which is for one machine only", name)
		}
		if !slices.Contains(sample, name) {
			t.Errorf("the sample lacks %s", name)
		}
	}
	for _, name := range azureOnly {
		if !slices.Contains(azure, name) {
			t.Errorf("Bicep lacks %s", name)
		}
	}
}

func TestSettingsThatFunctionsNameExist(t *testing.T) {
	sample, azure := readSample(t), appSettings(t)
	need := func(function, name string) {
		setting := strings.Trim(name, "%")
		if sample[setting] == "" {
			t.Errorf("%s names %s, which has no value in the sample", function, name)
		}
		if azure[setting] == "" {
			t.Errorf("%s names %s, which Bicep does not set", function, name)
		}
	}
	for function, b := range triggers(t, "serviceBusTrigger") {
		need(function, b.QueueName)
		if sample[b.Connection] == "" {
			t.Errorf("%s connects to %s, which has no value in the sample", function, b.Connection)
		}
		for _, part := range []string{"__fullyQualifiedNamespace", "__credential", "__clientId"} {
			if azure[b.Connection+part] == "" {
				t.Errorf("%s connects to %s, but Bicep does not set %s", function, b.Connection, b.Connection+part)
			}
		}
	}
	for function, b := range triggers(t, "timerTrigger") {
		need(function, b.Schedule)
	}
}

// NCRONTAB with seconds first, in the subset that all its readers agree on.
var schedule = regexp.MustCompile(`^(\d+|\*|\*/\d+|\d+(,\d+)+)( (\d+|\*|\*/\d+|\d+(,\d+)+)){5}$`)

func TestSchedulesAreTheSameEverywhere(t *testing.T) {
	sample, azure := readSample(t), appSettings(t)
	for function, b := range triggers(t, "timerTrigger") {
		setting := strings.Trim(b.Schedule, "%")
		if !schedule.MatchString(sample[setting]) {
			t.Errorf("%s: %q is no schedule of six fields", function, sample[setting])
		}
		// A schedule below a minute is not monitored: a missed run stays missed.
		if strings.HasPrefix(sample[setting], "*") {
			t.Errorf("%s runs more often than once a minute", function)
		}
		if azure[setting] != "'"+sample[setting]+"'" {
			t.Errorf("%s: %s in Bicep, %s in the sample", function, azure[setting], sample[setting])
		}
	}
}

func TestSecretNamesAreTheSameEverywhere(t *testing.T) {
	sample, azure, defaults := readSample(t), appSettings(t), readTemplate(t, "main.bicep").defaults
	found := 0
	for name, value := range sample {
		if !strings.HasSuffix(name, "_SECRET_NAME") {
			continue
		}
		found++
		if want := defaults[azure[name]]; want != "'"+value+"'" {
			t.Errorf("%s is %q in the sample and %s in Bicep", name, value, want)
		}
	}
	if found == 0 {
		t.Error("the sample names no secret")
	}
}

func TestOutputsAreNamedAsTheSettingsTheyFeed(t *testing.T) {
	for setting, expression := range appSettings(t) {
		_, name, found := strings.Cut(expression, ".outputs.")
		if !found || strings.HasSuffix(expression, "'") || strings.HasSuffix(setting, "__clientId") && name == "AZURE_CLIENT_ID" {
			continue // a literal, or the one identity in its other roles
		}
		if name != setting {
			t.Errorf("%s is fed by the output %s", setting, expression)
		}
	}
}

// Flex Consumption refuses these, or fails to start with them.
var forbiddenOnFlex = regexp.MustCompile(`(?i)\b(FUNCTIONS_WORKER_RUNTIME|FUNCTIONS_EXTENSION_VERSION|WEBSITE_RUN_FROM_PACKAGE|WEBSITE_CONTENT\w*|` +
	`SCM_DO_BUILD_DURING_DEPLOYMENT|ENABLE_ORYX_BUILD|WEBSITE_TIME_ZONE|TZ|WEBSITE_MAX_DYNAMIC_APPLICATION_SCALE_OUT)\b`)

func TestNothingThatFlexForbids(t *testing.T) {
	for name, file := range allTemplates(t) {
		if found := forbiddenOnFlex.FindString(file.text); found != "" {
			t.Errorf("%s mentions %s", name, found)
		}
	}
}
