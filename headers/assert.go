package headers

import (
	"github.com/manageros/authproxy"
)

// maxAsserted is how many bytes all asserted header lines may have together,
// as HTTP/1.1 writes them. Servers behind us allow about 8 KiB for a whole
// head, and one that answers 431 or 502 says nothing about the reason.
const maxAsserted = 8 << 10

// lineOverhead is the ": " and CRLF of a header line.
const lineOverhead = 4

// Assert returns the complete identity headers of a request that passes as id:
// the claims that are there, then X-Auth-User-Id, X-Auth-Session-Id,
// X-Auth-Actor and X-Auth-Status. The ids are percent-encoded where a mapped
// claim would be. An error is a [*authproxy.Refusal]: ClaimInvalid when an id is
// missing or cannot be carried, ClaimTooLarge above 8 KiB.
func (m *Mapping) Assert(id *authproxy.Identity, claims []authproxy.Claim) ([]authproxy.Field, error) {
	if id == nil {
		return nil, authproxy.Refuse(authproxy.InternalError, "there is no identity to assert")
	}
	fields := make([]authproxy.Field, 0, len(claims)+4)
	for _, c := range claims {
		if c.Source == authproxy.ClaimAbsent {
			continue
		}
		if !isFieldValue(c.Value) {
			return nil, authproxy.Refuse(authproxy.ClaimInvalid, "the claim %s cannot become %s: its value is no header value", c.Path, c.Header)
		}
		fields = append(fields, authproxy.Field{Name: c.Header, Value: c.Value})
	}
	fields, err := appendBuiltIn(fields, id)
	if err != nil {
		return nil, err
	}
	if size := wireSize(fields); size > maxAsserted {
		return nil, authproxy.Refuse(authproxy.ClaimTooLarge, "the identity headers have %d bytes together, at most %d are possible", size, maxAsserted)
	}
	return fields, nil
}

// Anonymous returns the identity headers of a request that passes as nobody.
func Anonymous() []authproxy.Field {
	return []authproxy.Field{{Name: statusHeader, Value: "anonymous"}}
}

func appendBuiltIn(fields []authproxy.Field, id *authproxy.Identity) ([]authproxy.Field, error) {
	ids := []struct {
		header, claim, value string
		wanted               bool
	}{
		{userIDHeader, "sub", id.UserID, true},
		{sessionIDHeader, "sid", id.SessionID, id.SessionID != ""}, // a JWT template's token has none
		{actorHeader, "act.sub", "", id.Actor != nil},
	}
	if id.Actor != nil {
		ids[2].value = id.Actor.UserID
	}
	for _, x := range ids {
		if !x.wanted {
			continue
		}
		value, err := builtIn(x.value)
		if err != nil {
			return nil, authproxy.Refuse(authproxy.ClaimInvalid, "the claim %s cannot become %s: %v", x.claim, x.header, err)
		}
		fields = append(fields, authproxy.Field{Name: x.header, Value: value})
	}
	return append(fields, authproxy.Field{Name: statusHeader, Value: "authenticated"}), nil
}

// builtIn encodes an id. An empty one is refused: an application that sees no
// X-Auth-Actor takes an impersonated session for the user's own.
func builtIn(value string) (string, error) {
	if value == "" {
		return "", errEmpty
	}
	if err := refuseControl(value); err != nil {
		return "", err
	}
	return encPercent.encode(value)
}

func wireSize(fields []authproxy.Field) int {
	size := 0
	for _, f := range fields {
		size += len(f.Name) + len(f.Value) + lineOverhead
	}
	return size
}
