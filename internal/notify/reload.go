package notify

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"wso2agent/internal/file"
	"wso2agent/internal/remedy"
)

// Home is the home folder of the server in the supervisor's container, from which the server reads its files. Its methods log
// what they do.
type Home interface {
	// Starting returns what a start would read now: the fingerprints of the certificates in the truststore that are the agent's
	// or those of servers, and that of the TLS certificate. trusts is nil and certificate is empty if they are not known.
	Starting(ctx context.Context) (trusts []string, certificate string)
	// Reloads reports whether the server that serves now loads a new TLS certificate while it runs.
	Reloads(ctx context.Context) bool
	// Place checks the TLS keystore of the config volume, and puts it where the running server loads it. The keystore must
	// have the certificate with the given fingerprint. placed reports whether the server may load the keystore, also with an error.
	// If placed is false, the server keeps the certificate that it presents.
	Place(ctx context.Context, certificate string) (placed bool, err error)
	// Repair replaces the TLS keystore that the running server loads if that keystore is broken.
	Repair(ctx context.Context)
}

// Reload is a request to the supervisor of a running server that presents another certificate than the one on disk.
type Reload struct {
	Generation  string `json:"generation"`       // on disk; it differs from the one in use only by the own certificate
	Certificate string `json:"certificate"`      // SHA-256 of the certificate on disk
	Served      bool   `json:"served,omitempty"` // all listeners of the server present the certificate
}

// Placed is what the supervisor answers to a Reload.
type Placed struct {
	Generation  string    `json:"generation"`
	Certificate string    `json:"certificate"`
	At          time.Time `json:"at"`
	Error       string    `json:"error,omitempty"` // why the keystore is not in place, and what to do
}

// answers reports whether the supervisor has answered the request. p may be nil.
func (p *Placed) answers(r Reload) bool {
	return p != nil && p.Generation == r.Generation && p.Certificate == r.Certificate
}

const reloadFile = "reload"

// AskReload requests that the running server loads the TLS certificate of the config volume. The supervisor answers each
// request once for each process of the server, in Started.Placed. It does not answer a request for the generation with which
// the server runs, unless the server is loading another certificate, and none from before the start: that start has read
// everything. With r.Served, the supervisor reports that the server runs with the generation, if the same process of the server
// has got that certificate before.
func (c Control) AskReload(r Reload) (changed bool, err error) {
	if err := c.usable(); err != nil {
		return false, fmt.Errorf("write a request for agent exec: %w", err)
	}
	return file.SaveJSON(filepath.Join(c.Dir, reloadFile), r, 0o644, c.Dir)
}

// Reload returns the last request of AskReload. ok is false if there is none.
func (c Control) Reload() (r Reload, ok bool, err error) {
	path := filepath.Join(c.Dir, reloadFile)
	if r, ok, err = file.LoadJSON[Reload](path, requestLimit); err != nil {
		return Reload{}, false, remedy.Add(fmt.Errorf("read the request to load a new certificate: %w", err), "remove %s; the sidecar writes it again", path)
	}
	return r, ok, nil
}

// dropReload removes the last request of AskReload, so that an equal one that follows counts as new.
func (c Control) dropReload() error {
	if _, err := file.Remove(filepath.Join(c.Dir, reloadFile)); err != nil {
		return remedy.Add(fmt.Errorf("remove the request to load a new certificate: %w", err), "give agent exec write access to %s", c.Dir)
	}
	return nil
}

// Reload requests from the supervisor that the running server loads the TLS certificate of the config volume. See
// Control.AskReload.
func (e Exec) Reload(_ context.Context, r Reload) error {
	if _, err := e.Control.AskReload(r); err != nil {
		return fmt.Errorf("ask the server to load its new certificate: %w", err)
	}
	return nil
}

// Reload does nothing, because nobody places a keystore in the home of the server.
func (None) Reload(context.Context, Reload) error { return nil }

// answerReload does what the sidecar requests of a server that serves, and reports the answer.
func (s Supervisor) answerReload(ctx context.Context, started *Started, before error) (failed error) {
	if s.Home == nil || started.Serves != ServesNow {
		return before
	}
	r, ok, err := s.Control.Reload()
	if err != nil {
		s.Log.Warn("cannot read the request to load a new certificate", "error", err)
	}
	if !ok || r.Generation == started.Generation && len(started.Loading) == 0 {
		return before
	}
	switch answered := started.Placed.answers(r); {
	case r.Served && answered && started.Placed.Error == "":
		s.Log.Info("the server presents its new certificate without a restart", "generation", r.Generation, "was", started.Generation)
		started.Generation, started.Loading = r.Generation, nil
	case r.Served || answered:
		return before
	default:
		s.place(ctx, r, started)
	}
	return s.report(*started, before)
}

// place places the requested keystore, and records the result in started.
func (s Supervisor) place(ctx context.Context, r Reload, started *Started) {
	p := &Placed{Generation: r.Generation, Certificate: r.Certificate}
	placed, err := s.Home.Place(ctx, r.Certificate)
	if placed && !slices.Contains(started.Loading, r.Certificate) {
		started.Loading = append(started.Loading, r.Certificate)
	}
	if err != nil {
		s.Log.Warn("the server does not get its new certificate while it runs", "generation", r.Generation, "error", err)
		p.Error = err.Error()
	} else {
		s.Log.Info("the new certificate is in place; the server loads it while it runs", "generation", r.Generation, "certificate", r.Certificate)
	}
	p.At = time.Now().UTC()
	started.Placed = p
}
