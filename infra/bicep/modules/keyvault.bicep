// The vault that an administrator puts the secrets into; the templates hold
// none. Purge protection cannot be taken back: a deleted vault keeps its name
// for 90 days, and is recovered rather than created anew.
param name string
param location string
param tags object

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    enablePurgeProtection: true
  }
}

output name string = vault.name
output KEYVAULT_URL string = vault.properties.vaultUri
