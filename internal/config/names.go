package config

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// field is one setting as its tags describe it.
type field struct {
	name     string // of the variable
	member   string // of settings
	fallback string // the default, as text; "" when it is derived or there is none
	alias    string // another name for the same value; may be ""
	secret   bool   // never shown, and may be given as name + "_FILE"
}

// fields returns the settings of this version in the order of the manual.
func fields() []field {
	var all []field
	t := reflect.TypeFor[settings]()
	for i := range t.NumField() {
		f := t.Field(i)
		if name := f.Tag.Get("env"); name != "" {
			all = append(all, field{
				name: name, member: f.Name, fallback: f.Tag.Get("envDefault"), alias: f.Tag.Get("alias"),
				secret: f.Type == reflect.TypeFor[Secret](),
			})
		}
	}
	return all
}

// spellings returns every name that sets f.
func (f field) spellings() []string {
	names := []string{f.name}
	if f.alias != "" {
		names = append(names, f.alias)
	}
	if f.secret {
		names = append(names, f.name+"_FILE")
	}
	return names
}

// stage is what brings a planned setting.
type stage string

const (
	withDirectory stage = "it comes with the directory and the synchronisation of metadata"
	undated       stage = "it is planned"
)

// planned holds the names that later versions know. They are refused, never
// ignored: who sets one relies on what it does. Of Clerk's own names only those
// would stand here whose silent neglect changes who is let in or breaks signing
// in; CLERK_WEBHOOK_SIGNING_SECRET may well be there for the application and is
// left alone.
var planned = map[string]stage{
	"AUTHPROXY_ACCEPT":               withDirectory,
	"AUTHPROXY_DIRECTORY_URL":        withDirectory,
	"AUTHPROXY_DIRECTORY_URL_FILE":   withDirectory,
	"AUTHPROXY_DIRECTORY_QUERY":      withDirectory,
	"AUTHPROXY_DIRECTORY_LINK_QUERY": withDirectory,
	"AUTHPROXY_DIRECTORY_LIST_QUERY": withDirectory,
	"AUTHPROXY_FALLBACK":             withDirectory,
	"AUTHPROXY_SYNC":                 withDirectory,
	"AUTHPROXY_SYNC_CLAIMS":          withDirectory,
	"AUTHPROXY_SYNC_INTERVAL":        withDirectory,
	"AUTHPROXY_STATE_URL":            withDirectory,
	"AUTHPROXY_STATE_URL_FILE":       withDirectory,
	"AUTHPROXY_ADMIN_TOKEN":          withDirectory,
	"AUTHPROXY_ADMIN_TOKEN_FILE":     withDirectory,
	"AUTHPROXY_POLICY":               undated,
	"AUTHPROXY_ROUTES_FILE":          undated,
	"AUTHPROXY_FORWARD_AUTH":         undated,
	"AUTHPROXY_EXTAUTHZ_LISTEN":      undated,
	"AUTHPROXY_ASSERTION_KEY":        undated,
	"AUTHPROXY_ASSERTION_KEY_FILE":   undated,
	"AUTHPROXY_TLS_CLIENT_CA_FILE":   undated,
}

// notOurs are the names that Kubernetes makes for a Service called authproxy
// ("Discovering services", environment variables) and those of our own tests.
// No setting of ours ends so.
var notOurs = regexp.MustCompile(`^AUTHPROXY_TEST_|_SERVICE_HOST$|_SERVICE_PORT|_PORT$|_PORT_[0-9]+_`)

// checkNames says which names of the environment nobody reads.
func (l *loader) checkNames() {
	known := map[string]bool{}
	for _, f := range fields() {
		for _, name := range f.spellings() {
			known[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.environ)) {
		later, isPlanned := planned[name]
		switch {
		case known[name]:
		case isPlanned && l.environ[name] != "":
			l.add(name, "is not in this version", string(later)+"; remove it")
		case isPlanned, !strings.HasPrefix(name, "AUTHPROXY_"), notOurs.MatchString(name):
		default:
			l.unknown(name, known)
		}
	}
}

func (l *loader) unknown(name string, known map[string]bool) {
	if base, found := strings.CutSuffix(name, "_FILE"); found && known[base] {
		l.add(shownName(name), "is not known", base+" cannot be given as a file: set "+base)
		return
	}
	l.add(shownName(name), "is not known", "the nearest name is "+nearest(name, known))
}

// nearest returns the known or planned name that takes the fewest edits.
func nearest(name string, known map[string]bool) string {
	candidates := slices.Sorted(maps.Keys(known))
	candidates = append(candidates, slices.Sorted(maps.Keys(planned))...)
	return slices.MinFunc(candidates, func(a, b string) int { return edits(name, a) - edits(name, b) })
}

// edits is the Levenshtein distance, of the beginnings of overlong names.
func edits(a, b string) int {
	a = a[:min(len(a), 100)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// shownName keeps a name that is no ordinary one from garbling the report.
func shownName(name string) string {
	if strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == "" && len(name) <= 100 {
		return name
	}
	return quote(name)
}
