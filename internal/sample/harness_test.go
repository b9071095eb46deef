package sample_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/headers"
	"github.com/manageros/authproxy/internal/sample"
	"github.com/manageros/authproxy/internal/session"
)

// at is when everything here happens.
var at = time.Date(2026, 11, 22, 21, 40, 0, 0, time.UTC)

// bench is the sample app with a proxy of a few lines between its two sides: it
// believes every token. What the real one believes is tested elsewhere.
type bench struct {
	t       *testing.T
	app     *sample.Sample
	mapping *headers.Mapping
	// between sees the request as it is forwarded, to be a proxy with a fault.
	between func(h http.Header)
	// fresh is the payload of the token that the proxy gets in the place of the
	// client's; "" is none.
	fresh string
}

func newBench(t *testing.T, mapping string) *bench {
	t.Helper()
	m, err := headers.ParseMapping(mapping)
	if err != nil {
		t.Fatal(err)
	}
	app, err := sample.New(sample.Config{Mapping: m, Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	return &bench{t: t, app: app, mapping: m}
}

// get asks for path with header fields by name and value.
func (b *bench) get(path string, fields ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(fields); i += 2 {
		r.Header[fields[i]] = append(r.Header[fields[i]], fields[i+1])
	}
	w := httptest.NewRecorder()
	b.app.Watch(http.HandlerFunc(b.proxy)).ServeHTTP(w, r)
	return w
}

func (b *bench) proxy(w http.ResponseWriter, r *http.Request) {
	owner, err := headers.NewOwner(headers.OwnerConfig{Mapped: b.mapping.Headers()})
	if err != nil {
		b.t.Fatal(err)
	}
	asserted, claims := headers.Anonymous(), claimsOf(r)
	if b.fresh != "" {
		claims = authproxy.Claims(b.fresh)
		w.Header().Add("Set-Cookie", cookieOf(b.fresh)+"; Path=/")
		w.Header().Add("Set-Cookie", "__session_suffix00="+mint(b.fresh)+"; Path=/")
	}
	if strings.Contains(string(claims), `"sub"`) {
		asserted = b.assert(claims)
	}
	owner.Strip(r.Header)
	session.StripCookies(r.Header)
	r.Header.Del("Authorization")
	r.Header.Set("X-Forwarded-Host", r.Host)
	for _, f := range asserted {
		r.Header.Set(f.Name, f.Value)
	}
	if b.between != nil {
		b.between(r.Header)
	}
	b.app.ServeHTTP(w, r)
}

func (b *bench) assert(claims authproxy.Claims) []authproxy.Field {
	var id struct {
		Sub, Sid string
		Act      *struct{ Sub string }
	}
	if err := json.Unmarshal(claims, &id); err != nil {
		b.t.Fatal(err)
	}
	identity := &authproxy.Identity{UserID: id.Sub, SessionID: id.Sid}
	if id.Act != nil {
		identity.Actor = &authproxy.Actor{UserID: id.Act.Sub}
	}
	mapped, err := b.mapping.Render(claims)
	if err != nil {
		b.t.Fatal(err)
	}
	fields, err := b.mapping.Assert(identity, mapped)
	if err != nil {
		b.t.Fatal(err)
	}
	return fields
}

// claimsOf finds the session as the real proxy does: the bearer, else the
// suffixed cookie, else the plain one.
func claimsOf(r *http.Request) authproxy.Claims {
	text, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	for _, name := range []string{"__session_suffix00", "__session"} {
		if c, err := r.Cookie(name); err == nil && !found {
			text, found = c.Value, true
		}
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil
	}
	return claims
}

// ada is signed in, her token half used up.
const ada = `{"sub":"user_ada","sid":"sess_ada","iat":1795383570,"exp":1795383630,` +
	`"role":"manager","organizationName":"Müller GmbH","organizationId":null}`

func mint(payload string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"RS256","kid":"ins_1"}`)) + "." + encode([]byte(payload)) + "." + encode([]byte("signature"))
}

func cookieOf(payload string) string { return "__session=" + mint(payload) }

// answer is what GET /echo says.
type answer struct {
	Known    bool `json:"known"`
	SignedIn bool `json:"signed_in"`
	Received []struct{ Header, Claim, Value, Raw, Note string }
	Sent     []struct {
		Name    string
		Values  []string
		Outcome string
		Arrived []struct{ Name, Value string }
	}
	KeptBack []struct{ Name, Part, Value, Why string } `json:"kept_back"`
	RanOut   *int64                                    `json:"ran_out"`
}

func (b *bench) echo(fields ...string) answer {
	b.t.Helper()
	w := b.get("/echo", fields...)
	var a answer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		b.t.Fatalf("%v in %s", err, w.Body)
	}
	return a
}

// outcome is what became of the field with this name.
func (a answer) outcome(name string) string {
	for _, s := range a.Sent {
		if s.Name == name {
			return s.Outcome
		}
	}
	return "not sent"
}
