package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"wso2agent/internal/keystore"
	"wso2agent/internal/notify"
	"wso2agent/internal/server"
	"wso2agent/internal/trust"
)

// view is what one pass over the files has led to.
type view struct {
	running    bool                 // a server runs, which started before
	own        keystore.Certificate // that the server would present if it started now
	next       keystore.Certificate // that it is to present: another one while an identity waits for the switch
	identity   identity
	replaced   *keystore.Certificate // of a keystore that somebody has put in place, and that waits for the switch
	peers      trust.Peers           // the certificates to trust
	inUseBy    []trust.Owned         // the certificates in use, the own server's and the peers'
	missing    []string              // peers that have published nothing that can be used, and of which nothing is trusted yet
	managed    trust.Managed
	generation string         // of what the server would read if it started now
	rotation   trust.Rotation // of the own certificate
	inUse      keystore.Certificate
	kept       []server.Change // settings that somebody else has made otherwise than is needed
	closing    trust.Closing   // of IS: what becomes of the settings that keep API subscribers out
	withheld   withheld
}

// pass makes the server's settings, publishes the own certificate and imports the peers': the whole of trust, done again and again. It changes only
// what is not as it should be. One peer's rubbish keeps nobody else's certificate out. running is what the server started with, zero
// where nobody can tell, and nil where no server runs. It is to be called alone.
func (a Agent) pass(ctx context.Context, running *notify.Started) (view, error) {
	given := a
	a, err := a.withStores(ctx)
	if err != nil {
		return view{}, err
	}
	tls, err := a.identity(ctx, running != nil)
	if err != nil {
		return view{}, err
	}
	if a.mayInstall(ctx, tls, running != nil) {
		if err := a.install(tls); err != nil {
			return view{}, err
		}
		tls.installed, tls.staged = tls.staged, nil
	}
	kept, closing, err := a.mergeSettings(ctx, tls)
	if err != nil {
		return view{}, err
	}
	if tls.staged == nil {
		if err := removeIfThere(a.stagedPath()); err != nil {
			return view{}, err
		}
	}
	if a, err = given.withStores(ctx); err != nil { // the settings may name others now
		return view{}, err
	}
	if err := a.tellPrimary(ctx); err != nil {
		return view{}, err
	}
	replaced, err := a.replaced(ctx)
	if err != nil {
		return view{}, err
	}
	if replaced != nil && running == nil && a.trustedByPeers(ctx, *replaced, nil) {
		if err := a.installReplaced(ctx); err != nil {
			return view{}, err
		}
		replaced = nil
	}
	own, err := trust.OwnLeaf(ctx, a.cfg.KeystorePaths(), a.cfg.KeystorePass, a.cfg.KeystoreAlias)
	if err != nil {
		return view{}, err
	}
	v := view{running: running != nil, own: own, identity: tls, replaced: replaced, kept: kept, closing: closing}
	published, err := a.publish(ctx, &v, running)
	if err != nil {
		return view{}, err
	}
	peers, silent := a.peers(ctx)
	v.peers = peers
	v.inUseBy = append(v.inUseBy, trust.Owned{Owner: a.cfg.ServerName, Own: true, Pinned: a.cfg.Trust == "leaf", Certificate: v.inUse})
	for _, name := range a.cfg.Peers {
		if certs := peers[name]; len(certs) > 0 {
			v.inUseBy = append(v.inUseBy, trust.Owned{Owner: name, Pinned: true, Certificate: certs[0]})
		}
	}
	// What waits for the switch is not imported before: that would cost the server a restart of its own.
	peers[a.cfg.ServerName] = slices.DeleteFunc(slices.Clone(published), func(c keystore.Certificate) bool {
		return v.stays() && c.Fingerprint() == v.next.Fingerprint()
	})
	if v.withheld, err = a.withhold(peers, running); err != nil {
		return view{}, err
	}
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
	return v, a.sayClosing(v, running)
}

// mayInstall tells whether the identity that waits can be switched to at once: the server is down, and no peer that runs would
// refuse it, or its start would find none at all.
func (a Agent) mayInstall(ctx context.Context, i identity, running bool) bool {
	switch {
	case i.staged == nil:
		return false
	case i.installed == nil:
		return !running || i.named
	}
	return !running && a.trustedByPeers(ctx, i.staged.Leaf(), issuerOf(*i.staged))
}

// peers are the peers' published certificates; silent those that have published nothing that can be used.
func (a Agent) peers(ctx context.Context) (peers trust.Peers, silent []string) {
	peers = trust.Peers{}
	for _, name := range a.cfg.Peers {
		certs, err := a.exchange().Certificates(ctx, name)
		if err == nil {
			certs, err = a.believed(ctx, name, certs)
		}
		if len(certs) > 0 {
			peers[name] = certs
		}
		switch {
		case err == nil:
			continue
		case errors.Is(err, trust.ErrNotPublished):
			a.log.Debug("peer has published nothing yet", "peer", name)
		default:
			a.log.Error("a peer's certificate is not imported", "peer", name, "error", err)
		}
		if len(certs) == 0 {
			silent = append(silent, name)
		}
	}
	return peers, silent
}

// believed are the certificates to trust of those that a peer has published: those that are pinned, where any is, and no CA
// that is not. With TRUST=ca it is the CA that has signed the one in use, where the peer has published that; else the certificates themselves.
func (a Agent) believed(ctx context.Context, name string, certs []keystore.Certificate) ([]keystore.Certificate, error) {
	pins := trust.PeerPins(a.cfg.PeerPins)
	var asCA error
	if a.cfg.Trust != "ca" {
		certs, asCA = pins.WithoutCAs(name, certs)
	} else {
		ca, ok, err := a.exchange().CA(ctx, name, certs[0])
		if ok {
			certs = []keystore.Certificate{ca}
		} else if err != nil {
			a.log.Error("a peer's CA is not trusted, but its certificates themselves", "peer", name, "error", err)
		}
	}
	accepted, err := pins.Check(name, certs)
	return accepted, errors.Join(asCA, err)
}

// importPeers brings the peers' certificates into the own truststore.
func (a Agent) importPeers(ctx context.Context, peers trust.Peers) (trust.Managed, error) {
	managed, changes, err := trust.Import(ctx, a.truststore(), peers, a.cfg.ServerName, append(slices.Clone(a.cfg.Peers), a.cfg.ServerName), a.cfg.WorkDir())
	for _, c := range told(changes) {
		args := []any{"alias", c.Alias, "fingerprint", c.Fingerprint.String(), "truststore", a.cfg.TruststorePath()}
		if c.Action == "replaced" || c.Action == switched {
			args = append(args, "was", c.Was.String())
		}
		a.log.Info("trusted certificate "+c.Action, args...)
	}
	return managed, err
}

// switched says that of two certificates of a server, both of which were trusted, another one is in use now.
const switched = "in use now"

// told are the changes of trust to log. A certificate that only gets another alias is still trusted, and no change.
func told(changes []trust.Change) (told []trust.Change) {
	before, after := map[keystore.Fingerprint]bool{}, map[keystore.Fingerprint]bool{}
	for _, c := range changes {
		if c.Action == "removed" {
			before[c.Fingerprint] = true
			continue
		}
		after[c.Fingerprint] = true
		if c.Action == "replaced" {
			before[c.Was] = true
		}
	}
	for _, c := range changes {
		switch {
		case c.Action == "removed" && after[c.Fingerprint], c.Action == "added" && before[c.Fingerprint]:
			continue
		case c.Action == "replaced" && before[c.Fingerprint] && after[c.Was]:
			c.Action = switched
		}
		told = append(told, c)
	}
	return told
}
