package headers

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// identityBeginning is ours whole: an application may trust every such name.
const identityBeginning = "x-auth-*"

// Owner decides which header fields of a client never arrive. It is immutable.
type Owner struct {
	// rules by the first byte of the folded name, so that most fields of a
	// request are compared with nothing.
	rules [256][]rule
	pass  []string // folded
}

// OwnerConfig says what an [Owner] removes beside what it always does.
type OwnerConfig struct {
	Mapped []string // the headers of the mapping
	Pass   []string // names under X-Auth- that clients may send, in exactly this spelling (in any case)
	Strip  []string // identity headers of other products, exact or ending in "*"; nil for DefaultStrip
}

// DefaultStrip returns the identity headers of other products that are removed
// unless configured otherwise.
func DefaultStrip() []string {
	return []string{
		"X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username",
		"Remote-*", "X-Remote-*", "X-Webauth-*", "X-Goog-Authenticated-*", "Cf-Access-*", "X-Amzn-Oidc-*",
		"X-Authentik-*", "X-Pomerium-*", "Tailscale-User-*", "Impersonate-*",
	}
}

// NewOwner returns an Owner. The error joins all mistakes of the configuration.
func NewOwner(c OwnerConfig) (*Owner, error) {
	o := &Owner{}
	var mistakes []error
	note := func(err error) { mistakes = append(mistakes, err) }
	o.add(kindIdentity, identityBeginning)
	for _, name := range c.Mapped {
		_, err := parseMappedName(name)
		if err != nil {
			note(fmt.Errorf("headers: mapped name %q: %w", name, err))
		}
		o.add(kindIdentity, Fold(name))
	}
	strip := c.Strip
	if strip == nil {
		strip = DefaultStrip()
	}
	for _, entry := range strip {
		folded, err := parseStrip(entry)
		note(err)
		o.add(kindProduct, folded)
	}
	o.add(kindControl, "proxy", "x-original-url", "x-original-uri", "x-rewrite-url", "x-accel-*", "x-middleware-*", "x-clerk-*", "clerk-*")
	// CGI's own variables: gunicorn takes the path an application sees from
	// SCRIPT_NAME and PATH_INFO, so a public path could become another.
	o.add(kindControl, "script-name", "path-info")
	// PHP and others read Content_Length as Content-Length, which is framing and
	// not for a client to say twice.
	for _, name := range []string{"content-length", "content-type", "transfer-encoding"} {
		o.rules[name[0]] = append(o.rules[name[0]], rule{text: name, disguised: true, kind: kindControl})
	}
	o.add(kindForwarding, "x-forwarded-*", "forwarded", "x-real-ip", "x-request-id")
	o.add(kindTrace, "traceparent", "tracestate")
	for _, name := range c.Pass {
		note(checkPass(name, c.Mapped))
		o.pass = append(o.pass, Fold(name))
	}
	if err := errors.Join(mistakes...); err != nil {
		return nil, err
	}
	return o, nil
}

// Strip removes from h every field that a client must not bring, in any
// spelling and with all its values. It returns the distinct kinds of what it
// removed, out of "identity", "product", "control", "forwarding" and "trace".
// The last two are what every proxy in front of us sends, so they are named
// only when their spelling is no one's honest mistake.
func (o *Owner) Strip(h http.Header) []string {
	var seen [kinds]bool
	removed := false
	// Del and Get see canonical keys only; a map may hold others.
	for name := range h {
		k, owned, usual := o.match(name)
		if !owned {
			continue
		}
		delete(h, name)
		if quiet := usual && (k == kindForwarding || k == kindTrace); !quiet {
			seen[k], removed = true, true
		}
	}
	if !removed {
		return nil
	}
	return names(seen)
}

// Owns reports whether Strip removes fields of this name, for lists of names
// such as Connection and Trailer.
func (o *Owner) Owns(name string) bool {
	_, owned, _ := o.match(name)
	return owned
}

// rule is one name, or the beginning of names, in folded form.
type rule struct {
	text      string
	beginning bool
	disguised bool // only in another spelling than the usual one
	kind      kind
}

func (r rule) covers(folded []byte) bool {
	if r.beginning && len(folded) > len(r.text) {
		folded = folded[:len(r.text)]
	}
	return string(folded) == r.text
}

// kind groups what is removed.
type kind int

const (
	kindIdentity kind = iota
	kindProduct
	kindControl
	kindForwarding
	kindTrace
	kinds
)

func names(seen [kinds]bool) []string {
	var out []string
	for k, name := range [kinds]string{"identity", "product", "control", "forwarding", "trace"} {
		if seen[k] {
			out = append(out, name)
		}
	}
	return out
}

// add appends rules; the first that matches a name gives its kind.
func (o *Owner) add(k kind, entries ...string) {
	for _, e := range entries {
		if e == "" {
			continue
		}
		text, beginning := strings.CutSuffix(e, "*")
		o.rules[text[0]] = append(o.rules[text[0]], rule{text: text, beginning: beginning, kind: k})
	}
}

// match reports whether a name is owned, by which kind of rule, and whether it
// is spelled with hyphens as it should be. It runs for every field of every
// request: names up to the buffer's size are folded without allocating.
func (o *Owner) match(name string) (k kind, owned, usual bool) {
	if name == "" || len(o.rules[lower(name[0])]) == 0 {
		return 0, false, false
	}
	var buf [64]byte
	folded, usual := appendFold(buf[:0], name)
	for _, r := range o.rules[folded[0]] {
		if r.covers(folded) && (!r.disguised || !usual) {
			passes := usual && slices.ContainsFunc(o.pass, func(p string) bool { return p == string(folded) })
			return r.kind, !passes, usual
		}
	}
	return 0, false, usual
}

// lower is appendFold for a first byte: no rule begins with a hyphen, so other
// bytes need no care.
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func parseStrip(entry string) (folded string, err error) {
	text, beginning := strings.CutSuffix(entry, "*")
	name := text
	if beginning {
		name = strings.TrimSuffix(text, "-")
	}
	if _, err := parseName(name); err != nil {
		return "", fmt.Errorf("headers: strip entry %q: %w; an entry is a name, or the beginning of names followed by *", entry, err)
	}
	if beginning {
		return Fold(text) + "*", nil
	}
	return Fold(text), nil
}

func checkPass(name string, mapped []string) error {
	folded := Fold(name)
	isName := func(other string) bool { return Fold(other) == folded }
	_, err := parseName(name)
	switch {
	case err != nil:
		return fmt.Errorf("headers: pass entry %q: %w", name, err)
	case !covers(identityBeginning, folded):
		return fmt.Errorf("headers: pass entry %q: only names under X-Auth- are held back, others pass by themselves", name)
	case slices.ContainsFunc([]string{userIDHeader, sessionIDHeader, actorHeader, statusHeader}, isName):
		return fmt.Errorf("headers: pass entry %q: it is built in, a client could be anybody with it", name)
	case slices.ContainsFunc(mapped, isName):
		return fmt.Errorf("headers: pass entry %q: it is mapped, a client could be anybody with it", name)
	}
	return nil
}
