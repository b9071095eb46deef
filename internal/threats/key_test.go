package threats_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/internal/wiretest"
)

func keyThreats() []threat {
	return []threat{
		{"JWT-03", testAlgorithmOfKey},
		{"JWT-07", testForeignInstance},
		{"JWT-08", testUnknownKeyFlood},
		{"JWT-10", testKeysOutOfReach},
		{"JWT-11", testOddKeySets},
		{"JWT-12", testWhereKeysComeFrom},
		{"JWT-14", func(t *testing.T) {
			g := withKeys(t, document(minttest.Good().JWK, ellipticKey("off-curve", "P-256"), ellipticKey("other-curve", "P-384")))
			for _, c := range []string{ellipticToken("ES256", "off-curve"), ellipticToken("ES256", "other-curve"), ellipticToken("RS256", "off-curve"), ellipticToken("ES384", "other-curve")} {
				if got := sendHTTP1(t, g, call{lines: []string{bearer(c)}}); got.status != 401 {
					t.Errorf("status %d %s", got.status, got.reason)
				}
			}
		}},
	}
}

func respond(status, body string) wiretest.Reply {
	return wiretest.Reply{Bytes: fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body)}
}

// withKeys starts a proxy that has its keys from a key set.
func withKeys(t *testing.T, body string) *rig {
	t.Helper()
	g, _ := withKeyServer(t, func(*wiretest.Request) wiretest.Reply { return respond("200 OK", body) })
	g.awaitKeys(t)
	return g
}

// awaitKeys asks until the keys are there: before that everybody gets a 503.
func (g *rig) awaitKeys(t *testing.T) {
	t.Helper()
	for range 1000 {
		if got := sendHTTP1(t, g, call{lines: []string{bearer(ordinary())}}); got.status != 503 {
			g.fresh(t)
			return
		}
	}
	t.Fatal("the keys never arrive")
}

func withKeyServer(t *testing.T, answer func(*wiretest.Request) wiretest.Reply) (*rig, *wiretest.Upstream) {
	t.Helper()
	keys := wiretest.NewUpstream(t, answer)
	g := start(t, setup{env: []string{"CLERK_JWT_KEY=", "AUTHPROXY_JWKS_URL=" + keys.URL() + "/jwks.json"}})
	return g, keys
}

// document is a key set of keys as they are; a key without kid gets the good one.
func document(keys ...map[string]any) string {
	all := make([]map[string]any, len(keys))
	for i, k := range keys {
		all[i] = maps.Clone(k)
		if all[i]["kid"] == nil {
			all[i]["kid"] = minttest.Good().KeyID
		}
	}
	b, err := json.Marshal(map[string]any{"keys": all})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// keyWith is the good key with changes; nil removes.
func keyWith(over map[string]any) map[string]any {
	k := maps.Clone(minttest.Good().JWK)
	for name, v := range over {
		if v == nil {
			delete(k, name)
		} else {
			k[name] = v
		}
	}
	return k
}

func ellipticKey(kid, curve string) map[string]any {
	return map[string]any{"kid": kid, "kty": "EC", "crv": curve, "x": strings.Repeat("A", 43), "y": strings.Repeat("B", 43), "use": "sig"}
}

// A key says which algorithm it is for, or our own list does; the token chooses
// among neither.
func testAlgorithmOfKey(t *testing.T) {
	for name, c := range map[string]struct {
		alg    any
		accept []string
	}{"RS256 only": {"RS256", []string{"RS256"}}, "RS512 only": {"RS512", []string{"RS512"}}, "unsaid": {nil, []string{"RS256", "RS384", "RS512"}}, "PS256": {"PS256", nil}, "HS256": {"HS256", nil}} {
		t.Run(name, func(t *testing.T) {
			other := maps.Clone(minttest.Evil().JWK) // a set without a usable key is no set
			other["kid"] = "other"
			g := withKeys(t, document(keyWith(map[string]any{"alg": c.alg}), other))
			for _, alg := range []string{"RS256", "RS384", "RS512", "PS256", "ES256", "HS256", "none", "rs256", "EdDSA"} {
				want := 401
				if strings.Contains(fmt.Sprint(c.accept), alg) {
					want = 200
				}
				if got := sendHTTP1(t, g, call{lines: []string{bearer(headed(map[string]any{"alg": alg}))}}); got.status != want {
					t.Errorf("a token of %s: status %d %s, want %d", alg, got.status, got.reason, want)
				}
			}
		})
	}
}

// Another instance's token is nobody's, whatever its key is called.
func testForeignInstance(t *testing.T) {
	g := withKeys(t, string(minttest.JWKS(minttest.Good())))
	for name, token := range map[string]string{
		"its kid":           minttest.Evil().Sign(minttest.Session(minttest.TestIss, noon, nil), map[string]any{"kid": "ins_other"}),
		"our kid":           minttest.Evil().Sign(minttest.Session(minttest.TestIss, noon, nil), nil),
		"our kid and iss":   minttest.Evil().Sign(claims(nil), nil),
		"our key, its iss":  minttest.Good().Sign(minttest.Session(minttest.TestIss, noon, nil), nil),
		"its key, our iss":  minttest.Evil().Sign(claims(nil), map[string]any{"kid": "ins_other"}),
		"no kid, its key":   minttest.Evil().Sign(claims(nil), map[string]any{"kid": nil}),
		"kid that is a URL": minttest.Evil().Sign(claims(nil), map[string]any{"kid": "https://evil.example/keys#1"}),
	} {
		if got := sendHTTP1(t, g, call{lines: []string{bearer(token)}}); got.status != 401 {
			t.Errorf("%s: status %d %s", name, got.status, got.reason)
		}
	}
	if got := sendHTTP1(t, g, call{lines: []string{bearer(ordinary())}}); got.status != 200 {
		t.Errorf("our own: status %d %s", got.status, got.reason)
	}
}

// However many keys tokens name, the key set is asked for once.
func testUnknownKeyFlood(t *testing.T) {
	g, keys := withKeyServer(t, func(*wiretest.Request) wiretest.Reply {
		return respond("200 OK", string(minttest.JWKS(minttest.Good())))
	})
	g.awaitKeys(t)
	client := g.dial(t)
	for i := range 500 {
		token := encoded(fmt.Sprintf(`{"alg":"RS256","kid":"ins_%d"}`, i)) + "." + part(1) + "." + part(2)
		client.Send(call{lines: []string{bearer(token)}}.raw())
		if r := client.Response("GET"); r == nil || r.Status != 401 || r.Get("X-Clerk-Auth-Reason") != "jwk-kid-mismatch" {
			t.Fatalf("token %d: %+v", i, r)
		}
		if i%100 == 0 {
			if got := sendHTTP1(t, g, call{lines: []string{bearer(ordinary())}}); got.status != 200 {
				t.Errorf("a good token meanwhile: status %d %s", got.status, got.reason)
			}
		}
	}
	client.Close()
	fetches := 0
	for _, c := range keys.Snapshot() {
		fetches += len(c.Requests)
	}
	if fetches > 3 { // the first, one for the misses, and one more if ten seconds have passed
		t.Errorf("%d fetches", fetches)
	}
}

// Without keys nobody is let in and nobody is told that the session is wrong.
func testKeysOutOfReach(t *testing.T) {
	for name, reply := range map[string]wiretest.Reply{
		"500":         respond("500 Internal Server Error", "{}"),
		"not found":   respond("404 Not Found", string(minttest.JWKS(minttest.Good()))),
		"empty":       respond("200 OK", ""),
		"HTML":        respond("200 OK", "<html>sign in</html>"),
		"no keys":     respond("200 OK", `{"keys":[]}`),
		"hangs up":    {Bytes: "\r", Close: true},
		"half a body": {Bytes: "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + string(minttest.JWKS(minttest.Good())), Close: true},
		"10 MB":       respond("200 OK", `{"x":"`+strings.Repeat("a", 10<<20)+`",`+strings.TrimPrefix(string(minttest.JWKS(minttest.Good())), "{")),
		"silence":     {Mute: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, _ := withKeyServer(t, func(*wiretest.Request) wiretest.Reply { return reply })
			for _, credential := range []string{bearer(ordinary()), cookie(ordinary())} {
				got := sendHTTP1(t, g, call{lines: []string{credential}})
				if got.status != 503 || got.reason != "keys-unavailable" || got.get("Retry-After") == "" {
					t.Errorf("with a session: status %d %s, Retry-After %q", got.status, got.reason, got.get("Retry-After"))
				}
			}
			if got := sendHTTP1(t, g, call{}); got.status != 401 {
				t.Errorf("without a session: status %d", got.status)
			}
			if n := len(g.fresh(t)); n > 0 {
				t.Errorf("%d requests at the upstream", n)
			}
			if got := sendHTTP1(t, g, call{target: "/public/x", lines: []string{cookie(ordinary())}}); got.status != 200 {
				t.Errorf("public: status %d %s", got.status, got.reason)
			}
			for _, r := range g.fresh(t) {
				carries(t, r, nobody())
			}
		})
	}
}

// Keys that cannot be used are left out; the others are not lost with them.
func testOddKeySets(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	n := base64.RawURLEncoding.EncodeToString(small.N.Bytes())
	secret := base64.RawURLEncoding.EncodeToString([]byte("a secret of thirty-two bytes, ok"))
	odd := []map[string]any{
		{"kid": "oct", "kty": "oct", "k": secret, "alg": "HS256", "use": "sig"}, {"kid": "small", "kty": "RSA", "n": n, "e": "AQAB", "use": "sig"},
		keyWith(map[string]any{"kid": "one", "e": "AQ"}), keyWith(map[string]any{"kid": "enc", "use": "enc"}), keyWith(map[string]any{"kid": "ops", "key_ops": []string{"encrypt"}}),
		{"kid": "okp", "kty": "OKP", "crv": "Ed25519", "x": strings.Repeat("A", 43)}, {"kid": "what", "kty": "what"}, {"kid": "empty", "kty": "RSA"}, {"kid": "number", "kty": 1},
		ellipticKey("ec", "P-256"), keyWith(map[string]any{"kid": "huge", "n": strings.Repeat("A", 16384/6*10)}), keyWith(map[string]any{"kid": "ps", "alg": "PS256"}),
	}
	g := withKeys(t, document(append(odd, minttest.Good().JWK)...))
	if got := sendHTTP1(t, g, call{lines: []string{bearer(ordinary())}}); got.status != 200 {
		t.Errorf("the good key: status %d %s", got.status, got.reason)
	}
	for _, k := range odd {
		kid := fmt.Sprint(k["kid"])
		for _, alg := range []string{"RS256", "HS256"} {
			if got := sendHTTP1(t, g, call{lines: []string{bearer(headed(map[string]any{"kid": kid, "alg": alg}))}}); got.status != 401 {
				t.Errorf("key %s, %s: status %d %s", kid, alg, got.status, got.reason)
			}
		}
	}
	weak := minttest.Signer{KeyID: "small", Key: small}
	if got := sendHTTP1(t, g, call{lines: []string{bearer(weak.Sign(claims(nil), nil))}}); got.status != 401 {
		t.Errorf("a key of 1024 bits: status %d %s", got.status, got.reason)
	}
}

// Keys come from where the operator said, not from where a token or a redirect
// says.
func testWhereKeysComeFrom(t *testing.T) {
	trap := wiretest.NewUpstream(t, func(*wiretest.Request) wiretest.Reply {
		return respond("200 OK", string(minttest.JWKS(minttest.Good())))
	})
	for _, status := range []string{"301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect", "303 See Other"} {
		g, _ := withKeyServer(t, func(*wiretest.Request) wiretest.Reply {
			return wiretest.Reply{Bytes: "HTTP/1.1 " + status + "\r\nLocation: " + trap.URL() + "/latest/meta-data\r\nContent-Length: 0\r\n\r\n"}
		})
		if got := sendHTTP1(t, g, call{lines: []string{bearer(ordinary())}}); got.status != 503 {
			t.Errorf("%s: status %d %s", status, got.status, got.reason)
		}
	}
	g := withKeys(t, string(minttest.JWKS(minttest.Good())))
	for _, iss := range []string{trap.URL(), "http://169.254.169.254/latest", "file:///etc/passwd"} {
		if got := sendHTTP1(t, g, call{lines: []string{bearer(good(map[string]any{"iss": iss}))}}); got.status != 401 {
			t.Errorf("iss %s: status %d %s", iss, got.status, got.reason)
		}
	}
	if all := trap.Snapshot(); len(all) > 0 {
		t.Errorf("somebody went there: %+v", all)
	}
	for _, u := range []string{"http://keys.example.com/jwks", "file:///jwks.json", "http://169.254.169.254/jwks", "ftp://127.0.0.1/jwks"} {
		if err := refusedAtStart(t, "AUTHPROXY_JWKS_URL="+u); err == nil {
			t.Errorf("keys from %s are accepted", u)
		}
	}
}
