package clerk_test

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/manageros/authproxy/internal/clerk"
)

func TestNewSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	const someURL = "https://api.clerk.com"
	for name, test := range map[string]struct {
		cfg  clerk.Config
		want string // "" is nothing
	}{
		"as usual":           {clerk.Config{SecretKey: secretKey, URL: someURL}, ""},
		"a slash":            {clerk.Config{SecretKey: secretKey, URL: someURL + "/"}, ""},
		"loopback":           {clerk.Config{SecretKey: secretKey, URL: "http://127.0.0.1:4180"}, ""},
		"loopback, IPv6":     {clerk.Config{SecretKey: secretKey, URL: "http://[::1]:4180"}, ""},
		"localhost":          {clerk.Config{SecretKey: secretKey, URL: "http://localhost"}, ""},
		"no key":             {clerk.Config{URL: someURL}, "secret key"},
		"a key of two lines": {clerk.Config{SecretKey: "sk_test_Canary\r\nX: y", URL: someURL}, "secret key"},
		"no URL":             {clerk.Config{SecretKey: secretKey}, "URL"},
		"http":               {clerk.Config{SecretKey: secretKey, URL: "http://api.clerk.com"}, "https"},
		"another scheme":     {clerk.Config{SecretKey: secretKey, URL: "ftp://127.0.0.1"}, "https"},
		"a path":             {clerk.Config{SecretKey: secretKey, URL: someURL + "/v1"}, "host only"},
		"a query":            {clerk.Config{SecretKey: secretKey, URL: someURL + "?a"}, "host only"},
		"an empty query":     {clerk.Config{SecretKey: secretKey, URL: someURL + "?"}, "host only"},
		"a fragment":         {clerk.Config{SecretKey: secretKey, URL: someURL + "#a"}, "host only"},
		"a password":         {clerk.Config{SecretKey: secretKey, URL: "https://u:Canary@api.clerk.com"}, "host only"},
		"no host":            {clerk.Config{SecretKey: secretKey, URL: "https://:443"}, "host"},
		"no URL at all":      {clerk.Config{SecretKey: secretKey, URL: "https://Canary\x7f"}, "host"},
		"a negative timeout": {clerk.Config{SecretKey: secretKey, URL: someURL, Timeout: -1}, "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := clerk.New(test.cfg)
			if test.want == "" {
				if err != nil || !c.NoncesWork(visitor) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "Canary") {
				t.Errorf("got %v, want something about %q and no secret", err, test.want)
			}
		})
	}
}

func TestWhatIsSent(t *testing.T) {
	t.Parallel()
	plain := question()
	plain.Suffixed = false
	const body = `{"format":"cookie","expired_token":"` + expiredToken + `","refresh_token":"` + refreshToken + `",` +
		`"request_origin":"https://app.example.com","request_headers":{"x-forwarded-for":["203.0.113.7"]},"request_originating_ip":"203.0.113.7"}`
	for name, test := range map[string]struct {
		ask       func(*clerk.Client) ([]string, error)
		want      asked
		wantLines []string
	}{
		"refresh": {
			func(c *clerk.Client) ([]string, error) { return c.Refresh(t.Context(), question()) },
			asked{method: "POST", uri: "/v1/sessions/sess_2oracle/refresh?suffixed_cookies=true", body: body},
			[]string{"__session=new; Path=/", "__refresh_x=rt; Path=/; HttpOnly"},
		},
		"refresh without suffix": {
			func(c *clerk.Client) ([]string, error) { return c.Refresh(t.Context(), plain) },
			asked{method: "POST", uri: "/v1/sessions/sess_2oracle/refresh", body: body},
			[]string{"__session=new; Path=/", "__refresh_x=rt; Path=/; HttpOnly"},
		},
		"nonce": {
			func(c *clerk.Client) ([]string, error) { return c.HandshakePayload(t.Context(), nonce, visitor) },
			asked{method: "GET", uri: "/v1/clients/handshake_payload?nonce=" + nonce},
			[]string{"__session=new; Path=/", "__client_uat=1; Path=/"},
		},
		"revocation": {
			func(c *clerk.Client) ([]string, error) { return nil, c.RevokeSession(t.Context(), sessionID) },
			asked{method: "POST", uri: "/v1/sessions/sess_2oracle/revoke", body: `{}`},
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &api{reply: good}
			lines, err := test.ask(client(t, a, clerk.Config{}))
			if err != nil || !slices.Equal(lines, test.wantLines) {
				t.Fatalf("got %q, %v", lines, err)
			}
			got := a.asked()
			if len(got) != 1 || got[0].method != test.want.method || got[0].uri != test.want.uri || got[0].body != test.want.body {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
			if h := got[0].header; h.Get("Authorization") != "Bearer "+secretKey || h.Get("Clerk-Api-Version") != "2026-05-12" {
				t.Errorf("header %v", h)
			}
		})
	}
}

// Clerk's own SDKs send every field of the request to Clerk, the cookies of other
// applications included.
func TestClerkIsToldLittle(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 2000)
	for name, test := range map[string]struct {
		header http.Header
		ip     netip.Addr
		want   map[string][]string
		wantIP string
	}{
		"everything": {
			http.Header{
				"User-Agent": {"Firefox"}, "Accept-Language": {"de"}, "Origin": {"https://app.example.com"}, "Referer": {"https://a.example/reset?token=Canary#x"},
				"Cookie": {"a=Canary"}, "Authorization": {"Basic Canary"}, "X-Forwarded-For": {"6.6.6.6"}, "X-Real-Ip": {"6.6.6.6"}, "X-Secret": {"Canary"}, "Accept": {"*/*"},
			},
			visitor,
			map[string][]string{
				"user-agent": {"Firefox"}, "accept-language": {"de"}, "origin": {"https://app.example.com"}, "referer": {"https://a.example"},
				"x-forwarded-for": {"203.0.113.7"},
			},
			"203.0.113.7",
		},
		"nothing":             {nil, netip.Addr{}, map[string][]string{}, ""},
		"a forged address":    {http.Header{"X-Forwarded-For": {"6.6.6.6"}}, netip.Addr{}, map[string][]string{}, ""},
		"IPv4 in IPv6":        {nil, netip.MustParseAddr("::ffff:203.0.113.7"), map[string][]string{"x-forwarded-for": {"203.0.113.7"}}, "203.0.113.7"},
		"a zone":              {nil, netip.MustParseAddr("fe80::1%eth0"), map[string][]string{"x-forwarded-for": {"fe80::1"}}, "fe80::1"},
		"an opaque origin":    {http.Header{"Origin": {"null"}}, netip.Addr{}, map[string][]string{}, ""},
		"an origin with path": {http.Header{"Origin": {"https://a.example/Canary"}}, netip.Addr{}, map[string][]string{"origin": {"https://a.example"}}, ""},
		"a password":          {http.Header{"Referer": {"https://u:Canary@a.example/"}}, netip.Addr{}, map[string][]string{"referer": {"https://a.example"}}, ""},
		"another scheme":      {http.Header{"Referer": {"android-app://com.example/Canary"}}, netip.Addr{}, map[string][]string{}, ""},
		"no address":          {http.Header{"Referer": {"Canary"}}, netip.Addr{}, map[string][]string{}, ""},
		"too long":            {http.Header{"User-Agent": {long}, "Accept-Language": {long}}, netip.Addr{}, map[string][]string{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &api{reply: good}
			r := question()
			r.Header, r.ClientIP = test.header, test.ip
			if _, err := client(t, a, clerk.Config{}).Refresh(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			var got struct {
				Headers map[string][]string `json:"request_headers"`
				IP      string              `json:"request_originating_ip"`
			}
			body := a.asked()[0].body
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got.Headers); diff != "" || got.IP != test.wantIP {
				t.Errorf("address %q, want %q\n%s", got.IP, test.wantIP, diff)
			}
			if strings.Contains(body, ":Canary") || strings.Contains(body, "6.6.6.6") {
				t.Error(body)
			}
		})
	}
}

// What cannot be Clerk's is not put into a path of Clerk's, and asks for nothing.
func TestWhatCannotBeClerksIsNotSent(t *testing.T) {
	t.Parallel()
	a := &api{reply: good}
	c := client(t, a, clerk.Config{})
	for _, id := range []string{"", "..", "a/b", "a%2fb", "a?b", "a#b", "a b", "ä", "sess-1", "a\n", strings.Repeat("a", 65)} {
		r := question()
		r.SessionID = id
		_, err := c.Refresh(t.Context(), r)
		if e := refused(t, err); e.Code != clerk.CodeNoSession || e.Status != 0 {
			t.Errorf("refresh of %q: %v", id, e)
		}
		if e := refused(t, c.RevokeSession(t.Context(), id)); e.Code != "resource_not_found" {
			t.Errorf("revocation of %q: %v", id, e)
		}
	}
	for _, n := range []string{"", "a b", "a&b=c", "a#b", "a%20b", "a/b", "a+b", "ä", "a\n", "a\x00", strings.Repeat("a", 513)} {
		_, err := c.HandshakePayload(t.Context(), n, visitor)
		if e := refused(t, err); e.Code != "resource_not_found" || e.Status != 0 || n != "" && strings.Contains(e.Error(), n) {
			t.Errorf("nonce %q: %v", n, e)
		}
	}
	for code, change := range map[string]func(*clerk.Refresh){
		clerk.CodeNoToken:        func(r *clerk.Refresh) { r.ExpiredToken = "" },
		clerk.CodeNoRefreshToken: func(r *clerk.Refresh) { r.RefreshToken = "" },
	} {
		r := question()
		change(&r)
		_, err := c.Refresh(t.Context(), r)
		if e := refused(t, err); e.Code != code {
			t.Errorf("%v, want %s", e, code)
		}
	}
	if n := len(a.asked()); n != 0 || a.observed() != "" {
		t.Errorf("%d requests, observed %q", n, a.observed())
	}
	longest := strings.Repeat("a", 512)
	if _, err := c.HandshakePayload(t.Context(), longest, visitor); err != nil {
		t.Errorf("the longest nonce: %v", err)
	}
}

func TestObserve(t *testing.T) {
	t.Parallel()
	calls := make(chan clerk.Call, 10)
	c, err := clerk.New(clerk.Config{
		SecretKey: secretKey, URL: "https://api.clerk.test",
		Transport: wire{http.HandlerFunc(good)}, Observe: func(c clerk.Call) { calls <- c },
	})
	if err != nil {
		t.Fatal(err)
	}
	for endpoint, ask := range asks(t, c) {
		if _, err := ask(); err != nil {
			t.Fatal(err)
		}
		if got := <-calls; got.Endpoint != endpoint || got.Code != "200" || got.Duration <= 0 || got.Duration > time.Minute {
			t.Errorf("%s: %+v", endpoint, got)
		}
	}
	if _, err := c.Refresh(t.Context(), question()); err != nil || len(calls) != 0 {
		t.Errorf("%d calls for a remembered answer, %v", len(calls), err)
	}
}
