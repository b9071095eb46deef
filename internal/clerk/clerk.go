// Package clerk asks Clerk's Backend API what a request has to know while its
// browser waits: a fresh token for one that has run out, what a handshake
// brought, and that a session is to end.
//
// Whatever Clerk does, nobody waits longer than one time limit, nobody makes us
// ask the same thing twice, and visitors together cannot use up the requests
// that Clerk allows an instance. No error names a token, a nonce or a key.
package clerk

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"time"

	sdk "github.com/clerk/clerk-sdk-go/v2"
	"golang.org/x/time/rate"
)

// Config is what a Client needs.
type Config struct {
	SecretKey string            // sk_test_… or sk_live_…; required
	URL       string            // the API without its version, such as https://api.clerk.com; https, or http to a loopback address
	Transport http.RoundTripper // nil is our own, which honours HTTPS_PROXY. Redirects are never followed
	Timeout   time.Duration     // of one call, from the connection to the end of the body; 0 is 3 seconds
	Now       func() time.Time  // the clock by which remembered answers grow old; nil is time.Now
	Observe   func(Call)        // called for every Call by the goroutine that made it, and should be quick; nil is nobody
}

// Call is one call of the API, made or not. An answer that is remembered or
// shared is no Call.
type Call struct {
	Endpoint string        // one of the Endpoint constants
	Code     string        // the HTTP status, such as "200", or one of the Not constants
	Duration time.Duration // 0 when nothing was sent
}

// The endpoints of a [Call].
const (
	EndpointRefresh          = "refresh"
	EndpointHandshakePayload = "handshake_payload"
	EndpointRevokeSession    = "revoke_session"
)

// The codes of a [Call] that has no status.
const (
	NotAnswered = "error"  // or not in a way that can be read
	NotTried    = "open"   // Clerk failed too often just now
	NotAllowed  = "budget" // too much was asked already
)

// How long answers are remembered. Clerk takes an expired token once, and a
// browser sends more requests before it has seen the new cookies; a nonce may be
// good for one look-up, and tabs that were opened together bring the same one.
const (
	rememberRefresh = 20 * time.Second
	rememberRefusal = 5 * time.Second
	rememberPayload = 10 * time.Second
	// A session that has ended stays so.
	rememberRevocation = time.Minute
)

// nonceTrouble is how long handshakes do without nonces after Clerk could not
// look one up: longer than a browser takes to come back from one, so that it is
// not sent for another nonce into the same trouble.
const nonceTrouble = 10 * time.Second

// Client is safe for concurrent use.
type Client struct {
	cfg     Config
	api     sdk.Backend
	breaker *breaker

	refreshes, payloads, revocations *shared

	refreshBudget, nonceBudget *rate.Limiter
	revocationBudget           *rate.Limiter
	sessions                   *visitors[string]
	visitors                   *visitors[netip.Prefix]
	trouble                    deadline // see nonceTrouble
}

// New checks the configuration. Nothing is sent.
func New(cfg Config) (*Client, error) {
	cfg = withDefaults(cfg)
	if err := check(cfg); err != nil {
		return nil, err
	}
	u, _ := url.Parse(cfg.URL) // checked
	q := quotaOf(cfg.SecretKey)
	return &Client{
		cfg: cfg,
		api: sdk.NewBackend(&sdk.BackendConfig{
			HTTPClient: newClient(cfg.Transport),
			URL:        sdk.String(u.Scheme + "://" + u.Host + "/v1"),
			Key:        sdk.String(cfg.SecretKey),
		}),
		breaker:       newBreaker(),
		refreshes:     newShared(EndpointRefresh, cfg.Now, refreshLife),
		payloads:      newShared(EndpointHandshakePayload, cfg.Now, payloadLife),
		revocations:   newShared(EndpointRevokeSession, cfg.Now, revocationLife),
		refreshBudget: q.refreshes.limiter(),
		nonceBudget:   q.nonces.limiter(),

		revocationBudget: q.revocations.limiter(),
		sessions:         newVisitors[string](q.session),
		visitors:         newVisitors[netip.Prefix](q.misses),
	}, nil
}

// Refresh asks for a fresh token and returns the Set-Cookie lines that carry it,
// as Clerk wrote them. One session that needs too many is not asked about any more for
// a while. Requests with the same session, expired token, refresh
// token and origin share one call and its answer. ctx ends the waiting and not
// the call, which others wait for too. The error is an *[Error].
func (c *Client) Refresh(ctx context.Context, r Refresh) ([]string, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	return c.refreshes.get(ctx, r.key(), func(ctx context.Context) ([]string, *Error) {
		leave, ok := c.sessions.enter(r.SessionID)
		if !ok {
			return nil, c.unsent(EndpointRefresh, NotAllowed)
		}
		fresh := &refreshed{}
		err := c.ask(ctx, c.refreshBudget, call{
			endpoint: EndpointRefresh, method: http.MethodPost, path: r.path(), params: r.params(), reply: fresh,
		})
		leave(err == nil || err.refused())
		return fresh.Lines, err
	})
}

// nonceForm is of characters that a query carries as they are.
var nonceForm = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,512}$`)

// HandshakePayload returns the Set-Cookie lines that a handshake left under nonce.
// Look-ups that find nothing cost client: who asks for too many of them is not
// asked about any more for a while. The error is an *[Error].
func (c *Client) HandshakePayload(ctx context.Context, nonce string, client netip.Addr) ([]string, error) {
	if !nonceForm.MatchString(nonce) {
		return nil, &Error{Endpoint: EndpointHandshakePayload, Code: codeNotFound, Cause: errNonceForm}
	}
	return c.payloads.get(ctx, keyOf(nonce), func(ctx context.Context) ([]string, *Error) {
		leave, ok := c.visitors.enter(prefixOf(client))
		if !ok {
			return nil, c.unsent(EndpointHandshakePayload, NotAllowed)
		}
		lines, err := c.lookUp(ctx, nonce)
		leave(err != nil && err.refused())
		if err != nil && err.troublesNonces() {
			c.trouble.extend(time.Now().Add(nonceTrouble))
		}
		return lines, err
	})
}

func (c *Client) lookUp(ctx context.Context, nonce string) ([]string, *Error) {
	brought := &payload{}
	err := c.ask(ctx, c.nonceBudget, call{
		endpoint: EndpointHandshakePayload, method: http.MethodGet, path: "/clients/handshake_payload?nonce=" + nonce, reply: brought,
	})
	return brought.Lines, err
}

// NoncesWork reports whether a nonce could be looked up now for client. While it
// could not, a handshake is better asked for a token, which needs no look-up.
func (c *Client) NoncesWork(client netip.Addr) bool {
	now := time.Now()
	return c.visitors.welcomes(prefixOf(client)) && !c.breaker.blocks(now) && c.nonceBudget.TokensAt(now) >= 1 && !c.trouble.ahead(now)
}

// RevokeSession ends a session at Clerk; no new token is made for it. The error is
// an *[Error], with the status 404 when Clerk knows no such session. The call goes
// on when ctx ends: who has asked to be out is to be out.
func (c *Client) RevokeSession(ctx context.Context, sessionID string) error {
	if !sessionForm.MatchString(sessionID) {
		return &Error{Endpoint: EndpointRevokeSession, Code: codeNotFound, Cause: errSessionForm}
	}
	_, err := c.revocations.get(ctx, keyOf(sessionID), func(ctx context.Context) ([]string, *Error) {
		return nil, c.ask(ctx, c.revocationBudget, call{
			endpoint: EndpointRevokeSession, method: http.MethodPost, path: "/sessions/" + url.PathEscape(sessionID) + "/revoke",
			params: &struct{ sdk.APIParams }{}, reply: &session{wanted: sessionID},
		})
	})
	return err
}

func refreshLife(err *Error) time.Duration {
	switch {
	case err == nil:
		return rememberRefresh
	case err.refused():
		return rememberRefusal
	default:
		return 0 // a failure of Clerk's; the breaker knows what to do
	}
}

func revocationLife(err *Error) time.Duration {
	if err == nil || err.refused() {
		return rememberRevocation
	}
	return 0
}

func payloadLife(err *Error) time.Duration {
	if err == nil || err.Status == http.StatusNotFound || err.Code == CodeNothing {
		return rememberPayload
	}
	return 0
}

func (c *Client) observe(endpoint, code string, took time.Duration) {
	if c.cfg.Observe != nil {
		c.cfg.Observe(Call{Endpoint: endpoint, Code: code, Duration: took})
	}
}

// unsent is the end of a call that was not made.
func (c *Client) unsent(endpoint, code string) *Error {
	c.observe(endpoint, code, 0)
	cause := errBudget
	if code == NotTried {
		cause = errOpen
	}
	return &Error{Endpoint: endpoint, Code: CodeFetch, Cause: cause}
}

// codeOf is what a Call says about a call that was made.
func codeOf(status int, err *Error) string {
	unreadable := err != nil && err.Code == CodeUnexpected && status < 300
	if status < 100 || status > 599 || unreadable {
		return NotAnswered
	}
	return strconv.Itoa(status)
}
