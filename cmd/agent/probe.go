package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"wso2agent/internal/agent"
	"wso2agent/internal/config"
	"wso2agent/internal/telemetry"
)

// probeLimit is how long a probe may take. API-M's first answer after a start can take most of it.
const probeLimit = 20 * time.Second

// errNotReady says that what was asked has answered, and is not ready.
var errNotReady = errors.New("not ready")

// probeCommand is a container's health check. Without anything behind it, it asks the sidecar beside it whether it is
// ready; with --server the server beside it; with an address whatever answers there.
func probeCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("probe", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	server := flags.Bool("server", false, "ask the server")
	if err := flags.Parse(args); err != nil || flags.NArg() > 1 || *server && flags.NArg() > 0 {
		return usageError{"agent probe is followed by nothing, by --server, or by an address such as http://127.0.0.1:8080/"}
	}
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	if *server {
		return probeServer(ctx, stderr)
	}
	address := flags.Arg(0)
	if address == "" {
		cfg, err := config.Load()
		if err != nil {
			return err
		}
		address = "http://" + reachable(cfg.ListenAddr) + "/readyz"
	}
	if u, err := url.Parse(address); err != nil || u.Scheme != "http" || u.Host == "" {
		return usageError{"agent probe asks addresses that begin with http:// and nothing else"}
	}
	return probe(ctx, address, stdout)
}

func probeServer(ctx context.Context, stderr io.Writer) error {
	load := func() (config.Config, error) { return config.Load("PRODUCT") }
	cfg, err := load()
	if err != nil {
		return err
	}
	a, err := agent.New(load, telemetry.Logger(stderr, cfg.LogLevel, cfg.LogFormat))
	if err != nil {
		return err
	}
	return a.ProbeServer(ctx)
}

// probe prints what the address answers, which Docker keeps with the state of the container.
func probe(ctx context.Context, address string, stdout io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{}} // without the proxies that the environment may name
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", address, err)
	}
	fmt.Fprintln(stdout, strings.TrimSpace(string(body)))
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s: %w", address, resp.Status, errNotReady)
	}
	return nil
}

// reachable is an address on which a server listens as its neighbours reach it: one that is given for all interfaces is
// asked on the loopback one.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("localhost", port)
	}
	return listen
}
