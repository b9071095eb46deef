package clerk

import (
	"context"
	"errors"
	"net/http"
	"time"

	sdk "github.com/clerk/clerk-sdk-go/v2"
	"golang.org/x/time/rate"
)

// call is what is sent, and where the answer goes.
type call struct {
	endpoint, method, path string
	params                 sdk.Params // nil for GET
	reply                  reply
}

// reply is what Clerk says to a call: fault is "" when it is what was asked for.
type reply interface {
	sdk.ResponseReader
	fault() (code string, cause error)
}

// The replies, as far as anybody wants to know.
type (
	refreshed struct {
		sdk.APIResource
		Lines []string `json:"cookies"`
	}
	payload struct {
		sdk.APIResource
		Lines []string `json:"directives"`
	}
	session struct {
		sdk.APIResource
		ID     string `json:"id"`
		Status string `json:"status"`
		wanted string // the id of the one that is to have ended
	}
)

func (r *refreshed) fault() (string, error) { return faultOf(r.Lines) }
func (p *payload) fault() (string, error)   { return faultOf(p.Lines) }

// A success that is not about this session is none: who is told to be out is out.
func (s *session) fault() (string, error) {
	if s.ID != s.wanted || s.Status == "" || s.Status == "active" {
		return CodeUnexpected, errStillActive
	}
	return "", nil
}

// Bounds of a list of Set-Cookie lines, far above what Clerk sends: lists are
// remembered.
const (
	maxLines = 64
	maxBytes = 64 << 10 // of all lines together
)

func faultOf(lines []string) (string, error) {
	total := 0
	for _, line := range lines {
		total += len(line)
	}
	switch {
	case len(lines) == 0:
		return CodeNothing, nil
	case len(lines) > maxLines || total > maxBytes:
		return CodeUnexpected, errTooMuch
	}
	return "", nil
}

// ask makes one call, if it may be made: budget may be nil, which is none.
func (c *Client) ask(ctx context.Context, budget *rate.Limiter, k call) *Error {
	now := time.Now()
	if c.breaker.blocks(now) {
		return c.unsent(k.endpoint, NotTried)
	}
	if budget != nil && !budget.AllowN(now, 1) {
		return c.unsent(k.endpoint, NotAllowed)
	}
	var x exchange
	err, tried := c.breaker.try(func() *Error { return c.send(ctx, k, &x) })
	if !tried {
		return c.unsent(k.endpoint, NotTried)
	}
	c.observe(k.endpoint, codeOf(x.status, err), time.Since(now))
	return err
}

// send makes the call. What the SDK's errors say is not used: it loses the status
// of an answer that is not JSON, takes one out of the JSON of others, and takes a
// redirect for a success.
func (c *Client) send(ctx context.Context, k call, x *exchange) *Error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	request := sdk.NewAPIRequest(k.method, k.path)
	request.SetParams(k.params)
	err := c.api.Call(context.WithValue(ctx, exchangeKey{}, x), request, k.reply)
	c.breaker.obey(x)

	var tooLarge *http.MaxBytesError
	var said *sdk.APIErrorResponse
	failed := &Error{Endpoint: k.endpoint, Code: CodeUnexpected, Status: x.status}
	switch {
	case x.status == 0 || x.cut != nil && !errors.As(x.cut, &tooLarge):
		x.status = 0 // half an answer is none
		return &Error{Endpoint: k.endpoint, Code: CodeFetch, Cause: harmless(err)}
	case x.status >= 200 && x.status <= 299 && err == nil:
		if failed.Code, failed.Cause = k.reply.fault(); failed.Code == "" {
			return nil
		}
	case x.status >= 400 && errors.As(err, &said) && len(said.Errors) > 0:
		failed.Code = jsCode(said.Errors[0].Code)
		if traceForm.MatchString(said.TraceID) {
			failed.Cause = errors.New("trace " + said.TraceID)
		}
	}
	return failed
}
