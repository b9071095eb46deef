package threats_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

// journal is everything that a proxy logged, at every level.
type journal struct {
	slog.Handler
	serving chan [2]string // the addresses of the two listeners
	lines   *lockedBuffer
}

type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func newJournal() *journal {
	lines := new(lockedBuffer)
	return &journal{slog.NewJSONHandler(lines, &slog.HandlerOptions{Level: slog.LevelDebug}), make(chan [2]string, 1), lines}
}

// Handle notes a line, and the addresses in the first.
func (j *journal) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "serving" {
		var addresses [2]string
		r.Attrs(func(a slog.Attr) bool {
			switch a.Key {
			case "listen":
				addresses[0] = a.Value.String()
			case "admin":
				addresses[1] = a.Value.String()
			}
			return true
		})
		j.serving <- addresses
	}
	return j.Handler.Handle(ctx, r)
}

// String is all that was logged so far.
func (j *journal) String() string {
	j.lines.mu.Lock()
	defer j.lines.mu.Unlock()
	return j.lines.text.String()
}

// keepsSecrets fails a test in which something was logged that is nobody's but
// ours and the client's: what a test does, it does with such things.
func (j *journal) keepsSecrets(t *testing.T) {
	t.Helper()
	for line := range strings.Lines(j.String()) {
		for _, secret := range []string{canary, "eyJ", "__session", "__refresh", "__clerk_handshake"} {
			if strings.Contains(line, secret) {
				t.Errorf("%q is in the log: %s", secret, line)
			}
		}
	}
}
