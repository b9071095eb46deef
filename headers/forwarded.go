package headers

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Peers knows which hops may say on whose behalf they ask. It is immutable.
type Peers struct {
	trusted []netip.Prefix
}

// Hop is what is known about where a request comes from.
type Hop struct {
	// Client is the address the request is for, never IPv4-mapped and without
	// a zone; invalid when the peer has no address (a unix socket).
	Client  netip.Addr
	Trusted bool // the peer is one of ours

	// What a trusted peer says; each "" when it does not, but for Host when what
	// it says is malformed, and always when the peer is not trusted.
	// Host is the last element of X-Forwarded-Host as it was sent: a malformed one
	// must be refused by whoever decides, and not fall back to another host.
	Host      string
	Proto     string // "http" or "https", from the last element of X-Forwarded-Proto
	Prefix    string // X-Forwarded-Prefix, a path that cannot be read as an authority
	RequestID string // X-Request-Id, see ValidRequestID
}

// NewPeers returns the Peers whose addresses lie in one of the prefixes. A
// prefix of IPv4-mapped addresses means the IPv4 addresses.
func NewPeers(trusted []netip.Prefix) *Peers {
	p := &Peers{trusted: make([]netip.Prefix, 0, len(trusted))}
	for _, prefix := range trusted {
		if prefix.Addr().Is4In6() && prefix.Bits() >= 96 {
			prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
		}
		p.trusted = append(p.trusted, prefix)
	}
	return p
}

// Resolve says where a request comes from. The remote address is that of
// http.Request; a peer without an address is never trusted, because any process
// of the machine may be behind it. The client is the rightmost untrusted address
// of X-Forwarded-For when the peer is trusted, else the peer. An element that
// is no address ends the search at the hop that passed it on.
func (p *Peers) Resolve(remoteAddr string, h http.Header) Hop {
	peer, _ := parseAddr(remoteAddr) // invalid when there is none, and no prefix contains that
	if !p.trusts(peer) {
		return Hop{Client: peer}
	}
	return Hop{
		Client:    p.client(peer, h.Values("X-Forwarded-For")),
		Trusted:   true,
		Host:      lastHost(h.Values("X-Forwarded-Host")),
		Proto:     validProto(lastElement(h.Values("X-Forwarded-Proto"))),
		Prefix:    validPrefix(h.Values("X-Forwarded-Prefix")),
		RequestID: validRequestID(h.Values("X-Request-Id")),
	}
}

// ValidRequestID reports whether an id is 1–128 letters, digits, dots,
// underscores and hyphens, so that it is safe wherever it is shown.
func ValidRequestID(s string) bool {
	return 1 <= len(s) && len(s) <= 128 && consistsOf(s, "._-")
}

// client walks X-Forwarded-For from the right over all its field lines: each
// element was written by the hop to the right of it, and is worth as much as
// that hop (MDN "X-Forwarded-For", Selecting an IP address).
func (p *Peers) client(peer netip.Addr, lines []string) netip.Addr {
	hop := peer
	for _, line := range slices.Backward(lines) {
		for more := true; more; {
			var element string
			line, element, more = cutLast(line)
			addr, ok := parseAddr(element)
			switch {
			case !ok: // what stands left of it was written by nobody we know
				return hop
			case !p.trusts(addr):
				return addr
			}
			hop = addr
		}
	}
	return peer // our own proxies and nobody else: none of them is the client
}

func (p *Peers) trusts(addr netip.Addr) bool {
	for _, prefix := range p.trusted {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// parseAddr reads an address with or without a port. The address is unmapped
// and without its zone, because a prefix has neither: ::ffff:10.0.0.1 is
// 10.0.0.1 (CVE-2024-24790 is about what happens otherwise).
func parseAddr(s string) (netip.Addr, bool) {
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		s = s[1 : len(s)-1]
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		withPort, err := netip.ParseAddrPort(s)
		if err != nil {
			return netip.Addr{}, false
		}
		addr = withPort.Addr()
	}
	return addr.WithZone("").Unmap(), true
}

// cutLast cuts a list before its last element.
func cutLast(line string) (before, last string, more bool) {
	i := strings.LastIndexByte(line, ',')
	if i < 0 {
		return "", strings.Trim(line, " \t"), false
	}
	return line[:i], strings.Trim(line[i+1:], " \t"), true
}

// lastHost is the last element too, but a list that ends in nothing is kept
// whole: it must be refused, and not mean that there was none.
func lastHost(lines []string) string {
	if last := lastElement(lines); last != "" || len(lines) == 0 {
		return last
	}
	return lines[len(lines)-1]
}

// lastElement is what the nearest hop says: the one that is trusted.
func lastElement(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	_, last, _ := cutLast(lines[len(lines)-1])
	return last
}

func validProto(proto string) string {
	switch strings.ToLower(proto) {
	case "http", "ws": // Traefik sends ws and wss for upgrades
		return "http"
	case "https", "wss":
		return "https"
	default:
		return ""
	}
}

// validPrefix keeps a prefix from becoming another authority in a link that an
// application makes of it (CVE-2024-52003): one field, a path of plain
// segments, no "//", no dot segment, nothing escaped.
func validPrefix(lines []string) string {
	if len(lines) != 1 || !strings.HasPrefix(lines[0], "/") || strings.Contains(lines[0], "//") ||
		!consistsOf(lines[0], "-._~/!$&'()*+;=:@") {
		return ""
	}
	for segment := range strings.SplitSeq(lines[0], "/") {
		if segment == "." || segment == ".." {
			return ""
		}
	}
	return lines[0]
}

func validRequestID(lines []string) string {
	if len(lines) == 1 && ValidRequestID(lines[0]) {
		return lines[0]
	}
	return ""
}

// consistsOf reports whether s is made of ASCII letters, digits and the bytes
// of others.
func consistsOf(s, others string) bool {
	for i := 0; i < len(s); i++ {
		if !isAlphanumeric(s[i]) && strings.IndexByte(others, s[i]) < 0 {
			return false
		}
	}
	return true
}
