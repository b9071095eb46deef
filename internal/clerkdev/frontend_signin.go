package clerkdev

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// What everybody signs in with who does not use the page or a ticket. The code is
// the one of Clerk's own test addresses.
const (
	anyPassword = "clerkdev"
	anyCode     = "424242"
)

// attempt is somebody on the way in.
type attempt struct {
	id, status, identifier string
	userID, sessionID      string
	strategy               string // that was chosen; "" while none is
	madeAt                 time.Time
}

const attemptLife = 24 * time.Hour

// startSignIn begins to sign in, and for a ticket or a password ends with it. One
// who is signed in has to sign out before: the instance has one session a browser.
func (c *call) startSignIn() (any, error) {
	if _, ok := c.i.signedIn(c.token); ok {
		return nil, refuse(http.StatusBadRequest, "session_exists", "Session already exists",
			"You're currently in single session mode. You can only be signed into one account at a time.")
	}
	c.meet()
	a := attempt{id: newID("sia"), status: "needs_identifier", madeAt: c.i.now()}
	strategy := c.form.Get("strategy")
	if strategy == "ticket" {
		return c.useTicket(a)
	}
	if a.identifier = c.form.Get("identifier"); a.identifier != "" {
		u, err := c.i.identified(a.identifier)
		if err != nil {
			return nil, err
		}
		a.userID, a.status = u.ID, "needs_first_factor"
	}
	switch {
	case strategy == "":
		return c.keepAttempt(a)
	case a.userID == "":
		return nil, errMissing("identifier")
	case strategy == "password":
		return c.tryFactor(a, strategy)
	case strategy == "email_code":
		return c.prepare(a, strategy)
	}
	return nil, errValue("strategy", strategy, "ticket", "password", "email_code")
}

// identified is the one person with that address or name.
func (i *Instance) identified(identifier string) (User, error) {
	for _, u := range i.Users() {
		if slices.ContainsFunc([]string{u.Email, u.Username}, func(own string) bool { return own != "" && strings.EqualFold(own, identifier) }) {
			return u, nil
		}
	}
	return User{}, wrong("identifier", "form_identifier_not_found", "Couldn't find your account.", "Couldn't find your account.")
}

// keepAttempt stores an attempt and answers with it.
func (c *call) keepAttempt(a attempt) (any, error) {
	c.i.mu.Lock()
	if stored := c.i.state.clients[c.token]; stored != nil {
		stored.attempt = &a
	}
	c.i.mu.Unlock()
	return map[string]any{"response": c.i.attemptJSON(a), "client": c.clientJSON()}, nil
}

// attempt is the open one of the path.
func (c *call) attempt() (attempt, error) {
	stored, _, _, _ := c.i.clientState(c.token)
	if stored == nil || stored.attempt == nil || stored.attempt.id != c.args[0] || c.i.now().Sub(stored.attempt.madeAt) > attemptLife {
		return attempt{}, errNotFound("sign in", c.args[0])
	}
	return *stored.attempt, nil
}

func (c *call) showSignIn() (any, error) {
	a, err := c.attempt()
	if err != nil {
		return nil, err
	}
	return map[string]any{"response": c.i.attemptJSON(a), "client": nil}, nil
}

func (c *call) prepareFactor() (any, error) {
	a, err := c.attempt()
	if err != nil {
		return nil, err
	}
	return c.prepare(a, c.form.Get("strategy"))
}

// prepare would send the code.
func (c *call) prepare(a attempt, strategy string) (any, error) {
	u, ok := c.i.User(a.userID)
	if !ok || strategy != "email_code" || u.Email == "" {
		return nil, errValue("strategy", strategy, "email_code")
	}
	if to := c.form.Get("email_address_id"); to != "" && to != emailID(u) {
		return nil, errValue("email_address_id", to)
	}
	a.strategy = strategy
	return c.keepAttempt(a)
}

func (c *call) attemptFactor() (any, error) {
	a, err := c.attempt()
	if err != nil {
		return nil, err
	}
	strategy := c.form.Get("strategy")
	if strategy == "ticket" {
		return c.useTicket(a)
	}
	return c.tryFactor(a, strategy)
}

// tryFactor compares what was typed and signs in.
func (c *call) tryFactor(a attempt, strategy string) (any, error) {
	switch {
	case a.userID == "":
		return nil, errMissing("identifier")
	case strategy == "password":
		if c.form.Get("password") != anyPassword {
			return nil, wrong("password", "form_password_incorrect", "Password is incorrect. Try again, or use another method.", "Password is incorrect. Try again, or use another method.")
		}
	case strategy != "email_code":
		return nil, errValue("strategy", strategy, "ticket", "password", "email_code")
	case a.strategy != strategy:
		return nil, refuse(http.StatusBadRequest, "verification_missing", "Missing verification", "No code was sent yet: prepare the first factor before.")
	case c.form.Get("code") != anyCode:
		return nil, wrong("code", "form_code_incorrect", "is incorrect", "Incorrect code")
	}
	a.strategy = strategy
	return c.complete(a)
}

// useTicket takes a sign-in token of the Backend API, once.
func (c *call) useTicket(a attempt) (any, error) {
	userID, err := c.i.takeTicket(c.form.Get("ticket"))
	if err != nil {
		return nil, err
	}
	a.userID, a.strategy = userID, "ticket"
	return c.complete(a)
}

// complete starts the session. The answer holds the attempt twice, which is then
// over: clerk-js reads whichever it holds (clerk-frontend.md, 4).
func (c *call) complete(a attempt) (any, error) {
	s, err := c.i.SignIn(c.token, a.userID)
	if err != nil {
		return nil, asFrontend(err)
	}
	a.status, a.sessionID = "complete", s.ID
	answer, err := c.keepAttempt(a)
	c.i.mu.Lock()
	defer c.i.mu.Unlock()
	if stored := c.i.state.clients[c.token]; stored != nil {
		stored.attempt = nil
	}
	return answer, err
}

// attemptJSON is the SignIn object.
func (i *Instance) attemptJSON(a attempt) map[string]any {
	u, known := i.User(a.userID)
	factors, data, verification, created := any(nil), any(nil), any(nil), any(nil)
	if known && a.status == "needs_first_factor" {
		factors = factorsOf(u)
	}
	if known {
		data = map[string]any{"first_name": textOrNull(u.FirstName), "last_name": textOrNull(u.LastName), "image_url": "", "has_image": false}
	}
	if a.strategy != "" {
		status := "unverified"
		if a.status == "complete" {
			status, created = "verified", a.sessionID
		}
		verification = map[string]any{"object": "verification", "status": status, "strategy": a.strategy, "attempts": 0, "expire_at": a.madeAt.Add(10 * time.Minute).UnixMilli()}
	}
	return map[string]any{
		"object": "sign_in_attempt", "id": a.id, "status": a.status, "identifier": textOrNull(a.identifier),
		"supported_identifiers":     []string{"email_address", "username"},
		"supported_first_factors":   factors,
		"supported_second_factors":  nil,
		"first_factor_verification": verification, "second_factor_verification": nil,
		"user_data": data, "created_session_id": created, "abandon_at": a.madeAt.Add(attemptLife).UnixMilli(),
	}
}

func factorsOf(u User) []any {
	list := []any{map[string]any{"strategy": "password"}}
	if u.Email != "" {
		list = append(list, map[string]any{
			"strategy": "email_code", "email_address_id": emailID(u), "safe_identifier": u.Email, "primary": true,
		})
	}
	return list
}
