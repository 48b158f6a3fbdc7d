// Command wso2sim runs a stand-in of WSO2 Identity Server or API Manager, or a backend for its gateway.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"wso2agent/internal/wso2sim"
)

const usage = `usage: wso2sim is|am --home DIR [--version VERSION] [--listen ADDR] [--gateway ADDR] [--config-volume DIR]
                     [--hostname NAME] [--delay-scale F] [--boot-delay DURATION] [--start-log FILE]
                     [--plain ADDR] [--events ADDR] [--websocket ADDR] [--reload-scale F]
                     [--latency DURATION] [--cost-scale F] [--control ADDR]
       wso2sim backend [--listen ADDR]

It plays IS, API-M, or a backend for API-M's gateway, and prints a line when it is ready.
A home that does not exist is made as the product is when freshly unpacked. User and password are admin.
--version is that of such a home: 7.1.0 for is and 4.5.0 for am, or another one of 7.0 to 7.3 and 4.4 to 4.7.
--listen is the address of the server, and --gateway that of API-M's gateway. Both default to a free port of 127.0.0.1.
--config-volume is a folder that is copied over the home first, as the products' images do.
--hostname is the name in the issuer and in URLs. Without it the server takes that of deployment.toml.
--delay-scale scales the delays of the products: 0 is none, and the default; 1 is as the products.
--boot-delay makes each start slower. --start-log names the file that gets a line for each start (start.log in the home).
--plain serves in clear text what --listen serves, as the products do on 9763.
--events and --websocket present a certificate as API-M's 9711 and 8099 do, and serve nothing.
--reload-scale scales the periods in which a server looks for a new certificate: 1 is as the products.
--latency is the time that each request takes on its way. --cost-scale adds the time that a real server works on it, on two
cores: 1 as measured.
--control serves faults on demand, the log of requests, and the state, to everybody who reaches that address.
`

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run serves until ctx is done, and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	switch {
	case len(args) == 0:
		fmt.Fprint(stderr, usage)
		return exitUsage
	case slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]):
		fmt.Fprint(stdout, usage)
		return exitOK
	}
	flags := flag.NewFlagSet("wso2sim", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {}
	var o wso2sim.Options
	flags.StringVar(&o.Home, "home", "", "")
	version := flags.String("version", "", "")
	flags.StringVar(&o.Listen, "listen", "127.0.0.1:0", "")
	flags.StringVar(&o.Gateway, "gateway", "127.0.0.1:0", "")
	flags.StringVar(&o.Plain, "plain", "", "")
	flags.StringVar(&o.Events, "events", "", "")
	flags.StringVar(&o.WebSocket, "websocket", "", "")
	flags.Float64Var(&o.ReloadScale, "reload-scale", 1, "")
	flags.StringVar(&o.ConfigVolume, "config-volume", "", "")
	flags.StringVar(&o.Hostname, "hostname", "", "")
	flags.StringVar(&o.StartLog, "start-log", "", "")
	var control string
	flags.StringVar(&control, "control", "", "")
	bootDelay := flags.Duration("boot-delay", 0, "")
	delayScale := flags.Float64("delay-scale", 0, "")
	latency := flags.Duration("latency", 0, "")
	costScale := flags.Float64("cost-scale", 0, "")
	switch err := flags.Parse(args[1:]); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return exitOK
	case err != nil:
		fmt.Fprint(stderr, usage)
		return exitUsage
	}
	if flags.NArg() > 0 || *delayScale < 0 || *latency < 0 || *costScale < 0 || *bootDelay < 0 || o.ReloadScale <= 0 {
		fmt.Fprint(stderr, usage)
		return exitUsage
	}
	o.Delays = wso2sim.RealDelays().Scale(*delayScale)
	o.Delays.Latency, o.Delays.Cost = *latency, *costScale
	o.Log = slog.New(slog.NewTextHandler(stderr, nil))
	var code int
	var err error
	if args[0] == "backend" {
		err = serveBackend(ctx, o.Listen, stdout)
	} else {
		o.Faults = wso2sim.NewFaults()
		o.Faults.SetBootDelay(*bootDelay)
		code, err = serve(ctx, args[0], *version, o, control, stdout)
	}
	if err != nil {
		fmt.Fprintln(stderr, "wso2sim:", err)
		if errors.Is(err, errUnknown) {
			return exitUsage
		}
		return exitFailed
	}
	return code
}

var errUnknown = errors.New("unknown server, want is, am or backend")

func serveBackend(ctx context.Context, listen string, stdout io.Writer) error {
	b, err := wso2sim.StartBackend(listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "ready backend %s\n", b.URL())
	<-ctx.Done()
	return b.Close()
}

// serve runs a server as its image's entrypoint and start script do, until ctx is done or the server ends by itself;
// the code is what it ends with. Every start, in place too, is told when it is ready.
func serve(ctx context.Context, what, version string, o wso2sim.Options, control string, stdout io.Writer) (code int, err error) {
	i, err := launchIn(ctx, what, version, o)
	if err != nil {
		return exitFailed, err
	}
	if control != "" {
		l, err := net.Listen("tcp", control)
		if err != nil {
			return exitFailed, errors.Join(fmt.Errorf("serve the control endpoint: %w", err), i.Close())
		}
		hs := &http.Server{Handler: i.Control(), ReadHeaderTimeout: 10 * time.Second}
		go hs.Serve(l) // always http.ErrServerClosed, after Close
		defer hs.Close()
		fmt.Fprintf(stdout, "control http://%s\n", l.Addr())
	}
	go tellReady(ctx, what, i, stdout)
	select {
	case <-ctx.Done():
		return exitOK, i.Close()
	case <-i.Ended():
		return i.ExitCode()
	}
}

// tellReady prints a line for every server that comes up.
func tellReady(ctx context.Context, what string, i *wso2sim.Instance, stdout io.Writer) {
	for s := range i.Servers() {
		if s.Wait(ctx) != nil {
			continue // the next one may come up; the last one's error is the instance's
		}
		line := "ready " + what + " " + s.URL()
		if at := i.GatewayURL(); at != "" {
			line += " gateway " + at
		}
		if at := s.PlainURL(); at != "" {
			line += " plain " + at
		}
		if at := s.EventsURL(); at != "" {
			line += " events " + at
		}
		if at := s.WebSocketURL(); at != "" {
			line += " websocket " + at
		}
		fmt.Fprintln(stdout, line)
	}
}

// launchIn launches a server in its home, which is made in a version if need be.
func launchIn(ctx context.Context, what, version string, o wso2sim.Options) (*wso2sim.Instance, error) {
	if what != wso2sim.ProductIS && what != wso2sim.ProductAM {
		return nil, fmt.Errorf("%w, not %q", errUnknown, what)
	}
	if o.Home == "" {
		return nil, fmt.Errorf("start %s: say with --home where its files are; a folder that does not exist is made", what)
	}
	if _, err := os.Stat(o.Home); errors.Is(err, fs.ErrNotExist) {
		if err := wso2sim.UnpackWith(o.Home, what, wso2sim.UnpackOptions{Version: version}); err != nil {
			return nil, err
		}
	}
	return wso2sim.Launch(context.WithoutCancel(ctx), what, o) // it ends with Close, gracefully
}
