package jwks

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// snapshot is what the cache file holds, as JSON.
type snapshot struct {
	URL       string          `json:"url"`
	FetchedAt time.Time       `json:"fetched_at"`
	Body      json.RawMessage `json:"body"` // the document as it was fetched
}

// clockSlack is how far in the future a fetch time may lie: clocks of machines
// that share a volume differ.
const clockSlack = time.Minute

// readCacheFile returns the document of a cache file and its age. The age is
// the only thing here that is measured with the wall clock, since nothing else
// survives a restart.
func readCacheFile(path, url string, maxAge time.Duration) (body []byte, age time.Duration, err error) {
	data, err := readPrivate(path)
	if err != nil {
		return nil, 0, err
	}
	var s snapshot
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, 0, fmt.Errorf("not a key set cache file: %w", err)
	}
	age = time.Since(s.FetchedAt)
	switch {
	case s.URL != url:
		return nil, 0, errors.New("it was fetched from another URL")
	case age < -clockSlack:
		return nil, 0, errors.New("its fetch time is in the future; check the clock")
	case age >= maxAge:
		return nil, 0, fmt.Errorf("it is older than %s", maxAge)
	}
	return s.Body, max(age, 0), nil
}

// readPrivate reads a file that nobody else can have written: who writes this
// file chooses whose tokens are believed.
func readPrivate(path string) ([]byte, error) {
	// Looked at before it is opened, because opening a named pipe would wait.
	if info, err := os.Lstat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	file, err := os.Open(path) //nolint:gosec // the configured path
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // nothing was written
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o022 != 0 || !info.Mode().IsRegular() || !ownedByUs(info) {
		return nil, errors.New("others can write it; remove it, or make it yours and run chmod 600 on it")
	}
	// Room for the document, the URL and the time; what is cut off is no JSON.
	bounded := io.LimitReader(file, MaxBody+16<<10)
	return io.ReadAll(bounded) //nolint:forbidigo // bounded says it
}

// writeCacheFile replaces the file in one step, so that a reader or a crash
// finds the old one or the new one.
func writeCacheFile(path string, s snapshot) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // fails when it was renamed, as it should be
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
