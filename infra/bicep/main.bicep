// Everything that the connectors need in one resource group of a customer's
// tenant. No key, password or connection string with a credential exists here:
// every service is reached with the one user-assigned identity, under roles
// that are listed on one page, modules/roles.bicep.
targetScope = 'resourceGroup'

@description('Short name of this installation; with the resource group it makes the resource names unique.')
@minLength(2)
@maxLength(12)
param environmentName string

@description('Azure region. It must offer Flex Consumption.')
param location string = resourceGroup().location

@description('Redundancy of the storage account, which holds the links between appointments and events.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS'])
param storageRedundancy string = 'Standard_LRS'

@description('Memory of one instance of the app in MB.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('Most instances that the app may scale out to, over all of its functions.')
@minValue(40)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Instances kept running for HTTP. With one, Graph has its answer within the 3 seconds that it allows; with none it is cheaper, and after a cold start Graph delays or drops notifications.')
@minValue(0)
param alwaysReadyHttp int = 1

@description('Days that logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 30

@description('How the app signs in to Graph: as its managed identity, as an app registration that trusts this identity (federated), or as an app registration with a secret in Key Vault.')
@allowed(['identity', 'federated', 'secret'])
param graphAuth string = 'identity'

@description('Tenant whose mailboxes are synchronised.')
param graphTenantId string = tenant().tenantId

@description('Client id of the app registration; empty if graphAuth is identity.')
param graphClientId string = ''

@description('Key Vault name of the app registration\'s client secret; read only if graphAuth is secret.')
param graphSecretName string = 'graph-client-secret'

@description('Address of Microsoft Graph with its version.')
param graphUrl string = 'https://graph.microsoft.com/v1.0'

@description('Address of the Dime.Scheduler API.')
param dimeSchedulerUrl string = 'https://api.dimescheduler.com'

@description('Key Vault name of the Dime.Scheduler API key.')
param dimeSchedulerSecretName string = 'dimescheduler-api-key'

@description('Key Vault name of the HMAC keys that sign the clientState of Graph subscriptions.')
param clientStateSecretName string = 'graph-client-state-keys'

@description('IANA name of the time zone in which Dime.Scheduler writes times without a zone.')
param boardTimeZone string = 'UTC'

@description('Address that Graph calls back, without a path; empty means the app\'s own host name.')
param publicUrl string = ''

@description('Object id of the service principal that Dime.Scheduler sends appointments with. It may send to that one queue and nothing else. Empty means that it uses the HTTP endpoint.')
param appointmentSenderPrincipalId string = ''

@description('Client id of the app registration with which people sign in to the web portal; empty means that the portal is closed.')
param portalClientId string = ''

@description('Administrators of the portal besides those with its app role Administrator: e-mail addresses or object ids, separated by commas.')
param portalAdmins string = ''

@description('Whether administrators may enter passwords of back offices in the portal, which stores them in Key Vault. Without it the app can read secrets and not write them, and connectors name secrets that somebody else has put there. Means nothing without a portal.')
param portalStoresSecrets bool = true

var token = uniqueString(resourceGroup().id, environmentName)
var tags = { application: 'dimescheduler-connectors', environment: environmentName }

module identity 'modules/identity.bicep' = {
  name: 'identity'
  params: { name: 'id-${token}', location: location, tags: tags }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  params: {
    workspaceName: 'log-${token}'
    insightsName: 'appi-${token}'
    location: location
    tags: tags
    retentionInDays: logRetentionDays
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  params: { name: 'st${token}', location: location, tags: tags, redundancy: storageRedundancy }
}

module vault 'modules/keyvault.bicep' = {
  name: 'keyvault'
  params: { name: 'kv-${token}', location: location, tags: tags }
}

module bus 'modules/servicebus.bicep' = {
  name: 'servicebus'
  params: { name: 'sb-${token}', location: location, tags: tags }
}

module roles 'modules/roles.bicep' = {
  name: 'roles'
  params: {
    appPrincipalId: identity.outputs.principalId
    appointmentSenderPrincipalId: appointmentSenderPrincipalId
    storageAccountName: storage.outputs.AzureWebJobsStorage__accountName
    vaultName: vault.outputs.name
    namespaceName: bus.outputs.name
    appointmentsQueue: bus.outputs.APPOINTMENTS_QUEUE
    mailboxesQueue: bus.outputs.MAILBOXES_QUEUE
    backofficeQueue: bus.outputs.BACKOFFICE_QUEUE
    insightsName: monitoring.outputs.insightsName
    appStoresSecrets: portalStoresSecrets && !empty(portalClientId)
  }
}

module app 'modules/functionapp.bicep' = {
  name: 'functionapp'
  // The host opens storage and the queues as soon as it starts.
  dependsOn: [roles]
  params: {
    name: 'func-${token}'
    planName: 'plan-${token}'
    location: location
    tags: tags
    identityId: identity.outputs.id
    deploymentContainerUrl: storage.outputs.deploymentContainerUrl
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    alwaysReadyHttp: alwaysReadyHttp
    publicUrl: publicUrl
    portalClientId: portalClientId
    portalTenantId: tenant().tenantId
    identityClientId: identity.outputs.AZURE_CLIENT_ID
    settings: {
      // The Functions host's own: its storage and its telemetry.
      AzureWebJobsStorage__accountName: storage.outputs.AzureWebJobsStorage__accountName
      AzureWebJobsStorage__credential: 'managedidentity'
      AzureWebJobsStorage__clientId: identity.outputs.AZURE_CLIENT_ID
      APPLICATIONINSIGHTS_CONNECTION_STRING: monitoring.outputs.APPLICATIONINSIGHTS_CONNECTION_STRING
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.outputs.AZURE_CLIENT_ID};Authorization=AAD'

      // Both the host's triggers and the app's own client.
      ServiceBus__fullyQualifiedNamespace: bus.outputs.ServiceBus__fullyQualifiedNamespace
      ServiceBus__credential: 'managedidentity'
      ServiceBus__clientId: identity.outputs.AZURE_CLIENT_ID
      APPOINTMENTS_QUEUE: bus.outputs.APPOINTMENTS_QUEUE
      MAILBOXES_QUEUE: bus.outputs.MAILBOXES_QUEUE
      BACKOFFICE_QUEUE: bus.outputs.BACKOFFICE_QUEUE

      // NCRONTAB with seconds, UTC (Flex Consumption knows no other zone).
      RENEWAL_SCHEDULE: '0 10 * * * *'
      SWEEP_SCHEDULE: '0 */15 * * * *'
      RESOURCE_SCHEDULE: '0 5,20,35,50 * * * *'
      REDRIVE_SCHEDULE: '0 */5 * * * *'

      // The app's alone. PUBLIC_URL is added where the host name is known.
      AZURE_CLIENT_ID: identity.outputs.AZURE_CLIENT_ID
      TABLES_URL: storage.outputs.TABLES_URL
      KEYVAULT_URL: vault.outputs.KEYVAULT_URL
      AUTHORITY_URL: environment().authentication.loginEndpoint
      GRAPH_URL: graphUrl
      GRAPH_AUTH: graphAuth
      GRAPH_TENANT_ID: graphTenantId
      GRAPH_CLIENT_ID: graphClientId
      GRAPH_SECRET_NAME: graphSecretName
      DIMESCHEDULER_URL: dimeSchedulerUrl
      DIMESCHEDULER_SECRET_NAME: dimeSchedulerSecretName
      CLIENT_STATE_SECRET_NAME: clientStateSecretName
      BOARD_TIME_ZONE: boardTimeZone
      PORTAL_ADMINS: portalAdmins
    }
  }
}

@description('Name to deploy the package to.')
output functionAppName string = app.outputs.name

@description('Address that Graph calls back and that people open.')
output PUBLIC_URL string = app.outputs.PUBLIC_URL

@description('Where the administrator puts the secrets.')
output keyVaultName string = vault.outputs.name

@description('Object id of the app\'s identity, to grant Graph permissions to.')
output identityPrincipalId string = identity.outputs.principalId

@description('Client id of the app\'s identity.')
output AZURE_CLIENT_ID string = identity.outputs.AZURE_CLIENT_ID

@description('Host of the Service Bus namespace, for Dime.Scheduler to send to.')
output ServiceBus__fullyQualifiedNamespace string = bus.outputs.ServiceBus__fullyQualifiedNamespace

@description('Queue that Dime.Scheduler sends to.')
output APPOINTMENTS_QUEUE string = bus.outputs.APPOINTMENTS_QUEUE
