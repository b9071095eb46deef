package route

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/manageros/authproxy"
)

// Organizations knows which paths belong to which organisation, by the patterns
// of Clerk's organisation sync (organizationSyncOptions of its SDKs). It does not
// change after ParsePatterns. A nil *Organizations knows none.
type Organizations struct {
	organization, personal []*pathPattern
}

// ParsePatterns compiles AUTHPROXY_ORGANIZATION_PATTERNS and
// AUTHPROXY_PERSONAL_ACCOUNT_PATTERNS: patterns of path-to-regexp 6, which is what
// @clerk/shared holds. An empty list is as in Clerk's SDK no list at all. All
// mistakes are reported, each with its pattern.
//
// What Clerk's SDK accepts and cannot be meant is refused: a pattern that does not
// begin with "/", an id or slug that repeats. And so is what Go's regexp, whose
// time is linear in the path, has no words for: look-around, back references, and
// a parameter behind a separator of several characters ("/:id-and-:slug").
func ParsePatterns(organization, personal []string) (*Organizations, error) {
	var mistakes []error
	compile := func(kind string, texts []string) (all []*pathPattern) {
		for _, text := range texts {
			p, err := compilePattern(text)
			if err != nil {
				mistakes = append(mistakes, fmt.Errorf("route: %s pattern %q: %w", kind, text, err))
				continue
			}
			all = append(all, p)
		}
		return all
	}
	o := &Organizations{compile("organisation", organization), compile("personal account", personal)}
	return o, errors.Join(mistakes...)
}

// Target returns what a path in its original text says about the organisation
// that is to be active; false: nothing. Of each list the first pattern that
// matches counts, organisations come before the personal account, and an id before
// a slug (clerk.md section 2.11).
func (o *Organizations) Target(path string) (Target, bool) {
	if o == nil || len(o.organization)+len(o.personal) == 0 {
		return Target{}, false
	}
	path = pathname(path)
	for _, p := range o.organization {
		if id, slug, ok := p.match(path); ok {
			switch {
			case id != "":
				return Target{ID: id}, true
			case slug != "":
				return Target{Slug: slug}, true
			}
			break // exempt from the patterns that follow
		}
	}
	for _, p := range o.personal {
		if _, _, ok := p.match(path); ok {
			return Target{Personal: true}, true
		}
	}
	return Target{}, false
}

// Target is the organisation of a page. One of its fields is set.
type Target struct {
	ID       string // "org_…", as it stands in the path: not decoded
	Slug     string // likewise
	Personal bool   // the personal account: no organisation
}

// Query returns the value of organization_id that asks Clerk's handshake for the
// target: the id or the slug, "" for the personal account.
func (t Target) Query() string { return t.ID + t.Slug }

// Differs reports whether another organisation than the target is active; nil is
// the personal account. Only the pattern's own text is compared without case.
func (t Target) Differs(active *authproxy.Organization) bool {
	var org authproxy.Organization
	if active != nil {
		org = *active
	}
	return t.ID != "" && t.ID != org.ID || t.Slug != "" && t.Slug != org.Slug || t.Personal && org.ID != ""
}

// pathname writes a path as the URL of a browser does (WHATWG URL, path
// percent-encode set), which is what Clerk's SDK matches. So patterns are ASCII,
// where letters have one other case each, to Go as to JavaScript.
func pathname(path string) string {
	path, _, _ = strings.Cut(path, "#")
	var b strings.Builder
	for i := range len(path) {
		if c := path[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>`{}", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// pathPattern is one compiled pattern.
type pathPattern struct {
	expr     *regexp.Regexp
	id, slug []int // which groups are parameters of this name
}

// match returns the parameters of a path; false: it does not match.
func (p *pathPattern) match(path string) (id, slug string, ok bool) {
	groups := p.expr.FindStringSubmatchIndex(path)
	if groups == nil {
		return "", "", false
	}
	last := func(named []int) (value string) {
		for _, g := range named {
			if at := groups[2*g]; at >= 0 {
				value = path[at:groups[2*g+1]]
			}
		}
		return value
	}
	return last(p.id), last(p.slug), true
}
