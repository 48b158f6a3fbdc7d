package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

func backendCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "backend [ADDRESS]",
		Short: "Serve a sample backend for the example's APIs, on :8080",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage(cmd, "name one address to listen on, such as :8080")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return serveBackend(cmd.Context(), append(args, ":8080")[0], cmd.OutOrStdout())
		},
	}
}

// serveBackend serves a sample service until ctx ends, so that the example's APIs have a backend before there is a real one. An
// answer holds only what the caller sent.
func serveBackend(ctx context.Context, address string, stdout io.Writer) error {
	server := &http.Server{Addr: address, Handler: http.HandlerFunc(sample), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	context.AfterFunc(ctx, func() { server.Close() })
	fmt.Fprintln(stdout, "sample backend listens on", address)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the sample backend: %w", err)
	}
	return nil
}

// sample answers every request with its method, host, path and query. It leaves out the headers: one of them may be a secret.
func sample(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{ // a caller that has gone needs no answer
		"sample": "this answer is the agent's sample backend's; backend_url in api-config.yaml names it",
		"host":   r.Host, "method": r.Method, "path": r.URL.Path, "query": r.URL.RawQuery,
	})
}
