package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/minttest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"authproxy": main})
}

// TestScripts plays the command line as a person would, from testdata/script.
func TestScripts(t *testing.T) {
	t.Parallel()
	busy := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(busy.Close)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("LIVE_KEY", minttest.LiveKey)
			e.Setenv("TEST_KEY", minttest.TestKey)
			e.Setenv("BUSY", busy.Listener.Addr().String())
			if err := os.WriteFile(e.WorkDir+"/example.env.golden", []byte(authproxy.ExampleEnv()), 0o600); err != nil {
				return err
			}
			return os.WriteFile(e.WorkDir+"/jwt.pem", []byte(minttest.Good().PEM), 0o600)
		},
	})
}
