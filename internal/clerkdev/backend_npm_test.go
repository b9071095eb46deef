package clerkdev_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manageros/authproxy/internal/clerkdev"
	"github.com/manageros/authproxy/internal/testneed"
)

// clerkBackend is the version of npm's @clerk/backend that these tests ask; .ci/run
// installs it below .cache/npm.
const clerkBackend = "3.25.0"

const apiOrigin = "http://localhost:4180"

type npmRequest struct {
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Options map[string]any    `json:"options"`
}

type npmState struct {
	Status, Reason, UserID, SessionID, OrgID, OrgSlug, OrgRole string
	OrgPermissions                                             []string
	Claim                                                      string
}

// npmVisit is what a browser gets to see.
type npmVisit struct {
	Status, Reason, Location, UserID, OrgSlug string
	Cookies                                   []string
}

type npmError struct {
	Status     int
	Code       string
	Param      string
	Trace      bool
	RetryAfter int
}

type npmAnswer struct {
	Users struct {
		FirstName, LastName, Email string
		Merged, Replaced           map[string]any
		Listed, Roles              []string
		Total, Everybody, Shown    int
		Missing, Large             *npmError
	}
	Sessions struct {
		Template  string
		Lifetime  int
		Active    []string
		Templates int
		Reserved  *npmError
		Removed   bool
	}
	States  map[string]npmState
	Visits  map[string]npmVisit
	Revoked string
	Flood   *struct {
		N int
		npmError
	}
}

// askNPM lets Clerk's own library work on the rig with what input says.
func askNPM(t *testing.T, a *apiRig, input map[string]any) npmAnswer {
	t.Helper()
	node := testneed.Tool(t, "node")
	packages, err := filepath.Abs(filepath.Join("..", "..", ".cache", "npm", "node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	about, err := os.ReadFile(filepath.Join(packages, "@clerk", "backend", "package.json"))
	if err != nil || !strings.Contains(string(about), `"version": "`+clerkBackend+`"`) {
		testneed.Missing(t, "needs npm's @clerk/backend %s below .cache/npm, not found (.ci/run install puts it there)", clerkBackend)
	}
	server := httptest.NewServer(a.api)
	t.Cleanup(server.Close)
	input["client"] = map[string]string{
		"secretKey": a.SecretKey(), "publishableKey": a.Named().PublishableKey, "apiUrl": server.URL,
	}
	stdin, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(t.Context(), node, filepath.Join("testdata", "npm", "backend.cjs"))
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(stdin), &stdout, &stderr
	command.Env = append(os.Environ(), "NODE_PATH="+packages, "CLERK_TELEMETRY_DISABLED=1")
	if err := command.Run(); err != nil {
		t.Fatalf("node: %v\n%s", err, stderr.String())
	}
	var answer npmAnswer
	if err := json.Unmarshal(stdout.Bytes(), &answer); err != nil {
		t.Fatalf("%v: %s", err, stdout.String())
	}
	return answer
}

// signedInByAPI is somebody with a session in an organisation, and the token a page has.
func signedInByAPI(t *testing.T, a *apiRig, client string) (u clerkdev.User, o clerkdev.Organization, s clerkdev.Session, token string) {
	t.Helper()
	u = a.AddUser(clerkdev.User{FirstName: "Ada", Email: "ada@example.com", Verified: true, PublicMetadata: []byte(`{"team":"blue","deep":{"a":1,"b":2}}`)})
	o = a.AddOrganization(clerkdev.Organization{Name: "Acme"})
	_, err := a.AddMembership(clerkdev.Membership{
		UserID: u.ID, OrganizationID: o.ID, Role: "org:admin", Permissions: []string{"org:invoices:manage", "org:reports:read"},
	})
	if err == nil {
		s, err = a.SignIn(client, u.ID)
	}
	if err == nil {
		err = a.SetOrganization(s.ID, o.ID)
	}
	if err == nil {
		token, err = a.Mint(s.ID, apiOrigin)
	}
	if err != nil {
		t.Fatal(err)
	}
	return u, o, s, token
}

// navigation is a browser that loads a page with cookies.
func navigation(cookies map[string]string) npmRequest {
	var pairs []string
	for name, value := range cookies {
		pairs = append(pairs, name+"="+value)
	}
	return npmRequest{
		URL:     apiOrigin + "/dash",
		Headers: map[string]string{"cookie": strings.Join(pairs, "; "), "sec-fetch-dest": "document", "host": "localhost:4180"},
		Options: map[string]any{"authorizedParties": []string{apiOrigin}},
	}
}

func bearer(token string) npmRequest {
	return npmRequest{
		URL: apiOrigin + "/api", Headers: map[string]string{"authorization": token},
		Options: map[string]any{"authorizedParties": []string{apiOrigin}},
	}
}

func TestNPMAuthenticatesRequests(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{Now: time.Now, Template: `{"team":"{{user.public_metadata.team}}"}`})
	client := a.NewClient()
	u, o, s, old := signedInByAPI(t, a, client)
	if err := a.Rotate(true); err != nil { // old has the right kid and a signature that is wrong now
		t.Fatal(err)
	}
	token, err := a.Mint(s.ID, apiOrigin)
	if err != nil {
		t.Fatal(err)
	}
	suffix := a.Named().CookieSuffix()
	plain := map[string]string{"__clerk_db_jwt": client, "__session": token, "__client_uat": fmt.Sprint(s.CreatedAt.Unix())}
	both, strangers := maps.Clone(plain), maps.Clone(plain)
	for name, value := range plain {
		both[name+"_"+suffix] = value
	}
	_, _, _, foreign := signedInByAPI(t, newAPI(t, clerkdev.Config{Now: time.Now, FrontendAPI: a.Named().FrontendAPI}), "")
	strangers["__session"] = foreign
	elsewhere := bearer("Bearer " + token)
	elsewhere.Options = map[string]any{"authorizedParties": []string{"https://app.example.com"}}

	got := askNPM(t, a, map[string]any{
		"session": map[string]string{"userId": u.ID, "sessionId": s.ID},
		"requests": map[string]npmRequest{
			"bearer": bearer("Bearer " + token), "cookies": navigation(plain), "suffixed cookies": navigation(both),
			"nobody": navigation(map[string]string{"__clerk_db_jwt": client, "__client_uat": "0"}), "no browser": navigation(nil),
			"another key": navigation(strangers), "template token": bearer("template"), "another origin": elsewhere,
			"rotated away": bearer("Bearer " + old),
		},
		"revoke": s.ID,
	})
	who := npmState{
		Status: "signed-in", UserID: u.ID, SessionID: s.ID, OrgID: o.ID, OrgSlug: "acme", OrgRole: "org:admin",
		OrgPermissions: []string{"org:invoices:manage", "org:reports:read"}, Claim: "blue",
	}
	want := map[string]npmState{
		"bearer": who, "cookies": who, "suffixed cookies": who,
		"nobody":         {Status: "signed-out", Reason: "session-token-and-uat-missing"},
		"no browser":     {Status: "handshake", Reason: "dev-browser-missing"},
		"another key":    {Status: "signed-out", Reason: "jwk-kid-mismatch"},
		"template token": {Status: "signed-out", Reason: "token-type-mismatch"},
		"rotated away":   {Status: "signed-out", Reason: "token-invalid-signature"},
		"another origin": {Status: "signed-out", Reason: "token-invalid-authorized-parties"},
	}
	if diff := cmp.Diff(want, got.States); diff != "" {
		t.Error(diff)
	}
	if got.Revoked != "revoked" || a.Sessions(u.ID)[0].Status != "revoked" {
		t.Errorf("revoked: %q", got.Revoked)
	}
	if g := got.Sessions; g.Template != "crm" || g.Lifetime != 60 || g.Templates != 1 || !g.Removed || len(g.Active) != 1 || g.Active[0] != s.ID {
		t.Errorf("sessions: %+v", g)
	}
	if e := got.Sessions.Reserved; e == nil || e.Status != 400 || e.Code != "jwt_template_reserved_claim" {
		t.Errorf("reserved claim: %+v", e)
	}
}

func TestNPMAuthenticatesProduction(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{Now: time.Now, Production: true, FrontendAPI: "clerk.example.com"})
	u, _, s, token := signedInByAPI(t, a, a.NewClient())
	got := askNPM(t, a, map[string]any{"requests": map[string]npmRequest{
		"cookies": navigation(map[string]string{"__session": token, "__client_uat": fmt.Sprint(s.CreatedAt.Unix())}),
		"nobody":  navigation(nil),
	}})
	if c := got.States["cookies"]; c.Status != "signed-in" || c.UserID != u.ID {
		t.Errorf("cookies: %+v", c)
	}
	if c := got.States["nobody"]; c.Status != "signed-out" {
		t.Errorf("nobody: %+v", c)
	}
}

func TestNPMReadsAndPatchesUsers(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{Now: time.Now})
	a.AddUser(clerkdev.User{Email: "bob@example.com"})
	u, _, _, _ := signedInByAPI(t, a, "")
	got := askNPM(t, a, map[string]any{
		"user":  map[string]string{"userId": u.ID, "email": u.Email},
		"flood": map[string]string{"userId": u.ID},
	})
	g := got.Users
	if g.FirstName != "Ada" || g.LastName != "Lovelace" || g.Email != "ada@example.com" {
		t.Errorf("names: %+v", g)
	}
	if diff := cmp.Diff(map[string]any{"team": "blue", "role": "owner", "deep": map[string]any{"b": 2.0, "c": 3.0}}, g.Merged); diff != "" {
		t.Error(diff)
	}
	if compactly(t, g.Replaced) != `{"p":1}` {
		t.Errorf("replaced: %v", g.Replaced)
	}
	if len(g.Listed) != 1 || g.Listed[0] != u.ID || g.Total != 1 || g.Everybody != 2 || g.Shown != 1 || len(g.Roles) != 1 || g.Roles[0] != "org:admin" {
		t.Errorf("lists: %+v", g)
	}
	if want := (npmError{Status: 404, Code: "resource_not_found", Trace: true}); g.Missing == nil || *g.Missing != want {
		t.Errorf("missing: %+v", g.Missing)
	}
	if want := (npmError{Status: 422, Code: "form_param_exceeds_allowed_size", Param: "public_metadata", Trace: true}); g.Large == nil || *g.Large != want {
		t.Errorf("large: %+v", g.Large)
	}
	if f := got.Flood; f == nil || f.Status != 429 || f.Code != "too_many_requests" || f.RetryAfter < 1 || f.RetryAfter > 10 {
		t.Errorf("flood: %+v", f)
	}
	after, _ := a.User(u.ID)
	if !strings.Contains(string(after.PublicMetadata), `"role":"owner"`) {
		t.Errorf("stored: %s", after.PublicMetadata)
	}
}
