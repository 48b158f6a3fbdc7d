package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/keystore"
	"wso2agent/internal/notify"
	"wso2agent/internal/trust"
)

// publish puts the own server's certificates on the exchange volume: the one in use, the one that its next start will
// present, and those on their way out. It returns them all.
func (a Agent) publish(ctx context.Context, v *view, running *notify.Started) ([]keystore.Certificate, error) {
	before, err := a.exchange().Certificates(ctx, a.cfg.ServerName)
	if err != nil && !errors.Is(err, trust.ErrNotPublished) {
		a.log.Warn("what this server has published cannot be read, and is published anew", "error", err)
	}
	r, err := trust.LoadRotation(ControlDir(a.cfg))
	if err != nil {
		return nil, err
	}
	v.inUse = inUse(v.own, before, running, a.supervised())
	v.next = v.own
	known := running == nil || running.Generation != "" || a.supervised()
	// While the server presents another certificate than the one on disk, that one comes first.
	if staged := v.staged(); staged != nil && (!known || v.own.Fingerprint() == v.inUse.Fingerprint()) {
		v.next = *staged
	}
	announced := r.Announced
	var certs []keystore.Certificate
	r, certs = r.Next(v.inUse, v.next, before, known, time.Now(), a.cfg.RotateGrace)
	v.rotation = r
	// The CA first: a peer that found the certificates alone would trust them themselves.
	if _, err := a.exchange().PublishCA(v.ca()); err != nil {
		return nil, err
	}
	changed, err := a.exchange().Publish(certs)
	if err != nil {
		return nil, err
	}
	switch {
	case r.Announced != "" && r.Announced != announced:
		a.log.Info("a new certificate is announced to the peers", "server", a.cfg.ServerName, "fingerprint", r.Announced, "in use", v.inUse.Fingerprint().String())
	case changed:
		a.log.Info("own certificate published", "server", a.cfg.ServerName, "fingerprint", v.inUse.Fingerprint().String(), "on their way out", len(r.Retired))
	}
	return certs, r.Save(ControlDir(a.cfg))
}

// trustedByPeers tells whether every peer's running server trusts a certificate, or the CA that has signed it, as far as any of
// it has ever run.
func (a Agent) trustedByPeers(ctx context.Context, leaf keystore.Certificate, ca *keystore.Certificate) bool {
	return !slices.ContainsFunc(a.cfg.Peers, func(name string) bool {
		said, err := a.exchange().Trusts(ctx, name)
		if err != nil {
			return true
		}
		return said.Generation != "" && !said.Any(leaf, ca)
	})
}

// issuerOf is the CA that has signed an identity; nil where it has come without one.
func issuerOf(i trust.Identity) *keystore.Certificate {
	if ca, ok := i.Issuer(); ok {
		return &ca
	}
	return nil
}

// staged is the certificate that waits for the switch in the agent's folder, where no start of the server finds it: that of a
// keystore that somebody has put in place, else the one of TLS_MODE.
func (v view) staged() *keystore.Certificate {
	switch {
	case v.replaced != nil:
		return v.replaced
	case v.identity.staged != nil:
		leaf := v.identity.staged.Leaf()
		return &leaf
	}
	return nil
}

// stays tells whether a start of the server still presents the certificate in use, while the next one waits off the config
// volume.
func (v view) stays() bool {
	staged := v.staged()
	return staged != nil && v.next.Fingerprint() == staged.Fingerprint()
}

// ca is what peers may trust in place of the certificates (TRUST=ca): the CA that has signed both the certificate in use and the next one, if there is one: with another CA peers have to
// trust the certificates themselves until the switch.
func (v view) ca() *keystore.Certificate {
	if v.identity.installed == nil || v.identity.installed.Leaf().Fingerprint() != v.own.Fingerprint() {
		return nil
	}
	ca, ok := v.identity.installed.Issuer()
	if !ok || v.replaced != nil { // nobody knows who has signed what somebody has put in place
		return nil
	}
	if v.identity.staged != nil {
		if next, ok := v.identity.staged.Issuer(); !ok || next.Fingerprint() != ca.Fingerprint() {
			return nil
		}
	}
	return &ca
}

// inUse is the certificate that the running server presents: of those that were published, the one that it started with.
// Before its first start, and where that cannot be known, it is the one on disk, unless another was published and nobody
// can tell whether the server has been restarted since.
func inUse(onDisk keystore.Certificate, published []keystore.Certificate, running *notify.Started, supervised bool) keystore.Certificate {
	if running == nil || running.Generation == "" && supervised || trust.RunsWith(running.Generation, onDisk) {
		return onDisk
	}
	for _, c := range published {
		if trust.RunsWith(running.Generation, c) {
			return c
		}
	}
	if len(published) > 0 {
		return published[0]
	}
	return onDisk
}

// unready are the peers whose servers would refuse the own server if it presented the announced certificate now.
func (a Agent) unready(ctx context.Context, v view) (names []string) {
	if v.rotation.Announced == "" {
		return nil
	}
	for _, name := range a.cfg.Peers {
		said, err := a.exchange().Trusts(ctx, name)
		if err != nil {
			a.log.Warn("what a peer trusts cannot be read", "peer", name, "error", err)
		}
		if said.Any(v.next, v.ca()) {
			continue
		}
		names = append(names, name)
	}
	return names
}

// wake is when something is to be done by the clock alone: an old certificate goes, the one in use is to be renewed, or one
// is to be told of because it expires.
func (v view) wake(cfg config.Config, now time.Time) (at time.Time) {
	earlier := func(other time.Time) {
		if other.After(now) && (at.IsZero() || other.Before(at)) {
			at = other
		}
	}
	if end := v.rotation.Changes(cfg.RotateGrace); !end.IsZero() {
		earlier(later(end, now.Add(time.Second)))
	}
	for _, at := range v.withheld.paced {
		earlier(at)
	}
	if v.identity.installed != nil && cfg.TLSMode == "issue" {
		earlier(trust.RenewAt(v.identity.installed.Certificate(), cfg.TLSRenewBefore))
	}
	for _, o := range v.inUseBy {
		if c, err := o.Certificate.Parse(); err == nil {
			earlier(later(c.NotAfter.Add(-expiryWarning), now.Add(24*time.Hour)))
		}
	}
	return at
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// rotate goes on with a rotation: as long as peers do not trust the new certificate the switch waits, and then it is made.
// It returns the view after it; held says that the server is not to be restarted now.
func (k *trustKeeper) rotate(ctx context.Context, a Agent, v view, started notify.Started) (after view, held bool, err error) {
	k.wake = v.wake(a.cfg, k.looked)
	waits := a.unready(ctx, v)
	if deadline := k.deadline(ctx, a, v); len(waits) > 0 && time.Now().Before(deadline) {
		k.wake = earliest(k.wake, deadline)
		return k.awaitPeers(ctx, a, v, started, waits, deadline)
	}
	if len(waits) > 0 && k.pressed != v.rotation.Announced {
		a.log.Error("switching to the new certificate though not every peer trusts it: their connections may fail until they do", "server", a.cfg.ServerName,
			"peers", waits, "waited", time.Since(v.rotation.Since).Round(time.Second).String())
		k.pressed = v.rotation.Announced
	}
	switch {
	case !v.stays():
		return v, false, nil
	case v.replaced != nil:
		err = a.installReplaced(ctx)
	default:
		err = a.install(v.identity)
	}
	if err != nil {
		return v, false, err
	}
	after, err = a.pass(ctx, &started)
	return after, false, err
}

// deadline is when the switch no longer waits for peers. While peers take turns to restart, it waits for as many of them as
// there are.
func (k *trustKeeper) deadline(ctx context.Context, a Agent, v view) time.Time {
	deadline := v.rotation.Deadline(v.inUse, a.cfg.RotateTimeout)
	if len(k.claims(ctx, a)) == 0 {
		return deadline
	}
	return later(deadline, v.rotation.Deadline(v.inUse, time.Duration(len(a.cfg.Peers))*a.cfg.RotateTimeout))
}

// awaitPeers is rotate while peers do not trust the new certificate yet. Every restart waits for the switch, so that one serves
// for both, but one: of servers that wait for each other one must restart first, with the certificate that it has, to trust
// the others'. It is the one whose name comes first.
func (k *trustKeeper) awaitPeers(ctx context.Context, a Agent, v view, started notify.Started, waits []string, deadline time.Time) (after view, held bool, err error) {
	if names := strings.Join(waits, ", "); names != k.waits {
		a.log.Info("the switch to the new certificate waits until it is trusted", "server", a.cfg.ServerName, "by", waits, "at most until", deadline.UTC().Format(time.RFC3339))
		k.waits = names
	}
	halfway := v.rotation.Since.Add(a.cfg.RotateTimeout / 2) // peers that wait for this server must not be let down by those that are gone
	first := !slices.ContainsFunc(waits, func(name string) bool { return name < a.cfg.ServerName })
	mustTrust := a.mustTrust(ctx, v)
	goes := mustTrust && first || !time.Now().Before(halfway)
	due := started.Generation != "" && started.Generation != v.generation
	switch {
	case v.stays() && (goes || !due || !a.supervised()):
		return v, false, nil
	case !v.stays() && goes && mustTrust && a.supervised():
		put, err := a.putBack(ctx, v, started)
		if err != nil || put {
			if err == nil {
				after, err = a.pass(ctx, &started)
			}
			return after, false, err
		}
	}
	if !goes {
		k.wake = earliest(k.wake, halfway)
	}
	return v, true, k.hold(ctx, a, v, started, "a restart is due, and waits for the new certificate to be trusted by "+k.waits)
}

// mustTrust tells whether the running server does not trust yet what a peer has published.
func (a Agent) mustTrust(ctx context.Context, v view) bool {
	said, err := a.exchange().Trusts(ctx, a.cfg.ServerName)
	if err != nil {
		return true // as if it trusted nobody: at worst that is a restart too many
	}
	return slices.ContainsFunc(a.cfg.Peers, func(name string) bool {
		return slices.ContainsFunc(v.peers[name], func(c keystore.Certificate) bool { return !trust.Has(said.Fingerprints, c) })
	})
}

// hold keeps the server running with what it has started with, and leaves the turn to restart to others.
func (k *trustKeeper) hold(ctx context.Context, a Agent, v view, started notify.Started, why string) error {
	if err := k.restarter.Hold(ctx, started.Generation, v.generation); err != nil {
		return fmt.Errorf("hold the restart of the server: %w", err)
	}
	k.asked = ""
	k.health.Set(restartCondition, false, why)
	return k.leaveTurn(ctx, a)
}
