package infratest

import (
	"strings"
	"testing"
)

const queueType = "Microsoft.ServiceBus/namespaces/queues"

// queueOf follows a setting to the queue that Bicep creates for it.
func queueOf(t *testing.T, setting string) (name string, queue block) {
	t.Helper()
	bus := readTemplate(t, "modules/servicebus.bicep")
	if got := appSettings(t)[setting]; got != "bus.outputs."+setting {
		t.Fatalf("%s is set to %q in Bicep", setting, got)
	}
	symbol := strings.TrimSuffix(bus.outputs[setting], ".name")
	queue, ok := bus.resources(queueType)[symbol]
	if !ok {
		t.Fatalf("the output %s names no queue: %q", setting, bus.outputs[setting])
	}
	return strings.Trim(queue.props["name"], "'"), queue
}

func TestQueuesAreAsTheirTriggersExpect(t *testing.T) {
	sample := readSample(t)
	for function, b := range triggers(t, "serviceBusTrigger") {
		setting := strings.Trim(b.QueueName, "%")
		name, queue := queueOf(t, setting)
		if sample[setting] != name {
			t.Errorf("%s is %q in the sample and %q in Bicep", setting, sample[setting], name)
		}
		if sessions := queue.props["properties.requiresSession"] == "true"; sessions != b.IsSessionsEnabled {
			t.Errorf("%s: isSessionsEnabled is %v, but the queue %s has sessions: %v", function, b.IsSessionsEnabled, name, sessions)
		}
	}
}

func TestQueues(t *testing.T) {
	queues := map[string]block{}
	for _, setting := range []string{"APPOINTMENTS_QUEUE", "MAILBOXES_QUEUE", "BACKOFFICE_QUEUE"} {
		name, queue := queueOf(t, setting)
		queues[name] = queue
	}
	if all := readTemplate(t, "modules/servicebus.bicep").resources(queueType); len(all) != 3 || len(queues) != 3 {
		t.Fatalf("%d queues, %d of them named by a setting: want 3 of 3", len(all), len(queues))
	}
	for name, queue := range queues {
		// A failing message is delivered five times within a second and then
		// rests in the dead letters, from where redrive fetches it. Nudges have
		// random ids: duplicate detection would swallow what is meant.
		board := name == "appointments"
		for property, want := range map[string]string{
			"requiresSession":                  map[bool]string{true: "false", false: "true"}[board],
			"requiresDuplicateDetection":       map[bool]string{true: "true", false: "false"}[board],
			"lockDuration":                     "'PT1M'",
			"maxDeliveryCount":                 "5",
			"deadLetteringOnMessageExpiration": "true",
			"enablePartitioning":               "false",
		} {
			if got := queue.props["properties."+property]; got != want {
				t.Errorf("%s: %s is %q, want %s", name, property, got, want)
			}
		}
		if queue.props["parent"] != "namespace" {
			t.Errorf("%s is in %q", name, queue.props["parent"])
		}
	}
}

func TestNamespaceHasNoKeys(t *testing.T) {
	namespace := readTemplate(t, "modules/servicebus.bicep").blocks["namespace"]
	for property, want := range map[string]string{
		"sku.name":                     "'Standard'", // the least that has sessions and duplicate detection
		"sku.tier":                     "'Standard'",
		"properties.disableLocalAuth":  "true",
		"properties.minimumTlsVersion": "'1.2'",
	} {
		if got := namespace.props[property]; got != want {
			t.Errorf("%s is %q, want %s", property, got, want)
		}
	}
}
