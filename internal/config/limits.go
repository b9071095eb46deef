package config

import (
	"strings"
	"time"
)

const (
	shortest = 100 * time.Millisecond // of what repeats itself: less is a flood
	instant  = time.Millisecond       // of a timeout: less is never
	day      = 24 * time.Hour
	month    = 30 * day
)

// between checks a duration and returns it; 0 when it cannot be used.
func (l *loader) between(name string, d duration, least, most time.Duration) time.Duration {
	v := time.Duration(d)
	if l.failed[name] {
		return 0
	}
	if v < least || v > most {
		l.add(name, short(v)+" is not between "+short(least)+" and "+short(most), "")
		return 0
	}
	return v
}

// short writes 24h and not 24h0m0s.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func (l *loader) limits(s *settings, c *Limits) {
	const kib, mib = 1 << 10, 1 << 20
	if !l.failed["AUTHPROXY_MAX_HEADER_BYTES"] && (s.MaxHeaderBytes < kib || s.MaxHeaderBytes > 16*mib) {
		l.add("AUTHPROXY_MAX_HEADER_BYTES", "is not between 1KiB and 16MiB", "64KiB is the default")
	}
	c.MaxHeaderBytes = int(s.MaxHeaderBytes)
	c.MaxBodyBytes = int64(s.MaxBodyBytes)
	c.ReadHeaderTimeout = l.between("AUTHPROXY_READ_HEADER_TIMEOUT", s.ReadHeaderTimeout, instant, 10*time.Minute)
	c.IdleTimeout = l.between("AUTHPROXY_IDLE_TIMEOUT", s.IdleTimeout, instant, day)
	c.UpstreamTimeout = l.between("AUTHPROXY_UPSTREAM_TIMEOUT", s.UpstreamTimeout, instant, day)
	c.StreamMaxAge = l.between("AUTHPROXY_STREAM_MAX_AGE", s.StreamMaxAge, instant, month)
	c.ShutdownDelay = l.between("AUTHPROXY_SHUTDOWN_DELAY", s.ShutdownDelay, 0, time.Hour)
	c.ShutdownTimeout = l.between("AUTHPROXY_SHUTDOWN_TIMEOUT", s.ShutdownTimeout, instant, time.Hour)
	if l.failed["AUTHPROXY_SHUTDOWN_DELAY"] || l.failed["AUTHPROXY_SHUTDOWN_TIMEOUT"] {
		return
	}
	if c.ShutdownDelay >= c.ShutdownTimeout {
		l.add("AUTHPROXY_SHUTDOWN_DELAY", "is not less than AUTHPROXY_SHUTDOWN_TIMEOUT", "the timeout includes the delay, and nothing would be left to finish requests in")
	}
}
