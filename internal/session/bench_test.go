package session_test

import (
	"testing"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/internal/session"
)

var benchToken = func() string {
	claims := minttest.Session(minttest.LiveIss, now, minttest.Product())
	claims["o"] = m{"id": "org_1", "slg": "acme", "rol": "admin", "per": "manage,read", "fpm": "3,2"}
	claims["fea"] = "o:dashboard,o:teams"
	return minttest.Good().Sign(claims, m{"cat": "cl_B7d4PD111AAA"})
}

// BenchmarkVerify is a token that was not seen before.
func BenchmarkVerify(b *testing.B) {
	v, token := verifier(b), benchToken()
	b.ReportAllocs()
	for b.Loop() {
		if _, refusal := v.Verify(b.Context(), token); refusal != nil {
			b.Fatal(refusal)
		}
	}
}

// BenchmarkVerifyGarbage is what an attacker can make us do for nothing (DOS-08):
// a well-formed token of a known kid with a wrong signature.
func BenchmarkVerifyGarbage(b *testing.B) {
	v := verifier(b)
	token := minttest.Evil().Sign(minttest.Session(minttest.LiveIss, now, nil), nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, refusal := v.Verify(b.Context(), token); refusal == nil {
			b.Fatal("accepted")
		}
	}
}

// BenchmarkCheck is what a cached token costs in this package, with its
// fingerprint.
func BenchmarkCheck(b *testing.B) {
	v, token := verifier(b), benchToken()
	id, refusal := v.Verify(b.Context(), token)
	if refusal != nil {
		b.Fatal(refusal)
	}
	cache := session.NewCache[*authproxy.Identity](16)
	cache.Add(session.FingerprintOf(token, 1), id)
	parties := []string{minttest.App}
	b.ReportAllocs()
	for b.Loop() {
		id, _ := cache.Get(session.FingerprintOf(token, 1))
		if refusal := v.Check(id, parties); refusal != nil {
			b.Fatal(refusal)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	v, token := verifier(b), benchToken()
	for name, h := range map[string][]string{
		"bearer":             {"Authorization", "Bearer " + token},
		"plain cookie":       {"Cookie", "theme=dark; __session=" + token + "; __client_uat=1"},
		"plain and suffixed": {"Cookie", "__session=" + token + "; __client_uat=1; __session_naoXFJnI=" + token + "; __client_uat_naoXFJnI=1"},
	} {
		b.Run(name, func(b *testing.B) {
			r := &authproxy.Request{Method: "GET", Header: header(h...)}
			b.ReportAllocs()
			for b.Loop() {
				if v.Find(r).Token != token {
					b.Fatal("not found")
				}
			}
		})
	}
}
