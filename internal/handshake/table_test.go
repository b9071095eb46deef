package handshake_test

import (
	"slices"
	"testing"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/handshake"
)

// refusal is a refusal for that reason, as the verifier or Clerk says it.
func refusal(reason authproxy.Reason) *authproxy.Refusal {
	return &authproxy.Refusal{Reason: reason, Detail: "a detail"}
}

func verdict(reason authproxy.Reason) *handshake.Verdict {
	if reason == "" {
		return &handshake.Verdict{}
	}
	return &handshake.Verdict{Refusal: refusal(reason)}
}

// page is a page load with a session cookie and its __client_uat in production,
// changed.
func page(changes ...func(*handshake.Input)) handshake.Input {
	in := handshake.Input{
		GET: true, Document: true, Navigation: true, MayRefresh: true,
		Token: true, ClientUAT: 1, BackendAPI: true,
	}
	for _, change := range changes {
		change(&in)
	}
	return in
}

// call is what a script sends, else like page.
func call(changes ...func(*handshake.Input)) handshake.Input {
	in := page()
	in.Document, in.Navigation = false, false
	for _, change := range changes {
		change(&in)
	}
	return in
}

// The changes of the cases below.
var (
	asClerk     = func(in *handshake.Input) { in.AsClerk = true }
	bearer      = func(in *handshake.Input) { in.Bearer, in.ClientUAT = true, 0 }
	noCookies   = func(in *handshake.Input) { in.Token, in.ClientUAT = false, 0 }
	noToken     = func(in *handshake.Input) { in.Token = false }
	noUAT       = func(in *handshake.Input) { in.ClientUAT = 0 }
	developing  = func(in *handshake.Input) { in.Development, in.DevBrowser = true, true }
	onSatellite = func(in *handshake.Input) { in.Satellite = true }
	refreshing  = func(in *handshake.Input) { in.RefreshToken = true }
	tidy        = func(in *handshake.Input) { in.Tidy = true }
	linked      = func(in *handshake.Input) { in.CrossOriginReferer = true }
	mismatched  = func(in *handshake.Input) { in.OrganizationMismatch = true }
	back        = func(in *handshake.Input) { in.Returning = true }
)

func counted(n int) func(*handshake.Input) { return func(in *handshake.Input) { in.Count = n } }

func brought(p handshake.Payload) func(*handshake.Input) {
	return func(in *handshake.Input) { in.Returning, in.Payload = true, &p }
}

func returned(reason authproxy.Reason) func(*handshake.Input) {
	return func(in *handshake.Input) {
		in.Returning, in.Payload, in.Returned = true, &handshake.Payload{Session: true}, verdict(reason)
	}
}

func judged(reason authproxy.Reason) func(*handshake.Input) {
	return func(in *handshake.Input) { in.Verdict = verdict(reason) }
}

func refreshed(reason authproxy.Reason) func(*handshake.Input) {
	return func(in *handshake.Input) {
		in.Verdict, in.Refreshed = verdict(authproxy.TokenExpired), &handshake.Refreshed{}
		if reason != "" {
			in.Refreshed.Refusal = refusal(reason)
		}
	}
}

// TestTransitions takes every row of the table in a case that has its name, and
// shows what the request then comes to.
func TestTransitions(t *testing.T) {
	t.Parallel()
	const (
		expired, early = authproxy.TokenExpired, authproxy.TokenNotActiveYet
		noCookie       = authproxy.SessionTokenAndUATMissing
		noRefresh      = authproxy.SessionExpiredNoRefresh
		codeOfClerk    = authproxy.SessionExpiredUnexpected
	)
	inToken, inPayload, inRefresh := handshake.InToken, handshake.InPayload, handshake.InRefresh
	invalid := &authproxy.Refusal{Reason: authproxy.TokenInvalidSignature}
	noKeys := &authproxy.Refusal{Reason: authproxy.KeysUnavailable}
	taken := map[string]bool{}
	for _, tt := range []struct {
		row    string
		in     handshake.Input
		do     handshake.Do
		reason authproxy.Reason // "" for none
		from   handshake.Carrier
	}{
		{"begin: a bearer", call(bearer), handshake.VerifyToken, "", inToken},
		{"begin: a payload or nonce", page(back), handshake.OpenPayload, "", inToken},
		{"begin: cookies", page(), handshake.VerifyToken, "", inToken},

		{"returning: unopened", page(back), handshake.OpenPayload, "", inToken},
		{"returning: no keys to verify it", page(brought(handshake.Payload{Token: true, Refusal: noKeys})), handshake.SignedOut, authproxy.KeysUnavailable, inToken},
		{"returning: a token of other keys, in development", page(developing, brought(handshake.Payload{Token: true, Refusal: invalid})), handshake.Explain, authproxy.TokenInvalidSignature, inToken},
		{"returning: it cannot be used", page(brought(handshake.Payload{Token: true, Refusal: invalid})), handshake.VerifyToken, "", inToken},
		{"returning: nobody is signed in", page(brought(handshake.Payload{})), handshake.SignedOut, authproxy.SessionTokenMissing, inPayload},
		{"returning: its session is unverified", page(brought(handshake.Payload{Session: true})), handshake.VerifyPayload, "", inToken},
		{"returning: no keys for its session", page(returned(authproxy.KeysUnavailable)), handshake.SignedOut, authproxy.KeysUnavailable, inToken},
		{"returning: its session is not good", page(returned(expired)), handshake.VerifyToken, "", inToken},
		{"returning: a session", page(returned("")), handshake.SignedIn, "", inPayload},

		{"returned: the address needs cleaning", page(developing, returned("")), handshake.ToCleanURL, "", inPayload},
		{"returned: a session", page(returned("")), handshake.SignedIn, "", inPayload},
		{"returned: nobody is signed in", page(brought(handshake.Payload{})), handshake.SignedOut, authproxy.SessionTokenMissing, inPayload},

		{"satellite: primary, or synchronised", page(onSatellite, func(in *handshake.Input) { in.Synced = "true" }), handshake.VerifyToken, "", inToken},
		{"satellite: first visit", page(onSatellite, noCookies), handshake.SignedOut, noCookie, inToken},
		{"satellite: nothing here, or asked to", page(onSatellite, func(in *handshake.Input) { in.Synced = "false" }), handshake.Redirect, authproxy.SatelliteNeedsSyncing, inToken},
		{"satellite: cookies", page(onSatellite), handshake.VerifyToken, "", inToken},

		{"development: production", page(), handshake.VerifyToken, "", inToken},
		{"development: a satellite asks", page(developing, func(in *handshake.Input) { in.RedirectURLInQuery = true }), handshake.Redirect, authproxy.PrimaryRespondsToSyncing, inToken},
		{"development: a browser token in the query", page(developing, func(in *handshake.Input) { in.DevBrowserInQuery = true }), handshake.Redirect, authproxy.DevBrowserSync, inToken},
		{"development: no browser token", page(developing, func(in *handshake.Input) { in.DevBrowser = false }), handshake.Redirect, authproxy.DevBrowserMissing, inToken},
		{"development: a known browser", page(developing), handshake.VerifyToken, "", inToken},

		{"cookies: neither, and the address needs cleaning", page(noCookies, tidy), handshake.ToCleanURL, "", inToken},
		{"cookies: neither token nor uat", page(noCookies), handshake.SignedOut, noCookie, inToken},
		{"cookies: a token, no uat", page(noUAT), handshake.Redirect, authproxy.SessionTokenButNoClientUAT, inToken},
		{"cookies: a uat, no token", page(noToken), handshake.Redirect, authproxy.ClientUATButNoSessionToken, inToken},
		{"cookies: both", page(), handshake.VerifyToken, "", inToken},

		{"token: unverified", page(), handshake.VerifyToken, "", inToken},
		{"token: older than uat", page(judged(authproxy.SessionTokenIATBeforeUAT)), handshake.Redirect, authproxy.SessionTokenIATBeforeUAT, inToken},
		{"token: expired, or too early", page(judged(early)), handshake.Redirect, authproxy.SessionTokenNBF, inToken},
		{"token: not good", page(judged(authproxy.TokenInvalidParties)), handshake.SignedOut, authproxy.TokenInvalidParties, inToken},
		{"token: a bearer", call(bearer, judged("")), handshake.SignedIn, "", inToken},
		{"token: good", page(judged("")), handshake.SignedIn, "", inToken},

		{"stale: a bearer", page(bearer, judged(expired)), handshake.SignedOut, noRefresh, inRefresh},
		{"stale: may be refreshed", page(refreshing, judged(expired)), handshake.RefreshToken, expired, inRefresh},
		{"stale: refreshed", call(refreshing, refreshed("")), handshake.SignedIn, expired, inRefresh},
		{"stale: not refreshed", page(refreshing, refreshed(codeOfClerk)), handshake.Redirect, codeOfClerk, inToken},
		{"stale: not to be refreshed", page(judged(expired)), handshake.Redirect, noRefresh, inToken},

		{"site: another site links here", page(linked, judged("")), handshake.Redirect, authproxy.PrimaryCrossOriginSync, inToken},
		{"site: one of ours", page(judged("")), handshake.SignedIn, "", inToken},

		{"organisation: another one than the session's", page(mismatched, judged("")), handshake.Redirect, authproxy.OrganizationMismatch, inToken},
		{"organisation: the address needs cleaning", page(tidy, judged("")), handshake.ToCleanURL, "", inToken},
		{"organisation: the session's", page(judged("")), handshake.SignedIn, "", inToken},

		{"renewing: no page load", call(noToken), handshake.SignedOut, authproxy.ClientUATButNoSessionToken, inToken},
		{"renewing: for the third time", page(asClerk, noToken, counted(3)), handshake.SignedOut, authproxy.ClientUATButNoSessionToken, inToken},
		{"renewing: three times already", page(noToken, counted(3)), handshake.Explain, authproxy.ClientUATButNoSessionToken, inToken},
		{"renewing: a page load", page(noToken, counted(2)), handshake.Redirect, authproxy.ClientUATButNoSessionToken, inToken},
	} {
		t.Run(tt.row, func(t *testing.T) {
			got := handshake.Step(&tt.in)
			if got.Do != tt.do || got.Session != tt.from || reasonOf(got.Refusal) != tt.reason {
				t.Errorf("%s with the %s, %q; expected %s with the %s, %q", got.Do, got.Session, reasonOf(got.Refusal), tt.do, tt.from, tt.reason)
			}
			trace := handshake.Trace(&tt.in)
			if !slices.Contains(trace, tt.row) {
				t.Errorf("the case takes %q, not the row it is named after", trace)
			}
		})
		if taken[tt.row] {
			t.Errorf("two cases for %q", tt.row)
		}
		taken[tt.row] = true
	}
	for _, row := range handshake.Transitions() {
		if !taken[row.Name()] {
			t.Errorf("no case takes %q", row.Name())
		}
		delete(taken, row.Name())
	}
	for row := range taken {
		t.Errorf("there is no row %q", row)
	}
}

func reasonOf(r *authproxy.Refusal) authproxy.Reason {
	if r == nil {
		return ""
	}
	return r.Reason
}

// TestDecisions are the corners of the rows: what one of several conditions, or
// its absence, makes of a request.
func TestDecisions(t *testing.T) {
	t.Parallel()
	const expired = authproxy.TokenExpired
	post := func(in *handshake.Input) { in.GET = false }
	foreign := func(in *handshake.Input) { in.MayRefresh = false }
	keyless := func(in *handshake.Input) { in.BackendAPI = false }
	autoSync := func(in *handshake.Input) { in.AutoSync = true }
	iframe := func(in *handshake.Input) { in.Document = false }
	pending := func(in *handshake.Input) { in.Verdict = &handshake.Verdict{Pending: true} }
	asked := func(in *handshake.Input) { in.Synced = "false" }
	for _, tt := range []struct {
		name   string
		in     handshake.Input
		do     handshake.Do
		reason authproxy.Reason
	}{
		{"a bearer counts before a payload", call(bearer, back), handshake.VerifyToken, ""},
		{"a bearer needs no uat and no browser token", call(bearer, func(in *handshake.Input) { in.Development = true }, judged("")), handshake.SignedIn, ""},
		{"a bearer is never refreshed", call(bearer, refreshing, judged(expired)), handshake.SignedOut, authproxy.SessionExpiredNoRefresh},
		{"Clerk's SDK refreshes one", call(asClerk, bearer, refreshing, judged(expired)), handshake.RefreshToken, expired},
		{"Clerk's SDK redirects one", page(asClerk, bearer, judged(expired)), handshake.Redirect, authproxy.SessionExpiredNoRefresh},

		{"a refused payload, and good cookies", page(brought(handshake.Payload{Refusal: refusal(authproxy.SessionTokenMissing)}), judged("")), handshake.SignedIn, ""},
		{"an unknown nonce in development is no wrong key", page(developing, brought(handshake.Payload{Refusal: refusal(authproxy.SessionTokenMissing)}), judged("")), handshake.SignedIn, ""},
		{"a token too old in development is no wrong key", page(developing, brought(handshake.Payload{Token: true, Refusal: refusal(expired)}), judged("")), handshake.SignedIn, ""},
		{"a stale session in a payload, and good cookies", page(returned(expired), judged("")), handshake.SignedIn, ""},
		{"a payload, and an address to clean", page(tidy, returned("")), handshake.ToCleanURL, ""},
		{"nobody is signed in, in development", page(developing, brought(handshake.Payload{})), handshake.ToCleanURL, authproxy.SessionTokenMissing},

		{"a satellite that asks at once", page(onSatellite, noCookies, autoSync), handshake.Redirect, authproxy.SatelliteNeedsSyncing},
		{"a satellite, back from the sign-in page", page(onSatellite, noCookies, asked), handshake.Redirect, authproxy.SatelliteNeedsSyncing},
		{"a satellite that has asked", page(onSatellite, noCookies, func(in *handshake.Input) { in.Synced = "true" }), handshake.SignedOut, authproxy.SessionTokenAndUATMissing},
		{"a satellite's frame", page(onSatellite, noCookies, autoSync, iframe), handshake.SignedOut, authproxy.SessionTokenAndUATMissing},
		{"a satellite's form", page(onSatellite, noCookies, asked, post), handshake.SignedOut, authproxy.SessionTokenAndUATMissing},
		{"satellites do not ask each other", page(onSatellite, developing, func(in *handshake.Input) { in.RedirectURLInQuery = true }, judged("")), handshake.SignedIn, ""},
		{"a satellite is not linked to by a satellite", page(onSatellite, linked, judged("")), handshake.SignedIn, ""},

		{"a form is refreshed", page(post, refreshing, judged(expired)), handshake.RefreshToken, expired},
		{"Clerk's SDK does not", page(asClerk, post, refreshing, judged(expired)), handshake.Redirect, authproxy.SessionExpiredNonGET},
		{"a form of another site is not", call(post, foreign, refreshing, judged(expired)), handshake.SignedOut, authproxy.SessionExpiredNonGET},
		{"a form without a refresh cookie is not", call(post, judged(expired)), handshake.SignedOut, authproxy.SessionExpiredNonGET},
		{"a form without a secret key is not", call(post, refreshing, keyless, judged(expired)), handshake.SignedOut, authproxy.SessionExpiredNoClient},
		{"a page without a secret key goes around", page(refreshing, keyless, judged(expired)), handshake.Redirect, authproxy.SessionExpiredNoClient},
		{"only an expired token is refreshed", page(refreshing, judged(authproxy.TokenNotActiveYet)), handshake.Redirect, authproxy.SessionTokenNBF},
		{"a token of tomorrow", page(refreshing, judged(authproxy.TokenIATInTheFuture)), handshake.Redirect, authproxy.SessionTokenIATInTheFuture},
		{"a script's token that was not refreshed", call(refreshing, refreshed(authproxy.SessionExpiredFetchError)), handshake.SignedOut, authproxy.SessionExpiredFetchError},
		{"keys that are missing are no reason to go around", page(judged(authproxy.KeysUnavailable)), handshake.SignedOut, authproxy.KeysUnavailable},

		{"a link from another site, on the way", page(linked, counted(1), judged("")), handshake.SignedIn, ""},
		{"a frame of another site", page(linked, iframe, judged("")), handshake.SignedIn, ""},
		{"a prefetch of another site", call(linked, func(in *handshake.Input) { in.Document = true }, judged("")), handshake.SignedIn, ""},
		{"an organisation is tried once", page(mismatched, counted(1), judged("")), handshake.SignedIn, ""},
		{"and the address remembers it", page(mismatched, counted(1), tidy, judged("")), handshake.SignedIn, ""},
		{"so it does with a link", page(linked, counted(1), tidy, judged("")), handshake.SignedIn, ""},
		{"by Clerk's SDK three times", page(asClerk, mismatched, counted(2), judged("")), handshake.Redirect, authproxy.OrganizationMismatch},
		{"and then served", page(asClerk, mismatched, counted(3), judged("")), handshake.SignedIn, ""},
		{"a script's organisation is the session's", call(mismatched, judged("")), handshake.SignedIn, ""},
		{"a pending session has none to activate", page(mismatched, pending), handshake.SignedIn, ""},

		{"a fourth handshake", page(noToken, counted(4)), handshake.Explain, authproxy.ClientUATButNoSessionToken},
		{"which Clerk's SDK makes", page(asClerk, noToken, counted(4)), handshake.Redirect, authproxy.ClientUATButNoSessionToken},
		{"a script is told so, however often", call(noToken, counted(9)), handshake.SignedOut, authproxy.ClientUATButNoSessionToken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := handshake.Step(&tt.in); got.Do != tt.do || reasonOf(got.Refusal) != tt.reason {
				t.Errorf("%s, %q by %q; expected %s, %q", got.Do, reasonOf(got.Refusal), handshake.Trace(&tt.in), tt.do, tt.reason)
			}
		})
	}
}
