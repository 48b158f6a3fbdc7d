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

	"wso2agent/internal/config"
)

// probeLimit is how long a probe may take. API-M's first answer after a start can take most of it.
const probeLimit = 20 * time.Second

// errNotReady says that what was asked has answered, and is not ready.
var errNotReady = errors.New("not ready")

// probeCommand is a container's health check. Without anything behind it, it asks the sidecar beside it whether it is
// ready; with --trust only whether certificates are exchanged, for which no server has to run; with --server the server
// beside it; with an address whatever answers there. With --wait it asks again until it is so, for people and scripts.
func probeCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("probe", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	server, trust := flags.Bool("server", false, "ask the server"), flags.Bool("trust", false, "ask for trust alone")
	wait := flags.Duration("wait", 0, "ask again until it is so")
	err := flags.Parse(args)
	if err != nil || flags.NArg() > 1 || *wait < 0 || *server && *trust || (*server || *trust) && flags.NArg() > 0 {
		return usageError{"agent probe is followed by nothing, by --trust, by --server, or by an address such as http://127.0.0.1:8080/; and by --wait 15m before that"}
	}
	ask := func(ctx context.Context, stdout io.Writer) error { return probeServer(ctx, stderr) }
	if !*server {
		address, err := probeAddress(flags.Arg(0), *trust)
		if err != nil {
			return err
		}
		ask = func(ctx context.Context, stdout io.Writer) error { return probe(ctx, address, stdout) }
	}
	return probeFor(ctx, *wait, stdout, ask)
}

// probeFor asks once, and then, for as long as wait says, every second again. What is answered is told when it changes.
func probeFor(ctx context.Context, wait time.Duration, stdout io.Writer, ask func(context.Context, io.Writer) error) error {
	deadline := time.Now().Add(wait)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for said := ""; ; {
		var answer strings.Builder
		limited, cancel := context.WithTimeout(ctx, probeLimit)
		err := ask(limited, &answer)
		cancel()
		if said != answer.String() {
			said = answer.String()
			fmt.Fprint(stdout, said)
		}
		if err == nil || !time.Now().Before(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// probeAddress is where readiness is asked for: the address that is given, or the sidecar's.
func probeAddress(given string, trust bool) (string, error) {
	if given != "" {
		if u, err := url.Parse(given); err != nil || u.Scheme != "http" || u.Host == "" {
			return "", usageError{"agent probe asks addresses that begin with http:// and nothing else"}
		}
		return given, nil
	}
	cfg, err := config.Load()
	if err != nil {
		return "", err
	}
	address := "http://" + reachable(cfg.ListenAddr) + "/readyz"
	if trust {
		address += "/trust"
	}
	return address, nil
}

func probeServer(ctx context.Context, stderr io.Writer) error {
	a, err := newAgent(stderr, "PRODUCT")
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
