package session

import (
	"context"
	"crypto/rsa"

	"github.com/lestrrat-go/jwx/v2/jwa"

	"github.com/manageros/authproxy"
)

// SignatureStep judges a token as far as the signature, whatever its payload is:
// published test vectors sign text that is no JSON.
func (v *Verifier) SignatureStep(ctx context.Context, token string) *authproxy.Refusal {
	if len(token) > MaxTokenBytes {
		return malformed("too long")
	}
	header, payload, refusal := segments(token)
	if refusal != nil {
		return refusal
	}
	names, err := parseHeader(header)
	if err != nil {
		return malformed("header: %v", err)
	}
	return v.authentic(ctx, &compact{text: token, names: names, header: readHeader(names), payload: payload})
}

// SignedOver checks an RS256 signature over a token whose payload was read as
// given.
func SignedOver(token string, payload []byte, key *rsa.PublicKey) bool {
	return (&compact{text: token, payload: payload}).signedBy(jwa.RS256, key)
}

// ParseObject is the strict reading of one JSON object.
func ParseObject(data []byte) (map[string]string, error) { return parseObject(data) }
