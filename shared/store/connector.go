package store

import "time"

// ConnectorRecord is what is configured for one back office (facts B.1). The
// password is not in it: Secret and Signing are names in Key Vault. What the
// values mean, and whether they go together, is for shared/backoffice.
type ConnectorRecord struct {
	ID          string // stable; part of keys and sessions
	Name        string
	Description string
	SourceApp   string
	SourceType  string // empty = any
	// Send is "send appointments to back office".
	Send       bool
	Operations string // of "I,U,D"
	URI        string
	Type       string
	API        string
	Auth       string
	Login      string
	ClientID   string
	Secret     string
	TokenURL   string
	Scope      string
	Signing    string
	Method     string
	Shards     int
	Fields     map[string]string
	Headers    map[string]string
	CA, Pin    string
	AllowHTTP  bool
	ReadStatus bool
	Repeat     string
	SkipEchoes bool
	// TimeoutSeconds of one call; 0 = the default.
	TimeoutSeconds int
	Created        time.Time
	Updated        time.Time
	ETag           string
}

// Told is what a back office was last told of an appointment, and what it answered.
type Told struct {
	// Exists: it was told of the appointment, and of no deletion since.
	Exists bool
	// Digest of the graph that it was told, to see whether another is news.
	Digest string
	At     time.Time
	// Of its answer (backoffice.Receipt).
	ID, Location, BackOfficeID, Correlation string
	// ReadAt is when the back office is asked next what it made of it; zero = not.
	// Reads counts how often it was.
	ReadAt time.Time
	Reads  int
	// State and StateText are what it answered (backoffice.Processing).
	State, StateText string
}
