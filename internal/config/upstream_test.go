package config_test

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/internal/testneed"
)

func TestUpstream(t *testing.T) {
	t.Parallel()
	const name = "AUTHPROXY_UPSTREAM="
	runBad(t, []bad{
		{"none", dev(name), []string{"AUTHPROXY_UPSTREAM: add the line AUTHPROXY_UPSTREAM=http://127.0.0.1:3000"}},
		{"no scheme", dev(name + "localhost:3000"), []string{"AUTHPROXY_UPSTREAM: write AUTHPROXY_UPSTREAM=http://localhost:3000"}},
		{"no scheme, address", dev(name + "10.0.0.1:3000"), []string{"AUTHPROXY_UPSTREAM: write AUTHPROXY_UPSTREAM=http://10.0.0.1:3000"}},
		{"no scheme, no port", dev(name + "app"), []string{"AUTHPROXY_UPSTREAM: write AUTHPROXY_UPSTREAM=http://app"}},
		{"other scheme", dev(name + "ftp://app"), []string{"AUTHPROXY_UPSTREAM: is none of http, https and unix"}},
		{"h2c", dev(name + "h2c://app:3000"), []string{"AUTHPROXY_UPSTREAM: h2c:// is not in this version"}},
		{"path", dev(name + "http://app:3000/x"), []string{"AUTHPROXY_UPSTREAM: has a path; paths go to the upstream as they came: write http://app:3000"}},
		{"query", dev(name + "http://app:3000?x"), []string{"AUTHPROXY_UPSTREAM: has a query"}},
		{"empty query", dev(name + "http://app:3000/?"), []string{"AUTHPROXY_UPSTREAM: has a query"}},
		{"fragment", dev(name + "http://app:3000#x"), []string{"AUTHPROXY_UPSTREAM: has a query or a fragment"}},
		{"credentials", dev(name + "http://u:canary@app:3000"), []string{"AUTHPROXY_UPSTREAM: holds credentials"}},
		{"port", dev(name + "http://app:70000"), []string{"AUTHPROXY_UPSTREAM: a port that is none"}},
		{"host", dev(name + "http://a b"), []string{"AUTHPROXY_UPSTREAM: is not a URL"}},
		{"socket without a path", dev(name + "unix://"), []string{"AUTHPROXY_UPSTREAM: does not name a socket"}},
		{"socket with a host", dev(name + "unix://run/app.sock"), []string{"AUTHPROXY_UPSTREAM: unix:///run/app.sock"}},
		{"socket, one slash", dev(name + "unix:/run/app.sock"), []string{"AUTHPROXY_UPSTREAM: does not name a socket"}},
		{"socket, directory", dev(name + "unix:///run/"), []string{"AUTHPROXY_UPSTREAM: does not name a socket"}},
		{"socket with a query", dev(name + "unix:///run/app.sock?x"), []string{"AUTHPROXY_UPSTREAM: is more than a path"}},
		{"socket with an escape", dev(name + "unix:///run/%61"), []string{"AUTHPROXY_UPSTREAM: is more than a path"}},
		{"socket too long", dev(name + "unix:///" + strings.Repeat("x", 107)), []string{"AUTHPROXY_UPSTREAM: more than 107 bytes"}},
	})
	for text, want := range map[string]string{
		"http://App:3000": "http://app:3000", "http://app:80/": "http://app", "https://app": "https://app", "https://app:443": "https://app",
		"http://[::1]:3000": "http://[::1]:3000", "unix:///run/app.sock": "unix:///run/app.sock", "HTTP://10.0.0.1": "http://10.0.0.1",
	} {
		if got := mustLoad(t, dev(name+text)).Upstream.URL.String(); got != want {
			t.Errorf("%s became %s", text, got)
		}
	}
	if got := mustLoad(t, dev(name+"unix:///run/app.sock")).Upstream.URL; got.Path != "/run/app.sock" || got.Host != "" {
		t.Errorf("got %#v", got)
	}
}

func TestUpstreamIsNotTheProxyItself(t *testing.T) {
	t.Parallel()
	const listen, admin, upstream = "AUTHPROXY_LISTEN=", "AUTHPROXY_ADMIN_LISTEN=", "AUTHPROXY_UPSTREAM="
	data := []string{"AUTHPROXY_UPSTREAM: where AUTHPROXY_LISTEN listens"}
	runBad(t, []bad{
		{"localhost", dev(upstream + "http://localhost:4180"), data},
		{"LOCALHOST", dev(upstream + "http://LOCALHOST:4180"), data},
		{"127.0.0.1", dev(upstream + "http://127.0.0.1:4180"), data},
		{"127.0.0.2", dev(upstream + "http://127.0.0.2:4180"), data},
		{"::1", dev(upstream + "http://[::1]:4180"), data},
		{"mapped", dev(upstream + "http://[::ffff:127.0.0.1]:4180"), data},
		{"unspecified", dev(upstream + "http://0.0.0.0:4180"), data},
		{"unspecified 6", dev(upstream + "http://[::]:4180"), data},
		{"all by 0.0.0.0", dev(listen+"0.0.0.0:4180", upstream+"http://127.0.0.1:4180"), data},
		{"one address", dev(listen+"127.0.0.1:4180", upstream+"http://localhost:4180"), data},
		{"one address by 0.0.0.0", dev(listen+"127.0.0.1:4180", upstream+"http://0.0.0.0:4180"), data},
		{"by name", dev(listen+"app.internal:4180", upstream+"http://APP.internal:4180"), data},
		{"the port of http", dev(listen+":80", upstream+"http://localhost"), data},
		{"the port of https", dev(listen+":443", upstream+"https://localhost"), data},
		{"admin", dev(upstream + "http://localhost:4181"), []string{"AUTHPROXY_UPSTREAM: where AUTHPROXY_ADMIN_LISTEN listens"}},
	})
	for _, environ := range [][]string{
		dev(upstream + "http://127.0.0.1:4182"),
		dev(upstream + "http://app:4180"),
		dev(upstream + "http://192.0.2.1:4180"),
		dev(upstream + "http://127.0.0.2:4181"),
		dev(listen+"127.0.0.2:4180", upstream+"http://127.0.0.1:4180"),
		dev(listen+":0", admin+":0", upstream+"http://127.0.0.1:80"),
	} {
		mustLoad(t, environ)
	}
}

func TestUpstreamIsNotAnAddressOfThisMachine(t *testing.T) {
	t.Parallel()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if ip := a.(*net.IPNet).IP; ip.IsGlobalUnicast() {
			host := net.JoinHostPort(ip.String(), "4180")
			runBad(t, []bad{{"own", dev("AUTHPROXY_UPSTREAM=http://" + host), []string{"AUTHPROXY_UPSTREAM: is the proxy itself"}}})
			mustLoad(t, dev("AUTHPROXY_LISTEN=127.0.0.1:4180", "AUTHPROXY_UPSTREAM=http://"+host))
			return
		}
	}
	testneed.Missing(t, "needs a network interface with an address")
}

// certificate returns a self-signed certificate of the good key and that key.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0),
		IsCA: true, BasicConstraintsValid: true,
	}
	signer := minttest.Good()
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer.Key)
	if err != nil {
		t.Fatal(err)
	}
	cert = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return cert, string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(signer.Key)}))
}

func TestUpstreamCA(t *testing.T) {
	t.Parallel()
	const name = "AUTHPROXY_UPSTREAM_CA_FILE="
	cert, key := certificate(t)
	file := write(t, cert)
	https := "AUTHPROXY_UPSTREAM=https://app"
	runBad(t, []bad{
		{"http", dev(name + file), []string{"AUTHPROXY_UPSTREAM_CA_FILE: the upstream is not https"}},
		{"unix", dev("AUTHPROXY_UPSTREAM=unix:///x", name+file), []string{"AUTHPROXY_UPSTREAM_CA_FILE: the upstream is not https"}},
		{"missing", dev(https, name+"testdata/none"), []string{"AUTHPROXY_UPSTREAM_CA_FILE: cannot be read"}},
		{"no certificate", dev(https, name+write(t, key)), []string{"AUTHPROXY_UPSTREAM_CA_FILE: holds no certificate"}},
	})
	if got := mustLoad(t, dev(https, name+file)).Upstream.CAFile; got != file {
		t.Errorf("got %q", got)
	}
}

func TestListeners(t *testing.T) {
	t.Parallel()
	const listen, admin = "AUTHPROXY_LISTEN=", "AUTHPROXY_ADMIN_LISTEN="
	var cases []bad
	for _, nonsense := range []string{"4180", "localhost", "localhost:", ":http", ":65536", ":-1", ":04180", "a b:1", "http://localhost:1", "::1:4180", "[::1%25lo]:1"} {
		cases = append(cases,
			bad{"data " + nonsense, dev(listen + nonsense), []string{"AUTHPROXY_LISTEN: is not host:port"}},
			bad{"admin " + nonsense, dev(admin + nonsense), []string{"AUTHPROXY_ADMIN_LISTEN: is not host:port"}})
	}
	for _, pair := range [][2]string{
		{":4180", ":4180"}, {":4180", "127.0.0.1:4180"}, {"127.0.0.1:4180", ":4180"}, {"localhost:1", "127.0.0.1:1"}, {"a.internal:1", "A.internal:1"},
		{"0.0.0.0:1", "[::]:1"},
	} {
		cases = append(cases, bad{
			pair[0] + " and " + pair[1], dev(listen+pair[0], admin+pair[1]), []string{"AUTHPROXY_ADMIN_LISTEN: is the same address as AUTHPROXY_LISTEN"},
		})
	}
	runBad(t, cases)
	for _, pair := range [][2]string{{":0", ":0"}, {"127.0.0.1:0", "127.0.0.1:0"}, {"127.0.0.1:1", "127.0.0.2:1"}, {"[::1]:1", "localhost:2"}, {"a.internal:1", "b.internal:1"}} {
		if got := mustLoad(t, dev(listen+pair[0], admin+pair[1])).Listen; got.Data != pair[0] || got.Admin != pair[1] {
			t.Errorf("%v became %+v", pair, got)
		}
	}
}

func TestCertificate(t *testing.T) {
	t.Parallel()
	const certName, keyName = "AUTHPROXY_TLS_CERT_FILE=", "AUTHPROXY_TLS_KEY_FILE="
	certPEM, keyPEM := certificate(t)
	cert, key, other := write(t, certPEM), write(t, keyPEM), write(t, pemOf(minttest.Evil()))
	runBad(t, []bad{
		{"no key", dev(certName + cert), []string{"AUTHPROXY_TLS_KEY_FILE: is not set, but AUTHPROXY_TLS_CERT_FILE is"}},
		{"no certificate", dev(keyName + key), []string{"AUTHPROXY_TLS_CERT_FILE: is not set, but AUTHPROXY_TLS_KEY_FILE is"}},
		{"missing both", dev(certName+"testdata/a", keyName+"testdata/b"), []string{"AUTHPROXY_TLS_CERT_FILE: testdata/a", "AUTHPROXY_TLS_KEY_FILE: testdata/b"}},
		{"another key", dev(certName+cert, keyName+other), []string{"AUTHPROXY_TLS_CERT_FILE: and AUTHPROXY_TLS_KEY_FILE are not a certificate and its key"}},
		{"swapped", dev(certName+key, keyName+cert), []string{"AUTHPROXY_TLS_CERT_FILE: are not a certificate and its key"}},
	})
	if got := mustLoad(t, dev(certName+cert, keyName+key)).Listen; got.TLSCertFile != cert || got.TLSKeyFile != key {
		t.Errorf("got %+v", got)
	}
}

func pemOf(s minttest.Signer) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(s.Key)}))
}
