package clerkdev

import (
	"cmp"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
)

var templateParams = []string{
	"name", "claims", "lifetime", "allowed_clock_skew", "custom_signing_key", "signing_algorithm", "signing_key",
}

// reservedClaims are those Clerk puts into every token of a template itself.
func reservedClaims() []string { return []string{"azp", "exp", "iat", "iss", "jti", "nbf", "sub"} }

// Clerk's defaults, in seconds.
const defaultLifetime, defaultSkew, maxSkew = 60, 5, 300

var templateNameForm = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

func (b *backend) templates() {
	b.handle("GET /v1/jwt_templates", b.listTemplates)
	b.handle("POST /v1/jwt_templates", b.createTemplate)
	b.handle("GET /v1/jwt_templates/{template}", b.getTemplate)
	b.handle("PATCH /v1/jwt_templates/{template}", b.updateTemplate)
	b.handle("DELETE /v1/jwt_templates/{template}", b.deleteTemplate)
}

func templateJSON(t jwtTemplate) map[string]any {
	return map[string]any{
		"object": "jwt_template", "id": t.ID, "name": t.Name, "claims": objectOrEmpty(t.Claims),
		"lifetime": t.Lifetime, "allowed_clock_skew": t.AllowedClockSkew,
		"custom_signing_key": false, "signing_algorithm": "RS256",
		"created_at": t.CreatedAt.UnixMilli(), "updated_at": t.UpdatedAt.UnixMilli(),
	}
}

func (b *backend) jwtTemplate(id string) (jwtTemplate, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, ok := b.state.templates[id]
	if !ok {
		return jwtTemplate{}, errNoTemplate("id", id)
	}
	return *t, nil
}

func errNoTemplate(attribute, value string) *refusal {
	return refuse(http.StatusNotFound, "resource_not_found", "JWT template not found", "No JWT template exists with "+attribute+": "+value)
}

func (b *backend) getTemplate(r *http.Request) (any, error) {
	t, err := b.jwtTemplate(r.PathValue("template"))
	return templateJSON(t), err
}

func (b *backend) listTemplates(r *http.Request) (any, error) {
	p, err := readPage(r.URL.Query())
	if err != nil {
		return nil, err
	}
	var all []jwtTemplate
	b.mu.Lock()
	for _, t := range b.state.templates {
		all = append(all, *t)
	}
	b.mu.Unlock()
	slices.SortFunc(all, func(a, b jwtTemplate) int { return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.ID, b.ID)) })
	if r.URL.Query().Get("paginated") != "true" {
		return show(p, all, templateJSON), nil
	}
	return paginated(p, all, templateJSON), nil
}

func (b *backend) createTemplate(r *http.Request) (any, error) {
	now := b.now()
	t := jwtTemplate{ID: newID("jtmp"), Lifetime: defaultLifetime, AllowedClockSkew: defaultSkew, CreatedAt: now}
	return b.writeTemplate(r, t)
}

func (b *backend) updateTemplate(r *http.Request) (any, error) {
	t, err := b.jwtTemplate(r.PathValue("template"))
	if err != nil {
		return nil, err
	}
	return b.writeTemplate(r, t)
}

// writeTemplate stores t with what the body says. Name and claims are required,
// also for a PATCH.
func (b *backend) writeTemplate(r *http.Request, t jwtTemplate) (any, error) {
	f, err := readBody(r, templateParams...)
	if err != nil {
		return nil, err
	}
	f.require("name", "claims")
	f.text("name", &t.Name)
	if f.wrong == nil && !templateNameForm.MatchString(t.Name) {
		f.refuse(wrong("name", "form_param_format_invalid", "is invalid", "name can only contain letters, numbers, dashes and underscores."))
	}
	f.object("claims", &t.Claims)
	f.number("lifetime", shortestToken, longestToken, &t.Lifetime)
	f.number("allowed_clock_skew", 0, maxSkew, &t.AllowedClockSkew)
	f.signing()
	if err := f.err(); err != nil {
		return nil, err
	}
	if err := checkClaims(t.Claims); err != nil {
		return nil, err
	}
	t.UpdatedAt = b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, other := range b.state.templates {
		if other.Name == t.Name && other.ID != t.ID {
			return nil, wrong("name", "form_already_exists", "already exists", "A JWT template with name "+t.Name+" already exists.")
		}
	}
	b.state.templates[t.ID] = &t
	return templateJSON(t), nil
}

// signing refuses keys of one's own: the emulator signs with its only key.
func (f *form) signing() {
	custom, algorithm, key := false, "", ""
	f.flag("custom_signing_key", &custom)
	f.text("signing_algorithm", &algorithm)
	f.text("signing_key", &key)
	switch {
	case custom:
		f.refuse(refuse(http.StatusPaymentRequired, "unsupported_subscription_plan_features", "Unsupported plan features",
			"The emulator signs every token with the instance's own key."))
	case key != "" || algorithm != "" && algorithm != "RS256":
		f.refuse(wrong("signing_algorithm", "form_conditional_param_disallowed", "is not allowed",
			"`signing_algorithm` isn't allowed when `custom_signing_key` is false."))
	}
}

func checkClaims(claims json.RawMessage) error {
	object, err := decodeObject(claims)
	if err != nil {
		return errNotObject("claims")
	}
	for _, name := range reservedClaims() {
		if _, ok := object[name]; ok {
			r := refuse(http.StatusBadRequest, "jwt_template_reserved_claim", "reserved claim used", "You can't use the reserved claim: '"+name+"'")
			r.problems[0].Meta["param_name"] = "claims"
			return r
		}
	}
	if _, err := compileTemplate(string(claims), reservedClaims()); err != nil {
		return wrong("claims", "form_param_value_invalid", "is invalid", "claims is invalid: "+err.Error())
	}
	return nil
}

func (b *backend) deleteTemplate(r *http.Request) (any, error) {
	t, err := b.jwtTemplate(r.PathValue("template"))
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	delete(b.state.templates, t.ID)
	b.mu.Unlock()
	return deletedJSON("jwt_template", t.ID), nil
}
