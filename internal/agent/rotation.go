package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"wso2agent/internal/keystore"
	"wso2agent/internal/notify"
	"wso2agent/internal/trust"
)

// publish puts the own server's certificates on the exchange volume: the one in use, the one that its next start will
// present, and those on their way out. It returns them all.
func (a Agent) publish(ctx context.Context, v *view, running notify.Started) ([]keystore.Certificate, error) {
	before, err := a.exchange().Certificates(ctx, a.cfg.ServerName)
	if err != nil && !errors.Is(err, trust.ErrNotPublished) {
		a.log.Warn("what this server has published cannot be read, and is published anew", "error", err)
	}
	r, err := trust.LoadRotation(ControlDir(a.cfg))
	if err != nil {
		return nil, err
	}
	v.inUse = inUse(v.own, before, running, a.supervised())
	announced := r.Announced
	var certs []keystore.Certificate
	r, certs = r.Next(v.inUse, v.own, before, time.Now(), a.cfg.RotateGrace)
	v.rotation = r
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

// inUse is the certificate that the running server presents: of those that were published, the one that it started with.
// Before its first start, and where that cannot be known, it is the one on disk, unless another was published and nobody
// can tell whether the server has been restarted since.
func inUse(onDisk keystore.Certificate, published []keystore.Certificate, running notify.Started, supervised bool) keystore.Certificate {
	if running.Generation == "" && supervised || trust.RunsWith(running.Generation, onDisk) {
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
		if !said.Ready(a.cfg.ServerName, v.own) {
			names = append(names, name)
		}
	}
	return names
}

// hold keeps the server running with its old certificate while peers do not trust the new one yet. It is false when there
// is nothing to wait for, or no more time.
func (k *trustKeeper) hold(ctx context.Context, a Agent, v view, started notify.Started) (bool, error) {
	k.wake = v.rotation.Changes(a.cfg.RotateGrace)
	waits := a.unready(ctx, v)
	if len(waits) == 0 {
		return false, nil
	}
	deadline := v.rotation.Deadline(v.inUse, a.cfg.RotateTimeout)
	if !time.Now().Before(deadline) {
		if k.asked != v.generation {
			a.log.Error("switching to the new certificate though not every peer trusts it: their connections may fail until they do", "server", a.cfg.ServerName,
				"peers", waits, "waited", time.Since(v.rotation.Since).Round(time.Second).String())
		}
		return false, nil
	}
	k.wake = deadline
	if err := k.restarter.Hold(ctx, started.Generation, v.generation); err != nil {
		return false, fmt.Errorf("hold the restart of the server: %w", err)
	}
	if held := strings.Join(waits, ", "); held != k.waits {
		a.log.Info("the restart waits until the new certificate is trusted", "server", a.cfg.ServerName, "by", waits, "at most until", deadline.UTC().Format(time.RFC3339))
		k.waits = held
	}
	k.health.Set(restartCondition, false, "a restart is due, and waits for the new certificate to be trusted by "+k.waits)
	return true, a.say(ctx, v, waits)
}

// say tells the peers what the next start of the server will trust, and for whom it waits. What the running one trusts
// stays as it was said.
func (a Agent) say(ctx context.Context, v view, waits []string) error {
	said, err := a.exchange().Trusts(ctx, a.cfg.ServerName)
	if err != nil {
		said = trust.Trusts{}
	}
	said.OnDisk, said.Waits = v.managed.Fingerprints(), waits
	_, err = a.exchange().Acknowledge(said)
	return err
}
