package jwks_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/jwks"
)

// A cache follows the key set of one issuer for as long as its context lasts.
func Example() {
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(minttest.JWKS(minttest.Good()))
	}))
	defer issuer.Close()

	fetched := make(chan jwks.Event, 1)
	cache, err := jwks.New(jwks.Config{
		URL:     issuer.URL + "/.well-known/jwks.json",
		Observe: func(e jwks.Event) { fetched <- e },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- cache.Run(ctx) }()
	fmt.Println("fetch:", (<-fetched).Outcome)

	key, err := cache.Key(ctx, "ins_oracle0001", nil)
	fmt.Println("key:", key.ID, key.Algorithm, err)

	stop()
	fmt.Println("run:", <-ended)
	// Output:
	// fetch: ok
	// key: ins_oracle0001 RS256 <nil>
	// run: <nil>
}

// A key that was configured needs no network; a token's kid does not matter.
func ExampleParsePEM() {
	set, err := jwks.ParsePEM([]byte(minttest.Good().PEM))
	if err != nil {
		fmt.Println(err)
		return
	}
	key, ok := set.Key("any kid")
	fmt.Println(ok, key.Public.N.BitLen(), "bits")
	// Output: true 2048 bits
}

// One bad key does not cost the set; it is reported.
func ExampleParse() {
	set, skipped, err := jwks.Parse(keySet(
		jwkOf(minttest.Good(), nil),
		map[string]any{"kty": "oct", "kid": "shared", "k": "c2VjcmV0"},
	))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, key := range set.Keys() {
		fmt.Println(key.ID)
	}
	for _, s := range skipped {
		fmt.Printf("%s: %s\n", s.KeyID, s.Why)
	}
	// Output:
	// ins_oracle0001
	// shared: the key type is not RSA
}
