package headers_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/headers"
)

// FuzzStrip: what survives is nothing of ours, by a slower rule.
func FuzzStrip(f *testing.F) {
	for _, name := range []string{"X-Org-Id", "x_org.id", "X-Auth-Token", "X_Auth_Token", "Accept", "", "\xff", "Remote-User", "X‐Auth‐Role"} {
		f.Add(name, "Cookie")
	}
	o := propertyOwner(f)
	f.Fuzz(func(t *testing.T, a, b string) {
		before := http.Header{a: {"1", "2"}, b: {"3"}}
		after := before.Clone()
		o.Strip(after)
		checkStripped(t, o, before, after)
		if headers.Fold(headers.Fold(a)) != headers.Fold(a) {
			t.Errorf("Fold(%q) is not stable", a)
		}
	})
}

// FuzzMapping: compiling never panics, and what compiles is written in a way
// that compiles to the same.
func FuzzMapping(f *testing.F) {
	for _, spec := range []string{
		"", "+X-A=a", `X-A="a.b"|c[0].d;default="x, ""y""";enc=json,X-B=b`, "X-A=a;default= b ;enc=raw", `X-A="`, "X-A=a,,", "\xff",
		"X-A=a;default=\u00a0", `X-A="""";enc=base64url`,
	} {
		f.Add(spec)
	}
	const claims = `{"a":"ä","a.b":[1,"x"],"b":{"c":null},"c":[{"d":true}]}`
	f.Fuzz(func(t *testing.T, spec string) {
		m, err := headers.ParseMapping(spec)
		if err != nil {
			if m != nil || !strings.HasPrefix(err.Error(), "headers: ") {
				t.Errorf("%v with error %v", m, err)
			}
			return
		}
		again, err := headers.ParseMapping(m.String())
		if err != nil || again.String() != m.String() {
			t.Fatalf("%q compiles to %q, and that to %v, %v", spec, m, again, err)
		}
		first, err1 := m.Render(authproxy.Claims(claims))
		second, err2 := again.Render(authproxy.Claims(claims))
		if (err1 == nil) != (err2 == nil) || len(first) != len(second) {
			t.Fatalf("%q and %q differ: %v, %v", spec, m, err1, err2)
		}
		for i := range first {
			if first[i] != second[i] || first[i].Value != "" && !printable(first[i].Value) {
				t.Errorf("%+v and %+v", first[i], second[i])
			}
		}
		if _, err := headers.NewOwner(headers.OwnerConfig{Mapped: m.Headers()}); err != nil {
			t.Errorf("its headers cannot be owned: %v", err)
		}
	})
}

// FuzzForwarded: nothing is believed of an untrusted peer, and what is believed
// of a trusted one is well-formed.
func FuzzForwarded(f *testing.F) {
	f.Add("10.0.0.1:1", "1.1.1.1, 10.0.0.2", "app.example.com", "https", "/app", "id", parent, "a=1")
	f.Add("[::ffff:10.0.0.1]:1", "[::1]:80,,", "a,b", "wss", "//evil", "", "00-", "a,b")
	f.Add("@", "unknown", "", "", "", "", "", "")
	p := peers("10.0.0.0/8")
	f.Fuzz(func(t *testing.T, remote, xff, host, proto, prefix, id, traceparent, tracestate string) {
		h := http.Header{
			"X-Forwarded-For": {xff}, "X-Forwarded-Host": {host}, "X-Forwarded-Proto": {proto}, "X-Forwarded-Prefix": {prefix},
			"X-Request-Id": {id}, "Traceparent": {traceparent}, "Tracestate": {tracestate},
		}
		hop := p.Resolve(remote, h)
		if alone := p.Resolve(remote, http.Header{}); !hop.Trusted && hop != alone || hop.Trusted != alone.Trusted {
			t.Errorf("%q is believed: %+v", remote, hop)
		}
		if hop.Client.Is4In6() || hop.Client.Zone() != "" {
			t.Errorf("client %v", hop.Client)
		}
		if hop.Host != "" && !strings.Contains(host, hop.Host) {
			t.Errorf("host %q out of %q", hop.Host, host)
		}
		for _, value := range []string{hop.Proto, hop.Prefix, hop.RequestID} {
			if value != "" && (!printable(value) || strings.ContainsAny(value, ` ,\"<>?#`)) {
				t.Errorf("%q is believed", value)
			}
		}
		if u, err := url.Parse(hop.Prefix); err != nil && hop.Prefix != "" || err == nil && (u.Host != "" || u.Scheme != "") {
			t.Errorf("the prefix %q is an authority", hop.Prefix)
		}
		trace := headers.ParseTrace(h)
		if len(trace.State) > 512 || trace.Parent == "" && trace.State != "" || trace.Parent != "" && !printable(trace.Parent) ||
			trace.State != "" && !printable(trace.State) {
			t.Errorf("%+v", trace)
		}
	})
}

// FuzzRender: whatever a claim holds becomes printable ASCII or a refusal, and
// a string comes back when it is decoded.
func FuzzRender(f *testing.F) {
	for _, text := range []string{"a", "", " ", "Müller GmbH", "100%", "=?utf-8?q?x?=", "a,b", "\x00", "\u0085", "\U0010ffff", "%2C", `"`} {
		f.Add(text, `{"a":[1,{"b":"c"}]}`)
	}
	f.Fuzz(func(t *testing.T, text, other string) {
		if utf8.ValidString(text) {
			for enc, decode := range decoders() {
				checkString(t, enc, text, decode)
			}
		}
		if json.Valid([]byte(other)) && utf8.ValidString(other) {
			for enc := range decoders() {
				got, err := render(t, "X-Auth-C=c;enc="+enc, `{"c":`+other+`}`)
				if err == nil && got.Value != "" && !printable(got.Value) {
					t.Errorf("enc=%s: %s becomes %q", enc, other, got.Value)
				}
			}
		}
	})
}

func decoders() map[string]func(string) (string, error) {
	return map[string]func(string) (string, error){
		"percent": url.PathUnescape,
		"raw":     func(s string) (string, error) { return s, nil },
		"base64url": func(s string) (string, error) {
			b, err := base64.RawURLEncoding.Strict().DecodeString(s)
			return string(b), err
		},
		"rfc2047": new(mime.WordDecoder).DecodeHeader,
		"json": func(s string) (out string, err error) {
			err = json.Unmarshal([]byte(s), &out)
			return out, err
		},
	}
}

func checkString(t *testing.T, enc, text string, decode func(string) (string, error)) {
	t.Helper()
	quoted, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	got, err := render(t, "X-Auth-C=c;enc="+enc, `{"c":`+string(quoted)+`}`)
	if wantErr := strings.IndexFunc(text, unicode.IsControl) >= 0 || enc == "raw" && text != "" && !printable(text); wantErr != (err != nil) {
		t.Fatalf("enc=%s: %q: error %v", enc, text, err)
	}
	if err != nil {
		if refusal := (*authproxy.Refusal)(nil); !errors.As(err, &refusal) {
			t.Fatalf("%v is no refusal", err)
		}
		return
	}
	if (got.Value == "") != (text == "") || text != "" && !printable(got.Value) {
		t.Fatalf("enc=%s: %q becomes %q", enc, text, got.Value)
	}
	if back, err := decode(got.Value); text != "" && (err != nil || back != text) {
		t.Fatalf("enc=%s: %q becomes %q and comes back as %q, %v", enc, text, got.Value, back, err)
	}
}
