package app

import (
	"log/slog"
	"slices"
	"sync"
)

// hints tells an operator once, not once a request, that clients send headers
// which never arrive.
type hints struct {
	log  *slog.Logger
	mu   sync.Mutex
	seen []string
}

// hintOf says what to do about a kind of stripped header.
func hintOf(kind string) string {
	switch kind {
	case "identity":
		return "a client sent an identity header; only this proxy sets those. If an application needs one through, name it in AUTHPROXY_PASS_HEADERS"
	case "product":
		return "a client, or a proxy in front, sent another product's identity header. AUTHPROXY_STRIP_HEADERS replaces that list"
	case "control":
		return "a client sent a header that steers proxies or frameworks; it is removed always"
	case "forwarding":
		return "a client sent a forwarding header in an unusual spelling; if a proxy of yours sets these headers, add its address to AUTHPROXY_TRUSTED_PROXIES"
	default:
		return "a client sent a header that this proxy sets itself"
	}
}

func (h *hints) stripped(kinds []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, kind := range kinds {
		if !slices.Contains(h.seen, kind) {
			h.seen = append(h.seen, kind)
			h.log.Warn("headers removed from a request", "kind", kind, "hint", hintOf(kind))
		}
	}
}
