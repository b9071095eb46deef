package headers_test

import (
	"mime"
	"strings"
	"testing"

	"github.com/manageros/authproxy"
)

func TestEncodings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ enc, claim, want string }{
		{"raw", `"100% a, b"`, `100% a, b`},
		{"raw", `["a",1,null]`, `a,1`},
		{"raw", `{"a": "b"}`, `{"a":"b"}`},
		{"base64url", `"Müller"`, `TcO8bGxlcg`},
		{"base64url", `"??>"`, `Pz8-`},
		{"base64url", `42`, `NDI`},
		{"base64url", `["a,b","c"]`, `YSxi,Yw`},
		{"base64url", `{"a": 1}`, `eyJhIjoxfQ`},
		{"rfc2047", `"plain, text"`, `plain, text`},
		{"rfc2047", `"Müller GmbH"`, `=?utf-8?q?M=C3=BCller_GmbH?=`},
		{"rfc2047", `" a"`, `=?utf-8?q?_a?=`},
		{"rfc2047", `"=?utf-8?q?x?="`, `=?utf-8?q?=3D=3Futf-8=3Fq=3Fx=3F=3D?=`},
		{"rfc2047", `["a,b","c"]`, `=?utf-8?q?a=2Cb?=,c`},
		{"json", `"manager"`, `"manager"`},
		{"json", `"Müller 😀"`, `"M\u00fcller \ud83d\ude00"`},
		{"json", `" a "`, `" a "`},
		{"json", `"a\/\u00e4"`, `"a\/\u00e4"`},
		{"json", `1.50`, `1.50`},
		{"json", `true`, `true`},
		{"json", `[ "a" , "b, c", null ]`, `["a","b, c",null]`},
		{"json", `{ "ä" : [1, {}] }`, `{"\u00e4":[1,{}]}`},
	} {
		got, err := render(t, "X-Auth-C=c;enc="+c.enc, `{"c":`+c.claim+`}`)
		if err != nil || got.Value != c.want {
			t.Errorf("enc=%s: %s becomes %q, %v, want %q", c.enc, c.claim, got.Value, err, c.want)
		}
	}
}

func TestRawRefuses(t *testing.T) {
	t.Parallel()
	for _, claim := range []string{
		`"Müller"`, `" a"`, `"a "`, `" "`, `["a","ü"]`, `["a,b"]`, `["a"," b"]`, `{"a":"ü"}`, `[["ü"]]`, `"\u00a0"`,
	} {
		_, err := render(t, "X-Auth-C=c;enc=raw", `{"c":`+claim+`}`)
		wantReason(t, err, authproxy.ClaimInvalid)
	}
	// A nested array is JSON, whose commas are its own, whatever stands first.
	if got, err := render(t, "X-Auth-C=c;enc=raw", `{"c":["a,b",{}]}`); err != nil || got.Value != `["a,b",{}]` {
		t.Errorf("%+v, %v", got, err)
	}
}

// Every control character in every place of a value, for every encoding.
func TestControlCharactersAreRefused(t *testing.T) {
	t.Parallel()
	places := []string{`"%s"`, `"a%sb"`, `["a","%s"]`, `{"k":"%s"}`, `{"%s":1}`, `[["x%s"]]`, `[{"a":{"b":["%s"]}}]`}
	escapes := []string{`\u0000`, `\u0001`, `\t`, `\n`, `\u000b`, `\r`, `\u001f`, `\u007f`, "\x7f", `\u0080`, `\u0085`, "\u0085", `\u009f`}
	for _, enc := range []string{"percent", "raw", "base64url", "rfc2047", "json"} {
		m := mapping(t, "X-Auth-C=c;enc="+enc)
		for _, place := range places {
			for _, escape := range escapes {
				claims := `{"c":` + strings.Replace(place, "%s", escape, 1) + `}`
				if _, err := m.Render(authproxy.Claims(claims)); err == nil {
					t.Errorf("enc=%s: %q passes", enc, claims)
				} else {
					wantReason(t, err, authproxy.ClaimInvalid)
				}
			}
		}
		// One that does not become part of a value harms nobody.
		if _, err := m.Render(authproxy.Claims(`{"c":"a","d":"\n"}`)); err != nil {
			t.Error(err)
		}
	}
}

func TestEncodedWordsAreWordsOfRFC2047(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("ä😀 b,", 40)
	got, err := render(t, "X-Auth-C=c;enc=rfc2047", `{"c":"`+text+`"}`)
	if err != nil {
		t.Fatal(err)
	}
	for word := range strings.SplitSeq(got.Value, " ") {
		if len(word) > 75 {
			t.Errorf("%d bytes in %s", len(word), word)
		}
		if part, err := new(mime.WordDecoder).Decode(word); err != nil || strings.Contains(part, "\ufffd") {
			t.Errorf("%s decodes to %q, %v", word, part, err)
		}
	}
	if back, err := new(mime.WordDecoder).DecodeHeader(got.Value); err != nil || back != text {
		t.Errorf("decodes to %q, %v", back, err)
	}
}
