package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// ErrCutShort says that requests were still running when time was up, or that
// somebody could not wait.
var ErrCutShort = errors.New("stopped before every request was answered")

// Run serves until ctx ends and then drains: not ready, the delay in which load
// balancers notice, the requests under way, all within the shutdown timeout. A
// second signal closes now, and Run stops at once.
func (a *App) Run(ctx context.Context, now <-chan struct{}) error {
	data, admin, err := a.listen(ctx)
	if err != nil {
		return err
	}
	// Requests live on their own context: ctx ends when draining begins.
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	dataServer, adminServer := a.dataServer(requests), a.adminServer(requests)

	background, stop := context.WithCancel(requests)
	var running sync.WaitGroup
	failed := make(chan error, 3)
	start := func(name string, f func() error) {
		running.Go(func() {
			if err := f(); err != nil && !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("app: %s: %w", name, err)
			}
		})
	}
	start("keys", func() error { return a.keys.Run(background) })
	start("data listener", func() error {
		if dataServer.TLSConfig != nil {
			return dataServer.ServeTLS(data, "", "")
		}
		return dataServer.Serve(data)
	})
	start("admin listener", func() error { return adminServer.Serve(admin) })
	a.bound.Store(true)
	a.announce(data.Addr(), admin.Addr())

	select {
	case err = <-failed:
	case <-ctx.Done():
		err = a.drain(dataServer, cut, now)
	}
	cut()
	_ = dataServer.Close()                                                                   // whatever is left; Shutdown said what there was to say
	a.wait(context.Background(), time.Second, func() bool { return a.inFlight.Load() == 0 }) // for their log lines
	stop()
	_ = adminServer.Close() // last, so that the drain can be watched
	running.Wait()
	return err
}

// drain lets the requests under way finish.
func (a *App) drain(server *http.Server, cut context.CancelFunc, now <-chan struct{}) error {
	limits := a.cfg.Limits
	deadline, cancel := context.WithTimeout(context.Background(), limits.ShutdownTimeout)
	defer cancel()
	a.draining.Store(true)
	a.log.Info("draining", "delay", limits.ShutdownDelay.String(), "timeout", limits.ShutdownTimeout.String(), "in_flight", a.inFlight.Load())

	hurried := make(chan struct{})
	go func() {
		select {
		case <-now:
			close(hurried)
			cancel()
		case <-deadline.Done():
		}
	}()
	select {
	case <-time.After(limits.ShutdownDelay):
	case <-deadline.Done():
	}
	err := server.Shutdown(deadline) // does not know upgraded connections
	a.wait(deadline, limits.ShutdownTimeout, func() bool { return a.upgraded.Load() == 0 })
	unanswered := a.inFlight.Load() - a.upgraded.Load()
	cut()
	select {
	case <-hurried:
		return fmt.Errorf("app: drain: second signal: %w", ErrCutShort)
	default:
	}
	if err != nil && unanswered > 0 { // else it was a connection on which nobody asked
		return fmt.Errorf("app: drain: %d requests: %w", unanswered, ErrCutShort)
	}
	a.log.Info("drained")
	return nil
}

// wait returns when done, or when time is up.
func (a *App) wait(ctx context.Context, longest time.Duration, done func() bool) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// listen binds both listeners, or neither.
func (a *App) listen(ctx context.Context) (data, admin net.Listener, err error) {
	var lc net.ListenConfig
	if data, err = lc.Listen(ctx, "tcp", a.cfg.Listen.Data); err != nil {
		return nil, nil, fmt.Errorf("app: AUTHPROXY_LISTEN: %w", err)
	}
	if admin, err = lc.Listen(ctx, "tcp", a.cfg.Listen.Admin); err != nil {
		_ = data.Close() // nothing was accepted yet
		return nil, nil, fmt.Errorf("app: AUTHPROXY_ADMIN_LISTEN: %w", err)
	}
	return data, admin, nil
}

// dataServer carries user traffic. There is no read or write timeout as such: a
// long upload or stream is not an attack. The phases have theirs.
func (a *App) dataServer(requests context.Context) *http.Server {
	limits := a.cfg.Limits
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	s := &http.Server{
		Handler:                      a.Data(),
		Protocols:                    protocols,
		HTTP2:                        &http.HTTP2Config{MaxConcurrentStreams: 100},
		ReadHeaderTimeout:            limits.ReadHeaderTimeout,
		IdleTimeout:                  limits.IdleTimeout,
		MaxHeaderBytes:               limits.MaxHeaderBytes,
		DisableGeneralOptionsHandler: true, // "OPTIONS *" is judged like everything else
		BaseContext:                  func(net.Listener) context.Context { return requests },
		ErrorLog:                     slog.NewLogLogger(a.log.Handler(), slog.LevelDebug), // scanners, mostly
	}
	if a.certificate != nil {
		s.TLSConfig = a.certificate.tlsConfig()
	}
	return s
}

func (a *App) adminServer(requests context.Context) *http.Server {
	return &http.Server{
		Handler:           a.Admin(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return requests },
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
}
