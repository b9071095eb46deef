package account_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/account"
)

// desk is a sign-out under test and what it was seen doing.
type desk struct {
	cfg       account.Config
	responded authproxy.Decision
	revoked   []string
	log       bytes.Buffer
}

func newDesk(t *testing.T) *desk {
	k := &desk{}
	k.cfg = account.Config{
		Origins: []authproxy.Origin{app, {Scheme: "https", Host: "other.example.com"}}, Instance: instance(t),
		FrontendURL: func(authproxy.Origin) string { return "https://clerk.example.com" },
		Revoke:      func(_ context.Context, id string) error { k.revoked = append(k.revoked, id); return nil },
		Log:         slog.New(slog.NewTextHandler(&k.log, nil)),
		Respond: func(w http.ResponseWriter, _ *http.Request, d authproxy.Decision) {
			k.responded = d
			w.WriteHeader(d.Reason.Status())
		},
	}
	return k
}

func (k *desk) ask(d authproxy.Decision, method, target string, form string, h ...string) *http.Response {
	r := httptest.NewRequest(method, target, strings.NewReader(form))
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(h); i += 2 {
		r.Header.Add(h[i], h[i+1])
	}
	return k.do(d, r)
}

func (k *desk) do(d authproxy.Decision, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	account.New(k.cfg).Serve(w, r, d)
	return w.Result()
}

func (k *desk) post(form string, h ...string) *http.Response {
	return k.ask(somebody(), "POST", account.SignOutPath, form, h...)
}

// TestSignOutAsks: looking signs nobody out, and the page needs no script.
func TestSignOutAsks(t *testing.T) {
	t.Parallel()
	for _, withKey := range []bool{true, false} {
		k := newDesk(t)
		if !withKey {
			k.cfg.Revoke = nil
		}
		answer := k.ask(somebody(), "GET", account.SignOutPath+"?redirect_url=%2Fx%3Fa%3D1", "")
		text := body(t, answer)
		for _, want := range []string{
			`<form method="post" action="/_authproxy/sign-out">`, `name="redirect_url" value="https://app.example.com/x?a=1"`, `<button>Sign out</button>`,
		} {
			if !strings.Contains(text, want) {
				t.Errorf("no %s in\n%s", want, text)
			}
		}
		if strings.Contains(text, "<script") || len(answer.Header["Set-Cookie"]) > 0 || len(k.revoked) > 0 {
			t.Errorf("GET signs out: %v, %v\n%s", answer.Header, k.revoked, text)
		}
		policy := answer.Header.Get("Content-Security-Policy")
		nonce := nonceOf(t, policy)
		if want := "default-src 'none'; style-src 'nonce-" + nonce + "'; base-uri 'none'; frame-ancestors 'none'"; policy != want || !strings.Contains(text, `<style nonce="`+nonce+`">`) {
			t.Errorf("%s", policy)
		}
		for name, want := range map[string]string{
			"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
			"Referrer-Policy": "same-origin", "X-Authproxy-Response": "true", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := answer.Header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
	}
}

func nonceOf(t *testing.T, policy string) string {
	t.Helper()
	found := regexp.MustCompile(`'nonce-([A-Z2-7]{26})'`).FindStringSubmatch(policy)
	if found == nil {
		t.Fatalf("no nonce in %q", policy)
	}
	return found[1]
}

// TestNoncesDiffer: a nonce that can be guessed lets a script in.
func TestNoncesDiffer(t *testing.T) {
	t.Parallel()
	k := newDesk(t)
	first := k.ask(somebody(), "GET", account.SignOutPath, "").Header.Get("Content-Security-Policy")
	if second := k.ask(somebody(), "GET", account.SignOutPath, "").Header.Get("Content-Security-Policy"); first == second {
		t.Errorf("twice %s", first)
	}
}

// TestSignOut: ended at Clerk, forgotten here, and on to redirect_url.
func TestSignOut(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		target, form string
		h            []string
		want         string
	}{
		"by the form":        {"", "redirect_url=%2Fx%3Fa%3D1&ended=", nil, "https://app.example.com/x?a=1"},
		"by the query":       {"?redirect_url=%2Fx", "", nil, "https://app.example.com/x"},
		"the form first":     {"?redirect_url=%2Fx", "redirect_url=%2Fy", nil, "https://app.example.com/y"},
		"nowhere":            {"", "", nil, "https://app.example.com/"},
		"another origin":     {"", "redirect_url=https%3A%2F%2Fother.example.com%2Fz", nil, "https://other.example.com/z"},
		"no ASCII":           {"", "redirect_url=" + url.QueryEscape("/Müller x?\"<ü>"), nil, "https://app.example.com/M%C3%BCller%20x?\"<%C3%BC>"},
		"Clerk's parameters": {"", "redirect_url=" + url.QueryEscape("/x?__clerk_db_jwt=SECRET&a=1"), nil, "https://app.example.com/x?a=1"},
		"too long":           {"", "redirect_url=%2F" + strings.Repeat("a", 4096), nil, "https://app.example.com/"},
		"a body in JSON":     {"", `{"redirect_url":"/x"}&redirect_url=/y`, []string{"Content-Type", "application/json"}, "https://app.example.com/"},
		"with a charset":     {"", "redirect_url=%2Fx", []string{"Content-Type", "Application/X-WWW-Form-URLEncoded; charset=utf-8"}, "https://app.example.com/x"},
	} {
		k := newDesk(t)
		r := httptest.NewRequest("POST", account.SignOutPath+tt.target, strings.NewReader(tt.form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for i := 0; i < len(tt.h); i += 2 {
			r.Header.Set(tt.h[i], tt.h[i+1])
		}
		answer := k.do(somebody(), r)
		if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != tt.want {
			t.Errorf("%s: %d to %s, want %s", name, answer.StatusCode, answer.Header.Get("Location"), tt.want)
		}
		if len(k.revoked) != 1 || k.revoked[0] != "sess_1" || !expired(answer, "__session") || answer.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: ended %v, %v", name, k.revoked, answer.Header)
		}
	}
}

func expired(answer *http.Response, name string) bool {
	for _, c := range answer.Cookies() {
		if c.Name == name && c.Value == "" && c.MaxAge < 0 {
			return true
		}
	}
	return false
}

// TestSignOutStaysHere: RD rows, in the form and in the query.
func TestSignOutStaysHere(t *testing.T) {
	t.Parallel()
	k := newDesk(t)
	for _, evil := range []string{
		"//evil", `/\evil`, "/\t/evil", "/%09/evil", "/ /evil", `/./\evil`, `\/evil`, "///evil", "/%2f%2fevil", // RD-01
		"https://badexample.com", "https://app.example.com.evil.com", // RD-02
		"https://app.example.com@evil.com", `https://evil.com\@app.example.com`, "https://app.example.com%40evil.com", "https:evil.com", "https:/evil.com", // RD-03
		"https://evil", "javascript:alert(1)", // RD-05
		"/a\r\nSet-Cookie: x", "/a\x00", // RD-06
	} {
		value := "redirect_url=" + url.QueryEscape(evil)
		for _, answer := range []*http.Response{
			k.post(value), k.ask(somebody(), "POST", account.SignOutPath+"?"+value, ""),
		} {
			if got := answer.Header.Get("Location"); got != "https://app.example.com/" {
				t.Errorf("%q leads to %q", evil, got)
			}
		}
		if text := body(t, k.ask(somebody(), "GET", account.SignOutPath+"?"+value, "")); !strings.Contains(text, `value="https://app.example.com/"`) {
			t.Errorf("%q is offered", evil)
		}
	}
	// RD-07: a prefix, whoever says it, is no part of where we lead.
	answer := k.post("redirect_url=%2Fx", "X-Forwarded-Prefix", "//evil", "X-Forwarded-Host", "evil")
	if got := answer.Header.Get("Location"); got != "https://app.example.com/x" {
		t.Errorf("led to %q", got)
	}
}

// TestSignOutWithoutOrigin: a bearer may come by a host that is no public origin.
func TestSignOutWithoutOrigin(t *testing.T) {
	t.Parallel()
	k := newDesk(t)
	d := somebody()
	d.Origin = authproxy.Origin{}
	if got := k.ask(d, "POST", account.SignOutPath, "redirect_url=%2Fx").Header.Get("Location"); got != "https://app.example.com/x" {
		t.Errorf("led to %q", got)
	}
	if k.ask(d, "POST", account.SignOutPath, "", "Origin", "://"); k.responded.Reason != authproxy.CrossOrigin {
		t.Errorf("an origin of nothing is ours: %+v", k.responded)
	}
}

// TestSignOutIsSameOrigin: WEB-02. No other page signs anybody out, not of a
// public origin either, and whatever the proxy's own rule is.
func TestSignOutIsSameOrigin(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		h       []string
		refused bool
	}{
		{"no browser", nil, false},
		{"a page of ours", []string{"Sec-Fetch-Site", "same-origin", "Origin", "https://app.example.com"}, false},
		{"a page of ours that sends no referrer", []string{"Sec-Fetch-Site", "same-origin", "Origin", "null"}, false},
		{"the person", []string{"Sec-Fetch-Site", "none"}, false},
		{"a browser without fetch metadata", []string{"Origin", "https://app.example.com"}, false},
		{"another site", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, true},
		{"another site without Origin", []string{"Sec-Fetch-Site", "cross-site"}, true},
		{"a sibling", []string{"Sec-Fetch-Site", "same-site", "Origin", "https://evil.example.com"}, true},
		{"another public origin", []string{"Sec-Fetch-Site", "same-site", "Origin", "https://other.example.com"}, true},
		{"a false Origin", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://app.example.com"}, true},
		{"another site, old browser", []string{"Origin", "https://evil.example"}, true},
		{"the same host by http", []string{"Origin", "http://app.example.com"}, true},
		{"another port", []string{"Origin", "https://app.example.com:8443"}, true},
		{"an opaque origin", []string{"Origin", "null"}, true},
		{"an empty Origin", []string{"Origin", ""}, true},
		{"two sites", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Site", "cross-site"}, true},
		{"two origins", []string{"Origin", "https://app.example.com", "Origin", "https://evil.example"}, true},
		{"two origins and a site", []string{"Sec-Fetch-Site", "same-origin", "Origin", "https://app.example.com", "Origin", "https://evil.example"}, true},
		{"a word of its own", []string{"Sec-Fetch-Site", "Same-Origin"}, true},
	} {
		for _, withKey := range []bool{true, false} {
			k := newDesk(t)
			if !withKey {
				k.cfg.Revoke = nil
			}
			answer := k.post("ended=1", tt.h...)
			switch {
			case !tt.refused && answer.StatusCode != http.StatusSeeOther:
				t.Errorf("%s: %d", tt.name, answer.StatusCode)
			case tt.refused && (k.responded.Reason != authproxy.CrossOrigin || k.responded.Action != authproxy.Deny || len(k.revoked) > 0 || len(answer.Header["Set-Cookie"]) > 0):
				t.Errorf("%s: %+v, ended %v, %v", tt.name, k.responded, k.revoked, answer.Header)
			}
		}
	}
}

// TestSignOutOfNobody: there is nothing to end, and the cookies that led to
// nothing go.
func TestSignOutOfNobody(t *testing.T) {
	t.Parallel()
	k := newDesk(t)
	answer := k.ask(authproxy.Decision{Action: authproxy.Allow, Route: authproxy.RouteReserved, Origin: app}, "POST", account.SignOutPath, "redirect_url=%2Fx")
	if answer.StatusCode != http.StatusSeeOther || len(k.revoked) > 0 || !expired(answer, "__session") {
		t.Errorf("%d, ended %v, %v", answer.StatusCode, k.revoked, answer.Header)
	}
}

// TestSignOutOfASessionElsewhere: the browser is signed in, and there is no cookie
// that says with which session; its own Clerk ends it.
func TestSignOutOfASessionElsewhere(t *testing.T) {
	t.Parallel()
	k := newDesk(t)
	nobody := authproxy.Decision{Action: authproxy.Allow, Route: authproxy.RouteReserved, Origin: app, Reason: authproxy.ClientUATButNoSessionToken}
	answer := k.ask(nobody, "POST", account.SignOutPath, "redirect_url=%2Fx")
	if text := body(t, answer); answer.StatusCode != http.StatusOK || len(answer.Header["Set-Cookie"]) > 0 || !strings.Contains(text, "clerk.signOut(") {
		t.Errorf("%d, %v\n%s", answer.StatusCode, answer.Header, text)
	}
	if answer := k.ask(nobody, "POST", account.SignOutPath, "redirect_url=%2Fx&ended=1"); answer.StatusCode != http.StatusSeeOther || !expired(answer, "__session") {
		t.Errorf("ended: %d, %v", answer.StatusCode, answer.Header)
	}
}

// TestSignOutWhenClerk: what Clerk calls over is over; where Clerk does not
// answer, nobody is told that they are out.
func TestSignOutWhenClerk(t *testing.T) {
	t.Parallel()
	k := newDesk(t)
	k.cfg.Revoke = func(context.Context, string) error { return fmt.Errorf("not found: %w", account.ErrSessionOver) }
	if answer := k.post(""); answer.StatusCode != http.StatusSeeOther || !expired(answer, "__session") || k.log.Len() > 0 {
		t.Errorf("over: %d, %v, %s", answer.StatusCode, answer.Header, &k.log)
	}
	k.cfg.Revoke = func(context.Context, string) error { return errors.New("the cause") }
	answer := k.post("redirect_url=%2Fx")
	text := body(t, answer)
	if answer.StatusCode != http.StatusServiceUnavailable || len(answer.Header["Set-Cookie"]) > 0 || answer.Header.Get("Location") != "" || answer.Header.Get("Retry-After") != "5" {
		t.Errorf("gone: %d, %v", answer.StatusCode, answer.Header)
	}
	for _, want := range []string{"you are still signed in", `value="https://app.example.com/x"`, "<button>Try again</button>"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if strings.Contains(text, "the cause") || strings.Count(k.log.String(), "the cause") != 1 {
		t.Errorf("the cause is for the log, once:\n%s\n%s", &k.log, text)
	}
}

// TestSignOutOutlivesTheTab: closing it must not keep the session alive, and
// Clerk does not get for ever.
func TestSignOutOutlivesTheTab(t *testing.T) {
	t.Parallel()
	k := newDesk(t)
	var err error
	bounded := false
	k.cfg.Revoke = func(ctx context.Context, _ string) error {
		err = ctx.Err()
		_, bounded = ctx.Deadline()
		return nil
	}
	ctx, closed := context.WithCancel(t.Context())
	closed()
	k.do(somebody(), httptest.NewRequestWithContext(ctx, "POST", account.SignOutPath, nil))
	if err != nil || !bounded {
		t.Errorf("%v, bounded %v", err, bounded)
	}
}

// TestSignOutWithoutSecretKey: clerk-js ends the session, then the cookies go.
func TestSignOutWithoutSecretKey(t *testing.T) {
	t.Parallel()
	k := newDesk(t)
	k.cfg.Revoke = nil
	answer := k.post("redirect_url=%2Fx&ended=")
	text := body(t, answer)
	if answer.StatusCode != http.StatusOK || len(answer.Header["Set-Cookie"]) > 0 {
		t.Errorf("%d, %v", answer.StatusCode, answer.Header)
	}
	policy := answer.Header.Get("Content-Security-Policy")
	nonce := nonceOf(t, policy)
	for _, want := range []string{
		`<script nonce="` + nonce + `">`, `"source":"https://clerk.example.com/npm/@clerk/clerk-js@6/dist/clerk.browser.js"`,
		`"data-clerk-publishable-key":"` + k.cfg.Instance.PublishableKey + `"`, "clerk.signOut(", `<noscript>`, "still signed in",
		`name="redirect_url" value="https://app.example.com/x"`, `name="ended" value=""`, "function load(settings)",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if want := "; script-src 'nonce-" + nonce + "' 'strict-dynamic'; worker-src blob:; connect-src 'self' https://clerk.example.com"; !strings.HasSuffix(policy, want) || !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("%s", policy)
	}
	answer = k.post("redirect_url=%2Fx&ended=1")
	if answer.StatusCode != http.StatusSeeOther || !expired(answer, "__session") || answer.Header.Get("Location") != "https://app.example.com/x" {
		t.Errorf("afterwards: %d, %v", answer.StatusCode, answer.Header)
	}
	// With a secret key the browser's word is not asked for.
	k = newDesk(t)
	if k.post("ended=1"); len(k.revoked) != 1 {
		t.Error("a browser that says so keeps its session at Clerk")
	}
	// Where nobody can end it the cookies are all there is.
	k.cfg.Revoke, k.cfg.Instance = nil, nil
	if answer := k.post(""); answer.StatusCode != http.StatusSeeOther || !expired(answer, "__session") {
		t.Errorf("without either: %d", answer.StatusCode)
	}
}

// TestPolicyNamesTheFrontendAPI, and nothing that a URL could smuggle in.
func TestPolicyNamesTheFrontendAPI(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"http://localhost:4180/__clerk": " http://localhost:4180", "https://clerk.example.com/": " https://clerk.example.com",
		"/__clerk": "", "https://a;script-src * b": "", "https://a'b": "", "https://a,b": "",
	} {
		k := newDesk(t)
		k.cfg.Revoke, k.cfg.FrontendURL = nil, func(authproxy.Origin) string { return base }
		policy := k.post("").Header.Get("Content-Security-Policy")
		if !strings.HasSuffix(policy, "; connect-src 'self'"+want) {
			t.Errorf("%s gives %s", base, policy)
		}
	}
}

// TestSignOutForms: bounded, and no guess at what could not be read.
func TestSignOutForms(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		body io.Reader
		want authproxy.Reason
	}{
		"too long": {strings.NewReader("a=" + strings.Repeat("b", 1<<20)), authproxy.RequestTooLarge},
		"broken":   {iotest.ErrReader(errors.New("reset")), authproxy.BodyInvalid},
	} {
		k := newDesk(t)
		r := httptest.NewRequest("POST", account.SignOutPath, tt.body)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if answer := k.do(somebody(), r); k.responded.Reason != tt.want || len(k.revoked) > 0 || len(answer.Header["Set-Cookie"]) > 0 {
			t.Errorf("%s: %+v", name, k.responded)
		}
	}
	endless := &io.LimitedReader{R: strings.NewReader(strings.Repeat("a", 1<<20)), N: 1 << 20}
	k := newDesk(t)
	r := httptest.NewRequest("POST", account.SignOutPath, endless)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if k.do(somebody(), r); endless.N < 1<<20-1<<15 {
		t.Errorf("%d bytes were read", 1<<20-endless.N)
	}
}

// FuzzSignOut: whatever a form says, the Location is one header value on one of
// our origins, and reading it again changes nothing.
func FuzzSignOut(f *testing.F) {
	for _, s := range []string{"redirect_url=%2Fx", "redirect_url=%2F%2Fevil", "redirect_url=/%C3%BC%FF x", "ended=1&redirect_url=https://app.example.com@evil"} {
		f.Add(s)
	}
	k := &desk{cfg: account.Config{Origins: []authproxy.Origin{app}}}
	location := func(form string) string {
		return k.ask(somebody(), "POST", account.SignOutPath, form, "Content-Type", "application/x-www-form-urlencoded").Header.Get("Location")
	}
	k.cfg.Respond = func(http.ResponseWriter, *http.Request, authproxy.Decision) {}
	f.Fuzz(func(t *testing.T, form string) {
		if len(form) > 1000 {
			return
		}
		got := location(form)
		if u, err := url.Parse(got); !strings.HasPrefix(got, app.String()) || err == nil && (u.Host != app.Host || u.User != nil) {
			t.Fatalf("%q leads to %q", form, got)
		}
		if strings.ContainsFunc(got, func(c rune) bool { return c <= ' ' || c > '~' }) {
			t.Fatalf("%q leads to %q", form, got)
		}
		if again := location("redirect_url=" + url.QueryEscape(got)); again != got {
			t.Fatalf("%q leads to %q, and that to %q", form, got, again)
		}
	})
}
