package jwks

import "time"

// Event is something that a metric counts.
type Event struct {
	Kind    string    // [KindFetch] or [KindUnknownKey]
	Outcome string    // a word of [FetchOutcomes], or of [UnknownKeyActions]
	Keys    int       // how many usable keys the cache holds now, fresh or not
	At      time.Time // of the event; with FetchOK it is the time of the last success
	Err     error     // why a fetch failed; short, and without anything a client sent
}

// The kinds of an Event.
const (
	KindFetch      = "fetch"       // a fetch of the key set ended, for whatever it was started
	KindUnknownKey = "unknown-kid" // a request wanted a key that the current set does not have
)

// What a fetch can end with.
const (
	FetchOK         = "ok"             // the document holds a usable key; it is the current set now
	FetchNetwork    = "network"        // no connection, a TLS error, the timeout, or a body that broke off
	FetchHTTPStatus = "http-status"    // another status than 2xx, redirects among them
	FetchTooLarge   = "too-large"      // the document has more than MaxBody bytes
	FetchInvalid    = "invalid"        // not JSON, not a key set, or more than MaxKeys keys
	FetchNoKeys     = "no-usable-keys" // a key set without one usable key
)

// What can become of a request that wants a key which is not there.
const (
	UnknownKeyRefetch  = "refetch"  // it started a shared refetch, or waited with others
	UnknownKeyCooldown = "cooldown" // it was refused at once
)

// FetchOutcomes returns the closed set of outcomes of [KindFetch].
func FetchOutcomes() []string {
	return []string{FetchOK, FetchNetwork, FetchHTTPStatus, FetchTooLarge, FetchInvalid, FetchNoKeys}
}

// UnknownKeyActions returns the closed set of outcomes of [KindUnknownKey].
func UnknownKeyActions() []string { return []string{UnknownKeyRefetch, UnknownKeyCooldown} }
