package headers_test

import (
	"strings"
	"testing"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/headers"
)

func TestPathValue(t *testing.T) {
	t.Parallel()
	const claims = ` { "a" : { "b": [ 10 , {"c":"deep"} ] , "B":"other" }, "a.b":"dotted", "q\"q":"quote", "x]y":1,
		"ſ":"long s", "n":null, "e":"", "l":[ ], "ln":[null, ""], "z":0, "f":false, "o":{}, "nested":[[]] } `
	for path, want := range map[string]string{
		`a`:         `{ "b": [ 10 , {"c":"deep"} ] , "B":"other" }`,
		`a.b[0]`:    `10`,
		`a.b[1].c`:  `"deep"`,
		`a.b[1]`:    `{"c":"deep"}`,
		`a.B`:       `"other"`,
		`"a.b"`:     `"dotted"`,
		`"a".b[0]`:  `10`,
		`"q""q"`:    `"quote"`,
		`"x]y"`:     `1`,
		`z`:         `0`,
		`f`:         `false`,
		`o`:         `{}`,
		`nested`:    `[[]]`,
		`n`:         "",
		`e`:         "",
		`l`:         "",
		`ln`:        "",
		`a.b[2]`:    "",
		`a[0]`:      "",
		`a.b.c`:     "",
		`a.b[0].c`:  "",
		`a.x.y`:     "",
		`A`:         "",
		`s`:         "",
		`S`:         "",
		`n.x`:       "",
		`n[0]`:      "",
		`absent`:    "",
		`absent[0]`: "",
	} {
		p, err := headers.ParsePath(path)
		if err != nil {
			t.Error(err)
			continue
		}
		got, ok := p.Value(authproxy.Claims(claims))
		if ok != (want != "") || ok && string(got) != want {
			t.Errorf("%s: %q, %v, want %q", path, got, ok, want)
		}
		if p.String() != path {
			t.Errorf("String() = %s, want %s", p, path)
		}
	}
}

func TestPathOfNothing(t *testing.T) {
	t.Parallel()
	var zero headers.Path
	if _, ok := zero.Value(authproxy.Claims(`{"a":1}`)); ok {
		t.Error("the zero Path has a value")
	}
	p, err := headers.ParsePath("a")
	if err != nil {
		t.Fatal(err)
	}
	for _, claims := range []string{"", "null", "[1]", "{", `"a"`} {
		if _, ok := p.Value(authproxy.Claims(claims)); ok {
			t.Errorf("claims %q have a value", claims)
		}
	}
}

func TestPathMistakes(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", " a", "a ", "a.", ".a", "a,b", "a;b", "a|b", "a\x00", "\xff", "a.[0]"} {
		_, err := headers.ParsePath(path)
		if err == nil || !strings.HasPrefix(err.Error(), "headers: path ") {
			t.Errorf("%q: error %v", path, err)
		}
	}
}
