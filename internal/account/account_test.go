package account_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/account"
)

var app = authproxy.Origin{Scheme: "https", Host: "app.example.com"}

func pages(t *testing.T, signIn string) (*account.Pages, *authproxy.Decision) {
	t.Helper()
	cfg := account.Config{Origins: []authproxy.Origin{app}}
	if signIn != "" {
		u, err := url.Parse(signIn)
		if err != nil {
			t.Fatal(err)
		}
		cfg.SignInURL = u
	}
	responded := &authproxy.Decision{}
	cfg.Respond = func(w http.ResponseWriter, _ *http.Request, d authproxy.Decision) {
		*responded = d
		w.WriteHeader(http.StatusTeapot)
	}
	return account.New(cfg), responded
}

func somebody() authproxy.Decision {
	return authproxy.Decision{
		Action: authproxy.Allow, Route: authproxy.RouteReserved, Origin: app,
		Identity: &authproxy.Identity{
			UserID: "user_1", SessionID: "sess_1", ExpiresAt: time.Unix(1795371295, 0),
			Actor: &authproxy.Actor{UserID: "user_admin"}, Claims: authproxy.Claims(`{"secret":"CANARY"}`),
		},
		Claims: []authproxy.Claim{
			{Path: "role", Header: "X-Auth-Role", Value: "manager", Source: authproxy.ClaimFromToken},
			{Path: "personId", Header: "X-Auth-Person-Id", Source: authproxy.ClaimAbsent},
			{Path: "note", Header: "X-Auth-Note", Value: "</td><script>alert(1)</script>", Source: authproxy.ClaimFromDefault},
		},
		Missing: []string{"personId"},
	}
}

func serve(p *account.Pages, d authproxy.Decision, method, target string, h ...string) *http.Response {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(h); i += 2 {
		r.Header.Set(h[i], h[i+1])
	}
	w := httptest.NewRecorder()
	p.Serve(w, r, d)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestWhoamiForPrograms: mapped values and their source, nothing else (OBS-07).
func TestWhoamiForPrograms(t *testing.T) {
	t.Parallel()
	p, _ := pages(t, "")
	answer := serve(p, somebody(), "GET", account.WhoamiPath)
	var got struct {
		Status    string                       `json:"status"`
		UserID    string                       `json:"user_id"`
		SessionID string                       `json:"session_id"`
		Actor     string                       `json:"actor"`
		ExpiresAt time.Time                    `json:"expires_at"`
		Claims    map[string]map[string]string `json:"claims"`
	}
	text := body(t, answer)
	if strings.Contains(text, "CANARY") {
		t.Errorf("a claim that is not mapped is shown:\n%s", text)
	}
	answer = serve(p, somebody(), "GET", account.WhoamiPath)
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.Status != "authenticated" || got.UserID != "user_1" || got.SessionID != "sess_1" || got.Actor != "user_admin" || got.ExpiresAt.Unix() != 1795371295 {
		t.Errorf("%+v", got)
	}
	want := map[string]map[string]string{
		"role":     {"header": "X-Auth-Role", "value": "manager", "source": "token"},
		"personId": {"header": "X-Auth-Person-Id", "value": "", "source": "absent"},
	}
	for path, fields := range want {
		for name, value := range fields {
			if got.Claims[path][name] != value {
				t.Errorf("claims.%s.%s is %q, want %q", path, name, got.Claims[path][name], value)
			}
		}
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin",
		"X-Authproxy-Response": "true", "X-Content-Type-Options": "nosniff",
	} {
		if answer.Header.Get(name) != value {
			t.Errorf("%s is %q, want %q", name, answer.Header.Get(name), value)
		}
	}
}

// TestWhoamiForPeople: escaped (WEB-08), and nothing is loaded from anywhere.
func TestWhoamiForPeople(t *testing.T) {
	t.Parallel()
	p, _ := pages(t, "")
	answer := serve(p, somebody(), "GET", account.WhoamiPath, "Sec-Fetch-Dest", "document")
	text := body(t, answer)
	for _, want := range []string{"text/html", "frame-ancestors 'none'", "default-src 'none'", "user_1", "X-Auth-Role", "manager", "no header", "user_admin", "personId", "&lt;/td&gt;&lt;script&gt;"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	for _, unwanted := range []string{"<script", "http://", "https://", "CANARY"} {
		if strings.Contains(text, unwanted) {
			t.Errorf("%s in\n%s", unwanted, text)
		}
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	p, d := pages(t, "https://accounts.example.com/sign-in")
	for query, back := range map[string]string{
		"":                                 "https://app.example.com/",
		"?redirect_url=%2Fx%3Fa%3Db":       "https://app.example.com/x?a=b",
		"?redirect_url=https%3A%2F%2Fevil": "https://app.example.com/",
		"?redirect_url=%2F%2Fevil":         "https://app.example.com/",
		"?redirect_url=%22%3E%3Cscript%3E": "https://app.example.com/",
	} {
		serve(p, authproxy.Decision{Action: authproxy.Allow, Origin: app}, "GET", account.SignInPath+query)
		want := "https://accounts.example.com/sign-in?redirect_url=" + url.QueryEscape(back)
		if d.Action != authproxy.Redirect || d.Location != want {
			t.Errorf("%q leads to %s, want %s", query, d.Location, want)
		}
	}
}

// TestSignInFunc takes precedence, and "" is nowhere.
func TestSignInFunc(t *testing.T) {
	t.Parallel()
	k := newDesk(t)
	k.cfg.SignInURL = &url.URL{Scheme: "https", Host: "accounts.example.com"}
	k.cfg.SignIn = func(origin authproxy.Origin, r *http.Request, below, returnTo string) string {
		return origin.String() + r.URL.Path + "|" + below + "|" + returnTo
	}
	k.ask(authproxy.Decision{Action: authproxy.Allow, Origin: app}, "GET", account.SignInPath+"?redirect_url=%2Fx", "")
	if k.responded.Action != authproxy.Redirect || k.responded.Location != "https://app.example.com/_authproxy/sign-in||https://app.example.com/x" {
		t.Errorf("%+v", k.responded)
	}
	k.cfg.SignIn = func(authproxy.Origin, *http.Request, string, string) string { return "" }
	k.ask(authproxy.Decision{Action: authproxy.Allow, Origin: app}, "GET", account.SignInPath, "")
	if k.responded.Action != authproxy.Deny || k.responded.Reason != authproxy.NotFound {
		t.Errorf("%+v", k.responded)
	}
}

// TestMethods: each path says its own, and HEAD has no body.
func TestMethods(t *testing.T) {
	t.Parallel()
	for path, allowed := range map[string]string{
		account.WhoamiPath: "GET, HEAD", account.SignInPath: "GET, HEAD",
		account.SignOutPath: "GET, HEAD, POST", account.SessionScriptPath: "GET, HEAD",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get", "PROPFIND"} {
			k := newDesk(t)
			answer := k.ask(somebody(), method, path, "")
			refused := k.responded.Reason == authproxy.MethodNotAllowed && answer.Header.Get("Allow") == allowed && len(k.revoked) == 0
			if want := !strings.Contains(" "+allowed+",", " "+method+","); refused != want {
				t.Errorf("%s %s: refused %v, %v", method, path, refused, answer.Header)
			}
		}
	}
	k := newDesk(t)
	for _, path := range []string{account.SignOutPath, account.SessionScriptPath} {
		answer := k.ask(somebody(), "HEAD", path, "")
		if n, _ := io.Copy(io.Discard, answer.Body); n != 0 || answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") == "" {
			t.Errorf("HEAD %s: %d, %d bytes, %v", path, answer.StatusCode, n, answer.Header)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, method, target, signIn string
		want                         authproxy.Reason
	}{
		{"whoami by POST", "POST", account.WhoamiPath, "", authproxy.MethodNotAllowed},
		{"sign-in by DELETE", "DELETE", account.SignInPath, "/in", authproxy.MethodNotAllowed},
		{"sign-in to nowhere", "GET", account.SignInPath, "", authproxy.NotFound},
		{"sign-out by PUT", "PUT", account.SignOutPath, "", authproxy.MethodNotAllowed},
		{"session.js without an instance", "GET", account.SessionScriptPath, "", authproxy.NotFound},
		{"something else", "GET", "/_authproxy/x", "", authproxy.NotFound},
	} {
		p, d := pages(t, tt.signIn)
		serve(p, somebody(), tt.method, tt.target)
		if d.Action != authproxy.Deny || d.Reason != tt.want {
			t.Errorf("%s: %+v", tt.name, d)
		}
	}
}
