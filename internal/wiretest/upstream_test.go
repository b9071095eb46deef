package wiretest_test

import (
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/wiretest"
)

const (
	get  = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
	post = "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"
)

func TestUpstreamRecords(t *testing.T) {
	t.Parallel()
	u := wiretest.NewUpstream(t, nil)
	first, second := wiretest.Dial(t, u.Addr()), wiretest.Dial(t, u.Addr())
	for _, c := range []*wiretest.Client{first, second} {
		if got := c.Exchange(get+post, "GET", "POST"); len(got) != 2 || string(got[1].Body) != "ok" {
			t.Fatalf("got %+v", got)
		}
		c.Finish()
	}
	all := u.Settle()
	if len(all) != 2 || string(all[1].Bytes) != get+post || len(all[0].Requests) != 2 || string(all[0].Requests[1].Body) != "hi" || !all[0].Ended {
		t.Errorf("recorded %+v", all)
	}
	if n := len(u.Requests()); n != 4 {
		t.Errorf("%d requests", n)
	}
}

// However the bytes are cut, the same requests are counted and answered.
func TestUpstreamSplit(t *testing.T) {
	t.Parallel()
	u := wiretest.NewUpstream(t, nil)
	const all = get + post + "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
	c := wiretest.Dial(t, u.Addr())
	for i := range len(all) {
		c.Send(all[:i], all[i:])
		for range 3 {
			if r := c.Response("GET"); r == nil || r.Status != 200 {
				t.Fatalf("split at %d: %+v", i, r)
			}
		}
	}
	c.Finish()
	if n := len(u.Requests()); n != 3*len(all) {
		t.Errorf("%d requests", n)
	}
}

func TestUpstreamSeesWhatIsNoRequest(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in       string
		whole    int
		partial  bool
		leftover string
	}{
		"garbage":    {get + "GET / HTTP/1.1\nHost: x\n\n", 1, false, "GET / HTTP/1.1\n"},
		"cut body":   {get + strings.TrimSuffix(post, "i"), 1, true, "POST /b"},
		"cut head":   {"GET /", 0, false, "GET /"},
		"both sizes": {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n", 0, false, "POST /"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := wiretest.NewUpstream(t, nil)
			client := wiretest.Dial(t, u.Addr())
			client.Send(c.in)
			client.HalfClose()
			client.End()
			got := u.Settle()[0]
			if len(got.Requests) != c.whole || (got.Partial != nil) != c.partial || !strings.HasPrefix(string(got.Leftover), c.leftover) || got.Err == nil {
				t.Errorf("recorded %+v", got)
			}
		})
	}
}

// obedient answers as the target says.
func obedient(t *testing.T, release <-chan struct{}) *wiretest.Upstream {
	t.Helper()
	return wiretest.NewUpstream(t, func(r *wiretest.Request) wiretest.Reply {
		switch r.Target {
		case "/early":
			return wiretest.Reply{Early: true, Bytes: "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"}
		case "/close":
			return wiretest.Reply{Close: true, Bytes: "HTTP/1.1 200 OK\r\n\r\nto the end"}
		case "/tunnel":
			return wiretest.Reply{Tunnel: true, Bytes: "HTTP/1.1 101 Switching Protocols\r\n\r\n"}
		case "/after":
			return wiretest.Reply{After: release}
		case "/silence":
			return wiretest.Reply{Mute: true, Close: true}
		case "/mute":
			return wiretest.Reply{Mute: true}
		default:
			return wiretest.Reply{}
		}
	})
}

func TestUpstreamReplies(t *testing.T) {
	t.Parallel()
	u := obedient(t, nil)
	t.Run("early", func(t *testing.T) {
		t.Parallel()
		c := wiretest.Dial(t, u.Addr())
		if got := c.Exchange("POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n", "POST"); got[0].Status != 403 {
			t.Errorf("got %+v", got)
		}
		if got := c.Exchange("hi"+get, "GET"); got[0].Status != 200 {
			t.Errorf("the late body was answered: %+v", got)
		}
		c.Finish()
	})
	t.Run("close", func(t *testing.T) {
		t.Parallel()
		c := wiretest.Dial(t, u.Addr())
		if got := c.Exchange("GET /close HTTP/1.1\r\nHost: x\r\n\r\n", "GET"); string(got[0].Body) != "to the end" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("silence", func(t *testing.T) {
		t.Parallel()
		c := wiretest.Dial(t, u.Addr())
		c.Send("GET /silence HTTP/1.1\r\nHost: x\r\n\r\n")
		if got := c.End(); len(got) > 0 {
			t.Errorf("got %q", got)
		}
	})
	t.Run("head", func(t *testing.T) {
		t.Parallel()
		c := wiretest.Dial(t, u.Addr())
		if got := c.Exchange("HEAD /head HTTP/1.1\r\nHost: x\r\n\r\n"+get, "HEAD", "GET"); len(got) != 2 || got[1].Status != 200 {
			t.Errorf("got %+v", got)
		}
		c.Finish()
	})
	t.Run("continue", func(t *testing.T) {
		t.Parallel()
		c := wiretest.Dial(t, u.Addr())
		c.Send("POST /c HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
		const interim = "HTTP/1.1 100 Continue\r\n\r\n"
		if got := c.Read(len(interim)); got != interim {
			t.Errorf("got %q", got)
		}
		c.Send("hi")
		if r := c.Response("POST"); r.Status != 200 {
			t.Errorf("got %+v", r)
		}
	})
}

func TestUpstreamTunnels(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	u := obedient(t, release)
	t.Run("tunnel", func(t *testing.T) {
		t.Parallel()
		c := wiretest.Dial(t, u.Addr())
		c.Send("GET /tunnel HTTP/1.1\r\nHost: x\r\n\r\nearly ")
		if r := c.Response("GET"); r.Status != 101 {
			t.Fatalf("got %+v", r)
		}
		c.Send("late")
		if got := c.Read(10); got != "early late" {
			t.Errorf("echoed %q", got)
		}
		c.Finish()
	})
	t.Run("after", func(t *testing.T) {
		t.Parallel()
		c := wiretest.Dial(t, u.Addr())
		c.Send("GET /after HTTP/1.1\r\nHost: x\r\n\r\nbehind")
		u.Await("what follows the request", func(all []wiretest.Connection) bool {
			for _, c := range all {
				if string(c.Leftover) == "behind" {
					return true
				}
			}
			return false
		})
		close(release)
		if r := c.Response("GET"); r.Status != 200 {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("mute", func(t *testing.T) {
		t.Parallel()
		c := wiretest.Dial(t, u.Addr())
		c.Send("GET /mute HTTP/1.1\r\nHost: x\r\n\r\n")
		c.Finish()
	})
}
