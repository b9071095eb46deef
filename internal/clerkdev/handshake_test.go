package clerkdev_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/clerkdev"
)

const handshakePath = "/__clerk/v1/client/handshake"

// shake asks for a handshake with these parameters and cookies.
func shake(i *clerkdev.Instance, cookies jar, pairs ...string) *http.Response {
	query := url.Values{}
	for pair := range slices.Chunk(pairs, 2) {
		query.Set(pair[0], pair[1])
	}
	r := get(handshakePath + "?" + query.Encode())
	for _, c := range cookies {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	return serve(i, r)
}

// returned is where a handshake leads and what its address carries.
func returned(t testing.TB, got *http.Response) (*url.URL, url.Values) {
	t.Helper()
	to, err := url.Parse(got.Header.Get("Location"))
	if err != nil || got.StatusCode != http.StatusTemporaryRedirect || got.ContentLength > 0 {
		t.Fatalf("%d %v %v", got.StatusCode, got.Header, err)
	}
	return to, to.Query()
}

// payload asks the Backend API what a nonce stands for.
func payload(t testing.TB, api http.Handler, i *clerkdev.Instance, nonce string) (int, []string) {
	t.Helper()
	r := get("/v1/clients/handshake_payload?nonce=" + url.QueryEscape(nonce))
	r.Header.Set("Authorization", "Bearer "+i.SecretKey())
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	var answer struct{ Directives []string }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	return w.Code, answer.Directives
}

// cookieLines reads Set-Cookie lines in their order.
func cookieLines(t testing.TB, lines []string) []*http.Cookie {
	t.Helper()
	var list []*http.Cookie
	for _, line := range lines {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		list = append(list, c)
	}
	return list
}

// shapes are lines with their values, and the instance's suffix, replaced by what
// they are.
func shapes(i *clerkdev.Instance, lines []string, values map[string]string) []string {
	var out []string
	for _, line := range lines {
		line = strings.Replace(line, suffix(i)+"=", "_S=", 1)
		for value, name := range values {
			line = strings.Replace(line, "="+value+";", "="+name+";", 1)
		}
		out = append(out, line)
	}
	return out
}

// signedInBrowser is a browser with somebody signed in, in the organisation.
func signedInBrowser(t testing.TB, i *clerkdev.Instance, name string) (token string, s clerkdev.Session) {
	t.Helper()
	token = i.NewClient()
	for _, u := range i.Users() {
		if u.Username == name {
			var err error
			if s, err = i.SignIn(token, u.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	return token, s
}

// TestHandshakeDirectives: clerk-frontend.md, 7, line by line.
func TestHandshakeDirectives(t *testing.T) {
	t.Parallel()
	i, c := standing(t)
	token, _ := signedInBrowser(t, i, "zoe")
	c.move(time.Hour)
	_, carried := returned(t, shake(i, nil, "redirect_url", app+"/a", "format", "nonce", "suffixed_cookies", "true", "__clerk_db_jwt", token))
	if carried.Get("__clerk_db_jwt") != token || carried.Has("__clerk_handshake") {
		t.Errorf("%v", carried)
	}
	status, lines := payload(t, i.Backend(), i, carried.Get("__clerk_handshake_nonce"))
	if status != 200 || len(lines) != 8 {
		t.Fatalf("%d %q", status, lines)
	}
	jwt, refresh := cookieLines(t, lines)[3].Value, cookieLines(t, lines)[5].Value
	uat := strconv.FormatInt(c.Now().Add(-time.Hour).Unix(), 10)
	want := []string{
		"__client_uat=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; SameSite=Lax",
		"__client_uat=UAT; Path=/; Domain=localhost; Max-Age=3600; SameSite=Lax",
		"__client_uat_S=UAT; Path=/; Domain=localhost; Max-Age=3600; SameSite=Lax",
		"__session=JWT; Path=/; Max-Age=3600; SameSite=Lax",
		"__session_S=JWT; Path=/; Max-Age=3600; SameSite=Lax",
		"__refresh_S=REFRESH; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax",
		"__clerk_db_jwt=BROWSER; Path=/; Max-Age=3600; SameSite=Lax",
		"__clerk_db_jwt_S=BROWSER; Path=/; Max-Age=3600; SameSite=Lax",
	}
	names := map[string]string{uat: "UAT", jwt: "JWT", refresh: "REFRESH", token: "BROWSER"}
	if got := shapes(i, lines, names); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if id, reason := judged(t, i, c.Now, jwt); reason != "" || id.UserID != i.Users()[2].ID {
		t.Errorf("%q %+v", reason, id)
	}
	if _, claims := decoded(t, jwt); claims["azp"] != app {
		t.Errorf("azp %v", claims["azp"])
	}
	if len(refresh) < 22 {
		t.Errorf("a refresh token of %d characters can be guessed", len(refresh))
	}
}

func TestHandshakeSignedOut(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	token := i.NewClient()
	_, carried := returned(t, shake(i, nil, "redirect_url", "https://localhost:4180/", "format", "nonce", "__clerk_db_jwt", token))
	_, lines := payload(t, i.Backend(), i, carried.Get("__clerk_handshake_nonce"))
	const past = "Expires=Thu, 01 Jan 1970 00:00:00 GMT; "
	want := []string{
		"__client_uat=; Path=/; " + past + "Secure; SameSite=Lax",
		"__client_uat=0; Path=/; Domain=localhost; Max-Age=3600; Secure; SameSite=Lax",
		"__client_uat_S=0; Path=/; Domain=localhost; Max-Age=3600; Secure; SameSite=Lax",
		"__session=; Path=/; " + past + "Secure; SameSite=Lax",
		"__session_S=; Path=/; " + past + "Secure; SameSite=Lax",
		"__refresh_S=; Path=/; " + past + "HttpOnly; Secure; SameSite=Lax",
		"__clerk_db_jwt=BROWSER; Path=/; Max-Age=3600; Secure; SameSite=Lax",
		"__clerk_db_jwt_S=BROWSER; Path=/; Max-Age=3600; Secure; SameSite=Lax",
	}
	if got := shapes(i, lines, map[string]string{token: "BROWSER"}); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestHandshakeToken: the other form, which is the default.
func TestHandshakeToken(t *testing.T) {
	t.Parallel()
	i, c := standing(t)
	token, _ := signedInBrowser(t, i, "ada")
	for _, format := range []string{"token", ""} {
		_, carried := returned(t, shake(i, nil, "redirect_url", app+"/a?b", "format", format, "__clerk_db_jwt", token))
		header, claims := decoded(t, carried.Get("__clerk_handshake"))
		directives, _ := claims["handshake"].([]any)
		if header["cat"] != "cl_B7d4PD111AAA" || header["alg"] != "RS256" || len(directives) != 8 || carried.Has("__clerk_handshake_nonce") {
			t.Errorf("%q: %v %v", format, header, claims)
		}
		if claims["iat"] != float64(c.Now().Unix()) || claims["exp"] != float64(c.Now().Unix()+300) {
			t.Errorf("times: %v", claims)
		}
		if _, reason := judged(t, i, c.Now, carried.Get("__clerk_handshake")); reason == "" {
			t.Error("a handshake token is a session token, too")
		}
	}
	if got := shake(i, nil, "redirect_url", app, "format", "cookie"); got.StatusCode != 422 {
		t.Errorf("another format: %d", got.StatusCode)
	}
}

func TestHandshakeFindsTheBrowser(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	ada, _ := signedInBrowser(t, i, "ada")
	zoe, _ := signedInBrowser(t, i, "zoe")
	cookie := func(name, value string) jar { return jar{name: {Name: name, Value: value}} }
	for _, c := range []struct {
		name, query string
		cookies     jar
		want        string // "" is a new one
	}{
		{"the query", ada, nil, ada}, {"the query before the cookie", ada, cookie("__clerk_db_jwt", zoe), ada},
		{"a cookie", "", cookie("__clerk_db_jwt", zoe), zoe}, {"the suffixed cookie", "", cookie("__clerk_db_jwt"+suffix(i), zoe), zoe},
		{"nobody", "", nil, ""}, {"unknown", "dvb_of_yesterday", nil, ""}, {"unknown in the query, known in a cookie", "dvb_of_yesterday", cookie("__clerk_db_jwt", zoe), ""},
	} {
		pairs := []string{"redirect_url", app, "format", "nonce"}
		if c.query != "" {
			pairs = append(pairs, "__clerk_db_jwt", c.query)
		}
		_, carried := returned(t, shake(i, c.cookies, pairs...))
		got := carried.Get("__clerk_db_jwt")
		if c.want != "" && got != c.want || got == c.query && c.want == "" || !strings.HasPrefix(got, "dvb_") {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}

// TestHandshakeNonceIsUsedOnce, and not for long.
func TestHandshakeNonceIsUsedOnce(t *testing.T) {
	t.Parallel()
	i, c := standing(t)
	api := i.Backend()
	nonce := func() string {
		_, carried := returned(t, shake(i, nil, "redirect_url", app, "format", "nonce"))
		return carried.Get("__clerk_handshake_nonce")
	}
	first, second, third := nonce(), nonce(), nonce()
	if len(first) < 22 || first == second {
		t.Errorf("%q can be guessed", first)
	}
	if status, _ := payload(t, api, i, first); status != 200 {
		t.Errorf("%d", status)
	}
	if status, lines := payload(t, api, i, first); status != 404 || lines != nil {
		t.Errorf("twice: %d %q", status, lines)
	}
	c.move(5 * time.Minute)
	if status, _ := payload(t, api, i, second); status != 200 {
		t.Errorf("after five minutes: %d", status)
	}
	c.move(time.Second)
	if status, lines := payload(t, api, i, third); status != 404 || lines != nil {
		t.Errorf("later: %d %q", status, lines)
	}
	nonce()
	c.move(time.Hour)
	nonce()
	if kept := i.Handshakes(); kept != 1 {
		t.Errorf("%d handshakes are kept", kept)
	}
	for _, unknown := range []string{"", "x", strings.Repeat("x", 9000)} {
		if status, _ := payload(t, api, i, unknown); status != 404 {
			t.Errorf("unknown: %d", status)
		}
	}
}

// TestHandshakeKeepsTheAddress byte for byte, and takes out only what came before.
func TestHandshakeKeepsTheAddress(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	for given, want := range map[string]string{
		"/a": "/a?", "": "?", "/a?": "/a?&", "/a?b=c+d&e=%7e~&f": "/a?b=c+d&e=%7e~&f&", "/%2f/..;x/?x=http://a?b": "/%2f/..;x/?x=http://a?b&",
		"/a?__clerk_handshake_nonce=evil&b=1": "/a?b=1&", "/a?__clerk%5fhandshake=evil": "/a?",
		"/a?b=1&__clerk_db_jwt=old&__clerk_handshake=x&c": "/a?b=1&c&", "/a?%zz=1&%": "/a?%zz=1&%&",
	} {
		got := shake(i, nil, "redirect_url", app+given, "format", "nonce").Header.Get("Location")
		kept, carried, found := strings.Cut(got, "__clerk_handshake_nonce=")
		if !found || kept != app+want || !strings.Contains(carried, "&__clerk_db_jwt=dvb_") {
			t.Errorf("%s: %s", given, got)
		}
	}
}

// TestThreatHandshakeLeadsNowhereElse: RD-01, RD-02, RD-03, RD-06.
func TestThreatHandshakeLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	i := emulator(t, clerkdev.Config{AllowedOrigins: []string{"https://app.example.com"}})
	for _, good := range []string{
		"http://localhost:4180/", "https://localhost/", "http://127.0.0.1:1", "http://[::1]:4180/x", "http://a.localhost/", "HTTP://LOCALHOST/x",
		"https://app.example.com/x", "https://app.example.com:443/x", "https://APP.example.com", "http://localhost/?a=\\b",
	} {
		if got := shake(i, nil, "redirect_url", good); got.StatusCode != 307 || !strings.HasPrefix(got.Header.Get("Location"), good) {
			t.Errorf("%q: %d %q", good, got.StatusCode, got.Header.Get("Location"))
		}
	}
	for _, bad := range []string{
		"", "/", "//localhost/", "/x", "localhost:4180", "https:localhost", "https:/localhost/", "https:///localhost/", "javascript://localhost/%0aalert(1)",
		"ftp://localhost/", "https://evil.com/", "https://evil.com#@localhost/", "https://user@localhost/", "https://localhost@evil.com/", "https://localhost:x/",
		"https://app.example.com.evil.com/", "https://badapp.example.com/", "http://app.example.com/", "https://app.example.com:8443/", "https://evil.com\\@app.example.com/",
		"https://app.example.com\\.evil.com/", "https://localhost\\@evil.com", "https:\\\\localhost/", "https://localhost/\\evil.com", "https://local host/", "https://localhost/ x", "https://localhost/\r\nSet-Cookie: x", "\thttps://localhost/",
		"https://localhost/#x", "https://localhost.evil.com/", "https://localhost%2eevil.com/", "https://app.example.com%40evil.com", "https://lÖcalhost/", "https://localhost/ö", "https://0.0.0.0/", "https://2130706433/",
	} {
		if got := shake(i, nil, "redirect_url", bad, "format", "nonce"); got.StatusCode != 422 || got.Header.Get("Location") != "" || len(got.Cookies()) != 0 {
			t.Errorf("%q: %d %q", bad, got.StatusCode, got.Header.Get("Location"))
		}
	}
	if n := i.Handshakes(); n != 0 {
		t.Errorf("%d handshakes were begun", n)
	}
}

func TestHandshakeOrganization(t *testing.T) {
	t.Parallel()
	i, c := standing(t)
	token, s := signedInBrowser(t, i, "zoe")
	id := organizationOf(t, i, s.UserID)
	for _, step := range []struct {
		wanted string // "-" asks for none
		want   string
	}{
		{"-", ""}, {"nordlicht", id}, {"-", id}, {"", ""}, {id, id}, {"acme", id}, {"nothing", id}, {"", ""}, {"org_nothing", ""},
	} {
		c.move(time.Minute)
		pairs := []string{"redirect_url", app, "__clerk_db_jwt", token}
		if step.wanted != "-" {
			pairs = append(pairs, "organization_id", step.wanted)
		}
		_, carried := returned(t, shake(i, nil, pairs...))
		_, claims := decoded(t, carried.Get("__clerk_handshake"))
		session, uat := "", ""
		for _, line := range claims["handshake"].([]any) {
			name, value, _ := strings.Cut(strings.SplitN(line.(string), ";", 2)[0], "=")
			switch name {
			case "__session":
				session = value
			case "__client_uat":
				uat = value
			}
		}
		_, of := decoded(t, session)
		o, _ := of["o"].(map[string]any)
		if got, _ := o["id"].(string); got != step.want {
			t.Errorf("%q: %q, want %q", step.wanted, got, step.want)
		}
		if at, _ := strconv.ParseFloat(uat, 64); at > of["iat"].(float64) {
			t.Errorf("%q: uat %s after iat %v", step.wanted, uat, of["iat"])
		}
	}
	if got := shake(i, nil, "redirect_url", app, "organization_id", id); got.StatusCode != 307 {
		t.Errorf("nobody: %d", got.StatusCode)
	}
}

// TestHandshakeOfAnEndedSession ends signed out.
func TestHandshakeOfAnEndedSession(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	token, s := signedInBrowser(t, i, "zoe")
	if err := i.EndSession(s.ID, "revoked"); err != nil {
		t.Fatal(err)
	}
	_, carried := returned(t, shake(i, nil, "redirect_url", app, "format", "nonce", "__clerk_db_jwt", token))
	_, lines := payload(t, i.Backend(), i, carried.Get("__clerk_handshake_nonce"))
	for _, c := range cookieLines(t, lines) {
		if strings.HasPrefix(c.Name, "__session") && c.Value != "" || strings.HasPrefix(c.Name, "__client_uat") && c.Value != "0" && c.Value != "" {
			t.Errorf("%s", c.Raw)
		}
	}
}

// TestHandshakeInProduction carries nothing in the address (HS-10), and its cookie is
// of the application's host, or of the domain of both.
func TestHandshakeInProduction(t *testing.T) {
	t.Parallel()
	i := emulator(t, clerkdev.Config{Production: true, FrontendAPI: "clerk.example.com", AllowedOrigins: []string{"https://app.example.com"}})
	u, client := i.AddUser(clerkdev.User{}), i.NewClient()
	if _, err := i.SignIn(client, u.ID); err != nil {
		t.Fatal(err)
	}
	known := jar{"__client": {Name: "__client", Value: client}}
	for _, c := range []struct {
		to, format, carrier, attributes, domain string
	}{
		{"https://localhost:4180/a?b=~", "nonce", "__clerk_handshake_nonce", "; Path=/; Max-Age=300; HttpOnly; Secure; SameSite=Lax", ""},
		{"https://localhost:4180/a?b=~", "token", "__clerk_handshake", "; Path=/; Max-Age=300; HttpOnly; Secure; SameSite=Lax", ""},
		{"https://app.example.com/", "nonce", "__clerk_handshake_nonce", "; Path=/; Domain=example.com; Max-Age=300; HttpOnly; Secure; SameSite=Lax", "example.com"},
	} {
		got := shake(i, known, "redirect_url", c.to, "format", c.format)
		if got.StatusCode != 307 || got.Header.Get("Location") != c.to || len(got.Cookies()) != 1 {
			t.Fatalf("%d %v", got.StatusCode, got.Header)
		}
		carrier := got.Cookies()[0]
		if carrier.Name != c.carrier || !strings.HasSuffix(carrier.Raw, c.attributes) {
			t.Errorf("%s", carrier.Raw)
		}
		if c.format != "nonce" {
			continue
		}
		_, lines := payload(t, i.Backend(), i, carrier.Value)
		var names []string
		for _, line := range cookieLines(t, lines) {
			names = append(names, strings.TrimSuffix(line.Name, suffix(i)))
			if strings.HasPrefix(line.Name, "__clerk_handshake") && (line.Domain != c.domain || line.Value != "" || line.Expires.Year() != 1970) {
				t.Errorf("%s", line.Raw)
			}
		}
		if strings.Join(names, " ") != "__client_uat __client_uat __client_uat __session __session __refresh __clerk_handshake __clerk_handshake_nonce" {
			t.Errorf("%v", names)
		}
		if !strings.Contains(lines[1], "; Max-Age=315360000;") || strings.Contains(lines[3], "Max-Age") || !strings.Contains(lines[5], "; Max-Age=604800;") {
			t.Errorf("%q", lines)
		}
	}
	nobody := shake(i, nil, "redirect_url", "https://localhost:4180/", "format", "token")
	_, claims := decoded(t, nobody.Cookies()[0].Value)
	if list := claims["handshake"].([]any); len(list) != 8 || !strings.HasPrefix(list[1].(string), "__client_uat=0;") || len(nobody.Cookies()) != 1 {
		t.Errorf("%v", claims)
	}
}
