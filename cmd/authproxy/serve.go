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
	slog.SetDefault(log) // the HTTP transport has a line for the standard logger
	a, err := app.New(cfg, app.Options{Log: log, Version: version()})
	if err != nil {
		return mistakes(c, err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	now := make(chan struct{})
	go func() {
		<-c.signals
		stop()
		<-c.signals
		close(now)
	}()
	if err := a.Run(ctx, now); err != nil {
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
	all := flatten(err)
	fmt.Fprintf(c.stderr, "authproxy: the configuration cannot be used (%d):\n", len(all))
	for _, mistake := range all {
		fmt.Fprintf(c.stderr, "  - %v\n", mistake)
	}
	return exitUsage
}

// flatten takes joined errors apart, as deep as they are joined.
func flatten(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, flatten(e)...)
	}
	return all
}
