package app_test

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/minttest"
)

// differentialNow is when everything happens; tokens may be minted beforehand.
const differentialNow = 1795371235

// tokenKinds are the session tokens that a browser or program may hold. The first
// is none at all. One more is "no sub, expired".
var tokenKinds = []string{
	"", "ok", "expired", "older", "expired 4s ago", "expired 5s ago", "early", "nbf 5s ahead", "nbf 6s ahead", "iat 6s ahead",
	"bad signature", "x.y", "a.b.c", "foreign iss", "no iss", "iss with http", "iss with a slash", "template", "category session", "category ignored",
	"machine", "access token", "pending", "pending of acme", "org acme", "org beta", "org v1", "azp foreign", "azp missing", "azp foreign, expired",
	"no exp", "no iat", "no sub", "no sid", "no sid, expired", "aud mine", "aud other", "aud list", "alg none", "alg HS256", "alg RS512",
	"typ missing", "typ jwt", "unknown kid", "crit", "name twice", "sts other", "exp a text", "exp a fraction", "padded", "fea malformed", "act without sub", "expired long ago",
}

// mint makes tokens once.
type mint map[string]string

// token is one of tokenKinds for the person who, of the issuer.
func (m mint) token(kind, who, issuer string) string {
	return m.once(kind+"\n"+who+"\n"+issuer, func() string { return makeToken(kind, who, issuer) })
}

func (m mint) once(key string, make func() string) string {
	token, made := m[key]
	if !made {
		token = make()
		m[key] = token
	}
	return token
}

func makeToken(kind, who, issuer string) string {
	switch kind {
	case "", "x.y", "a.b.c":
		return kind
	}
	const now = differentialNow
	claims := minttest.Session(issuer, time.Unix(now-20, 0), map[string]any{"sub": "user_" + who, "sid": "sess_" + who, "exp": now + 40})
	header := map[string]any{}
	signer := minttest.Good()
	set := func(pairs ...any) {
		for i := 0; i < len(pairs); i += 2 {
			claims[pairs[i].(string)] = pairs[i+1]
			if pairs[i+1] == nil {
				delete(claims, pairs[i].(string))
			}
		}
	}
	organization := func(slug string) {
		set("o", map[string]any{"id": "org_" + slug, "slg": slug, "rol": "admin"})
	}
	if kind == "expired" || kind == "azp foreign, expired" || kind == "no sid, expired" || kind == "no sub, expired" {
		set("iat", now-90, "nbf", now-100, "exp", now-30)
	}
	switch kind {
	case "older":
		set("iat", now-35, "nbf", now-45, "exp", now+25)
	case "expired 4s ago":
		set("iat", now-64, "nbf", now-74, "exp", now-4)
	case "expired 5s ago":
		set("iat", now-65, "nbf", now-75, "exp", now-5)
	case "expired long ago":
		set("iat", now-200000, "nbf", now-200010, "exp", now-199940)
	case "early":
		set("iat", now+600, "nbf", now+590, "exp", now+660)
	case "nbf 5s ahead":
		set("nbf", now+5)
	case "nbf 6s ahead":
		set("nbf", now+6)
	case "iat 6s ahead":
		set("iat", now+6)
	case "bad signature":
		signer = minttest.Evil()
	case "foreign iss":
		set("iss", "https://clerk.other.com")
	case "no iss":
		set("iss", nil)
	case "iss with http":
		set("iss", "http"+issuer[len("https"):])
	case "iss with a slash":
		set("iss", issuer+"/")
	case "template":
		header["cat"] = "cl_B7d4PD222AAA"
	case "category session":
		header["cat"] = "cl_B7d4PD111AAA"
	case "category ignored":
		header["cat"] = "cl_I7d4PD111III"
	case "machine":
		set("sub", "mch_1")
	case "access token":
		header["typ"] = "at+jwt"
	case "pending":
		set("sts", "pending")
	case "pending of acme":
		set("sts", "pending")
		organization("acme")
	case "org acme":
		organization("acme")
	case "org beta":
		organization("beta")
	case "org v1":
		set("v", nil, "org_id", "org_acme", "org_slug", "acme", "org_role", "org:admin", "org_permissions", []string{"org:a:read"})
	case "azp foreign", "azp foreign, expired":
		set("azp", "https://evil.example.com")
	case "azp missing":
		set("azp", nil)
	case "no exp":
		set("exp", nil)
	case "no iat":
		set("iat", nil)
	case "no sub", "no sub, expired":
		set("sub", nil)
	case "no sid", "no sid, expired":
		set("sid", nil)
	case "aud mine":
		set("aud", "mine")
	case "aud other":
		set("aud", "other")
	case "aud list":
		set("aud", []string{"other", "mine"})
	case "alg RS512":
		header["alg"] = "RS512"
	case "typ missing":
		header["typ"] = nil
	case "typ jwt":
		header["typ"] = "jwt"
	case "unknown kid":
		header["kid"] = "ins_other"
	case "crit":
		header["crit"] = []string{"x"}
	case "sts other":
		set("sts", "frozen")
	case "exp a text":
		set("exp", "1")
	case "exp a fraction":
		set("exp", float64(now+40)+0.5)
	case "fea malformed":
		organization("acme")
		set("fea", "dashboard")
	case "act without sub":
		set("act", map[string]any{"iss": "x"})
	}
	return finish(kind, signer, claims, header)
}

// finish signs, or does whatever else it is that is wrong with a token.
func finish(kind string, signer minttest.Signer, claims, header map[string]any) string {
	switch kind {
	case "alg none":
		return unsigned(`{"alg":"none","kid":"ins_oracle0001","typ":"JWT"}`, claims) + "."
	case "alg HS256":
		return unsigned(`{"alg":"HS256","kid":"ins_oracle0001","typ":"JWT"}`, claims) + ".AAAA"
	case "name twice":
		payload := string(mustMarshal(claims))
		return signer.SignRaw([]byte(`{"alg":"RS256","kid":"ins_oracle0001","typ":"JWT"}`), []byte(payload[:len(payload)-1]+`,"x":1,"x":2}`))
	case "padded":
		return signer.Sign(claims, header) + "=="
	}
	return signer.Sign(claims, header)
}

func unsigned(header string, claims map[string]any) string {
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(mustMarshal(claims))
}

// TestTokenKinds: no kind is another by mistake.
func TestTokenKinds(t *testing.T) {
	t.Parallel()
	m, seen := mint{}, map[string]string{}
	for _, kind := range tokenKinds {
		token := m.token(kind, "a", minttest.LiveIss)
		if other, twice := seen[token]; twice {
			t.Errorf("%q is %q", kind, other)
		}
		seen[token] = kind
	}
}
