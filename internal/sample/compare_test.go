package sample_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/manageros/authproxy/headers"
	"github.com/manageros/authproxy/internal/sample"
)

// TestKeptBack: everything that was sent and did not arrive, without the value
// of anything secret.
func TestKeptBack(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	a := b.echo(
		"Cookie", cookieOf(ada)+"; __session_suffix00="+mint(ada)+"; theme=calm; __client_uat=1; __clerk_db_jwt_suffix00=CANARY1; __refresh_suffix00=CANARY2",
		"Authorization", "Bearer "+mint(ada),
		"X-Auth-Role", "owner", "X_auth_role", "owner", "Remote-User", "root", "X-Original-Url", "/admin", "X-Forwarded-For", "10.0.0.1",
		"Connection", "keep-alive", "Accept", "text/html", "X-Color", "blue")
	var got []string
	for _, k := range a.KeptBack {
		got = append(got, k.Name+"|"+k.Part+"|"+k.Value)
		if k.Why == "" {
			t.Errorf("%s %s: no reason", k.Name, k.Part)
		}
	}
	want := []string{
		"Cookie|__session|", "Cookie|__session_suffix00|", "Cookie|__client_uat|", "Cookie|__clerk_db_jwt_suffix00|", "Cookie|__refresh_suffix00|",
		"Authorization|Bearer|", "Remote-User||root", "X-Auth-Role||owner", "X-Forwarded-For||10.0.0.1", "X-Original-Url||/admin", "X_auth_role||owner",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("kept back:\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for name, outcome := range map[string]string{"Accept": "passed", "X-Color": "passed", "X-Auth-Role": "kept back", "Cookie": "not sent", "Authorization": "not sent"} {
		if a.outcome(name) != outcome {
			t.Errorf("%s: %s, not %s", name, a.outcome(name), outcome)
		}
	}
}

// TestEchoHoldsNoSecret: it is for programs and lands in their logs.
func TestEchoHoldsNoSecret(t *testing.T) {
	t.Parallel()
	token := mint(ada)
	text := newBench(t, "").get("/echo", "Cookie", "__session="+token+"; __clerk_db_jwt=CANARY", "Authorization", "Bearer "+token).Body.String()
	for _, secret := range append(strings.Split(token, "."), "CANARY") {
		if strings.Contains(text, secret) {
			t.Errorf("the answer holds %s", secret)
		}
	}
}

func TestReceived(t *testing.T) {
	t.Parallel()
	a := newBench(t, "+X-Auth-Team=team;default=none").echo("Cookie", cookieOf(ada))
	if !a.Known || !a.SignedIn {
		t.Fatalf("known %v, signed in %v", a.Known, a.SignedIn)
	}
	want := map[string][4]string{ // claim, value, raw, note
		"X-Auth-Role":              {"role", "manager", "", ""},
		"X-Auth-Organization-Name": {"organizationName", "Müller GmbH", "M%C3%BCller%20GmbH", ""},
		"X-Auth-Organization-Id":   {"organizationId", "", "", "absent"},
		"X-Auth-Team":              {"team", "none", "", "default"},
		"X-Auth-User-Id":           {"sub", "user_ada", "", ""},
		"X-Auth-Session-Id":        {"sid", "sess_ada", "", ""},
		"X-Auth-Status":            {"", "authenticated", "", ""},
	}
	for _, f := range a.Received {
		if w, there := want[f.Header]; there && w != [4]string{f.Claim, f.Value, f.Raw, f.Note} {
			t.Errorf("%+v, not %v", f, w)
		}
		delete(want, f.Header)
	}
	if len(want) > 0 {
		t.Errorf("not listed: %v", want)
	}
}

// TestDecoding never shows what would not be text.
func TestDecoding(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"M%C3%BCller": "Müller", "100%": "100%", "%FF": "%FF", "%0d%0aX": "%0d%0aX", "a+b": "a+b", "plain": "plain",
	} {
		b := newBench(t, "")
		b.between = func(h http.Header) { h.Set("X-Auth-Role", raw) }
		for _, f := range b.echo().Received {
			if f.Header == "X-Auth-Role" && f.Value != want {
				t.Errorf("%s is shown as %q", raw, f.Value)
			}
		}
	}
}

// TestForgeryIsSeen: were the proxy to let one through, the page would say so.
func TestForgeryIsSeen(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sent    [2]string
		between func(h http.Header)
	}{
		"as it is":         {[2]string{"X-Auth-Role", "owner"}, func(h http.Header) { h.Set("X-Auth-Role", "owner") }},
		"another spelling": {[2]string{"X_auth_role", "owner"}, func(h http.Header) { h["X_auth_role"] = []string{"owner"} }},
		"respelled":        {[2]string{"X_auth_role", "owner"}, func(h http.Header) { h["X.auth.role"] = []string{"owner"} }},
		"beside the own":   {[2]string{"X-Auth-Role", "owner"}, func(h http.Header) { h.Add("X-Auth-Role", "owner") }},
		"joined":           {[2]string{"X-Auth-Role", "owner"}, func(h http.Header) { h.Set("X-Auth-Role", "manager, owner") }},
		"twice the own":    {[2]string{"X-Auth-Role", "manager"}, func(h http.Header) { h.Add("X-Auth-Role", "manager") }},
		"another product":  {[2]string{"Remote-User", "root"}, func(h http.Header) { h.Set("Remote-User", "root") }},
		"of the proxy":     {[2]string{"X-Forwarded-Host", "evil.example"}, func(h http.Header) { h["X_forwarded_host"] = []string{"evil.example"} }},
		"empty":            {[2]string{"X-Auth-Actor", ""}, func(h http.Header) { h["X-Auth-Actor"] = []string{""} }},
	} {
		b := newBench(t, "")
		if a := b.echo("Cookie", cookieOf(ada), c.sent[0], c.sent[1]); a.outcome(c.sent[0]) != "kept back" {
			t.Errorf("%s: without the fault it is %s", name, a.outcome(c.sent[0]))
		}
		b.between = c.between
		if a := b.echo("Cookie", cookieOf(ada), c.sent[0], c.sent[1]); a.outcome(c.sent[0]) != "forged" {
			t.Errorf("%s: %s", name, a.outcome(c.sent[0]))
		}
	}
}

func TestForgeryOnThePage(t *testing.T) {
	t.Parallel()
	for name, between := range map[string]func(h http.Header){
		"a mapped header": func(h http.Header) { h.Set("X-Auth-Role", "owner") },
		"another one":     func(h http.Header) { h.Set("X-Auth-Superuser", "owner") },
		"a spelling":      func(h http.Header) { h["X_auth_role"] = []string{"owner"} },
		"a made-up somebody": func(h http.Header) {
			h.Set("X-Auth-Status", "authenticated")
			h.Set("X-Auth-User-Id", "user_root")
		},
	} {
		b := newBench(t, "")
		b.between = between
		if page := b.get("/").Body.String(); !strings.Contains(page, `class="alarm"`) {
			t.Errorf("%s: no alarm", name)
		}
	}
	if page := newBench(t, "").get("/", "Cookie", cookieOf(ada), "X-Auth-Role", "owner").Body.String(); strings.Contains(page, `class="alarm"`) {
		t.Error("an alarm without a fault")
	}
}

// TestEmptyForgery: an empty value is in every other one and still another.
func TestEmptyForgery(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	b.between = func(h http.Header) { h.Set("X-Auth-Role", "from somewhere else") }
	if a := b.echo("X-Auth-Role", ""); a.outcome("X-Auth-Role") != "kept back" {
		t.Errorf("an empty field that did not arrive is %s", a.outcome("X-Auth-Role"))
	}
}

// TestOwnValueIsNoForgery: who forges what he has anyway is told so.
func TestOwnValueIsNoForgery(t *testing.T) {
	t.Parallel()
	a := newBench(t, "").echo("Cookie", cookieOf(ada), "X-Auth-Role", "manager", "X-Forwarded-Host", "example.com", "Traceparent", "00-1-1-00")
	for name, want := range map[string]string{"X-Auth-Role": "kept back", "X-Forwarded-Host": "kept back", "Traceparent": "kept back"} {
		if a.outcome(name) != want {
			t.Errorf("%s: %s", name, a.outcome(name))
		}
	}
	b := newBench(t, "")
	b.between = func(h http.Header) { h.Set("Traceparent", "00-1-1-00") }
	if a := b.echo("Traceparent", "00-1-1-00"); a.outcome("Traceparent") != "passed" {
		t.Errorf("a trace from anybody: %s", a.outcome("Traceparent"))
	}
}

// TestOwnerOfTheProxy: what the operator lets pass is no forgery.
func TestOwnerOfTheProxy(t *testing.T) {
	t.Parallel()
	owner, err := headers.NewOwner(headers.OwnerConfig{Pass: []string{"X-Auth-Token"}, Strip: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	app, err := sample.New(sample.Config{Owner: owner})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header = http.Header{"X-Auth-Token": {"t"}, "Remote-User": {"root"}, "X-Auth-Status": {"anonymous"}}
	w := httptest.NewRecorder()
	app.Watch(app).ServeHTTP(w, r)
	if strings.Contains(w.Body.String(), `class="alarm"`) {
		t.Error("what the operator lets pass is an alarm")
	}
}

// TestTheRightToken: of several cookies the one the identity comes from is
// shown, because on localhost another instance's lie beside it.
func TestTheRightToken(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	foreign := cookieOf(`{"sub":"user_foreign","sid":"sess_foreign"}`)
	page := b.get("/", "Cookie", foreign+"; __session_suffix00="+mint(ada)).Body.String()
	if !strings.Contains(page, "user_ada") || strings.Contains(page, "user_foreign") {
		t.Error("the token shown is not the one that was accepted")
	}
	// The same person's other session is another one.
	page = b.get("/", "Cookie", cookieOf(`{"sub":"user_ada","sid":"sess_other"}`)+"; __session_suffix00="+mint(ada)).Body.String()
	if strings.Contains(page, "sess_other") || !strings.Contains(page, `class="life"`) {
		t.Error("the token shown is another session's")
	}
	// The proxy asks the bearer first.
	page = b.get("/", "Cookie", cookieOf(`{"sub":"user_ada","sid":"sess_ada","of":"cookie"}`),
		"Authorization", "Bearer "+mint(`{"sub":"user_ada","sid":"sess_ada","of":"bearer"}`)).Body.String()
	if !strings.Contains(page, "&#34;bearer&#34;") || strings.Contains(page, "&#34;cookie&#34;") {
		t.Error("a cookie is shown in place of the bearer")
	}
}

// TestRefusedToken: a token that the proxy did not accept is shown as such, and
// nothing is said in its name.
func TestRefusedToken(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	r := func(cookie string) string {
		b.between = func(h http.Header) {
			for name := range h {
				if strings.HasPrefix(name, "X-Auth-") {
					delete(h, name)
				}
			}
			h.Set("X-Auth-Status", "anonymous")
		}
		return b.get("/", "Cookie", cookie).Body.String()
	}
	page := r(cookieOf(ada))
	if !strings.Contains(page, "did not accept it") || !strings.Contains(page, "You are <em>nobody</em>") || strings.Contains(page, `class="life"`) {
		t.Error("a token that was not accepted looks like one that was")
	}
	if page := r(cookieOf(`{"role":"manager"}`)); !strings.Contains(page, "did not accept it") {
		t.Error("the token of nobody counts as accepted, because nobody is signed in")
	}
	for _, broken := range []string{"__session=nonsense", "__session=a.b.c", cookieOf("{\"a\":\"\xff\"}"), cookieOf(ada) + ".x", "__session=e30.bnVsbA.x", "__session=" + strings.Repeat(".", 70000), "__session"} {
		if page := r(broken); !strings.Contains(page, "You are <em>nobody</em>") || strings.Contains(page, "The session token</h2>") {
			t.Errorf("%.20s is shown as a token", broken)
		}
	}
}
