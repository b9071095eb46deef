package upstreamtest_test

import (
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/upstreamtest"
)

// weakness is what one server makes of X-Auth-Role: good beside another
// spelling of it. An oracle that does not show these would pass any proxy.
type weakness struct {
	name   string
	kinds  []upstreamtest.Kind
	fields []string
	idiom  string // a piece of the idiom's spelling
	want   string
}

// weaknesses were measured on gunicorn 20.1, Python 3.11's wsgiref, PHP 8.2,
// Puma 5.6.5 and Node 20.
var weaknesses = []weakness{
	{"underscores win over hyphens", []upstreamtest.Kind{upstreamtest.PHP}, []string{"X-Auth-Role: good", "X_Auth_Role: forged"}, "$_SERVER", "forged"},
	{"dots win over hyphens", []upstreamtest.Kind{upstreamtest.PHP}, []string{"X-Auth-Role: good", "X.Auth.Role: forged"}, "$_SERVER", "forged"},
	{"mixed separators win", []upstreamtest.Kind{upstreamtest.PHP}, []string{"X-Auth-Role: good", "X.Auth-Role: forged"}, "$_SERVER", "forged"},
	{"the last spelling wins", []upstreamtest.Kind{upstreamtest.PHP}, []string{"X_Auth_Role: forged", "X-Auth-Role: good"}, "$_SERVER", "good"},
	{"underscores alone are read", []upstreamtest.Kind{upstreamtest.PHP}, []string{"X_Auth_Role: forged"}, "$_SERVER", "forged"},
	{"underscores are joined", []upstreamtest.Kind{upstreamtest.Gunicorn, upstreamtest.WSGIRef}, []string{"X-Auth-Role: good", "X_Auth_Role: forged"}, "environ", "good,forged"},
	{"underscores are joined in front", []upstreamtest.Kind{upstreamtest.Gunicorn, upstreamtest.WSGIRef}, []string{"X_Auth_Role: forged", "X-Auth-Role: good"}, "environ", "forged,good"},
	{"underscores alone are read", []upstreamtest.Kind{upstreamtest.Gunicorn, upstreamtest.WSGIRef, upstreamtest.Puma}, []string{"X_Auth_Role: forged"}, "", "forged"},
	{"duplicates are joined", []upstreamtest.Kind{upstreamtest.Gunicorn, upstreamtest.WSGIRef}, []string{"X-Auth-Role: good", "X-Auth-Role: forged"}, "environ", "good,forged"},
	{"duplicates are joined", []upstreamtest.Kind{upstreamtest.PHP}, []string{"X-Auth-Role: good", "X-Auth-Role: forged"}, "$_SERVER", "good, forged"},
	{"duplicates are joined", []upstreamtest.Kind{upstreamtest.Puma}, []string{"X-Auth-Role: good", "X-Auth-Role: forged"}, "env[", "good, forged"},
	{"duplicates are joined", []upstreamtest.Kind{upstreamtest.Node}, []string{"X-Auth-Role: good", "X-Auth-Role: forged"}, "req.headers[", "good, forged"},
	{"case does not count", upstreamtest.Kinds(), []string{"x-aUTH-rOLE: forged"}, "", "forged"},
	{"one line can hold both", []upstreamtest.Kind{upstreamtest.PHP}, []string{"x_auth-ROLE: forged"}, "$_SERVER", "forged"},
}

func TestKnownWeaknesses(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, kind upstreamtest.Kind, base string) {
		for _, w := range weaknesses {
			if !slices.Contains(w.kinds, kind) {
				continue
			}
			reading, _ := raw(t, base, "GET /", append(slices.Clone(w.fields), "Connection: close")...)
			if dropsUnderscores(reading.Server) && strings.Contains(strings.Join(w.fields, ""), "_") {
				continue
			}
			if !reads(reading, w.idiom, w.want) {
				t.Errorf("%s, %s: %v is read as %v", reading.Server, w.name, w.fields, reading.Read["X-Auth-Role"])
			}
			good := map[string]string{"X-Auth-Role": "good"}
			if w.want != "good" && len(reading.Differences(good)) == 0 {
				t.Errorf("%s, %s: no difference is reported", reading.Server, w.name)
			}
		}
	})
}

// reads reports whether some idiom containing piece reads exactly want.
func reads(r upstreamtest.Reading, piece, want string) bool {
	for idiom, values := range r.Read["X-Auth-Role"] {
		if strings.Contains(idiom, piece) && slices.Equal(values, []string{want}) {
			return true
		}
	}
	return false
}

// dropsUnderscores knows the servers that mended it: gunicorn since 22 refuses
// to map names with an underscore (its setting header_map).
func dropsUnderscores(server string) bool {
	major := regexp.MustCompile(`^gunicorn/(2[2-9]|[3-9][0-9])\.`)
	return major.MatchString(server)
}

// TestNaiveProxy shows that the oracle finds what the usual few lines of proxy
// let through: delete the name, set the name.
func TestNaiveProxy(t *testing.T) {
	t.Parallel()
	leaky := map[upstreamtest.Kind]bool{upstreamtest.PHP: true, upstreamtest.Gunicorn: true, upstreamtest.WSGIRef: true, upstreamtest.Node: true, upstreamtest.Go: true}
	each(t, func(t *testing.T, kind upstreamtest.Kind, base string) {
		target, err := url.Parse(base)
		if err != nil {
			t.Fatal(err)
		}
		proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Del("X-Auth-Role")
			r.Out.Header.Set("X-Auth-Role", "good")
		}})
		t.Cleanup(proxy.Close)
		reading, _ := raw(t, proxy.URL, "GET /", "X_Auth_Role: forged", "X-Auth-Role: forged", "Connection: close")
		leaks := leaky[kind] && !dropsUnderscores(reading.Server)
		diff := reading.Differences(map[string]string{"X-Auth-Role": "good"})
		if (len(diff) > 0) != leaks {
			t.Errorf("%s: %v", reading.Server, diff)
		}
		if leaks != (len(reading.Holding("forged")) > 0) {
			t.Errorf("%s: holding: %v", reading.Server, reading.Holding("forged"))
		}
	})
}
