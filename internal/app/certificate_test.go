package app_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writeCertificate writes a self-signed pair for 127.0.0.1 with this serial
// number, the key first, so that a reader may see the old certificate with the
// new key.
func writeCertificate(t *testing.T, certFile, keyFile string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		keyFile: {Type: "EC PRIVATE KEY", Bytes: keyDER}, certFile: {Type: "CERTIFICATE", Bytes: der},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCertificateReload: HTTP/2 by ALPN, and a renewed certificate is served
// without a restart; a broken one is not.
func TestCertificateReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	writeCertificate(t, certFile, keyFile, 1)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(r.Header.Get("X-Forwarded-Proto")))
	}))
	t.Cleanup(upstream.Close)
	p := startBinary(t, append(served(upstream.URL), "AUTHPROXY_TLS_CERT_FILE="+certFile, "AUTHPROXY_TLS_KEY_FILE="+keyFile))

	serial := func() int64 {
		d := &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		c, err := d.DialContext(ctx, "tcp", p.data)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		state := c.(*tls.Conn).ConnectionState()
		if state.NegotiatedProtocol != "h2" {
			t.Fatalf("negotiated %q", state.NegotiatedProtocol)
		}
		return state.PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Fatalf("serial %d", got)
	}
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+p.data+"/open/x", nil)
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.ProtoMajor != 2 || answer.StatusCode != http.StatusOK {
		t.Errorf("%s %d", answer.Proto, answer.StatusCode)
	}

	if err := os.WriteFile(certFile, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	for looked := false; !looked; {
		if got := serial(); got != 1 {
			t.Fatalf("a broken file changed the certificate to %d", got)
		}
		select {
		case line := <-p.lines:
			msg, _ := line["msg"].(string)
			looked = strings.Contains(msg, "renewed certificate cannot be used")
		default:
		}
	}
	writeCertificate(t, certFile, keyFile, 2)
	deadline := time.Now().Add(20 * time.Second)
	for serial() != 2 {
		if time.Now().After(deadline) {
			t.Fatal("the renewed certificate is never served")
		}
	}
	if _, metrics := get(t, "http://"+p.admin+"/metrics"); strings.Contains(metrics, "authproxy_certificate_not_after_timestamp_seconds 0") {
		t.Error("no certificate in the metrics")
	}
}
