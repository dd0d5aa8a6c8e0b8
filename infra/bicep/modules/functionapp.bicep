// The app and its plan; Flex Consumption has one app per plan. The package is
// deployed into the container afterwards, see ../README.md.
param name string
param planName string
param location string
param tags object
param identityId string
param deploymentContainerUrl string
param instanceMemoryMB int
param maximumInstanceCount int
param alwaysReadyHttp int
param publicUrl string
param settings object

@description('Client id of the app registration with which people sign in to the web portal; empty = no portal.')
param portalClientId string
param portalTenantId string
@description('Client id of the app\'s identity, which stands for a secret of that app registration.')
param identityClientId string

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    tier: 'FlexConsumption'
    name: 'FC1'
  }
  properties: {
    reserved: true
  }
}

resource site 'Microsoft.Web/sites@2024-04-01' = {
  name: name
  location: location
  tags: tags
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    siteConfig: {
      minTlsVersion: '1.2'
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: deploymentContainerUrl
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'custom'
        version: '1.0'
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        // All HTTP functions share instances; timers and queues have their own.
        alwaysReady: alwaysReadyHttp > 0 ? [{ name: 'http', instanceCount: alwaysReadyHttp }] : []
      }
    }
  }
}

var baseUrl = empty(publicUrl) ? 'https://${site.properties.defaultHostName}' : publicUrl

resource appSettings 'Microsoft.Web/sites/config@2024-04-01' = {
  parent: site
  name: 'appsettings'
  properties: {
    ...settings
    PUBLIC_URL: baseUrl
    // Read by the platform's sign-in, see signIn.
    OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID: identityClientId
  }
}

// Sign-in to the web portal. The platform checks who it is and replaces whatever
// principal header a caller sends, on every path; whoever is not signed in is let
// through, for Graph and Dime.Scheduler call this app too, and turned away by the
// portal itself. No client secret: the app registration trusts the identity.
resource signIn 'Microsoft.Web/sites/config@2024-04-01' = if (!empty(portalClientId)) {
  parent: site
  name: 'authsettingsV2'
  properties: {
    platform: {
      enabled: true
    }
    globalValidation: {
      requireAuthentication: false
      unauthenticatedClientAction: 'AllowAnonymous'
    }
    identityProviders: {
      azureActiveDirectory: {
        enabled: true
        registration: {
          openIdIssuer: '${environment().authentication.loginEndpoint}${portalTenantId}/v2.0'
          clientId: portalClientId
          clientSecretSettingName: 'OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID'
        }
        validation: {
          allowedAudiences: [portalClientId, 'api://${portalClientId}']
        }
      }
    }
    login: {
      tokenStore: {
        enabled: false
      }
    }
  }
  dependsOn: [appSettings]
}

// Publishing by password is off; deployment signs in with Entra ID.
resource ftp 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: site
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource scm 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: site
  name: 'scm'
  properties: {
    allow: false
  }
}

output name string = site.name
output PUBLIC_URL string = baseUrl
