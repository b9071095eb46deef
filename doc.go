// Package authproxy is the dictionary of an authenticating reverse proxy for
// Clerk sessions: what was asked ([Request]), who asked ([Identity]), what was
// decided ([Decision]) and why ([Reason]).
//
// Every surface turns its own dialect into a Request, asks the same [Decider]
// and renders the Decision it gets; the zero Decision denies. The package
// imports the standard library only, so that everything may speak it. The
// exported packages that use these words are
//
//   - [github.com/manageros/authproxy/jwks]: a cached key set that never makes
//     a request wait for the network when its key is there;
//   - [github.com/manageros/authproxy/headers]: claims to trusted headers, and
//     the removal of every spelling of such a header that a client sent;
//   - [github.com/manageros/authproxy/proxy]: the HTTP surface.
package authproxy
