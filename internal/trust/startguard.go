package trust

import (
	"context"
	"log/slog"
	"time"
)

// StartGuard is agent exec's way back to the truststore that the server last served with. It logs what it does.
type StartGuard struct {
	Find func(context.Context) (WayBack, error) // the truststore that a start reads now
	Log  *slog.Logger
}

// Starting names the truststore that a start reads now; empty if there is none that can be read.
func (g StartGuard) Starting(ctx context.Context) string {
	w, err := g.Find(ctx)
	if err != nil { // agent exec has logged what is wrong with the settings
		return ""
	}
	return w.Starting()
}

// Served keeps the truststore with which the server serves. See WayBack.Served for the errors.
func (g StartGuard) Served(ctx context.Context, started string) error {
	w, err := g.Find(ctx)
	if err != nil {
		return err
	}
	return w.Served(started)
}

// lockPatience is how long a failed start waits for an agent that works on the truststore.
const lockPatience = 30 * time.Second

// Failed restores the truststore with which the server last served, if the start may have failed for certificates that the
// agent has imported since.
func (g StartGuard) Failed(ctx context.Context, started string) (restored bool) {
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	w, err := g.Find(ctx)
	if err != nil {
		g.Log.Error("the former truststore cannot be restored", "error", err)
		return false
	}
	verdict, certificates, err := w.Failed(ctx, started)
	switch {
	case err != nil:
		g.Log.Error("the former truststore cannot be restored", "truststore", w.Path, "error", err)
	case verdict == Restored:
		g.Log.Error("the server did not start with certificates that the agent has imported: its former truststore is restored, and they are not imported again until their owners publish others",
			"truststore", w.Path, "certificates", certificates, "remedy", "look for the reason in the server's own log; to try them again remove "+RefusalsPath(w.WorkDir))
	case verdict == Acquitted:
		g.Log.Warn("the server did not start with its former truststore either: the imported certificates are not the reason, and are imported again", "certificates", certificates)
	case verdict == Foreign:
		g.Log.Error("the server did not start, and its truststore was changed by somebody else since it last served: the agent leaves it as it is", "truststore", w.Path,
			"it last served with", w.Kept(), "remedy", "look for the reason in the server's own log, and compare the two with agent certs list --store")
	}
	return verdict == Restored
}
