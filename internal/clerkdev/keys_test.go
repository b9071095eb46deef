package clerkdev_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/clerkdev"
	"github.com/manageros/authproxy/jwks"
)

func TestKeySetHoldsPublicHalvesOnly(t *testing.T) {
	t.Parallel()
	i := emulator(t, clerkdev.Config{})
	var document struct{ Keys []map[string]any }
	if err := json.Unmarshal(i.JWKS(), &document); err != nil || len(document.Keys) != 1 {
		t.Fatalf("%s: %v", i.JWKS(), err)
	}
	names := []string{"use", "kty", "kid", "alg", "n", "e"}
	for name := range document.Keys[0] {
		if !slices.Contains(names, name) {
			t.Errorf("the document has %q", name)
		}
	}
	if got := document.Keys[0]; got["use"] != "sig" || got["kty"] != "RSA" || got["alg"] != "RS256" || got["e"] != "AQAB" {
		t.Errorf("key is %v", got)
	}
	if bits := keySet(t, i).Keys()[0].Public.N.BitLen(); bits != 2048 {
		t.Errorf("%d bits", bits)
	}
}

func TestKeysAreNewAtEveryStart(t *testing.T) {
	t.Parallel()
	one, other := emulator(t, clerkdev.Config{}), emulator(t, clerkdev.Config{})
	if a, b := keySet(t, one).Keys()[0], keySet(t, other).Keys()[0]; a.ID == b.ID || a.Public.Equal(b.Public) {
		t.Error("two instances have one key")
	}
	if one.Named() == other.Named() || one.SecretKey() == other.SecretKey() {
		t.Error("two instances have one name")
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	i, c := standing(t)
	s := signedIn(t, i, i.Users()[0].ID)
	accepted := func(token string, want authproxy.Reason) {
		t.Helper()
		if _, got := judged(t, i, c.Now, token); got != want {
			t.Errorf("reason %q, want %q", got, want)
		}
	}
	first := mint(t, i, s.ID)
	accepted(first, "")

	if err := i.Rotate(true); err != nil {
		t.Fatal(err)
	}
	second := mint(t, i, s.ID)
	accepted(second, "")
	accepted(first, authproxy.TokenInvalidSignature) // the kid is there, the key is another
	if n := len(keySet(t, i).Keys()); n != 1 {
		t.Errorf("%d keys after a rotation under the same kid", n)
	}

	if err := i.Rotate(false); err != nil {
		t.Fatal(err)
	}
	third := mint(t, i, s.ID)
	accepted(third, "")
	accepted(second, "") // both are published
	if n := len(keySet(t, i).Keys()); n != 2 {
		t.Errorf("%d keys after a rotation under a new kid", n)
	}
	i.EndOverlap()
	accepted(third, "")
	accepted(second, authproxy.JWKKidMismatch)
}

func TestPublicKeyPEM(t *testing.T) {
	t.Parallel()
	i := emulator(t, clerkdev.Config{})
	if err := i.Rotate(false); err != nil {
		t.Fatal(err)
	}
	set, err := jwks.ParsePEM([]byte(i.PublicKeyPEM()))
	if err != nil {
		t.Fatal(err)
	}
	signing := keySet(t, i).Keys()[1]
	if !set.Keys()[0].Public.Equal(signing.Public) {
		t.Error("the PEM is not the key that signs")
	}
}

func TestSign(t *testing.T) {
	t.Parallel()
	i := emulator(t, clerkdev.Config{})
	token, err := i.Sign(map[string]any{"alg": "none", "kid": "x", "typ": "y", "cat": "z"}, map[string]any{"text": "<&ü"})
	if err != nil {
		t.Fatal(err)
	}
	header, claims := decoded(t, token)
	if header["alg"] != "RS256" || header["typ"] != "JWT" || header["kid"] != keySet(t, i).Keys()[0].ID || header["cat"] != "z" {
		t.Errorf("header %v", header)
	}
	if claims["text"] != "<&ü" {
		t.Errorf("claims %v", claims)
	}
	if _, err := i.Sign(nil, nil); err != nil {
		t.Error(err)
	}
	if _, err := i.Sign(nil, map[string]any{"f": func() {}}); err == nil {
		t.Error("signed what is not JSON")
	}
	if _, err := i.Sign(map[string]any{"f": func() {}}, nil); err == nil {
		t.Error("signed with a header that is not JSON")
	}
}
