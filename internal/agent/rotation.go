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
	// While a server is down together with others, and while it presents another than the one on disk, that one comes first.
	down := running != nil && running.PID == 0 && running.Generation == "" && a.supervised()
	if v.identity.staged != nil && !down && (!known || v.own.Fingerprint() == v.inUse.Fingerprint()) {
		v.next = v.identity.staged.Leaf()
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

// trustedByPeers tells whether every peer's running server trusts an identity, as far as any of it has ever run.
func (a Agent) trustedByPeers(ctx context.Context, i *trust.Identity) bool {
	return !slices.ContainsFunc(a.cfg.Peers, func(name string) bool {
		said, err := a.exchange().Trusts(ctx, name)
		if err != nil {
			return true
		}
		ca, ok := i.Issuer()
		return said.Generation != "" && !said.Ready(a.cfg.ServerName, i.Leaf()) && !(ok && said.Ready(a.cfg.ServerName, ca))
	})
}

// stays tells whether a start of the server still presents the certificate in use, while the next one waits off the config
// volume.
func (v view) stays() bool {
	return v.identity.staged != nil && v.next.Fingerprint() == v.identity.staged.Leaf().Fingerprint()
}

// ca is what peers may trust in place of the certificates (TRUST=ca): the CA that has signed both the certificate in use and the next one, if there is one: with another CA peers have to
// trust the certificates themselves until the switch.
func (v view) ca() *keystore.Certificate {
	if v.identity.installed == nil || v.identity.installed.Leaf().Fingerprint() != v.own.Fingerprint() {
		return nil
	}
	ca, ok := v.identity.installed.Issuer()
	if !ok {
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
		// While the own new key is off the config volume the server can restart with the old one, to trust what the peer waits
		// for. So the peer goes first, and this server follows when the peer's running one trusts it.
		if v.stays() {
			said.Waits = nil
		}
		if ca := v.ca(); said.Ready(a.cfg.ServerName, v.next) || ca != nil && said.Ready(a.cfg.ServerName, *ca) {
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
	deadline := v.rotation.Deadline(v.inUse, a.cfg.RotateTimeout)
	if len(waits) > 0 && time.Now().Before(deadline) {
		k.wake = deadline
		if names := strings.Join(waits, ", "); names != k.waits {
			a.log.Info("the switch to the new certificate waits until it is trusted", "server", a.cfg.ServerName, "by", waits, "at most until", deadline.UTC().Format(time.RFC3339))
			k.waits = names
		}
		if v.stays() { // a restart for anything else changes nothing about the certificate
			return v, false, a.say(ctx, v, nil, false)
		}
		if err := k.restarter.Hold(ctx, started.Generation, v.generation); err != nil {
			return v, false, fmt.Errorf("hold the restart of the server: %w", err)
		}
		k.health.Set(restartCondition, false, "a restart is due, and waits for the new certificate to be trusted by "+k.waits)
		return v, true, a.say(ctx, v, waits, false)
	}
	if len(waits) > 0 && k.pressed != v.rotation.Announced {
		a.log.Error("switching to the new certificate though not every peer trusts it: their connections may fail until they do", "server", a.cfg.ServerName,
			"peers", waits, "waited", time.Since(v.rotation.Since).Round(time.Second).String())
		k.pressed = v.rotation.Announced
	}
	if !v.stays() {
		return v, false, a.sayMutual(ctx, v, waits)
	}
	if err := a.install(v.identity); err != nil {
		return v, false, err
	}
	after, err = a.pass(ctx, &started)
	return after, false, err
}

// sayMutual says that this server waits for peers that wait for it, where it has not said so before: it came to know that
// they have its new certificate on disk before it had to wait. They must not start without it.
func (a Agent) sayMutual(ctx context.Context, v view, passedOver []string) error {
	if v.rotation.Announced == "" || len(passedOver) > 0 {
		return nil
	}
	var mutual []string
	for _, name := range a.cfg.Peers {
		if peer, err := a.exchange().Trusts(ctx, name); err == nil && !trust.Has(peer.Fingerprints, v.next) && slices.Contains(peer.Waits, a.cfg.ServerName) {
			mutual = append(mutual, name)
		}
	}
	if len(mutual) == 0 {
		return nil
	}
	return a.say(ctx, v, mutual, false)
}

// together tells whether the server's start has to wait for others: peers that wait for this server, and whose running
// servers do not trust what it is about to present. It has not where a peer is passed over, which would never be down.
func (k *trustKeeper) together(ctx context.Context, a Agent, v view) bool {
	said, err := a.exchange().Trusts(ctx, a.cfg.ServerName)
	if err != nil || len(a.unready(ctx, v)) > 0 {
		return false
	}
	return slices.ContainsFunc(said.Waits, func(name string) bool {
		peer, err := a.exchange().Trusts(ctx, name)
		return err == nil && !trust.Has(peer.Fingerprints, v.own)
	})
}

// downTogether lets a server that is down start as soon as everybody for whom it waits is down too, or trusts what it is
// about to present. It returns for whom it waits.
func (k *trustKeeper) downTogether(ctx context.Context, a Agent, v view, down bool) (waits []string, err error) {
	said, err := a.exchange().Trusts(ctx, a.cfg.ServerName)
	if err != nil {
		return nil, nil // what it has said is lost, and the start waits for its own time-out
	}
	if !down {
		return said.Waits, nil
	}
	for _, name := range said.Waits {
		peer, err := a.exchange().Trusts(ctx, name)
		if err != nil || !peer.Down && !trust.Has(peer.Fingerprints, v.own) {
			return said.Waits, nil
		}
	}
	// Said before the start, so that the others see it: they may come to this later.
	if err := a.say(ctx, v, said.Waits, true); err != nil {
		return nil, err
	}
	return said.Waits, k.restarter.Go(ctx)
}

// say tells the peers what the next start of the server will trust, for whom it waits, and whether it is down for them. What
// the running one trusts stays as it was said.
func (a Agent) say(ctx context.Context, v view, waits []string, down bool) error {
	said, err := a.exchange().Trusts(ctx, a.cfg.ServerName)
	if err != nil {
		said = trust.Trusts{}
	}
	said.OnDisk, said.Waits, said.Down = v.managed.Fingerprints(), waits, down
	_, err = a.exchange().Acknowledge(said)
	return err
}
