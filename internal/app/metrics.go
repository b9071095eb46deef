package app

import (
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/clerk"
	"github.com/manageros/authproxy/jwks"
	"github.com/manageros/authproxy/proxy"
)

// metrics are the numbers of contract section 7. Every label value is of a
// closed set; a method or status that is none becomes "other".
type metrics struct {
	registry *prometheus.Registry

	requests        *prometheus.CounterVec
	duration        prometheus.Histogram
	inFlight        prometheus.Gauge
	upgrades        prometheus.Gauge
	upstream        *prometheus.HistogramVec
	results         *prometheus.CounterVec
	verify          prometheus.Histogram
	cacheHits       prometheus.Counter
	cacheMisses     prometheus.Counter
	tokenBytes      prometheus.Histogram
	claimsMissing   *prometheus.CounterVec
	claimsResolved  *prometheus.CounterVec
	stripped        *prometheus.CounterVec
	keyFetches      *prometheus.CounterVec
	unknownKid      *prometheus.CounterVec
	certificateEnds prometheus.Gauge
	handshakes      *prometheus.CounterVec
	clerkCalls      *prometheus.CounterVec
}

func newMetrics(version string) *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "authproxy_" + name, Help: help}, labels)
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "authproxy_" + name, Help: help})
	}
	histogram := func(name, help string, buckets []float64) prometheus.HistogramOpts {
		return prometheus.HistogramOpts{Name: "authproxy_" + name, Help: help, Buckets: buckets}
	}
	seconds := prometheus.ExponentialBuckets(0.001, 2.5, 12) // 1 ms to 24 s

	m.requests = counter("requests_total", "Requests answered.", "route", "method", "code")
	m.duration = prometheus.NewHistogram(histogram("request_duration_seconds", "From the request's head to the end of the answer.", seconds))
	m.inFlight = gauge("requests_in_flight", "Requests being answered, upgraded ones included.")
	m.upgrades = gauge("upgrades_active", "WebSocket connections open.")
	m.upstream = prometheus.NewHistogramVec(histogram("upstream_request_duration_seconds", "Until the upstream's response head.", seconds), []string{"route"})
	m.results = counter("auth_results_total", "Decisions.", "result", "reason", "source")
	m.verify = prometheus.NewHistogram(histogram("token_verify_duration_seconds", "Verifying a token that was not cached.", prometheus.ExponentialBuckets(0.000025, 2, 12)))
	hits, misses := counter("verified_cache_hits_total", "Tokens that had been verified before."), counter("verified_cache_misses_total", "Tokens that had to be verified.")
	m.cacheHits, m.cacheMisses = hits.WithLabelValues(), misses.WithLabelValues()
	m.tokenBytes = prometheus.NewHistogram(histogram("session_token_bytes", "Length of the tokens presented; browsers drop cookies near 4096.", []float64{512, 1024, 1536, 2048, 2560, 3072, 3584, 4096, 8192}))
	m.claimsMissing = counter("claims_missing_total", "Signed-in requests without the claim.", "claim")
	m.claimsResolved = counter("claims_resolved_total", "Signed-in requests with the claim, by where it came from.", "claim", "source")
	m.stripped = counter("stripped_headers_total", "Requests from which headers of this kind were removed.", "kind")
	m.keyFetches = counter("jwks_fetches_total", "Fetches of the key set.", "outcome")
	m.unknownKid = counter("jwks_unknown_kid_total", "Tokens that the key set could not verify, and what was done about the set.", "action")
	m.certificateEnds = gauge("certificate_not_after_timestamp_seconds", "When the data listener's certificate ends; 0 without TLS.")
	m.handshakes = counter("handshakes_total", "Sessions renewed on a page load, or refreshed, and how far that came.", "reason", "outcome")
	m.clerkCalls = counter("clerk_api_requests_total", "Calls of Clerk's Backend API; code is the status, or error, open (circuit breaker) or budget.", "endpoint", "code")
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "authproxy_build_info", Help: "Always 1."}, []string{"version", "goversion"})
	build.WithLabelValues(version, runtime.Version()).Set(1)

	m.registry.MustRegister(m.requests, m.duration, m.inFlight, m.upgrades, m.upstream, m.results, m.verify, hits, misses,
		m.tokenBytes, m.claimsMissing, m.claimsResolved, m.stripped, m.keyFetches, m.unknownKid,
		m.certificateEnds, m.handshakes, m.clerkCalls, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// done counts one finished request.
func (m *metrics) done(x *proxy.Exchange) {
	route := string(x.Route())
	m.inFlight.Dec()
	m.requests.WithLabelValues(route, methodLabel(x.Method), strconv.Itoa(x.Status)).Inc()
	if !x.Upgraded { // a tunnel's life is no latency
		m.duration.Observe(x.Duration.Seconds())
	}
	if x.UpstreamDuration > 0 {
		m.upstream.WithLabelValues(route).Observe(x.UpstreamDuration.Seconds())
	}
	m.results.WithLabelValues(x.Result(), string(x.Reason), string(x.Source())).Inc()
	for _, renewal := range x.Decision.Renewals {
		m.handshakes.WithLabelValues(string(renewal.Reason), string(renewal.Outcome)).Inc()
	}
	m.token(x.Decision.Token)
	m.claims(x.Decision)
}

func (m *metrics) token(t authproxy.TokenFacts) {
	if t.Bytes > 0 {
		m.tokenBytes.Observe(float64(t.Bytes))
	}
	switch {
	case t.Cached:
		m.cacheHits.Inc()
	case t.Looked:
		m.cacheMisses.Inc()
	}
	if t.Verify > 0 {
		m.verify.Observe(t.Verify.Seconds())
	}
}

// claims counts the mapped claims of signed-in requests, and the required ones
// that nobody maps.
func (m *metrics) claims(d authproxy.Decision) {
	for _, c := range d.Claims {
		if c.Source == authproxy.ClaimAbsent {
			m.claimsMissing.WithLabelValues(c.Path).Inc()
		} else {
			m.claimsResolved.WithLabelValues(c.Path, string(c.Source)).Inc()
		}
	}
	for _, name := range d.Missing {
		mapped := func(c authproxy.Claim) bool { return c.Path == name }
		if !slices.ContainsFunc(d.Claims, mapped) {
			m.claimsMissing.WithLabelValues(name).Inc()
		}
	}
}

func (m *metrics) strip(kinds []string) {
	for _, kind := range kinds {
		m.stripped.WithLabelValues(kind).Inc()
	}
}

// keys counts what the key set reports.
func (m *metrics) keys(e jwks.Event) {
	if e.Kind == jwks.KindUnknownKey {
		m.unknownKid.WithLabelValues(e.Outcome).Inc()
		return
	}
	m.keyFetches.WithLabelValues(e.Outcome).Inc()
}

// keySet shows the state of the key set as it is when somebody looks: it may have
// come from a file.
func (m *metrics) keySet(status func() jwks.Status) {
	gauge := func(name, help string, value func(jwks.Status) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "authproxy_" + name, Help: help}, func() float64 { return value(status()) })
	}
	m.registry.MustRegister(
		gauge("jwks_last_success_timestamp_seconds", "When the key set was last had; 0 for a key given as PEM.", func(s jwks.Status) float64 {
			if s.LastSuccess.IsZero() {
				return 0
			}
			return float64(s.LastSuccess.UnixMilli()) / 1000
		}),
		gauge("jwks_keys", "Usable keys in the key set.", func(s jwks.Status) float64 { return float64(s.Keys) }))
}

func (m *metrics) certificateRenewed(notAfter time.Time) {
	m.certificateEnds.Set(float64(notAfter.Unix()))
}

func (m *metrics) clerkCall(call clerk.Call) {
	m.clerkCalls.WithLabelValues(call.Endpoint, call.Code).Inc()
}

// methodLabel keeps clients from inventing label values.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
		http.MethodConnect, http.MethodTrace:
		return method
	default:
		return "other"
	}
}
