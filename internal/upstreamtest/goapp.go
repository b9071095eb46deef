package upstreamtest

import (
	"crypto/sha1" // RFC 6455 section 1.3 defines the handshake with it
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
)

// Handler is the Go application.
func Handler() http.Handler { return http.HandlerFunc(serve) }

func serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	document, err := json.Marshal(read(r, int(body)))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	switch {
	case r.Header.Get("Upgrade") == "websocket":
		upgrade(w, r, document)
	case r.Method == http.MethodHead:
		w.Header().Set("X-Reading", base64.StdEncoding.EncodeToString(document))
	default:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(document) // a client that went away is no fault of the application
	}
}

func read(r *http.Request, body int) Reading {
	reading := Reading{
		Server: runtime.Version(), Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery,
		Body: body, Read: map[string]map[string][]string{},
	}
	for _, name := range Names() {
		found := map[string][]string{
			`r.Header.Values("` + name + `")`: r.Header.Values(name),
			`r.Header["` + name + `"]`:        r.Header[name],
			`r.Header.Get("` + name + `")`:    nil,
		}
		if value := r.Header.Get(name); value != "" {
			found[`r.Header.Get("`+name+`")`] = []string{value}
		}
		reading.Read[name] = found
	}
	cookies := map[string]string{}
	for _, c := range r.Cookies() {
		cookies[c.Name] = c.Value
	}
	reading.Cookies = map[string]map[string]string{"r.Cookies()": cookies}
	reading.Dump = append(variables("r.Header", r.Header), variables("r.Trailer", r.Trailer)...)
	return reading
}

func variables(from string, h http.Header) []Variable {
	var found []Variable
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			found = append(found, Variable{From: from, Name: name, Value: value})
		}
		if len(h[name]) == 0 {
			found = append(found, Variable{From: from, Name: name})
		}
	}
	return found
}

func upgrade(w http.ResponseWriter, r *http.Request, document []byte) {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-Websocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	conn, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer func() { _ = conn.Close() }()
	_, _ = buf.WriteString(strings.Join([]string{
		"HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket",
		"Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]), "", string(document), "",
	}, "\r\n"))
	_ = buf.Flush() // as above
}
