package headers_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/manageros/authproxy/headers"
)

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func TestTraceparent(t *testing.T) {
	t.Parallel()
	for value, valid := range map[string]bool{
		parent:                           true,
		"cc" + parent[2:]:                true, // a version to come
		"cc" + parent[2:] + "-what.ever": true,
		"cc" + parent[2:] + "x":          false,
		"cc" + parent[2:] + "-a\x01":     false,
		"cc" + parent[2:] + "-" + strings.Repeat("a", 256): false,
		parent + "-00":                       false, // version 00 ends there
		parent[:35] + "_" + parent[36:]:      false,
		parent[:52] + "_" + parent[53:]:      false,
		parent[:54]:                          false,
		"":                                   false,
		"ff" + parent[2:]:                    false,
		strings.ToUpper(parent):              false,
		strings.Replace(parent, "-", "_", 1): false,
		"00-00000000000000000000000000000000-b7ad6b7169203331-01": false,
		"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01": false,
		"00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01": false,
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x": false,
		"0g-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01": false,
		parent + "," + parent: false,
	} {
		got := headers.ParseTrace(http.Header{"Traceparent": {value}})
		if (got.Parent == value && value != "") != valid || !valid && got.Parent != "" {
			t.Errorf("%q: %+v", value, got)
		}
	}
	if got := headers.ParseTrace(http.Header{"Traceparent": {parent, parent}}); got != (headers.Trace{}) {
		t.Errorf("two fields: %+v", got)
	}
}

func TestTracestate(t *testing.T) {
	t.Parallel()
	members := strings.TrimSuffix(strings.Repeat("a=1,", 32), ",")
	for _, c := range []struct {
		lines []string
		want  string
	}{
		{nil, ""},
		{[]string{"a=1"}, "a=1"},
		{[]string{"a=1,\tb@v=2 3"}, "a=1,b@v=2 3"},
		{[]string{"a=1", "b=2"}, "a=1,b=2"},
		{[]string{"a=1,,b=2", ""}, "a=1,b=2"},
		{[]string{"a=" + strings.Repeat("x", 510)}, "a=" + strings.Repeat("x", 510)},
		{[]string{"a=" + strings.Repeat("x", 511)}, ""},
		{[]string{members}, members},
		{[]string{members + ",a=1"}, ""},
		{[]string{"a"}, ""},
		{[]string{"=1"}, ""},
		{[]string{"A=1"}, ""},
		{[]string{"a=1=2"}, ""},
		{[]string{"a=ä"}, ""},
		{[]string{"a=\x01"}, ""},
		{[]string{"a=1,b"}, ""},
	} {
		got := headers.ParseTrace(http.Header{"Traceparent": {parent}, "Tracestate": c.lines})
		if got.Parent != parent || got.State != c.want {
			t.Errorf("%q: %q, want %q", c.lines, got.State, c.want)
		}
		if alone := headers.ParseTrace(http.Header{"Tracestate": c.lines}); alone != (headers.Trace{}) {
			t.Errorf("without a parent: %+v", alone)
		}
	}
}
