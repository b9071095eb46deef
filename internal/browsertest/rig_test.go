package browsertest_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/app"
	"github.com/manageros/authproxy/internal/clerkdev"
	"github.com/manageros/authproxy/internal/wiretest"
)

// site says what is to be played.
type site struct {
	production bool // a pk_live instance over https; else pk_test over http
	noSecret   bool // the proxy has no secret key
	through    bool // the application passes the Frontend API on, as CLERK_PROXY_URL means it; else it is before the proxy, as in dev
	scripted   script
	template   string        // of the token
	lifetime   time.Duration // of a token; zero is Clerk's
	environ    []string      // more settings of the proxy
	signIn     string        // path of the sign-in page; "" is the emulator's
	upstream   func(*rig) string
}

// rig is a site that runs.
type rig struct {
	*clerkdev.Instance
	site
	*journal
	base     string // what the browser opens, "http://localhost:port"
	api      string // Clerk's Backend API
	control  string // what the script of a browser may ask of the test
	upstream string // of the proxy
	pin      string // the certificate's key, as Chromium wants it
	ahead    atomic.Int64

	harbour, quarry string // organisations that Ada can choose between
}

// now is the clock of the proxy and the emulator.
func (r *rig) now() time.Time { return time.Now().Add(time.Duration(r.ahead.Load())) }

// start runs a site until the test ends.
func start(t *testing.T, s site) *rig {
	t.Helper()
	r := &rig{site: s, journal: &journal{}}
	cfg := clerkdev.Config{
		Production: s.production, Template: s.template, TokenLifetime: s.lifetime, Scripts: scripts(t), Now: r.now,
	}
	if s.production {
		cfg.FrontendAPI = "clerk.authproxy-emulator.example.com"
	}
	var err error
	if r.Instance, err = clerkdev.New(cfg); err != nil {
		t.Fatal(err)
	}
	clerkdev.Demo(r.Instance)
	r.harbour, r.quarry = r.join(t, "Harbour"), r.join(t, "Quarry")
	front := listen(t)
	r.base = "http://localhost:" + port(front)
	if s.production {
		r.base = "https://localhost:" + port(front)
	}
	r.api = serve(t, listen(t), r.backend(), nil)
	r.control = serve(t, listen(t), r.controls(t), nil)
	if s.upstream == nil {
		s.upstream = func(r *rig) string { return serve(t, listen(t), newWebApp(r), nil) }
	}
	r.upstream = s.upstream(r)
	var certificate *wiretest.Certificate
	if s.production {
		certificate = wiretest.NewCertificate(t, "localhost")
		r.pin = pinOf(t, certificate)
	}
	serve(t, front, r.watch(r.proxy(t)), certificate)
	return r
}

// proxy wires the program as authproxy dev does.
func (r *rig) proxy(t *testing.T) http.Handler {
	t.Helper()
	signIn := r.signIn
	if signIn == "" {
		signIn = clerkdev.SignInPath
	}
	environ := []string{
		"CLERK_PUBLISHABLE_KEY=" + r.Named().PublishableKey,
		"CLERK_API_URL=" + r.api,
		"CLERK_PROXY_URL=" + strings.TrimSuffix(clerkdev.FrontendPath, "/"),
		"CLERK_SIGN_IN_URL=" + signIn,
		"AUTHPROXY_JWKS_URL=" + r.api + "/.well-known/jwks.json",
		"AUTHPROXY_UPSTREAM=" + r.upstream,
		"AUTHPROXY_PUBLIC_PATHS=" + clerkdev.FrontendPath + "*,/welcome,/welcome/*",
		"AUTHPROXY_HEADERS=+" + organizationHeader + "=o.id",
		"AUTHPROXY_WHOAMI=on",
		"AUTHPROXY_CLOCK_SKEW=3s",
	}
	if !r.noSecret {
		environ = append(environ, "CLERK_SECRET_KEY="+r.SecretKey())
	}
	if r.production {
		environ = append(environ, "AUTHPROXY_PUBLIC_URL="+r.base)
	}
	cfg, err := app.Load(append(environ, r.environ...))
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(cfg, app.Options{Now: r.now})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = a.Keys().Run(t.Context()) }()
	t.Cleanup(func() { <-done })
	frontend, proxy := r.Frontend(), a.Data()
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if strings.HasPrefix(q.URL.Path, clerkdev.FrontendPath) && !r.through {
			frontend.ServeHTTP(w, q)
			return
		}
		proxy.ServeHTTP(w, q)
	})
}

// backend is what Clerk has at its own hosts.
func (r *rig) backend() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/v1/", r.Backend())
	mux.HandleFunc("GET /.well-known/jwks.json", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(r.JWKS()) })
	return mux
}

// controls are what the script of a browser may ask of the test.
func (r *rig) controls(t *testing.T) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /mark", func(_ http.ResponseWriter, q *http.Request) { r.mark(q.FormValue("name")) })
	mux.HandleFunc("POST /advance", func(_ http.ResponseWriter, q *http.Request) {
		seconds, err := strconv.Atoi(q.FormValue("seconds"))
		if err != nil {
			t.Error(err)
		}
		r.advance(time.Duration(seconds) * time.Second)
	})
	mux.HandleFunc("POST /ticket", func(w http.ResponseWriter, q *http.Request) {
		_, _ = io.WriteString(w, r.ticket(t, r.user(t, q.FormValue("user")).ID))
	})
	return mux
}

// advance moves the clock of the proxy and the emulator.
func (r *rig) advance(by time.Duration) {
	r.ahead.Add(int64(by))
	r.mark("the clock is put forward by " + by.String())
}

// join makes an organisation that Ada is a member of.
func (r *rig) join(t *testing.T, name string) string {
	t.Helper()
	o := r.AddOrganization(clerkdev.Organization{Name: name})
	m := clerkdev.Membership{UserID: r.user(t, "ada").ID, OrganizationID: o.ID, Role: "org:member"}
	if _, err := r.AddMembership(m); err != nil {
		t.Fatal(err)
	}
	return o.ID
}

// ticket is a sign-in token of the Backend API, which signs its person in once.
func (r *rig) ticket(t *testing.T, userID string) string {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.api+"/v1/sign_in_tokens", strings.NewReader(`{"user_id":"`+userID+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Authorization", "Bearer "+r.SecretKey())
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer answer.Body.Close()
	var made struct{ Token string }
	if err := json.NewDecoder(answer.Body).Decode(&made); err != nil || made.Token == "" {
		t.Errorf("no sign-in token: %d %v", answer.StatusCode, err)
	}
	return made.Token
}

func (r *rig) user(t *testing.T, username string) clerkdev.User {
	t.Helper()
	for _, u := range r.Users() {
		if u.Username == username {
			return u
		}
	}
	t.Fatalf("there is no %s", username)
	return clerkdev.User{}
}

// complaints of a server are the test's.
type complaints struct{ t *testing.T }

func (c complaints) Write(line []byte) (int, error) {
	c.t.Errorf("%s", line)
	return len(line), nil
}

// pinOf is the SHA-256 of a certificate's public key (RFC 7469, section 2.4). With
// it Chromium takes the certificate for a good one; it forgives bad ones too, but
// then keeps no page in its cache.
func pinOf(t *testing.T, c *wiretest.Certificate) string {
	t.Helper()
	text, err := os.ReadFile(c.CertFile)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	parsed, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(parsed.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func port(l net.Listener) string {
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// serve answers on l until the test ends, over TLS with a certificate.
func serve(t *testing.T, l net.Listener, h http.Handler, certificate *wiretest.Certificate) string {
	t.Helper()
	// The context of the test ends before its cleanups run.
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: time.Minute, BaseContext: func(net.Listener) context.Context { return t.Context() },
		ErrorLog: log.New(complaints{t}, "", 0),
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if certificate != nil {
			_ = server.ServeTLS(l, certificate.CertFile, certificate.KeyFile)
			return
		}
		_ = server.Serve(l)
	}()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return "http://" + l.Addr().String()
}
