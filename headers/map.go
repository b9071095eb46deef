package headers

import (
	"encoding/json"
	"strings"

	"github.com/manageros/authproxy"
)

// defaultMapping is what applications get unless configured otherwise.
const defaultMapping = "X-Auth-Manageros-User-Id=managerOSUserId," +
	"X-Auth-Organization-Id=organizationId," +
	"X-Auth-Organization-Name=organizationName," +
	"X-Auth-Organization-Slug=organizationSlug," +
	"X-Auth-Person-Id=personId," +
	"X-Auth-Role=role"

// Mapping says which claims become which header fields. It is immutable.
type Mapping struct {
	entries []entry
}

// entry is one header and the claims it may come from.
type entry struct {
	header   string // canonical
	paths    []Path // the first with a value wins
	fallback string // as configured; "" for none
	encoded  string // fallback, as the header carries it
	enc      encoding
}

// ParseMapping compiles a mapping (the grammar of the package documentation).
// An empty spec is the default mapping, a leading "+" adds to it. The error
// joins all mistakes, each with the entry it is in.
func ParseMapping(spec string) (*Mapping, error) {
	entries, err := parseEntries(spec)
	if err != nil {
		return nil, err
	}
	return &Mapping{entries: entries}, nil
}

// Headers returns the canonical names of the mapped headers in mapping order.
func (m *Mapping) Headers() []string {
	names := make([]string, len(m.entries))
	for i, e := range m.entries {
		names[i] = e.header
	}
	return names
}

// String returns the mapping in full, in a spelling that [ParseMapping] reads
// as the same mapping.
func (m *Mapping) String() string {
	texts := make([]string, len(m.entries))
	for i, e := range m.entries {
		texts[i] = e.String()
	}
	return strings.Join(texts, ",")
}

// Render reads the mapped claims: one Claim per entry in mapping order. An
// error is a [*authproxy.Refusal] with reason ClaimInvalid: a claim holds what
// its header cannot carry. The first alternative that has a value is the one;
// when that cannot be carried, no other is taken in its place.
//
// The claims are those of a verified token: valid UTF-8, no name twice, no lone
// surrogate.
func (m *Mapping) Render(claims authproxy.Claims) ([]authproxy.Claim, error) {
	top, err := members(json.RawMessage(claims))
	if err != nil || top == nil { // nil: the JSON null
		refusal := authproxy.Refuse(authproxy.ClaimInvalid, "the claims are no JSON object")
		refusal.Cause = err
		return nil, refusal
	}
	out := make([]authproxy.Claim, len(m.entries))
	for i, e := range m.entries {
		if out[i], err = e.render(top); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (e entry) render(top map[string]json.RawMessage) (authproxy.Claim, error) {
	claim := authproxy.Claim{Path: e.paths[0].text, Header: e.header, Source: authproxy.ClaimAbsent}
	for _, path := range e.paths {
		raw, found := path.find(top)
		if !found {
			continue
		}
		value, err := e.enc.render(raw)
		if err != nil {
			return claim, authproxy.Refuse(authproxy.ClaimInvalid, "the claim %s cannot become %s: %v", path.text, e.header, err)
		}
		claim.Path, claim.Value, claim.Source = path.text, value, authproxy.ClaimFromToken
		return claim, nil
	}
	if e.encoded != "" {
		claim.Value, claim.Source = e.encoded, authproxy.ClaimFromDefault
	}
	return claim, nil
}

// String returns the entry in the mapping grammar.
func (e entry) String() string {
	paths := make([]string, len(e.paths))
	for i, p := range e.paths {
		paths[i] = p.text
	}
	text := e.header + "=" + strings.Join(paths, "|")
	if e.fallback != "" {
		text += ";default=" + quoteDefault(e.fallback)
	}
	if e.enc != encPercent {
		text += ";enc=" + string(e.enc)
	}
	return text
}
