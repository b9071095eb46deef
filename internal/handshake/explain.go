package handshake

import "github.com/manageros/authproxy"

// Cause says in a sentence or two why handshakes probably do not come to an end,
// for the person who has to mend it.
func Cause(in *Input, reason authproxy.Reason) string {
	switch payload, returned := refusalOf(in); {
	case ofTime(payload), ofTime(returned):
		return "Clerk's answer is out of time here. Probably the clock of the machine that authproxy runs on is wrong by more than AUTHPROXY_CLOCK_SKEW; else the link is so slow that an answer is minutes on its way."
	case returned != nil:
		return "Clerk's answer holds a session token that is refused. Probably CLERK_PUBLISHABLE_KEY or CLERK_JWT_KEY is of another instance: " + returned.Detail + "."
	case payload != nil && payload.Reason == authproxy.SessionTokenMissing && in.Payload.Token:
		return "Clerk's answer holds no cookie of this instance. Probably CLERK_PUBLISHABLE_KEY is of another instance than the one people sign in to."
	case payload != nil && in.Payload.Token:
		return "Clerk's answer is signed with a key that is none of this instance. Probably CLERK_PUBLISHABLE_KEY or CLERK_JWT_KEY is of another instance: " + payload.Detail + "."
	case payload != nil:
		return "Clerk's answer could not be fetched. Probably CLERK_SECRET_KEY is of another instance than CLERK_PUBLISHABLE_KEY, or Clerk's Backend API cannot be reached: " + payload.Detail + "."
	}
	// In production an answer that comes back ends the chain.
	if !in.Development && !in.BackendAPI && !in.Returning {
		return "Clerk's answer does not come back with the browser. Without CLERK_SECRET_KEY it is a cookie that holds the session token twice, and browsers drop a cookie of more than 4096 bytes: set CLERK_SECRET_KEY, or keep the session token, claims and all, below 0.9 KB. Otherwise cookies are blocked for this site."
	}
	if in.Tidy && !in.Returning && !in.Development {
		return "Clerk's answer does not come back with the browser, which keeps other cookies than the one that carries it. Probably this address is not below the domain that the Clerk instance is made for."
	}
	switch reason {
	case authproxy.DevBrowserMissing, authproxy.DevBrowserSync, authproxy.SatelliteNeedsSyncing:
		return cookiesBlocked
	case authproxy.SessionTokenButNoClientUAT:
		return "The browser has the session cookie but not __client_uat, which Clerk sets for the whole domain. Either cookies are blocked, or this address is not below the domain that the Clerk instance is made for."
	case authproxy.ClientUATButNoSessionToken:
		return "The browser has __client_uat but does not keep the session cookie. Probably the cookie is too large: with its name a browser keeps 4096 bytes, so the claims of a customised session token have to stay below 1.2 KB. Otherwise cookies are blocked for this site."
	case authproxy.PrimaryRespondsToSyncing, authproxy.PrimaryCrossOriginSync, authproxy.OrganizationMismatch:
		return "Clerk sent the browser back without what was asked for. Probably CLERK_PUBLISHABLE_KEY is of another instance than the one people sign in to."
	default: // expired, too early, older than __client_uat
		return "Clerk's fresh session token is already out of time here. Probably the clock of the machine that authproxy runs on is wrong by more than AUTHPROXY_CLOCK_SKEW; else the key is of another instance, or the browser does not keep the new cookie because it is too large or blocked."
	}
}

// refusalOf is what was wrong with the payload of the request, or with the session
// in it; nil is nothing.
func refusalOf(in *Input) (payload, session *authproxy.Refusal) {
	if in.Payload != nil {
		payload = in.Payload.Refusal
	}
	if in.Returned != nil {
		session = in.Returned.Refusal
	}
	return payload, session
}

const cookiesBlocked = "The browser does not keep cookies. They are blocked for this site, or the page is shown inside a page of another site."
