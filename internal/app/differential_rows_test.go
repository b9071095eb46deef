package app_test

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/handshake"
	"github.com/manageros/authproxy/internal/minttest"
)

// row is a row of the table in docs/verification.md, by its first column: one way
// in which our own rules differ from Clerk's. Most of them say that a request is
// decided as Clerk's SDK decides another one, which rewrite makes of it; the rest
// change what comes of it. So every difference can be foretold, and not only be
// excused.
type row struct {
	name    string
	rewrite func(*explained)         // of genes; nil: none
	after   func(*explained) outcome // of the decision; nil: none
	// means is what token-verification-failed stands for then, because Clerk's SDK
	// does not know the flaw of the token.
	means string
}

// explained is a request on its way through the rows.
type explained struct {
	*generated
	genes genes   // as far as they were rewritten
	now   outcome // what Clerk's SDK decides about them, and after the rows what we do
	means string  // of the row that chose the token's flaw

	looped bool
	calls  []string // that Clerk's SDK does not make about the genes any more
	under  []string // the rows
}

// becomes notes what Clerk's SDK decides about other genes, or what becomes of its
// decision, and that this is the doing of a row.
func (x *explained) becomes(o outcome, by *row) {
	o = o.forgetful()
	if o.Reason == string(authproxy.TokenVerificationFailed) && by.means != "" && x.now.Reason != o.Reason && x.means == "" {
		x.means = by.means
	}
	if o.Reason == string(authproxy.TokenVerificationFailed) && x.means != "" {
		o.Reason = x.means
	}
	if !gocmp.Equal(o, x.now) {
		x.now, x.under = o, append(x.under, by.name)
	}
}

// forgetful is the outcome without the session token in the address of a handshake:
// the rows replace some by others.
func (o outcome) forgetful() outcome {
	if i := strings.Index(o.Location, between+"__session="); i >= 0 {
		end := strings.Index(o.Location[i+1:], between)
		if end < 0 {
			end = len(o.Location) - i - 1
		}
		o.Location = o.Location[:i] + between + "__session=a token" + o.Location[i+1+end:]
	}
	return o
}

// finish applies the rows that change what comes of a request.
func (x *explained) finish() {
	for i := range rows {
		if rows[i].after != nil {
			x.becomes(rows[i].after(x), &rows[i])
		}
	}
}

func (x *explained) set(name, choice string) { x.genes[name] = choice }
func (x *explained) is(name string, choices ...string) bool {
	return slices.Contains(choices, x.genes.get(name))
}

func (x *explained) production() bool { return x.is("instance", "prod") }

// navigation: the request may be answered with a redirect.
func (x *explained) navigation() bool {
	accepts := strings.HasPrefix(x.genes.get("accept"), "text/html")
	return x.is("method", "GET") && (x.is("dest", "document", "iframe") || x.is("dest", "absent") && accepts) && x.is("purpose", "")
}

// count is how many handshakes were made, as the cookie or the address say.
func (x *explained) count() int {
	number := func(text string) int {
		n, _ := strconv.ParseFloat(text, 64)
		return int(n)
	}
	return max(number(x.generated.genes.get("count")), number(x.generated.genes.get("count in query")))
}

func (x *explained) counted() bool { return x.generated.genes.get("count") != "" }

// bearer: the Authorization header holds the token.
func (x *explained) bearer() bool { return !x.is("bearer", "", "basic", "raw ok", "lower ok") }

func (x *explained) refresh() bool { return x.is("refresh", "suffixed", "both") }

func (x *explained) signedOut(reason authproxy.Reason) outcome {
	return outcome{State: "signed-out", Reason: string(reason), Calls: x.now.Calls}
}

// holds reports whether a token of one of these kinds is presented or brought.
func (x *explained) holds(kinds ...string) bool {
	return x.is("plain", kinds...) || x.is("suffixed", kinds...) || x.is("bearer", kinds...) || x.is("brought", kinds...)
}

// instead replaces kinds of session tokens, wherever they are presented, by one
// that Clerk's SDK refuses as we do.
func instead(by string, kinds ...string) func(*explained) {
	return func(x *explained) {
		for _, name := range []string{"plain", "suffixed", "bearer"} {
			if x.is(name, kinds...) {
				x.set(name, by)
			}
		}
	}
}

// rows are in the order in which they are applied.
var rows = []row{
	{name: "`bearer` in lower case", rewrite: func(x *explained) {
		if x.is("bearer", "lower ok") {
			x.set("bearer", "ok")
		}
	}},
	{name: "a bare token in `Authorization`", rewrite: func(x *explained) {
		if x.is("bearer", "raw ok") {
			x.set("bearer", "")
		}
	}},
	{name: "`azp`", rewrite: func(x *explained) {
		if x.is("parties", "other") || x.holds("azp foreign", "azp missing", "azp foreign, expired") {
			x.set("parties", map[string]string{"": "app", "app": "app", "other": "app and other"}[x.genes.get("parties")])
		}
	}},
	{name: "`iss`", rewrite: func(x *explained) {
		if x.holds("foreign iss", "no iss", "iss with http", "iss with a slash") {
			x.set("issuer", "all of ours")
		}
	}},
	{name: "an empty `__clerk_db_jwt` parameter", rewrite: func(x *explained) {
		if x.is("browser", "empty query") {
			x.set("browser", "")
		}
	}},
	{name: "`__clerk_redirect_url`", rewrite: func(x *explained) {
		if !x.is("redirect url", "https://app.example.com/y") {
			x.set("redirect url", "")
		}
	}},
	{name: "a handshake's payload: where it is", rewrite: func(x *explained) {
		query := map[string]string{"token query": "token query", "nonce query": "nonce query", "token query, nonce cookie": "token query", "token query and cookie": "token query"}
		cookie := map[string]string{"token cookie": "token cookie", "nonce cookie": "nonce cookie", "token and nonce cookie": "token and nonce cookie", "token query, nonce cookie": "nonce cookie", "token query and cookie": "token cookie", "two token cookies": "two token cookies"}
		if x.production() {
			x.set("back", cookie[x.genes.get("back")])
		} else {
			x.set("back", query[x.genes.get("back")])
		}
	}},
	{name: "a handshake's payload: on which requests", rewrite: func(x *explained) {
		if !x.navigation() {
			x.set("back", "")
		}
	}},
	{name: "more than one payload", rewrite: func(x *explained) {
		nothing := x.is("brought", "unknown nonce", "empty list")
		switch {
		case x.is("back", "two token cookies"):
			x.set("back", "token cookie")
		case x.is("back", "token and nonce cookie") && nothing:
			x.set("back", "token cookie")
			x.calls = x.lookUps()
		}
	}},
	{name: "a nonce that brings nothing", rewrite: func(x *explained) {
		if x.nonce() && x.is("brought", "unknown nonce", "empty list") {
			x.set("back", "")
			x.calls = x.lookUps()
		}
	}},
	{name: "a handshake token that brings nothing", rewrite: func(x *explained) {
		if !x.nonce() && x.is("brought", "no list", "empty list") {
			x.set("brought", "bad signature")
		}
	}},
	{name: "the times of a handshake token", rewrite: func(x *explained) {
		if !x.nonce() && x.is("brought", "old", "expired itself") {
			x.set("back", "")
		}
	}},
	{name: "the class of a token that Clerk brings", rewrite: func(x *explained) {
		if x.is("brought", "machine") {
			x.set("brought", "session of a foreign key")
		}
	}},
	{name: "base64url", rewrite: instead("x.y", "padded")},
	{name: "JSON: a name twice, half a character, no UTF-8, 33 levels", rewrite: instead("x.y", "name twice")},
	{name: "`crit`, `b64`", rewrite: instead("typ jwt", "crit")},
	{name: "empty `sub`, no `sid`", rewrite: func(x *explained) {
		instead("no sub", "no sid")(x)
		instead("no sub, expired", "no sid, expired")(x)
	}, means: "token-type-mismatch"},
	{name: "`act` without a subject", rewrite: instead("no sub", "act without sub")},
	{name: "`fea` that cannot be read", rewrite: instead("no sub", "fea malformed"), means: "unexpected-error"},
	{name: "`sts` of another value", rewrite: instead("pending", "sts other")},
	{name: "cookie values", rewrite: func(x *explained) {
		if x.is("extra", "session percent-encoded") {
			x.set("extra", "session percent-encoded twice")
		}
	}},
	{name: "the number of handshakes", rewrite: func(x *explained) {
		if x.looped = x.count() >= 3; x.count() > 0 {
			x.set("count", strconv.Itoa(min(x.count(), 2)))
		}
	}},
	{name: "an organisation that the person is not in", rewrite: func(x *explained) {
		if x.now.Reason == string(authproxy.OrganizationMismatch) && x.count() >= 1 {
			x.set("organizations", "")
		}
	}},
	{name: "refresh: for which requests", rewrite: func(x *explained) {
		if x.is("method", "HEAD", "OPTIONS") || x.is("site", "same-origin") {
			if !x.bearer() && x.refresh() && x.now.Reason == string(authproxy.SessionExpiredNonGET) {
				x.set("method", "GET")
				x.set("dest", "empty")
			}
		}
	}},
	{name: "bearers that have expired", rewrite: func(x *explained) {
		if x.bearer() {
			x.set("refresh", "")
		}
	}, after: func(x *explained) outcome {
		if x.bearer() && x.now.State == "handshake" {
			return x.signedOut(authproxy.Reason(x.now.Reason))
		}
		return x.now
	}},
	{name: "a refreshed token of another session", rewrite: func(x *explained) {
		who := "plain"
		if !x.is("suffixed", "") {
			who = "suffixed"
		}
		if len(x.now.Calls) > 0 && !strings.Contains(x.now.Calls[len(x.now.Calls)-1], "/sess_"+who+"/") && x.is("refreshed", "ok", "ok suffixed", "pending", "hostile") {
			x.set("refreshed", "unverifiable")
		}
	}},
	{name: "pages that are loaded before anybody asks for them", rewrite: func(x *explained) {
		if x.is("purpose", "prefetch") && slices.Contains([]string{string(authproxy.PrimaryCrossOriginSync), string(authproxy.OrganizationMismatch)}, x.now.Reason) {
			x.set("referer", "") // the session is good
			x.set("organizations", "")
		}
	}, after: func(x *explained) outcome {
		if x.is("purpose", "prefetch") && x.now.State == "handshake" {
			return x.signedOut(authproxy.Reason(x.now.Reason))
		}
		return x.now
	}},
	{name: "cookies on unsafe methods", after: func(x *explained) outcome {
		method := x.generated.genes.get("method")
		if in := x.now.State == "signed-in" || x.now.State == "pending"; in && !x.bearer() &&
			slices.Contains([]string{"POST", "PUT", "DELETE"}, method) && x.is("site", "cross-site", "same-site") {
			o := x.signedOut(authproxy.CrossOrigin)
			o.SetCookies = x.now.SetCookies
			return o
		}
		return x.now
	}},
	{name: "too many handshakes", after: func(x *explained) outcome {
		if x.looped && x.now.State == "handshake" {
			return outcome{State: "error", Reason: x.now.Reason, Calls: x.now.Calls}
		}
		return x.now
	}},
	{name: "the address after a handshake", after: func(x *explained) outcome {
		needsCleaning := x.generated.genes.get("count in query") != "" && x.counted() && x.navigation()
		o, fits := x.now, false
		switch brought := len(o.SetCookies) > 0; {
		case !needsCleaning || x.bearer() || x.refreshedNow():
		case o.State == "signed-in", o.State == "pending":
			fits = brought || !x.mayBeAskedAgain()
		case o.State == "signed-out":
			// A satellite that hears of nobody stays where it is: it would ask again.
			fits = brought || o.Reason == string(authproxy.SessionTokenAndUATMissing)
			if !x.is("topology", "") && (brought && x.production() || !brought && x.synced() != "true") {
				fits = false
			}
			if !brought {
				o.Reason = ""
			}
		}
		if !fits {
			return x.now
		}
		o.State, o.User, o.Session, o.Location = "returned", "", "", "clean"
		return o
	}},
	{name: "cookies that Clerk asks for", after: func(x *explained) outcome {
		o := x.now
		o.SetCookies = nil
		for _, line := range x.now.SetCookies {
			if line = x.rewritten(line); line != "" {
				o.SetCookies = append(o.SetCookies, line)
			}
		}
		return o
	}},
	{name: "the session token in the address of a handshake", after: func(x *explained) outcome {
		o := x.now
		if x.production() && o.State == "handshake" {
			o.Location = withoutPair(o.Location, "__session=")
		}
		return o
	}},
	{name: "the count of handshakes", after: counting},
}

// nonce: the payload is under a nonce.
func (x *explained) nonce() bool { return strings.Contains(x.genes.get("back"), "nonce") }

func (x *explained) refreshedNow() bool { return len(x.lookUps()) < len(x.now.Calls) }

// lookUps are the calls about nonces.
func (x *explained) lookUps() []string {
	return slices.DeleteFunc(slices.Clone(x.now.Calls), func(call string) bool { return strings.Contains(call, "/refresh") })
}

// rewritten is what becomes of a line that Clerk asks for; "" is nothing.
func (x *explained) rewritten(line string) string {
	pair, attributes, _ := strings.Cut(line, ";")
	name, _, _ := strings.Cut(pair, "=")
	base := strings.TrimSuffix(strings.TrimSuffix(name, "_"+minttest.LiveSuff), "_"+minttest.TestSuff)
	has := func(attribute string) bool { return strings.Contains(attributes+";", " "+attribute+";") }
	keep := ""
	for _, attribute := range []string{"Domain=example.com", "Max-Age=315360000", "Max-Age=0"} {
		if has(attribute) {
			keep += "; " + attribute
		}
	}
	switch {
	case base == "__clerk_redirect_count": // see counting
		return line
	case strings.Contains(attributes, "Domain=") && !has("Domain=example.com"):
		return ""
	case base == "__session", base == "__clerk_db_jwt" && !x.production():
		return pair + "; Path=/; Secure; SameSite=Lax"
	case base == "__refresh":
		return pair + "; Path=/; HttpOnly; Secure; SameSite=Lax"
	case base == "__client_uat", base == "__clerk_handshake":
		return pair + "; Path=/" + keep + "; Secure; SameSite=Lax"
	}
	return ""
}

// withoutPair drops a pair from a canonical address.
func withoutPair(location, prefix string) string {
	base, query, _ := strings.Cut(location, "?")
	pairs := slices.DeleteFunc(strings.Split(query, between), func(pair string) bool { return pair == "" || strings.HasPrefix(pair, prefix) })
	return base + "?" + strings.Join(pairs, between)
}

// withPair replaces one.
func withPair(location, prefix, value string) string {
	base, query, _ := strings.Cut(withoutPair(location, prefix), "?")
	pairs := append(strings.Split(query, between), prefix+value)
	pairs = slices.DeleteFunc(pairs, func(pair string) bool { return pair == "" })
	slices.Sort(pairs)
	return base + "?" + strings.Join(pairs, between)
}

// mayBeAskedAgain: what a handshake is made for once is still so.
func (x *explained) mayBeAskedAgain() bool {
	o := &x.asked.Options
	instance, err := authproxy.ParseInstance(o.PublishableKey)
	if err != nil {
		return true
	}
	origin := authproxy.Origin{Scheme: "https", Host: "app.example.com"}
	proxy, _ := url.Parse(o.ProxyURL)
	if o.ProxyURL == "" {
		proxy = nil
	}
	return handshake.ForeignReferer(x.asked.Headers["referer"], origin, instance, instance.FrontendURL(proxy, origin)) ||
		x.genes.get("organizations") != x.generated.genes.get("organizations")
}

// counting puts the count of handshakes where we have it: into the address, which
// is as the person knows it otherwise; the cookie shows that the browser keeps
// cookies.
func counting(x *explained) outcome {
	const attributes = "; HttpOnly; SameSite=Lax; Secure"
	o, count := x.now, x.count()
	o.SetCookies = slices.DeleteFunc(slices.Clone(o.SetCookies), func(line string) bool { return strings.HasPrefix(line, "__clerk_redirect_count=") })
	payloadInAddress := !x.production() && len(o.SetCookies) > 0
	add := func(value string) { o.SetCookies = append(o.SetCookies, "__clerk_redirect_count="+value+attributes) }
	switch {
	case o.State == "handshake" && strings.Contains(o.Location, "/v1/client/handshake?"):
		o.Location = withPair(o.Location, "redirect_url=", canonicalBy(x.asked.clean(count+1), " "))
	case o.State == "handshake" && o.Reason == string(authproxy.SatelliteNeedsSyncing):
		o.Location = withPair(o.Location, "__clerk_redirect_url=", canonicalBy(x.asked.clean(count+1), " "))
	case o.State == "returned" && x.counted() && !payloadInAddress:
		o.Location = canonical(x.synchronised(x.asked.clean(0)))
	case o.State == "returned":
		o.Location = canonical(x.synchronised(x.asked.clean(count)))
	}
	switch {
	case o.State == "handshake" && !x.counted():
		add("0; Path=/; Max-Age=120")
	case o.State == "returned" && x.counted() && !payloadInAddress && count > 0:
		add(fmt.Sprintf("%d; Path=/; Max-Age=120", count))
	case o.State != "handshake" && o.State != "returned" && x.counted() && x.navigation():
		add("; Path=/; Max-Age=0")
	}
	slices.Sort(o.SetCookies)
	if len(o.SetCookies) == 0 {
		o.SetCookies = nil
	}
	return o
}

// synchronised is what a satellite says when it has heard from the primary.
func (x *explained) synchronised(address string) string {
	if x.is("topology", "") {
		return address
	}
	return strings.ReplaceAll(address, "__clerk_synced=false", "__clerk_synced=true")
}

// synced is what the address says about it.
func (x *explained) synced() string {
	_, query, _ := strings.Cut(x.asked.URL, "?")
	values, _ := url.ParseQuery(query)
	return values.Get("__clerk_synced")
}

// clean is the address without the traces of a handshake, and with a count.
func (q *asked) clean(count int) string {
	_, target, _ := strings.Cut(q.URL[strings.Index(q.URL, "://")+3:], "/")
	path, query, _ := strings.Cut(target, "?")
	kept := slices.DeleteFunc(strings.Split(query, "&"), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return name == "" || slices.Contains([]string{"__clerk_db_jwt", "__dev_session", "__clerk_handshake", "__clerk_handshake_nonce", "__clerk_help", "__clerk_redirect_count"}, name)
	})
	if count > 0 {
		kept = append(kept, fmt.Sprintf("__clerk_redirect_count=%d", count))
	}
	return q.publicOrigin() + "/" + path + "?" + strings.Join(kept, "&")
}
