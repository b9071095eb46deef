package config

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// parseURL reads an absolute URL with a host and without credentials. It says
// nothing of what net/url says, which repeats pieces of a password.
func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Scheme == "" || u.Opaque != "":
		return nil, wrong(quote(raw)+" is not a URL", "write it with its scheme, for example https://"+exampleHost(raw))
	case u.User != nil:
		return nil, wrong("holds credentials", "remove what stands before the @")
	case u.Host == "":
		return nil, wrong(quote(raw)+" names no host", "write scheme://host")
	}
	if _, ok := plainHost(u.Hostname()); !ok {
		return nil, wrong(quote(raw)+" has a host that is neither a name nor an IP address", "write names beyond ASCII in their xn-- form")
	}
	if !plainPort(u.Port()) || strings.HasSuffix(u.Host, ":") {
		return nil, wrong(quote(raw)+" has a port that is none", "a port is a number from 1 to 65535")
	}
	return u, nil
}

// exampleHost completes a hint: the value itself when it looks like a host.
func exampleHost(raw string) string {
	if host, err := parseHost(raw); err == nil {
		return host
	}
	return "app.example.com"
}

// parseHost reads host or host:port and returns it in lower case.
func parseHost(raw string) (string, error) {
	var host, port string
	if strings.Count(raw, ":") == 1 || strings.Contains(raw, "]:") {
		var err error
		if host, port, err = net.SplitHostPort(raw); err != nil || port == "" {
			return "", wrong(quote(raw)+" is neither a host nor host:port", "")
		}
	} else {
		host = strings.TrimSuffix(strings.TrimPrefix(raw, "["), "]")
	}
	host, ok := plainHost(host)
	if !ok || !plainPort(port) {
		return "", wrong(quote(raw)+" is neither a host nor host:port", "write for example app.internal or app.internal:4180")
	}
	return joinHost(host, port), nil
}

// joinHost puts together what Host headers and origins call a host.
func joinHost(host, port string) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port == "" {
		return host
	}
	return host + ":" + port
}

// plainPort accepts the empty port as well.
func plainPort(port string) bool {
	if port == "" {
		return true
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0 && port[0] != '0' // one spelling, so that ports can be compared
}

// plainHost returns a host name in lower case, or an IP address in its usual
// form and without brackets. A name that ends in a number is an IPv4 address
// to a browser (WHATWG URL, "ends in a number checker"), so it must be one.
func plainHost(host string) (string, bool) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.String(), ip.Zone() == ""
	}
	host = strings.ToLower(host)
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return "", false
		}
	}
	last := labels[len(labels)-1]
	return host, len(host) <= 253 && strings.Trim(last, "0123456789") != ""
}

// loopback reports whether a host can only be this machine.
func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || (err == nil && ip.Unmap().IsLoopback())
}

// addresses returns what a host stands for as far as it is known without
// asking anybody: the addresses of localhost, or itself.
func addresses(host string) []netip.Addr {
	if strings.EqualFold(host, "localhost") {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip.Unmap()}
	}
	return nil
}
