package config_test

import (
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/config"
)

func TestUnknownNames(t *testing.T) {
	t.Parallel()
	runBad(t, []bad{
		{"typing error", dev("AUTHPROXY_LISTN=:1"), []string{"AUTHPROXY_LISTN: is not known; the nearest name is AUTHPROXY_LISTEN"}},
		{"letters swapped", dev("AUTHPROXY_UPSTRAEM=x"), []string{"AUTHPROXY_UPSTRAEM: the nearest name is AUTHPROXY_UPSTREAM"}},
		{"plural", dev("AUTHPROXY_PUBLIC_URLS=x"), []string{"AUTHPROXY_PUBLIC_URLS: the nearest name is AUTHPROXY_PUBLIC_URL"}},
		{"near a planned one", dev("AUTHPROXY_POLICIES=x"), []string{"AUTHPROXY_POLICIES: the nearest name is AUTHPROXY_POLICY"}},
		{"even when empty", dev("AUTHPROXY_LISTN="), []string{"AUTHPROXY_LISTN: is not known"}},
		{"no file for this one", dev("AUTHPROXY_LISTEN_FILE=x"), []string{"AUTHPROXY_LISTEN_FILE: AUTHPROXY_LISTEN cannot be given as a file"}},
		{"nothing but the prefix", dev("AUTHPROXY_=x"), []string{"AUTHPROXY_: is not known"}},
		{"strange characters", dev("AUTHPROXY_\x1b[2J=x"), []string{`"AUTHPROXY_\x1b[2J": is not known`}},
		{"overlong", dev("AUTHPROXY_" + strings.Repeat("X", 1<<16) + "=x"), []string{`"AUTHPROXY_` + strings.Repeat("X", 110) + `"…: is not known`}},
		{"the value is not shown", dev("AUTHPROXY_SECRET_KEY=canary"), []string{"AUTHPROXY_SECRET_KEY: is not known"}},
	})
	_, err := config.Load(dev("AUTHPROXY_SECRET_KEY=canary"))
	if strings.Contains(err.Error(), "canary") {
		t.Error("the value of an unknown name is shown")
	}
}

// Each name of the contract that this version does not have, refused or, where
// it is not ours and changes nothing, left alone.
func TestPlannedNames(t *testing.T) {
	t.Parallel()
	refused := strings.Fields(`AUTHPROXY_ACCEPT AUTHPROXY_DIRECTORY_URL
		AUTHPROXY_DIRECTORY_QUERY AUTHPROXY_DIRECTORY_LINK_QUERY AUTHPROXY_DIRECTORY_LIST_QUERY AUTHPROXY_FALLBACK
		AUTHPROXY_SYNC AUTHPROXY_SYNC_CLAIMS AUTHPROXY_SYNC_INTERVAL AUTHPROXY_STATE_URL AUTHPROXY_ADMIN_TOKEN
		AUTHPROXY_POLICY AUTHPROXY_ROUTES_FILE AUTHPROXY_FORWARD_AUTH AUTHPROXY_EXTAUTHZ_LISTEN
		AUTHPROXY_ASSERTION_KEY AUTHPROXY_TLS_CLIENT_CA_FILE
		AUTHPROXY_DIRECTORY_URL_FILE AUTHPROXY_STATE_URL_FILE AUTHPROXY_ADMIN_TOKEN_FILE AUTHPROXY_ASSERTION_KEY_FILE`)
	var cases []bad
	for _, name := range refused {
		cases = append(cases, bad{name, dev(name + "=canary"), []string{name + ": is not in this version"}})
		mustLoad(t, dev(name+"="))
	}
	runBad(t, cases)
}

func TestOtherPeoplesNames(t *testing.T) {
	t.Parallel()
	for _, name := range strings.Fields(`CLERK_WEBHOOK_SIGNING_SECRET CLERK_WEBHOOK_SIGNING_SECRET_FILE
		CLERK_TELEMETRY_DISABLED CLERK_PUBLISHABLE_KEY_FILE OTEL_SERVICE_NAME HOME authproxy_listen MY_AUTHPROXY_LISTEN
		AUTHPROXY_SERVICE_HOST AUTHPROXY_SERVICE_PORT AUTHPROXY_SERVICE_PORT_HTTP AUTHPROXY_PORT
		AUTHPROXY_PORT_4180_TCP AUTHPROXY_PORT_4180_TCP_ADDR AUTHPROXY_PORT_4180_TCP_PORT
		AUTHPROXY_ADMIN_SERVICE_HOST AUTHPROXY_ADMIN_PORT_4181_TCP_PROTO
		AUTHPROXY_TEST_REQUIRE AUTHPROXY_TEST_ANYTHING`) {
		if _, err := config.Load(dev(name + "=tcp://10.0.0.1:4180")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	runBad(t, []bad{
		{"PORT inside", dev("AUTHPROXY_PORTS=1"), []string{"AUTHPROXY_PORTS: is not known"}},
		{"PORT and a word", dev("AUTHPROXY_PORT_HTTP_X=1"), []string{"AUTHPROXY_PORT_HTTP_X: is not known"}},
		{"HOST alone", dev("AUTHPROXY_HOST=1"), []string{"AUTHPROXY_HOST: is not known"}},
	})
}

// No setting may end as the names of Kubernetes do: it would be ignored when
// mistyped.
func TestNoSettingLooksLikeAServiceLink(t *testing.T) {
	t.Parallel()
	for _, name := range names(t) {
		if strings.HasSuffix(name, "_PORT") || strings.HasSuffix(name, "_SERVICE_HOST") || strings.Contains(name, "_SERVICE_PORT") {
			t.Errorf("%s looks like a service link", name)
		}
	}
}
