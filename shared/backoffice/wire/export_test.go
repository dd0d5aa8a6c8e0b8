package wire

// Reachable is reachable, for tests.
var Reachable = reachable
