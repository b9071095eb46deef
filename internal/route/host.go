package route

import (
	"net/netip"
	"strconv"
	"strings"
)

// Host is a host as a request names it, in one spelling.
type Host struct {
	Name string // lower case; an IPv6 address in brackets
	Port string // decimal without leading zeros; "" when the request names none
}

// String returns "name" or "name:port".
func (h Host) String() string {
	if h.Port == "" {
		return h.Name
	}
	return h.Name + ":" + h.Port
}

// ParseHost reads a Host header or an authority: a name of letters, digits,
// hyphens, underscores and dots, an IPv4 or a bracketed IPv6 address, and
// perhaps a port. Whatever else an authority may hold by RFC 3986 (user
// information, escapes, commas, a zone) is refused on every protocol, because
// programs disagree about it.
func ParseHost(s string) (Host, error) {
	name, port, err := splitPort(s)
	if err != nil {
		return Host{}, err
	}
	if address, ok := strings.CutPrefix(name, "["); ok {
		address = strings.TrimSuffix(address, "]")
		a, err := netip.ParseAddr(address)
		if err != nil || !a.Is6() || a.Zone() != "" || len(address)+2 != len(name) {
			return Host{}, ambiguous("the host is not an IPv6 address")
		}
		return Host{"[" + a.String() + "]", port}, nil
	}
	if name == "" || len(name) > 253 || strings.HasPrefix(name, ".") || strings.Contains(name, "..") {
		return Host{}, ambiguous("the host is missing or malformed")
	}
	for i := range len(name) {
		if c := name[i]; !unreserved(c) || c == '~' {
			return Host{}, ambiguous("the host holds a character that is none of a host's")
		}
	}
	return Host{strings.ToLower(name), port}, nil
}

func splitPort(s string) (name, port string, err error) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.HasSuffix(s, "]") {
		return s, "", nil
	}
	n, err := strconv.ParseUint(s[i+1:], 10, 16)
	if err != nil || n == 0 || s[i+1] == '0' || s[i+1] == '+' {
		return "", "", ambiguous("the port is malformed")
	}
	return s[:i], s[i+1:], nil
}

// Is reports whether the host is that of an origin: the same name and the same
// port, where a missing port is the scheme's own. The origin's host is in the
// spelling of ParseHost.
func (h Host) Is(scheme, originHost string) bool {
	o, err := ParseHost(originHost)
	return err == nil && o.Name == h.Name && portOr(o.Port, scheme) == portOr(h.Port, scheme)
}

// Same reports whether two hosts name the same place where the scheme is not
// known: clients leave the scheme's own port out.
func (h Host) Same(other Host) bool {
	return h.Name == other.Name && withoutOwn(h.Port) == withoutOwn(other.Port)
}

func withoutOwn(port string) string {
	if port == "80" || port == "443" {
		return ""
	}
	return port
}

func portOr(port, scheme string) string {
	switch {
	case port != "":
		return port
	case scheme == "https":
		return "443"
	default:
		return "80"
	}
}

// Origin returns the host as an origin of scheme writes it: without the
// scheme's own port.
func (h Host) Origin(scheme string) string {
	if h.Port == portOr("", scheme) {
		return h.Name
	}
	return h.String()
}
