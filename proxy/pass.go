package proxy

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/headers"
)

// pass is one request on its way through the Handler.
type pass struct {
	h       *Handler
	w       *writer
	r       *http.Request // as received; never changed
	hop     headers.Hop
	trace   headers.Trace
	request authproxy.Request
	report  Exchange

	unsayable bool // a cookie of the Decision's is no header value

	gone    bool // the client left while the request was being forwarded
	tooOld  bool // the exchange reached its maximum age
	aborted bool // the connection, or the stream, must be broken off
}

func (h *Handler) begin(w http.ResponseWriter, r *http.Request) *pass {
	if h.cfg.Hooks.Started != nil {
		h.cfg.Hooks.Started()
	}
	x := &pass{h: h, r: r}
	x.w = h.newWriter(w, r)
	x.hop = h.cfg.Peers.Resolve(r.RemoteAddr, r.Header)
	x.trace = headers.ParseTrace(r.Header)
	x.request = newRequest(r, x.hop, h.cfg.Secure)
	x.report = Exchange{
		Time:      h.cfg.Now(),
		RequestID: requestID(x.hop),
		TraceID:   traceID(x.trace),
		Method:    r.Method,
		Host:      x.request.Host,
		Path:      x.request.Path,
		Protocol:  r.Proto,
		ClientIP:  x.hop.Client,
	}
	x.w.pass = x
	return x
}

func requestID(hop headers.Hop) string {
	if hop.RequestID != "" {
		return hop.RequestID
	}
	return rand.Text()
}

func (h *Handler) newWriter(w http.ResponseWriter, r *http.Request) *writer {
	return &writer{
		ResponseWriter: w,
		rc:             http.NewResponseController(w),
		idle:           h.cfg.IdleTimeout,
		upgraded:       h.cfg.Hooks.Upgraded,
		http1:          r.ProtoMajor == 1,
		waits:          len(r.Header["Expect"]) > 0,
	}
}

// traceID is the trace-id of a traceparent, "00-<32 digits>-…" (W3C Trace
// Context section 3.2.2).
func traceID(t headers.Trace) string {
	if len(t.Parent) < 35 {
		return ""
	}
	return t.Parent[3:35]
}

// end reports what became of the request, whatever that was. It is deferred, so
// that a panic ends here: an answer that has begun is broken off, which no
// client can take for a whole one.
func (x *pass) end() {
	caught := recover()
	if x.w.tunnel != nil && x.h.cfg.Hooks.Upgraded != nil {
		defer x.h.cfg.Hooks.Upgraded(-1)
	}
	if caught != nil {
		x.settle(caught)
	}
	if x.w.status == 0 && !x.aborted {
		x.w.WriteHeader(http.StatusOK) // what net/http would say now, past what every answer of ours needs
	}
	x.account()
	if done := x.h.cfg.Hooks.Done; done != nil {
		done(&x.report)
	}
	if x.aborted {
		panic(http.ErrAbortHandler)
	}
	x.w.finish()
}

// settle finds out whose fault a broken exchange is, and answers when nothing
// has been answered yet.
func (x *pass) settle(caught any) {
	if err, is := caught.(error); !is || !errors.Is(err, http.ErrAbortHandler) {
		x.report.Panic = debug.Stack()
		x.crash(fmt.Errorf("proxy: panic: %v", caught))
		return
	}
	x.aborted, x.report.Cut = true, x.w.status != 0
	switch {
	case x.report.Reason != "" || !x.report.Cut: // known already
	case x.w.err != nil:
		x.fail(authproxy.ClientClosed, x.w.err)
	case x.gone:
		x.fail(authproxy.ClientClosed, context.Canceled)
	case x.tooOld:
		x.fail(authproxy.UpstreamTimeout, errTooOld)
	default:
		x.fail(authproxy.UpstreamUnreachable, errors.New("the answer broke off"))
	}
}

// crash books a fault of our own.
func (x *pass) crash(err error) {
	if x.w.status != 0 {
		x.aborted, x.report.Cut = true, true
		x.fail(authproxy.InternalError, err)
		return
	}
	clear(x.w.Header())
	d := x.report.Decision
	d.Action, d.Reason, d.Detail, d.Cause = authproxy.Deny, authproxy.InternalError, "", err
	x.render(d)
}

// fail books a failure.
func (x *pass) fail(reason authproxy.Reason, err error) {
	x.report.Reason, x.report.Err = reason, err
}

// account completes the report.
func (x *pass) account() {
	e := &x.report
	if e.Reason == "" {
		e.Reason, e.Detail, e.Err = e.Decision.Reason, e.Decision.Detail, e.Decision.Cause
	}
	if e.Err == nil && x.unsayable {
		e.Err = errUnsayable
	}
	e.Status = x.w.status
	e.BytesOut = x.w.written
	if x.w.body != nil {
		e.BytesIn = x.w.body.count()
	}
	if t := x.w.tunnel; t != nil {
		e.Upgraded = true
		e.BytesIn += t.in.Load()
		e.BytesOut += t.out.Load()
	}
	if e.Reason == authproxy.ClientClosed && !e.Cut && !e.Upgraded {
		e.Status = authproxy.StatusClientClosed
	}
	e.Duration = x.h.cfg.Now().Sub(e.Time)
}

// refuse answers a request that the Decider was not asked about, or that cannot
// be forwarded although it may.
func (x *pass) refuse(refusal *authproxy.Refusal) {
	d := x.report.Decision
	d.Action, d.Reason, d.Detail, d.Cause = authproxy.Deny, refusal.Reason, refusal.Detail, refusal.Cause
	x.render(d)
}

// render answers with a refusal or a redirect.
func (x *pass) render(d authproxy.Decision) {
	x.report.Reason, x.report.Detail = reasonOf(d), d.Detail
	if d.Cause != nil {
		x.report.Err = d.Cause
	}
	x.takeCookies(d.SetCookies)
	x.w.forwarded = false
	x.boundDraining()
	x.h.respond(x.w, x.r, &x.request, x.report.RequestID, d)
}

// boundDraining bounds what the server does with a body nobody reads: it drains
// a short one before it answers, and closes the connection when there is more.
// It must not wait for ever, nor until the deadline of the answer itself.
func (x *pass) boundDraining() {
	if x.w.body == nil && x.r.ContentLength != 0 {
		_ = x.w.rc.SetReadDeadline(time.Now().Add(x.h.cfg.IdleTimeout / 2))
	}
}

// reserved answers a path of our own.
func (x *pass) reserved(d authproxy.Decision) {
	if x.h.cfg.Reserved == nil {
		x.refuse(authproxy.Refuse(authproxy.NotFound, "nothing answers here"))
		return
	}
	own(x.w.Header(), x.report.RequestID)
	x.boundDraining()
	x.h.cfg.Reserved(x.w, x.r, d)
}
