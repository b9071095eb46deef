package handshake_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/handshake"
)

// mostQuestions is how often Step may ask before the end: a payload, the session in
// it, a token, a fresh one.
const mostQuestions = 4

// The answers that each question may have.
var (
	payloads = []handshake.Payload{
		{Session: true}, {}, {Token: true, Session: true}, {Token: true},
		{Refusal: refusal(authproxy.SessionTokenMissing)},
		{Token: true, Refusal: refusal(authproxy.TokenInvalidSignature)},
		{Token: true, Refusal: refusal(authproxy.TokenExpired)},
		{Token: true, Refusal: refusal(authproxy.KeysUnavailable)},
	}
	returns  = []authproxy.Reason{"", authproxy.TokenExpired, authproxy.TokenInvalidParties, authproxy.KeysUnavailable}
	verdicts = []authproxy.Reason{
		"", authproxy.TokenExpired, authproxy.TokenNotActiveYet, authproxy.TokenIATInTheFuture,
		authproxy.SessionTokenIATBeforeUAT, authproxy.TokenInvalidSignature, authproxy.KeysUnavailable,
	}
	refreshes = []authproxy.Reason{"", authproxy.SessionExpiredFetchError}
)

// answers are the Inputs that follow when the question is answered in every way.
func answers(in handshake.Input, question handshake.Do) []handshake.Input {
	var list []handshake.Input
	switch question {
	case handshake.OpenPayload:
		for i := range payloads {
			in.Payload = &payloads[i]
			list = append(list, in)
		}
	case handshake.VerifyPayload:
		for _, reason := range returns {
			in.Returned = verdict(reason)
			list = append(list, in)
		}
	case handshake.VerifyToken:
		for _, reason := range verdicts {
			if reason == authproxy.SessionTokenIATBeforeUAT && in.Bearer {
				continue // a bearer has no __client_uat to be older than
			}
			in.Verdict = verdict(reason)
			list = append(list, in)
		}
		in.Verdict = &handshake.Verdict{Pending: true}
		list = append(list, in)
	case handshake.RefreshToken:
		for _, reason := range refreshes {
			in.Refreshed = &handshake.Refreshed{}
			if reason != "" {
				in.Refreshed.Refusal = refusal(reason)
			}
			list = append(list, in)
		}
	default:
		panic("not a question: " + question)
	}
	return list
}

// follow asks Step until the end, in every way, and checks each step.
func follow(t fataler, in handshake.Input, asked int) int {
	action := handshake.Step(&in)
	if !action.Do.Ends() {
		if wrong := questionable(&in, action, asked); wrong != "" {
			t.Fatalf("%s: %s\n%+v", action.Do, wrong, describe(in))
		}
		steps := 1
		for _, next := range answers(in, action.Do) {
			steps += follow(t, next, asked+1)
		}
		return steps
	}
	if wrong := unsound(&in, action); wrong != "" {
		t.Fatalf("%s: %s\n%+v", action.Do, wrong, describe(in))
	}
	return 1
}

type fataler interface{ Fatalf(string, ...any) }

func describe(in handshake.Input) string {
	return fmt.Sprintf("%+v\npayload %+v, returned %+v, verdict %+v, refreshed %+v\nby %q",
		in, in.Payload, in.Returned, in.Verdict, in.Refreshed, handshake.Trace(&in))
}

// questionable says what is wrong with a question.
func questionable(in *handshake.Input, action handshake.Action, asked int) string {
	known := map[handshake.Do]bool{
		handshake.OpenPayload: in.Payload != nil, handshake.VerifyPayload: in.Returned != nil,
		handshake.VerifyToken: in.Verdict != nil, handshake.RefreshToken: in.Refreshed != nil,
	}
	answered, is := known[action.Do]
	switch {
	case !is:
		return "neither a question nor an end"
	case answered:
		return "it was answered before"
	case asked >= mostQuestions:
		return "there is no end"
	case action.Do == handshake.OpenPayload && (in.Bearer || !in.Returning):
		return "there is no payload"
	case action.Do == handshake.VerifyPayload && !in.Payload.Session:
		return "there is no session in the payload"
	case action.Do == handshake.VerifyToken && !in.Token:
		return "there is no token"
	case action.Do == handshake.RefreshToken && (!in.RefreshToken || !in.BackendAPI || in.Verdict.Refusal.Reason != authproxy.TokenExpired):
		return "the token cannot be refreshed"
	case action.Do == handshake.RefreshToken && !in.MayRefresh:
		return "another site could renew and use a session"
	case action.Do == handshake.RefreshToken && in.Bearer && !in.AsClerk:
		return "what a program sends is not renewed with a browser's cookie"
	}
	return ""
}

// unsound says what is wrong with an end.
func unsound(in *handshake.Input, action handshake.Action) string {
	switch action.Do {
	case handshake.SignedIn:
		return unproven(in, action.Session)
	case handshake.SignedOut:
		if action.Refusal == nil {
			return "nobody says why"
		}
		if in.Count >= handshake.MaxHandshakes && in.Navigation && !in.AsClerk && action.Refusal.Reason == authproxy.ClientUATButNoSessionToken {
			return "the person is not told why it does not end"
		}
		return ""
	default: // below
	}
	if in.AsClerk && action.Do == handshake.Explain && !in.Development {
		return "Clerk's SDK explains nothing"
	}
	if in.AsClerk {
		return ""
	}
	switch {
	case in.Bearer:
		return "a program is sent around"
	case !in.Navigation:
		return "it is no page load"
	}
	switch action.Do {
	case handshake.ToCleanURL:
		if !in.Tidy && !in.Development {
			return "the address is clean"
		}
		if action.Session == handshake.InPayload && in.Payload.Session {
			return unproven(in, action.Session)
		}
	case handshake.Redirect:
		switch {
		case action.Refusal == nil:
			return "nobody says why"
		case in.Count >= handshake.MaxHandshakes:
			return "once too often"
		case in.Count > 0 && (action.Refusal.Reason == authproxy.PrimaryCrossOriginSync || action.Refusal.Reason == authproxy.OrganizationMismatch):
			return "what was not to be had once is asked for again"
		case action.Refusal.Reason == authproxy.KeysUnavailable:
			return "our own trouble is not mended by Clerk"
		}
	case handshake.Explain:
		wrongKey := in.Development && in.Payload != nil && in.Payload.Refusal != nil
		switch {
		case action.Refusal == nil:
			return "nobody says why"
		case in.Count < handshake.MaxHandshakes && !wrongKey:
			return "too early"
		case !strings.HasSuffix(handshake.Cause(in, action.Refusal.Reason), "."):
			return "no cause is named"
		}
	default:
		return "neither a question nor an end"
	}
	return ""
}

// unproven says why a session of the carrier is none.
func unproven(in *handshake.Input, carrier handshake.Carrier) string {
	good := func(v *handshake.Verdict) bool { return v != nil && v.Refusal == nil }
	switch {
	case carrier == handshake.InPayload && (!in.Returning || in.Payload == nil || in.Payload.Refusal != nil || !in.Payload.Session || !good(in.Returned)):
		return "the payload has no good session"
	case carrier == handshake.InToken && !good(in.Verdict):
		return "the token is not good"
	case carrier == handshake.InRefresh && (in.Refreshed == nil || in.Refreshed.Refusal != nil || in.Verdict == nil || !in.MayRefresh):
		return "there is no fresh token"
	}
	return ""
}

// switches are a number taken apart, bit by bit.
type switches uint

func (s *switches) next() bool {
	bit := *s&1 == 1
	*s >>= 1
	return bit
}

// TestStepEverywhere follows every request that the gate can make an Input of.
func TestStepEverywhere(t *testing.T) {
	t.Parallel()
	steps := 0
	for asClerk := range 2 {
		for n := range switches(1 << 8) { // who asks, of whom, and how
			base := handshake.Input{AsClerk: asClerk == 1}
			base.Development, base.Satellite = n.next(), n.next()
			base.GET, base.Document, base.Navigation = n.next(), n.next(), n.next()
			base.Token, base.MayRefresh, base.Returning = n.next(), n.next(), n.next()
			if base.Navigation && !base.GET || base.Returning && !base.Navigation && asClerk == 0 {
				continue // the gate makes sure of these
			}
			for _, in := range visits(base) {
				steps += follow(t, in, 0)
			}
		}
	}
	t.Logf("%d steps", steps)
	if steps < 100_000 {
		t.Error("that is not everywhere")
	}
}

// visits varies what matters for this base only.
func visits(base handshake.Input) []handshake.Input {
	list := []handshake.Input{base}
	vary := func(ways ...func(*handshake.Input)) {
		var varied []handshake.Input
		for _, in := range list {
			varied = append(varied, in)
			for _, way := range ways {
				other := in
				way(&other)
				varied = append(varied, other)
			}
		}
		list = varied
	}
	vary(func(in *handshake.Input) { in.Count = 1 }, func(in *handshake.Input) { in.Count = 3 }, func(in *handshake.Input) { in.Count = 4 })
	vary(func(in *handshake.Input) { in.ClientUAT = 1 })
	if base.Development {
		vary(func(in *handshake.Input) { in.DevBrowser = true }, func(in *handshake.Input) { in.DevBrowserInQuery = true }, func(in *handshake.Input) { in.RedirectURLInQuery = true })
	}
	if base.Satellite {
		vary(func(in *handshake.Input) { in.Synced = "true" }, func(in *handshake.Input) { in.Synced = "false" }, func(in *handshake.Input) { in.AutoSync = true })
	}
	if base.Token {
		vary(func(in *handshake.Input) { in.Bearer = true })
		vary(func(in *handshake.Input) { in.RefreshToken = true }, func(in *handshake.Input) { in.RefreshToken, in.BackendAPI = true, true })
		vary(func(in *handshake.Input) { in.OrganizationMismatch = true }, func(in *handshake.Input) { in.CrossOriginReferer = true })
	}
	if base.Navigation && !base.Satellite {
		vary(func(in *handshake.Input) { in.Tidy = true })
	}
	return list
}

// TestStepOnAnything: whatever the fields hold, and whatever is known already, Step
// neither panics nor asks twice, and the session it signs in is proven.
func TestStepOnAnything(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		flag := func(name string) bool { return rapid.Bool().Draw(t, name) }
		in := handshake.Input{
			AsClerk: flag("as Clerk"), Development: flag("development"), Satellite: flag("satellite"), AutoSync: flag("auto sync"),
			GET: flag("GET"), Document: flag("document"), Navigation: flag("navigation"), MayRefresh: flag("may refresh"),
			Count:  rapid.SampledFrom([]int{0, 1, 2, 3, 4, 1000, -1}).Draw(t, "count"),
			Bearer: flag("bearer"), Token: flag("token"), ClientUAT: rapid.SampledFrom([]int64{0, 1, -1}).Draw(t, "uat"),
			DevBrowser: flag("dev browser"), DevBrowserInQuery: flag("dev browser in query"), RedirectURLInQuery: flag("redirect URL"),
			Synced:       rapid.SampledFrom([]string{"", "true", "false", "TRUE"}).Draw(t, "synced"),
			RefreshToken: flag("refresh token"), BackendAPI: flag("Backend API"), Returning: flag("returning"), Tidy: flag("tidy"),
			CrossOriginReferer: flag("referer"), OrganizationMismatch: flag("organisation"),
		}
		for asked := 0; ; asked++ {
			action := handshake.Step(&in)
			if action.Do.Ends() {
				if action.Do == handshake.SignedIn {
					if wrong := unproven(&in, action.Session); wrong != "" {
						t.Fatalf("%s\n%s", wrong, describe(in))
					}
				}
				return
			}
			if asked == mostQuestions {
				t.Fatalf("there is no end\n%s", describe(in))
			}
			before := describe(in)
			in = rapid.SampledFrom(answers(in, action.Do)).Draw(t, string(action.Do))
			if again := handshake.Step(&in); again.Do == action.Do {
				t.Fatalf("%q is asked again\n%s\n%s", again.Do, before, describe(in))
			}
		}
	})
}
