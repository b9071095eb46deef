package clerkdev

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// APIVersion is the version of the Backend API that the emulator speaks.
const APIVersion = "2026-05-12"

// backend answers the Backend API of one Instance. What only that API sees is
// kept here.
type backend struct {
	*Instance
	limits limiter
	// creating is held while something with a name of its own is made, so that two
	// cannot take the same one.
	creating sync.Mutex
	// private holds what the API alone shows of organisations and memberships, by
	// id; guarded by Instance.mu.
	private map[string]hidden
	mux     *http.ServeMux
}

type hidden struct {
	metadata  json.RawMessage
	createdBy string // user id; organisations only
	seats     int    // organisations only; 0 is no limit
}

// Backend answers Clerk's Backend API under /v1/. It wants the secret key, keeps
// Clerk's rate limits on the instance's clock, fails when told to, and answers
// nobody but this machine. Call it once: the counts of the limits are the handler's.
func (i *Instance) Backend() http.Handler {
	b := &backend{Instance: i, private: map[string]hidden{}, mux: http.NewServeMux()}
	b.limits.now = i.cfg.Now
	b.users()
	b.organizations()
	b.sessions()
	b.handshakes()
	b.signInTokens()
	b.templates()
	b.handle("GET /v1/jwks", func(*http.Request) (any, error) { return json.RawMessage(i.JWKS()), nil })
	b.handle("/", func(*http.Request) (any, error) { return nil, errNoSuchPath() })
	return guard(i.failures.wrap(http.HandlerFunc(b.serve)))
}

// serve does what is done for every request, in Clerk's order: a wrong key is
// refused before the path is looked at.
func (b *backend) serve(w http.ResponseWriter, r *http.Request) {
	if err := b.admit(r); err != nil {
		respond(w, nil, err)
		return
	}
	// ServeMux would answer these with a redirect, and Clerk has none.
	if path.Clean(r.URL.Path) != r.URL.Path {
		respond(w, nil, errNoSuchPath())
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	b.mux.ServeHTTP(w, r)
}

func (b *backend) admit(r *http.Request) error {
	if err := b.authenticate(r.Header); err != nil {
		return err
	}
	if r.URL.Path != "/v1/jwks" { // explicitly unlimited
		if err := b.limits.take("instance", b.requestLimit()); err != nil {
			return err
		}
	}
	return checkVersion(r)
}

// requestLimit is Clerk's for all secret keys of an instance together.
func (b *backend) requestLimit() int {
	if b.cfg.Production {
		return 1000
	}
	return 100
}

func (b *backend) authenticate(h http.Header) error {
	given := h.Values("Authorization")
	if len(given) != 1 {
		return errNoKey()
	}
	key, bearer := strings.CutPrefix(given[0], "Bearer ")
	if !bearer || key == "" {
		return errNoKey()
	}
	if subtle.ConstantTimeCompare([]byte(key), []byte(b.secretKey)) != 1 {
		return errWrongKey()
	}
	return nil
}

var versionForm = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)

// checkVersion takes any date, and every answer is of [APIVersion]: an older
// client is served as well as that version can.
func checkVersion(r *http.Request) error {
	header, query := r.Header.Values("Clerk-API-Version"), r.URL.Query()["__clerk_api_version"]
	if len(header) > 0 && len(query) > 0 {
		return refuse(http.StatusBadRequest, "api_version_conflict", "conflicting API versions",
			"Give the API version in the Clerk-API-Version header or in __clerk_api_version, not in both.")
	}
	for _, version := range append(header, query...) {
		if !versionForm.MatchString(version) {
			return refuse(http.StatusBadRequest, "api_version_invalid", "invalid API version", "An API version is a date such as "+APIVersion+".")
		}
	}
	return nil
}

// handle makes answer the answer to pattern.
func (b *backend) handle(pattern string, answer func(*http.Request) (any, error)) {
	b.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		body, err := answer(r)
		respond(w, body, err)
	})
}

// respond writes body, or what err says. The media type has no parameters:
// @clerk/backend compares it as a whole.
func respond(w http.ResponseWriter, body any, err error) {
	status, trace := http.StatusOK, tokenID()
	if err != nil {
		e := asRefusal(err)
		status, body = e.status, map[string]any{"errors": e.problems, "clerk_trace_id": trace}
		if e.retryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int((e.retryAfter+time.Second-1)/time.Second)))
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Clerk-Trace-Id", trace)
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(body) // the client has gone; nobody is left to be told
}
