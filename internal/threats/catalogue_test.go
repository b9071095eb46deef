package threats_test

import (
	"slices"
	"strings"
	"testing"
)

// threat is one entry of the catalogue as a test.
type threat struct {
	id   string
	test func(*testing.T)
}

func threats() []threat {
	return slices.Concat(forgeryThreats(), valueThreats(), hopThreats(), pathThreats(), hostThreats(), methodThreats(),
		framingThreats(), upstreamThreats(), http2Threats(), websocketThreats(), tokenThreats(), claimThreats(), keyThreats(),
		credentialThreats(), cookieThreats(), propertyThreats(), handshakeThreats(), identityThreats(), frontendThreats(),
		signOutThreats(), redirectThreats(), originThreats(), pageThreats(), cacheThreats())
}

func TestThreat(t *testing.T) {
	t.Parallel()
	for _, threat := range threats() {
		t.Run(threat.id, func(t *testing.T) {
			t.Parallel()
			threat.test(t)
		})
	}
}

// catalogue lists the entries that concern requests, tokens, cookies, Clerk's
// handshake and what browsers and caches make of our answers.
const catalogue = `
HDR-02 HDR-03 HDR-05 HDR-06 HDR-07 HDR-08 HDR-11 HDR-12 HDR-14 HDR-16 HDR-17 HDR-19 HDR-22 HDR-23 HDR-24 HDR-25 HDR-26 HDR-30
HDR-31 HDR-32 HDR-33 HDR-34 HDR-35 HDR-36 HDR-37 HDR-38 HDR-40 HDR-42 HDR-46
PATH-01 PATH-04 PATH-05 PATH-06 PATH-07 PATH-11 PATH-12 PATH-13 PATH-15 PATH-16 PATH-17 PATH-19 PATH-22 PATH-23 PATH-24 PATH-25
PATH-26 PATH-27 PATH-28 PATH-29 PATH-30 PATH-31 PATH-32 PATH-33 PATH-34 PATH-35 PATH-37
JWT-01 JWT-02 JWT-03 JWT-04 JWT-05 JWT-07 JWT-08 JWT-09 JWT-10 JWT-11 JWT-12 JWT-14 JWT-16 JWT-17 JWT-18 JWT-19 JWT-20 JWT-21
JWT-22 JWT-24 JWT-25 JWT-26 JWT-27 JWT-28 JWT-29 JWT-31 JWT-32 JWT-34 JWT-35 JWT-40 JWT-41 JWT-42 JWT-45 JWT-46 JWT-47 JWT-48
JWT-50
HS-01 HS-04 HS-05 HS-07 HS-09 HS-10 HS-11 HS-12 HS-13 HS-14 HS-15 HS-16 HS-18 HS-19
CK-02 CK-03 CK-04 CK-05 CK-06 CK-07 CK-09 CK-10 CK-11
RD-01 RD-02 RD-03 RD-05 RD-06 RD-07 RD-08 RD-10
SMG-02 SMG-03 SMG-04 SMG-06 SMG-07 SMG-11 SMG-13 SMG-14 SMG-15 SMG-16 SMG-17 SMG-18 SMG-19 SMG-20 SMG-21 SMG-22 SMG-24 SMG-25
H2-03 H2-04 H2-05 H2-06 H2-07 H2-08 H2-09 H2-10 H2-12 H2-14 H2-15 H2-16 H2-18 H2-19 H2-20
WS-01 WS-02 WS-03 WS-04 WS-05 WS-06 WS-08 WS-10
WEB-02 WEB-03 WEB-04 WEB-05 WEB-06 WEB-07 WEB-08`

// elsewhere says of the entries that have no test here why.
func elsewhere() map[string]string {
	return map[string]string{
		"HDR-35": "no page is ever fetched from another service: error pages are our own",
		"HDR-46": "there is no signed assertion in this version",
		"JWT-09": "a key that left the key set: jwks, with its own clock",
		"JWT-46": "there is no revocation list; how long a token is believed is JWT-27",
		"JWT-47": "no rule reads an e-mail address",
		"JWT-48": "no secret is compared: tokens are verified with public keys",
		"HS-15":  "there is no middleware: who asks is in headers that nobody else can set, and in no context of a library",
		"CK-10":  "nothing of ours is sealed or signed: the one cookie of our own is a number",
		"CK-11":  "nothing of ours is compressed, and there is no state parameter: the way back is an address that is judged",
		"SMG-25": "the differential run needs real servers: the tests with applications in other languages",
		"H2-14":  "memory under load needs a soak run",
		"H2-15":  "floods of control frames are net/http's to bound; a soak run",
		"H2-20":  "h2spec is a tool of its own, run by .ci/run",
		"WS-08":  "a soak run; the proxy parses no frames",
		"WS-10":  "the Autobahn suite is a tool of its own",
	}
}

// Every entry of the catalogue has a test or a reason, and none has both.
func TestCatalogueIsCovered(t *testing.T) {
	t.Parallel()
	ids, reasons := strings.Fields(catalogue), elsewhere()
	tested := map[string]bool{}
	for _, threat := range threats() {
		if tested[threat.id] {
			t.Errorf("%s is tested twice", threat.id)
		}
		tested[threat.id] = true
		if !slices.Contains(ids, threat.id) {
			t.Errorf("%s is not in the catalogue", threat.id)
		}
	}
	for _, id := range ids {
		if tested[id] == (reasons[id] != "") {
			t.Errorf("%s is tested: %v; reason why not: %q", id, tested[id], reasons[id])
		}
	}
	for id := range reasons {
		if !slices.Contains(ids, id) {
			t.Errorf("%s is not in the catalogue", id)
		}
	}
}
