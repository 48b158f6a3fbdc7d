package wso2sim

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Backend is a service behind the gateway, for proofs: its answer repeats a nonce of the caller, who knows by that that
// it was the own request that came through, and no answer made up on the way.
type Backend struct {
	server *http.Server
	addr   string
}

// StartBackend serves plain HTTP on addr, "host:port"; port 0 chooses a free one. Every path answers 200 with the
// path and the nonce: the header X-Nonce or the query parameter nonce of the request, or else a random one.
func StartBackend(addr string) (*Backend, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("start the sample backend: %w", err)
	}
	b := &Backend{addr: l.Addr().String(), server: &http.Server{
		ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(answerNonce),
	}}
	go b.server.Serve(l) // always http.ErrServerClosed, after Close
	return b, nil
}

func answerNonce(w http.ResponseWriter, r *http.Request) {
	nonce := r.Header.Get("X-Nonce")
	if nonce == "" {
		nonce = r.URL.Query().Get("nonce")
	}
	if nonce == "" {
		nonce = newNonce()
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, maxBody)) // a body means nothing here
	writeJSON(w, http.StatusOK, object{"path": r.URL.Path, "nonce": nonce})
}

// URL is where it answers, without a path.
func (b *Backend) URL() string { return "http://" + b.addr }

// Wait returns at once: the backend takes no time to start.
func (b *Backend) Wait(ctx context.Context) error { return ctx.Err() }

// Close ends it.
func (b *Backend) Close() error { return b.server.Close() }
