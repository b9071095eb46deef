// Package session decides whether a token is a genuine session of one Clerk
// instance: where a request may carry one ([Verifier.Find]), whether it is
// genuine ([Verifier.Verify]), and whether it is acceptable now
// ([Verifier.Check]).
//
// A token is judged in the order of the files: token.go and cookies.go find it,
// compact.go takes it apart (strictjson.go its JSON), verify.go checks the
// signature, claims.go reads who it speaks for, check.go looks at the clock and
// the origin. The raw token never leaves the package except in [Presented], and
// no text of it reaches a log.
//
// Clerk's semantics are those of @clerk/backend 3.25.0. Where the zero [Rules]
// are stricter, a comment says so; clerk.go holds what is looser on purpose.
package session
