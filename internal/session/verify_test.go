package session_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/internal/session"
)

const (
	plainHeader  = `{"alg":"RS256","kid":"ins_oracle0001","typ":"JWT"}`
	plainPayload = `{"sub":"user_1","sid":"sess_1","azp":"https://app.example.com","iss":"https://clerk.example.com","exp":9999999999}`
)

// signed signs the exact text of a header and a payload with the published key.
func signed(header, payload string) string {
	return minttest.Good().SignRaw([]byte(header), []byte(payload))
}

// with adds members to a JSON object.
func with(object, more string) string { return strings.TrimSuffix(object, "}") + "," + more + "}" }

func TestVerify(t *testing.T) {
	t.Parallel()
	claims := minttest.Session(minttest.LiveIss, now, minttest.Product())
	id, refusal := verifier(t).Verify(t.Context(), minttest.Good().Sign(claims, m{"cat": "cl_B7d4PD111AAA"}))
	if refusal != nil {
		t.Fatal(refusal)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(id.Claims, payload) {
		t.Errorf("claims %s, want the payload byte for byte", id.Claims)
	}
	if id.UserID != "user_2oracle" || id.SessionID != "sess_2oracle" || id.SessionStatus != "active" || id.Issuer != minttest.LiveIss ||
		id.AuthorizedParty != minttest.App || id.Actor != nil || id.Organization != nil || len(id.FactorAges) != 2 {
		t.Errorf("identity %+v", id)
	}
	if id.IssuedAt.Unix() != now.Unix() || id.NotBefore.Unix() != now.Unix()-10 || id.ExpiresAt.Unix() != now.Unix()+60 {
		t.Errorf("times %v %v %v", id.IssuedAt, id.NotBefore, id.ExpiresAt)
	}
}

func TestThreatToken(t *testing.T) {
	t.Parallel()
	v := verifier(t)
	good := minted(nil)
	parts := strings.Split(good, ".")
	hs := func(secret string) string {
		input := enc(`{"alg":"HS256","kid":"ins_oracle0001","typ":"JWT"}`) + "." + enc(plainPayload)
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(input))
		return input + "." + enc(string(mac.Sum(nil)))
	}
	unsigned := func(alg string) string { return enc(`{"alg":`+alg+`}`) + "." + enc(plainPayload) + "." }
	last := func(token string, c string) string { return token[:len(token)-1] + c }
	evilJWK, err := json.Marshal(minttest.Evil().JWK)
	if err != nil {
		t.Fatal(err)
	}
	const invalid, badAlg, badSig = authproxy.TokenInvalid, authproxy.TokenInvalidAlgorithm, authproxy.TokenInvalidSignature
	const failed, mismatch = authproxy.TokenVerificationFailed, authproxy.TokenTypeMismatch

	for _, c := range []struct {
		id    string
		token string
		want  authproxy.Reason
	}{
		{"a session", good, ""},
		{"typ absent", minttest.Good().Sign(minttest.Session(minttest.LiveIss, now, nil), m{"typ": nil}), ""},
		{"unknown header parameters and white space", signed(`{ "alg":"RS256" , "kid":"ins_oracle0001","oiat":1,"x5t":"y" }`, "\n"+plainPayload+"\t"), ""},
		{"JWT-31 cat of a session", signed(with(plainHeader, `"cat":"cl_B7d4PD111AAA"`), plainPayload), ""},
		{"JWT-31 cat opted out", signed(with(plainHeader, `"cat":"cl_I7d4PD111III"`), plainPayload), ""},

		{"JWT-01 none", unsigned(`"none"`), authproxy.JWKKidMismatch},
		{"JWT-01 none with kid", signedAs(plainHeader, "none", ""), badAlg},
		{"JWT-01 None", signedAs(plainHeader, "None", ""), badAlg},
		{"JWT-01 nOnE with signature", signedAs(plainHeader, "nOnE", parts[2]), badAlg},
		{"JWT-01 empty", signedAs(plainHeader, "", parts[2]), badAlg},
		{"JWT-01 missing", signed(`{"kid":"ins_oracle0001"}`, plainPayload), badAlg},
		{"JWT-01 null", signed(`{"alg":null,"kid":"ins_oracle0001"}`, plainPayload), badAlg},
		{"JWT-01 list", signed(`{"alg":["RS256"],"kid":"ins_oracle0001"}`, plainPayload), badAlg},
		{"JWT-01 lower case", signedAs(plainHeader, "rs256", parts[2]), badAlg},
		{"JWT-02 HMAC with the PEM", hs(minttest.Good().PEM), badAlg},
		{"JWT-02 HMAC with the PEM trimmed", hs(strings.TrimSpace(minttest.Good().PEM)), badAlg},
		{"JWT-02 HMAC with nothing", hs(""), badAlg},
		{"JWT-03 PS256", signedAs(plainHeader, "PS256", parts[2]), badAlg},
		{"JWT-03 ES256", signedAs(plainHeader, "ES256", parts[2]), badAlg},
		{"JWT-03 RS512 with an RS256 key", signed(strings.Replace(plainHeader, "RS256", "RS512", 1), plainPayload), failed},
		{"JWT-04 embedded key", minttest.Evil().SignRaw([]byte(with(plainHeader, `"jwk":`+string(evilJWK))), []byte(plainPayload)), badSig},
		{"JWT-04 embedded key and a good signature", signed(with(plainHeader, `"jwk":`+string(evilJWK)), plainPayload), ""},
		{"JWT-05 addresses of keys", minttest.Evil().SignRaw([]byte(with(plainHeader, `"jku":"https://evil.example/jwks","x5u":"https://evil.example/c"`)), []byte(plainPayload)), badSig},

		{"JWT-16 changed unused bits", spelledOtherwise(good), invalid},
		{"JWT-16 padding", good + "==", invalid},
		{"JWT-16 padded header", parts[0] + "=." + parts[1] + "." + parts[2], invalid},
		{"JWT-16 line break at the end", good + "\n", invalid},
		{"JWT-16 line break inside", good[:40] + "\n" + good[40:], invalid},
		{"JWT-16 carriage return inside the signature", good[:len(good)-3] + "\r" + good[len(good)-3:], invalid},
		{"JWT-16 space around", " " + good, invalid},
		{"JWT-16 standard alphabet", last(good, "+"), invalid},
		{"JWT-16 a byte too many", good + "A", badSig},
		{"JWT-16 white space before the header", enc(" "+plainHeader) + "." + signed(plainHeader, plainPayload)[len(enc(plainHeader))+1:], invalid},
		{"JWT-16 white space behind the header", enc(plainHeader+"\n") + "." + signed(plainHeader, plainPayload)[len(enc(plainHeader))+1:], invalid},
		{"JWT-16 white space around a signed header", signed(" "+plainHeader, plainPayload), invalid},
		{"JWT-17 crit list", signed(with(plainHeader, `"crit":["x"],"x":1`), plainPayload), invalid},
		{"JWT-17 crit empty", signed(with(plainHeader, `"crit":[]`), plainPayload), invalid},
		{"JWT-17 crit exp", signed(with(plainHeader, `"crit":["exp"],"exp":1`), plainPayload), invalid},
		{"JWT-17 crit string", signed(with(plainHeader, `"crit":"x"`), plainPayload), invalid},
		{"JWT-17 crit null", signed(with(plainHeader, `"crit":null`), plainPayload), invalid},
		{"JWT-18 b64 false", signed(with(plainHeader, `"b64":false`), plainPayload), invalid},
		{"JWT-18 b64 true", signed(with(plainHeader, `"b64":true`), plainPayload), invalid},
		{"JWT-18 b64 with crit", signed(with(plainHeader, `"b64":false,"crit":["b64"]`), plainPayload), invalid},

		{"JWT-19 sub twice", signed(plainHeader, with(plainPayload, `"sub":"user_2"`)), invalid},
		{"JWT-19 sub twice, escaped", signed(plainHeader, with(plainPayload, `"s\u0075b":"user_2"`)), invalid},
		{"JWT-19 twice at depth", signed(plainHeader, with(plainPayload, `"o":[{"x":{"id":1,"id":1}}]`)), invalid},
		{"JWT-19 alg twice", signed(with(plainHeader, `"alg":"none"`), plainPayload), invalid},
		{"JWT-19 kid twice", signed(with(plainHeader, `"kid":"x"`), plainPayload), invalid},
		{"JWT-20 SUB for sub", signed(plainHeader, strings.Replace(plainPayload, `"sub"`, `"SUB"`, 1)), failed},
		{"JWT-20 Sid for sid", signed(plainHeader, strings.Replace(plainPayload, `"sid"`, `"Sid"`, 1)), mismatch},
		{"JWT-20 long s for s", signed(plainHeader, strings.Replace(plainPayload, `"sub"`, `"ſub"`, 1)), failed},
		{"JWT-20 EXP for exp", signed(plainHeader, strings.Replace(plainPayload, `"exp"`, `"EXP"`, 1)), failed},
		{"JWT-20 other spellings beside the names", signed(plainHeader, with(plainPayload, `"SUB":"user_2","Exp":1,"AZP":"x","ACT":{}`)), ""},
		{"JWT-20 Alg beside alg", signed(with(plainHeader, `"Alg":"none","Crit":[]`), plainPayload), ""},

		{"JWT-21 flattened JSON", `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`, invalid},
		{"JWT-22 five parts", good + ".x.y", invalid},
		{"JWT-22 PBES2", signedAs(with(plainHeader, `"p2c":2147483647,"zip":"DEF","enc":"A128GCM"`), "PBES2-HS256+A128KW", parts[2]), badAlg},
		{"JWT-50 empty", "", invalid},
		{"JWT-50 no dots", "x", invalid},
		{"JWT-50 one dot", parts[0] + "." + parts[1], invalid},
		{"JWT-50 dots alone", "..", invalid},
		{"JWT-50 six dots", "......", invalid},
		{"JWT-50 no header", "." + parts[1] + "." + parts[2], invalid},
		{"JWT-50 no payload", parts[0] + ".." + parts[2], invalid},
		{"JWT-50 no signature", parts[0] + "." + parts[1] + ".", badSig},
		{"JWT-50 encoded dots", strings.ReplaceAll(good, ".", "%2E"), invalid},

		{"JWT-24 payload not JSON", signed(plainHeader, "x"), invalid},
		{"JWT-24 payload null", signed(plainHeader, "null"), invalid},
		{"JWT-24 payload a list", signed(plainHeader, "["+plainPayload+"]"), invalid},
		{"JWT-24 header null", signed("null", plainPayload), invalid},
		{"JWT-24 two values", signed(plainHeader, plainPayload+"{}"), invalid},
		{"JWT-24 a comma too many", signed(plainHeader, strings.TrimSuffix(plainPayload, "}")+",}"), invalid},
		{"JWT-24 byte order mark", signed(plainHeader, "\ufeff"+plainPayload), invalid},
		{"JWT-24 invalid UTF-8", signed(plainHeader, with(plainPayload, "\"x\":\"\xff\"")), invalid},
		{"JWT-24 UTF-8 of half a character", signed(plainHeader, with(plainPayload, "\"x\":\"\xed\xa0\x80\"")), invalid},
		{"JWT-24 lone high surrogate", signed(plainHeader, with(plainPayload, `"x":"\ud800"`)), invalid},
		{"JWT-24 lone low surrogate", signed(plainHeader, with(plainPayload, `"x":"\uDC00x"`)), invalid},
		{"JWT-24 two high surrogates", signed(plainHeader, with(plainPayload, `"x":"\ud83d\ud83d"`)), invalid},
		{"JWT-24 high surrogate and another escape", signed(plainHeader, with(plainPayload, `"x":"\ud83d\n\ude00"`)), invalid},
		{"JWT-24 high surrogate, another escape and what looks like the rest", signed(plainHeader, with(plainPayload, `"x":"\ud83d\nde00"`)), invalid},
		{"JWT-24 high surrogate and a character behind the low ones", signed(plainHeader, with(plainPayload, `"x":"\ud83d\ue000"`)), invalid},
		{"JWT-24 lone surrogate in a name", signed(plainHeader, with(plainPayload, `"\ud800":1`)), invalid},
		{"a surrogate pair", signed(plainHeader, with(plainPayload, `"x":"\ud83d\uDE00 \\ud800 \u00e9"`)), ""},
		{"32 levels", signed(plainHeader, with(plainPayload, `"x":`+strings.Repeat("[", 31)+strings.Repeat("]", 31))), ""},
		{"JWT-24 33 levels", signed(plainHeader, with(plainPayload, `"x":`+strings.Repeat("[", 32)+strings.Repeat("]", 32))), invalid},
		{"JWT-24 33 levels of objects", signed(plainHeader, with(plainPayload, `"x":`+strings.Repeat(`{"y":`, 32)+"1"+strings.Repeat("}", 32))), invalid},
		{"JWT-24 kid not a string", signed(`{"alg":"RS256","kid":1}`, plainPayload), invalid},

		{"CK-06 8 KiB", fill(session.MaxTokenBytes), ""},
		{"CK-06 more than 8 KiB", fill(session.MaxTokenBytes + 2), invalid},

		{"typ lower case", signedTyp(`"jwt"`), invalid},
		{"typ empty", signedTyp(`""`), invalid},
		{"typ null", signedTyp(`null`), invalid},
		{"typ list", signedTyp(`["JWT"]`), invalid},
		{"JWT-32 OAuth access token", signedTyp(`"at+jwt"`), mismatch},
		{"JWT-32 OAuth access token, long", signedTyp(`"application/at+jwt"`), mismatch},
		{"JWT-32 machine", signed(plainHeader, strings.Replace(plainPayload, "user_1", "mch_1", 1)), mismatch},
		{"JWT-32 cat of machines", signed(with(plainHeader, `"cat":"cl_B7d4PD333AAA"`), plainPayload), mismatch},
		{"JWT-31 cat of templates", signed(with(plainHeader, `"cat":"cl_B7d4PD222AAA"`), plainPayload), mismatch},
		{"JWT-31 cat unknown", signed(with(plainHeader, `"cat":"cl_B7d4PD444AAA"`), plainPayload), mismatch},
		{"JWT-31 cat lower case", signed(with(plainHeader, `"cat":"cl_b7d4pd111aaa"`), plainPayload), mismatch},
		{"JWT-31 cat empty", signed(with(plainHeader, `"cat":""`), plainPayload), mismatch},
		{"JWT-31 cat null", signed(with(plainHeader, `"cat":null`), plainPayload), mismatch},
		{"JWT-31 cat list", signed(with(plainHeader, `"cat":["cl_B7d4PD111AAA"]`), plainPayload), mismatch},
		{"JWT-32 API key", "ak_live_0123456789", invalid},
		{"JWT-32 opaque machine token", "mt_0123456789", invalid},
		{"JWT-32 opaque OAuth token", "oat_0123456789", invalid},
		{"JWT-31 template without cat", minted(m{"sid": nil}), mismatch},
		{"JWT-31 empty sid", minted(m{"sid": ""}), mismatch},
		{"JWT-31 sid a number", minted(m{"sid": 1}), mismatch},

		{"JWT-24 no sub", minted(m{"sub": nil}), failed},
		{"JWT-24 empty sub", minted(m{"sub": ""}), failed},
		{"JWT-24 sub a number", minted(m{"sub": 7}), failed},
		{"JWT-24 sub a list", minted(m{"sub": []string{"user_1"}}), failed},
		{"JWT-25 no exp", minted(m{"exp": nil}), failed},
		{"JWT-26 exp a string", minted(m{"exp": "9999999999"}), failed},
		{"JWT-26 exp null", withClaim(`"exp":null`), failed},
		{"JWT-26 exp true", withClaim(`"exp":true`), failed},
		{"JWT-26 exp a list", withClaim(`"exp":[9999999999]`), failed},
		{"JWT-26 exp 1e300", withClaim(`"exp":1e300`), failed},
		{"JWT-26 exp 1e999", withClaim(`"exp":1e999`), failed},
		{"JWT-26 exp 2^63", withClaim(`"exp":9223372036854775808`), failed},
		{"JWT-26 exp negative", withClaim(`"exp":-1`), failed},
		{"JWT-26 exp in milliseconds", minted(m{"exp": now.UnixMilli() + 60000}), failed},
		{"JWT-26 exp Infinity", withClaim(`"exp":Infinity`), invalid},
		{"exp with a fraction", minted(m{"exp": float64(now.Unix()) + 60.5}), ""},
		{"exp with an exponent", withClaim(`"exp":9.999999999e9`), ""},
		{"JWT-26 nbf a string", minted(m{"nbf": "1"}), failed},
		{"JWT-26 iat null", withClaim(`"exp":9999999999,"iat":null`), failed},
		{"JWT-26 iat 1e300", withClaim(`"exp":9999999999,"iat":1e300`), failed},

		{"another key under the same kid", minttest.Evil().Sign(minttest.Session(minttest.LiveIss, now, nil), nil), badSig},
		{"changed payload", parts[0] + "." + enc(plainPayload) + "." + parts[2], badSig},
		{"JWT-07 unknown kid", minttest.Good().Sign(minttest.Session(minttest.LiveIss, now, nil), m{"kid": "ins_other"}), authproxy.JWKKidMismatch},
		{"no kid", minttest.Good().Sign(minttest.Session(minttest.LiveIss, now, nil), m{"kid": nil}), authproxy.JWKKidMismatch},
	} {
		t.Run(c.id, func(t *testing.T) {
			t.Parallel()
			wantReason(t, v, c.token, c.want)
		})
	}
}

// signedAs puts an alg into a header and any signature behind it.
func signedAs(header, alg, signature string) string {
	return enc(strings.Replace(header, "RS256", alg, 1)) + "." + enc(plainPayload) + "." + signature
}

func signedTyp(typ string) string {
	return signed(strings.Replace(plainHeader, `"JWT"`, typ, 1), plainPayload)
}

// withClaim replaces exp by something else.
func withClaim(members string) string {
	return signed(plainHeader, strings.Replace(plainPayload, `"exp":9999999999`, members, 1))
}

// fill returns a token of exactly n bytes.
func fill(n int) string {
	const signature = 342 // characters, of 2048 bits
	for pad := 3 * (n*3/4 - 600); pad < 3*n; pad++ {
		header := strings.Replace(plainHeader, ",", ","+strings.Repeat(" ", pad%3), 1)
		payload := with(plainPayload, `"x":"`+strings.Repeat("x", pad/3)+`"`)
		if len(enc(header))+1+len(enc(payload))+1+signature == n {
			return signed(header, payload)
		}
	}
	panic("no such length")
}

// spelledOtherwise changes bits of the last character that belong to no byte.
func spelledOtherwise(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	signature := token[strings.LastIndexByte(token, '.')+1:]
	want, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil {
		panic(err)
	}
	for _, c := range alphabet {
		other := signature[:len(signature)-1] + string(c)
		if got, err := base64.RawURLEncoding.DecodeString(other); err == nil && other != signature && bytes.Equal(got, want) {
			return token[:len(token)-1] + string(c)
		}
	}
	panic("the signature has no other spelling")
}

// Of several faults the first in Clerk's order is named (clerk.md, 2.6), under
// both rules.
func TestOrderOfReasons(t *testing.T) {
	t.Parallel()
	type fault struct {
		header, payload string // members to add
		reason          authproxy.Reason
	}
	// Each token has the fault named and every one after it.
	faults := []fault{
		{"", `"x":`, authproxy.TokenInvalid},
		{`"cat":"cl_B7d4PD222AAA"`, "", authproxy.TokenTypeMismatch},
		{`"kid":"ins_other"`, "", authproxy.JWKKidMismatch},
		{`"typ":"jwt"`, "", authproxy.TokenInvalid},
		{`"alg":"none"`, "", authproxy.TokenInvalidAlgorithm},
		{"", "", authproxy.TokenInvalidSignature}, // below
		{"", `"sub":7`, authproxy.TokenVerificationFailed},
		{"", `"azp":"x"`, authproxy.TokenInvalidParties},
		{"", `"iss":"x"`, authproxy.TokenInvalidIssuer},
		{"", `"exp":1`, authproxy.TokenExpired},
		{"", `"nbf":9999999998`, authproxy.TokenNotActiveYet},
		{"", `"iat":9999999997`, authproxy.TokenIATInTheFuture},
	}
	clerk := func(cfg *session.Config) {
		cfg.Rules.Clerk = &session.ClerkRules{AuthorizedParties: []string{minttest.App}, Issuers: []string{minttest.LiveIss}}
	}
	for i, first := range faults {
		header := map[string]string{"alg": `"alg":"RS256"`, "kid": `"kid":"ins_oracle0001"`, "typ": `"typ":"JWT"`}
		payload := map[string]string{
			"sub": `"sub":"user_1"`, "sid": `"sid":"sess_1"`, "azp": `"azp":"https://app.example.com"`,
			"iss": `"iss":"https://clerk.example.com"`, "exp": `"exp":9999999999`,
		}
		signer := minttest.Good()
		for _, f := range faults[i:] {
			put(header, f.header)
			put(payload, f.payload)
			if f.reason == authproxy.TokenInvalidSignature {
				signer = minttest.Evil()
			}
		}
		token := signer.SignRaw([]byte(join(header)), []byte(join(payload)))
		wantReason(t, verifier(t), token, first.reason)
		wantReason(t, verifier(t, clerk), token, first.reason)
	}
}

func put(object map[string]string, member string) {
	if member != "" {
		object[member[1:strings.IndexByte(member, ':')-1]] = member
	}
}

func join(object map[string]string) string {
	var list []string
	for _, member := range object {
		list = append(list, member)
	}
	return "{" + strings.Join(list, ",") + "}"
}

// JWT-50: the number of parts is looked at before any of them is decoded.
func TestThreatParts(t *testing.T) {
	t.Parallel()
	for token, want := range map[string]string{"": "1 parts", "a.b": "2 parts", minted(nil) + ".x.y": "5 parts", "!.!.!.!": "4 parts"} {
		if _, refusal := verifier(t).Inspect(token); refusal == nil || !strings.Contains(refusal.Detail, want) {
			t.Errorf("%.20q: %v, want %s", token, refusal, want)
		}
	}
}

// JWT-21: what is signed is the compact text and the payload that was read.
func TestThreatSignedOver(t *testing.T) {
	t.Parallel()
	token, public := signed(plainHeader, plainPayload), minttest.Good().Public()
	parts := strings.Split(token, ".")
	flat := `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`
	for _, c := range []struct {
		name, token, payload string
		want                 bool
	}{
		{"as read", token, plainPayload, true},
		{"another payload was read", token, strings.Replace(plainPayload, "user_1", "user_2", 1), false},
		{"another serialization", flat, plainPayload, false},
	} {
		if got := session.SignedOver(c.token, []byte(c.payload), public); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// DOS-08: no key is asked for, and no signature computed, for what has not even
// the shape or the class of a session.
func TestThreatCheapChecksFirst(t *testing.T) {
	t.Parallel()
	k := published(minttest.Good())
	v := verifier(t, keys(k))
	for _, token := range []string{
		"x.y.z", minted(nil) + "=", strings.Repeat("a", 1<<20), signed("null", plainPayload), signed(plainHeader, "{}x"),
		signed(with(plainHeader, `"cat":"cl_B7d4PD222AAA"`), plainPayload), signedTyp(`"at+jwt"`),
	} {
		if _, reason := judged(t, v, token); reason == "" {
			t.Errorf("accepted %.40q", token)
		}
	}
	if n := k.asked.Load(); n != 0 {
		t.Errorf("keys were asked for %d times", n)
	}
}

func TestInspect(t *testing.T) {
	t.Parallel()
	v := verifier(t)
	for _, c := range []struct {
		name  string
		token string
		want  session.Unverified
		why   authproxy.Reason
	}{
		{"a session", minted(nil), session.Unverified{
			Header:   session.Header{Algorithm: "RS256", KeyID: "ins_oracle0001", Type: "JWT"},
			IssuedAt: now.Unix(), HasIssuedAt: true, Session: true, SessionID: "sess_2oracle"}, ""},
		{"unsigned, without iat", enc(`{"alg":"none"}`) + "." + enc(`{}`) + ".", session.Unverified{
			Header: session.Header{Algorithm: "none"}, Session: true}, ""},
		{"iat with a fraction", signed(`{}`, `{"iat":12.9}`), session.Unverified{IssuedAt: 12, HasIssuedAt: true, Session: true}, ""},
		{"iat of another type", signed(`{}`, `{"iat":"12"}`), session.Unverified{Session: true}, ""},
		{"another class", signed(`{"cat":"cl_B7d4PD222AAA"}`, `{"iat":12}`), session.Unverified{
			Header: session.Header{Category: "cl_B7d4PD222AAA"}, IssuedAt: 12, HasIssuedAt: true}, authproxy.TokenTypeMismatch},
		{"no token", "x.y", session.Unverified{}, authproxy.TokenInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, refusal := v.Inspect(c.token)
			wantFresh(t, refusal, c.why)
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	k := published(minttest.Good())
	for name, cfg := range map[string]session.Config{
		"no keys":       {Issuers: []string{minttest.LiveIss}},
		"no issuer":     {Keys: k},
		"negative skew": {Keys: k, Issuers: []string{minttest.LiveIss}, Skew: -time.Second},
	} {
		if _, err := session.New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	v, err := session.New(session.Config{Keys: k, Issuers: []string{minttest.LiveIss}})
	if err != nil {
		t.Fatal(err)
	}
	token := minttest.Good().Sign(minttest.Session(minttest.LiveIss, time.Now(), nil), nil)
	wantReason(t, v, token, "") // by the real clock, without a skew
}
