// The one identity of the app. User-assigned, so that it exists, with its
// roles, before the app starts, and outlives a re-creation of the app.
param name string
param location string
param tags object

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: name
  location: location
  tags: tags
}

output id string = identity.id
output principalId string = identity.properties.principalId
output AZURE_CLIENT_ID string = identity.properties.clientId
