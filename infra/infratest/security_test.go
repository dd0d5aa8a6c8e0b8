package infratest

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

const roleType = "Microsoft.Authorization/roleAssignments"

// Every role that may be assigned, with the scopes (symbols in roles.bicep)
// that it may be assigned at.
var allowedRoles = map[string]struct {
	name   string
	scopes []string
}{
	"b7e6dc6d-f1e8-4753-8033-0f276bb0955b": {"Storage Blob Data Owner", []string{"account"}},
	"0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": {"Storage Table Data Contributor", []string{"account"}},
	"4633458b-17de-408a-b874-0445c86b69e6": {"Key Vault Secrets User", []string{"vault"}},
	"b86a8fe4-44ce-4948-aee5-eccb2c155cd7": {"Key Vault Secrets Officer", []string{"vault"}},
	"4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0": {"Azure Service Bus Data Receiver", []string{"queues[i]"}},
	"69a216fc-b8fb-44d8-bc22-1f3c2cd27a39": {"Azure Service Bus Data Sender", []string{"queues[i]", "queues[0]"}},
	"3913510d-42f4-4e42-8a64-420c390055eb": {"Monitoring Metrics Publisher", []string{"insights"}},
}

func TestRolesAreTheLeastAtTheNarrowestScope(t *testing.T) {
	roles := readTemplate(t, "modules/roles.bicep")
	definition := regexp.MustCompile(`^subscriptionResourceId\('Microsoft.Authorization/roleDefinitions', (\w+)\)$`)
	used := map[string]bool{}
	assignments := roles.resources(roleType)
	for symbol, assignment := range assignments {
		m := definition.FindStringSubmatch(assignment.props["properties.roleDefinitionId"])
		if m == nil {
			t.Errorf("%s: role %q", symbol, assignment.props["properties.roleDefinitionId"])
			continue
		}
		id := strings.Trim(roles.vars[m[1]], "'")
		role, allowed := allowedRoles[id]
		if !allowed {
			t.Errorf("%s assigns the role %s (%s), which is not on the list", symbol, m[1], id)
			continue
		}
		used[id] = true
		scope := assignment.props["scope"] // absent means the whole resource group
		if !slices.Contains(role.scopes, scope) {
			t.Errorf("%s assigns %s at the scope %q", symbol, role.name, scope)
		}
		// The same three make the name, so that assigning again changes nothing.
		principal := assignment.props["properties.principalId"]
		if want := "guid(" + scope + ".id, " + principal + ", " + m[1] + ")"; assignment.props["name"] != want {
			t.Errorf("%s is named %s, want %s", symbol, assignment.props["name"], want)
		}
	}
	for id, role := range allowedRoles {
		if !used[id] {
			t.Errorf("%s is on the list, but nobody has it", role.name)
		}
	}
}

func TestDimeSchedulerMayOnlySendAppointments(t *testing.T) {
	roles := readTemplate(t, "modules/roles.bicep")
	if !strings.HasPrefix(roles.vars["queueNames"], "[appointmentsQueue,") {
		t.Errorf("queues[0] is not the queue of appointments: %s", roles.vars["queueNames"])
	}
	var found []string
	for symbol, assignment := range roles.resources(roleType) {
		switch principal := assignment.props["properties.principalId"]; principal {
		case "appPrincipalId":
		case "appointmentSenderPrincipalId":
			found = append(found, symbol+" "+assignment.props["scope"])
			if !strings.Contains(assignment.props["properties.roleDefinitionId"], "serviceBusDataSender") {
				t.Errorf("%s is more than sending", symbol)
			}
		default:
			t.Errorf("%s is for %s", symbol, principal)
		}
	}
	if !slices.Equal(found, []string{"boardSends queues[0]"}) {
		t.Errorf("Dime.Scheduler has %v", found)
	}
}

func TestRolesAreOnOnePage(t *testing.T) {
	guid := regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	for name, file := range allTemplates(t) {
		if name == "modules/roles.bicep" {
			continue
		}
		if strings.Contains(file.text, roleType) || guid.MatchString(file.text) {
			t.Errorf("%s assigns a role or holds an id: roles belong into modules/roles.bicep", name)
		}
	}
}

func TestNoKeysAndNoSecrets(t *testing.T) {
	secret := regexp.MustCompile(`(?i)\blist[A-Z]\w*\(|getSecret\(|AccountKey=|SharedAccessKey|authorizationRules|vaults/secrets|@secure`)
	for name, file := range allTemplates(t) {
		if found := secret.FindString(file.text); found != "" {
			t.Errorf("%s handles a secret: %s", name, found)
		}
	}
	for _, test := range []struct{ file, symbol, property, want string }{
		{"storage", "account", "properties.allowSharedKeyAccess", "false"},
		{"storage", "account", "properties.allowBlobPublicAccess", "false"},
		{"storage", "account", "properties.supportsHttpsTrafficOnly", "true"},
		{"storage", "deployments", "properties.publicAccess", "'None'"},
		{"keyvault", "vault", "properties.enableRbacAuthorization", "true"},
		{"keyvault", "vault", "properties.enableSoftDelete", "true"},
		{"keyvault", "vault", "properties.enablePurgeProtection", "true"},
		{"monitoring", "insights", "properties.DisableLocalAuth", "true"},
		{"functionapp", "site", "properties.httpsOnly", "true"},
		{"functionapp", "ftp", "properties.allow", "false"},
		{"functionapp", "scm", "properties.allow", "false"},
	} {
		file := readTemplate(t, "modules/"+test.file+".bicep")
		if got := file.blocks[test.symbol].props[test.property]; got != test.want {
			t.Errorf("%s: %s.%s is %q, want %s", test.file, test.symbol, test.property, got, test.want)
		}
	}
}

func TestAppIsAFlexConsumptionCustomHandler(t *testing.T) {
	file := readTemplate(t, "modules/functionapp.bicep")
	for _, test := range []struct{ symbol, property, want string }{
		{"plan", "sku.name", "'FC1'"},
		{"plan", "properties.reserved", "true"},
		{"site", "kind", "'functionapp,linux'"},
		{"site", "identity.type", "'UserAssigned'"},
		{"site", "properties.functionAppConfig.runtime.name", "'custom'"},
		{"site", "properties.functionAppConfig.runtime.version", "'1.0'"},
		{"site", "properties.functionAppConfig.deployment.storage.type", "'blobContainer'"},
		{"site", "properties.functionAppConfig.deployment.storage.value", "deploymentContainerUrl"},
		{"site", "properties.functionAppConfig.deployment.storage.authentication.type", "'UserAssignedIdentity'"},
		{"site", "properties.functionAppConfig.scaleAndConcurrency.alwaysReady", "alwaysReadyHttp > 0 ? [{ name: 'http', instanceCount: alwaysReadyHttp }] : []"},
	} {
		if got := file.blocks[test.symbol].props[test.property]; got != test.want {
			t.Errorf("%s.%s is %q, want %s", test.symbol, test.property, got, test.want)
		}
	}
	main := readTemplate(t, "main.bicep")
	if got := main.blocks["app"].props["dependsOn"]; got != "[roles]" {
		t.Errorf("the app depends on %q: it must not start before it has its roles", got)
	}
	if got := main.defaults["alwaysReadyHttp"]; got != "1" {
		t.Errorf("%s instances are always ready for HTTP, want 1", got)
	}
}
