// Package reqlog writes the one line per request. It is rendered from the
// [proxy.Exchange] that the surface reports when everything is over, so nothing
// has to be carried through the request to be remembered.
//
// The query, cookies, tokens, Authorization and redirect targets are never
// logged: an Exchange does not hold them.
package reqlog

import (
	"context"
	"io"
	"log/slog"
	"os"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/proxy"
)

// NewLogger returns the program's logger. Format is "json", "text", or "" for
// text where w is a terminal and JSON elsewhere; an unknown level is info.
func NewLogger(w io.Writer, level, format string) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo // the configuration has refused everything else
	}
	options := &slog.HandlerOptions{Level: l}
	if format == "text" || format == "" && terminal(w) {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Line writes request lines.
type Line struct{ log *slog.Logger }

// New returns a Line on log.
func New(log *slog.Logger) *Line { return &Line{log} }

// Write writes the line of one request.
func (l *Line) Write(x *proxy.Exchange) {
	level := levelOf(x)
	if !l.log.Enabled(context.Background(), level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("request_id", x.RequestID),
		slog.String("trace_id", x.TraceID),
		slog.String("route", string(x.Route())),
		slog.String("method", clip(x.Method, 32)),
		slog.String("host", clip(x.Host, 260)),
		slog.String("path", clip(x.Path, 1024)),
		slog.Int("status", x.Status),
		slog.Int64("bytes_in", x.BytesIn),
		slog.Int64("bytes_out", x.BytesOut),
		milliseconds("duration_ms", float64(x.Duration.Microseconds())),
		milliseconds("upstream_duration_ms", float64(x.UpstreamDuration.Microseconds())),
		slog.String("client_ip", clientIP(x)),
		slog.String("protocol", x.Protocol),
		slog.Group("auth", authAttrs(x)...),
	}
	attrs = append(attrs, trouble(x)...)
	l.log.LogAttrs(context.Background(), level, "request", attrs...)
}

func authAttrs(x *proxy.Exchange) []any {
	return []any{
		slog.String("result", x.Result()),
		slog.String("reason", string(x.Reason)),
		slog.String("source", string(x.Source())),
		slog.String("user_id", clip(x.UserID(), 128)),
		slog.String("organization_id", clip(x.OrganizationID(), 128)),
		slog.String("actor_id", clip(x.ActorID(), 128)),
	}
}

// trouble adds what is only there when something was not as ever.
func trouble(x *proxy.Exchange) []slog.Attr {
	var attrs []slog.Attr
	if x.Detail != "" {
		attrs = append(attrs, slog.String("detail", clip(x.Detail, 512)))
	}
	if x.Err != nil {
		attrs = append(attrs, slog.String("error", clip(x.Err.Error(), 512)))
	}
	if n := len(x.Decision.Renewals); n > 0 {
		attrs = append(attrs, slog.String("renewal", string(x.Decision.Renewals[n-1].Outcome)))
	}
	if x.Upgraded {
		attrs = append(attrs, slog.Bool("upgraded", true))
	}
	if x.Cut {
		attrs = append(attrs, slog.Bool("cut", true))
	}
	if len(x.Stripped) > 0 {
		attrs = append(attrs, slog.Any("stripped", x.Stripped))
	}
	if x.Panic != nil {
		attrs = append(attrs, slog.String("stack", string(x.Panic)))
	}
	return attrs
}

// levelOf makes our own faults errors and the upstream's warnings. What a client
// does wrong is a client's business.
func levelOf(x *proxy.Exchange) slog.Level {
	switch x.Reason {
	case authproxy.InternalError:
		return slog.LevelError
	case authproxy.KeysUnavailable, authproxy.UpstreamTimeout, authproxy.UpstreamUnreachable:
		return slog.LevelWarn
	default:
		return slog.LevelInfo
	}
}

func milliseconds(name string, microseconds float64) slog.Attr {
	return slog.Float64(name, microseconds/1000)
}

func clientIP(x *proxy.Exchange) string {
	if !x.ClientIP.IsValid() {
		return ""
	}
	return x.ClientIP.String()
}

// clip bounds what a client can make us write. The handler escapes what is left.
func clip(s string, longest int) string {
	if len(s) > longest {
		return s[:longest] + "…"
	}
	return s
}
