package headers_test

import (
	"fmt"
	"net/http"
	"net/netip"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/headers"
)

func ExampleParseMapping() {
	m, err := headers.ParseMapping(`+X-Auth-Team=team|public_metadata.teams[0];default="none; yet"`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.Headers())

	_, err = headers.ParseMapping("X_Team=team,Cookie=x")
	fmt.Println(err)
	// Output:
	// [X-Auth-Manageros-User-Id X-Auth-Organization-Id X-Auth-Organization-Name X-Auth-Organization-Slug X-Auth-Person-Id X-Auth-Role X-Auth-Team]
	// headers: mapping entry "X_Team=team": the header name "X_Team" may hold letters, digits and hyphens only
	// headers: mapping entry "Cookie=x": the header Cookie cannot be mapped: it carries the client's own credentials
}

func ExampleMapping_Assert() {
	m, err := headers.ParseMapping("X-Auth-Organization-Name=organizationName,X-Auth-Role=role")
	if err != nil {
		fmt.Println(err)
		return
	}
	id := &authproxy.Identity{UserID: "user_1", SessionID: "sess_1"}
	claims, err := m.Render(authproxy.Claims(`{"organizationName":"Müller GmbH","role":null}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fields, err := m.Assert(id, claims)
	for _, f := range fields {
		fmt.Printf("%s: %s\n", f.Name, f.Value)
	}
	fmt.Println(err)
	// Output:
	// X-Auth-Organization-Name: M%C3%BCller%20GmbH
	// X-Auth-User-Id: user_1
	// X-Auth-Session-Id: sess_1
	// X-Auth-Status: authenticated
	// <nil>
}

func ExampleOwner_Strip() {
	o, err := headers.NewOwner(headers.OwnerConfig{Mapped: []string{"X-Org-Id"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	h := http.Header{"X_org_id": {"evil"}, "X-Auth-Role": {"evil"}, "Remote-User": {"evil"}, "X-Forwarded-For": {"::1"}, "Accept": {"*/*"}}
	fmt.Println(o.Strip(h))
	fmt.Println(h)
	// Output:
	// [identity product]
	// map[Accept:[*/*]]
}

func ExamplePeers_Resolve() {
	p := headers.NewPeers([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	h := http.Header{"X-Forwarded-For": {"made-up, 198.51.100.7, 10.0.0.2"}, "X-Forwarded-Proto": {"https"}}

	hop := p.Resolve("10.0.0.1:40000", h)
	fmt.Println(hop.Trusted, hop.Client, hop.Proto)

	hop = p.Resolve("203.0.113.9:40000", h)
	fmt.Println(hop.Trusted, hop.Client, hop.Proto == "")
	// Output:
	// true 198.51.100.7 https
	// false 203.0.113.9 true
}
