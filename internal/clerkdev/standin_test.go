package clerkdev_test

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/clerkdev"
	"github.com/manageros/authproxy/internal/testneed"
)

type standInState struct {
	Cookies            map[string]string
	SignedIn           bool
	User, Organization string
}

// TestStandIn runs the script in node: it meets the emulator, signs in, switches the
// organisation, renews the cookie before its token ends, and signs out.
func TestStandIn(t *testing.T) {
	t.Parallel()
	node := testneed.Tool(t, "node")
	a := newAPI(t, clerkdev.Config{Now: time.Now, TokenLifetime: 12 * time.Second})
	u, o, s, _ := signedInByAPI(t, a, "")
	_ = a.EndSession(s.ID, "removed")
	token, _, _ := ticketFor(a, u.ID, "")
	server := httptest.NewServer(a.Frontend())
	t.Cleanup(server.Close)
	input, err := json.Marshal(map[string]string{"base": server.URL + "/", "key": a.Named().PublishableKey, "ticket": token, "organization": o.ID})
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(t.Context(), node, filepath.Join("testdata", "npm", "standin.cjs"))
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(input), &stdout, &stderr
	if err := command.Run(); err != nil {
		t.Fatalf("node: %v\n%s", err, stderr.String())
	}
	var got struct {
		Requests                        []string
		Loaded, Entered, Switched, Left standInState
		Forced, Went                    string
		Renewed, Cached                 bool
	}
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, stdout.String())
	}
	sfx := suffix(a.Instance)
	if c := got.Loaded.Cookies; !strings.HasPrefix(c["__clerk_db_jwt"], "dvb_") || c["__clerk_db_jwt"+sfx] != c["__clerk_db_jwt"] || c["__client_uat"] != "0" || c["__session"] != "" || got.Loaded.SignedIn {
		t.Errorf("loaded: %+v", got.Loaded)
	}
	if e := got.Entered; !e.SignedIn || e.User != u.ID || e.Organization != "" || e.Cookies["__session"] == "" || e.Cookies["__session"] != e.Cookies["__session"+sfx] || e.Cookies["__client_uat"] == "0" {
		t.Errorf("entered: %+v", e)
	}
	if e := got.Switched; e.Organization != o.ID || organizationIn(t, e.Cookies["__session"]) != o.ID {
		t.Errorf("switched: %+v", e)
	}
	if organizationIn(t, got.Forced) != o.ID || !got.Renewed || !got.Cached {
		t.Errorf("renewed %v, cached %v", got.Renewed, got.Cached)
	}
	if l := got.Left; l.SignedIn || l.User != "" || l.Cookies["__session"] != "" || l.Cookies["__session"+sfx] != "" || l.Cookies["__client_uat"] != "0" || got.Went != "/bye" {
		t.Errorf("left: %+v to %q", l, got.Went)
	}
	if !slices.Equal(got.Requests[:3], []string{"POST dev_browser", "GET client", "POST client/sign_ins"}) || got.Requests[len(got.Requests)-1] != "DELETE client/sessions" {
		t.Errorf("%q", got.Requests)
	}
	for _, s := range a.Sessions(u.ID) {
		if s.Status != "removed" {
			t.Errorf("%+v", s)
		}
	}
}
