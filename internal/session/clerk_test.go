package session_test

import (
	"strings"
	"testing"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/minttest"
)

// What @clerk/backend 3.25.0 decides where our rules decide otherwise. The
// second reason is ours.
func TestLooserAsClerk(t *testing.T) {
	t.Parallel()
	ours, clerk := verifier(t), verifier(t, clerkRules)
	const invalid, failed = authproxy.TokenInvalid, authproxy.TokenVerificationFailed
	good := minted(nil)
	for _, c := range []struct {
		name       string
		token      string
		theirs, we authproxy.Reason
	}{
		{"the same", good, "", ""},
		{"padding", good + "==", "", invalid},
		{"wrong padding", good + "=", "", invalid},
		{"changed unused bits", spelledOtherwise(good), invalid, invalid},
		{"a line break", good + "\n", invalid, invalid},
		{"crit", signed(with(plainHeader, `"crit":["x"]`), plainPayload), "", invalid},
		{"no azp", minted(m{"azp": nil}), "", authproxy.TokenInvalidParties},
		{"another issuer", minted(m{"iss": "x"}), "", authproxy.TokenInvalidIssuer},
		{"no sid", minted(m{"sid": nil}), "", authproxy.TokenTypeMismatch},
		{"empty sub", minted(m{"sub": ""}), "", failed},
		{"no sub", minted(m{"sub": nil}), failed, failed},
		{"act empty", minted(m{"act": m{}}), "", failed},
		{"exp 1e300", withClaim(`"exp":1e300`), "", failed},
		{"exp in milliseconds", minted(m{"exp": now.UnixMilli()}), "", failed},
		{"exp a string", minted(m{"exp": "9999999999"}), failed, failed},
		{"exp below zero", withClaim(`"exp":-1`), authproxy.TokenExpired, failed},
		{"nbf null", withClaim(`"exp":9999999999,"nbf":null`), failed, failed},
		{"duplicate name, the last counts", signed(plainHeader, with(plainPayload, `"sub":7`)), failed, invalid},
		{"duplicate name", signed(plainHeader, with(plainPayload, `"sub":"user_2"`)), "", invalid},
		{"lone surrogate", signed(plainHeader, with(plainPayload, `"x":"\ud800"`)), "", invalid},
		{"payload null", signed(plainHeader, "null"), authproxy.UnexpectedError, invalid},
		{"payload null, bad signature", minttest.Evil().SignRaw([]byte(plainHeader), []byte("null")), authproxy.TokenInvalidSignature, invalid},
		{"payload a list", signed(plainHeader, "[]"), failed, invalid},
		{"header null", signed("null", plainPayload), authproxy.UnexpectedError, invalid},
		{"header null, of a machine", signed("null", `{"sub":"mch_1"}`), authproxy.TokenTypeMismatch, invalid},
		{"four parts", good + ".x", invalid, invalid},
		{"header not JSON", signed("x", plainPayload), invalid, invalid},
		{"payload not JSON", signed(plainHeader, "x"), invalid, invalid},
		{"more than 8 KiB", signed(plainHeader, with(plainPayload, `"x":"`+strings.Repeat("x", 9000)+`"`)), "", invalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			wantReason(t, clerk, c.token, c.theirs)
			wantReason(t, ours, c.token, c.we)
		})
	}
}

func TestStatusAsClerk(t *testing.T) {
	t.Parallel()
	v := verifier(t, clerkRules)
	for sts, want := range map[any]string{nil: "active", "pending": "pending", "frozen": "frozen"} {
		id, refusal := v.Verify(t.Context(), minted(m{"sts": sts, "act": m{"sub": "user_2"}}))
		if refusal != nil {
			t.Fatal(refusal)
		}
		if id.SessionStatus != want || id.Actor.UserID != "user_2" {
			t.Errorf("status %q, actor %+v; want %q", id.SessionStatus, id.Actor, want)
		}
	}
}
