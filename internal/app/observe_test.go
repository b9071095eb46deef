package app_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/app"
	"github.com/manageros/authproxy/internal/minttest"
)

func appOptions() app.Options { return app.Options{Log: slog.New(slog.DiscardHandler)} }

// buffer is a log that several goroutines write.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// logged sends requests through an App and returns its log and its metrics.
func logged(t *testing.T, requests ...*http.Request) (lines []map[string]any, raw, metrics string) {
	t.Helper()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }))
	t.Cleanup(upstream.Close)
	out := &buffer{}
	a := newApp(t, append(served(upstream.URL), "AUTHPROXY_PUBLIC_URL="+minttest.App, "AUTHPROXY_REQUIRED_CLAIMS=role,team"),
		app.Options{Log: slog.New(slog.NewJSONHandler(out, nil)), Version: "test"})
	for _, r := range requests {
		a.Data().ServeHTTP(httptest.NewRecorder(), r)
	}
	for line := range strings.Lines(out.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if m["msg"] == "request" {
			lines = append(lines, m)
		}
	}
	w := httptest.NewRecorder()
	a.Admin().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return lines, out.String(), w.Body.String()
}

func request(method, target string, h ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Method, r.RequestURI = method, target
	r.Host = "app.example.com"
	for i := 0; i < len(h); i += 2 {
		r.Header.Add(h[i], h[i+1])
	}
	return r
}

func bearer(over map[string]any) string {
	claims := minttest.Product()
	claims["team"] = "t"
	for k, v := range over {
		claims[k] = v
	}
	return "Bearer " + minttest.Good().Sign(minttest.Session(minttest.TestIss, time.Now(), claims), nil)
}

// TestOneLinePerRequest (contract section 8): every field, and nothing that must
// not be there.
func TestOneLinePerRequest(t *testing.T) {
	t.Parallel()
	token := bearer(map[string]any{"act": map[string]any{"sub": "user_admin"}})
	lines, raw, _ := logged(t,
		request("GET", "/x?secret=CANARY", "Authorization", token, "Cookie", "a=CANARY", "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
		request("POST", "/y", "Cookie", "__session=CANARY.b.c; __client_uat=1", "Sec-Fetch-Dest", "empty"),
	)
	if len(lines) != 2 {
		t.Fatalf("%d lines for 2 requests:\n%s", len(lines), raw)
	}
	in := lines[0]
	for _, name := range []string{"time", "level", "msg", "request_id", "trace_id", "route", "method", "host", "path", "status", "bytes_in", "bytes_out", "duration_ms", "upstream_duration_ms", "client_ip", "protocol", "auth"} {
		if _, ok := in[name]; !ok {
			t.Errorf("no %s in %v", name, in)
		}
	}
	auth, _ := in["auth"].(map[string]any)
	want := map[string]any{"result": "authenticated", "reason": "", "source": "bearer", "user_id": "user_2oracle", "organization_id": "org_acme", "actor_id": "user_admin"}
	for name, value := range want {
		if auth[name] != value {
			t.Errorf("auth.%s is %v, want %v", name, auth[name], value)
		}
	}
	if in["trace_id"] != "0af7651916cd43dd8448eb211c80319c" || in["status"] != 200.0 || in["bytes_out"] != 5.0 || in["path"] != "/x" || in["client_ip"] != "192.0.2.1" {
		t.Errorf("%v", in)
	}
	if auth, _ := lines[1]["auth"].(map[string]any); auth["result"] != "refused" || auth["source"] != "cookie" || auth["reason"] == "" {
		t.Errorf("%v", lines[1])
	}
	for _, secret := range []string{"CANARY", strings.TrimPrefix(token, "Bearer "), "eyJ"} {
		if strings.Contains(raw, secret) {
			t.Errorf("the log holds %q:\n%s", secret, raw)
		}
	}
}

// TestLogInjection (OBS-03): one event is one line whatever a client sends.
func TestLogInjection(t *testing.T) {
	t.Parallel()
	lines, raw, _ := logged(t, request("GET", "/a%0d%0ab\u2028{\"x\":1}%1b[31m", "User-Agent", "x\u2028y"), request("G\"ET", "/x"))
	if len(lines) != 2 || strings.Contains(raw, "\x1b") {
		t.Errorf("%d lines:\n%q", len(lines), raw)
	}
}

// TestMetrics: the names of contract section 7, and closed label sets.
func TestMetrics(t *testing.T) {
	t.Parallel()
	_, _, metrics := logged(t,
		request("GET", "/x", "Authorization", bearer(map[string]any{"role": nil, "team": nil})),
		request("GET", "/x", "Authorization", bearer(nil), "X_Auth_Role", "evil"),
		request("FROBNICATE", "/open/x"),
		request("GET", "/_authproxy/sign-in"),
		request("GET", "/_authproxy/nothing"),
	)
	for _, want := range []string{
		`authproxy_requests_total{code="200",method="GET",route="default"} 1`,
		`authproxy_requests_total{code="200",method="other",route="public"} 1`,
		`authproxy_requests_total{code="302",method="GET",route="reserved"} 1`,
		`authproxy_requests_total{code="404",method="GET",route="reserved"} 1`,
		`authproxy_auth_results_total{reason="",result="authenticated",source="bearer"} 1`,
		`authproxy_auth_results_total{reason="claim-missing",result="refused",source="bearer"} 1`,
		`authproxy_claims_missing_total{claim="role"} 1`,
		`authproxy_claims_missing_total{claim="team"} 1`,
		`authproxy_claims_resolved_total{claim="role",source="token"} 1`,
		`authproxy_stripped_headers_total{kind="identity"} 1`,
		`authproxy_verified_cache_misses_total 2`, `authproxy_verified_cache_hits_total 0`,
		`authproxy_token_verify_duration_seconds_count 2`, `authproxy_session_token_bytes_count 2`,
		`authproxy_upstream_request_duration_seconds_count{route="default"} 1`,
		`authproxy_request_duration_seconds_count 5`, `authproxy_requests_in_flight 0`, `authproxy_upgrades_active 0`,
		`authproxy_jwks_keys 1`, `authproxy_jwks_last_success_timestamp_seconds`, `authproxy_certificate_not_after_timestamp_seconds 0`,
		`authproxy_build_info{goversion="go`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(metrics, "FROBNICATE") {
		t.Error("a client invented a label value")
	}
	if t.Failed() {
		for line := range strings.Lines(metrics) {
			if strings.HasPrefix(line, "authproxy_") && !strings.Contains(line, "_bucket") {
				t.Log(strings.TrimSpace(line))
			}
		}
	}
}

// TestStripHint: the first strip of a kind is logged with what to do, the others
// are counted only.
func TestStripHint(t *testing.T) {
	t.Parallel()
	_, raw, _ := logged(t,
		request("GET", "/open/x", "X-Auth-Role", "evil"),
		request("GET", "/open/x", "X_Auth_Role", "evil", "Remote-User", "evil"),
	)
	for kind, want := range map[string]string{"identity": "AUTHPROXY_PASS_HEADERS", "product": "AUTHPROXY_STRIP_HEADERS"} {
		if n := strings.Count(raw, `"kind":"`+kind+`","hint":`); n != 1 || !strings.Contains(raw, want) {
			t.Errorf("%s is hinted at %d times:\n%s", kind, n, raw)
		}
	}
}
