package clerk

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"time"
)

// keyForm keeps what cannot stand in a header field out of one.
var keyForm = regexp.MustCompile(`^[!-~]+$`)

func withDefaults(cfg Config) Config {
	if cfg.Timeout == 0 {
		cfg.Timeout = 3 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return cfg
}

// check does not repeat what it complains about: a URL may have a password in it.
func check(cfg Config) error {
	var errs []error
	if !keyForm.MatchString(cfg.SecretKey) {
		errs = append(errs, errors.New("clerk: the secret key is missing, or has characters that no key has"))
	}
	if cfg.Timeout < 0 {
		errs = append(errs, errors.New("clerk: the timeout is negative"))
	}
	if err := checkURL(cfg.URL); err != nil {
		errs = append(errs, fmt.Errorf("clerk: the URL of the Backend API: %w", err))
	}
	return errors.Join(errs...)
}

// checkURL lets through https, and http to a loopback address: the secret key goes
// there.
func checkURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Hostname() == "":
		return errors.New("not an absolute URL with a host")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Path != "" && u.Path != "/":
		return errors.New("it must be a scheme and a host only")
	case u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	}
	return errors.New("it must be https, or http to a loopback address")
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
