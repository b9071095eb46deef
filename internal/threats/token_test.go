package threats_test

import (
	"bytes"
	"compress/flate"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/internal/wiretest"
)

// bad is a token that is no session, and the reason that the client is given
// when it is a bearer; "" is any. As a cookie it may not even be chosen, which
// has a reason of its own.
type bad struct{ name, token, reason string }

// rejected presents each token as a bearer and as a cookie: 401 where a session
// is needed, nobody where none is, and a fault of the client always.
func rejected(cases ...bad) func(*testing.T) {
	return func(t *testing.T) {
		g := start(t, setup{})
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) { reject(t, g, c) })
		}
	}
}

func reject(t *testing.T, g *rig, c bad) {
	t.Helper()
	for _, credential := range []string{bearer(c.token), cookie(c.token)} {
		kind, _, _ := strings.Cut(credential, ":")
		got := sendHTTP1(t, g, call{lines: []string{credential}})
		if n := len(g.fresh(t)); got.status != 401 || n > 0 || got.reason == "" || c.reason != "" && kind == "Authorization" && got.reason != c.reason {
			t.Errorf("%s: status %d %s, want 401 %s; %d requests at the upstream", kind, got.status, got.reason, c.reason, n)
		}
		got = sendHTTP1(t, g, call{target: "/public/x", lines: []string{credential}})
		requests := g.fresh(t)
		if got.status != 200 || len(requests) != 1 {
			t.Errorf("%s on a public path: status %d %s", kind, got.status, got.reason)
		}
		for _, r := range requests {
			carries(t, r, nobody())
		}
	}
}

func encoded(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func claims(over map[string]any) map[string]any {
	return minttest.Session(minttest.LiveIss, noon, over)
}

func payload(over map[string]any) []byte {
	b, err := json.Marshal(claims(over))
	if err != nil {
		panic(err)
	}
	return b
}

// headed signs an ordinary session under another header.
func headed(header map[string]any) string { return minttest.Good().Sign(claims(nil), header) }

// headedRaw is headed for a header that no map can say.
func headedRaw(header string) string { return minttest.Good().SignRaw([]byte(header), payload(nil)) }

func tokenThreats() []threat {
	good := minttest.Good()
	return []threat{
		{"JWT-01", rejected(unsigned()...)},
		{"JWT-02", rejected(symmetric()...)},
		{"JWT-04", rejected(
			bad{"embedded", minttest.Evil().Sign(claims(nil), map[string]any{"jwk": minttest.Evil().JWK, "kid": "evil"}), ""},
			bad{"embedded under our kid", minttest.Evil().Sign(claims(nil), map[string]any{"jwk": minttest.Evil().JWK}), "token-invalid-signature"},
			bad{"embedded, no kid", minttest.Evil().Sign(claims(nil), map[string]any{"jwk": minttest.Evil().JWK, "kid": nil}), ""})},
		{"JWT-05", testNoFetchForTokens},
		{"JWT-16", rejected(respelled()...)},
		{"JWT-17", rejected(
			bad{"unknown", headed(map[string]any{"crit": []string{"x"}, "x": 1}), ""}, bad{"empty", headed(map[string]any{"crit": []string{}}), ""},
			bad{"exp", headed(map[string]any{"crit": []string{"exp"}}), ""}, bad{"no list", headed(map[string]any{"crit": "x"}), ""}, bad{"null", headedRaw(`{"alg":"RS256","kid":"` + good.KeyID + `","crit":null}`), ""})},
		{"JWT-18", rejected(bad{"critical", headed(map[string]any{"b64": false, "crit": []string{"b64"}}), ""}, bad{"not critical", unencoded(), ""}, bad{"not critical, but encoded", headed(map[string]any{"b64": false}), ""})},
		{"JWT-19", rejected(
			bad{"sub", mintRaw(`"sub":"user_evil"`), "token-invalid"}, bad{"exp", mintRaw(`"exp":1900000000`), "token-invalid"}, bad{"custom", mintRaw(`"personId":"evil"`), "token-invalid"},
			bad{"nested", mintRaw(`"o":{"id":"a","id":"b"}`), "token-invalid"}, bad{"escaped", mintRaw(`"s\u0075b":"user_evil"`), "token-invalid"},
			bad{"alg", headedRaw(`{"alg":"none","alg":"RS256","kid":"` + good.KeyID + `"}`), "token-invalid"}, bad{"kid", headedRaw(`{"alg":"RS256","kid":"x","kid":"` + good.KeyID + `"}`), "token-invalid"})},
		{"JWT-21", rejected(
			bad{"flattened", `{"payload":"` + part(1) + `","protected":"` + part(0) + `","signature":"` + part(2) + `"}`, ""},
			bad{"general", `{"payload":"` + part(1) + `","signatures":[{"protected":"` + part(0) + `","signature":"` + part(2) + `"}]}`, ""})},
		{"JWT-22", rejected(
			bad{"five parts", encoded(`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483647,"p2s":"YQ"}`) + ".YQ.YQ.YQ.YQ", "token-invalid"},
			bad{"zip", good.SignRaw([]byte(`{"alg":"RS256","kid":"`+good.KeyID+`","zip":"DEF"}`), deflated(payload(nil))), "token-invalid"}, bad{"nested", good.SignRaw([]byte(`{"alg":"RS256","kid":"`+good.KeyID+`","cty":"JWT"}`), []byte(ordinary())), "token-invalid"},
			bad{"key agreement", encoded(`{"alg":"ECDH-ES","enc":"A256GCM"}`) + "." + part(1) + "." + part(2), ""})},
		{"JWT-24", testMutatedTokens},
		{"JWT-50", rejected(
			bad{"no dot", strings.ReplaceAll(ordinary(), ".", ""), "token-invalid"}, bad{"one dot", part(0) + "." + part(1), "token-invalid"}, bad{"three dots", ordinary() + ".x", "token-invalid"},
			bad{"six dots", ordinary() + "....", "token-invalid"}, bad{"empty parts", "..", "token-invalid"}, bad{"no header", "." + part(1) + "." + part(2), "token-invalid"},
			bad{"no payload", part(0) + ".." + part(2), "token-invalid"}, bad{"no signature", part(0) + "." + part(1) + ".", ""}, bad{"dot behind", ordinary() + ".", "token-invalid"}, bad{"dot before", "." + ordinary(), "token-invalid"},
			bad{"escaped dots", strings.ReplaceAll(ordinary(), ".", "%2E"), "token-invalid"}, bad{"escaped", strings.Replace(ordinary(), "e", "%65", 1), "token-invalid"}, bad{"a word", "null", "token-invalid"})},
	}
}

// part is one of the three parts of the ordinary token.
func part(i int) string { return strings.Split(ordinary(), ".")[i] }

func unsigned() []bad {
	var all []bad
	for name, alg := range map[string]string{"none": `"none"`, "None": `"None"`, "NONE": `"NONE"`, "nOnE": `"nOnE"`, "empty": `""`, "null": `null`, "a number": `1`, "a list": `["RS256"]`, "none with a space": `"none "`} {
		header := encoded(`{"alg":` + alg + `,"typ":"JWT"}`)
		all = append(all, bad{name, header + "." + part(1) + ".", ""}, bad{name + ", our signature", header + "." + part(1) + "." + part(2), ""})
	}
	missing := encoded(`{"typ":"JWT"}`)
	return append(all, bad{"missing", missing + "." + part(1) + ".", ""}, bad{"missing, our signature", missing + "." + part(1) + "." + part(2), ""},
		bad{"signature cut off", part(0) + "." + part(1) + ".", ""}, bad{"signature of another", part(0) + "." + part(1) + "." + strings.Split(mint(map[string]any{"role": "x"}), ".")[2], "token-invalid-signature"},
		bad{"another's payload", part(0) + "." + encoded(string(payload(map[string]any{"sub": "user_evil"}))) + "." + part(2), "token-invalid-signature"})
}

// symmetric signs with the public key as if it were a shared secret.
func symmetric() []bad {
	text := minttest.Good().PEM
	block, _ := pem.Decode([]byte(text))
	jwk, err := json.Marshal(minttest.Good().JWK)
	if err != nil {
		panic(err)
	}
	var all []bad
	for name, secret := range map[string][]byte{
		"PEM": []byte(text), "PEM without its last line end": []byte(strings.TrimSpace(text)), "PEM with another": []byte(text + "\n"), "PEM with a space": []byte(" " + text), "DER": block.Bytes,
		"PKCS 1": x509.MarshalPKCS1PublicKey(minttest.Good().Public()), "JWK": jwk, "modulus": minttest.Good().Public().N.Bytes(), "nothing": nil,
	} {
		for _, header := range []string{`{"alg":"HS256","typ":"JWT","kid":"` + minttest.Good().KeyID + `"}`, `{"alg":"HS256","typ":"JWT"}`} {
			input := encoded(header) + "." + part(1)
			mac := hmac.New(sha256.New, secret)
			mac.Write([]byte(input))
			all = append(all, bad{name, input + "." + encoded(string(mac.Sum(nil))), "token-invalid-algorithm"})
		}
	}
	return all
}

// respelled are other spellings of the ordinary token's bytes.
func respelled() []bad {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	token := ordinary()
	last := strings.IndexByte(alphabet, token[len(token)-1])
	var all []bad
	for unused := 1; unused < 16; unused++ { // 256 bytes leave four bits of the last character unused
		all = append(all, bad{"unused bits", token[:len(token)-1] + string(alphabet[last^unused]), ""})
	}
	standard := strings.NewReplacer("-", "+", "_", "/").Replace(part(2))
	return append(all, bad{"padding", token + "==", "token-invalid"}, bad{"padding inside", part(0) + "=." + part(1) + "." + part(2), "token-invalid"},
		bad{"standard alphabet", part(0) + "." + part(1) + "." + standard, "token-invalid"}, bad{"tab", part(0) + ".\t" + part(1) + "." + part(2), ""},
		bad{"quoted", `"` + token + `"`, ""}, bad{"escaped newline", token + "%0A", "token-invalid"})
}

func deflated(b []byte) []byte {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestCompression)
	if err != nil {
		panic(err)
	}
	_, _ = w.Write(b) // a buffer takes everything
	_ = w.Close()
	return out.Bytes()
}

// unencoded is signed over the payload as it is (RFC 7797).
func unencoded() string {
	header := encoded(`{"alg":"RS256","kid":"` + minttest.Good().KeyID + `","b64":false}`)
	digest := sha256.Sum256([]byte(header + "." + string(payload(nil))))
	signature, err := rsa.SignPKCS1v15(rand.Reader, minttest.Good().Key, 5, digest[:])
	if err != nil {
		panic(err)
	}
	return header + "." + encoded(string(payload(nil))) + "." + encoded(string(signature))
}

// A token that names a place for its key makes nobody go there.
func testNoFetchForTokens(t *testing.T) {
	trap := wiretest.NewUpstream(t, nil)
	g := start(t, setup{})
	for _, name := range []string{"jku", "x5u"} {
		reject(t, g, bad{name, minttest.Evil().Sign(claims(nil), map[string]any{name: trap.URL() + "/keys", "kid": "evil"}), ""})
		reject(t, g, bad{name + " under our kid", minttest.Evil().Sign(claims(nil), map[string]any{name: trap.URL() + "/keys"}), "token-invalid-signature"})
	}
	reject(t, g, bad{"x5c", minttest.Evil().Sign(claims(nil), map[string]any{"x5c": []string{base64.StdEncoding.EncodeToString([]byte(minttest.Evil().PEM))}, "x5t": "x"}), "token-invalid-signature"})
	reject(t, g, bad{"iss", good(map[string]any{"iss": trap.URL()}), "token-invalid-issuer"})
	if all := trap.Snapshot(); len(all) > 0 {
		t.Errorf("somebody went there: %+v", all)
	}
}

func good(over map[string]any) string { return minttest.Good().Sign(claims(over), nil) }

// A byte that is wrong anywhere makes a token that is refused, and never a fault
// of ours.
func testMutatedTokens(t *testing.T) {
	g := start(t, setup{})
	token := ordinary()
	client := g.dial(t)
	tries := 0
	for i := 0; i < len(token); i += 3 {
		for _, c := range []string{"", "A", "é", ".", "\x80", "~", token[i:min(i+4, len(token))] + token[i:min(i+4, len(token))]} {
			mutated := token[:i] + c + token[i+1:]
			if mutated == token {
				continue
			}
			client.Send(call{lines: []string{bearer(mutated)}}.raw())
			if r := client.Response("GET"); r == nil || r.Status != 401 {
				t.Fatalf("byte %d as %q: %+v", i, c, r)
			}
			tries++
		}
	}
	for _, members := range []string{`"sts":1`, `"act":"x"`, `"fva":{}`, `"o":[]`, `"azp":[]`, `"aud":{}`, `"fea":1`, `"v":{}`} {
		members += `,"x":1`
		if got := sendHTTP1(t, g, call{lines: []string{bearer(mintRaw(members))}}); got.status >= 500 {
			t.Errorf("%s: status %d %s", members, got.status, got.reason)
		}
	}
	for _, body := range []string{"null", "[]", `""`, "1", "true", "{}", `{"sub":null}`, "", "{", `{"sub":1,"exp":"x"}`, strings.Repeat("[", 5000)} {
		raw := minttest.Good().SignRaw([]byte(`{"alg":"RS256","kid":"`+minttest.Good().KeyID+`"}`), []byte(body))
		if got := sendHTTP1(t, g, call{lines: []string{bearer(raw)}}); got.status != 401 {
			t.Errorf("payload %.20q: status %d %s", body, got.status, got.reason)
		}
	}
	for _, over := range []map[string]any{{"sub": nil}, {"sub": 1}, {"sub": ""}, {"iss": 1}, {"exp": "x"}, {"sid": nil}, {"sid": 1}, {"sub": []string{"a"}}} {
		if got := sendHTTP1(t, g, call{lines: []string{bearer(good(over))}}); got.status != 401 {
			t.Errorf("%v: status %d %s", over, got.status, got.reason)
		}
	}
	client.Close()
	if tries < 1000 {
		t.Errorf("only %d mutations", tries)
	}
	for _, r := range g.fresh(t) {
		if r.Get("X-Auth-Status") != "authenticated" || r.Get("X-Auth-User-Id") != "user_2oracle" {
			t.Errorf("a mutated token passed\n%s", r.Raw)
		}
	}
}

// elliptic signs an ordinary session with a fresh key on P-256.
func ellipticToken(alg, kid string) string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	input := encoded(`{"alg":"`+alg+`","kid":"`+kid+`","typ":"JWT"}`) + "." + part(1)
	digest := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		panic(err)
	}
	signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	return input + "." + encoded(string(signature))
}
