package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"net/textproto"
	"net/url"
	"strings"
	"time"

	"github.com/manageros/authproxy"
)

// maxInterim bounds the 1xx heads of one answer (SMG-20).
const maxInterim = 64

// flushDelay is how long a piece of an answer of known length may wait for the
// next one. Streams, whose length is not known, are never held.
const flushDelay = 5 * time.Millisecond

var errTooOld = errors.New("the exchange reached its maximum age")

// forward sends the request to the upstream and the answer to the client.
func (x *pass) forward() {
	cfg := &x.h.cfg
	if x.h.transport == nil {
		x.refuse(authproxy.Refuse(authproxy.NotFound, "there is no upstream"))
		return
	}
	if x.r.Method == http.MethodConnect {
		// The transport would write the body unframed (threats.md section 0.2),
		// so this holds whatever a Decider says.
		x.refuse(authproxy.Refuse(authproxy.MethodNotAllowed, "CONNECT is never forwarded"))
		return
	}
	target, refusal := outgoingURL(x.h.base, x.r.RequestURI)
	if refusal == nil && cfg.StripQuery != nil {
		target.RawQuery = cfg.StripQuery(target.RawQuery)
	}
	if refusal == nil && cfg.MaxBodyBytes > 0 && x.r.ContentLength > cfg.MaxBodyBytes {
		refusal = tooLarge(cfg.MaxBodyBytes)
	}
	if refusal != nil {
		x.refuse(refusal)
		return
	}
	ctx, cancel := context.WithTimeoutCause(x.r.Context(), cfg.StreamMaxAge, errTooOld)
	defer cancel()
	complete := false
	defer func() { x.stop(ctx, complete) }()
	x.proxy(target).ServeHTTP(x.w, x.incoming(ctx))
	if x.report.Reason == "" { // else the answer is ours
		stripTrailers(x.w.Header())
	}
	complete = true
}

func tooLarge(limit int64) *authproxy.Refusal {
	return authproxy.Refuse(authproxy.RequestTooLarge, "the body may have %d bytes", limit)
}

// incoming is the request as the reverse proxy gets it: the one received, with
// a body that is watched and without an Upgrade that is not forwarded.
func (x *pass) incoming(ctx context.Context) *http.Request {
	interim := 0
	in := x.r.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		Got1xxResponse: func(int, textproto.MIMEHeader) error {
			if interim++; interim > maxInterim {
				return fmt.Errorf("more than %d interim responses", maxInterim)
			}
			return nil
		},
	}))
	if x.r.ContentLength != 0 {
		x.w.body = &body{src: x.r.Body, rc: x.w.rc, limit: x.h.cfg.MaxBodyBytes, idle: x.h.cfg.IdleTimeout}
		in.Body = x.w.body
	}
	if len(x.r.Header["Upgrade"]) > 0 && !x.request.Upgrade {
		in.Header = x.r.Header.Clone()
		in.Header.Del("Upgrade")
	}
	return in
}

// stop ends what still reads from the client; complete says that the whole
// answer went out, so that its connection may linger.
func (x *pass) stop(ctx context.Context, complete bool) {
	// Interrupting a read ends the request's context too, so look first.
	x.gone = x.r.Context().Err() != nil
	x.tooOld = errors.Is(context.Cause(ctx), errTooOld)
	if x.w.body == nil {
		return
	}
	linger := time.Duration(0)
	if complete {
		linger = lingerTime
	}
	x.w.body.stop(linger)
}

// proxy is a ReverseProxy for this one request.
func (x *pass) proxy(target *url.URL) *httputil.ReverseProxy {
	start := x.h.cfg.Now()
	headed := func() { x.report.UpstreamDuration = x.h.cfg.Now().Sub(start) }
	return &httputil.ReverseProxy{
		Transport:     x.h.transport,
		BufferPool:    &x.h.buffers,
		FlushInterval: flushDelay,
		ErrorLog:      x.h.silent,
		Rewrite:       func(pr *httputil.ProxyRequest) { x.rewrite(pr.Out, target) },
		ModifyResponse: func(res *http.Response) error {
			headed()
			return x.response(res)
		},
		ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) {
			headed()
			x.upstreamFailed(err)
		},
	}
}

// rewrite makes the outgoing request: remove, then set. Hop-by-hop fields and
// those a Connection list names are gone already, so nothing set here can be
// taken away.
func (x *pass) rewrite(out *http.Request, target *url.URL) {
	d := &x.report.Decision
	out.URL = target
	out.Host = x.request.Host
	out.Trailer = nil // announced or not, request trailers end here (HDR-25)
	out.TransferEncoding = nil
	if out.ContentLength < 0 {
		out.TransferEncoding = []string{"chunked"} // else the transport waits to see whether there is a body
	}

	h := out.Header
	x.report.Stripped = x.h.cfg.Owner.Strip(h)
	if hook := x.h.cfg.Hooks.Stripped; hook != nil && len(x.report.Stripped) > 0 {
		hook(x.report.Stripped, &x.request)
	}
	h.Del("Http2-Settings")
	if out.Body == nil {
		h.Del("Expect")
	}
	if !d.KeepCredentials {
		x.stripCredentials(h)
	}
	neverReplay(h)

	x.setForwarding(h)
	for _, field := range d.Assert {
		h[http.CanonicalHeaderKey(field.Name)] = []string{field.Value}
	}
}

// stripCredentials takes out what was or could be the session: the upstream is
// told who asks, it needs no means to ask as them.
func (x *pass) stripCredentials(h http.Header) {
	if x.report.Decision.DropAuthorization {
		h.Del("Authorization")
	}
	if x.h.cfg.StripCookies != nil {
		x.h.cfg.StripCookies(h, x.w.cookies)
	}
}

// setForwarding says where the request comes from.
func (x *pass) setForwarding(h http.Header) {
	h.Set("X-Forwarded-Host", x.request.Host)
	h.Set("X-Forwarded-Proto", firstOf(x.report.Decision.Origin.Scheme, x.request.Scheme))
	h.Set("X-Request-Id", x.report.RequestID)
	if ip := x.request.ClientIP; ip.IsValid() {
		h.Set("X-Forwarded-For", ip.String())
		h.Set("X-Real-Ip", ip.String())
	}
	setIfAny(h, "X-Forwarded-Prefix", x.hop.Prefix)
	setIfAny(h, "Traceparent", x.trace.Parent)
	setIfAny(h, "Tracestate", x.trace.State)
}

func setIfAny(h http.Header, name, value string) {
	if value != "" {
		h.Set(name, value)
	}
}

// neverReplay hides from the transport the two fields for which it sends a POST
// a second time when the connection breaks (http.Request.isReplayable, SMG-21):
// it knows them in their canonical spelling only.
func neverReplay(h http.Header) {
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		if values, there := h[name]; there {
			delete(h, name)
			h[strings.ToLower(name)] = values
		}
	}
}

// response judges and cleans the upstream's head.
func (x *pass) response(res *http.Response) error {
	if res.StatusCode < 100 || res.StatusCode > 999 {
		return fmt.Errorf("the upstream's status is %d", res.StatusCode) // net/http would panic at it (SMG-20)
	}
	if res.StatusCode == http.StatusSwitchingProtocols {
		if err := checkSwitch(res, x.request.Upgrade); err != nil {
			return err
		}
	}
	stripAnswer(res.Header)
	stripAnswer(res.Trailer)
	for name := range res.Trailer {
		if controlsAnswer(name) {
			delete(res.Trailer, name)
		}
	}
	if res.StatusCode == http.StatusSwitchingProtocols {
		personal(res.Header, x.w.cookies, true) // this head is written past the writer
	}
	x.w.forwarded = true
	return nil
}

// stripTrailers does the same for the trailers, which are there now, and takes
// out what has no business in trailers (RFC 9110 section 6.5.1).
func stripTrailers(h http.Header) {
	stripAnswer(h)
	for name := range h {
		if trailer, is := strings.CutPrefix(name, http.TrailerPrefix); is && controlsAnswer(trailer) {
			delete(h, name)
		}
	}
}

// controlsAnswer reports whether a field frames, routes, sets a cookie or tells
// caches what to do. It is of the head, and a head that says it is not to be
// contradicted behind the body.
func controlsAnswer(name string) bool {
	switch name {
	case "Connection", "Content-Length", "Transfer-Encoding", "Trailer", "Upgrade", "Te", "Host", "Set-Cookie", "Vary":
		return true
	}
	return tellsCaches(name)
}
