// Package jwks keeps the public keys of one issuer at hand: a JSON Web Key Set
// (RFC 7517) read from a URL, refreshed in the background, and asked by key id
// for every token.
//
//	cache, err := jwks.New(jwks.Config{URL: instance.JWKSURL()})
//	go cache.Run(ctx)
//	key, err := cache.Key(ctx, kid, nil)
//
// # What a caller can rely on
//
//   - A key that is in the current set is returned at once. Readers load one
//     atomic pointer; no lock and no connection of a fetch is in their way,
//     however long the key server takes.
//   - The set is fetched every [Config.Refresh], so that a key which the issuer
//     withdrew stops working at the next refresh however often it is used.
//   - When fetches fail, the last good set serves until [Config.MaxStale] after
//     the last success; then everything is authproxy.ErrKeysUnavailable. No
//     other key is ever put in its place.
//   - A key id that is not there, or a key that did not verify a signature,
//     causes at most one fetch per [Config.MinRefetch], shared by all requests
//     and all key ids. The second case matters with Clerk, whose key id is the
//     instance's id: a rotated key can come back under the same id.
//   - [Cache.Generation] changes when the usable keys change and only then, so
//     results of verification may be kept under it.
//
// # Which keys are usable
//
// Keys of RSA with 2048 to 8192 bits, an odd public exponent from 65537 to
// 2³¹-1, a key id, use "sig" or none, key_ops with "verify" or none, alg RS256,
// RS384 or RS512 or none, and without the mark of CVE-2017-15361 (ROCA). All
// other keys are skipped, each with a reason, and so are keys that differ under
// one key id. A document without one usable key, with more than [MaxKeys] keys
// or of more than [MaxBody] bytes counts as a failed fetch.
//
// # What is asked of the network
//
// One GET of the configured URL and of nothing else: redirects are errors, a
// token's iss, jku, x5u or jwk never matter. The URL is https, or http to a
// loopback address. The document is judged by what it holds, not by its
// Content-Type, which static file hosts often get wrong. The client that is
// used unless another one is given honours HTTPS_PROXY and NO_PROXY.
package jwks
