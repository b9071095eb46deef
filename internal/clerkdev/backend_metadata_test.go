package clerkdev_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/clerkdev"
)

func TestMetadataMergeAndReplace(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{})
	for name, c := range map[string]struct{ old, method, body, want string }{
		"merge adds":             {`{"a":1}`, "PATCH", `{"b":2}`, `{"a":1,"b":2}`},
		"merge replaces":         {`{"a":1}`, "PATCH", `{"a":"x"}`, `{"a":"x"}`},
		"merge goes deep":        {`{"a":{"b":{"c":1,"d":2}}}`, "PATCH", `{"a":{"b":{"c":3}}}`, `{"a":{"b":{"c":3,"d":2}}}`},
		"null removes":           {`{"a":1,"b":2}`, "PATCH", `{"a":null}`, `{"b":2}`},
		"null removes deep down": {`{"a":{"b":{"c":1,"d":2}}}`, "PATCH", `{"a":{"b":{"c":null}}}`, `{"a":{"b":{"d":2}}}`},
		"null of what is not":    {`{"a":1}`, "PATCH", `{"b":null,"c":{"d":null}}`, `{"a":1,"c":{}}`},
		"arrays are replaced":    {`{"a":[1,2,3]}`, "PATCH", `{"a":[4,null]}`, `{"a":[4,null]}`},
		"object over a value":    {`{"a":1}`, "PATCH", `{"a":{"b":1,"c":null}}`, `{"a":{"b":1}}`},
		"value over an object":   {`{"a":{"b":1}}`, "PATCH", `{"a":false}`, `{"a":false}`},
		"merge of nothing":       {`{"a":1}`, "PATCH", `{}`, `{"a":1}`},
		"big numbers stay":       {`{"a":12345678901234567890}`, "PATCH", `{"b":1.50}`, `{"a":12345678901234567890,"b":1.50}`},
		"characters stay":        {`{}`, "PATCH", `{"a":"<é&>"}`, `{"a":"<é&>"}`},
		"replace":                {`{"a":1}`, "PUT", `{"b":{"c":2}}`, `{"b":{"c":2}}`},
		"replace keeps nulls":    {`{"a":1}`, "PUT", `{"a":null}`, `{"a":null}`},
		"replace clears":         {`{"a":1}`, "PUT", ` { } `, `{}`},
	} {
		for _, kind := range []string{"public_metadata", "private_metadata", "unsafe_metadata"} {
			u := a.AddUser(clerkdev.User{
				PublicMetadata: []byte(c.old), PrivateMetadata: []byte(c.old), UnsafeMetadata: []byte(c.old),
			})
			a.clock.Advance(time.Second)
			if got := a.do(c.method, "/v1/users/"+u.ID+"/metadata", `{"`+kind+`":`+c.body+`}`); !strings.Contains(got.raw, `"`+kind+`":`+c.want) {
				t.Errorf("%s: %s", name, got.raw)
			}
			after, _ := a.User(u.ID)
			for other, value := range map[string]string{
				"public_metadata":  string(after.PublicMetadata),
				"private_metadata": string(after.PrivateMetadata),
				"unsafe_metadata":  string(after.UnsafeMetadata),
			} {
				want := c.old
				if other == kind {
					want = c.want
				}
				if value != want {
					t.Errorf("%s, %s: %s is %s, want %s", name, kind, other, value, want)
				}
			}
		}
	}
}

func TestMetadataRefused(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{})
	u := a.AddUser(clerkdev.User{PublicMetadata: []byte(`{"a":1}`)})
	full := `{"k":"` + strings.Repeat("a", 8192-8) + `"}`
	over := `{"k":"` + strings.Repeat("a", 8192-7) + `"}`
	for _, method := range []string{"PATCH", "PUT"} {
		for body, code := range map[string]string{
			`{"public_metadata":[]}`:                                     "form_param_value_invalid",
			`{"public_metadata":null}`:                                   "form_param_value_invalid",
			`{"public_metadata":"x"}`:                                    "form_param_value_invalid",
			`{"private_metadata":1}`:                                     "form_param_value_invalid",
			`{"public_metadata":{"b":2},"unsafe_metadata":1}`:            "form_param_value_invalid",
			`{"publicMetadata":{}}`:                                      "form_param_unknown",
			`{"private_metadata":` + over + `}`:                          "form_param_exceeds_allowed_size",
			`{"public_metadata":{"b":2},"unsafe_metadata":` + over + `}`: "form_param_exceeds_allowed_size",
		} {
			a.refused(method, "/v1/users/"+u.ID+"/metadata", body, http.StatusUnprocessableEntity, code)
			a.clock.Advance(time.Second)
		}
	}
	if after, _ := a.User(u.ID); string(after.PublicMetadata) != `{"a":1}` || string(after.UnsafeMetadata) != `{}` {
		t.Errorf("a refused write was kept in part: %+v", after)
	}
	a.clock.Advance(10 * time.Second)
	a.ok("PUT", "/v1/users/"+u.ID+"/metadata", `{"private_metadata":`+full+`}`)
	// What counts is what would be stored, not what is sent.
	got := a.refused("PATCH", "/v1/users/"+u.ID+"/metadata", `{"private_metadata":{"l":1}}`, http.StatusUnprocessableEntity, "form_param_exceeds_allowed_size")
	if got.param() != "private_metadata" {
		t.Errorf("names %q", got.param())
	}
	a.ok("PATCH", "/v1/users/"+u.ID+"/metadata", `{"private_metadata":{"k":null,"l":`+strings.Repeat(" ", 9000)+`1}}`)
}

// Two writers of different keys do not lose each other's.
func TestMetadataMergesAreAtomic(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{})
	u := a.AddUser(clerkdev.User{})
	var wg sync.WaitGroup
	for n := range 10 {
		wg.Go(func() {
			a.do("PATCH", "/v1/users/"+u.ID+"/metadata", `{"public_metadata":{"k`+string(rune('0'+n))+`":1}}`)
		})
	}
	wg.Wait()
	if after, _ := a.User(u.ID); strings.Count(string(after.PublicMetadata), ":1") != 10 {
		t.Errorf("lost some: %s", after.PublicMetadata)
	}
}

func TestMetadataReachesTheNextToken(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{Template: `{"role":"{{user.public_metadata.role}}"}`})
	u := a.AddUser(clerkdev.User{})
	s, err := a.SignIn("", u.ID)
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]any{`{"public_metadata":{"role":"admin"}}`: "admin", `{"public_metadata":{"role":null}}`: nil} {
		a.ok("PATCH", "/v1/users/"+u.ID+"/metadata", body)
		if got := claimsOf(t, a, s.ID); got["role"] != want {
			t.Errorf("after %s the token says %v", body, got["role"])
		}
	}
}
