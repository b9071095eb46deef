package upstreamtest_test

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/headers"
)

// section returns the manual's text under a heading.
func section(t *testing.T, heading string) string {
	t.Helper()
	text, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("%s has no section %q", manual, heading)
	}
	body, _, _ := strings.Cut(rest, "\n## ")
	return body
}

// inCode finds what stands in backticks.
var inCode = regexp.MustCompile("`([^`]+)`")

func codes(text string) []string {
	var found []string
	for _, m := range inCode.FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	return found
}

// rows returns the two cells of every row of the first table in text.
func rows(text string) [][2]string {
	var found [][2]string
	for line := range strings.Lines(text) {
		if cells := strings.Split(line, "|"); len(cells) == 4 && strings.Contains(cells[1], "`") {
			found = append(found, [2]string{strings.TrimSpace(cells[1]), strings.TrimSpace(cells[2])})
		} else if len(found) > 0 {
			break
		}
	}
	return found
}

// TestManualHeaders compares the manual's list with what is asserted.
func TestManualHeaders(t *testing.T) {
	t.Parallel()
	mapping, err := headers.ParseMapping("")
	if err != nil {
		t.Fatal(err)
	}
	claims, err := mapping.Render(authproxy.Claims(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"X-Auth-Status": "authenticated", "X-Auth-User-Id": "sub", "X-Auth-Session-Id": "sid", "X-Auth-Actor": "act.sub"}
	for _, c := range claims {
		want[c.Header] = c.Path
	}
	got := rows(section(t, "The headers"))
	for _, row := range got {
		name := strings.Trim(row[0], "`")
		if source := want[name]; source == "" || !slices.Contains(codes(row[1]), source) {
			t.Errorf("%s: %s, want %s", name, row[1], source)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d headers, want %d", len(got), len(want))
	}
	id := &authproxy.Identity{UserID: "user_1", SessionID: "sess_1", Actor: &authproxy.Actor{UserID: "user_2"}}
	fields, err := mapping.Assert(id, claims)
	if err != nil || len(fields) != 4 {
		t.Fatalf("built in are %v, %v", fields, err)
	}
	for _, f := range append(fields, headers.Anonymous()...) {
		if want[f.Name] == "" {
			t.Errorf("%s is not in the manual", f.Name)
		}
	}
}

// TestManualValues makes the manual's values.
func TestManualValues(t *testing.T) {
	t.Parallel()
	mapping, err := headers.ParseMapping("X-Value=value")
	if err != nil {
		t.Fatal(err)
	}
	got := rows(section(t, "Values"))
	if len(got) != 10 {
		t.Fatalf("%d values", len(got))
	}
	for _, row := range got {
		want := ""
		if c := codes(row[1]); len(c) == 1 {
			want = c[0]
		}
		for _, value := range codes(row[0]) {
			claims, err := mapping.Render(authproxy.Claims(`{"value":` + value + `}`))
			if err != nil || claims[0].Value != want || (claims[0].Source == authproxy.ClaimAbsent) != (want == "") {
				t.Errorf("%s becomes %q (%v), want %q", value, claims, err, want)
			}
		}
	}
}

// TestManualMapping reads the manual's examples of AUTHPROXY_HEADERS.
func TestManualMapping(t *testing.T) {
	t.Parallel()
	text := section(t, "Mapping")
	_, spec, found := strings.Cut(text, "AUTHPROXY_HEADERS='")
	spec, _, closed := strings.Cut(spec, "'")
	if !found || !closed {
		t.Fatal("no example")
	}
	mapping, err := headers.ParseMapping(spec)
	if err != nil {
		t.Fatal(err)
	}
	claims, err := mapping.Render(authproxy.Claims(`{"https://example.com/team":"red","permissions":["read","write"]}`))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(claims); n != 8 || claims[6].Value != "red" || claims[7].Value != "read" {
		t.Errorf("the example gives %v", claims)
	}
	for _, row := range rows(section(t, "Values")[strings.Index(section(t, "Values"), "`enc=`"):])[1:] {
		if _, err := headers.ParseMapping("X-Value=value;enc=" + strings.Trim(row[0], "`")); err != nil {
			t.Error(err)
		}
	}
}

// TestManualRemoved sends every name that the manual says never arrives, and
// looks for every name that is removed in the manual.
func TestManualRemoved(t *testing.T) {
	t.Parallel()
	owner, err := headers.NewOwner(headers.OwnerConfig{Mapped: []string{"X-Auth-Role"}})
	if err != nil {
		t.Fatal(err)
	}
	text := section(t, "What never arrives")
	lists, _, _ := strings.Cut(text, "- request trailers")
	names := slices.DeleteFunc(codes(lists), func(s string) bool { return strings.HasPrefix(s, "AUTHPROXY_") })
	for _, row := range rows(text) {
		names = append(names, codes(row[0])...)
	}
	for _, name := range append(names, "Forwarded", "X-Forwarded-*") {
		name = strings.TrimSuffix(strings.Replace(name, "*", "Anything", 1), "-")
		h := http.Header{name: {"a"}}
		if owner.Strip(h); len(h) > 0 && name != "Host" && name != "X-Auth" {
			t.Errorf("%s arrives", name)
		}
	}
	for _, entry := range headers.DefaultStrip() {
		if !slices.Contains(names, entry) {
			t.Errorf("%s is not in the manual", entry)
		}
	}
}
