package config_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/manageros/authproxy"
)

var update = flag.Bool("update", false, "write config.example.env anew")

const exampleFile = "../../config.example.env"

// TestExampleEnv holds the example to the comments and tags of the settings;
// with -update it writes the example.
func TestExampleEnv(t *testing.T) {
	t.Parallel()
	want := example(t)
	if *update {
		if err := os.WriteFile(exampleFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("config.example.env and the settings have parted; run go generate ./internal/config (-settings +example)\n%s", diff)
	}
	if authproxy.ExampleEnv() != string(got) {
		t.Error("ExampleEnv is not config.example.env")
	}
}

const preamble = `# Settings of authproxy. Each is an environment variable; what is commented out
# here shows the default, or an example where there is none. Surrounding space
# is dropped, an empty value is as if the variable were not set, lists are
# separated by commas, durations are written as in 500ms, 10s, 5m or 24h.
# An unknown AUTHPROXY_ name is an error.
`

// example renders the manual.
func example(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	out.WriteString(preamble)
	for _, f := range settingsFields(t) {
		tag := tagOf(t, f)
		comment := f.Doc.Text()
		if section := tag.Get("section"); section != "" {
			fmt.Fprintf(&out, "\n# === %s ===\n", section)
			writeComment(&out, comment)
			continue
		}
		out.WriteString("\n")
		name, value := tag.Get("env"), tag.Get("example")
		if def := tag.Get("envDefault"); def != "" {
			comment += "Default: " + def + ".\n"
			value = def
		}
		if alias := tag.Get("alias"); alias != "" {
			comment += "Also read as " + alias + ".\n"
		}
		if secret(f) {
			comment += "Or " + name + "_FILE: the path of a file that holds it; not both.\n"
		}
		writeComment(&out, comment)
		fmt.Fprintf(&out, "# %s=%s\n", name, value)
		if secret(f) {
			fmt.Fprintf(&out, "# %s_FILE=/run/secrets/%s\n", name, strings.ToLower(name))
		}
	}
	return out.String()
}

func writeComment(out *bytes.Buffer, text string) {
	for line := range strings.Lines(text) {
		out.WriteString("# " + line)
	}
}

func settingsFields(t *testing.T) []*ast.Field {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "settings.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var fields []*ast.Field
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok && spec.Name.Name == "settings" {
			fields = spec.Type.(*ast.StructType).Fields.List
		}
		return fields == nil
	})
	return fields
}

func tagOf(t *testing.T, f *ast.Field) reflect.StructTag {
	t.Helper()
	text, err := strconv.Unquote(f.Tag.Value)
	if err != nil {
		t.Fatal(err)
	}
	return reflect.StructTag(text)
}

func secret(f *ast.Field) bool {
	ident, ok := f.Type.(*ast.Ident)
	return ok && ident.Name == "Secret"
}

// names returns the settings' names in the order of the manual.
func names(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, f := range settingsFields(t) {
		if name := tagOf(t, f).Get("env"); name != "" {
			all = append(all, name)
		}
	}
	return all
}

func TestEverySettingIsExplained(t *testing.T) {
	t.Parallel()
	for _, f := range settingsFields(t) {
		tag := tagOf(t, f)
		name := tag.Get("env")
		if name == "" {
			continue
		}
		comment := f.Doc.Text()
		if comment == "" {
			t.Errorf("%s has no comment", name)
		}
		if tag.Get("envDefault") == "" && tag.Get("example") == "" {
			t.Errorf("%s has neither default nor example", name)
		}
		required := strings.Contains(comment, "required") || name == "CLERK_PUBLISHABLE_KEY" || secret(f)
		if tag.Get("envDefault") == "" && !required && !strings.Contains(comment, "Default") && !strings.HasPrefix(comment, "See ") {
			t.Errorf("%s does not say what its default is", name)
		}
		for line := range strings.Lines(comment) {
			if len(line) > 77 {
				t.Errorf("%s: a line of its comment is too long for the manual: %q", name, line)
			}
		}
	}
}

// contractNames are the names of this version as operators rely on them.
const contractNames = `CLERK_PUBLISHABLE_KEY CLERK_SECRET_KEY CLERK_JWT_KEY CLERK_SIGN_IN_URL
CLERK_API_URL CLERK_PROXY_URL CLERK_DOMAIN CLERK_IS_SATELLITE AUTHPROXY_SATELLITE_AUTO_SYNC
AUTHPROXY_ORGANIZATION_PATTERNS AUTHPROXY_PERSONAL_ACCOUNT_PATTERNS
AUTHPROXY_UPSTREAM AUTHPROXY_UPSTREAM_CA_FILE AUTHPROXY_LISTEN AUTHPROXY_ADMIN_LISTEN
AUTHPROXY_TLS_CERT_FILE AUTHPROXY_TLS_KEY_FILE AUTHPROXY_PUBLIC_URL AUTHPROXY_AUTHORIZED_PARTIES
AUTHPROXY_EXTRA_HOSTS AUTHPROXY_TRUSTED_PROXIES AUTHPROXY_ISSUER AUTHPROXY_JWKS_URL AUTHPROXY_AUDIENCE
AUTHPROXY_CLOCK_SKEW AUTHPROXY_JWKS_REFRESH AUTHPROXY_JWKS_MIN_REFETCH AUTHPROXY_JWKS_MAX_STALE
AUTHPROXY_JWKS_CACHE_FILE AUTHPROXY_AUTH AUTHPROXY_PUBLIC_PATHS AUTHPROXY_HEADERS
AUTHPROXY_REQUIRED_CLAIMS AUTHPROXY_PASS_HEADERS AUTHPROXY_STRIP_HEADERS AUTHPROXY_PASS_AUTHORIZATION
AUTHPROXY_PASS_CLERK_COOKIES AUTHPROXY_CSRF AUTHPROXY_MAX_HEADER_BYTES AUTHPROXY_MAX_BODY_BYTES
AUTHPROXY_READ_HEADER_TIMEOUT AUTHPROXY_IDLE_TIMEOUT AUTHPROXY_UPSTREAM_TIMEOUT AUTHPROXY_STREAM_MAX_AGE
AUTHPROXY_SHUTDOWN_DELAY AUTHPROXY_SHUTDOWN_TIMEOUT AUTHPROXY_WHOAMI AUTHPROXY_LOG_LEVEL
AUTHPROXY_LOG_FORMAT AUTHPROXY_PPROF`

func TestTheNamesAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	got := map[string]bool{}
	for _, name := range names(t) {
		got[name] = true
	}
	for _, name := range strings.Fields(contractNames) {
		if !got[name] {
			t.Errorf("%s is missing", name)
		}
		delete(got, name)
	}
	for name := range got {
		t.Errorf("%s is a setting that nobody agreed on", name)
	}
}
