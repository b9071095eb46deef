package main

const (
	atGate      = "./internal/gate"
	atHandshake = "./internal/handshake"
	atSession   = "./internal/session"
	atHeaders   = "./headers"
	atKeys      = "./jwks"
	atProxy     = "./proxy"
	atRoute     = "./internal/route"
)

// defences is the list. A text that stands no longer in its file stops the run,
// so the list follows the code.
func defences() []defence {
	return append(renewals(), []defence{
		// The token.
		{"strict base64url", "internal/session/compact.go",
			"base64.RawURLEncoding.Strict()", "base64.RawURLEncoding", atSession, "TestThreat"},
		{"no duplicate names", "internal/session/strictjson.go",
			"return errDuplicate", "continue", atSession, "TestThreat|TestParseObject"},
		{"no crit", "internal/session/verify.go",
			`c.has("crit") || c.has("b64")`, `false`, atSession, "TestThreat"},
		{"closed list of algorithms", "internal/session/verify.go",
			`return "", false`, `return jwa.SignatureAlgorithm(name), true`, atSession, "TestThreat"},
		{"signature", "internal/session/verify.go",
			"return err == nil && bytes.Equal(payload, c.payload)", "return err == nil || bytes.Equal(payload, nil)", atSession, "TestThreat|TestVerify"},
		{"token class", "internal/session/verify.go",
			"return v.verify(ctx, token, classOf)", "return v.verify(ctx, token, func(*compact) *authproxy.Refusal { return nil })", atSession, "TestThreat"},
		{"authorized party", "internal/session/check.go",
			`id.AuthorizedParty == "" || !slices.Contains(parties, id.AuthorizedParty)`, `false`, atSession, "TestThreatParties"},
		{"issuer", "internal/session/check.go",
			`id.Issuer == "" || !slices.Contains(v.issuers, id.Issuer)`, `false`, atSession, "TestThreatIssuers"},
		{"expiry", "internal/session/check.go",
			"id.ExpiresAt.UnixMilli() <= now-skew", "false", atSession, "TestThreatTimes"},
		{"one Authorization field", "internal/session/token.go",
			"if len(fields) > 1 {", "if false {", atSession, "TestThreatAuthorization"},
		{"a key set per generation", "internal/gate/credential.go",
			"Verifier.Verify, session.FingerprintOf(token, generation)", "Verifier.Verify, session.FingerprintOf(token, 0*generation)", atGate, "TestKeyChangeEndsCachedTokens"},

		// The decision.
		{"checks on cached tokens", "internal/gate/credential.go",
			"refusal := c.gate.cfg.Verifier.Check(v.identity, c.parties()); refusal != nil {", "refusal := c.gate.cfg.Verifier.Check(v.identity, c.parties()); refusal != nil && !c.decision.Token.Cached {", atGate, "TestSameTokenTwoHosts|TestCachedTokenExpires"},
		{"host is ours", "internal/gate/question.go",
			"if c.ours || (source", "if true || (source", atGate, "TestDecide"},
		{"cross-origin rule", "internal/gate/question.go",
			"if c.gate.cfg.AllowAnyone || source", "if true || c.gate.cfg.AllowAnyone || source", atGate, "TestDecide"},
		{"an upgrade is not safe", "request.go",
			"return !r.Upgrade\n", "return true\n", atGate, "TestDecide"},
		{"pending is signed out", "internal/gate/gate.go",
			"if v.identity.Pending() {\n\t\treturn c.pending(v)\n\t}\n", "", atGate, "TestDecide"},
		{"CONNECT and TRACE", "internal/gate/gate.go",
			`case http.MethodConnect, http.MethodTrace, "TRACK":`, `case http.MethodConnect + "-never":`, atGate, "TestDecide"},
		{"required claims", "internal/gate/credential.go",
			"if _, ok := path.Value(id.Claims); !ok {", "if false {", atGate, "TestRequiredClaims"},
		{"Clerk's parameters stay behind", "internal/route/redirect.go",
			`(strings.HasPrefix(decoded, "__clerk_") ||`, `(strings.HasPrefix(decoded, "__never_") ||`, atGate, "TestRedirects"},
		{"invalid sessions are not redirected", "internal/gate/gate.go",
			`refusal.Reason == authproxy.SessionTokenAndUATMissing && c.presented.Token == ""`, `true`, atGate, "TestDecide"},

		// The path.
		{"dot segments", "internal/route/path.go",
			`if segment == "." || segment == ".." {`, `if segment == "never" {`, atRoute, "TestCheckPath"},
		{"backslashes", "internal/route/path.go",
			"if strings.Contains(decoded, `\\`) {", "if false {", atRoute, "TestCheckPath"},
		{"odd escapes are never public", "internal/route/path.go",
			"return strings.IndexByte(`/\\%;?#`, c) >= 0 || unreserved(c)", "return false", atRoute, "TestMatch"},
		{"reserved in any spelling", "internal/route/table.go",
			"folded := strings.ToLower(strings.ReplaceAll(decoded, `\\`, \"/\"))", "folded := path + decoded[:0]", atRoute, "TestMatch"},
		{"return URLs stay here", "internal/route/redirect.go",
			`strings.HasPrefix(path, "//") ||`, ``, atRoute, "TestReturnTo"},

		// The headers.
		{"separators fold", "headers/strip.go",
			"if !owned {\n\t\t\tcontinue\n\t\t}", "if !owned || !usual {\n\t\t\tcontinue\n\t\t}", atHeaders, "TestThreat"},
		{"every x-auth- name is ours", "headers/strip.go",
			"o.add(kindIdentity, identityBeginning)", "", atHeaders, "TestThreat|TestStrip"},
		{"forwarding headers of strangers", "headers/forwarded.go",
			"if !p.trusts(peer) {", "if false {", atHeaders, "TestResolveTrust"},

		// The keys.
		{"keys of 2048 bits", "jwks/set.go",
			"case n.BitLen() < MinBits:", "case false:", atKeys, "Test"},

		// The wire.
		{"strip before set", "proxy/upstream.go",
			"x.report.Stripped = x.h.cfg.Owner.Strip(h)", "", atProxy, "Test"},
		{"no request trailers", "proxy/upstream.go",
			"out.Trailer = nil // announced or not, request trailers end here (HDR-25)", "", atProxy, "TestThreat"},
		{"no replays", "proxy/upstream.go",
			"	neverReplay(h)\n\n", "", atProxy, "Test"},
		{"only websocket is an upgrade", "proxy/upgrade.go",
			`strings.EqualFold(strings.Trim(upgrade[0], " \t"), "websocket") &&`, ``, atProxy, "Test"},
		{"a 101 is cleaned", "proxy/upgrade.go",
			`"Te", "Trailer", "Transfer-Encoding", "Content-Length", "Alt-Svc",`, ``, atProxy, "TestThreat"},
		{"answers cannot speak for us", "proxy/upstream.go",
			"	stripAnswer(res.Header)\n", "", atProxy, "Test"},

		// The emulator.
		{"dev answers to loopback names", "internal/app/dev.go",
			"case err != nil || !loopback(host.Name):", `case err != nil && host.Name == "":`, "./internal/app", "TestDevOnLoopbackOnly"},
		{"dev refuses live keys", "internal/app/dev.go",
			`"k_live_") {`, `"k_never_") {`, "./internal/app", "TestDevRefuses"},
	}...)
}
