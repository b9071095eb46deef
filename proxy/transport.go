package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	copyBuffer = 32 << 10
	// maxIdleConns is per upstream, and there is one.
	maxIdleConns = 256
	// idleConnTimeout is shorter than the five seconds after which Node closes
	// an idle connection: a request sent into a closing connection fails, and
	// only a safe one may be sent again.
	idleConnTimeout  = 4 * time.Second
	handshakeTimeout = 10 * time.Second
	continueTimeout  = time.Second
	maxResponseHead  = 1 << 20
)

// newTransport connects to the upstream and to nothing else. HTTP/1.1 only; no
// proxy of the environment (SSRF-06); no compression of our own, which would
// change the bytes and inflate what the upstream did not (DOS-16).
func newTransport(cfg Config) (*http.Transport, url.URL, error) {
	base, network, address, err := locate(cfg.Upstream)
	if err != nil {
		return nil, url.URL{}, err
	}
	dialer := &net.Dialer{Timeout: cfg.UpstreamTimeout}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.UpstreamTLS != nil {
		tlsConfig = cfg.UpstreamTLS.Clone()
	}
	return &http.Transport{
		Proxy: nil,
		DialContext: func(ctx context.Context, _, hostPort string) (net.Conn, error) {
			to := address
			if to == "" {
				to = hostPort
			}
			conn, err := dialer.DialContext(ctx, network, to)
			if err != nil {
				return nil, err
			}
			return &upstreamConn{conn, cfg.UpstreamTimeout}, nil
		},
		TLSClientConfig:        tlsConfig,
		TLSHandshakeTimeout:    min(handshakeTimeout, cfg.UpstreamTimeout),
		Protocols:              protocols,
		DisableCompression:     true,
		MaxIdleConns:           maxIdleConns,
		MaxIdleConnsPerHost:    maxIdleConns,
		IdleConnTimeout:        idleConnTimeout,
		ResponseHeaderTimeout:  cfg.UpstreamTimeout,
		ExpectContinueTimeout:  continueTimeout,
		MaxResponseHeaderBytes: maxResponseHead,
	}, base, nil
}

// locate says what to write in URLs and where to connect; an empty address is
// that of the URL.
func locate(u *url.URL) (base url.URL, network, address string, err error) {
	switch {
	case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return base, "", "", errors.New("only a scheme and an address, please")
	case u.Scheme == "unix":
		if u.Path == "" || u.Host != "" {
			return base, "", "", errors.New("a socket is written unix:///path")
		}
		return url.URL{Scheme: "http", Host: "unix"}, "unix", u.Path, nil
	case u.Scheme != "http" && u.Scheme != "https":
		return base, "", "", fmt.Errorf("scheme %q is not one of http, https, unix", u.Scheme)
	case u.Hostname() == "" || (u.Path != "" && u.Path != "/"):
		return base, "", "", errors.New("a host and no path, please")
	}
	return url.URL{Scheme: u.Scheme, Host: u.Host}, "tcp", "", nil
}

// upstreamConn gives every write a deadline of its own. The transport's
// ResponseHeaderTimeout starts only when the request is out, so an upstream that
// does not read a body would hold it for ever.
type upstreamConn struct {
	net.Conn
	timeout time.Duration
}

func (c *upstreamConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// CloseWrite lets the end of one direction of a tunnel through.
func (c *upstreamConn) CloseWrite() error { return closeWrite(c.Conn) }

// buffers lends the buffers that answers are copied with.
type buffers struct{ pool sync.Pool }

// Get implements httputil.BufferPool.
func (b *buffers) Get() []byte {
	if p, had := b.pool.Get().(*[copyBuffer]byte); had {
		return p[:]
	}
	return make([]byte, copyBuffer)
}

// Put implements httputil.BufferPool.
func (b *buffers) Put(p []byte) { b.pool.Put((*[copyBuffer]byte)(p)) }
