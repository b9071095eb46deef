package reqlog_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/reqlog"
	"github.com/manageros/authproxy/proxy"
)

func line(t *testing.T, level string, x *proxy.Exchange) map[string]any {
	t.Helper()
	var out bytes.Buffer
	reqlog.New(reqlog.NewLogger(&out, level, "json")).Write(x)
	if out.Len() == 0 {
		return nil
	}
	if strings.Count(out.String(), "\n") != 1 {
		t.Fatalf("not one line: %q", out.String())
	}
	var m map[string]any
	if err := json.Unmarshal(out.Bytes(), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestLevels(t *testing.T) {
	t.Parallel()
	for reason, want := range map[authproxy.Reason]string{
		"": "INFO", authproxy.SessionTokenAndUATMissing: "INFO", authproxy.ClientClosed: "INFO", authproxy.TokenInvalid: "INFO",
		authproxy.KeysUnavailable: "WARN", authproxy.UpstreamTimeout: "WARN", authproxy.UpstreamUnreachable: "WARN", authproxy.InternalError: "ERROR",
	} {
		if got := line(t, "debug", &proxy.Exchange{Reason: reason})["level"]; got != want {
			t.Errorf("%q is logged as %v, want %s", reason, got, want)
		}
	}
	if line(t, "error", &proxy.Exchange{}) != nil {
		t.Error("an ordinary request is logged at level error")
	}
}

// TestBounds: what a client can make us write is bounded, and escaped.
func TestBounds(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 70000)
	m := line(t, "info", &proxy.Exchange{Method: long, Host: long, Path: "/\n\x1b" + long, Detail: long, Err: errors.New(long)})
	for _, name := range []string{"method", "host", "path", "detail", "error"} {
		if s, _ := m[name].(string); s == "" || len(s) > 1100 {
			t.Errorf("%s has %d bytes", name, len(s))
		}
	}
}

func TestTrouble(t *testing.T) {
	t.Parallel()
	m := line(t, "info", &proxy.Exchange{
		Detail: "seen", Err: errors.New("inside"), Upgraded: true, Cut: true, Stripped: []string{"identity"}, Panic: []byte("stack"),
		Decision: authproxy.Decision{Renewals: []authproxy.Renewal{{Outcome: authproxy.RenewalRefreshed}}},
		ClientIP: netip.MustParseAddr("192.0.2.1"), Duration: 1500 * time.Microsecond,
	})
	if m["detail"] != "seen" || m["error"] != "inside" || m["upgraded"] != true || m["cut"] != true || m["stack"] != "stack" || m["renewal"] != "refreshed" ||
		m["client_ip"] != "192.0.2.1" || m["duration_ms"] != 1.5 {
		t.Errorf("%v", m)
	}
	quiet := line(t, "info", &proxy.Exchange{})
	for _, name := range []string{"detail", "error", "upgraded", "cut", "stack", "stripped", "renewal"} {
		if _, there := quiet[name]; there {
			t.Errorf("%s is there when nothing was wrong", name)
		}
	}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{"json": `{"time"`, "text": "time=", "": `{"time"`} {
		var out bytes.Buffer
		reqlog.NewLogger(&out, "info", format).Info("x")
		if !strings.HasPrefix(out.String(), want) {
			t.Errorf("%q writes %q", format, out.String())
		}
	}
}
