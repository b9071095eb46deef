// Package threats holds the catalogue of what has broken authenticating proxies
// before, as tests against the whole program: bytes go in on the wire, and what
// the client and the upstream get is compared with what the catalogue demands.
// Each test carries the identifier of its entry, as in TestThreat/HDR-06. There
// is no code here, only tests.
package threats
