// Command demo shows the agent's whole job with stand-ins of both servers: two servers that do not trust each other,
// an agent beside each, and in the end an API called through the gateway with a token from Identity Server.
//
// It starts everything as processes of its own in a temporary folder, proves each step by asking the servers itself,
// without the agent's code for that, and leaves neither a process nor a file behind.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"wso2agent/internal/wso2sim"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (code int) {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	bin := flags.String("bin", "bin", "folder with the programs agent and wso2sim")
	apis := flags.String("apis", "examples/api-config.yaml", "API configuration")
	delays := flags.Float64("delay-scale", 0.025, "how slow the stand-ins are: 1 is as slow as real servers, 0 instant")
	versions := map[string]*string{
		wso2sim.ProductIS: flags.String("is", "7.1.0", "version of Identity Server that its stand-in has"),
		wso2sim.ProductAM: flags.String("am", "4.5.0", "version of API Manager that its stand-in has"),
	}
	keep := flags.Bool("keep", false, "leave everything running until Ctrl-C")
	limit := flags.Duration("timeout", 5*time.Minute, "how long the whole may take")
	if flags.Parse(args) != nil || flags.NArg() > 0 {
		return 2
	}
	dir, err := os.MkdirTemp("", "wso2agent-demo-")
	if err != nil {
		fmt.Fprintln(stderr, "demo:", err)
		return 1
	}
	defer func() {
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(stderr, "demo: clean up:", err)
			code = 1
		}
	}()
	absolute, err := filepath.Abs(*bin)
	if err != nil {
		fmt.Fprintln(stderr, "demo:", err)
		return 1
	}
	w, err := newWorld(dir, absolute, *apis, *delays, versions)
	if err != nil {
		fmt.Fprintln(stderr, "demo:", err)
		return 1
	}
	defer w.stop()
	limited, cancel := context.WithTimeoutCause(ctx, *limit, fmt.Errorf("the demo has not come to its end within %s", *limit))
	defer cancel()
	show := &show{ctx: limited, out: stdout, world: w, began: time.Now()}
	if err := show.all(); err != nil {
		if ctx.Err() != nil {
			fmt.Fprintln(stderr, "\ndemo: interrupted; everything is stopped and removed")
			return 130
		}
		fmt.Fprintf(stderr, "\ndemo: %s\n\n", err)
		w.tails(stderr)
		return 1
	}
	if *keep {
		show.invite()
		<-ctx.Done()
		fmt.Fprintln(stdout, "\nstopping everything and removing", dir)
	}
	return 0
}
