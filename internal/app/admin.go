package app

import (
	"fmt"
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// check is one line of a health answer. It never names an address or a secret:
// the answer is for whoever can reach the listener.
type check struct {
	name string
	ok   bool
}

// adminHandler serves health, metrics and, when asked for, profiles. Nothing of
// it is on the data listener.
func (a *App) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", health(func() []check { return []check{{"process", true}} }))
	mux.HandleFunc("GET /startupz", health(func() []check {
		return []check{{"configuration", true}, {"listeners", a.bound.Load()}}
	}))
	// Never the upstream, Clerk or the age of the keys: that would take every
	// replica out at once.
	mux.HandleFunc("GET /readyz", health(func() []check {
		return []check{{"listeners", a.bound.Load()}, {"keys", a.keys.Ready()}, {"serving", !a.draining.Load()}}
	}))
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.metrics.registry, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	if a.cfg.Operation.PProf {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	}
	return mux
}

// health answers 200 when all checks hold and 503 otherwise; ?verbose names them.
func health(checks func() []check) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		status, text := http.StatusOK, "ok\n"
		var lines string
		for _, c := range checks() {
			mark := "ok"
			if !c.ok {
				mark, status, text = "failed", http.StatusServiceUnavailable, "not ok\n"
			}
			lines += fmt.Sprintf("%s: %s\n", c.name, mark)
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		if r.URL.Query().Has("verbose") {
			text = lines + text
		}
		_, _ = w.Write([]byte(text)) // whoever asked is gone
	}
}
