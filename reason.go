package authproxy

import (
	"fmt"
	"net/http"
	"slices"
)

// Reason is why a request was refused, redirected or let through as nobody:
// one word of a closed set that answers, log lines and metrics share. Reasons
// about sessions are Clerk's own words (clerk/javascript, AuthErrorReason and
// TokenVerificationErrorReason).
type Reason string

// expired begins the reasons of an expired token; what follows says why it was
// not refreshed: a word of Clerk's SDK, or of its Backend API.
const expired = "session-token-expired-refresh-"

// refreshCodes are the errors of Clerk's Backend API when it refuses to refresh
// (its page "Backend API errors", Session Refresh, and the general ones).
var refreshCodes = []string{
	"session_refresh_expired_session_token_consumed", "expired_session_token_invalid", "session_refresh_expired_session_token_too_old",
	"session_refresh_inactive_session", "session_refresh_session_token_ineligible", "refresh_request_origin_invalid",
	"expired_session_token_missing_azp", "session_refresh_expired_session_token_missing_iat", "expired_session_token_missing_sid",
	"feature_not_enabled", "refresh_request_origin_azp_mismatch", "session_refresh_session_not_found", "refresh_sid_mismatch",
	"refresh_token_not_found", "session_refresh_user_not_found",
	"authentication_invalid", "clerk_key_invalid", "resource_not_found", "too_many_requests",
	"expired-session-token-missing-sid-claim", "expired-session-token-decode-failed",
}

// RefreshReason is why an expired token was not refreshed, in the words of
// Clerk's SDK, for a code of Clerk's. One that is not known becomes
// [SessionExpiredUnexpected]: the set is closed.
func RefreshReason(code string) Reason {
	if reason := Reason(expired + code); slices.ContainsFunc(rows, func(r row) bool { return r.reason == reason }) {
		return reason
	}
	return SessionExpiredUnexpected
}

// Nobody is signed in.
const (
	SessionTokenAndUATMissing  Reason = "session-token-and-uat-missing"
	SessionTokenMissing        Reason = "session-token-missing"
	ClientUATButNoSessionToken Reason = "client-uat-but-no-session-token"
	SessionTokenButNoClientUAT Reason = "session-token-but-no-client-uat"
	SessionTokenIATBeforeUAT   Reason = "session-token-iat-before-client-uat"
	DevBrowserMissing          Reason = "dev-browser-missing"
	DevBrowserSync             Reason = "dev-browser-sync"
	PrimaryRespondsToSyncing   Reason = "primary-responds-to-syncing"
	PrimaryCrossOriginSync     Reason = "primary-domain-cross-origin-sync"
	SatelliteNeedsSyncing      Reason = "satellite-needs-syncing"
	OrganizationMismatch       Reason = "active-organization-mismatch"
	SessionPending             Reason = "session-pending"
	TokenTypeMismatch          Reason = "token-type-mismatch"
	TokenInvalid               Reason = "token-invalid"
	TokenInvalidAlgorithm      Reason = "token-invalid-algorithm"
	TokenInvalidSignature      Reason = "token-invalid-signature"
	TokenInvalidIssuer         Reason = "token-invalid-issuer"
	TokenInvalidParties        Reason = "token-invalid-authorized-parties"
	TokenVerificationFailed    Reason = "token-verification-failed"
	JWKKidMismatch             Reason = "jwk-kid-mismatch"
	SessionTokenNBF            Reason = "session-token-nbf"
	SessionTokenIATInTheFuture Reason = "session-token-iat-in-the-future"
	SessionExpiredNoRefresh    Reason = expired + "non-eligible-no-refresh-cookie"
	SessionExpiredNonGET       Reason = expired + "non-eligible-non-get"
	SessionExpiredNoClient     Reason = expired + "missing-api-client"
	SessionExpiredInvalid      Reason = expired + "invalid-session-token"
	SessionExpiredFetchError   Reason = expired + "fetch-error"
	SessionExpiredUnexpected   Reason = expired + "unexpected-bapi-error"
	SessionExpiredNoCookies    Reason = expired + "unexpected-sdk-error"
	UnexpectedError            Reason = "unexpected-error"
	TokenExpired               Reason = "token-expired"
	TokenNotActiveYet          Reason = "token-not-active-yet"
	TokenIATInTheFuture        Reason = "token-iat-in-the-future"
)

// Somebody is signed in, or would be, and the request is refused all the same.
const (
	ClaimMissing     Reason = "claim-missing"
	ClaimInvalid     Reason = "claim-invalid"
	ClaimTooLarge    Reason = "claim-too-large"
	CrossOrigin      Reason = "cross-origin"
	HostNotAllowed   Reason = "host-not-allowed"
	RequestAmbiguous Reason = "request-ambiguous"
	MethodNotAllowed Reason = "method-not-allowed"
	RequestTooLarge  Reason = "request-too-large"
	BodyInvalid      Reason = "body-invalid"
	NotFound         Reason = "not-found"
)

// Something that is needed does not work.
const (
	KeysUnavailable     Reason = "keys-unavailable"
	UpstreamUnreachable Reason = "upstream-unreachable"
	UpstreamTimeout     Reason = "upstream-timeout"
	InternalError       Reason = "internal-error"
	ClientClosed        Reason = "client-closed" // in logs and metrics only: nobody is there to be answered
)

// StatusClientClosed is what log lines and metrics show for a client that went
// away before it was answered (nginx's code; nothing standard exists).
const StatusClientClosed = 499

// row is what a Reason means to the outside.
type row struct {
	reason Reason
	status int
	title  string // what happened, in one line
	advice string // what to do about it
}

const (
	adviceSignIn = "Sign in and try again."
	adviceReload = "Reload the page. If that does not help, sign in again."
	adviceToken  = "Send a current session token of this application, or none at all."
	adviceClient = "This is a fault of the program that made the request."
	adviceWait   = "Try again in a moment."
)

var rows = append(refreshRows(), []row{
	{SessionTokenAndUATMissing, http.StatusUnauthorized, "You are not signed in.", adviceSignIn},
	{SessionTokenMissing, http.StatusUnauthorized, "You are not signed in.", adviceSignIn},
	{ClientUATButNoSessionToken, http.StatusUnauthorized, "Your session is not here.", adviceReload},
	{SessionTokenButNoClientUAT, http.StatusUnauthorized, "Your session looks signed out.", adviceReload},
	{SessionTokenIATBeforeUAT, http.StatusUnauthorized, "Your session changed and this page has an older one.", adviceReload},
	{DevBrowserMissing, http.StatusUnauthorized, "This browser is not known to the development instance.", "Open the application in the browser once and sign in."},
	{DevBrowserSync, http.StatusUnauthorized, "The development browser has to be synchronised.", adviceReload},
	{PrimaryRespondsToSyncing, http.StatusUnauthorized, "The session has to be synchronised.", adviceReload},
	{PrimaryCrossOriginSync, http.StatusUnauthorized, "The session has to be synchronised.", adviceReload},
	{SatelliteNeedsSyncing, http.StatusUnauthorized, "The session has to be synchronised.", adviceReload},
	{OrganizationMismatch, http.StatusUnauthorized, "The session is of another organisation than the page.", adviceReload},
	{SessionPending, http.StatusUnauthorized, "Signing in is not finished.", "Finish the open steps of signing in."},
	{TokenTypeMismatch, http.StatusUnauthorized, "The token is not a session token.", adviceToken},
	{TokenInvalid, http.StatusUnauthorized, "The session token cannot be read.", adviceToken},
	{TokenInvalidAlgorithm, http.StatusUnauthorized, "The session token is signed with an algorithm that is not accepted.", adviceToken},
	{TokenInvalidSignature, http.StatusUnauthorized, "The session token's signature is wrong.", adviceToken},
	{TokenInvalidIssuer, http.StatusUnauthorized, "The session token is of another issuer.", "Check that the proxy has the publishable key of the instance that signs people in."},
	{TokenInvalidParties, http.StatusUnauthorized, "The session token was made for another origin.", "If that origin is yours, add it to AUTHPROXY_PUBLIC_URL or AUTHPROXY_AUTHORIZED_PARTIES."},
	{TokenVerificationFailed, http.StatusUnauthorized, "The session token cannot be verified.", adviceToken},
	{JWKKidMismatch, http.StatusUnauthorized, "The session token is signed with a key that the key set does not have.", "Check that the proxy has the publishable key of the instance that signs people in."},
	{SessionTokenNBF, http.StatusUnauthorized, "The session token is not valid yet.", "Check the clock of the machine the proxy runs on."},
	{SessionTokenIATInTheFuture, http.StatusUnauthorized, "The session token comes from the future.", "Check the clock of the machine the proxy runs on."},
	{SessionExpiredNoRefresh, http.StatusUnauthorized, "Your session token has run out.", adviceReload},
	{SessionExpiredNonGET, http.StatusUnauthorized, "Your session token has run out.", adviceReload},
	{SessionExpiredNoClient, http.StatusUnauthorized, "Your session token has run out.", adviceReload},
	{SessionExpiredInvalid, http.StatusUnauthorized, "Your session token has run out.", adviceReload},
	{SessionExpiredFetchError, http.StatusUnauthorized, "Your session token has run out.", adviceReload},
	{SessionExpiredUnexpected, http.StatusUnauthorized, "Your session token has run out.", adviceReload},
	{SessionExpiredNoCookies, http.StatusUnauthorized, "Your session token has run out.", adviceReload},
	{UnexpectedError, http.StatusUnauthorized, "The session could not be read.", adviceReload},
	{TokenExpired, http.StatusUnauthorized, "The session token has run out.", adviceReload},
	{TokenNotActiveYet, http.StatusUnauthorized, "The session token is not valid yet.", "Check the clock of the machine the proxy runs on."},
	{TokenIATInTheFuture, http.StatusUnauthorized, "The session token comes from the future.", "Check the clock of the machine the proxy runs on."},

	{ClaimMissing, http.StatusForbidden, "Your account lacks something this application needs.", "Ask the people who run this application to complete your account."},
	{ClaimInvalid, http.StatusForbidden, "Your account holds a value that cannot be passed on.", "Ask the people who run this application to mend your account."},
	{ClaimTooLarge, http.StatusForbidden, "Your account holds more than can be passed on.", "Ask the people who run this application to shorten what the session token carries."},
	{CrossOrigin, http.StatusForbidden, "The request came from another site.", "Do it from the application's own pages."},
	{HostNotAllowed, http.StatusMisdirectedRequest, "This host is not served here.", "Use the application's own address. If this is it, add it to AUTHPROXY_PUBLIC_URL."},
	{RequestAmbiguous, http.StatusBadRequest, "The request can be read in more than one way.", adviceClient},
	{MethodNotAllowed, http.StatusMethodNotAllowed, "This method is not accepted.", adviceClient},
	{RequestTooLarge, http.StatusRequestEntityTooLarge, "The request is too large.", "Send less at once."},
	{BodyInvalid, http.StatusBadRequest, "The request's body cannot be read.", adviceClient},
	{NotFound, http.StatusNotFound, "There is nothing at this address.", "Check the address."},

	{KeysUnavailable, http.StatusServiceUnavailable, "Sessions cannot be verified at the moment.", adviceWait},
	{UpstreamUnreachable, http.StatusBadGateway, "The application cannot be reached.", adviceWait},
	{UpstreamTimeout, http.StatusGatewayTimeout, "The application took too long to answer.", adviceWait},
	{InternalError, http.StatusInternalServerError, "Something went wrong here.", adviceWait},
	{ClientClosed, StatusClientClosed, "The client went away.", adviceClient},
}...)

func refreshRows() []row {
	var all []row
	for _, code := range refreshCodes {
		all = append(all, row{Reason(expired + code), http.StatusUnauthorized, "Your session token has run out.", adviceReload})
	}
	return all
}

// Reasons returns the whole closed set.
func Reasons() []Reason {
	all := make([]Reason, len(rows))
	for i, r := range rows {
		all[i] = r.reason
	}
	return all
}

// Status is the HTTP status of an answer with this reason. A word that is not
// of the set is our own fault and says so.
func (r Reason) Status() int { return r.row().status }

// Title says what happened, for a person.
func (r Reason) Title() string { return r.row().title }

// Advice says what the person can do.
func (r Reason) Advice() string { return r.row().advice }

func (r Reason) row() row {
	if i := slices.IndexFunc(rows, func(x row) bool { return x.reason == r }); i >= 0 {
		return rows[i]
	}
	return row{InternalError, http.StatusInternalServerError, "Something went wrong here.", adviceWait}
}

// Refusal is an error that carries its Reason.
type Refusal struct {
	Reason Reason
	Detail string // for the caller: what was seen, what was expected; no secret
	Cause  error  // for the log only; may be nil
}

// Refuse returns a Refusal with a formatted Detail.
func Refuse(reason Reason, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// Error implements error.
func (r *Refusal) Error() string {
	s := string(r.Reason) + ": " + r.Detail
	if r.Cause != nil {
		s += ": " + r.Cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Cause }
