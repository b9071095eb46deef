package upstreamtest_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/internal/upstreamtest"
)

// disguises are Cookie fields in which some reader may find a cookie of Clerk's.
func disguises() []string {
	var lines []string
	for _, name := range []string{"__session", "__session_" + minttest.LiveSuff, "__client_uat", "__refresh_" + minttest.LiveSuff} {
		lines = append(lines,
			name+"=forged", "theme=dark; "+name+"=forged", "theme=dark;"+name+"=forged", "theme=dark, "+name+"=forged", "theme=dark "+name+"=forged",
			`theme="dark; `+name+`=forged; x="`, `$Version=1; `+name+`="forged"`, `theme="a"`+name+`=forged`, "="+name+"=forged", name, name+" = forged",
			strings.ReplaceAll(name, "_", ".")+"=forged", strings.ReplaceAll(name, "_", " ")+"=forged", strings.ReplaceAll(name, "_", "[")+"=forged",
			"."+name[1:]+"=forged", "_["+name[2:]+"=forged", strings.ReplaceAll(name, "_", "%5F")+"=forged", strings.ReplaceAll(name, "_", "%5f")+"=forged",
			strings.ReplaceAll(name, "_", "%255F")+"=forged", "theme=dark%3B%20"+name+"=forged", "theme=dark%3B "+name+"%3Dforged", name+"%3Dforged",
			name+"[]=forged", name+"[a]=forged", strings.ToUpper(name)+"=forged", "%5F_"+name[2:]+"=forged; theme=dark", name+"%00=forged", name+"%20=forged", "+"+name+"=forged",
		)
	}
	// Every byte that may stand in a field value and is white space, a separator
	// or no ASCII to somebody.
	for c := 0x20; c < 0x7f; c++ {
		if !isAlphanumeric(byte(c)) {
			lines = append(lines, besides(byte(c))...)
		}
	}
	for _, c := range []byte{'\t', 0x80, 0x85, 0xa0, 0xad, 0xff} {
		lines = append(lines, besides(c)...)
	}
	return lines
}

func besides(c byte) []string {
	b := string([]byte{c})
	return []string{b + "__session=forged", "__session" + b + "=forged", "theme=dark" + b + "__session=forged", "theme=dark;" + b + "__session=forged"}
}

func judgeCookies(t *testing.T, line string, reading upstreamtest.Reading) {
	t.Helper()
	for idiom, cookies := range reading.Cookies {
		for name := range cookies {
			if clerks(name) {
				t.Errorf("%q: %s has %q", line, idiom, name)
			}
		}
	}
}

// clerks reports whether an application would look for a cookie of this name.
func clerks(name string) bool {
	return slices.ContainsFunc([]string{"__session", "__client_uat", "__refresh", "__clerk_db_jwt"}, func(own string) bool {
		return name == own || strings.HasPrefix(name, own+"_")
	})
}

// looseReaders says who reads a cookie __session in these, as measured; the
// node one is "cookie" up to 0.6, which trims like JavaScript.
var looseReaders = map[string][]upstreamtest.Kind{
	"..session=forged":            {upstreamtest.PHP},
	"__session[]=forged":          {upstreamtest.PHP},
	"__session":                   {upstreamtest.PHP, upstreamtest.Puma, upstreamtest.Go},
	"theme=dark __session=forged": {upstreamtest.Gunicorn, upstreamtest.WSGIRef},
	"\x85__session=forged":        {upstreamtest.Gunicorn, upstreamtest.WSGIRef},
	"__session\xa0=forged":        {upstreamtest.Gunicorn, upstreamtest.WSGIRef, upstreamtest.Node},
	"__session =forged":           {upstreamtest.Gunicorn, upstreamtest.WSGIRef, upstreamtest.Node, upstreamtest.Go},
}

// TestCookieReaders shows how differently cookies are read, and that all kinds
// read the plain ones.
func TestCookieReaders(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, kind upstreamtest.Kind, base string) {
		reading, _ := raw(t, base, "GET /", "Cookie: theme=dark; __session=one", "Connection: close")
		for idiom, cookies := range reading.Cookies {
			if cookies["theme"] != "dark" || cookies["__session"] != "one" {
				t.Errorf("%s is %v", idiom, cookies)
			}
		}
		for line, kinds := range looseReaders {
			reading, _ := raw(t, base, "GET /", "Cookie: "+line, "Connection: close")
			seen := false
			for _, cookies := range reading.Cookies {
				_, found := cookies["__session"]
				seen = seen || found
			}
			if seen != slices.Contains(kinds, kind) {
				t.Errorf("%s: %q is read as %v", kind, line, reading.Cookies)
			}
		}
	})
}
