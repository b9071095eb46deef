package session_test

import (
	"testing"

	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/internal/session"
)

// TestFindMorePayloads: another application of the domain may have left its own
// under the same names; of the other cookies still only the first counts.
func TestFindMorePayloads(t *testing.T) {
	t.Parallel()
	v := verifier(t)
	nonce, token := session.Brought{Nonce: true, Value: "n2"}, session.Brought{Value: "t2"}
	for _, c := range []struct {
		name, cookie string
		more         []session.Brought
	}{
		{"one of each", "__clerk_handshake=t1; __clerk_handshake_nonce=n1", nil},
		{"two nonces", "__clerk_handshake_nonce=n1; __clerk_handshake_nonce=n2", []session.Brought{nonce}},
		{"two of each, as they come", "__clerk_handshake=t1; __clerk_handshake_nonce=n1; __clerk_handshake=t2; __clerk_handshake_nonce=n2", []session.Brought{token, nonce}},
		{"bounded", "__clerk_handshake=t1; __clerk_handshake=t2; __clerk_handshake=t2; __clerk_handshake=t3", []session.Brought{token, token}},
		{"sessions and counts", "__session=a; __session=b; __clerk_redirect_count=1; __clerk_redirect_count=2", nil},
	} {
		p := find(v, "", header("Cookie", c.cookie))
		var want [2]session.Brought
		copy(want[:], c.more)
		if p.More != want {
			t.Errorf("%s: %v", c.name, p.More)
		}
	}
	development := verifier(t, func(cfg *session.Config) { cfg.Instance = instance(t, minttest.TestKey) })
	if p := find(development, "", header("Cookie", "__clerk_handshake=t1; __clerk_handshake=t2")); p.More != [2]session.Brought{} {
		t.Errorf("in development, where they are in the address: %v", p.More)
	}
}
