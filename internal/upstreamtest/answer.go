package upstreamtest

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Get asks url with GET and reads the answer.
func Get(client *http.Client, url string) (Reading, error) {
	res, err := client.Get(url)
	if err != nil {
		return Reading{}, fmt.Errorf("upstreamtest: get: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	return Parse(res)
}

// Read reads one answer from a connection: the answer to a request with the
// given method, or the first bytes after 101.
func Read(r *bufio.Reader, method string) (Reading, *http.Response, error) {
	res, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		return Reading{}, nil, fmt.Errorf("upstreamtest: read the answer: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode == http.StatusSwitchingProtocols {
		reading, err := decode(r)
		return reading, res, err
	}
	reading, err := Parse(res)
	return reading, res, err
}

// Parse reads the document of an ordinary answer; that of an answer to HEAD is
// in a header.
func Parse(res *http.Response) (Reading, error) {
	if res.StatusCode != http.StatusOK {
		return Reading{}, fmt.Errorf("upstreamtest: status %s, reason %q", res.Status, res.Header.Get("X-Clerk-Auth-Reason"))
	}
	if res.Request != nil && res.Request.Method == http.MethodHead {
		return decode(headDocument(res))
	}
	return decode(res.Body)
}

// decode reads a document of bounded size.
func decode(r io.Reader) (Reading, error) {
	var reading Reading
	if err := json.NewDecoder(io.LimitReader(r, 4<<20)).Decode(&reading); err != nil {
		return Reading{}, fmt.Errorf("upstreamtest: read the document: %w", err)
	}
	return reading, nil
}

// headDocument undoes how the applications answer HEAD.
func headDocument(res *http.Response) io.Reader {
	return base64.NewDecoder(base64.StdEncoding, strings.NewReader(res.Header.Get("X-Reading")))
}
