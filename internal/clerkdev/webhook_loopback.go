package clerkdev

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// CheckEndpoint says why a URL cannot be an endpoint: the emulator sends made-up
// people to this machine and nowhere else.
func CheckEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil:
		return fmt.Errorf("clerkdev: endpoint: %w", err)
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("clerkdev: endpoint %q: it must begin with http:// or https://", endpoint)
	case u.User != nil:
		return fmt.Errorf("clerkdev: endpoint: it must not hold a password")
	case len(loopbackAddresses(u.Hostname())) == 0:
		return fmt.Errorf("clerkdev: endpoint %q: only a loopback address, localhost or *.localhost", endpoint)
	}
	return nil
}

// loopbackAddresses are the addresses of a host that is this machine; nil means
// that it is not, or may not be. No resolver is asked: a name under localhost is
// loopback whatever DNS says (RFC 6761 §6.3), and any other can change.
func loopbackAddresses(host string) []string {
	host = strings.ToLower(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return []string{"127.0.0.1", "::1"}
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Unmap().IsLoopback() && ip.Zone() == "" {
		return []string{host}
	}
	return nil
}

// dialLoopback connects to this machine only, whatever asks for more.
func dialLoopback(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("clerkdev: webhook: %w", err)
	}
	first := fmt.Errorf("clerkdev: webhook: %q is not loopback", host)
	for n, ip := range loopbackAddresses(host) {
		conn, err := new(net.Dialer).DialContext(ctx, network, net.JoinHostPort(ip, port))
		if err == nil {
			return conn, nil
		}
		if n == 0 {
			first = err
		}
	}
	return nil, first
}
