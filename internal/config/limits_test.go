package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/config"
	"github.com/manageros/authproxy/internal/minttest"
)

func TestDurations(t *testing.T) {
	t.Parallel()
	var cases []bad
	// least and most are accepted, less and more are not.
	for _, c := range []struct{ name, less, least, most, more string }{
		{"AUTHPROXY_JWKS_REFRESH", "99ms", "100ms", "24h", "24h0m1s"},
		{"AUTHPROXY_JWKS_MIN_REFETCH", "99ms", "100ms", "24h", "24h0m1s"},
		{"AUTHPROXY_JWKS_MAX_STALE", "4m59s", "5m", "720h", "721h"},
		{"AUTHPROXY_CLOCK_SKEW", "-1s", "0s", "60s", "60s1ms"},
		{"AUTHPROXY_READ_HEADER_TIMEOUT", "0s", "1ms", "10m", "11m"},
		{"AUTHPROXY_IDLE_TIMEOUT", "-1s", "1ms", "24h", "25h"},
		{"AUTHPROXY_UPSTREAM_TIMEOUT", "0", "1ms", "24h", "25h"},
		{"AUTHPROXY_STREAM_MAX_AGE", "0s", "1ms", "720h", "721h"},
		{"AUTHPROXY_SHUTDOWN_DELAY", "-1s", "0s", "24s999ms", "25s"},
		{"AUTHPROXY_SHUTDOWN_TIMEOUT", "5s", "5s1ms", "1h", "61m"},
	} {
		mustLoad(t, dev(c.name+"="+c.least))
		mustLoad(t, dev(c.name+"="+c.most))
		for _, value := range []string{c.less, c.more} {
			name := c.name
			if name == "AUTHPROXY_SHUTDOWN_TIMEOUT" && value == "5s" {
				name = "AUTHPROXY_SHUTDOWN_DELAY" // the delay is what must give way
			}
			cases = append(cases, bad{c.name + "=" + value, dev(c.name + "=" + value), []string{name + ": is"}})
		}
		for _, value := range []string{"5", "x", "5 s", "1e3s", "99999999999h"} {
			cases = append(cases, bad{c.name + "=" + value, dev(c.name + "=" + value), []string{c.name + `: "` + value + `" is not a duration`}})
		}
	}
	runBad(t, cases)
	runBad(t, []bad{
		{"says the range", dev("AUTHPROXY_STREAM_MAX_AGE=1000h"), []string{"AUTHPROXY_STREAM_MAX_AGE: 1000h is not between 1ms and 720h"}},
		{"says the unit", dev("AUTHPROXY_CLOCK_SKEW=5"), []string{"AUTHPROXY_CLOCK_SKEW: add the unit, for example 5s"}},
		{"one mistake has no echo", dev("AUTHPROXY_SHUTDOWN_TIMEOUT=x"), []string{"AUTHPROXY_SHUTDOWN_TIMEOUT: is not a duration"}},
		{"nor here", dev("AUTHPROXY_JWKS_MAX_STALE=x"), []string{"AUTHPROXY_JWKS_MAX_STALE: is not a duration"}},
		{"nor here either", dev("AUTHPROXY_JWKS_REFRESH=x"), []string{"AUTHPROXY_JWKS_REFRESH: is not a duration"}},
		{"refresh above stale", dev("AUTHPROXY_JWKS_REFRESH=2h", "AUTHPROXY_JWKS_MAX_STALE=1h"), []string{"AUTHPROXY_JWKS_MAX_STALE: is less than AUTHPROXY_JWKS_REFRESH"}},
	})
}

func TestDurationsArrive(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, dev(
		"AUTHPROXY_JWKS_REFRESH=1m", "AUTHPROXY_JWKS_MIN_REFETCH=2s", "AUTHPROXY_JWKS_MAX_STALE=3h", "AUTHPROXY_JWKS_CACHE_FILE=x",
		"AUTHPROXY_CLOCK_SKEW=4s", "AUTHPROXY_READ_HEADER_TIMEOUT=5s", "AUTHPROXY_IDLE_TIMEOUT=6s", "AUTHPROXY_UPSTREAM_TIMEOUT=7s",
		"AUTHPROXY_STREAM_MAX_AGE=8s", "AUTHPROXY_SHUTDOWN_DELAY=9s", "AUTHPROXY_SHUTDOWN_TIMEOUT=10s",
	))
	got := []time.Duration{
		c.Keys.MinRefetch, c.Session.ClockSkew, c.Limits.ReadHeaderTimeout, c.Limits.IdleTimeout, c.Limits.UpstreamTimeout,
		c.Limits.StreamMaxAge, c.Limits.ShutdownDelay, c.Limits.ShutdownTimeout,
	}
	for i, want := range []time.Duration{2, 4, 5, 6, 7, 8, 9, 10} {
		if got[i] != want*time.Second {
			t.Errorf("%d: got %v", i, got[i])
		}
	}
	if c.Keys.Refresh != time.Minute || c.Keys.MaxStale != 3*time.Hour || c.Keys.CacheFile != "x" {
		t.Errorf("%+v", c.Keys)
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	const head, body = "AUTHPROXY_MAX_HEADER_BYTES=", "AUTHPROXY_MAX_BODY_BYTES="
	var cases []bad
	for _, value := range []string{"x", "-1", "1.5MiB", "64KB", "64k", "0x10", "KiB", "9223372036854775808", "9007199254740992KiB"} {
		cases = append(cases, bad{value, dev(body + value), []string{`AUTHPROXY_MAX_BODY_BYTES: "` + value + `" is not a size; write bytes`}})
	}
	for _, value := range []string{"0", "none", "1023", "16777217", "1GiB", "4294967297KiB"} {
		cases = append(cases, bad{"head " + value, dev(head + value), []string{"AUTHPROXY_MAX_HEADER_BYTES: is not between 1KiB and 16MiB"}})
	}
	cases = append(cases, bad{"head x", dev(head + "x"), []string{"AUTHPROXY_MAX_HEADER_BYTES: is not a size"}})
	runBad(t, cases)
	for value, want := range map[string]int64{
		"none": 0, "0": 0, "1": 1, "65536": 65536, "64KiB": 65536, "64 KiB": 65536, "10MiB": 10 << 20, "2GiB": 2 << 30, "8589934591GiB": 8589934591 << 30,
	} {
		if got := mustLoad(t, dev(body+value)).Limits.MaxBodyBytes; got != want {
			t.Errorf("%s is %d, want %d", value, got, want)
		}
	}
	if got := mustLoad(t, dev(head+"16MiB")).Limits.MaxHeaderBytes; got != 16<<20 {
		t.Errorf("got %d", got)
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	var cases []bad
	for name, words := range map[string]string{
		"AUTHPROXY_AUTH": "required or optional", "AUTHPROXY_CSRF": "on or off", "AUTHPROXY_WHOAMI": "on or off",
		"AUTHPROXY_LOG_LEVEL": "debug, info, warn or error", "AUTHPROXY_LOG_FORMAT": "json or text",
		"AUTHPROXY_PPROF": "true or false", "AUTHPROXY_PASS_AUTHORIZATION": "true or false", "AUTHPROXY_PASS_CLERK_COOKIES": "true or false",
	} {
		for _, value := range []string{"none", "0", "onn"} {
			cases = append(cases, bad{name + "=" + value, dev(name + "=" + value), []string{name + `: "` + value + `" is not understood; write ` + words}})
		}
	}
	cases = append(cases, bad{"csrf false", dev("AUTHPROXY_CSRF=false"), []string{"AUTHPROXY_CSRF: write on or off"}})
	runBad(t, cases)
	c := mustLoad(t, dev(
		"AUTHPROXY_AUTH=Optional", "AUTHPROXY_CSRF=off", "AUTHPROXY_WHOAMI=OFF", "AUTHPROXY_LOG_LEVEL=debug", "AUTHPROXY_LOG_FORMAT=text",
		"AUTHPROXY_PPROF=True", "AUTHPROXY_PASS_AUTHORIZATION=true", "AUTHPROXY_PASS_CLERK_COOKIES=true",
	))
	if !c.Session.Optional || c.Session.CSRF || c.Session.Whoami || !c.Headers.PassAuthorization || !c.Headers.PassClerkCookies {
		t.Errorf("%+v %+v", c.Session, c.Headers)
	}
	if want := (config.Operation{LogLevel: "debug", LogFormat: "text", PProf: true}); c.Operation != want {
		t.Errorf("%+v", c.Operation)
	}
}

// What cannot be understood leaves every defence up, in case somebody looks at
// the Config and not at the error.
func TestMistakesFailClosed(t *testing.T) {
	t.Parallel()
	c, err := config.Load(dev("AUTHPROXY_AUTH=x", "AUTHPROXY_CSRF=x", "AUTHPROXY_WHOAMI=x", "AUTHPROXY_TRUSTED_PROXIES=x",
		"AUTHPROXY_PASS_AUTHORIZATION=x", "AUTHPROXY_PASS_CLERK_COOKIES=x", "AUTHPROXY_PPROF=x", "AUTHPROXY_CLOCK_SKEW=x"))
	if err == nil {
		t.Fatal("accepted")
	}
	if s := c.Session; s.Optional || !s.CSRF || s.Whoami || s.ClockSkew != 0 || c.Public.TrustedProxies != nil {
		t.Errorf("%+v %+v", s, c.Public)
	}
	if c.Headers.PassAuthorization || c.Headers.PassClerkCookies || c.Operation.PProf {
		t.Errorf("%+v %+v", c.Headers, c.Operation)
	}
}

func TestWhoamiFollowsTheInstance(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		environ []string
		want    bool
		from    string
	}{
		{dev(), true, "on * derived from CLERK_PUBLISHABLE_KEY"},
		{live(), false, "off * derived from CLERK_PUBLISHABLE_KEY"},
		{noKey("CLERK_JWT_KEY="+minttest.Good().PEM, "AUTHPROXY_ISSUER=https://a.example"), false, "off * default"},
		{live("AUTHPROXY_WHOAMI=on"), true, "on * environment"},
		{dev("AUTHPROXY_WHOAMI=off"), false, "off * environment"},
	} {
		cfg := mustLoad(t, c.environ)
		if cfg.Session.Whoami != c.want {
			t.Errorf("%q: %v", c.environ, cfg.Session.Whoami)
		}
		for line := range strings.Lines(printed(t, cfg)) {
			value, from, _ := strings.Cut(c.from, " * ")
			if f := strings.Fields(line); f[0] == "AUTHPROXY_WHOAMI" && (f[1] != value || strings.Join(f[2:], " ") != from) {
				t.Errorf("%q: %s", c.environ, line)
			}
		}
	}
}
