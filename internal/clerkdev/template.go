package clerkdev

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// errReserved says that a template sets a claim that Clerk sets itself
// (jwt_template_reserved_claim).
var errReserved = errors.New("a default claim cannot be set by a template")

// sessionReserved are the default claims of session tokens, of both versions
// (clerk.md, 3.1).
const sessionReserved = "act azp exp fea fva iat iss jti nbf o org_id org_permissions org_role org_slug pla sid sts sub v"

// template is a compiled session-token template.
type template struct {
	// claims is the JSON of the template with every string compiled to a text.
	claims map[string]any
}

// parseTemplate compiles the JSON of "Customize session token"; "" has no claims.
func parseTemplate(text string) (*template, error) {
	return compileTemplate(text, strings.Fields(sessionReserved))
}

// compileTemplate compiles a JSON object whose strings may hold {{shortcodes}}
// and which sets none of the reserved names.
func compileTemplate(source string, reserved []string) (*template, error) {
	if strings.TrimSpace(source) == "" {
		return &template{}, nil
	}
	claims, err := decodeObject([]byte(source))
	if err != nil {
		return nil, err
	}
	t := &template{claims: map[string]any{}}
	for _, name := range sortedKeys(claims) {
		if slices.Contains(reserved, name) {
			return nil, fmt.Errorf("claim %q: %w", name, errReserved)
		}
		if t.claims[name], err = compileValue(claims[name]); err != nil {
			return nil, fmt.Errorf("claim %q: %w", name, err)
		}
	}
	return t, nil
}

// decodeObject reads one JSON object and nothing after it. Numbers keep their
// spelling.
func decodeObject(text []byte) (map[string]any, error) {
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	if object == nil {
		return nil, errors.New("not a JSON object: null")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("not a JSON object: there is more after it")
	}
	return object, nil
}

func compileValue(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case string:
		return parseText(v)
	case []any:
		list := make([]any, len(v))
		for n := range v {
			if list[n], err = compileValue(v[n]); err != nil {
				return nil, err
			}
		}
		return list, nil
	case map[string]any:
		object := make(map[string]any, len(v))
		for name := range v {
			if object[name], err = compileValue(v[name]); err != nil {
				return nil, err
			}
		}
		return object, nil
	default: // a number, a boolean, null
		return v, nil
	}
}

// render gives the claims for somebody; organization is nil when none is active.
// A value without data is null and its key is there (clerk.md, 3.2).
func (t *template) render(user User, organization *Organization, role string) map[string]any {
	data := templateData(user, organization, role)
	claims := make(map[string]any, len(t.claims))
	for name, value := range t.claims {
		claims[name] = renderValue(value, data)
	}
	return claims
}

func renderValue(v any, data map[string]any) any {
	switch v := v.(type) {
	case text:
		return v.render(data)
	case []any:
		list := make([]any, len(v))
		for n := range v {
			list[n] = renderValue(v[n], data)
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(v))
		for name := range v {
			object[name] = renderValue(v[name], data)
		}
		return object
	default:
		return v
	}
}

// templateData is everything that a shortcode can reach, by its words. Private
// metadata is not in it: a token is readable by the browser.
func templateData(user User, organization *Organization, role string) map[string]any {
	data := map[string]any{"user": map[string]any{
		"id": user.ID, "external_id": textOrNull(user.ExternalID), "username": textOrNull(user.Username),
		"first_name": textOrNull(user.FirstName), "last_name": textOrNull(user.LastName),
		"full_name":             textOrNull(user.FullName()),
		"primary_email_address": textOrNull(user.Email),
		"email_verified":        user.Email != "" && user.Verified,
		"public_metadata":       metadata(user.PublicMetadata),
		"unsafe_metadata":       metadata(user.UnsafeMetadata),
	}}
	if organization != nil {
		data["org"] = map[string]any{
			"id": organization.ID, "name": organization.Name, "slug": textOrNull(organization.Slug), "role": textOrNull(role),
			"public_metadata": metadata(organization.PublicMetadata),
		}
	}
	return data
}

// metadata is never null at Clerk: nothing stored is an empty object.
func metadata(raw json.RawMessage) map[string]any {
	object, err := decodeObject(raw)
	if err != nil {
		return map[string]any{}
	}
	return object
}
