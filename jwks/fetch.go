package jwks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// fetcher gets the document at one URL. Nothing in it depends on a request.
type fetcher struct {
	url     string
	client  *http.Client
	timeout time.Duration // for the whole of a fetch, the body included
}

// fetchError is a failed fetch with its word of FetchOutcomes.
type fetchError struct {
	outcome string
	cause   error
}

// Error bounds the text: part of it may be what a server sent.
func (e *fetchError) Error() string { return clip("jwks: "+e.outcome+": "+e.cause.Error(), 256) }

func (e *fetchError) Unwrap() error { return e.cause }

// get returns the document, or a *fetchError.
func (f *fetcher) get(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url, nil)
	if err != nil {
		return nil, &fetchError{FetchNetwork, err}
	}
	request.Header.Set("User-Agent", "authproxy")
	request.Header.Set("Accept", "application/jwk-set+json, application/json") // RFC 7517 section 8.5.2
	response, err := f.client.Do(request)
	if err != nil {
		return nil, &fetchError{FetchNetwork, withoutURL(err)}
	}
	defer func() { _ = response.Body.Close() }() // the body was read as far as it matters
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return nil, &fetchError{FetchHTTPStatus, fmt.Errorf("the key server answered %d", response.StatusCode)}
	}
	return readBody(response.Body)
}

// readBody bounds what is read, not what is announced; a compressed body is
// bounded by what it unpacks to.
func readBody(body io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(body, MaxBody+1)) //nolint:forbidigo // MaxBody bounds it
	switch {
	case err != nil:
		return nil, &fetchError{FetchNetwork, err}
	case len(data) > MaxBody:
		return nil, &fetchError{FetchTooLarge, fmt.Errorf("the document has more than %d bytes", MaxBody)}
	}
	return data, nil
}

// withoutURL drops the URL that net/http puts in front: the configuration
// names it already, and its query might be a secret.
func withoutURL(err error) error {
	var outer *url.Error
	if errors.As(err, &outer) {
		return outer.Err
	}
	return err
}

// newClient makes the client that is used when none is given. Connections are
// not kept: the next fetch is minutes away, and asks DNS anew.
func newClient(timeout time.Duration) *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: timeout}).DialContext,
		TLSHandshakeTimeout:    timeout,
		ResponseHeaderTimeout:  timeout,
		MaxResponseHeaderBytes: 64 << 10,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
	}}
}

// withoutRedirects returns a copy of client that takes a redirect for the
// answer: keys come from the configured URL or not at all (CVE-2026-32301,
// where a redirect led to a metadata service).
func withoutRedirects(client *http.Client) *http.Client {
	c := *client
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// checkURL lets through https, and http to a loopback address. Its errors do
// not repeat the URL, whose query might be a secret.
func checkURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Hostname() == "":
		return errors.New("not an absolute URL with a host")
	case u.User != nil || u.Fragment != "":
		return errors.New("it must have no user, password or fragment")
	case u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	}
	return errors.New("it must be https, or http to a loopback address")
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
