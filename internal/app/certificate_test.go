package app_test

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/wiretest"
)

// leaf is the certificate of a PEM file, as it goes over the wire.
func leaf(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("%s is no PEM", file)
	}
	return string(block.Bytes)
}

// move puts a file in the place of another at once.
func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// TestCertificateReload: HTTP/2 by ALPN, and a renewed certificate is served
// without a restart; a broken one is not.
func TestCertificateReload(t *testing.T) {
	t.Parallel()
	current, next := wiretest.NewCertificate(t), wiretest.NewCertificate(t)
	certFile, keyFile := current.CertFile, current.KeyFile
	made := time.Now().Add(-time.Hour)
	for _, file := range []string{certFile, keyFile} {
		if err := os.Chtimes(file, made, made); err != nil {
			t.Fatal(err)
		}
	}
	first, second := leaf(t, current.CertFile), leaf(t, next.CertFile)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(r.Header.Get("X-Forwarded-Proto")))
	}))
	t.Cleanup(upstream.Close)
	p := startBinary(t, append(served(upstream.URL), "AUTHPROXY_TLS_CERT_FILE="+certFile, "AUTHPROXY_TLS_KEY_FILE="+keyFile))

	shown := func() string {
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
		return string(state.PeerCertificates[0].Raw)
	}
	if shown() != first {
		t.Fatal("another certificate is served")
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
		if shown() != first {
			t.Fatal("a broken file changed the certificate")
		}
		select {
		case line := <-p.lines:
			msg, _ := line["msg"].(string)
			looked = strings.Contains(msg, "renewed certificate cannot be used")
		default:
		}
	}
	for _, file := range []string{next.CertFile, next.KeyFile} { // what tells them apart is not their age
		if err := os.Chtimes(file, made, made); err != nil {
			t.Fatal(err)
		}
	}
	move(t, next.KeyFile, keyFile) // a reader may see the new key with the broken certificate
	move(t, next.CertFile, certFile)
	deadline := time.Now().Add(20 * time.Second)
	for shown() != second {
		if time.Now().After(deadline) {
			t.Fatal("the renewed certificate is never served")
		}
	}
	if _, metrics := get(t, "http://"+p.admin+"/metrics"); strings.Contains(metrics, "authproxy_certificate_not_after_timestamp_seconds 0") {
		t.Error("no certificate in the metrics")
	}
}
