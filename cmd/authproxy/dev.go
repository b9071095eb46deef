package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"

	"github.com/manageros/authproxy/internal/app"
	"github.com/manageros/authproxy/internal/reqlog"
)

// dev runs the proxy with a Clerk emulator and, unless it is given an upstream,
// a sample app: no account, no network.
func dev(ctx context.Context, c command) int {
	flags := flag.NewFlagSet("authproxy dev", flag.ContinueOnError)
	flags.SetOutput(c.stderr)
	upstream := flags.String("upstream", "", "the address of your own app, `URL` on loopback; without it there is a sample app")
	listen := flags.String("listen", "127.0.0.1:4180", "where to listen, `ADDR` on loopback")
	switch err := flags.Parse(c.args); {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		return exitUsage // the flag package has said why
	}
	if flags.NArg() > 0 {
		return usage(c, fmt.Sprintf("dev takes no %q", flags.Arg(0)))
	}
	var log *slog.Logger
	newLog := func(level, format string) *slog.Logger {
		log = reqlog.NewLogger(c.stdout, level, format)
		return log
	}
	d, err := app.NewDev(ctx, app.DevConfig{Listen: *listen, Upstream: *upstream, Environ: c.environ, NewLog: newLog, Version: version()})
	if err != nil {
		return mistakes(c, err)
	}
	fmt.Fprint(c.stderr, d.Banner())
	return runUntilStopped(ctx, c, log, d.Run)
}
