package wiretest_test

import (
	"slices"
	"testing"

	"github.com/manageros/authproxy/internal/wiretest"
)

func TestReadable(t *testing.T) {
	t.Parallel()
	const owned = "X-Org-Id"
	type fields = []wiretest.Field
	for name, c := range map[string]struct {
		fields, trailers fields
		want             []string
	}{
		"silent":              {fields{{"X-Org", "a"}, {"X-Org-Id-2", "a"}, {"Y-X-Org-Id", "a"}}, nil, nil},
		"one":                 {fields{{"X-Org-Id", "a"}}, nil, []string{"a"}},
		"any case":            {fields{{"x-oRG-iD", "a"}}, nil, []string{"a"}},
		"underscores":         {fields{{"X_Org_Id", "a"}}, nil, []string{"a"}},
		"mixed":               {fields{{"X-Org_Id", "a"}}, nil, []string{"a"}},
		"dots":                {fields{{"X.Org.Id", "a"}}, nil, []string{"a"}},
		"tildes":              {fields{{"X~Org|Id", "a"}}, nil, []string{"a"}},
		"twice":               {fields{{"X-Org-Id", "a"}, {"X-Org-Id", "b"}}, nil, []string{"a", "a, b", "a,b", "b"}},
		"twice the same":      {fields{{"X-Org-Id", "a"}, {"X-Org-Id", "a"}}, nil, []string{"a", "a, a", "a,a"}},
		"beside another":      {fields{{"X_Org_Id", "evil"}, {"X-Org-Id", "good"}}, nil, []string{"evil", "evil, good", "evil,good", "good"}},
		"in a trailer":        {nil, fields{{"x_org_id", "a"}}, []string{"a"}},
		"trimmed differently": {fields{{"X-Org-Id", "\u00a0a\u0085"}}, nil, []string{"a", "\u00a0a\u0085"}},
		"trimmed bytes":       {fields{{"X-Org-Id", "\xa0a"}}, nil, []string{"a", "\xa0a"}},
		"empty":               {fields{{"X-Org-Id", ""}}, nil, []string{""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &wiretest.Request{Fields: c.fields, Trailers: c.trailers}
			if got := r.Readable(owned); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestAnnounces(t *testing.T) {
	t.Parallel()
	r := &wiretest.Request{Fields: []wiretest.Field{{"Trailer", "a, x_org_id"}, {"Connection", "close"}}}
	if !r.Announces("trailer", "X-Org-Id") || r.Announces("Connection", "X-Org-Id") {
		t.Error("Announces does not read lists as servers do")
	}
}
