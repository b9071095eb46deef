package app_test

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/manageros/authproxy"
)

// asked is one request, with the configuration and the Backend API that it
// meets, in the words of testdata/clerk/oracle.mjs.
type asked struct {
	ID      string            `json:"id"`
	Now     int64             `json:"now"`
	Method  string            `json:"method,omitempty"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Options options           `json:"options"`
	Bapi    *scenario         `json:"bapi,omitempty"`
}

// options are those of @clerk/backend's authenticateRequest.
type options struct {
	PublishableKey          string               `json:"publishableKey"`
	SecretKey               string               `json:"secretKey"`
	UseRemoteJwks           bool                 `json:"useRemoteJwks,omitempty"`
	AuthorizedParties       []string             `json:"authorizedParties,omitempty"`
	Issuer                  oneOrMore            `json:"issuer,omitempty"`
	Audience                string               `json:"audience,omitempty"`
	ProxyURL                string               `json:"proxyUrl,omitempty"`
	IsSatellite             bool                 `json:"isSatellite,omitempty"`
	Domain                  string               `json:"domain,omitempty"`
	SignInURL               string               `json:"signInUrl,omitempty"`
	SatelliteAutoSync       bool                 `json:"satelliteAutoSync,omitempty"`
	OrganizationSyncOptions *organizationOptions `json:"organizationSyncOptions,omitempty"`
}

// oneOrMore is a text or a list of them.
type oneOrMore []string

func (o *oneOrMore) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*o = oneOrMore{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(o))
}

type organizationOptions struct {
	OrganizationPatterns    []string `json:"organizationPatterns,omitempty"`
	PersonalAccountPatterns []string `json:"personalAccountPatterns,omitempty"`
}

func (o *options) production() bool { return strings.HasPrefix(o.PublishableKey, "pk_live_") }

// clerkDecision is what @clerk/backend decides.
type clerkDecision struct {
	ID        string
	Status    string
	Reason    string
	Location  string
	SetCookie []string
	Auth      *clerkAuth
	BapiCalls []string
	Error     string
}

type clerkAuth struct {
	IsAuthenticated bool
	UserID          string
	SessionID       string
	SessionStatus   string
	OrgID           string
	OrgRole         string
	OrgSlug         string
	OrgPermissions  []string
	Actor           *struct{ Sub string }
}

// outcome is a decision, Clerk's or ours, in words that both have.
type outcome struct {
	// State is signed-in, pending (signed in, but a task is open), signed-out,
	// handshake, returned (from one, with a redirect to the clean address; Reason
	// is why as nobody) or error (the SDK throws, without a reason; ours refuses for
	// good).
	State         string
	Reason        string
	Location      string   // of a redirect that renews; canonical
	SetCookies    []string // sorted
	User, Session string
	Calls         []string // of the Backend API
}

// A code of Clerk's Backend API that is none of our closed set of reasons is read
// as the one that it becomes here.
func outcomeOfClerk(d clerkDecision) outcome {
	if code, refreshed := strings.CutPrefix(d.Reason, "session-token-expired-refresh-"); refreshed {
		reason := string(authproxy.RefreshReason(code))
		d.Location = strings.Replace(d.Location, "&__clerk_hs_reason="+d.Reason+"&", "&__clerk_hs_reason="+reason+"&", 1)
		d.Reason = reason
	}
	o := outcome{State: d.Status, Reason: d.Reason, Location: canonical(d.Location)}
	if len(d.SetCookie) > 0 {
		o.SetCookies = slices.Sorted(slices.Values(d.SetCookie))
	}
	for _, call := range d.BapiCalls {
		if !strings.HasSuffix(call, "/v1/jwks") {
			o.Calls = append(o.Calls, call)
		}
	}
	switch {
	case d.Error != "":
		o.State = "error"
	case d.Status == "handshake":
	case d.Location != "":
		o.State = "returned"
	case d.Status == "signed-in" && d.Auth.IsAuthenticated:
		o.User, o.Session = d.Auth.UserID, d.Auth.SessionID
	case d.Status == "signed-in":
		o.State = d.Auth.SessionStatus // its auth object is signed out all the same
	}
	return o
}

func outcomeOf(d authproxy.Decision, calls []string) outcome {
	o := outcome{State: "signed-out", Reason: string(d.Reason), Calls: calls}
	if len(d.SetCookies) > 0 {
		o.SetCookies = slices.Sorted(slices.Values(d.SetCookies))
	}
	switch {
	case d.SignedIn(), d.Identity != nil && d.Reason == authproxy.ClaimInvalid: // the latter is signed in, but cannot be put into headers
		o.State, o.Reason, o.User, o.Session = "signed-in", "", d.Identity.UserID, d.Identity.SessionID
	case d.Action == authproxy.Handshake && slices.ContainsFunc(d.Renewals, func(r authproxy.Renewal) bool { return r.Outcome == authproxy.RenewalStarted }):
		o.State, o.Location = "handshake", canonical(d.Location)
	case d.Action == authproxy.Handshake:
		o.State, o.Location = "returned", canonical(d.Location)
		for _, renewal := range d.Renewals {
			if renewal.Outcome == authproxy.RenewalReturned {
				o.Reason = string(renewal.Reason)
			}
		}
	case d.Reason == authproxy.SessionPending:
		o.State, o.Reason = "pending", ""
	case d.Stopped():
		o.State = "error"
	}
	return o
}

// canonical is an address such that two of them are equal when they mean the
// same: its query as the sorted pairs that a form decoder reads, and likewise the
// addresses in it.
func canonical(raw string) string { return canonicalBy(raw, between) }

// between stands between two pairs, and inside of the addresses in them a space.
const between = "\n  "

func canonicalBy(raw, separator string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return raw
	}
	var pairs []string
	for _, pair := range strings.Split(u.RawQuery, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		pairs = append(pairs, unescape(name)+"="+canonicalBy(unescape(value), " "))
	}
	slices.Sort(pairs)
	return u.Scheme + "://" + u.Host + cmp.Or(u.EscapedPath(), "/") + "?" + strings.Join(pairs, separator)
}

func unescape(text string) string {
	if decoded, err := url.QueryUnescape(text); err == nil {
		return decoded
	}
	return text
}

// checkAnswer holds what was answered, and what the upstream saw, to the decision.
func checkAnswer(t testing.TB, d authproxy.Decision, answer *http.Response, got <-chan seen) {
	t.Helper()
	if set := answer.Header["Set-Cookie"]; !slices.Equal(set, d.SetCookies) {
		t.Errorf("Set-Cookie %q, decided %q", set, d.SetCookies)
	}
	if len(d.SetCookies) > 0 && !strings.Contains(answer.Header.Get("Cache-Control"), "no-store") {
		t.Errorf("Cache-Control %q of an answer that renews a session", answer.Header.Get("Cache-Control"))
	}
	if d.Action == authproxy.Allow {
		select {
		case s := <-got:
			checkUpstream(t, d, s)
		default:
			t.Errorf("allowed, and nothing at the upstream: status %d", answer.StatusCode)
		}
		return
	}
	if len(got) > 0 {
		t.Errorf("refused, but the upstream got %v", <-got)
	}
	if reason := answer.Header.Get("X-Clerk-Auth-Reason"); reason != string(d.Reason) {
		t.Errorf("X-Clerk-Auth-Reason %q, decided %q", reason, d.Reason)
	}
	wantStatus := d.Reason.Status()
	switch d.Action {
	case authproxy.Handshake:
		wantStatus = http.StatusTemporaryRedirect
	case authproxy.Redirect:
		wantStatus = http.StatusFound
	default:
	}
	if answer.StatusCode != wantStatus || answer.Header.Get("Location") != d.Location {
		t.Errorf("status %d to %q, want %d to %q", answer.StatusCode, answer.Header.Get("Location"), wantStatus, d.Location)
	}
}

// checkUpstream holds what the upstream is told to the decision: the person, and
// of Clerk's cookies the new ones.
func checkUpstream(t testing.TB, d authproxy.Decision, s seen) {
	t.Helper()
	user, id := "", ""
	if d.Identity != nil {
		user, id = d.Identity.UserID, d.Identity.SessionID
	}
	if s.header.Get("X-Auth-User-Id") != user || s.header.Get("X-Auth-Session-Id") != id {
		t.Errorf("the upstream is told %v, want %s %s", s.header, user, id)
	}
	cookies := strings.Split(s.header.Get("Cookie"), "; ")
	fresh := map[string]string{}
	for _, line := range d.SetCookies {
		if c, err := http.ParseSetCookie(line); err == nil {
			fresh[c.Name] = c.Value
			if c.MaxAge < 0 || strings.HasPrefix(c.Name, "__refresh") {
				fresh[c.Name] = ""
			}
		}
	}
	for name, value := range fresh {
		if !strings.HasPrefix(name, "__session") && !strings.HasPrefix(name, "__client_uat") && !strings.HasPrefix(name, "__refresh") {
			continue
		}
		i := slices.IndexFunc(cookies, func(c string) bool { return strings.HasPrefix(c, name+"=") })
		if value == "" && i >= 0 || value != "" && (i < 0 || cookies[i] != name+"="+value) {
			t.Errorf("the upstream sees the cookies %q, but %s is %q now", cookies, name, value)
		}
	}
	for _, c := range cookies {
		if strings.HasPrefix(c, "__refresh") {
			t.Errorf("the upstream sees the refresh token: %q", cookies)
		}
	}
}
