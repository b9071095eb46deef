package clerkdev_test

import (
	"net"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/clerkdev"
)

func TestWebhookEndpointIsLoopback(t *testing.T) {
	t.Parallel()
	i := newSender(t, nil)
	for url, ok := range map[string]bool{
		"http://127.0.0.1/hook":                     true,
		"http://127.0.0.1:8080":                     true,
		"http://127.8.9.10:8080/hook":               true,
		"http://[::1]:8080/hook":                    true,
		"http://[::ffff:127.0.0.1]:8080/hook":       true,
		"https://localhost/hook?x=1":                true,
		"HTTP://LocalHost:3000/hook":                true,
		"http://app.localhost:3000/hook":            true,
		"":                                          false,
		"localhost:3000":                            false,
		"//localhost/hook":                          false,
		"ftp://localhost/hook":                      false,
		"http:localhost":                            false,
		"http://":                                   false,
		"http:///hook":                              false,
		"http://example.com/hook":                   false,
		"http://localhost.example.com/hook":         false,
		"http://notlocalhost/hook":                  false,
		"http://127.0.0.1.example.com/hook":         false,
		"http://127.0.0.1.nip.io/hook":              false,
		"http://10.0.0.1/hook":                      false,
		"http://0.0.0.0:8080/hook":                  false,
		"http://[::]:8080/hook":                     false,
		"http://[::ffff:10.0.0.1]/hook":             false,
		"http://[::1%25lo]/hook":                    false,
		"http://[fe80::1]/hook":                     false,
		"http://169.254.169.254/latest/meta-data":   false,
		"http://2130706433/hook":                    false,
		"http://0x7f.0.0.1/hook":                    false,
		"http://127.1/hook":                         false,
		"http://localhost@example.com/hook":         false,
		"http://user:secret@localhost/hook":         false,
		"http://example.com#@localhost/hook":        false,
		"http://example.com\\@localhost/hook":       false,
		"http://loc\x00alhost/hook":                 false,
		"http://\u24db\u24de\u24d2alhost/hook":      false,
		"http://example.com/http://localhost:3000/": false,
	} {
		if err := clerkdev.CheckEndpoint(url); (err == nil) != ok {
			t.Errorf("CheckEndpoint(%q): %v", url, err)
		} else if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error repeats the password: %v", err)
		}
		secret := i.AddEndpoint(url)
		if (secret != "") != ok || (len(i.Endpoints()) == 1) != ok {
			t.Errorf("AddEndpoint(%q): %q, endpoints %v", url, secret, i.Endpoints())
		}
		i.RemoveEndpoint(secret)
	}
}

// TestWebhookDialsLoopbackOnly: whatever a URL turned into on the way.
func TestWebhookDialsLoopbackOnly(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	for _, host := range []string{"127.0.0.1", "localhost", "a.b.localhost", "LOCALHOST"} {
		conn, err := clerkdev.DialLoopback(t.Context(), "tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		conn.Close()
	}
	for _, host := range []string{"0.0.0.0", "::", "", "example.com", "10.0.0.1", "169.254.169.254"} {
		if _, err := clerkdev.DialLoopback(t.Context(), "tcp", net.JoinHostPort(host, port)); err == nil || !strings.Contains(err.Error(), "not loopback") {
			t.Errorf("%q: %v", host, err)
		}
	}
	if _, err := clerkdev.DialLoopback(t.Context(), "tcp", "127.0.0.1"); err == nil {
		t.Error("an address without a port was dialled")
	}
}
