package clerkdev

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// templateClass is the header cat of tokens made from JWT templates (clerk.md, 3.1).
const templateClass = "cl_B7d4PD222AAA"

// createToken makes a session token. It has no azp: no page asked for it.
func (b *backend) createToken(r *http.Request) (any, error) {
	life, err := readLife(r)
	if err != nil {
		return nil, err
	}
	if life == 0 {
		life = b.cfg.TokenLifetime
	}
	return b.answerToken(r, func(sessionID string) (string, error) { return b.mintLong(sessionID, life) })
}

func (b *backend) createTemplateToken(r *http.Request) (any, error) {
	life, err := readLife(r)
	if err != nil {
		return nil, err
	}
	return b.answerToken(r, func(sessionID string) (string, error) {
		return b.mintTemplate(sessionID, r.PathValue("template"), "", life)
	})
}

func (b *backend) answerToken(r *http.Request, mint func(sessionID string) (string, error)) (any, error) {
	id := r.PathValue("session")
	jwt, err := mint(id)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrSessionEnded) {
		return nil, errNoSession(id)
	}
	return map[string]any{"object": "token", "jwt": jwt}, err
}

// mintLong is [Instance.Mint] with another lifetime.
func (i *Instance) mintLong(sessionID string, life time.Duration) (string, error) {
	who, err := i.speaker(sessionID)
	if err != nil {
		return "", err
	}
	now := i.now().Truncate(time.Second)
	claims := i.template.render(who.user, who.organization, who.membership.Role)
	for name, value := range i.sessionClaims(who, Token{IssuedAt: now, ExpiresAt: now.Add(life)}, "") {
		claims[name] = value
	}
	return i.keys.sign(map[string]any{"cat": sessionClass, "oiat": now.Unix()}, claims)
}

// mintTemplate makes the token of a JWT template for the person of a session. It has
// the default claims of clerk.md, 3.3, and none that tell of the session. Zero life
// is the template's own.
func (i *Instance) mintTemplate(sessionID, name, azp string, life time.Duration) (string, error) {
	who, err := i.speaker(sessionID)
	if err != nil {
		return "", err
	}
	t, ok := i.templateNamed(name)
	if !ok {
		return "", errNoTemplate("name", name)
	}
	compiled, err := compileTemplate(string(t.Claims), reservedClaims())
	if err != nil {
		return "", fmt.Errorf("clerkdev: template %s: %w", name, err)
	}
	if life == 0 {
		life = time.Duration(t.Lifetime) * time.Second
	}
	now := i.now().Truncate(time.Second)
	claims := compiled.render(who.user, who.organization, who.membership.Role)
	for name, value := range map[string]any{
		"iss": i.named.Issuer(), "sub": who.user.ID, "jti": tokenID(), "iat": now.Unix(),
		"nbf": now.Unix() - int64(t.AllowedClockSkew), "exp": now.Add(life).Unix(),
	} {
		claims[name] = value
	}
	if azp != "" {
		claims["azp"] = azp
	}
	return i.keys.sign(map[string]any{"cat": templateClass}, claims)
}

func (i *Instance) templateNamed(name string) (jwtTemplate, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, t := range i.state.templates {
		if t.Name == name {
			return *t, true
		}
	}
	return jwtTemplate{}, false
}
