package clerk

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// maxBody bounds an answer. Clerk's are a few KiB.
const maxBody = 1 << 20

// exchange is what the transport saw of a call, which goes with its context.
type exchange struct {
	status     int // 0: no answer
	retryAfter string
	cut        error // why the body could not be read to its end
}

type exchangeKey struct{}

// transport bounds what the SDK reads, and remembers what it forgets.
type transport struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	x, ok := r.Context().Value(exchangeKey{}).(*exchange)
	if !ok {
		x = &exchange{} // nobody looks at it
	}
	x.status, x.retryAfter = response.StatusCode, response.Header.Get("Retry-After")
	response.Body = &body{ReadCloser: http.MaxBytesReader(nil, response.Body, maxBody), exchange: x}
	return response, nil
}

// body tells its exchange when it breaks off.
type body struct {
	io.ReadCloser
	exchange *exchange
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.exchange.cut = err
	}
	return n, err
}

// newClient takes a redirect for the answer: the secret key goes to the configured
// URL or nowhere (threat SSRF-03).
func newClient(next http.RoundTripper) *http.Client {
	if next == nil {
		next = newTransport()
	}
	return &http.Client{
		Transport:     transport{next},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// newTransport keeps connections: a browser waits while a new one is made. The
// time limit of a call is that of its context.
func newTransport() http.RoundTripper {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 3 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:    3 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        90 * time.Second,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
	}
}

// retryAfter reads the field (RFC 9110 section 10.2.3): seconds, or a date. Zero
// is none that can be read.
func retryAfter(field string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(field, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(field); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
