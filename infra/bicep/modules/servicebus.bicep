// The broker and its three queues. Sessions and duplicate detection are fixed
// when a queue is created: to change one, the queue has to be replaced.
param name string
param location string
param tags object

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' = {
  name: name
  location: location
  tags: tags
  sku: {
    name: 'Standard'
    tier: 'Standard'
  }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
  }
}

// What Dime.Scheduler says: one message per change, with an id of its own, so
// that a change that is sent twice arrives once.
resource appointments 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' = {
  parent: namespace
  name: 'appointments'
  properties: {
    requiresSession: false
    requiresDuplicateDetection: true
    duplicateDetectionHistoryTimeWindow: 'PT10M'
    lockDuration: 'PT1M'
    maxDeliveryCount: 5
    defaultMessageTimeToLive: 'P14D'
    deadLetteringOnMessageExpiration: true
    maxSizeInMegabytes: 5120
    enablePartitioning: false
  }
}

// Nudges, session = mailbox: a mailbox has one worker at a time.
resource mailboxes 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' = {
  parent: namespace
  name: 'mailboxes'
  properties: {
    requiresSession: true
    requiresDuplicateDetection: false
    lockDuration: 'PT1M'
    maxDeliveryCount: 5
    defaultMessageTimeToLive: 'P14D'
    deadLetteringOnMessageExpiration: true
    enablePartitioning: false
  }
}

// Nudges, session = shard of a back-office connector.
resource backoffice 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' = {
  parent: namespace
  name: 'backoffice'
  properties: {
    requiresSession: true
    requiresDuplicateDetection: false
    lockDuration: 'PT1M'
    maxDeliveryCount: 5
    defaultMessageTimeToLive: 'P14D'
    deadLetteringOnMessageExpiration: true
    enablePartitioning: false
  }
}

output name string = namespace.name
// The endpoint is https://HOST:443/; its suffix depends on the cloud.
output ServiceBus__fullyQualifiedNamespace string = split(split(namespace.properties.serviceBusEndpoint, '//')[1], ':')[0]
output APPOINTMENTS_QUEUE string = appointments.name
output MAILBOXES_QUEUE string = mailboxes.name
output BACKOFFICE_QUEUE string = backoffice.name
