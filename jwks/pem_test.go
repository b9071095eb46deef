package jwks_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/jwks"
)

func TestParsePEM(t *testing.T) {
	t.Parallel()
	good := minttest.Good()
	block, _ := pem.Decode([]byte(good.PEM))
	bare := base64.StdEncoding.EncodeToString(block.Bytes)
	for name, text := range map[string]string{
		"PEM":                good.PEM,
		"no last line break": strings.TrimSpace(good.PEM),
		"CRLF":               strings.ReplaceAll(good.PEM, "\n", "\r\n"),
		"on one line":        strings.ReplaceAll(good.PEM, "\n", ""),
		"written line break": strings.ReplaceAll(good.PEM, "\n", `\n`),
		"indented":           "  " + strings.ReplaceAll(good.PEM, "\n", "\n  "),
		"base64":             bare,
		"base64 in lines":    bare[:64] + "\n" + bare[64:] + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set, err := jwks.ParsePEM([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range []string{"", good.KeyID, "anything"} {
				key, ok := set.Key(id)
				if !ok || key.ID != "" || key.Algorithm != "" || !key.Public.Equal(good.Public()) {
					t.Errorf("Key(%q) = %+v, %v", id, key, ok)
				}
			}
			if len(set.Keys()) != 1 {
				t.Errorf("keys %v", set.Keys())
			}
		})
	}
}

func TestParsePEMRefuses(t *testing.T) {
	t.Parallel()
	good := minttest.Good()
	small := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 1023, 1), E: 65537}
	ec := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	for name, test := range map[string]struct{ text, says string }{
		"nothing":       {"", "not one public key"},
		"only frames":   {"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----", "not one public key"},
		"text":          {"changeme, please", "not one public key"},
		"base64 of it":  {base64.StdEncoding.EncodeToString([]byte("changeme")), "SubjectPublicKeyInfo"},
		"two keys":      {good.PEM + minttest.Evil().PEM, "not one public key"},
		"cut off":       {good.PEM[:200], "copy the whole key"},
		"half a key":    {good.PEM[:91] + "\n-----END PUBLIC KEY-----", "copy the whole key"},
		"private PKCS8": {toPEM("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(good.Key))), "this is a private key"},
		"private PKCS1": {toPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(good.Key)), "this is a private key"},
		"PKCS1":         {toPEM("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(good.Public())), "not one public key"},
		"certificate":   {toPEM("CERTIFICATE", []byte("x")), "not one public key"},
		"EC":            {spki(&ec.PublicKey), "not RSA"},
		"1024 bits":     {spki(small), "less than 2048 bits"},
		"exponent 3":    {spki(&rsa.PublicKey{N: good.Public().N, E: 3}), "public exponent"},
		"even modulus":  {spki(&rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047), E: 65537}), "even"},
		"too large":     {strings.Repeat("A", jwks.MaxBody+1), "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set, err := jwks.ParsePEM([]byte(test.text))
			if err == nil || set != nil {
				t.Fatal("accepted")
			}
			if !strings.HasPrefix(err.Error(), "jwks: ") || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %q, want it to say %q", err, test.says)
			}
			if len(err.Error()) > 200 || strings.Contains(err.Error(), "changeme") {
				t.Errorf("the error repeats its input: %q", err)
			}
		})
	}
}

func toPEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func spki(key any) string { return toPEM("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(key))) }
