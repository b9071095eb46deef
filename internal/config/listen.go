package config

import (
	"crypto/tls"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

func (l *loader) listeners(s *settings, c *Listen) {
	c.Data = l.listen("AUTHPROXY_LISTEN", s.Listen)
	c.Admin = l.listen("AUTHPROXY_ADMIN_LISTEN", s.AdminListen)
	if overlap(c.Data, c.Admin) || overlap(c.Admin, c.Data) {
		l.add("AUTHPROXY_ADMIN_LISTEN", "is the same address as AUTHPROXY_LISTEN", "choose another port")
	}
	l.certificate(s, c)
}

// overlap reports whether two listeners want the same address and port.
func overlap(a, b string) bool {
	host, port, err := net.SplitHostPort(a)
	return err == nil && reaches(host, port, b, ownAddresses())
}

func (l *loader) listen(name, raw string) string {
	host, port, err := net.SplitHostPort(raw)
	if err == nil && host != "" {
		if _, ok := plainHost(host); !ok {
			err = net.InvalidAddrError("host")
		}
	}
	if n, _ := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		l.add(name, quote(raw)+" is not host:port", "write for example :4180 or 127.0.0.1:4180")
		return ""
	}
	return raw
}

func (l *loader) certificate(s *settings, c *Listen) {
	const certName, keyName = "AUTHPROXY_TLS_CERT_FILE", "AUTHPROXY_TLS_KEY_FILE"
	switch {
	case s.TLSCertFile == "" && s.TLSKeyFile == "":
		return
	case s.TLSCertFile == "":
		l.add(certName, "is not set, but "+keyName+" is", "set both or neither")
		return
	case s.TLSKeyFile == "":
		l.add(keyName, "is not set, but "+certName+" is", "set both or neither")
		return
	}
	cert, certErr := readFile(s.TLSCertFile)
	if certErr != nil {
		l.addError(certName, certErr)
	}
	key, keyErr := readFile(s.TLSKeyFile)
	if keyErr != nil {
		l.addError(keyName, keyErr)
	}
	if certErr != nil || keyErr != nil {
		return
	}
	if _, err := tls.X509KeyPair(cert, key); err != nil {
		l.add(certName, "and "+keyName+" are not a certificate and its key: "+withoutSecrets(err.Error()), "both files are PEM, the chain begins with the server's own certificate")
		return
	}
	c.TLSCertFile, c.TLSKeyFile = s.TLSCertFile, s.TLSKeyFile
}

// reaches reports whether dialling host:port ends at the listener, as far as
// that is known without asking anybody; own holds the addresses of this
// machine's interfaces.
func reaches(host, port, listener string, own []netip.Addr) bool {
	listenHost, listenPort, err := net.SplitHostPort(listener)
	if err != nil || port != listenPort || port == "0" {
		return false
	}
	if strings.EqualFold(host, listenHost) {
		return true
	}
	there := bound(listenHost)
	all := slices.ContainsFunc(there, netip.Addr.IsUnspecified)
	for _, ip := range bound(host) {
		mine := ip.IsLoopback() || ip.IsUnspecified() || slices.Contains(own, ip)
		if (all && mine) || slices.Contains(there, ip) || (ip.IsUnspecified() && slices.ContainsFunc(there, netip.Addr.IsLoopback)) {
			return true
		}
	}
	return false
}

// bound is addresses with the meaning that no host has for a listener.
func bound(host string) []netip.Addr {
	if host == "" {
		return []netip.Addr{netip.IPv6Unspecified()}
	}
	return addresses(host)
}

// ownAddresses returns the addresses of this machine's interfaces; none when
// the system does not say.
func ownAddresses() []netip.Addr {
	var own []netip.Addr
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range all {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			own = append(own, prefix.Addr().Unmap())
		}
	}
	return own
}
