package clerkdev

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// oldestRefresh is how long after its iat an expired token can be refreshed: no
// longer than a session lasts.
const oldestRefresh = sessionLife

func (b *backend) handshakes() {
	b.handle("GET /v1/clients/handshake_payload", b.handshakePayload)
	b.handle("POST /v1/sessions/{session}/refresh", b.refreshSession)
}

// handshakePayload gives the directives of a nonce, once.
func (b *backend) handshakePayload(r *http.Request) (any, error) {
	directives, ok := b.takeHandshake(r.URL.Query().Get("nonce"))
	if !ok {
		return nil, refuse(http.StatusNotFound, "resource_not_found", "not found", "No handshake payload was found for this nonce")
	}
	return map[string]any{"directives": directives}, nil
}

// refresh is a request for a new token in the place of an expired one.
type refresh struct {
	session, expired, token, origin string
	claims                          map[string]any // of the expired token
}

// refreshSession mints a new token for who holds an expired one and the refresh
// token of its session (clerk.md, 2.7).
func (b *backend) refreshSession(r *http.Request) (any, error) {
	f, err := readBody(r, "format", "expired_token", "refresh_token", "request_origin", "request_headers", "request_originating_ip")
	if err != nil {
		return nil, err
	}
	f.require("expired_token", "refresh_token", "request_origin")
	q, format := refresh{session: r.PathValue("session")}, "token"
	f.text("format", &format)
	f.text("expired_token", &q.expired)
	f.text("refresh_token", &q.token)
	f.text("request_origin", &q.origin)
	if format != "token" && format != "cookie" {
		f.refuse(errValue("format", format, "token", "cookie"))
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	if code := b.refuseRefresh(&q); code != "" {
		return nil, errRefresh(code)
	}
	jwt, err := b.Mint(q.session, q.origin)
	if err != nil { // it ended in between
		return nil, errRefresh("session_refresh_inactive_session")
	}
	if format == "token" {
		return map[string]any{"object": "token", "jwt": jwt}, nil
	}
	return map[string]any{"object": "cookies", "cookies": b.refreshed(q, jwt, r.URL.Query().Get("suffixed_cookies") == "true")}, nil
}

func errRefresh(code string) *refusal {
	return refuse(http.StatusUnauthorized, code, "The session cannot be refreshed", "The session cannot be refreshed: "+strings.ReplaceAll(code, "_", " "))
}

// refreshed are the cookies of a refreshed session, as Set-Cookie lines.
func (b *backend) refreshed(q refresh, jwt string, suffixed bool) []string {
	crumbs := []crumb{b.sessionCrumb(jwt)}
	if suffixed {
		crumbs = b.twice(crumbs[0])
	}
	var lines []string
	for _, c := range append(crumbs, b.refreshCrumb(q.token)) {
		lines = append(lines, c.cookie(strings.HasPrefix(q.origin, "https://")).String())
	}
	return lines
}

// refuseRefresh returns Clerk's code for what is wrong, or "" and has then consumed
// the expired token.
func (b *backend) refuseRefresh(q *refresh) string {
	u, err := url.Parse(q.origin)
	if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != q.origin {
		return "refresh_request_origin_invalid"
	}
	header, claims, ok := b.keys.verify(q.expired)
	if !ok || header["cat"] != sessionClass {
		return "expired_session_token_invalid"
	}
	q.claims = claims
	azp, _ := claims["azp"].(string)
	sid, _ := claims["sid"].(string)
	issued, timed := claims["iat"].(float64)
	switch {
	case azp == "":
		return "expired_session_token_missing_azp"
	case sid == "":
		return "expired_session_token_missing_sid"
	case !timed:
		return "session_refresh_expired_session_token_missing_iat"
	case azp != q.origin:
		return "refresh_request_origin_azp_mismatch"
	case sid != q.session:
		return "refresh_sid_mismatch"
	}
	return b.consume(q, time.Unix(int64(issued), 0))
}

// consume looks at the session, and takes the expired token if all is well: of two
// requests with one token, one comes through.
func (b *backend) consume(q *refresh, issued time.Time) string {
	digest := sha256.Sum256([]byte(q.expired))
	b.mu.Lock()
	defer b.mu.Unlock()
	now, s := b.now(), b.state.sessions[q.session]
	switch {
	case s == nil:
		return "session_refresh_session_not_found"
	case b.state.users[s.UserID] == nil:
		return "session_refresh_user_not_found"
	case !s.live():
		return "session_refresh_inactive_session"
	case subtle.ConstantTimeCompare([]byte(q.token), []byte(s.refresh)) != 1:
		return "refresh_token_not_found"
	case now.Sub(issued) > oldestRefresh:
		return "session_refresh_expired_session_token_too_old"
	}
	if _, consumed := b.state.consumed[digest]; consumed {
		return "session_refresh_expired_session_token_consumed"
	}
	for old, at := range b.state.consumed {
		if now.Sub(at) > oldestRefresh {
			delete(b.state.consumed, old) // too old by itself now
		}
	}
	b.state.consumed[digest] = issued
	return ""
}
