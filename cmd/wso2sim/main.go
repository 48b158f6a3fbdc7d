// Command wso2sim runs a stand-in of WSO2 Identity Server 7.1.0 or API Manager 4.5.0, or a backend for its gateway.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"wso2agent/internal/wso2sim"
)

const usage = `usage: wso2sim is|am --home DIR [--listen ADDR] [--gateway ADDR] [--config-volume DIR]
                     [--hostname NAME] [--delay-scale F] [--start-log FILE]
       wso2sim backend [--listen ADDR]

A home that does not exist is made as the product is when freshly unpacked. User and password are admin.
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
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return exitUsage
	}
	flags := flag.NewFlagSet("wso2sim", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	var o wso2sim.Options
	flags.StringVar(&o.Home, "home", "", "")
	flags.StringVar(&o.Listen, "listen", "127.0.0.1:0", "")
	flags.StringVar(&o.Gateway, "gateway", "127.0.0.1:0", "")
	flags.StringVar(&o.ConfigVolume, "config-volume", "", "")
	flags.StringVar(&o.Hostname, "hostname", "", "")
	flags.StringVar(&o.StartLog, "start-log", "", "")
	delayScale := flags.Float64("delay-scale", 0, "")
	if err := flags.Parse(args[1:]); err != nil {
		return exitUsage
	}
	if flags.NArg() > 0 || *delayScale < 0 {
		fmt.Fprint(stderr, usage)
		return exitUsage
	}
	o.Delays = wso2sim.RealDelays().Scale(*delayScale)
	o.Log = slog.New(slog.NewTextHandler(stderr, nil))
	if err := serve(ctx, args[0], o, stdout); err != nil {
		fmt.Fprintln(stderr, "wso2sim:", err)
		if errors.Is(err, errUnknown) {
			return exitUsage
		}
		return exitFailed
	}
	return exitOK
}

var errUnknown = errors.New("unknown server, want is, am or backend")

// server is what all of them can do.
type server interface {
	Wait(ctx context.Context) error
	URL() string
	Close() error
}

func serve(ctx context.Context, what string, o wso2sim.Options, stdout io.Writer) error {
	s, where, err := start(ctx, what, o)
	if err != nil {
		return err
	}
	switch err := s.Wait(ctx); {
	case err == nil:
		fmt.Fprintf(stdout, "ready %s %s%s\n", what, s.URL(), where)
		<-ctx.Done()
	case ctx.Err() == nil: // it was not told to end
		return errors.Join(err, s.Close())
	}
	return s.Close()
}

func start(ctx context.Context, what string, o wso2sim.Options) (s server, where string, err error) {
	switch what {
	case "backend":
		s, err = wso2sim.StartBackend(o.Listen)
		return s, "", err
	case wso2sim.ProductIS, wso2sim.ProductAM:
	default:
		return nil, "", fmt.Errorf("%w, not %q", errUnknown, what)
	}
	if o.Home == "" {
		return nil, "", fmt.Errorf("start %s: say with --home where its files are; a folder that does not exist is made", what)
	}
	if _, err := os.Stat(o.Home); errors.Is(err, fs.ErrNotExist) {
		if err := wso2sim.Unpack(o.Home, what); err != nil {
			return nil, "", err
		}
	}
	if what == wso2sim.ProductIS {
		s, err = wso2sim.StartIS(ctx, o)
		return s, "", err
	}
	am, err := wso2sim.StartAM(ctx, o)
	if err != nil {
		return nil, "", err
	}
	return am, " gateway " + am.GatewayURL(), nil
}
