package agent

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"wso2agent/internal/file"
	"wso2agent/internal/keystore"
	"wso2agent/internal/trust"
)

// view is what one pass over the files has led to.
type view struct {
	own        keystore.Certificate
	missing    []string // peers that have published nothing that can be used, and of which nothing is trusted yet
	managed    trust.Managed
	generation string // of what the server would read if it started now
}

// pass publishes the own certificate and imports the peers': the whole of trust, done again and again. It changes only
// what is not as it should be. One peer's rubbish keeps nobody else's certificate out.
func (a Agent) pass(ctx context.Context) (view, error) {
	// First of all, since nothing at all is to be written as a user that cannot do the whole: what such an agent
	// published would be in the right one's way.
	if err := a.truststore().Check(); err != nil {
		return view{}, fmt.Errorf("import into the truststore: %w", err)
	}
	own, err := trust.OwnLeaf(ctx, a.cfg.KeystorePaths(), a.cfg.KeystorePass, a.cfg.KeystoreAlias)
	if err != nil {
		return view{}, err
	}
	published, err := a.exchange().Publish([]keystore.Certificate{own})
	if err != nil {
		return view{}, err
	}
	if published {
		a.log.Info("own certificate published", "server", a.cfg.ServerName, "fingerprint", own.Fingerprint().String())
	}
	peers, silent := a.peers(ctx)
	managed, err := a.importPeers(ctx, peers)
	if err != nil {
		return view{}, err
	}
	v := view{own: own, managed: managed}
	for _, name := range silent {
		if _, trusted := managed[name]; !trusted {
			v.missing = append(v.missing, name)
		}
	}
	settings, err := a.settingsOfServer()
	if err != nil {
		return view{}, fmt.Errorf("read the server's settings: %w", err)
	}
	edition, err := trust.Edition(a.cfg.WorkDir())
	if err != nil {
		return view{}, err
	}
	v.generation = trust.Generation(managed, edition, own, settings)
	return v, nil
}

// peers are the peers' published certificates; silent those that have published nothing that can be used.
func (a Agent) peers(ctx context.Context) (peers trust.Peers, silent []string) {
	peers = trust.Peers{}
	for _, name := range a.cfg.Peers {
		certs, err := a.exchange().Certificates(ctx, name)
		switch {
		case err == nil:
			peers[name] = certs
			continue
		case errors.Is(err, trust.ErrNotPublished):
			a.log.Debug("peer has published nothing yet", "peer", name)
		default:
			a.log.Error("a peer's certificate is not imported", "peer", name, "error", err)
		}
		silent = append(silent, name)
	}
	return peers, silent
}

// importPeers brings the peers' certificates into the own truststore, alone: of two agents on one truststore one waits.
func (a Agent) importPeers(ctx context.Context, peers trust.Peers) (trust.Managed, error) {
	work := a.cfg.WorkDir()
	unlock, err := file.Lock(ctx, filepath.Join(work, "lock"), func() {
		a.log.Warn("another agent is working on this truststore, waiting for it", "truststore", a.cfg.TruststorePath())
	})
	if err != nil {
		return nil, err
	}
	defer unlock()
	managed, changes, err := trust.Import(ctx, a.truststore(), peers, a.cfg.Peers, work)
	for _, c := range changes {
		args := []any{"alias", c.Alias, "fingerprint", c.Fingerprint.String(), "truststore", a.cfg.TruststorePath()}
		if c.Action == "replaced" {
			args = append(args, "was", c.Was.String())
		}
		a.log.Info("trusted certificate "+c.Action, args...)
	}
	return managed, err
}
