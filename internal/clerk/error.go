package clerk

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
)

// Error is why Clerk did not do what it was asked for.
type Error struct {
	Endpoint string // one of the Endpoint constants
	// Code is Clerk's own errors[0].code, or one of the Code constants, most of
	// which are words of Clerk's JavaScript SDK.
	Code   string
	Status int   // of Clerk's answer; 0: there was none
	Cause  error // what else is known, without a secret; may be nil
}

// The codes of an [Error] that are not Clerk's.
const (
	CodeFetch          = "fetch-error"           // no answer, or nothing was sent
	CodeUnexpected     = "unexpected-bapi-error" // an answer that cannot be read
	CodeNothing        = "unexpected-sdk-error"  // a success with an empty list
	CodeNoSession      = "expired-session-token-missing-sid-claim"
	CodeNoToken        = "missing-session-token"
	CodeNoRefreshToken = "missing-refresh-token"
)

// codeNotFound is Clerk's word for an id or nonce that it does not know, and ours
// for one that it cannot know.
const codeNotFound = "resource_not_found"

var (
	errBudget      = errors.New("not sent: too much was asked already")
	errOpen        = errors.New("not sent: Clerk failed too often just now")
	errNonceForm   = errors.New("not sent: no nonce looks like that")
	errSessionForm = errors.New("not sent: no session's id looks like that")
	errStillActive = errors.New("the answer does not say that the session has ended")
	errTooMuch     = errors.New("the answer has more lines, or longer ones, than any of Clerk's")
)

// Error implements error.
func (e *Error) Error() string {
	parts := []string{"clerk", e.Endpoint, e.Code}
	if e.Status != 0 {
		parts[2] = fmt.Sprintf("%d %s", e.Status, e.Code)
	}
	if e.Cause != nil {
		parts = append(parts, e.Cause.Error())
	}
	return strings.Join(parts, ": ")
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// refused reports whether Clerk has answered and will answer the same again. A
// nil Error is none.
func (e *Error) refused() bool {
	return e.Code == CodeNothing || e.Status >= 400 && e.Status <= 499 && e.Status != http.StatusTooManyRequests
}

// troublesNonces reports whether the next nonce will fare no better: Clerk fails,
// or does not know our key.
func (e *Error) troublesNonces() bool {
	if errors.Is(e.Cause, errBudget) || errors.Is(e.Cause, errOpen) {
		return false // both are over at a time that is known
	}
	return !e.refused() || e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden
}

// What of an answer may stand in a log line or become a reason. Clerk's longest
// code has 50 characters.
var (
	codeForm  = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)
	traceForm = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
)

// jsCode is Clerk's code as Clerk's JavaScript SDK passes it on: it uses
// unexpected_error for what went wrong before Clerk answered.
func jsCode(code string) string {
	switch {
	case code == "unexpected_error":
		return CodeFetch
	case codeForm.MatchString(code):
		return code
	default:
		return CodeUnexpected
	}
}

// harmless keeps of a transport's error what cannot repeat what was sent. A
// *url.Error has the URL, and with it the nonce; the text of a malformed answer is
// of the other side, which may echo.
func harmless(err error) error {
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var op *net.OpError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	case errors.As(err, &dns):
		return dns
	case errors.As(err, &certificate):
		return certificate
	case errors.As(err, &op):
		return op
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	}
	for inner := err; inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return fmt.Errorf("no answer that can be read (%T)", err)
}
