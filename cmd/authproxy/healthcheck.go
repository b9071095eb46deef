package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/manageros/authproxy/internal/config"
)

// healthcheck asks the admin listener of the same configuration whether it is
// ready: what a container without a shell can run.
func healthcheck(ctx context.Context, c command) int {
	if len(c.args) > 0 {
		return usage(c, "healthcheck takes nothing")
	}
	cfg, err := config.Load(c.environ)
	if err != nil {
		mistakes(c, err)
		return exitFailed
	}
	if err := ready(ctx, cfg.Listen.Admin); err != nil {
		fmt.Fprintln(c.stderr, "authproxy: healthcheck:", err)
		return exitFailed
	}
	return exitOK
}

func ready(ctx context.Context, address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	url := "http://" + net.JoinHostPort(host, port) + "/readyz"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{}} // no proxy: it is this machine
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %d", url, response.StatusCode)
	}
	return nil
}
