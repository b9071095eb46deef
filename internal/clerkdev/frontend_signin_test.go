package clerkdev_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/clerkdev"
)

func TestSignInByPassword(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	for _, name := range []string{"zoe", "ZOE", "zoe@nordlicht.example"} {
		p := newPage(t, i)
		answer := p.ok("POST", "client/sign_ins", "strategy", "password", "identifier", name, "password", "clerkdev")
		id := dig(answer, "response", "created_session_id")
		// clerk-js may read the attempt in either place, and must find the session
		if dig(answer, "client", "sign_in", "created_session_id") != id || dig(answer, "client", "sessions", "0", "id") != id || id == nil ||
			dig(answer, "client", "sessions", "0", "last_active_token", "jwt") == nil || dig(answer, "response", "first_factor_verification", "status") != "verified" {
			t.Errorf("%s: %v", name, answer)
		}
		if again := p.ok("GET", "client"); dig(again, "response", "sign_in") != nil || dig(again, "response", "sessions", "0", "id") != id {
			t.Errorf("%s: %v", name, again)
		}
	}
}

func TestSignInInSteps(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	p := newPage(t, i)
	answer := p.ok("POST", "client/sign_ins", "identifier", "zoe", "locale", "en-US")
	id, _ := dig(answer, "response", "id").(string)
	email := dig(answer, "response", "supported_first_factors", "1", "email_address_id")
	if dig(answer, "response", "status") != "needs_first_factor" || email == nil || dig(answer, "client", "sign_in", "id") != id ||
		dig(answer, "response", "supported_first_factors", "1", "strategy") != "email_code" || len(dig(answer, "client", "sessions").([]any)) != 0 {
		t.Fatalf("%v", answer)
	}
	path := "client/sign_ins/" + id
	p.refused(400, "verification_missing", "POST", path+"/attempt_first_factor", "strategy", "email_code", "code", "424242")
	p.refused(422, "form_param_value_invalid", "POST", path+"/prepare_first_factor", "strategy", "phone_code")
	p.refused(422, "form_param_value_invalid", "POST", path+"/prepare_first_factor", "strategy", "email_code", "email_address_id", "idn_other")
	answer = p.ok("POST", path+"/prepare_first_factor", "strategy", "email_code", "email_address_id", email.(string))
	if dig(answer, "response", "first_factor_verification", "status") != "unverified" || dig(answer, "client", "sign_in", "id") != id {
		t.Errorf("%v", answer)
	}
	p.refused(422, "form_code_incorrect", "POST", path+"/attempt_first_factor", "strategy", "email_code", "code", "000000")
	p.refused(422, "form_param_value_invalid", "POST", path+"/attempt_first_factor", "strategy", "passkey")
	if got := p.ok("GET", path); dig(got, "response", "status") != "needs_first_factor" {
		t.Errorf("%v", got)
	}
	answer = p.ok("POST", path+"/attempt_first_factor", "strategy", "email_code", "code", "424242")
	if dig(answer, "response", "status") != "complete" || dig(answer, "response", "id") != id || dig(answer, "client", "sessions", "0", "id") != dig(answer, "response", "created_session_id") {
		t.Errorf("%v", answer)
	}
	p.refused(404, "resource_not_found", "POST", path+"/attempt_first_factor", "strategy", "email_code", "code", "424242")
	p.refused(404, "resource_not_found", "POST", path+"/prepare_first_factor", "strategy", "email_code")
	p.refused(404, "resource_not_found", "GET", path)
}

func TestSignInShortcuts(t *testing.T) {
	t.Parallel()
	i, c := standing(t)
	p := newPage(t, i)
	id := dig(p.ok("POST", "client/sign_ins", "strategy", "email_code", "identifier", "ada"), "response", "id").(string)
	p.ok("POST", "client/sign_ins/"+id+"/attempt_first_factor", "strategy", "email_code", "code", "424242")

	p = newPage(t, i)
	answer := p.ok("POST", "client/sign_ins")
	if dig(answer, "response", "status") != "needs_identifier" {
		t.Errorf("%v", answer)
	}
	id = dig(answer, "response", "id").(string)
	p.refused(422, "form_param_missing", "POST", "client/sign_ins/"+id+"/attempt_first_factor", "strategy", "password", "password", "clerkdev")
	id = dig(p.ok("POST", "client/sign_ins", "identifier", "ben"), "response", "id").(string)
	c.move(25 * time.Hour)
	p.refused(404, "resource_not_found", "POST", "client/sign_ins/"+id+"/attempt_first_factor", "strategy", "password", "password", "clerkdev")
	id = dig(p.ok("POST", "client/sign_ins", "identifier", "ben"), "response", "id").(string)
	other := newPage(t, i)
	other.ok("POST", "client/sign_ins", "identifier", "ada")
	other.refused(404, "resource_not_found", "POST", "client/sign_ins/"+id+"/attempt_first_factor", "strategy", "password", "password", "clerkdev")
	p.ok("POST", "client/sign_ins/"+id+"/attempt_first_factor", "strategy", "password", "password", "clerkdev")
}

func TestSignInRefused(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	i.AddUser(clerkdev.User{Username: "gone", Banned: true})
	i.AddUser(clerkdev.User{Username: "mute"})
	p := newPage(t, i)
	for _, c := range []struct {
		status int
		code   string
		pairs  []string
	}{
		{422, "form_identifier_not_found", []string{"identifier", "nobody"}},
		{422, "form_identifier_not_found", []string{"strategy", "password", "identifier", "nobody", "password", "clerkdev"}},
		{422, "form_password_incorrect", []string{"strategy", "password", "identifier", "ada", "password", "wrong"}},
		{422, "form_password_incorrect", []string{"strategy", "password", "identifier", "ada"}},
		{422, "form_param_missing", []string{"strategy", "password", "password", "clerkdev"}},
		{422, "form_param_value_invalid", []string{"strategy", "oauth_x", "identifier", "ada"}},
		{422, "form_param_value_invalid", []string{"strategy", "email_code", "identifier", "mute"}},
		{403, "user_locked", []string{"strategy", "password", "identifier", "gone", "password", "clerkdev"}},
		{400, "ticket_invalid_code", []string{"strategy", "ticket", "ticket", "x"}},
		{400, "ticket_invalid_code", []string{"strategy", "ticket"}},
	} {
		p.refused(c.status, c.code, "POST", "client/sign_ins", c.pairs...)
	}
	if answer := p.ok("GET", "client"); dig(answer, "response", "last_active_session_id") != nil {
		t.Errorf("%v", answer)
	}
	p.signIn("ada")
	p.refused(400, "session_exists", "POST", "client/sign_ins", "strategy", "password", "identifier", "ben", "password", "clerkdev")
}

// ticketFor makes a sign-in token by the Backend API.
func ticketFor(a *apiRig, userID, more string) (token, id, address string) {
	a.t.Helper()
	got := a.ok("POST", "/v1/sign_in_tokens", `{"user_id":"`+userID+`"`+more+`}`)
	if got["object"] != "sign_in_token" || got["status"] != "pending" || got["user_id"] != userID {
		a.t.Errorf("%v", got)
	}
	return got["token"].(string), got["id"].(string), got["url"].(string)
}

func TestTickets(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{})
	u := a.AddUser(clerkdev.User{Username: "ada"})
	token, id, _ := ticketFor(a, u.ID, "")
	if len(token) < 22 {
		t.Errorf("%q can be guessed", token)
	}
	p := newPage(t, a.Instance)
	answer := p.ok("POST", "client/sign_ins", "strategy", "ticket", "ticket", token)
	if dig(answer, "response", "status") != "complete" || dig(answer, "client", "sessions", "0", "user", "id") != u.ID {
		t.Errorf("%v", answer)
	}
	newPage(t, a.Instance).refused(400, "sign_in_token_already_used_code", "POST", "client/sign_ins", "strategy", "ticket", "ticket", token)
	a.refused("POST", "/v1/sign_in_tokens/"+id+"/revoke", "", 400, "sign_in_token_cannot_be_revoked_code")

	revoked, id, _ := ticketFor(a, u.ID, "")
	if got := a.ok("POST", "/v1/sign_in_tokens/"+id+"/revoke", ""); got["status"] != "revoked" || got["token"] != nil {
		t.Errorf("%v", got)
	}
	newPage(t, a.Instance).refused(400, "sign_in_token_revoked_code", "POST", "client/sign_ins", "strategy", "ticket", "ticket", revoked)

	short, _, _ := ticketFor(a, u.ID, `,"expires_in_seconds":60`)
	long, _, _ := ticketFor(a, u.ID, "")
	a.clock.Advance(61 * time.Second)
	second := newPage(t, a.Instance)
	second.refused(400, "ticket_expired_code", "POST", "client/sign_ins", "strategy", "ticket", "ticket", short)
	attempt := dig(second.ok("POST", "client/sign_ins"), "response", "id").(string)
	second.ok("POST", "client/sign_ins/"+attempt+"/attempt_first_factor", "strategy", "ticket", "ticket", long)

	a.refused("POST", "/v1/sign_in_tokens", `{}`, 422, "form_param_missing")
	a.refused("POST", "/v1/sign_in_tokens", `{"user_id":"user_nobody"}`, 404, "resource_not_found")
	a.refused("POST", "/v1/sign_in_tokens", `{"user_id":"`+u.ID+`","expires_in_seconds":0}`, 422, "form_param_value_invalid")
	a.refused("POST", "/v1/sign_in_tokens/sit_nothing/revoke", "", 404, "resource_not_found")
}

// TestTicketAddress: the address of a sign-in token signs in, once.
func TestTicketAddress(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{})
	u := a.AddUser(clerkdev.User{Username: "ada"})
	_, _, address := ticketFor(a, u.ID, "")
	j := jar{}
	got := j.ask(a.Instance, get(address+"&redirect_url="+url.QueryEscape("/there")))
	if got.StatusCode != 302 || got.Header.Get("Location") != "/there" || j["__session"] == nil {
		t.Errorf("%d %v", got.StatusCode, got.Header)
	}
	if got := serve(a.Instance, get(address)); got.StatusCode != 400 || !strings.Contains(body(t, got), "used already") {
		t.Errorf("%d", got.StatusCode)
	}
	_, _, address = ticketFor(a, u.ID, "")
	if _, err := a.UpdateUser(u.ID, func(u *clerkdev.User) { u.Locked = true }); err != nil {
		t.Fatal(err)
	}
	if got := serve(a.Instance, get(address)); got.StatusCode != 403 {
		t.Errorf("%d", got.StatusCode)
	}
}
