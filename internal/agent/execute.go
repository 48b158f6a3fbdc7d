package agent

import (
	"context"
	"fmt"
	"time"

	"wso2agent/internal/file"
	"wso2agent/internal/identity"
	"wso2agent/internal/keystore"
	"wso2agent/internal/rotation"
	"wso2agent/internal/server"
	"wso2agent/internal/trust"
)

// issueError says that no new identity can be issued. Nothing else has to wait for that.
type issueError struct{ error }

// execute does one action of a decision on what r has read.
func (r *reading) execute(ctx context.Context, by restarter, action rotation.Action) (err error) {
	a := r.agent
	e, work := a.exchange(), a.cfg.WorkDir()
	switch do := action.(type) {
	case rotation.Issue:
		return r.issue(do.Reason)
	case rotation.Stage:
		return r.identities.Stage(*r.next)
	case rotation.CompleteChain:
		return r.identities.Install(*r.next)
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
		_, err = file.Write(a.primaryPath(), []byte(do.Fingerprint+"\n"), 0o600, ControlDir(a.cfg))
		return err
	case rotation.PublishCA:
		var ca *keystore.Certificate
		if c, ok := r.certificates[do.Fingerprint]; ok {
			ca = &c
		}
		_, err = e.PublishCA(ca)
		return err
	case rotation.Publish:
		var certs []keystore.Certificate
		for _, f := range do.Fingerprints {
			certs = append(certs, r.certificates[f])
		}
		_, err = e.Publish(certs)
		return err
	case rotation.SaveRotation:
		return do.Rotation.Save(ControlDir(a.cfg))
	case rotation.SaveRefusals:
		return do.Refusals.Save(work)
	case rotation.SaveHistories:
		return do.Histories.Save(work)
	case rotation.Import:
		return trust.Import(ctx, a.truststore(), do.Changes, r.certificates, work)
	case rotation.Acknowledge:
		_, err = e.Acknowledge(do.Trusts)
		return err
	case rotation.SayClosing:
		_, err = e.SayClosing(do.Closing)
		return err
	case rotation.SayTurn:
		return e.SayTurn(do.Turn)
	case rotation.Request:
		return by.Request(ctx, do.Generation)
	case rotation.Hold:
		return by.Hold(ctx, do.Running, do.OnDisk)
	case rotation.Note:
		_, err = a.control().Note(do.Generation)
		return err
	}
	return fmt.Errorf("the agent has no way to do %s", rotation.Describe(action))
}

// issue makes a new identity and stages it.
func (r *reading) issue(reason string) error {
	next, err := identity.Issue(r.spec, time.Now())
	if err != nil {
		return issueError{err}
	}
	r.agent.log.Info("the agent has issued a TLS certificate", "server", r.agent.cfg.ServerName, "because", reason, "names", next.Certificate().DNSNames,
		"until", next.Certificate().NotAfter.Format(time.RFC3339), "fingerprint", next.Leaf().Fingerprint().String())
	return r.identities.Stage(next)
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
	return r.identities.Install(*r.held.Staged)
}

// makeSettings makes the needed settings in the server's deployment.toml.
func (r *reading) makeSettings(ctx context.Context) error {
	a := r.agent
	_, changes, err := a.settingsFile().Apply(ctx, r.needs, a.cfg.Settings == "override")
	if err != nil {
		return err
	}
	for _, c := range changes {
		switch c.Action {
		case server.Kept, server.Settled, server.Waits:
			continue
		}
		a.log.Info("setting "+string(c.Action), append([]any{"setting", c.Setting}, c.Attributes()...)...)
		if c.Setting == server.AllScopesSetting && c.Now == "false" {
			a.log.Info("IS no longer grants every client every scope after its next start: the agent has authorized the applications")
		}
		if c.Action == server.Added && c.Setting == "resource.access_control[(.*)/scim2/Me]" {
			a.log.Info("IS now answers GET /scim2/Me to any valid token, as API-M needs it; a token of the application itself reads the profile of the application's owner")
		}
	}
	return nil
}

func (r *reading) ownLeaf() keystore.Fingerprint {
	return r.certificates[r.snapshot.Keystore.Own.Fingerprint].Fingerprint()
}
