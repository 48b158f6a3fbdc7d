package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/signal"
	"syscall"
	"time"
)

// backendCommand serves a sample service, so that the APIs of the example have something behind them before there is
// anything real. It tells what it was asked, and nothing that a caller did not know.
func backendCommand(ctx context.Context, args []string, stdout, _ io.Writer) error {
	if len(args) > 1 {
		return usageError{"agent backend is followed by the address to listen on, such as :8080"}
	}
	address := ":8080"
	if len(args) == 1 {
		address = args[0]
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	server := &http.Server{Addr: address, Handler: http.HandlerFunc(sample), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	context.AfterFunc(ctx, func() { server.Close() })
	fmt.Fprintln(stdout, "sample backend listens on", address)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the sample backend: %w", err)
	}
	return nil
}

// sample answers every request with what it was. Headers are left out: one of them may be somebody's secret.
func sample(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{ // a caller that has gone needs no answer
		"sample": "this answer is the agent's sample backend's; backend_url in api-config.yaml names it",
		"host":   r.Host, "method": r.Method, "path": r.URL.Path, "query": r.URL.RawQuery,
	})
}
