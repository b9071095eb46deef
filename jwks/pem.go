package jwks

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"unicode"

	"github.com/manageros/authproxy"
)

const (
	pemBegin = "-----BEGIN PUBLIC KEY-----"
	pemEnd   = "-----END PUBLIC KEY-----"
)

// ParsePEM reads one RSA public key as Clerk's dashboard shows it ("JWKS public
// key", CLERK_JWT_KEY): a SubjectPublicKeyInfo in PEM (RFC 7468 section 13) or
// only its base64. Line breaks may be missing, or be written \n as environment
// files do. Whatever kid a token names, the set answers with this key, whose
// own ID is "".
func ParsePEM(data []byte) (*Set, error) {
	der, err := subjectPublicKeyInfo(data)
	if err != nil {
		return nil, fmt.Errorf("jwks: %w", err)
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, errors.New("jwks: not a public key in SubjectPublicKeyInfo form; copy the whole key")
	}
	public, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return nil, errors.New("jwks: the key type is not RSA")
	}
	public, why := publicKey(public.N, big.NewInt(int64(public.E)))
	if why != "" {
		return nil, fmt.Errorf("jwks: the key cannot be used: %s", why)
	}
	key := authproxy.Key{Public: public}
	return &Set{keys: []authproxy.Key{key}, byID: map[string]authproxy.Key{"": key}, anyKID: true}, nil
}

// subjectPublicKeyInfo is more forgiving about white space than encoding/pem,
// because a key that went through an environment variable seldom keeps it. No
// error repeats the input: it may be a secret in the wrong place.
func subjectPublicKeyInfo(data []byte) ([]byte, error) {
	if len(data) > MaxBody {
		return nil, fmt.Errorf("the key has more than %d bytes", MaxBody)
	}
	s := strings.TrimSpace(strings.ReplaceAll(string(data), `\n`, "\n"))
	if strings.Contains(s, "PRIVATE KEY-----") {
		return nil, errors.New("this is a private key; give the public one, and replace the private one if it was exposed")
	}
	if body, begins := strings.CutPrefix(s, pemBegin); begins {
		body, ends := strings.CutSuffix(body, pemEnd)
		if !ends {
			return nil, fmt.Errorf("the key does not end with %s; copy the whole key", pemEnd)
		}
		s = body
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
	der, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(der) == 0 {
		return nil, fmt.Errorf("not one public key: neither %s nor its base64", pemBegin)
	}
	return der, nil
}
