package app_test

import (
	"bufio"
	"cmp"
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/minttest"
)

// binary builds the program once.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "authproxy")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "authproxy")
	out, err := exec.Command("go", "build", "-o", path, "github.com/manageros/authproxy/cmd/authproxy").CombinedOutput()
	if err != nil {
		return "", &exec.Error{Name: string(out), Err: err}
	}
	return path, nil
})

// process is a running authproxy.
type process struct {
	cmd         *exec.Cmd
	data, admin string // addresses
	lines       chan map[string]any
}

// startBinary runs the built program until the test ends.
func startBinary(t *testing.T, env []string) *process {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{lines: make(chan map[string]any, 4096)}
	p.cmd = exec.Command(path)
	p.cmd.Env = append([]string{"AUTHPROXY_LISTEN=127.0.0.1:0", "AUTHPROXY_ADMIN_LISTEN=127.0.0.1:0", "AUTHPROXY_SHUTDOWN_DELAY=1ms"}, env...)
	p.cmd.Stderr = os.Stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	})
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			var line map[string]any
			if json.Unmarshal(s.Bytes(), &line) == nil {
				p.lines <- line
			}
		}
	}()
	line := p.await(t, "serving")
	p.data, p.admin = line["listen"].(string), line["admin"].(string)
	p.awaitReady(t)
	return p
}

// await returns the next line with this message.
func (p *process) await(t *testing.T, msg string) map[string]any {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				t.Fatalf("the program ended before it said %q", msg)
			}
			if line["msg"] == msg {
				return line
			}
		case <-timeout:
			t.Fatalf("the program never said %q", msg)
		}
	}
}

func (p *process) awaitReady(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.admin+"/readyz", nil)
		if response, err := http.DefaultClient.Do(r); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
	}
	t.Fatal("never ready")
}

// stricter are the vectors that our own rules decide otherwise than Clerk's SDK, by
// the row of docs/verification.md. What the rows do to answers, the addresses and
// cookies of handshakes above all, is not said again.
var stricter = map[string]struct {
	row string
	is  outcome
}{
	"bearer lower-case scheme":         {"`bearer` in lower case", signedIn},
	"raw token without scheme":         {"a bare token in `Authorization`", nobody},
	"bearer JWT-template without cat":  {"a template's token without `cat`", outcome{State: "signed-out", Reason: "token-type-mismatch"}},
	"plain without iss, suffixed good": {"`iss`", outcome{State: "signed-out", Reason: "token-invalid-issuer"}},

	"prod handshake nonce unknown":            {"a nonce that brings nothing", nobodyAfter("nope")},
	"dev handshake nonce query unknown nonce": {"a nonce that brings nothing", nobodyAfter("n2")},
	"prod handshake in query as well":         {"a handshake's payload: where it is", nobody},
	"handshake cookie on POST XHR":            {"a handshake's payload: on which requests", nobody},
	"primary dev responds to syncing":         {"`__clerk_redirect_url`", nobody},

	"redirect count 4 (not equal 3)": {"the number of handshakes", outcome{State: "error", Reason: "client-uat-but-no-session-token"}},
	"bearer expired, document navigation": {"bearers that have expired",
		outcome{State: "signed-out", Reason: "session-token-expired-refresh-non-eligible-no-refresh-cookie"}},
}

var (
	nobody   = outcome{State: "signed-out", Reason: "session-token-and-uat-missing"}
	signedIn = outcome{State: "signed-in", User: "user_2oracle", Session: "sess_2oracle"}
)

func nobodyAfter(nonce string) outcome {
	o := nobody
	o.Calls = []string{"GET /v1/clients/handshake_payload?nonce=" + nonce}
	return o
}

// frozen are the vectors whose outcome turns on a single second, which a real
// clock does not hold still for. TestVectors has them.
var frozen = []string{"prod expired 4s ago (within 5s skew)", "prod nbf exactly 5s ahead", "prod nbf 6s ahead", "prod iat 6s ahead, nbf ok"}

// TestVectorsThroughTheBinary: the same cases with tokens minted anew, through
// the program as it is shipped and so under our own rules.
func TestVectorsThroughTheBinary(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("short: needs a build of the program")
	}
	jwksURL := keyServer(t, minttest.JWKS(minttest.Good()))
	upstream, got := recorder(t)
	quiet, running := newBackend(t), map[string]*process{}
	all := decided(t)
	for id := range stricter {
		if !slices.ContainsFunc(all, func(v vector) bool { return v.ID == id }) {
			t.Errorf("no vector is called %q", id)
		}
	}
	for _, v := range all {
		if slices.Contains(frozen, v.ID) {
			continue
		}
		api := quiet
		if v.Bapi != nil || len(v.Expect.BapiCalls) > 0 {
			api = newBackend(t) // answers are remembered
		}
		env := append(environ(&v.asked, jwksURL, api.URL), "AUTHPROXY_UPSTREAM="+upstream.URL,
			"AUTHPROXY_AUTHORIZED_PARTIES="+strings.Join(v.Options.AuthorizedParties, ","))
		key := strings.Join(env, "\n")
		if running[key] == nil {
			running[key] = startBinary(t, env)
		}
		t.Run(v.ID, func(t *testing.T) {
			v := v.remint(t)
			api.play(v.Bapi)
			answered := outcomeOfAnswer(v.send(t, running[key].data), got)
			answered.Calls = api.asked()
			if diff := gocmp.Diff(v.underOurs(), answered); diff != "" {
				t.Errorf("-expected +ours\n%s", diff)
			}
		})
	}
}

// underOurs is what our own rules make of Clerk's decision, as far as an answer
// shows it.
func (v vector) underOurs() outcome {
	g := genes{"instance": "prod", "method": v.Method, "dest": cmp.Or(v.Headers["sec-fetch-dest"], "absent"), "accept": v.Headers["accept"], "bearer": "basic"}
	if !v.Options.production() {
		g["instance"] = "dev"
	}
	if v.Options.IsSatellite {
		g["topology"] = "satellite"
	}
	if _, count, found := strings.Cut(v.Headers["cookie"], "__clerk_redirect_count="); found {
		g["count"] = count
	}
	x := &explained{generated: &generated{genes: g, asked: &v.asked}, genes: g, now: outcomeOfClerk(v.Expect)}
	if other, differs := stricter[v.ID]; differs {
		x.now = other.is
	}
	x.finish()
	switch o := &x.now; o.State {
	case "error": // refused, for this reason if the SDK has one
		o.State, o.Reason = "signed-out", cmp.Or(o.Reason, string(authproxy.TokenInvalidSignature))
	case "returned":
		o.Reason = "" // nobody is told why
	}
	return x.now
}

// outcomeOfAnswer is the decision as far as an answer shows it.
func outcomeOfAnswer(answer *http.Response, got <-chan seen) outcome {
	o := outcome{State: "signed-out", Reason: answer.Header.Get("X-Clerk-Auth-Reason")}
	if set := answer.Header["Set-Cookie"]; len(set) > 0 {
		o.SetCookies = slices.Sorted(slices.Values(set))
	}
	switch {
	case len(got) > 0:
		s := <-got
		o.State, o.User, o.Session = "signed-in", s.header.Get("X-Auth-User-Id"), s.header.Get("X-Auth-Session-Id")
	case answer.StatusCode == http.StatusTemporaryRedirect:
		if o.State = "handshake"; o.Reason == "" {
			o.State = "returned"
		}
		o.Location = canonical(answer.Header.Get("Location"))
	case o.Reason == string(authproxy.SessionPending):
		o.State, o.Reason = "pending", ""
	}
	return o.forgetful()
}

func (v vector) send(t *testing.T, address string) *http.Response {
	t.Helper()
	r := v.request()
	r.RequestURI = ""
	r.URL.Scheme = "http"
	client := &http.Client{
		Timeout: 20 * time.Second,
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(r.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
	return answer
}

var (
	tokenPattern = regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]*`)
	uatPattern   = regexp.MustCompile(`(__client_uat(?:_[\w-]+)?=)(\d{9,})`)
)

// remint is the vector with its tokens and cookies moved to the present, those in
// what Clerk answers included.
func (v vector) remint(t *testing.T) vector {
	t.Helper()
	now := time.Now().Unix()
	moved := readVector(t, shifted(t, v.text, now-v.Now))
	moved.Now = now
	return moved
}

func shifted(t *testing.T, text string, shift int64) string {
	t.Helper()
	text = tokenPattern.ReplaceAllStringFunc(text, func(token string) string { return remint(t, token, shift) })
	return uatPattern.ReplaceAllStringFunc(text, func(cookie string) string {
		m := uatPattern.FindStringSubmatch(cookie)
		at, _ := strconv.ParseInt(m[2], 10, 64)
		return m[1] + strconv.FormatInt(at+shift, 10)
	})
}

// remint signs a token again, the way it was signed, with its times shifted.
func remint(t *testing.T, token string, shift int64) string {
	t.Helper()
	parts := strings.Split(token, ".")
	header, _ := base64.RawURLEncoding.DecodeString(parts[0])
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	signature, _ := base64.RawURLEncoding.DecodeString(parts[2])
	var claims map[string]any
	decoder := json.NewDecoder(strings.NewReader(string(payload)))
	decoder.UseNumber()
	if err := decoder.Decode(&claims); err != nil {
		return token
	}
	for _, name := range []string{"exp", "nbf", "iat"} {
		if n, ok := claims[name].(json.Number); ok {
			at, err := n.Int64()
			if err != nil {
				t.Fatal(err)
			}
			claims[name] = at + shift
		}
	}
	if directives, ok := claims["handshake"].([]any); ok { // it holds tokens, too
		for i, line := range directives {
			directives[i] = shifted(t, line.(string), shift)
		}
	}
	moved, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	var h struct{ Alg string }
	_ = json.Unmarshal(header, &h)
	input := parts[0] + "." + base64.RawURLEncoding.EncodeToString(moved)
	switch {
	case len(signature) == 0:
		return input + "."
	case h.Alg == "HS256":
		mac := hmac.New(sha256.New, []byte(minttest.Good().PEM))
		mac.Write([]byte(input))
		return input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	case h.Alg == "PS256":
		digest := sha256.Sum256([]byte(input))
		sig, err := rsa.SignPSS(rand.Reader, minttest.Good().Key, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: 32})
		if err != nil {
			t.Fatal(err)
		}
		return input + "." + base64.RawURLEncoding.EncodeToString(sig)
	}
	return signerOf(parts[0]+"."+parts[1], h.Alg, signature).SignRaw(header, moved)
}

// signerOf finds out whose signature it was.
func signerOf(input, alg string, signature []byte) minttest.Signer {
	hash := map[string]crypto.Hash{"RS256": crypto.SHA256, "RS384": crypto.SHA384, "RS512": crypto.SHA512}[alg]
	if hash != 0 {
		digest := hash.New()
		digest.Write([]byte(input))
		if rsa.VerifyPKCS1v15(minttest.Good().Public(), hash, digest.Sum(nil), signature) == nil {
			return minttest.Good()
		}
	}
	return minttest.Evil()
}
