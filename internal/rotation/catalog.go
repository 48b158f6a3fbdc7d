package rotation

import (
	"errors"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/identity"
	"wso2agent/internal/keystore"
	"wso2agent/internal/trust"
)

// Catalog holds the certificates behind the fingerprints of a snapshot: the actions of the decision need them. Its methods add
// certificates and return what decisions need of them.
type Catalog map[string]keystore.Certificate

// Of adds a certificate.
func (c Catalog) Of(cert keystore.Certificate) Certificate {
	light := Certificate{Fingerprint: cert.Fingerprint().String()}
	c[light.Fingerprint] = cert
	if parsed, err := cert.Parse(); err == nil {
		light.NotBefore, light.NotAfter = parsed.NotBefore, parsed.NotAfter
	}
	return light
}

// All adds certificates.
func (c Catalog) All(certs []keystore.Certificate) (light []Certificate) {
	for _, cert := range certs {
		light = append(light, c.Of(cert))
	}
	return light
}

// Find returns the certificate with a fingerprint; nil if there is none.
func (c Catalog) Find(fingerprint string) *keystore.Certificate {
	if cert, ok := c[fingerprint]; ok {
		return &cert
	}
	return nil
}

// Certificates returns the certificates with the fingerprints.
func (c Catalog) Certificates(fingerprints []string) (certs []keystore.Certificate) {
	for _, f := range fingerprints {
		certs = append(certs, c[f])
	}
	return certs
}

// optional adds a certificate that may be missing.
func (c Catalog) optional(cert *keystore.Certificate) *Certificate {
	if cert == nil {
		return nil
	}
	light := c.Of(*cert)
	return &light
}

// unreadable stands for the fingerprint of a published CA that cannot be read: it differs from any other.
const unreadable = "unreadable"

// Own adds what this agent has published, without what it says about the closing of IS.
func (c Catalog) Own(s trust.Statement) Own {
	own := Own{Certificates: c.All(s.Certificates), Successors: c.All(s.Successors), SuccessorsErr: s.SuccessorsErr, Trusts: s.Trusts, TrustsErr: s.TrustsErr, Turn: s.Turn, TurnErr: s.TurnErr}
	if !errors.Is(s.Err, trust.ErrNotPublished) {
		own.Err = s.Err
	}
	if s.CAErr != nil {
		own.CA = unreadable
	} else if s.CA != nil {
		own.CA = c.Of(*s.CA).Fingerprint
	}
	return own
}

// Peer adds what a peer's agent has published, as far as it is believed. See trust.Statement.Believed.
func (c Catalog) Peer(s trust.Statement, pins trust.PeerPins, asCA bool) Peer {
	believed, caErr, err := s.Believed(pins, asCA)
	p := Peer{Certificates: c.All(believed), Successors: c.All(s.BelievedSuccessors(pins, asCA)), SuccessorsErr: s.SuccessorsErr, CAErr: caErr, Trusts: s.Trusts, TrustsErr: s.TrustsErr, Turn: s.Turn, TurnErr: s.TurnErr}
	if p.Silent = errors.Is(err, trust.ErrNotPublished); !p.Silent {
		p.Err = err
	}
	return p
}

// Identities adds what a server has as its TLS identity, and what TLS_MODE asks for. The rest of t stays.
func (c Catalog) Identities(t *TLS, found identity.Found, server string, now time.Time) {
	light := func(i *identity.Identity) *Identity {
		if i == nil {
			return nil
		}
		l := &Identity{Leaf: c.Of(i.Leaf()), Missing: i.Missing([]string{server})}
		if ca, ok := i.Issuer(); ok {
			l.Issuer = c.Of(ca).Fingerprint
		}
		for _, cert := range i.Chain {
			l.Chain += cert.Fingerprint().String()
		}
		if found.Spec != nil {
			l.Stale, l.RenewAt = i.Stale(*found.Spec, now), i.RenewAt(found.Spec.RenewBefore)
		}
		return l
	}
	t.Asked, t.Stolen, t.Err = found.Requested, found.Requested && found.Compromised, found.Err
	for _, i := range found.Successors {
		l := light(i)
		if found.Spec != nil {
			l.Stale = i.StaleSuccessor(*found.Spec, now)
		}
		t.Successors = append(t.Successors, l)
	}
	t.Installed, t.Staged, t.Files = light(found.Installed), light(found.Staged), light(found.Next)
}

// Entries adds the certificates of the agent's entries in the truststore. It returns those of the own server.
func (c Catalog) Entries(entries []trust.Entry, server string) (own []Certificate) {
	for _, e := range entries {
		if e.Certificate == nil {
			continue
		}
		light := c.Of(*e.Certificate)
		if trust.Owner(e, []string{server}) != "" {
			own = append(own, light)
		}
	}
	return own
}

// Copies adds the agent's copies of the keystore that a start reads. The rest of k stays.
func (c Catalog) Copies(k *Keystore, copies identity.Copies) {
	k.Served, k.Next = c.optional(copies.Served), c.optional(copies.Next)
	k.NextErr, k.Mine, k.Fresh, k.IsBack = copies.NextErr, copies.Mine, copies.Fresh, copies.IsBack
}

// SettingsOf returns what decisions need of the settings.
func SettingsOf(cfg config.Config) Settings {
	ahead := cfg.TLS.Successors
	if cfg.TLS.Mode != "issue" || cfg.TLS.CACertFile != "" { // peers can trust the CA of all further ones
		ahead = 0
	}
	return Settings{
		Successors: ahead, Reload: cfg.TLS.Reload == "auto",
		Server: cfg.Server.Name, Peers: cfg.Trust.Peers, Supervised: cfg.Restart.Method != "none", TLSMode: cfg.TLS.Mode, TrustCA: cfg.Trust.Mode == "ca",
		StartAnyway: cfg.Init.OnTimeout == "start", TellsClosing: cfg.Server.Product == config.IS,
		RotateTimeout: cfg.Rotate.Timeout, RotateGrace: cfg.Rotate.Grace, Poll: cfg.Watch.Poll, Pace: PaceOf(cfg.Restart.Max, cfg.Restart.Window),
	}
}
