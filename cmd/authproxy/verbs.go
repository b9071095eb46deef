package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/manageros/authproxy"
)

// Exit codes of every verb.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// command is one invocation, with everything it may touch.
type command struct {
	args           []string
	environ        []string
	stdout, stderr io.Writer
	signals        <-chan os.Signal
}

// verb is one thing the program does.
type verb struct {
	name, args, does string
	run              func(context.Context, command) int
}

func verbs() []verb {
	return []verb{
		{"serve", "", "run the proxy (also without a verb)", serve},
		{"dev", "[--upstream URL] [--listen ADDR]", "run it with a Clerk emulator and a sample app", dev},
		{"check", "[--print]", "validate the configuration; --print shows what is in effect", check},
		{"healthcheck", "", "ask the running proxy whether it is ready", healthcheck},
		{"version", "", "print the version", printVersion},
		{"help", "[config]", "print this, or every setting with its default", nil},
	}
}

// run finds the verb and returns the exit code.
func run(ctx context.Context, c command) int {
	name := "serve"
	if len(c.args) > 0 {
		name, c.args = c.args[0], c.args[1:]
	}
	switch name {
	case "help", "-h", "--help":
		return help(c)
	}
	for _, v := range verbs() {
		if v.name == name {
			return v.run(ctx, c)
		}
	}
	return usage(c, fmt.Sprintf("there is no verb %q", name))
}

func help(c command) int {
	if len(c.args) > 1 || len(c.args) == 1 && c.args[0] != "config" {
		return usage(c, "help takes nothing or \"config\"")
	}
	if len(c.args) == 1 {
		fmt.Fprint(c.stdout, authproxy.ExampleEnv())
		return exitOK
	}
	fmt.Fprint(c.stdout, "authproxy is an authenticating reverse proxy for Clerk sessions.\n\nUsage: authproxy [verb]\n\n")
	for _, v := range verbs() {
		fmt.Fprintf(c.stdout, "  %-38s %s\n", strings.TrimSpace(v.name+" "+v.args), v.does)
	}
	fmt.Fprint(c.stdout, "\nEvery setting comes from the environment: authproxy help config\n")
	return exitOK
}

// usage says what is wrong with the command line, and where to look.
func usage(c command, problem string) int {
	fmt.Fprintf(c.stderr, "authproxy: %s; see authproxy help\n", problem)
	return exitUsage
}

func printVersion(_ context.Context, c command) int {
	if len(c.args) > 0 {
		return usage(c, "version takes nothing")
	}
	fmt.Fprintf(c.stdout, "authproxy %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return exitOK
}

// version is the module's version, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "devel"
}
