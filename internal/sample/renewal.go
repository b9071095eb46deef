package sample

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// renewal is what became of a session token that had run out when the client sent
// it: the identity that arrived is a fresh one's.
type renewal struct {
	ranOut    time.Time
	handshake bool // the browser went to Clerk and back; else the proxy did it on the way
}

// seconds is how long the token had been dead.
func (n *renewal) seconds(now time.Time) int64 { return int64(now.Sub(n.ranOut) / time.Second) }

// ago is that for people.
func (n *renewal) ago(now time.Time) string {
	count, unit := n.seconds(now), "second"
	switch {
	case count >= 2*60*60:
		count, unit = count/(60*60), "hour"
	case count >= 2*60:
		count, unit = count/60, "minute"
	}
	if count != 1 {
		unit += "s"
	}
	return fmt.Sprint(count, " ", unit, " ago")
}

// freshTokens lists the session tokens that the head of an answer sets.
func freshTokens(h http.Header) []*token {
	var found []*token
	for _, c := range (&http.Response{Header: h}).Cookies() {
		if t, ok := readToken(c.Value); ok && sessionCookie(c.Name) {
			found = append(found, t)
		}
	}
	return found
}

// deadSince finds when a session's token ran out, if one was sent that had.
func deadSince(sent http.Header, sessionID string, now time.Time) (time.Time, bool) {
	for _, t := range tokens(sent) {
		if t.text("sid") == sessionID && t.ranOut(now) {
			return t.time("exp"), true
		}
	}
	return time.Time{}, false
}

// hear waits until the head of the answer went by, in which the token may be that
// the identity is of. The proxy makes it from the application's own, which therefore
// goes out before there is anything to say.
func (s *Sample) hear(w http.ResponseWriter, r *http.Request) {
	p, known := s.seen.get(r.Header)
	if !known {
		return
	}
	w.WriteHeader(http.StatusOK)
	if http.NewResponseController(w).Flush() != nil {
		return // the client went away
	}
	select {
	case <-p.headed:
	case <-r.Context().Done():
	}
}

// heard is what hear waited for.
func (p *passage) heard() []*token {
	select {
	case <-p.headed:
		return p.fresh
	default:
		return nil
	}
}

// maxTrips bounds how many browsers are awaited.
const maxTrips = 32

// trips are the browsers that are on their way back from Clerk with a handshake. In
// development the proxy sends them on to the address without it (clerk.md, 2.9), so
// that the request that gets the page has a good token and is like any other.
type trips struct {
	mu      sync.Mutex
	awaited []*trip // oldest first
}

type trip struct {
	token  [3]string // with which the browser comes
	where  string    // path and query
	ranOut time.Time // when the token did with which it had left
}

// begin notes that the answer to a request sends a browser on that had a dead token
// and has a fresh one.
func (l *trips) begin(r *http.Request, p *passage, answer http.Header, now time.Time) {
	to, err := url.Parse(answer.Get("Location"))
	if err != nil || answer.Get("Location") == "" {
		return
	}
	next := trip{where: to.RequestURI()}
	switch query := r.URL.Query(); {
	case p.back != nil: // on once more
		next.token, next.ranOut = p.back.token, p.back.ranOut
	case len(p.fresh) > 0 && (query.Has("__clerk_handshake") || query.Has("__clerk_handshake_nonce")):
		end, dead := deadSince(p.sent, p.fresh[0].text("sid"), now)
		if !dead {
			return
		}
		next.token, next.ranOut = p.fresh[0].parts, end
	default:
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.awaited = append(l.awaited, &next)
	l.awaited = slices.Delete(l.awaited, 0, max(0, len(l.awaited)-maxTrips))
}

// end finds the browser that comes back with r; nil when none does. It is awaited no
// longer: one page load is told, and no other.
func (l *trips) end(r *http.Request) *trip {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.awaited) == 0 {
		return nil
	}
	sent := tokens(r.Header)
	n := slices.IndexFunc(l.awaited, func(one *trip) bool {
		return one.where == r.URL.RequestURI() && slices.ContainsFunc(sent, func(t *token) bool { return t.parts == one.token })
	})
	if n < 0 {
		return nil
	}
	back := l.awaited[n]
	l.awaited = slices.Delete(l.awaited, n, n+1)
	return back
}
