package proxy

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// asksForWebSocket reports whether the request is a WebSocket handshake (RFC
// 6455 section 4.1) and nothing else besides: any other protocol would make the
// connection a tunnel past every later decision (H2-18; golang/go#80416).
func asksForWebSocket(r *http.Request) bool {
	upgrade := r.Header["Upgrade"]
	return r.ProtoMajor == 1 && r.ProtoMinor == 1 && r.Method == http.MethodGet && r.ContentLength == 0 &&
		len(upgrade) == 1 && strings.EqualFold(strings.Trim(upgrade[0], " \t"), "websocket") &&
		lists(r.Header["Connection"], "upgrade")
}

// lists reports whether token is an element of comma-separated lists.
func lists(values []string, token string) bool {
	return slices.ContainsFunc(values, func(v string) bool {
		return slices.ContainsFunc(strings.Split(v, ","), func(e string) bool {
			return strings.EqualFold(strings.Trim(e, " \t"), token)
		})
	})
}

// checkSwitch judges a 101 of the upstream and leaves in its head only what the
// handshake needs: of this hop nothing may reach the client (HDR-23).
func checkSwitch(res *http.Response, asked bool) error {
	if !asked {
		return errors.New("the upstream switched protocols and nobody had asked")
	}
	if to := res.Header["Upgrade"]; len(to) != 1 || !strings.EqualFold(to[0], "websocket") {
		return fmt.Errorf("the upstream switched to %q instead of websocket", to)
	}
	for _, list := range res.Header["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			res.Header.Del(strings.Trim(name, " \t"))
		}
	}
	for _, name := range []string{
		"Connection", "Upgrade", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
		"Te", "Trailer", "Transfer-Encoding", "Content-Length", "Alt-Svc",
	} {
		res.Header.Del(name)
	}
	res.Header.Set("Connection", "Upgrade")
	res.Header.Set("Upgrade", "websocket")
	return nil
}

// tunnel is the client's side of an upgraded connection.
type tunnel struct {
	net.Conn
	early   []byte // what the client sent before it was upgraded
	idle    time.Duration
	in, out atomic.Int64
}

// Read gives out the early bytes first.
func (t *tunnel) Read(p []byte) (n int, err error) {
	if len(t.early) > 0 {
		n = copy(p, t.early)
		t.early = t.early[n:]
	} else {
		n, err = t.Conn.Read(p)
	}
	t.in.Add(int64(n))
	return n, err
}

// Write bounds the wait for a client that does not read.
func (t *tunnel) Write(p []byte) (int, error) {
	if err := t.SetWriteDeadline(time.Now().Add(t.idle)); err != nil {
		return 0, err
	}
	n, err := t.Conn.Write(p)
	t.out.Add(int64(n))
	return n, err
}

// CloseWrite lets the end of one direction through.
func (t *tunnel) CloseWrite() error { return closeWrite(t.Conn) }

func closeWrite(conn net.Conn) error {
	if half, can := conn.(interface{ CloseWrite() error }); can {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
