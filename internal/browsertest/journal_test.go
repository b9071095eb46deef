package browsertest_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/manageros/authproxy/internal/clerkdev"
)

// organizationHeader is the active organisation, as the application hears of it.
const organizationHeader = "X-Auth-Org"

// entry is one thing that happened.
type entry struct {
	mark    string   // what the script said; "" for what follows
	arrival *arrival // at the application
	answer  *answer  // to the browser
}

// arrival is a request as the application got it.
type arrival struct {
	method, path               string
	page                       bool // a page load
	status                     string
	user, session              string
	organization               string
	cookies, contentType, body string
}

// answer is what the browser was given.
type answer struct {
	method, path string
	page         bool
	whole        bool // else it was cut off
	status       int
	header       http.Header
}

func (e entry) String() string {
	switch {
	case e.mark != "":
		return "-- " + e.mark
	case e.arrival != nil:
		return fmt.Sprintf("   %s %s arrives: %s %s %s", e.arrival.method, e.arrival.path, e.arrival.status, e.arrival.user, e.arrival.organization)
	default:
		a := e.answer
		cut := map[bool]string{false: " CUT OFF"}[a.whole]
		return fmt.Sprintf("%d%s %s %s %s %s", a.status, cut, a.method, a.path, a.header.Get("X-Clerk-Auth-Reason"), a.header.Get("Location"))
	}
}

// journal is what happened, in order.
type journal struct {
	mu      sync.Mutex
	entries []entry
}

func (j *journal) add(e entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, e)
}

func (j *journal) mark(name string) { j.add(entry{mark: name}) }

func (j *journal) all() []entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.entries)
}

func (j *journal) String() string {
	var b strings.Builder
	for _, e := range j.all() {
		fmt.Fprintln(&b, e)
	}
	return b.String()
}

// between returns what happened from each mark from to the next mark to.
func (j *journal) between(t *testing.T, from, to string) [][]entry {
	t.Helper()
	var spans [][]entry
	var span []entry
	inside := false
	for _, e := range j.all() {
		switch {
		case e.mark == from:
			inside, span = true, nil
		case e.mark == to && inside:
			inside, spans = false, append(spans, span)
		case inside:
			span = append(span, e)
		}
	}
	if inside || len(spans) == 0 {
		t.Errorf("%q is not followed by %q:\n%s", from, to, j)
	}
	return spans
}

// span is the only one between two marks.
func (j *journal) span(t *testing.T, from, to string) []entry {
	t.Helper()
	spans := j.between(t, from, to)
	if len(spans) != 1 {
		t.Fatalf("%d times from %q to %q:\n%s", len(spans), from, to, j)
	}
	return spans[0]
}

func isPage(r *http.Request) bool {
	return slices.Contains([]string{"document", "iframe"}, r.Header.Get("Sec-Fetch-Dest"))
}

// watch notes what the browser is given.
func (j *journal) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen, whole := &seeing{ResponseWriter: w}, false
		defer func() {
			j.add(entry{answer: &answer{r.Method, r.URL.RequestURI(), isPage(r), whole, seen.status, seen.header}})
		}()
		next.ServeHTTP(seen, r)
		whole = true
	})
}

// seeing keeps the head of an answer.
type seeing struct {
	http.ResponseWriter
	status int
	header http.Header
}

func (s *seeing) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *seeing) WriteHeader(status int) {
	if s.status < http.StatusOK {
		s.status, s.header = status, s.Header().Clone()
	}
	s.ResponseWriter.WriteHeader(status)
}

func (s *seeing) Write(p []byte) (int, error) {
	if s.status == 0 {
		s.WriteHeader(http.StatusOK)
	}
	return s.ResponseWriter.Write(p)
}

// counted is what a span of a signed-in person came to.
type counted struct{ pages, others, handshakes, refreshes int }

func (c *counted) add(other counted) {
	c.pages += other.pages
	c.others += other.others
	c.handshakes += other.handshakes
	c.refreshes += other.refreshes
}

func (c counted) String() string {
	return fmt.Sprintf("%d page loads and %d other requests arrived, all signed in; %d sessions came back by handshake, %d by silent refresh",
		c.pages, c.others, c.handshakes, c.refreshes)
}

// signedIn judges a span in which somebody is signed in: nothing arrives as
// nobody, no page load is refused or sent anywhere but to a handshake and back,
// and nothing else is refused either.
func signedIn(t *testing.T, span []entry, user string) (c counted) {
	t.Helper()
	for _, e := range span {
		if a := e.arrival; a != nil {
			if a.status != "authenticated" || a.user != user {
				t.Errorf("%s %s arrives as %q (%s)", a.method, a.path, a.user, a.status)
			}
			if a.page {
				c.pages++
			} else {
				c.others++
			}
		}
		a := e.answer
		switch {
		case a != nil && !a.whole:
			t.Errorf("the answer to %s %s is cut off", a.method, a.path)
		case a == nil || strings.HasPrefix(a.path, clerkdev.FrontendPath):
		case a.status == http.StatusTemporaryRedirect && a.header.Get("X-Clerk-Auth-Status") == "handshake":
			if strings.Contains(a.header.Get("Location"), "/v1/client/handshake?") {
				c.handshakes++
			}
		case a.status != http.StatusOK && a.status != http.StatusSeeOther && a.status != http.StatusNotModified:
			t.Errorf("%s %s is answered with %d %s to %q", a.method, a.path, a.status, a.header.Get("X-Clerk-Auth-Reason"), a.header.Get("Location"))
		case renews(a.header) && !strings.Contains(strings.Join(a.header["Set-Cookie"], "\n"), "__client_uat="):
			c.refreshes++ // a handshake brings __client_uat, too
		}
	}
	return c
}

// renews reports whether an answer brings a session cookie.
func renews(h http.Header) bool {
	return slices.ContainsFunc(h["Set-Cookie"], func(line string) bool { return strings.HasPrefix(line, "__session=ey") })
}

// bothSides: an answer of the application in which we renewed the session brings
// the cookies of both, and no cache may keep it (issue 3.5).
func bothSides(t *testing.T, entries []entry) (seen int) {
	t.Helper()
	for _, e := range entries {
		a := e.answer
		if a == nil || strings.HasPrefix(a.path, clerkdev.FrontendPath) || a.header.Get("X-App") == "" || !renews(a.header) {
			continue
		}
		seen++
		if !slices.ContainsFunc(a.header["Set-Cookie"], func(line string) bool { return strings.HasPrefix(line, "app_visit=") }) {
			t.Errorf("%s %s lost the application's cookie: %q", a.method, a.path, a.header["Set-Cookie"])
		}
		if got := a.header["Cache-Control"]; len(got) != 1 || got[0] != "private, no-store" {
			t.Errorf("%s %s: Cache-Control is %q", a.method, a.path, got)
		}
		if vary := strings.Join(a.header["Vary"], ","); !strings.Contains(vary, "Cookie") || !strings.Contains(vary, "Accept-Language") {
			t.Errorf("%s %s: Vary is %q", a.method, a.path, vary)
		}
	}
	return seen
}
