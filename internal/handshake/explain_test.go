package handshake_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/handshake"
)

// TestCause: the person who has to mend it is told what is probably wrong.
func TestCause(t *testing.T) {
	t.Parallel()
	const cookies, clock, size, key, domain = "does not keep cookies", "clock", "4096 bytes", "another instance", "below the domain"
	for _, tt := range []struct {
		name   string
		in     handshake.Input
		reason authproxy.Reason
		say    string
	}{
		{"no browser token", page(developing), authproxy.DevBrowserMissing, cookies},
		{"a browser token in the query", page(developing), authproxy.DevBrowserSync, cookies},
		{"a satellite", page(onSatellite), authproxy.SatelliteNeedsSyncing, cookies},
		{"no uat", page(), authproxy.SessionTokenButNoClientUAT, domain},
		{"no session", page(), authproxy.ClientUATButNoSessionToken, size},
		{"expired", page(), authproxy.SessionExpiredNoRefresh, clock},
		{"expired, and Clerk refuses", page(), authproxy.SessionExpiredUnexpected, clock},
		{"an answer too large for a cookie", page(func(in *handshake.Input) { in.BackendAPI = false }), authproxy.SessionExpiredNoRefresh, "set CLERK_SECRET_KEY"},
		{"the same in an address, where it fits", page(developing, func(in *handshake.Input) { in.BackendAPI = false }), authproxy.SessionExpiredNoRefresh, clock},
		{"too early", page(), authproxy.SessionTokenNBF, clock},
		{"of tomorrow", page(), authproxy.SessionTokenIATInTheFuture, clock},
		{"older than uat", page(), authproxy.SessionTokenIATBeforeUAT, clock},
		{"a satellite asks", page(), authproxy.PrimaryRespondsToSyncing, key},
		{"an answer that is too large", page(tidy, func(in *handshake.Input) { in.BackendAPI = false }), authproxy.ClientUATButNoSessionToken, "CLERK_SECRET_KEY"},
		{"an answer that is lost", page(tidy), authproxy.ClientUATButNoSessionToken, domain},
		{"a payload of other keys", page(brought(handshake.Payload{Token: true, Refusal: refusal(authproxy.TokenInvalidSignature)})), authproxy.TokenInvalidSignature, key},
		{"a payload of other keys, thrice", page(brought(handshake.Payload{Token: true, Refusal: refusal(authproxy.JWKKidMismatch)})), authproxy.ClientUATButNoSessionToken, "CLERK_JWT_KEY"},
		{"a nonce that is not found", page(brought(handshake.Payload{Refusal: refusal(authproxy.SessionTokenMissing)})), authproxy.ClientUATButNoSessionToken, "CLERK_SECRET_KEY"},
		{"a payload of another time", page(brought(handshake.Payload{Token: true, Refusal: refusal(authproxy.TokenExpired)})), authproxy.DevBrowserMissing, clock},
		{"a session of another time", page(returned(authproxy.TokenExpired)), authproxy.ClientUATButNoSessionToken, clock},
		{"a session of other keys", page(returned(authproxy.TokenInvalidSignature)), authproxy.ClientUATButNoSessionToken, "CLERK_JWT_KEY"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := handshake.Cause(&tt.in, tt.reason)
			if !strings.Contains(got, tt.say) {
				t.Errorf("%q says nothing of %q", got, tt.say)
			}
			if in := tt.in; in.Payload != nil && in.Payload.Refusal != nil && strings.Contains(got, "CLERK_") && !strings.Contains(got, in.Payload.Refusal.Detail) {
				t.Errorf("%q does not say what was seen", got)
			}
		})
	}
}

// TestEveryExplanationHasACause: whatever ends in the page that explains.
func TestEveryExplanationHasACause(t *testing.T) {
	t.Parallel()
	causes := map[authproxy.Reason]string{}
	var visit func(in handshake.Input)
	visit = func(in handshake.Input) {
		action := handshake.Step(&in)
		switch {
		case action.Do == handshake.Explain:
			causes[action.Refusal.Reason] = handshake.Cause(&in, action.Refusal.Reason)
		case !action.Do.Ends():
			for _, next := range answers(in, action.Do) {
				visit(next)
			}
		}
	}
	for n := range switches(1 << 11) {
		in := page(counted(3))
		in.Development, in.Satellite, in.Token, in.RefreshToken = n.next(), n.next(), n.next(), n.next()
		in.DevBrowser, in.DevBrowserInQuery, in.RedirectURLInQuery = n.next(), n.next(), n.next()
		in.Returning, in.BackendAPI, in.AutoSync = n.next(), n.next(), n.next()
		if n.next() {
			in.ClientUAT = 0
		}
		visit(in)
	}
	reasons := slices.Sorted(maps.Keys(causes))
	for _, reason := range []authproxy.Reason{
		authproxy.DevBrowserMissing, authproxy.DevBrowserSync, authproxy.SatelliteNeedsSyncing, authproxy.PrimaryRespondsToSyncing,
		authproxy.SessionTokenButNoClientUAT, authproxy.ClientUATButNoSessionToken, authproxy.SessionTokenIATBeforeUAT,
		authproxy.SessionExpiredNoRefresh, authproxy.SessionTokenNBF, authproxy.SessionTokenIATInTheFuture, authproxy.TokenInvalidSignature,
	} {
		if !slices.Contains(reasons, reason) {
			t.Errorf("%s never ends in an explanation; those that do: %v", reason, reasons)
		}
	}
	for reason, cause := range causes {
		if !strings.HasSuffix(cause, ".") || strings.HasSuffix(cause, "..") || len(cause) < 60 {
			t.Errorf("%s: %q is no cause", reason, cause)
		}
	}
}
