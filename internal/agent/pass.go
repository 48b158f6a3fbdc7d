package agent

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"wso2agent/internal/file"
	"wso2agent/internal/keystore"
	"wso2agent/internal/notify"
	"wso2agent/internal/server"
	"wso2agent/internal/trust"
)

// view is what one pass over the files has led to.
type view struct {
	own        keystore.Certificate
	missing    []string // peers that have published nothing that can be used, and of which nothing is trusted yet
	managed    trust.Managed
	generation string         // of what the server would read if it started now
	rotation   trust.Rotation // of the own certificate
	inUse      keystore.Certificate
	kept       []server.Change // settings that somebody else has made otherwise than is needed
}

// pass makes the server's settings, publishes the own certificate and imports the peers': the whole of trust, done again and again. It changes only
// what is not as it should be. One peer's rubbish keeps nobody else's certificate out. running is what the server started with, zero
// where none runs or nobody can tell.
func (a Agent) pass(ctx context.Context, running notify.Started) (view, error) {
	a, err := a.withStores(ctx)
	if err != nil {
		return view{}, err
	}
	// First of all, since nothing at all is to be written as a user that cannot do the whole: what such an agent
	// published would be in the right one's way.
	if err := a.truststore().Check(); err != nil {
		return view{}, fmt.Errorf("import into the truststore: %w", err)
	}
	kept, err := a.mergeSettings(ctx)
	if err != nil {
		return view{}, err
	}
	if a, err = a.withStores(ctx); err != nil {
		return view{}, err
	}
	own, err := trust.OwnLeaf(ctx, a.cfg.KeystorePaths(), a.cfg.KeystorePass, a.cfg.KeystoreAlias)
	if err != nil {
		return view{}, err
	}
	v := view{own: own, kept: kept}
	published, err := a.publish(ctx, &v, running)
	if err != nil {
		return view{}, err
	}
	peers, silent := a.peers(ctx)
	peers[a.cfg.ServerName] = published
	if v.managed, err = a.importPeers(ctx, peers); err != nil {
		return view{}, err
	}
	for _, name := range silent {
		if _, trusted := v.managed[name]; !trusted {
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
	v.generation = trust.Generation(edition, own, settings)
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

// lock keeps other agents away from this server's files until unlock is called.
func (a Agent) lock(ctx context.Context) (unlock func(), err error) {
	return file.Lock(ctx, filepath.Join(a.cfg.WorkDir(), "lock"), func() {
		a.log.Warn("another agent is working on this server's files, waiting for it", "truststore", a.cfg.TruststorePath())
	})
}

// importPeers brings the peers' certificates into the own truststore, alone: of two agents on one truststore one waits.
func (a Agent) importPeers(ctx context.Context, peers trust.Peers) (trust.Managed, error) {
	unlock, err := a.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	managed, changes, err := trust.Import(ctx, a.truststore(), peers, a.cfg.ServerName, append(slices.Clone(a.cfg.Peers), a.cfg.ServerName), a.cfg.WorkDir())
	for _, c := range changes {
		args := []any{"alias", c.Alias, "fingerprint", c.Fingerprint.String(), "truststore", a.cfg.TruststorePath()}
		if c.Action == "replaced" {
			args = append(args, "was", c.Was.String())
		}
		a.log.Info("trusted certificate "+c.Action, args...)
	}
	return managed, err
}
