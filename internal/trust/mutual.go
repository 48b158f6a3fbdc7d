package trust

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"wso2agent/internal/file"
)

// RunningTrusts reports whether server's agent has stated that the running server trusts the certificate that peer uses. An
// error names the server that has published nothing usable.
func (e Exchange) RunningTrusts(ctx context.Context, server, peer string) (bool, error) {
	certs, err := e.Certificates(ctx, peer)
	if err != nil {
		return false, err
	}
	said, err := e.Trusts(ctx, server)
	return slices.Contains(said.Fingerprints, certs[0].Fingerprint().String()), err
}

// trustPatience is how long AwaitTrust waits. Some agents cannot know what the running server trusts (RESTART=none); the
// servers' answers then decide.
const trustPatience = 2 * time.Minute

// AwaitTrust waits until the agents of the servers a and b have stated that the running servers trust each other, at most two
// minutes. It looks again at every change that watch reports. The only error says that ctx has ended.
func (e Exchange) AwaitTrust(ctx context.Context, log *slog.Logger, watch file.Watch, a, b string) error {
	limit, cancel := context.WithTimeout(ctx, trustPatience)
	defer cancel()
	changes := watch.Changes(limit)
	for waited := ""; ; {
		waiting := e.lacksTrust(ctx, a, b)
		if waiting == "" {
			return nil
		}
		if waiting != waited {
			log.Info("waiting", "for", waiting, "at most", trustPatience.String())
			waited = waiting
		}
		select {
		case <-changes:
		case <-time.After(watch.Poll):
		case <-limit.Done():
		}
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("waiting for %s: %w", waiting, context.Cause(ctx))
		case limit.Err() != nil:
			log.Warn("going on, although no agent has confirmed it", "waited for", waiting)
			return nil
		}
	}
}

// lacksTrust says what is missing until the running servers a and b trust each other; empty if nothing is.
func (e Exchange) lacksTrust(ctx context.Context, a, b string) (lacks string) {
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		if ok, err := e.RunningTrusts(ctx, pair[0], pair[1]); err != nil {
			lacks = err.Error()
		} else if !ok {
			lacks = fmt.Sprintf("the running %s to trust %s", pair[0], pair[1])
		}
	}
	return lacks
}
