package agent

import (
	"context"
	"log/slog"
	"net"
	"strconv"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/trust"
)

// ServerPort is host:port at which the own server listens when it is up, as seen from its container; empty if it is not known
// which server it is.
func ServerPort(cfg config.Config) string {
	port := map[string]int{config.IS: cfg.ISPort, config.AM: cfg.AMPort}[cfg.Product]
	if port == 0 {
		return ""
	}
	return net.JoinHostPort("localhost", strconv.Itoa(port))
}

// WayBack is agent exec's way back to the truststore that the server last served with.
type WayBack struct{ a Agent }

// NewWayBack returns the way back of the server with the given settings.
func NewWayBack(cfg config.Config, log *slog.Logger) WayBack {
	return WayBack{Agent{cfg: cfg, log: log}}
}

// truststore finds the truststore anew each time: the sidecar may change the settings that name it.
func (w WayBack) truststore(ctx context.Context) (trust.WayBack, error) {
	a, err := w.a.atStores(ctx)
	return trust.WayBack{Path: a.cfg.TruststorePath(), WorkDir: a.cfg.WorkDir()}, err
}

// Starting names the truststore that a start reads now.
func (w WayBack) Starting(ctx context.Context) string {
	store, err := w.truststore(ctx)
	if err != nil { // completeEnvironment has logged what is wrong with the settings
		return ""
	}
	return store.Starting()
}

// Served keeps the truststore with which the server serves.
func (w WayBack) Served(ctx context.Context, started string) error {
	store, err := w.truststore(ctx)
	if err != nil {
		return err
	}
	return store.Served(started)
}

// lockPatience is how long a failed start waits for an agent that works on the truststore.
const lockPatience = 30 * time.Second

// Failed restores the truststore with which the server last served, if the start may have failed for certificates that the
// agent has imported since.
func (w WayBack) Failed(ctx context.Context, started string) (restored bool) {
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	log := w.a.log
	store, err := w.truststore(ctx)
	if err != nil {
		log.Error("the former truststore cannot be restored", "error", err)
		return false
	}
	verdict, certificates, err := store.Failed(ctx, started)
	switch {
	case err != nil:
		log.Error("the former truststore cannot be restored", "truststore", store.Path, "error", err)
	case verdict == trust.Restored:
		log.Error("the server did not start with certificates that the agent has imported: its former truststore is restored, and they are not imported again until their owners publish others",
			"truststore", store.Path, "certificates", certificates, "remedy", "look for the reason in the server's own log; to try them again remove "+trust.RefusalsPath(store.WorkDir))
	case verdict == trust.Acquitted:
		log.Warn("the server did not start with its former truststore either: the imported certificates are not the reason, and are imported again", "certificates", certificates)
	case verdict == trust.Foreign:
		log.Error("the server did not start, and its truststore was changed by somebody else since it last served: the agent leaves it as it is", "truststore", store.Path,
			"it last served with", store.Kept(), "remedy", "look for the reason in the server's own log, and compare the two with agent certs list --store")
	}
	return verdict == trust.Restored
}
