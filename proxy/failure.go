package proxy

import (
	"errors"
	"net"
	"net/http"
	"os"

	"github.com/manageros/authproxy"
)

// upstreamFailed answers when there is no response to pass on.
func (x *pass) upstreamFailed(err error) {
	if x.w.tunnel != nil {
		x.fail(authproxy.ClientClosed, err)
		return // the head could not be written to the client
	}
	reason := x.blame(err)
	d := x.report.Decision
	d.Action, d.Reason, d.Detail, d.Cause = authproxy.Deny, reason, "", err
	if reason == authproxy.RequestTooLarge {
		d.Detail = tooLarge(x.h.cfg.MaxBodyBytes).Detail
	}
	if reason != authproxy.ClientClosed {
		x.render(d)
		return
	}
	if x.w.body != nil && x.w.body.fault() != nil {
		d.Reason = authproxy.BodyInvalid // whoever only stopped sending may still be reading
		x.render(d)
	}
	x.fail(reason, err)
	if x.w.status == 0 {
		panic(http.ErrAbortHandler)
	}
}

// blame says whose fault it is that there is no response.
func (x *pass) blame(err error) authproxy.Reason {
	var fault error
	if x.w.body != nil {
		fault = x.w.body.fault()
	}
	gone := x.r.Context().Err() != nil
	var timeout net.Error
	switch {
	case errors.Is(fault, errTooLarge):
		return authproxy.RequestTooLarge
	case fault != nil && (!gone || errors.Is(fault, os.ErrDeadlineExceeded)):
		return authproxy.BodyInvalid // too slow ends the context as leaving does
	case gone:
		return authproxy.ClientClosed
	case errors.Is(err, errTooOld), errors.As(err, &timeout) && timeout.Timeout():
		return authproxy.UpstreamTimeout
	default:
		return authproxy.UpstreamUnreachable
	}
}
