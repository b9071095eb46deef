package session_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/internal/session"
)

// FuzzVerify: what is accepted is accepted by an independent verifier as well,
// and nothing panics. With sign, the header and payload are signed first, so
// that the rules behind the signature are reached.
func FuzzVerify(f *testing.F) {
	good := minted(nil)
	parts := strings.Split(good, ".")
	for _, token := range []string{
		good, good + "=", good + "\n", spelledOtherwise(good), enc(" "+plainHeader) + good[strings.IndexByte(good, '.'):],
		minttest.Evil().Sign(minttest.Session(minttest.LiveIss, now, nil), nil), "a.b.c", "..", "ak_x", parts[0] + "." + parts[1] + ".",
	} {
		f.Add(token, "", "", false)
	}
	for _, s := range [][2]string{
		{plainHeader, plainPayload}, {strings.Replace(plainHeader, "RS256", "RS512", 1), plainPayload},
		{with(plainHeader, `"cat":"cl_B7d4PD111AAA"`), with(plainPayload, `"act":{"sub":"user_2"},"v":2,"o":{"id":"org_1","per":"a","fpm":"1"},"fea":"o:b"`)},
		{with(plainHeader, `"crit":[]`), plainPayload}, {with(plainHeader, `"jwk":{"kty":"oct","k":"AA"}`), plainPayload},
		{plainHeader, with(plainPayload, `"sub":"user_2"`)}, {" " + plainHeader, plainPayload + " "}, {"null", "null"}, {plainHeader, `{"sub":"mch_1"}`},
		{plainHeader, with(plainPayload, `"nbf":1,"iat":1.5,"sts":"x","fva":[1,2],"aud":["x"],"org_id":"o"`)},
	} {
		f.Add("", s[0], s[1], true)
	}
	strict := verifier(f, func(cfg *session.Config) { cfg.Audience = []string{"x"} })
	loose := verifier(f, clerkRules)
	f.Fuzz(func(t *testing.T, token, header, payload string, sign bool) {
		if sign {
			token = signed(header, payload)
		}
		for _, v := range []*session.Verifier{strict, loose} {
			id, refusal := v.Verify(t.Context(), token)
			if (id == nil) == (refusal == nil) {
				t.Fatalf("identity %v and refusal %v", id, refusal)
			}
			if id != nil {
				_ = v.Check(id, []string{minttest.App})
			}
			u, inspected := v.Inspect(token)
			if refusal == nil && (inspected != nil || !u.Session) {
				t.Fatalf("verified, but Inspect says %v", inspected)
			}
			if id != nil && v == strict {
				if err := slowVerify(token, id); err != nil {
					t.Fatalf("accepted %q: %v", token, err)
				}
			}
		}
	})
}

// slowVerify is the rules once more, with the standard library alone.
func slowVerify(token string, id *authproxy.Identity) error {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || len(token) > 8192 {
		return fmt.Errorf("%d parts of %d bytes", len(parts), len(token))
	}
	var raw [3][]byte
	for i, part := range parts {
		decoded, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil || base64.RawURLEncoding.EncodeToString(decoded) != part {
			return fmt.Errorf("part %d has another spelling", i)
		}
		raw[i] = decoded
	}
	header, ok := slowObject(raw[0])
	payload, ok2 := slowObject(raw[1])
	if !ok || !ok2 {
		return fmt.Errorf("not strict JSON")
	}
	hash := map[string]crypto.Hash{`"RS256"`: crypto.SHA256}[string(header["alg"])]
	if hash == 0 { // the published key is for RS256
		return fmt.Errorf("alg %s", header["alg"])
	}
	sum := hash.New()
	sum.Write([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(minttest.Good().Public(), hash, sum.Sum(nil), raw[2]); err != nil {
		return err
	}
	return slowClaims(header, payload, id, raw[1])
}

func slowClaims(header, payload map[string]json.RawMessage, id *authproxy.Identity, raw []byte) error {
	for _, name := range []string{"crit", "b64"} {
		if _, present := header[name]; present {
			return fmt.Errorf("%s", name)
		}
	}
	if typ := text(header["typ"]); header["typ"] != nil && typ != "JWT" {
		return fmt.Errorf("typ %q", typ)
	}
	if cat := text(header["cat"]); header["cat"] != nil && cat != "cl_B7d4PD111AAA" && cat != "cl_I7d4PD111III" {
		return fmt.Errorf("cat %q", cat)
	}
	sub, sid := text(payload["sub"]), text(payload["sid"])
	if sub == "" || sid == "" || strings.HasPrefix(sub, "mch_") || id.UserID != sub || id.SessionID != sid {
		return fmt.Errorf("sub %q, sid %q, identity %+v", sub, sid, id)
	}
	var exp float64
	if json.Unmarshal(payload["exp"], &exp) != nil || string(payload["exp"]) == "null" || id.ExpiresAt != time.Unix(int64(exp), 0).UTC() {
		return fmt.Errorf("exp %s became %v", payload["exp"], id.ExpiresAt)
	}
	if act, present := payload["act"]; present && (id.Actor == nil || id.Actor.UserID == "") {
		return fmt.Errorf("act %s became %+v", act, id.Actor)
	}
	if sts, present := payload["sts"]; present && text(sts) != "active" && !id.Pending() {
		return fmt.Errorf("sts %s became %q", sts, id.SessionStatus)
	}
	if id.Issuer != text(payload["iss"]) || id.AuthorizedParty != text(payload["azp"]) || !bytes.Equal(id.Claims, raw) {
		return fmt.Errorf("iss, azp or the claims changed: %+v", id)
	}
	return nil
}

// text is what a JSON string says, "" for anything else.
func text(raw json.RawMessage) string {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return ""
	}
	s, _ := v.(string)
	return s
}

// FuzzCookies: after StripCookies no reader among several finds a cookie of
// Clerk's, whatever is left was there before, and stripping twice changes
// nothing more. Find never panics.
func FuzzCookies(f *testing.F) {
	for _, seed := range []string{
		"__session=x; a=1", `foo="bar; __session=evil; x="`, "a=1,__session=x", "a=1 __session=x", "__%73ession=x", "a=1%3B__session=x",
		"=__session=x", `"__session"=x`, "$__session=x", "__client uat=1", "__session[a]=1", "..session=1", "%ff%zz__clerk_x=1", "__SESSION=1",
		"__refresh_naoXFJnI=r;;;__client_uat=0x1F", "__session = x", "a=b; c=d",
	} {
		f.Add(seed, false)
	}
	v, clerk := verifier(f), verifier(f, clerkRules)
	f.Fuzz(func(t *testing.T, line string, keepClerk bool) {
		h := http.Header{"Cookie": {line}}
		strip := session.StripCookies
		if keepClerk {
			strip = func(h http.Header) { session.RenewCookies(h, nil) }
		}
		_, _ = find(v, line, h), find(clerk, line, h)
		strip(h)
		left := h.Get("Cookie")
		for reader, read := range cookieReaders {
			for _, name := range read(left) {
				refresh := name == "__refresh" || strings.HasPrefix(name, "__refresh_")
				if refresh || !keepClerk && (name == "__session" || name == "__client_uat" ||
					strings.HasPrefix(name, "__session_") || strings.HasPrefix(name, "__client_uat_") || strings.HasPrefix(name, "__clerk_")) {
					t.Fatalf("%s reads %q out of %q, which is left of %q", reader, name, left, line)
				}
			}
		}
		rest := line
		for piece := range strings.SplitSeq(left, ";") {
			i := strings.Index(rest, piece)
			if i < 0 {
				t.Fatalf("%q is not in %q", piece, line)
			}
			rest = rest[i+len(piece):]
		}
		strip(h)
		if again := h.Get("Cookie"); again != left {
			t.Fatalf("stripped twice: %q, then %q", left, again)
		}
	})
}

// cookieReaders are the names that readers of several kinds see in a field.
var cookieReaders = map[string]func(line string) []string{
	"RFC 6265": func(line string) []string { return namesBy(line, ";", strings.TrimSpace) },
	"RFC 2109": func(line string) []string {
		return namesBy(line, ";,", func(s string) string { return strings.Trim(strings.TrimSpace(s), `"$`) })
	},
	"white space separates": func(line string) []string { return namesBy(line, "; \t", strings.TrimSpace) },
	"decodes first":         func(line string) []string { return namesBy(unescaped(line), ";", strings.TrimSpace) },
	"PHP": func(line string) []string {
		return namesBy(line, ";", func(s string) string {
			s = strings.TrimLeft(unescaped(strings.ReplaceAll(s, "+", " ")), " ")
			s, _, _ = strings.Cut(s, "\x00")
			return strings.NewReplacer(".", "_", " ", "_", "[", "_").Replace(strings.TrimRight(s, " "))
		})
	},
	"net/http": func(line string) (names []string) {
		r := http.Request{Header: http.Header{"Cookie": {line}}}
		for _, c := range r.Cookies() {
			names = append(names, c.Name)
		}
		return names
	},
}

// namesBy splits at separators and returns the names in front of "=".
func namesBy(line, separators string, normal func(string) string) (names []string) {
	for part := range strings.FieldsFuncSeq(line, func(r rune) bool { return strings.ContainsRune(separators, r) }) {
		if name, _, found := strings.Cut(part, "="); found {
			names = append(names, normal(name))
		}
	}
	return names
}

// unescaped decodes each %XX that is one.
func unescaped(s string) string {
	out := []byte(s)
	for i := 0; i+2 < len(out); i++ {
		var c byte
		if _, err := fmt.Sscanf(string(out[i+1:i+3]), "%02x", &c); out[i] == '%' && err == nil && isHex(out[i+1]) && isHex(out[i+2]) {
			out = slices.Replace(out, i, i+3, c)
		}
	}
	return string(out)
}

func isHex(c byte) bool { return strings.IndexByte("0123456789abcdefABCDEF", c) >= 0 }
