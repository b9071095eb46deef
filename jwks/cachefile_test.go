//go:build unix

package jwks_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/internal/testneed"
	"github.com/manageros/authproxy/jwks"
)

// cacheFile writes a cache file as it should be, with over replacing members.
func cacheFile(t *testing.T, path string, age time.Duration, over map[string]any) {
	t.Helper()
	content := map[string]any{
		"url":        keysURL,
		"fetched_at": time.Now().Add(-age).Format(time.RFC3339Nano),
		"body":       json.RawMessage(minttest.JWKS(minttest.Good())),
	}
	for name, value := range over {
		content[name] = value
	}
	if err := os.WriteFile(path, must(json.Marshal(content)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTheCacheFileSurvivesARestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{}
		s.publish(minttest.Good())
		_, stop := s.start(t, jwks.Config{CacheFile: path})
		stop()
		fetched := time.Now()

		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("mode %v, %v, want 0600", info.Mode(), err)
		}
		if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
			t.Errorf("left behind: %v, %v", entries, err)
		}

		pass(time.Hour)
		s.set(hang)
		cache, err := jwks.New(s.config(jwks.Config{CacheFile: path}))
		if err != nil {
			t.Fatal(err)
		}
		if !cache.Ready() {
			t.Fatal("not ready with a good cache file")
		}
		wantKey(t, cache, kid, minttest.Good())
		if got := cache.Status(); !got.LastSuccess.Equal(fetched) || got.Keys != 1 || got.Generation != 1 {
			t.Errorf("Status = %+v, want the time of the fetch, %s", got, fetched)
		}
		wantError(t, cache, "unknown", nil, authproxy.ErrKeyUnknown, 0) // nothing runs that could fetch

		run(t, cache)
		synctest.Wait()
		if s.fetches() != 2 {
			t.Errorf("%d fetches, want one at the start in spite of the file", s.fetches())
		}
		pass(23*time.Hour - time.Nanosecond)
		wantKey(t, cache, kid, minttest.Good())
		pass(time.Nanosecond) // 24 hours after the fetch, not after the restart
		wantError(t, cache, kid, nil, authproxy.ErrKeysUnavailable, 0)
	})
}

func TestTheCacheFileFollowsTheKeys(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{}
		s.publish(minttest.Good())
		cacheFile(t, path, time.Hour, map[string]any{"body": json.RawMessage(minttest.JWKS(minttest.Evil()))})
		cache, stop := s.start(t, jwks.Config{CacheFile: path})
		wantKey(t, cache, kid, minttest.Good())
		if generation, _ := cache.Generation(); generation != 2 {
			t.Errorf("Generation = %d after the fetch brought another key, want 2", generation)
		}
		s.set(status(500, nil))
		pass(time.Hour) // failures leave the file alone
		stop()

		cache, err := jwks.New(s.config(jwks.Config{CacheFile: path}))
		if err != nil {
			t.Fatal(err)
		}
		wantKey(t, cache, kid, minttest.Good())
	})
}

func TestCacheFilesThatAreNotTrusted(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T, path string){
		"absent":           func(*testing.T, string) {},
		"group can write":  func(t *testing.T, path string) { cacheFile(t, path, 0, nil); chmod(t, path, 0o620) },
		"others can write": func(t *testing.T, path string) { cacheFile(t, path, 0, nil); chmod(t, path, 0o602) },
		"another URL":      func(t *testing.T, path string) { cacheFile(t, path, 0, map[string]any{"url": keysURL + "?"}) },
		"no URL":           func(t *testing.T, path string) { cacheFile(t, path, 0, map[string]any{"url": ""}) },
		"too old":          func(t *testing.T, path string) { cacheFile(t, path, 24*time.Hour, nil) },
		"from the future":  func(t *testing.T, path string) { cacheFile(t, path, -time.Hour, nil) },
		"no time":          func(t *testing.T, path string) { cacheFile(t, path, 0, map[string]any{"fetched_at": nil}) },
		"no keys": func(t *testing.T, path string) {
			cacheFile(t, path, 0, map[string]any{"body": json.RawMessage(`{"keys":[]}`)})
		},
		"no body": func(t *testing.T, path string) { cacheFile(t, path, 0, map[string]any{"body": nil}) },
		"symmetric key": func(t *testing.T, path string) {
			cacheFile(t, path, 0, map[string]any{"body": json.RawMessage(`{"keys":[{"kty":"oct","k":"AA","kid":"ins_oracle0001"}]}`)})
		},
		"not JSON":         func(t *testing.T, path string) { write(t, path, "keys") },
		"empty":            func(t *testing.T, path string) { write(t, path, "") },
		"only the key set": func(t *testing.T, path string) { write(t, path, string(minttest.JWKS(minttest.Good()))) },
		"too large": func(t *testing.T, path string) {
			cacheFile(t, path, 0, map[string]any{"x": strings.Repeat("x", 2<<20)})
		},
		"symbolic link":     link,
		"named pipe":        func(t *testing.T, path string) { check(t, syscall.Mkfifo(path, 0o600)) },
		"directory":         func(t *testing.T, path string) { check(t, os.Mkdir(path, 0o700)) },
		"of somebody else":  foreign,
		"cut off in flight": func(t *testing.T, path string) { cacheFile(t, path, 0, nil); check(t, os.Truncate(path, 100)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "keys.json")
			prepare(t, path)
			cache, err := jwks.New(jwks.Config{URL: keysURL, CacheFile: path})
			if err != nil {
				t.Fatal("a bad cache file must not stop the start:", err)
			}
			if cache.Ready() {
				t.Error("ready with a cache file that must not be trusted")
			}
		})
	}
	path := filepath.Join(t.TempDir(), "keys.json")
	cacheFile(t, path, 23*time.Hour, nil)
	chmod(t, path, 0o644)
	if cache := must(jwks.New(jwks.Config{URL: keysURL, CacheFile: path})); !cache.Ready() {
		t.Error("the counter-check: a file that others can only read was refused")
	}
	cacheFile(t, path, -30*time.Second, nil)
	cache := must(jwks.New(jwks.Config{URL: keysURL, CacheFile: path}))
	if !cache.Ready() || cache.Status().LastSuccess.After(time.Now()) {
		t.Errorf("the counter-check: a file by a clock that is a little fast: %+v", cache.Status())
	}
}

func TestACacheFileThatCannotBeWrittenIsNoFailure(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "absent", "keys.json")
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{}
		s.publish(minttest.Good())
		cache, _ := s.start(t, jwks.Config{CacheFile: path})
		wantKey(t, cache, kid, minttest.Good())
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
}

// Nothing is left behind when the last step fails.
func TestAFailedWriteLeavesNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "keys.json")
	check(t, os.Mkdir(path, 0o700))
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{}
		s.publish(minttest.Good())
		cache, _ := s.start(t, jwks.Config{CacheFile: path})
		wantKey(t, cache, kid, minttest.Good())
	})
	if entries := must(os.ReadDir(dir)); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

// A link, or a file that others can read, is replaced and not written through.
func TestTheCacheFileIsReplacedNotOverwritten(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	link(t, path)
	target := must(os.Readlink(path))
	before := must(os.ReadFile(target))
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{}
		s.publish(minttest.Evil())
		s.start(t, jwks.Config{CacheFile: path})
	})
	if got := must(os.ReadFile(target)); string(got) != string(before) {
		t.Error("the target of the link was changed")
	}
	if info := must(os.Lstat(path)); info.Mode() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

func link(t *testing.T, path string) {
	t.Helper()
	target := filepath.Join(t.TempDir(), "target")
	cacheFile(t, target, 0, nil)
	check(t, os.Symlink(target, path))
}

func foreign(t *testing.T, path string) {
	t.Helper()
	cacheFile(t, path, 0, nil)
	if err := os.Chown(path, 12345, -1); err != nil {
		testneed.Missing(t, "needs to give a file away: %v", err)
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	check(t, os.Chmod(path, mode))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	check(t, os.WriteFile(path, []byte(text), 0o600))
}
