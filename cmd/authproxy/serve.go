package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/manageros/authproxy/internal/app"
	"github.com/manageros/authproxy/internal/reqlog"
)

// serve runs the proxy until it is told to stop.
func serve(ctx context.Context, c command) int {
	if len(c.args) > 0 {
		return usage(c, "serve takes nothing; every setting comes from the environment")
	}
	cfg, err := app.Load(c.environ)
	if err != nil {
		return mistakes(c, err)
	}
	log := reqlog.NewLogger(c.stdout, cfg.Operation.LogLevel, cfg.Operation.LogFormat)
	a, err := app.New(cfg, app.Options{Log: log, Version: version()})
	if err != nil {
		return mistakes(c, err)
	}
	return runUntilStopped(ctx, c, log, a.Run)
}

// runUntilStopped runs until a signal asks to drain; a second one cannot wait.
func runUntilStopped(ctx context.Context, c command, log *slog.Logger, run func(context.Context, <-chan struct{}) error) int {
	slog.SetDefault(log) // the HTTP transport has a line for the standard logger
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	now := make(chan struct{})
	go func() {
		<-c.signals
		stop()
		<-c.signals
		close(now)
	}()
	if err := run(ctx, now); err != nil {
		log.Error("stopped", "error", err)
		return exitFailed
	}
	return exitOK
}

// check validates everything that can be validated without starting.
func check(_ context.Context, c command) int {
	show := len(c.args) == 1 && c.args[0] == "--print"
	if len(c.args) > 0 && !show {
		return usage(c, "check takes nothing or --print")
	}
	cfg, err := app.Load(c.environ)
	if err == nil {
		err = app.Check(cfg)
	}
	if err != nil {
		return mistakes(c, err)
	}
	if show {
		if err := cfg.Print(c.stdout); err != nil {
			fmt.Fprintln(c.stderr, "authproxy: print:", err)
			return exitFailed
		}
		return exitOK
	}
	fmt.Fprintln(c.stderr, "authproxy: the configuration is good")
	return exitOK
}

// mistakes lists everything that is wrong with the configuration, one a line.
func mistakes(c command, err error) int {
	all := app.Mistakes(err)
	fmt.Fprintf(c.stderr, "authproxy: the configuration cannot be used (%d):\n", len(all))
	for _, mistake := range all {
		fmt.Fprintf(c.stderr, "  - %v\n", mistake)
	}
	return exitUsage
}
