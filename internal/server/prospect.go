package server

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/identity"
	"wso2agent/internal/notify"
	"wso2agent/internal/trust"
)

// Prospect holds what the next rotation of the own server's certificate depends on. It is plain data, read once.
type Prospect struct {
	Server      string
	Peers       []trust.Trusting // the peers, by their names, with what they trust while they run
	Own         trust.Trusting   // the own server
	Pool        trust.Pool
	NoPool      string // why there are no successors, to follow "because"; empty if there may be some
	CA          string // fingerprint of the CA that has signed the certificate in use and signs the next one; empty for none
	Supervised  bool   // RESTART is not none
	Elsewhere   string // RESTART, if it names something else than agent exec
	ReloadOff   bool   // RELOAD is off
	Started     bool   // agent exec has reported a start of the own server
	Reloads     bool   // the running server loads a new certificate
	Compromised bool   // the request throws the pool away
}

// Restart is a server that restarts for a rotation, and the reason, to follow "because".
type Restart struct{ Server, Because string }

// Cost returns the servers that restart for the next rotation, in this order: the peers, which have to trust the certificate, then
// the own server, which has to present it. It is empty if no server restarts.
func (p Prospect) Cost() (restarts []Restart) {
	trusted, unknown := p.next()
	certificate := "next certificate"
	if p.CA != "" {
		certificate = "CA of the next certificate"
	}
	for _, peer := range p.Peers {
		if unknown != "" || !slices.Contains(peer.Fingerprints, trusted) {
			restarts = append(restarts, Restart{peer.Server, cmp.Or(unknown, "it does not trust the "+certificate+" yet")})
		}
	}
	if why := cmp.Or(p.noReload(), unknown); why != "" {
		restarts = append(restarts, Restart{p.Server, why})
	} else if !slices.Contains(p.Own.Fingerprints, trusted) {
		restarts = append(restarts, Restart{p.Server, "it does not trust the " + certificate + " yet"})
	}
	return restarts
}

// next returns the fingerprint that a server must trust to accept the next certificate. unknown says why no running server can
// trust it yet.
func (p Prospect) next() (trusted, unknown string) {
	successor, ok := p.Pool.Next()
	switch {
	case p.CA != "":
		return p.CA, ""
	case p.Compromised:
		return "", "the agent makes a certificate that no server trusts yet, because the successors are thrown away"
	case !ok:
		return "", "the agent makes a certificate that no server trusts yet, because " + cmp.Or(p.NoPool, "there is no successor yet")
	}
	return successor.Fingerprint, ""
}

// noReload says why the own server cannot load any certificate while it runs; empty if it can.
func (p Prospect) noReload() string {
	switch {
	case p.ReloadOff:
		return "RELOAD is off"
	case !p.Supervised:
		return "RESTART is none, so no agent exec hands it the certificate while it runs"
	case p.Elsewhere != "":
		return "RESTART is " + p.Elsewhere + ", so no agent exec hands it the certificate while it runs"
	case !p.Started:
		return "agent exec has not reported a start of it"
	case !p.Reloads:
		return "it was started without the settings with which it loads a certificate while it runs"
	}
	return ""
}

// Lasts says how many of the next rotations need no restart, and until when, for people.
func (p Prospect) Lasts() string {
	switch why := p.noReload(); {
	case p.CA != "":
		return "a CA signs the certificates, so no successors are needed"
	case p.NoPool != "":
		return "next rotations without a restart: 0, because " + p.NoPool
	case why != "" && p.Pool.Rotations > 0:
		return fmt.Sprintf("next rotations without a restart of a peer: %d, until %s; %s restarts, because %s", p.Pool.Rotations, p.Pool.Until.UTC().Format(time.DateOnly), p.Server, why)
	case p.Pool.Rotations == 0:
		return "next rotations without a restart: 0"
	}
	return fmt.Sprintf("next rotations without a restart: %d, until %s", p.Pool.Rotations, p.Pool.Until.UTC().Format(time.DateOnly))
}

// ReadProspect reads what the next rotation of the own server's certificate depends on. unreadable names what it cannot read
// and so leaves out, such as a successor, or the file with what a peer trusts.
func ReadProspect(ctx context.Context, cfg config.Config) (p Prospect, unreadable []error, err error) {
	p = Prospect{Server: cfg.Server.Name, Supervised: cfg.Restart.Method != "none", ReloadOff: cfg.TLS.Reload == "off"}
	if notify.Elsewhere(cfg) {
		p.Elsewhere = cfg.Restart.Method
	}
	exchange := trust.ExchangeOf(cfg)
	for _, name := range cfg.Trust.Peers {
		said, err := exchange.Trusts(ctx, name)
		if err != nil {
			unreadable = append(unreadable, err)
		}
		p.Peers = append(p.Peers, trust.Trusting{Server: name, Fingerprints: said.Fingerprints})
	}
	started, known, err := notify.ControlOf(cfg).Started()
	if err != nil {
		unreadable = append(unreadable, err)
	}
	p.Started, p.Reloads, p.Own = known, started.Reloads, trust.Trusting{Server: cfg.Server.Name, Fingerprints: started.Trusts}
	if cfg.TLS.Mode != "issue" {
		p.NoPool = "TLS_MODE is " + cfg.TLS.Mode
		p.Pool = trust.PoolOf(nil, nil, 0, time.Time{})
		return p, unreadable, nil
	}
	found, err := readIdentities(ctx, cfg)
	if err = cmp.Or(err, found.Err); err != nil {
		return p, unreadable, err
	}
	if found.SuccessorsErr != nil {
		unreadable = append(unreadable, found.SuccessorsErr)
	}
	var successors []trust.Successor
	now := time.Now()
	switch own := exchange.Statement(ctx, cfg.Server.Name); {
	case found.Spec.CA == nil && cfg.TLS.Successors == 0:
		p.NoPool = "TLS_SUCCESSORS is 0"
	case found.Spec.CA == nil:
		successors = usable(found, now)
	case cfg.Trust.Mode != "ca":
		p.NoPool = "TRUST is leaf, and the agent makes no successors of a certificate that a CA signs"
	case own.CA != nil && own.CA.Fingerprint() == found.Spec.CA.Certificate().Fingerprint():
		p.CA = own.CA.Fingerprint().String()
	default:
		p.NoPool = "its CA is not the one that has signed the published certificate"
	}
	p.Pool = trust.PoolOf(successors, append([]trust.Trusting{p.Own}, p.Peers...), cfg.TLS.RenewBefore, now)
	return p, unreadable, nil
}

// readIdentities reads what the own server has as its TLS identity, by its settings.
func readIdentities(ctx context.Context, cfg config.Config) (found identity.Found, err error) {
	text, err := ReadOwn(ctx, cfg)
	if err != nil {
		return found, err
	}
	password, _, err := TLSPassword(cfg, text)
	if err != nil {
		return found, err
	}
	return identity.Find(ctx, cfg, identity.FilesOf(cfg, password))
}

// usable returns the successors that the agent does not have to replace, without the installed and the staged identity.
func usable(found identity.Found, now time.Time) (successors []trust.Successor) {
	for _, i := range found.Successors {
		if i.StaleSuccessor(*found.Spec, now) == "" && !identity.Same(i, found.Installed) && !identity.Same(i, found.Staged) {
			successors = append(successors, trust.Successor{Fingerprint: i.Leaf().Fingerprint().String(), NotAfter: i.Certificate().NotAfter})
		}
	}
	return successors
}
