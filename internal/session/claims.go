package session

import (
	"encoding/json"
	"errors"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/manageros/authproxy"
)

// latest is the last second that is written with four digits for the year. A
// number beyond it is no time in seconds; milliseconds are the usual mistake.
const latest = 253402300799

// identity reads the claims of a token that is authentic. It refuses claims of a
// wrong type, where Clerk's SDK has no opinion or a later one.
func identity(c *compact) (*authproxy.Identity, *authproxy.Refusal) {
	id := &authproxy.Identity{
		UserID:          unquote(c.claims["sub"]),
		SessionID:       unquote(c.claims["sid"]),
		SessionStatus:   status(c.claims),
		Issuer:          unquote(c.claims["iss"]),
		AuthorizedParty: unquote(c.claims["azp"]),
		FactorAges:      factorAges(c.claims["fva"]),
		Claims:          c.payload,
	}
	if id.UserID == "" {
		return nil, wrong("sub is missing or not a string")
	}
	if id.SessionID == "" { // a template's token from before cat (clerk.md, 3.3)
		return nil, authproxy.Refuse(authproxy.TokenTypeMismatch, "the token has no sid, so it is not that of a session")
	}
	for name, t := range map[string]*time.Time{"exp": &id.ExpiresAt, "nbf": &id.NotBefore, "iat": &id.IssuedAt} {
		raw, present := c.claims[name]
		if !present && name != "exp" {
			continue
		}
		at, ok := seconds(raw)
		if !ok {
			return nil, wrong("%s is missing or not a time in seconds", name)
		}
		*t = time.Unix(at, 0).UTC()
	}
	var ok bool
	if id.Actor, ok = actor(c.claims); !ok {
		return nil, wrong("act does not say who acts")
	}
	var err error
	if id.Organization, err = organization(c.claims, failClosed); err != nil {
		return nil, &authproxy.Refusal{Reason: authproxy.UnexpectedError, Detail: "the organisation cannot be read", Cause: err}
	}
	return id, nil
}

func wrong(format string, args ...any) *authproxy.Refusal {
	return authproxy.Refuse(authproxy.TokenVerificationFailed, format, args...)
}

// status is the claim sts. A status that is not known is not "active": it counts
// as pending, which is signed out until somebody looks at it (clerk.md, 2.13).
func status(claims members) string {
	if sts, present := claims["sts"]; present && unquote(sts) != "active" {
		return "pending"
	}
	return "active"
}

// actor reads the claim act (RFC 8693, section 4.1). One that cannot be read is
// not ok: an impersonation must never be invisible (threat JWT-35).
func actor(claims members) (_ *authproxy.Actor, ok bool) {
	raw, present := claims["act"]
	if !present {
		return nil, true
	}
	act, err := parseObject([]byte(raw))
	if err != nil {
		return nil, false
	}
	a := &authproxy.Actor{
		UserID: unquote(act["sub"]), SessionID: unquote(act["sid"]), Issuer: unquote(act["iss"]), Type: unquote(act["type"]),
	}
	return a, a.UserID != ""
}

// factorAges reads fva; nil when it is anything but two whole numbers from -1.
func factorAges(raw string) []int {
	list := elements(raw)
	if len(list) != 2 {
		return nil
	}
	ages := make([]int, 2)
	for i, element := range list {
		age, err := strconv.Atoi(string(element))
		if err != nil || age < -1 {
			return nil
		}
		ages[i] = age
	}
	return ages
}

// organization reads the active organisation out of version 2 claims (v, o, fea)
// or version 1 claims (org_*). The error is about the permissions.
func organization(claims members, align alignment) (*authproxy.Organization, error) {
	if v, _ := number(claims["v"]); v != 2 {
		return organizationV1(claims), nil
	}
	if falsy(claims["o"]) {
		return nil, nil
	}
	o, err := parseObject([]byte(claims["o"]))
	if err != nil {
		o = members{}
	}
	permissions, err := permissions(claims["fea"], o["per"], o["fpm"], align)
	org := &authproxy.Organization{ID: unquote(o["id"]), Slug: unquote(o["slg"]), Permissions: permissions}
	if role := unquote(o["rol"]); role != "" {
		org.Role = "org:" + role
	}
	if org.ID == "" {
		org = nil
	}
	return org, err
}

func organizationV1(claims members) *authproxy.Organization {
	id := unquote(claims["org_id"])
	if id == "" {
		return nil
	}
	return &authproxy.Organization{
		ID: id, Slug: unquote(claims["org_slug"]), Role: unquote(claims["org_role"]),
		Permissions: stringsOf(claims["org_permissions"]),
	}
}

var errPermissions = errors.New("fea, o.per or o.fpm is malformed")

// alignment says what to do when it is not certain which feature a bitmask of
// fpm belongs to.
type alignment bool

const (
	failClosed alignment = false // no permissions
	asClerk    alignment = true  // what @clerk/backend makes of it
)

// permissions decodes version 2 permissions: the j-th bit of the i-th bitmask in
// fpm, lowest first, grants per[j] of a feature. Clerk's JavaScript SDK counts i
// over the features of organisations only, its documentation and Go SDK over all
// of them (clerk.md, 3.1); we follow the former, and only when the number of
// bitmasks is one that either of them could have meant.
func permissions(fea, per, fpm string, align alignment) ([]string, error) {
	features, all, err := organizationFeatures(fea)
	if err != nil {
		return nil, err
	}
	if !falsy(per) && !falsy(fpm) && (per[0] != '"' || fpm[0] != '"') {
		return nil, errPermissions
	}
	if unquote(per) == "" || unquote(fpm) == "" {
		return nil, nil
	}
	verbs, masks := strings.Split(unquote(per), ","), strings.Split(unquote(fpm), ",")
	if align == failClosed && len(masks) != len(features) && len(masks) != all {
		return nil, nil
	}
	var granted []string
	for i := range min(len(features), len(masks)) {
		mask := bits(strings.TrimSpace(masks[i]))
		for j, verb := range verbs {
			if mask.Bit(j) == 1 {
				granted = append(granted, "org:"+features[i]+":"+strings.TrimSpace(verb))
			}
		}
	}
	return granted, nil
}

// organizationFeatures splits fea, a list of scope:feature with the scopes o, u,
// ou and uo, and counts what it holds of all scopes.
func organizationFeatures(fea string) (features []string, all int, _ error) {
	if falsy(fea) {
		return nil, 0, nil
	}
	if fea[0] != '"' {
		return nil, 0, errPermissions
	}
	for element := range strings.SplitSeq(unquote(fea), ",") {
		scope, feature, found := strings.Cut(strings.TrimSpace(element), ":")
		if !found {
			return nil, 0, errPermissions
		}
		all++
		switch scope {
		case "o", "ou", "uo":
			features = append(features, feature)
		}
	}
	return features, all, nil
}

// bits reads a decimal bitmask of any length; what is none grants nothing.
func bits(decimal string) *big.Int {
	mask := new(big.Int)
	if decimal == "" || strings.Trim(decimal, "0123456789") != "" {
		return mask
	}
	if n, ok := new(big.Int).SetString(decimal, 10); ok {
		return n
	}
	return mask
}

// number reads a JSON number.
func number(raw string) (float64, bool) {
	if raw == "" || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return 0, false
	}
	n, err := strconv.ParseFloat(raw, 64)
	return n, err == nil
}

// seconds reads a NumericDate (RFC 7519, section 2), which may have a fraction,
// between 1970 and 9999.
func seconds(raw string) (int64, bool) {
	n, ok := number(raw)
	if !ok || n < 0 || n > latest {
		return 0, false
	}
	return int64(n), true
}

// elements returns the elements of a JSON array; nil when it is none.
func elements(raw string) (list []json.RawMessage) {
	if raw == "" || raw[0] != '[' || json.Unmarshal([]byte(raw), &list) != nil {
		return nil
	}
	return list
}

// stringsOf returns the elements of an array of strings; nil when it is none.
func stringsOf(raw string) []string {
	var list []string
	for _, element := range elements(raw) {
		if element[0] != '"' {
			return nil
		}
		list = append(list, unquote(string(element)))
	}
	return list
}
