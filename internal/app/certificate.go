package app

import (
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificate is the data listener's, read again when its files change, so that
// renewing it needs no restart.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger
	renewed           func(notAfter time.Time)

	mu      sync.Mutex
	current *tls.Certificate
	stamp   string // of the files current was read from
	looked  time.Time
}

// newCertificate reads the files for the first time.
func newCertificate(certFile, keyFile string, log *slog.Logger, renewed func(time.Time)) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log, renewed: renewed}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c, c.read()
}

// tlsConfig serves the certificate with HTTP/2 and HTTP/1.1.
func (c *certificate) tlsConfig() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.get(), nil },
	}
}

// get returns the certificate in use. At most once a second it looks whether the
// files are others; a pair that cannot be read leaves the old one in use, since a
// renewal writes two files and we may see only the first.
func (c *certificate) get() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < time.Second {
		return c.current
	}
	c.looked = time.Now()
	if stamp := c.stampNow(); stamp != c.stamp {
		if err := c.read(); err != nil {
			c.log.Error("the renewed certificate cannot be used; the old one stays", "error", err)
		} else {
			c.log.Info("certificate renewed", "not_after", c.current.Leaf.NotAfter)
		}
	}
	return c.current
}

func (c *certificate) read() error {
	stamp := c.stampNow()
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("app: certificate: %w", err)
	}
	c.current, c.stamp = &pair, stamp
	c.renewed(pair.Leaf.NotAfter)
	return nil
}

// stampNow tells two states of the files apart, by what they hold: two
// certificates may have the same size and, made in one tick of the clock, the same
// time.
func (c *certificate) stampNow() string {
	sum := sha256.New()
	for _, name := range []string{c.certFile, c.keyFile} {
		text, err := os.ReadFile(name) //nolint:gosec // the operator names the files
		if err != nil {
			text = nil // as good as empty: it cannot be used
		}
		fmt.Fprintf(sum, "%d ", len(text))
		sum.Write(text)
	}
	return string(sum.Sum(nil))
}
