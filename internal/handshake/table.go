package handshake

import (
	"slices"

	"github.com/manageros/authproxy"
)

// state is where a request is on its way through the table.
type state string

const (
	begin        state = "begin"
	returning    state = "returning"    // from a handshake
	returned     state = "returned"     // with something that can be used
	satellite    state = "satellite"    // domains beside the primary one
	development  state = "development"  // browsers of a development instance
	cookies      state = "cookies"      // which of them are there
	token        state = "token"        // is it good
	stale        state = "stale"        // it was
	site         state = "site"         // where does the visitor come from
	organization state = "organisation" // of which organisation is the page
	renewing     state = "renewing"     // by a redirect, if that may be
)

// transition is one arrow: from a state, when the test holds (nil always does),
// to the next state, or to the end or the thing to be found out.
type transition struct {
	from  state
	label string
	when  func(*Input) bool
	to    state
	do    Do
	why   func(*Input) *authproxy.Refusal
}

// next is the first transition of a state whose test holds. The last of every
// state has none.
func next(at state, in *Input) transition {
	i := slices.IndexFunc(table, func(t transition) bool { return t.from == at && (t.when == nil || t.when(in)) })
	return table[i]
}

func because(reason authproxy.Reason, detail string) func(*Input) *authproxy.Refusal {
	return func(*Input) *authproxy.Refusal { return &authproxy.Refusal{Reason: reason, Detail: detail} }
}

// table is the whole of it. The comments give the rows of clerk.md, 2.5.
var table = []transition{
	{begin, "a bearer", func(in *Input) bool { return in.Bearer }, token, "", nil},
	{begin, "a payload or nonce", func(in *Input) bool { return in.Returning }, returning, "", nil}, // 1
	{begin, "cookies", nil, satellite, "", nil},

	{returning, "unopened", func(in *Input) bool { return in.Payload == nil }, "", OpenPayload, nil},
	{returning, "no keys to verify it", func(in *Input) bool { return unavailable(in.Payload.Refusal) }, "", SignedOut,
		func(in *Input) *authproxy.Refusal { return in.Payload.Refusal }},
	// In development the payload is in the address, so it is of no other app of
	// the same domain: the keys are not of this instance.
	{returning, "a token of other keys, in development", func(in *Input) bool {
		return in.Payload.Refusal != nil && !ofTime(in.Payload.Refusal) && in.Payload.Token && in.Development
	}, "", Explain, func(in *Input) *authproxy.Refusal { return in.Payload.Refusal }},
	{returning, "it cannot be used", func(in *Input) bool { return in.Payload.Refusal != nil }, satellite, "", nil},
	{returning, "nobody is signed in", func(in *Input) bool { return !in.Payload.Session }, returned, "",
		because(authproxy.SessionTokenMissing, "Clerk says that nobody is signed in in this browser")},
	{returning, "its session is unverified", func(in *Input) bool { return in.Returned == nil }, "", VerifyPayload, nil},
	{returning, "no keys for its session", func(in *Input) bool { return unavailable(in.Returned.Refusal) }, "", SignedOut,
		func(in *Input) *authproxy.Refusal { return in.Returned.Refusal }},
	{returning, "its session is not good", func(in *Input) bool { return in.Returned.Refusal != nil }, satellite, "", nil},
	{returning, "a session", nil, returned, "", nil},

	// A satellite that hears of nobody would ask again, at an address that is clean.
	{returned, "the address needs cleaning", func(in *Input) bool {
		return in.Development || in.Tidy && (in.Payload.Session || !in.Satellite)
	}, "", ToCleanURL, nil},
	{returned, "a session", func(in *Input) bool { return in.Payload.Session }, "", SignedIn, nil},
	{returned, "nobody is signed in", nil, "", SignedOut, nil},

	{satellite, "primary, or synchronised", func(in *Input) bool {
		return !in.Satellite || !in.GET || !in.Document || in.Synced == "true"
	}, development, "", nil},
	{satellite, "first visit", func(in *Input) bool {
		return !in.AutoSync && !in.hasCookies() && in.Synced != "false"
	}, "", SignedOut, because(authproxy.SessionTokenAndUATMissing, "no session cookie and no bearer token")}, // 2, 3
	{satellite, "nothing here, or asked to", func(in *Input) bool { return !in.hasCookies() || in.Synced == "false" }, renewing, "",
		because(authproxy.SatelliteNeedsSyncing, "the session of the primary domain is not here yet")}, // 2, 3
	{satellite, "cookies", nil, development, "", nil},

	{development, "production", func(in *Input) bool { return !in.Development }, cookies, "", nil},
	{development, "a satellite asks", func(in *Input) bool { return !in.Satellite && in.RedirectURLInQuery }, renewing, "",
		because(authproxy.PrimaryRespondsToSyncing, "the query asks for a synchronisation")}, // 4
	{development, "a browser token in the query", func(in *Input) bool { return in.DevBrowserInQuery }, renewing, "",
		because(authproxy.DevBrowserSync, "the query brings a development browser")}, // 5
	{development, "no browser token", func(in *Input) bool { return !in.DevBrowser }, renewing, "",
		because(authproxy.DevBrowserMissing, "no __clerk_db_jwt cookie; development instances need one")}, // 6
	{development, "a known browser", nil, cookies, "", nil},

	{cookies, "neither, and the address needs cleaning", func(in *Input) bool { return in.ClientUAT == 0 && !in.Token && in.Tidy }, "", ToCleanURL, nil},
	{cookies, "neither token nor uat", func(in *Input) bool { return in.ClientUAT == 0 && !in.Token }, "", SignedOut,
		because(authproxy.SessionTokenAndUATMissing, "no session cookie and no bearer token")}, // 7
	{cookies, "a token, no uat", func(in *Input) bool { return in.ClientUAT == 0 }, renewing, "",
		because(authproxy.SessionTokenButNoClientUAT, "a session cookie, but __client_uat is missing or 0")}, // 8
	{cookies, "a uat, no token", func(in *Input) bool { return !in.Token }, renewing, "",
		because(authproxy.ClientUATButNoSessionToken, "__client_uat says signed in, but there is no session cookie")}, // 9
	{cookies, "both", nil, token, "", nil},

	{token, "unverified", func(in *Input) bool { return in.Verdict == nil }, "", VerifyToken, nil},
	{token, "older than uat", func(in *Input) bool { return in.refused(authproxy.SessionTokenIATBeforeUAT) }, renewing, "", theVerdict}, // 12
	{token, "expired, or too early", (*Input).outOfTime, stale, "", theVerdict},
	{token, "not good", (*Input).notGood, "", SignedOut, theVerdict}, // 10, 11, 13
	{token, "a bearer", func(in *Input) bool { return in.Bearer }, "", SignedIn, nil},
	{token, "good", nil, site, "", nil},

	{stale, "a bearer", func(in *Input) bool { return in.Bearer && !in.AsClerk }, "", SignedOut, unrefreshed},
	{stale, "may be refreshed", func(in *Input) bool { return in.Refreshed == nil && in.refreshable() }, "", RefreshToken, nil},
	{stale, "refreshed", func(in *Input) bool { return in.Refreshed != nil && in.Refreshed.Refusal == nil }, "", SignedIn, nil},
	{stale, "not refreshed", func(in *Input) bool { return in.Refreshed != nil }, renewing, "",
		func(in *Input) *authproxy.Refusal { return in.Refreshed.Refusal }},
	{stale, "not to be refreshed", nil, renewing, "", unrefreshed},

	{site, "another site links here", (*Input).fromElsewhere, renewing, "", because(authproxy.PrimaryCrossOriginSync, "a page of another site links here, and may be of a satellite domain")}, // 14
	{site, "one of ours", nil, organization, "", nil},

	{organization, "another one than the session's", (*Input).activates, renewing, "",
		because(authproxy.OrganizationMismatch, "the page is of another organisation than the session")}, // 15
	{organization, "the address needs cleaning", (*Input).mayForget, "", ToCleanURL, nil},
	{organization, "the session's", nil, "", SignedIn, nil}, // 16

	{renewing, "no page load", func(in *Input) bool { return !in.Navigation }, "", SignedOut, nil},
	{renewing, "for the third time", func(in *Input) bool { return in.AsClerk && in.Count == MaxHandshakes }, "", SignedOut, nil},
	{renewing, "three times already", func(in *Input) bool { return !in.AsClerk && in.Count >= MaxHandshakes }, "", Explain, nil},
	{renewing, "a page load", nil, "", Redirect, nil},
}

func unavailable(r *authproxy.Refusal) bool {
	return r != nil && r.Reason == authproxy.KeysUnavailable
}

func theVerdict(in *Input) *authproxy.Refusal { return in.Verdict.Refusal }

// unrefreshed gives errors of time the reasons that Clerk gives them when no
// refresh was tried (clerk.md, 2.7).
func unrefreshed(in *Input) *authproxy.Refusal {
	why := *in.Verdict.Refusal
	switch why.Reason {
	case authproxy.TokenExpired:
		why.Reason = authproxy.SessionExpiredNoRefresh
		refreshToken := in.RefreshToken && (!in.Bearer || in.AsClerk) // it goes with the cookie
		switch {
		case !in.GET && (!refreshToken || in.AsClerk), refreshToken && !in.MayRefresh:
			why.Reason = authproxy.SessionExpiredNonGET
		case refreshToken:
			why.Reason = authproxy.SessionExpiredNoClient
		}
	case authproxy.TokenNotActiveYet:
		why.Reason = authproxy.SessionTokenNBF
	case authproxy.TokenIATInTheFuture:
		why.Reason = authproxy.SessionTokenIATInTheFuture
	default: // not of time
	}
	return &why
}

func (in *Input) hasCookies() bool { return in.Token || in.ClientUAT != 0 }

func (in *Input) refused(reasons ...authproxy.Reason) bool {
	return in.Verdict.Refusal != nil && slices.Contains(reasons, in.Verdict.Refusal.Reason)
}

func (in *Input) outOfTime() bool { return ofTime(in.Verdict.Refusal) }

func ofTime(r *authproxy.Refusal) bool {
	return r != nil && slices.Contains([]authproxy.Reason{authproxy.TokenExpired, authproxy.TokenNotActiveYet, authproxy.TokenIATInTheFuture}, r.Reason)
}

// notGood: Clerk's SDK reads the organisation last, and so where the visitor comes
// from before it finds that it cannot.
func (in *Input) notGood() bool {
	later := in.AsClerk && !in.Bearer && in.refused(authproxy.UnexpectedError) && in.fromElsewhere()
	return in.Verdict.Refusal != nil && !later
}

func (in *Input) fromElsewhere() bool {
	return in.CrossOriginReferer && !in.Satellite && in.Document && in.Navigation && in.Count == 0
}

// refreshable: Clerk's SDK refreshes for GET only. Others are as good, when no
// other site made the browser send them: a form must not be lost because its
// page was open for long.
func (in *Input) refreshable() bool {
	return in.refused(authproxy.TokenExpired) && in.RefreshToken && in.BackendAPI && in.MayRefresh && (in.GET || !in.AsClerk)
}

// activates: an organisation that the person is no member of is tried once for
// a page load, by Clerk's SDK three times.
func (in *Input) activates() bool {
	return in.OrganizationMismatch && !in.Verdict.Pending && in.Navigation &&
		(in.Count == 0 || in.AsClerk && in.Count < MaxHandshakes)
}

// mayForget: nothing would be asked for again if the address forgot that it was. The
// cookie may be forgotten, too: it may be there and never change.
func (in *Input) mayForget() bool {
	return in.Tidy && (!in.OrganizationMismatch || in.Verdict.Pending) && !in.CrossOriginReferer
}
