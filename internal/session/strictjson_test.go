package session_test

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/manageros/authproxy/internal/session"
)

func TestParseObject(t *testing.T) {
	t.Parallel()
	got, err := session.ParseObject([]byte(" {\"a\" : [1, {\"b\":\"}\\\"]\"} ] ,\n\"\\u0062\\\"\":-1.5e3 , \"c\":\"\\\\\",\"\":null,\"d\":{},\"e\":[]} "))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a": `[1, {"b":"}\"]"} ]`, `b"`: "-1.5e3", "c": `"\\"`, "": "null", "d": "{}", "e": "[]"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for _, text := range []string{"", " ", "{", "}", "[]", `"x"`, "1", "true", "{}{}", "{} x", `{"a":1,}`, `{a:1}`, `{"a":01}`, `{"a":+1}`, "{\"a\":\"\x01\"}", `{"a":"\x"}`} {
		if _, err := session.ParseObject([]byte(text)); err == nil {
			t.Errorf("accepted %q", text)
		}
	}
}

// FuzzParseObject compares the walk with a slow reading by encoding/json alone:
// both accept the same texts and find the same members.
func FuzzParseObject(f *testing.F) {
	for _, seed := range []string{
		`{}`, plainPayload, `{"a":1,"a":2}`, `{"a":[{"b":{},"b":1}]}`, `{"\ud83d\ude00":"\ud83d"}`, `{"a":"\\ud800"}`, `{"a":"\\\ud800"}`,
		"{\"\xff\":1}", `[1]`, ` { "x" : [ true , null , -0.1E+2 , "" ] } `, strings.Repeat(`{"a":`, 33) + "1" + strings.Repeat("}", 33),
		`{"k":1,"\u006b":2}`, `{"a":"\uDBFF\uDFFF\uE000\uD7FF"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := session.ParseObject(data)
		want, ok := slowObject(data)
		if (err == nil) != ok {
			t.Fatalf("%q: error %v, the slow reading says %v", data, err, ok)
		}
		for name, raw := range want {
			if got[name] != string(raw) {
				t.Fatalf("%q: %q is %q, want %q", data, name, got[name], raw)
			}
		}
		if len(got) != len(want) {
			t.Fatalf("%q: %d members, want %d", data, len(got), len(want))
		}
	})
}

// slowObject is the same rules, written another way.
func slowObject(data []byte) (map[string]json.RawMessage, bool) {
	if !utf8.Valid(data) || !json.Valid(data) || !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return nil, false
	}
	// A string that is encoded anew shows U+FFFD where half a character was.
	const mark = "\ufffd"
	if strings.Count(compacted(data), mark) != strings.Count(string(data), mark)+escaped(data, "fffd") {
		return nil, false
	}
	if !slowUnique(json.NewDecoder(bytes.NewReader(data)), 0) {
		return nil, false
	}
	var m map[string]json.RawMessage
	if json.Unmarshal(data, &m) != nil {
		return nil, false
	}
	return m, true
}

// compacted reads every string token and writes what it says.
func compacted(data []byte) string {
	var b strings.Builder
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	for {
		token, err := d.Token()
		if err == io.EOF {
			return b.String()
		}
		if s, ok := token.(string); ok {
			b.WriteString(s)
		}
	}
}

// escaped counts \uHHHH with this number outside of escaped backslashes.
func escaped(data []byte, hex string) (n int) {
	for i := 0; i+1 < len(data); i++ {
		if data[i] != '\\' {
			continue
		}
		if data[i+1] == 'u' && strings.EqualFold(string(data[i+2:i+6]), hex) {
			n++
		}
		i++
	}
	return n
}

func slowUnique(d *json.Decoder, depth int) bool {
	d.UseNumber()
	token, err := d.Token()
	if err != nil {
		return false
	}
	delimiter, container := token.(json.Delim)
	if !container {
		return true
	}
	if depth == 32 {
		return false
	}
	seen := map[string]bool{}
	for d.More() {
		if delimiter == '{' {
			name, err := d.Token()
			if err != nil || seen[name.(string)] {
				return false
			}
			seen[name.(string)] = true
		}
		if !slowUnique(d, depth+1) {
			return false
		}
	}
	_, err = d.Token()
	return err == nil
}
