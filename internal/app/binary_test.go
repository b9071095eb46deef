package app_test

import (
	"bufio"
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

// stricter are the vectors that our own rules decide otherwise than Clerk's SDK:
// the rows of the table in docs/verification.md. "" is signed in.
var stricter = map[string]string{
	"bearer lower-case scheme":         "",
	"raw token without scheme":         "session-token-and-uat-missing",
	"bearer JWT-template without cat":  "token-type-mismatch",
	"plain without iss, suffixed good": "token-invalid-issuer",
	"prod signed-in, v2 malformed fea": "",
}

// frozen are the vectors whose outcome turns on a single second, which a real
// clock does not hold still for. TestVectors has them.
var frozen = []string{"prod expired 4s ago (within 5s skew)", "prod nbf exactly 5s ahead"}

// TestVectorsThroughTheBinary: the same cases with tokens minted anew, through
// the program as it is shipped and so under our own rules.
func TestVectorsThroughTheBinary(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("short: needs a build of the program")
	}
	jwksURL := keyServer(t, minttest.JWKS(minttest.Good()))
	upstream, got := recorder(t)
	running := map[string]*process{}
	for _, v := range decided(t) {
		if slices.Contains(frozen, v.ID) {
			continue
		}
		env := append(environ(v, jwksURL, upstream.URL), "AUTHPROXY_AUTHORIZED_PARTIES="+strings.Join(v.Options.AuthorizedParties, ","))
		key := strings.Join(env, "\n")
		if running[key] == nil {
			running[key] = startBinary(t, env)
		}
		t.Run(v.ID, func(t *testing.T) {
			v.remint(t)
			answer := v.send(t, running[key].data)
			if want, differs := stricter[v.ID]; differs {
				v.Expect.Status, v.Expect.Reason = "signed-out", want
				if want == "" {
					v.Expect.Status, v.Expect.Auth = "signed-in", &clerkAuth{IsAuthenticated: true, UserID: "user_2oracle", SessionID: "sess_2oracle"}
				}
			}
			v.compare(t, answer, got)
		})
	}
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

// remint moves the tokens and cookies of a vector to the present.
func (v vector) remint(t *testing.T) {
	t.Helper()
	shift := time.Now().Unix() - v.Now
	for name, value := range v.Headers {
		value = tokenPattern.ReplaceAllStringFunc(value, func(token string) string { return remint(t, token, shift) })
		v.Headers[name] = uatPattern.ReplaceAllStringFunc(value, func(cookie string) string {
			m := uatPattern.FindStringSubmatch(cookie)
			at, _ := strconv.ParseInt(m[2], 10, 64)
			return m[1] + strconv.FormatInt(at+shift, 10)
		})
	}
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
