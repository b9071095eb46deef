package config

import (
	"crypto/x509"
	"net/url"
	"strings"
)

const upstreamExample = "AUTHPROXY_UPSTREAM=http://127.0.0.1:3000"

func (l *loader) upstream(s *settings, c *Config) {
	const name = "AUTHPROXY_UPSTREAM"
	if s.Upstream == "" {
		l.add(name, "is not set", "add the line "+upstreamExample+" with the address of the application")
	} else if u, err := parseUpstream(s.Upstream); err != nil {
		l.addError(name, err)
	} else if listener := itself(u, c.Listen); listener != "" {
		l.add(name, "is the proxy itself: that is where "+listener+" listens", "name the address of the application, on another port")
	} else {
		c.Upstream.URL = u
		l.set(name, u.String())
	}
	l.upstreamCA(s, c)
}

func parseUpstream(raw string) (*url.URL, error) {
	if scheme, rest, found := strings.Cut(raw, ":"); found {
		switch strings.ToLower(scheme) {
		case "unix":
			return parseSocket(rest)
		case "h2c":
			return nil, wrong("h2c:// is not in this version", "write http://")
		}
	}
	if host, err := parseHost(raw); err == nil {
		return nil, wrong(quote(raw)+" has no scheme", "write AUTHPROXY_UPSTREAM=http://"+host)
	}
	u, err := parseURL(raw)
	switch {
	case err != nil:
		return nil, err
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, wrong(quote(raw)+" is none of http, https and unix", "write for example "+upstreamExample)
	case strings.TrimSuffix(u.Path, "/") != "":
		return nil, wrong(quote(raw)+" has a path", "paths go to the upstream as they came: write "+originOf(u).String())
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(raw, "#"):
		return nil, wrong(quote(raw)+" has a query or a fragment", "write "+originOf(u).String())
	}
	origin := originOf(u)
	return &url.URL{Scheme: origin.Scheme, Host: origin.Host}, nil
}

// parseSocket reads what follows "unix:".
func parseSocket(rest string) (*url.URL, error) {
	const hint = "write unix:// and the absolute path of the socket, for example unix:///run/app.sock"
	const longest = 107 // sun_path of Linux, without its final NUL
	path, found := strings.CutPrefix(rest, "//")
	switch {
	case !found || !strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/"):
		return nil, wrong(quote("unix:"+rest)+" does not name a socket", hint)
	case strings.ContainsAny(path, "?#%\x00"):
		return nil, wrong(quote("unix:"+rest)+" is more than a path", hint)
	case len(path) > longest:
		return nil, wrong("names a socket with a path of more than 107 bytes", "the system knows no longer ones")
	}
	return &url.URL{Scheme: "unix", Path: path}, nil
}

// itself returns the name of the listener that requests to the upstream would
// come back to; "" when there is none.
func itself(u *url.URL, listen Listen) string {
	port := u.Port() // a socket has none, and so reaches nothing
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	own := ownAddresses()
	switch {
	case reaches(u.Hostname(), port, listen.Data, own):
		return "AUTHPROXY_LISTEN"
	case reaches(u.Hostname(), port, listen.Admin, own):
		return "AUTHPROXY_ADMIN_LISTEN"
	default:
		return ""
	}
}

func (l *loader) upstreamCA(s *settings, c *Config) {
	const name = "AUTHPROXY_UPSTREAM_CA_FILE"
	if s.UpstreamCAFile == "" {
		return
	}
	if c.Upstream.URL != nil && c.Upstream.URL.Scheme != "https" {
		l.add(name, "is set, but the upstream is not https", "remove it, or write AUTHPROXY_UPSTREAM=https://...")
		return
	}
	pem, err := readFile(s.UpstreamCAFile)
	if err != nil {
		l.addError(name, err)
		return
	}
	if !x509.NewCertPool().AppendCertsFromPEM(pem) {
		l.add(name, "holds no certificate", "it must be a PEM file with the CA's certificate")
		return
	}
	c.Upstream.CAFile = s.UpstreamCAFile
}
