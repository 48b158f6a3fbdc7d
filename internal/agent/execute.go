package agent

import (
	"context"
	"fmt"
	"time"

	"wso2agent/internal/identity"
	"wso2agent/internal/keystore"
	"wso2agent/internal/notify"
	"wso2agent/internal/rotation"
	"wso2agent/internal/server"
	"wso2agent/internal/trust"
)

// issueError says that the agent cannot obtain a new identity. No other work waits for that.
type issueError struct{ error }

// unissued makes any error an issueError, and leaves nil as it is.
func unissued(err error) error {
	if err != nil {
		err = issueError{err}
	}
	return err
}

// execute does one action of a decision on what r has read.
func (r *reading) execute(ctx context.Context, by restarter, action rotation.Action) error {
	a, e := r.agent, r.agent.exchange()
	work, control := a.cfg.WorkDir(), a.control().Dir
	switch do := action.(type) {
	case rotation.Issue:
		return r.issue(0, do.Reason, r.identities.Stage)
	case rotation.Stage:
		return r.identities.Stage(*r.found.Next)
	case rotation.IssueSuccessor:
		_, err := r.identities.PutAsideSuccessors(ctx)
		if err == nil {
			err = r.issue(do.Turn, fmt.Sprintf("rotation %d from now needs one that peers trust by then", do.Turn), r.identities.AddSuccessor)
		}
		return unissued(err)
	case rotation.StageSuccessor:
		return unissued(r.withSuccessor(do.Fingerprint, do.Reason, "takes", r.identities.StageSuccessor))
	case rotation.DropSuccessor:
		return unissued(r.withSuccessor(do.Fingerprint, "it "+do.Reason, "drops", r.identities.DropSuccessor))
	case rotation.CompleteChain:
		return r.identities.Install(*r.found.Next)
	case rotation.DropStaged:
		return r.identities.Unstage()
	case rotation.Install:
		return r.install()
	case rotation.MakeSettings:
		return r.makeSettings(ctx)
	case rotation.PutBack:
		return r.own.PutBack(r.ownLeaf())
	case rotation.InstallReplaced:
		return r.own.InstallNext()
	case rotation.DropReplaced:
		return r.own.DropNext()
	case rotation.KeepServed:
		return r.own.Keep(r.ownLeaf())
	case rotation.SavePrimary:
		return server.SavePrimaryKey(a.cfg, do.Fingerprint)
	case rotation.PublishCA:
		return failure(e.PublishCA(r.catalog.Find(do.Fingerprint)))
	case rotation.Publish:
		return failure(e.Publish(r.catalog.Certificates(do.Fingerprints)))
	case rotation.PublishSuccessors:
		return failure(e.PublishSuccessors(r.catalog.Certificates(do.Fingerprints)))
	case rotation.SaveRotation:
		return do.Rotation.Save(control)
	case rotation.SaveRefusals:
		return do.Refusals.Save(work)
	case rotation.SaveUndone:
		return do.Undone.Save(control)
	case rotation.SaveHistories:
		return do.Histories.Save(work)
	case rotation.Import:
		return trust.Import(ctx, a.truststore(), do.Changes, r.catalog, work)
	case rotation.RaiseEdition:
		return trust.RaiseEdition(work)
	case rotation.Acknowledge:
		return failure(e.Acknowledge(do.Trusts))
	case rotation.SayClosing:
		return failure(e.SayClosing(do.Closing))
	case rotation.SayTurn:
		return e.SayTurn(do.Turn)
	case rotation.Request:
		return by.Request(ctx, do.Generation)
	case rotation.Hold:
		return by.Hold(ctx, do.Running, do.OnDisk)
	case rotation.Load:
		return by.Reload(ctx, notify.Reload{Generation: do.Generation, Certificate: do.Certificate, Served: do.Served})
	case rotation.Note:
		return failure(a.control().Note(do.Generation))
	}
	return fmt.Errorf("the agent has no way to do %s", rotation.Describe(action))
}

// failure is the error of an action that also reports whether it has changed anything.
func failure(_ bool, err error) error { return err }

// issue makes an identity and keeps it. turn is 0 for the switch that is due, and 1 for the next rotation.
func (r *reading) issue(turn int, reason string, keep func(identity.Identity) error) error {
	next, err := identity.Issue(*r.found.Spec, time.Now(), turn)
	if err != nil {
		return unissued(err)
	}
	r.agent.log.Info("the agent has issued a TLS certificate", "server", r.agent.cfg.Server.Name, "because", reason, "names", next.Certificate().DNSNames,
		"until", next.Certificate().NotAfter.Format(time.RFC3339), "fingerprint", next.Leaf().Fingerprint().String())
	return keep(next)
}

// withSuccessor logs what it does with a successor, and does it.
func (r *reading) withSuccessor(fingerprint, because, does string, do func(identity.Identity) error) error {
	for _, i := range r.found.Successors {
		if i.Leaf().Fingerprint().String() == fingerprint {
			r.agent.log.Info("the agent "+does+" a successor of the certificate", "server", r.agent.cfg.Server.Name, "because", because, "fingerprint", fingerprint)
			return do(*i)
		}
	}
	return fmt.Errorf("the successor %s is gone; the next pass decides anew", fingerprint)
}

// install makes the staged identity the server's: each start of the server presents it as soon as the settings name its keystore.
func (r *reading) install() error {
	if t := r.snapshot.TLS; t.Named && t.Installed == nil {
		copied, err := r.identities.PutAside()
		if err != nil {
			return err
		}
		if copied != "" {
			r.agent.log.Warn("the agent has put aside a keystore that it cannot read", "file", copied)
		}
	}
	return r.identities.Install(*r.found.Staged)
}

// makeSettings makes the needed settings in the server's deployment.toml.
func (r *reading) makeSettings(ctx context.Context) error {
	a := r.agent
	_, changes, err := a.settingsFile().Apply(ctx, r.needs, a.cfg.Settings.Mode == "override")
	if err != nil {
		return err
	}
	for _, c := range changes {
		if !c.Made() {
			continue
		}
		a.log.Info("setting "+string(c.Action), append([]any{"setting", c.Setting}, c.Attributes()...)...)
		if follows := c.Follows(); follows != "" {
			a.log.Info(follows)
		}
	}
	return nil
}

func (r *reading) ownLeaf() keystore.Fingerprint {
	return r.catalog[r.snapshot.Keystore.Own.Fingerprint].Fingerprint()
}
