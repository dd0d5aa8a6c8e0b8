// A sample: copy it per installation. All other params have defaults, which
// main.bicep describes.
using 'main.bicep'

param environmentName = 'prod'
param boardTimeZone = 'Europe/Brussels'
param graphAuth = 'identity'
