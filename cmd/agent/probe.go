package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"wso2agent/internal/config"
	"wso2agent/internal/remedy"
	"wso2agent/internal/verify"
)

// probeLimit is how long a probe may take. API-M's first answer after a start can take most of it.
const probeLimit = 20 * time.Second

// errNotReady says that there is an answer, and that it is "not ready".
var errNotReady = errors.New("not ready")

// probing is what the flags and arguments of probe ask for.
type probing struct {
	server, trust bool
	address       string
	wait          time.Duration
}

func probeCommand() *cobra.Command {
	var p probing
	cmd := &cobra.Command{
		Use:   "probe [--wait TIME] [--trust | --server | http://ADDRESS]",
		Short: "Ask the sidecar, the server or an address whether it is ready: a health check",
		Long: `probe is a container's health check. It asks the sidecar whether it is ready, and exits with 1 if it is not.

With --trust it asks the sidecar only whether certificates are exchanged, which needs no running server.
With --server it asks the server, and with an address it asks what answers there.`,
		DisableFlagsInUseLine: true,
		Args: func(cmd *cobra.Command, args []string) error {
			p.address = strings.Join(args, " ")
			switch {
			case len(args) > 1 || p.server && p.trust || (p.server || p.trust) && len(args) > 0:
				return usage(cmd, "give one of --trust, --server, and an address such as http://127.0.0.1:8080/")
			case p.wait < 0:
				return usage(cmd, "--wait is %s, which is less than 0", p.wait)
			case p.address != "" && !isHTTP(p.address):
				return usage(cmd, "an address begins with http://")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&p.server, "server", false, "ask the server, not the sidecar")
	cmd.Flags().BoolVar(&p.trust, "trust", false, "ask the sidecar only whether certificates are exchanged")
	cmd.Flags().DurationVar(&p.wait, "wait", 0, "ask every second until it is ready, for at most `TIME`, such as 15m")
	return cmd
}

func isHTTP(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "http" && u.Host != ""
}

// run asks what p names. For --wait it asks again, for people and scripts.
func (p probing) run(ctx context.Context, stdout io.Writer) error {
	if p.server {
		err := probeFor(ctx, p.wait, stdout, func(ctx context.Context, _ io.Writer) error { return probeServer(ctx) })
		return ifRefused(err, "the server does not listen on this port: start it, or wait for it with --wait")
	}
	hint := "nothing listens on this address: start the program that answers there, or check the address"
	if p.address == "" {
		cfg, err := config.Load()
		if err != nil {
			return err
		}
		p.address = "http://" + reachable(cfg.Report.ListenAddr) + "/readyz"
		if p.trust {
			p.address += "/trust"
		}
		hint = `the sidecar does not run: start "agent run", or set LISTEN_ADDR as it is set there`
	}
	err := probeFor(ctx, p.wait, stdout, func(ctx context.Context, stdout io.Writer) error { return probe(ctx, p.address, stdout) })
	return ifRefused(err, hint)
}

// ifRefused adds the hint to the error of a refused connection, and returns every other error as it is.
func ifRefused(err error, hint string) error {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return remedy.Add(err, "%s", hint)
	}
	return err
}

// probeFor asks once, and then every second until it is ready or wait has passed. It prints an answer that differs from the one before.
func probeFor(ctx context.Context, wait time.Duration, stdout io.Writer, ask func(context.Context, io.Writer) error) error {
	deadline := time.Now().Add(wait)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for printed := ""; ; {
		var answer strings.Builder
		limited, cancel := context.WithTimeout(ctx, probeLimit)
		err := ask(limited, &answer)
		cancel()
		if printed != answer.String() {
			printed = answer.String()
			fmt.Fprint(stdout, printed)
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

// probeServer asks the server next to this agent, as its settings describe it.
func probeServer(ctx context.Context) error {
	cfg, err := config.Load("PRODUCT")
	if err != nil {
		return err
	}
	return verify.Probe(ctx, cfg)
}

// probe prints the answer of an address. Docker keeps that with the state of the container.
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

// reachable returns the address at which neighbours reach a server that listens on listen: an address for all interfaces becomes
// that of the loopback interface.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("localhost", port)
	}
	return listen
}
