package upstreamtest_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/internal/upstreamtest"
)

// situation is a request that reaches the application, and what the application
// must read whatever else the request holds.
type situation struct {
	name       string
	request    string // method and target
	fields     []string
	connection string   // "close" unless given
	body       []string // what follows the head
	want       map[string]string
}

// situations are the ways to the application that have ever had code, and a
// mistake, of their own.
func situations(now time.Time) []situation {
	full := token(now, minttest.Product())
	bearer := "Authorization: Bearer " + full
	nobody, somebody := readBy(nil), readBy(minttest.Product())
	bare := map[string]any{}
	impersonated := map[string]any{"role": "manager", "act": map[string]any{"sub": "user_support"}}
	upgrade := []string{"Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}
	preflight := []string{"Origin: " + minttest.App, "Access-Control-Request-Method: GET"}
	chunked := []string{"Transfer-Encoding: chunked", "Trailer: X-Auth-Role, X_Auth_Person_Id"}
	trailers := []string{"5", "hello", "0", "X-Auth-Role: forged", "X_Auth_Person_Id: forged", "x.auth.user.id: forged", "", ""}
	return []situation{
		{name: "session", request: "GET /app", fields: []string{bearer}, want: somebody},
		{name: "session in a cookie", request: "GET /app", fields: []string{fmt.Sprintf("Cookie: a=b; __session=%s; __client_uat=%d", full, now.Unix()-60)}, want: somebody},
		{name: "session without product claims", request: "GET /app", fields: []string{"Authorization: Bearer " + token(now, bare)}, want: readBy(bare)},
		{name: "impersonated session", request: "GET /app", fields: []string{"Authorization: Bearer " + token(now, impersonated)}, want: readBy(impersonated)},
		{name: "public", request: "GET /public/page", want: nobody},
		{name: "public with a session", request: "GET /public/page", fields: []string{bearer}, want: somebody},
		{name: "public with a forged session", request: "GET /public/page", fields: []string{"Authorization: Bearer " + full[:len(full)-8] + "AAAAAAAA"}, want: nobody},
		{name: "preflight", request: "OPTIONS /app", fields: preflight, want: nobody},
		{name: "OPTIONS", request: "OPTIONS /app", fields: []string{bearer}, want: somebody},
		{name: "public OPTIONS", request: "OPTIONS /public/page", want: nobody},
		{name: "HEAD", request: "HEAD /app", fields: []string{bearer}, want: somebody},
		{name: "POST", request: "POST /app", fields: []string{bearer, "Content-Length: 5"}, body: []string{"hello"}, want: somebody},
		{name: "POST with trailers", request: "POST /app", fields: append(chunked, bearer), body: trailers, want: somebody},
		{name: "public POST with trailers", request: "POST /public/page", fields: chunked, body: trailers, want: nobody},
		{name: "upgrade", request: "GET /app/socket", fields: append(upgrade, bearer), connection: "Upgrade", want: somebody},
		{name: "public upgrade", request: "GET /public/socket", fields: upgrade, connection: "Upgrade", want: nobody},
	}
}

// token is a session with these claims beside the ordinary ones.
func token(now time.Time, claims map[string]any) string {
	claims = maps.Clone(claims)
	claims["exp"] = now.Add(10 * time.Minute).Unix()
	return minttest.Good().Sign(minttest.Session(minttest.LiveIss, now, claims), nil)
}

// readBy is what an application reads of a session with these claims, or of
// nobody when claims is nil.
func readBy(claims map[string]any) map[string]string {
	want := map[string]string{
		"X-Auth-Status": "anonymous", "X-Forwarded-For": "127.0.0.1", "X-Real-Ip": "127.0.0.1",
		"X-Forwarded-Host": "app.example.com", "X-Forwarded-Proto": "https", "X-Request-Id": upstreamtest.Anything,
	}
	if claims == nil {
		return want
	}
	want["X-Auth-Status"], want["X-Auth-User-Id"], want["X-Auth-Session-Id"] = "authenticated", "user_2oracle", "sess_2oracle"
	if claims["act"] != nil {
		want["X-Auth-Actor"] = "user_support"
	}
	if claims["role"] != nil {
		want["X-Auth-Role"] = "manager"
	}
	if claims["personId"] != nil {
		maps.Copy(want, map[string]string{
			"X-Auth-Manageros-User-Id": "mos_1", "X-Auth-Organization-Id": "org_acme", "X-Auth-Organization-Slug": "acme",
			"X-Auth-Organization-Name": "M%C3%BCller%20GmbH", "X-Auth-Person-Id": "person_7",
		})
	}
	return want
}

// send makes the situation's request with more fields around its own.
func (s situation) send(t *testing.T, proxy string, before, after []string) (upstreamtest.Reading, error) {
	t.Helper()
	connection := "close"
	if s.connection != "" {
		connection = s.connection
	}
	lines := slices.Concat(before, s.fields, []string{"Connection: " + connection}, after)
	if s.body != nil {
		lines = slices.Concat(lines, []string{""}, s.body)
	}
	reading, res, err := try(t, proxy, s.request, lines...)
	if err == nil && (res.StatusCode == http.StatusSwitchingProtocols) != (strings.HasPrefix(s.connection, "Upgrade") && upgrades(reading)) {
		err = fmt.Errorf("status %d", res.StatusCode)
	}
	return reading, err
}

// send2 makes the situation's request over HTTP/2 with prior knowledge. The
// trailer values of its body are forged.
func (s situation) send2(t *testing.T, proxy string, forged []string) (upstreamtest.Reading, error) {
	t.Helper()
	method, target, _ := strings.Cut(s.request, " ")
	req, err := http.NewRequestWithContext(t.Context(), method, proxy+target, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "app.example.com"
	if s.body != nil {
		req.Body, req.ContentLength = io.NopCloser(strings.NewReader("hello")), -1
		req.Trailer = http.Header{"X-Auth-Role": {"forged"}, "X_Auth_Person_Id": {"forged"}}
	}
	for _, line := range slices.Concat(s.fields, forged) {
		if name, value, _ := strings.Cut(line, ": "); name != "Transfer-Encoding" && name != "Trailer" {
			req.Header[name] = append(req.Header[name], value)
		}
	}
	transport := &http.Transport{Protocols: new(http.Protocols), DisableCompression: true}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(req)
	if err != nil {
		return upstreamtest.Reading{}, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.ProtoMajor != 2 {
		t.Fatalf("%s answers", res.Proto)
	}
	return upstreamtest.Parse(res)
}

// steering are fields that some server takes for the path or the method of the
// request that was decided about. gunicorn reads SCRIPT_NAME, by that name, as
// the part of the path in front of the application.
var steering = []string{
	"SCRIPT_NAME: /app", "SCRIPT_NAME: /public", "script_name: /public", "Script-Name: /public", "PATH_INFO: /admin", "Path-Info: /admin",
	"X-Script-Name: /public", "X-Original-URL: /admin", "X_Original_URL: /admin", "X-Original-URI: /admin", "X-Rewrite-URL: /admin",
	"X-Forwarded-Prefix: /public", "X-Forwarded-Uri: /admin", "X-Forwarded-Path: /admin", "X-Forwarded-Method: DELETE",
	"X-Accel-Redirect: /admin", "REQUEST_URI: /admin", "Request-Uri: /admin", "REQUEST_METHOD: DELETE", "X-HTTP-Method-Override: DELETE",
}

// upgrades reports whether the application that answered takes upgrades.
func upgrades(r upstreamtest.Reading) bool {
	return strings.HasPrefix(r.Server, "puma") || strings.HasPrefix(r.Server, "node") || strings.HasPrefix(r.Server, "go")
}

// judge reports what a forged field changed. Every value that is sent under a
// name that folds to an owned one holds "forged".
func (s situation) judge(t *testing.T, sent string, reading upstreamtest.Reading, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s, %s: %v", s.name, sent, err)
		return
	}
	if diff := reading.Differences(s.want); len(diff) > 0 {
		t.Errorf("%s, %s:\n%s", s.name, sent, strings.Join(diff, "\n"))
	}
	if held := reading.Holding("forged"); len(held) > 0 {
		t.Errorf("%s, %s: a forged value arrives: %v", s.name, sent, held)
	}
	// What was the session stays here; another Authorization is none of ours.
	if held := reading.Holding("eyJ"); len(held) > 0 && s.want["X-Auth-Status"] == "authenticated" {
		t.Errorf("%s, %s: the token arrives: %v", s.name, sent, held)
	}
	for _, v := range reading.Dump { // an announced trailer is a promise of one (HDR-25)
		if strings.EqualFold(strings.TrimPrefix(v.Name, "HTTP_"), "Trailer") {
			t.Errorf("%s, %s: trailers are announced: %v", s.name, sent, v)
		}
	}
	method, target, _ := strings.Cut(s.request, " ")
	if reading.Method != method || reading.Path != target || (len(s.body) > 0) != (reading.Body == 5) {
		t.Errorf("%s, %s: the application got %s %s with %d bytes", s.name, sent, reading.Method, reading.Path, reading.Body)
	}
}

// TestThreat proves I1, header authority, against what applications read:
// nothing of a token's headers can be forged, removed or doubled.
func TestThreat(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, kind upstreamtest.Kind, base string) {
		proxy := startProxy(t, base)
		all := situations(time.Now())
		if kind == upstreamtest.WSGIRef { // reads no chunked bodies, and so answers before they come
			all = slices.DeleteFunc(all, func(s situation) bool { return slices.Contains(s.fields, "Transfer-Encoding: chunked") })
		}
		run := func(name string, list []situation, test func(t *testing.T, s situation)) {
			t.Run(name, func(t *testing.T) {
				for _, s := range list {
					test(t, s)
				}
			})
		}
		run("HDR-02 plain", all, func(t *testing.T, s situation) {
			reading, err := s.send(t, proxy, nil, nil)
			s.judge(t, "nothing forged", reading, err)
		})
		run("HDR-06 HDR-07 HDR-08 separators", all, func(t *testing.T, s situation) {
			for chunk := range slices.Chunk(spellings(), 500) {
				reading, err := s.send(t, proxy, chunk[:len(chunk)/2], chunk[len(chunk)/2:])
				s.judge(t, "spellings from "+chunk[0], reading, err)
			}
		})
		run("HDR-12 HDR-14 copies", all, func(t *testing.T, s situation) {
			for _, c := range copies() {
				reading, err := s.send(t, proxy, c.before, c.after)
				s.judge(t, c.name, reading, err)
			}
		})
		run("HDR-22 nominated", all, func(t *testing.T, s situation) {
			s.connection = strings.TrimPrefix(s.connection+", "+strings.Join(upstreamtest.Names(), ", "), ", ")
			reading, err := s.send(t, proxy, nil, nil)
			s.judge(t, "Connection: "+s.connection, reading, err)
		})
		run("HDR-06 letters and digits", pick(all, "session", "public"), func(t *testing.T, s situation) {
			for chunk := range slices.Chunk(otherNames(), 60) {
				reading, err := s.send(t, proxy, nil, chunk)
				s.judge(t, "other names from "+chunk[0], reading, err)
			}
		})
		run("HDR-06 over HTTP/2", pick(all, "session", "public", "POST with trailers"), func(t *testing.T, s situation) {
			for chunk := range slices.Chunk(slices.Concat(spellings(), copies()[0].before), 400) {
				reading, err := s.send2(t, proxy, chunk)
				s.judge(t, "HTTP/2 spellings from "+chunk[0], reading, err)
			}
		})
		run("HDR-31 steering", pick(all, "session", "public"), func(t *testing.T, s situation) {
			for _, field := range steering {
				reading, err := s.send(t, proxy, nil, []string{field})
				s.judge(t, field, reading, err)
			}
		})
		run("CK-03 cookies", pick(all, "public"), func(t *testing.T, s situation) {
			for _, line := range disguises() {
				reading, err := s.send(t, proxy, []string{"Cookie: " + line}, nil)
				if err == nil {
					judgeCookies(t, line, reading)
				} else {
					t.Errorf("%q: %v", line, err)
				}
			}
		})
		run("HDR-17 bytes that are no name", pick(all, "public"), func(t *testing.T, s situation) {
			for _, field := range illegal() {
				reading, err := s.send(t, proxy, nil, []string{field})
				if err == nil { // else it was refused, which is best
					s.judge(t, fmt.Sprintf("%q", field), reading, nil)
				}
			}
		})
	})
}

func pick(all []situation, names ...string) []situation {
	return slices.DeleteFunc(slices.Clone(all), func(s situation) bool { return !slices.Contains(names, s.name) })
}
