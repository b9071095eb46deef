package clerkdev_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/clerkdev"
)

func TestBackendWantsTheSecretKey(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{})
	other := newAPI(t, clerkdev.Config{}).SecretKey()
	for name, c := range map[string]struct {
		header []string
		code   string
	}{
		"none":            {nil, "authorization_header_format_invalid"},
		"empty":           {[]string{""}, "authorization_header_format_invalid"},
		"no scheme":       {[]string{a.SecretKey()}, "authorization_header_format_invalid"},
		"another scheme":  {[]string{"Basic " + a.SecretKey()}, "authorization_header_format_invalid"},
		"no key":          {[]string{"Bearer "}, "authorization_header_format_invalid"},
		"two":             {[]string{"Bearer " + a.SecretKey(), "Bearer " + a.SecretKey()}, "authorization_header_format_invalid"},
		"another's":       {[]string{"Bearer " + other}, "clerk_key_invalid"},
		"one char less":   {[]string{"Bearer " + a.SecretKey()[:len(a.SecretKey())-1]}, "clerk_key_invalid"},
		"publishable key": {[]string{"Bearer " + a.Named().PublishableKey}, "clerk_key_invalid"},
	} {
		for _, path := range []string{"/v1/users", "/v1/jwks", "/v1/nothing", "/"} {
			r := a.request("GET", path, "")
			r.Header["Authorization"] = c.header
			got := a.send(r)
			if a.checkError(got, http.StatusUnauthorized, c.code); strings.Contains(got.raw, a.SecretKey()) {
				t.Errorf("%s %s: the answer holds the key", name, path)
			}
		}
	}
}

func TestBackendIsForThisMachine(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{})
	r := a.request("GET", "/v1/users", "")
	r.Host = "clerk.example.com"
	if got := a.send(r); got.status != http.StatusMisdirectedRequest {
		t.Errorf("a public name is answered with %d", got.status)
	}
}

func TestBackendVersion(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{})
	for name, c := range map[string]struct {
		header, query string
		status        int
	}{
		"none": {"", "", 200}, "header": {clerkdev.APIVersion, "", 200}, "query": {"", clerkdev.APIVersion, 200}, "older": {"2025-04-10", "", 200},
		"both": {clerkdev.APIVersion, clerkdev.APIVersion, 400}, "no date": {"v1", "", 400}, "no date in the query": {"", "latest", 400},
	} {
		target := "/v1/users"
		if c.query != "" {
			target += "?__clerk_api_version=" + c.query
		}
		r := a.request("GET", target, "")
		if c.header != "" {
			r.Header.Set("Clerk-API-Version", c.header)
		}
		if got := a.send(r); got.status != c.status {
			t.Errorf("%s: %d %s", name, got.status, got.raw)
		}
	}
}

func TestBackendUnknownPaths(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{})
	for _, c := range []string{
		"GET /", "GET /v1", "GET /v1/", "GET /v1/user", "GET /v2/users", "POST /v1/jwks", "GET /v1//users", "GET /v1/./users", "GET /v1/users/",
		"DELETE /v1/users", "PUT /v1/users/user_1", "GET /v1/users/user_1/metadata", "GET /v1/organizations/org_1/nothing",
	} {
		method, path, _ := strings.Cut(c, " ")
		a.refused(method, path, "", http.StatusNotFound, "resource_not_found")
	}
}

func TestBackendBodies(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{})
	id := a.AddUser(clerkdev.User{FirstName: "Ada"}).ID
	for name, c := range map[string]struct {
		body   string
		status int
		code   string
	}{
		"array":         {`[]`, 400, "request_body_invalid"},
		"string":        {`"x"`, 400, "request_body_invalid"},
		"half":          {`{"first_name":`, 400, "request_body_invalid"},
		"two":           {`{} {}`, 400, "request_body_invalid"},
		"no UTF-8":      {"{\"first_name\":\"\xff\"}", 400, "request_body_invalid"},
		"unknown":       {`{"firstName":"A"}`, 422, "form_param_unknown"},
		"another case":  {`{"First_Name":"A"}`, 422, "form_param_unknown"},
		"no string":     {`{"first_name":1}`, 422, "form_param_type_invalid"},
		"telephone":     {`{"phone_number":["+1"]}`, 422, "form_param_unknown"},
		"far too large": {`{"first_name":"` + strings.Repeat("a", 1<<20) + `"}`, 413, "request_body_too_large"},
	} {
		if got := a.do("PATCH", "/v1/users/"+id, c.body); got.status != c.status || !strings.Contains(got.raw, `"`+c.code+`"`) {
			t.Errorf("%s: %d %.300s", name, got.status, got.raw)
		}
		a.clock.Advance(time.Second)
	}
	r := a.request("PATCH", "/v1/users/"+id, `{"first_name":"B"}`)
	r.Header.Set("Content-Type", "text/plain")
	a.checkError(a.send(r), http.StatusUnsupportedMediaType, "unsupported_content_type")
	for _, empty := range []string{"", "null", " null\n", "{}"} {
		a.clock.Advance(10 * time.Second)
		a.ok("PATCH", "/v1/users/"+id, empty)
	}
	if u, _ := a.User(id); u.FirstName != "Ada" {
		t.Errorf("a refused body was kept: %+v", u)
	}
	got := a.refused("PATCH", "/v1/users/"+id, `{"first_name":1,"last_name":[]}`, 422, "form_param_type_invalid")
	if list := got.body["errors"].([]any); len(list) != 2 {
		t.Errorf("two mistakes, %d errors: %s", len(list), got.raw)
	}
}

func TestBackendRateLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		production bool
		limit      int
	}{{false, 100}, {true, 1000}} {
		a := newAPI(t, clerkdev.Config{Production: c.production, FrontendAPI: "clerk.example.com"})
		for n := range c.limit {
			if n == c.limit/2 {
				a.clock.Advance(3 * time.Second)
			}
			a.do("GET", "/v1/users/count", "")
		}
		got := a.refused("GET", "/v1/users/count", "", http.StatusTooManyRequests, "too_many_requests")
		if after := got.header.Get("Retry-After"); after != "7" {
			t.Errorf("Retry-After %q, want 7", after)
		}
		if got := a.do("GET", "/v1/jwks", ""); got.status != http.StatusOK {
			t.Errorf("the key set is limited too: %d", got.status)
		}
		a.clock.Advance(7*time.Second - time.Millisecond)
		if got := a.refused("GET", "/v1/users/count", "", http.StatusTooManyRequests, "too_many_requests"); got.header.Get("Retry-After") != "1" {
			t.Errorf("Retry-After %q for the last millisecond, want 1", got.header.Get("Retry-After"))
		}
		a.clock.Advance(time.Millisecond)
		a.ok("GET", "/v1/users/count", "")
	}
}

// A wrong key uses up nobody's requests.
func TestBackendCountsOnlyWhoHasTheKey(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{})
	for range 150 {
		r := a.request("GET", "/v1/users", "")
		r.Header.Set("Authorization", "Bearer sk_test_wrong")
		a.send(r)
	}
	a.ok("GET", "/v1/users/count", "")
}

func TestBackendMetadataWritesAreLimited(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{})
	u, other := a.AddUser(clerkdev.User{}), a.AddUser(clerkdev.User{})
	o := a.AddOrganization(clerkdev.Organization{Name: "Acme"})
	if _, err := a.AddMembership(clerkdev.Membership{UserID: u.ID, OrganizationID: o.ID, Role: "org:admin"}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ written, free string }{
		"person":       {"/v1/users/" + u.ID, "/v1/users/" + other.ID},
		"organization": {"/v1/organizations/" + o.ID, ""},
		"membership":   {"/v1/organizations/" + o.ID + "/memberships/" + u.ID, ""},
	} {
		for n := range 10 {
			a.ok("PATCH", c.written+"/metadata", `{"public_metadata":{"n":`+strconv.Itoa(n)+`}}`)
		}
		got := a.refused("PATCH", c.written+"/metadata", `{"public_metadata":{"n":10}}`, http.StatusTooManyRequests, "too_many_requests")
		if got.header.Get("Retry-After") != "10" {
			t.Errorf("%s: Retry-After %q", name, got.header.Get("Retry-After"))
		}
		a.refused("PUT", c.written+"/metadata", `{}`, http.StatusTooManyRequests, "too_many_requests")
		if name == "person" { // the plain PATCH counts as well
			a.refused("PATCH", c.written, `{"first_name":"A"}`, http.StatusTooManyRequests, "too_many_requests")
			a.ok("PATCH", c.free, `{"first_name":"A"}`)
			a.ok("GET", c.written, "")
		}
		a.clock.Advance(10 * time.Second)
		a.ok("PUT", c.written+"/metadata", `{}`)
		a.clock.Advance(10 * time.Second)
	}
}

func TestBackendFailsOnPurpose(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{})
	a.Fail(clerkdev.Failure{Path: "/v1/users", Times: 1, Status: 503, RetryAfter: 2 * time.Second})
	if got := a.do("GET", "/v1/users", ""); got.status != 503 || got.header.Get("Retry-After") != "2" {
		t.Errorf("%d %v", got.status, got.header)
	}
	a.ok("GET", "/v1/users/count", "")
	a.Fail(clerkdev.Failure{Garbage: true})
	w := httptest.NewRecorder()
	a.api.ServeHTTP(w, a.request("GET", "/v1/jwks", ""))
	if strings.HasPrefix(w.Body.String(), "{") {
		t.Errorf("no garbage: %q", w.Body)
	}
}

func TestBackendJWKS(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{})
	if got := a.do("GET", "/v1/jwks", ""); strings.TrimSpace(got.raw) != string(a.JWKS()) {
		t.Errorf("got %s, want %s", got.raw, a.JWKS())
	}
}
