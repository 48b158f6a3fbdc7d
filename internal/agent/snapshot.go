package agent

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"wso2agent/internal/artifact"
	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/identity"
	"wso2agent/internal/javacert"
	"wso2agent/internal/keystore"
	"wso2agent/internal/notify"
	"wso2agent/internal/rotation"
	"wso2agent/internal/server"
	"wso2agent/internal/trust"
)

// reading is one pass's look at everything that it decides on. It changes no file. The snapshot has what decisions need; the rest
// is what their actions need: the certificates and keys behind the fingerprints.
type reading struct {
	agent        Agent // with the stores that deployment.toml names
	snapshot     rotation.Snapshot
	certificates map[string]keystore.Certificate // by fingerprint
	identities   identity.Files
	held         identity.Held
	spec         identity.Spec      // of an identity that the agent issues
	next         *identity.Identity // that of TLS_FILES_DIR
	needs        server.Needs
	waits        []server.Change // settings that wait for something else
	own          identity.Own    // the keystore that a start reads
}

// read takes the snapshot of a pass. started is what the server started with, the zero value where nobody can say, and nil
// where no server runs. known says that agent exec has reported it. It is to be called alone.
func (a Agent) read(ctx context.Context, started *notify.Started, known bool, memory rotation.Memory) (*reading, error) {
	r := &reading{certificates: map[string]keystore.Certificate{}}
	s := &r.snapshot
	s.Now, s.Memory = time.Now().Round(0), memory // as the clock shows it: what time.Now measures cannot be put back
	s.Settings = rotation.Settings{
		Server: a.cfg.ServerName, Peers: a.cfg.Peers, Supervised: a.supervised(), TLSMode: a.cfg.TLSMode, TrustCA: a.cfg.Trust == "ca",
		StartAnyway: a.cfg.InitOnTimeout == "start", TellsClosing: a.cfg.Product == config.IS,
		RotateTimeout: a.cfg.RotateTimeout, RotateGrace: a.cfg.RotateGrace, Pace: rotation.PaceOf(a.cfg.MaxRestarts, a.cfg.RestartWindow),
	}
	if started != nil {
		s.Server = rotation.Server{Runs: true, Known: known, Generation: started.Generation, Process: started.PID != 0, Since: started.Since, Starting: started.Serves == notify.ServesNot}
	}
	text, err := a.settingsText(ctx)
	if err != nil {
		return nil, err
	}
	if r.agent, err = a.withStores(text); err != nil {
		return nil, err
	}
	s.Deployment.Text = text
	r.published(ctx)
	for _, step := range []func(context.Context) error{r.identity, r.settings, r.primary, r.keystore, r.records} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	s.Truststore.Path = r.agent.cfg.TruststorePath()
	s.Truststore.Entries, s.Truststore.Err = r.agent.truststore().Entries(ctx, append(slices.Clone(a.cfg.Peers), a.cfg.ServerName))
	return r, ctx.Err()
}

func (r *reading) note(level rotation.Level, topic, text string, args ...any) {
	r.snapshot.Notes = append(r.snapshot.Notes, rotation.Message{Level: level, Text: text, Args: args, Topic: topic})
}

// of is what decisions need of a certificate, which r keeps for their actions.
func (r *reading) of(c keystore.Certificate) rotation.Certificate {
	f := c.Fingerprint().String()
	r.certificates[f] = c
	light := rotation.Certificate{Fingerprint: f}
	if parsed, err := c.Parse(); err == nil {
		light.NotBefore, light.NotAfter = parsed.NotBefore, parsed.NotAfter
	}
	return light
}

func (r *reading) all(certs []keystore.Certificate) (light []rotation.Certificate) {
	for _, c := range certs {
		light = append(light, r.of(c))
	}
	return light
}

// published reads what this agent and those of the peers have published.
func (r *reading) published(ctx context.Context) {
	a, s := r.agent, &r.snapshot
	e, own := a.exchange(), &s.Own
	certs, err := e.Certificates(ctx, a.cfg.ServerName)
	if err != nil && !errors.Is(err, trust.ErrNotPublished) {
		own.Err = err
	}
	own.Certificates = r.all(certs)
	if len(certs) > 0 {
		if ca, ok, err := e.CA(ctx, a.cfg.ServerName, certs[0]); ok || err != nil {
			own.CA = cmpOr(r.of(ca).Fingerprint, err)
		}
	}
	own.Trusts, own.TrustsErr = e.Trusts(ctx, a.cfg.ServerName)
	own.Turn, _ = e.Turn(ctx, a.cfg.ServerName) // one that cannot be read is none
	own.Closing, own.HasClosing, _ = e.Closing(ctx, a.cfg.ServerName)
	s.Peers = map[string]rotation.Peer{}
	for _, name := range a.cfg.Peers {
		var p rotation.Peer
		believed, caErr, err := a.believed(ctx, name)
		p.Certificates, p.CAErr = r.all(believed), caErr
		if p.Silent = errors.Is(err, trust.ErrNotPublished); !p.Silent {
			p.Err = err
		}
		p.Trusts, p.TrustsErr = e.Trusts(ctx, name)
		p.Turn, p.TurnErr = e.Turn(ctx, name)
		s.Peers[name] = p
	}
}

// unreadable stands for the fingerprint of a published CA that cannot be read: it differs from any other.
const unreadable = "unreadable"

func cmpOr(fingerprint string, err error) string {
	if err != nil {
		return unreadable
	}
	return fingerprint
}

// believed are the certificates to trust of those that a peer has published: those that are pinned, where any is, and no CA
// that is not. With TRUST=ca it is the CA that has signed the one in use, where the peer has published that, and else, with
// caErr, the certificates themselves.
func (a Agent) believed(ctx context.Context, name string) (accepted []keystore.Certificate, caErr, err error) {
	certs, err := a.exchange().Certificates(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	pins := trust.PeerPins(a.cfg.PeerPins)
	var asCA error
	if a.cfg.Trust != "ca" {
		certs, asCA = pins.WithoutCAs(name, certs)
	} else if ca, ok, err := a.exchange().CA(ctx, name, certs[0]); ok {
		certs = []keystore.Certificate{ca}
	} else {
		caErr = err
	}
	accepted, err = pins.Check(name, certs)
	return accepted, caErr, errors.Join(asCA, err)
}

// identity reads the TLS identity: what is installed, what is staged, and what should be.
func (r *reading) identity(ctx context.Context) (err error) {
	a, t := r.agent, &r.snapshot.TLS
	if r.identities = a.identityFiles(""); a.cfg.TLSMode == "none" {
		t.IsStaged, err = r.identities.IsStaged()
		return err
	}
	text := r.snapshot.Deployment.Text
	if text == nil {
		_, err := a.settingsFile().Read(ctx) // says what is missing
		return err
	}
	password, named, err := server.TLSPassword(a.cfg, text)
	if err != nil {
		return err
	}
	r.identities.Password, t.Named, t.Folder = password, named, a.cfg.TLSFilesDir
	if t.IsStaged, err = r.identities.IsStaged(); err != nil {
		return err
	}
	if t.Refused, err = server.TLSRefused(ctx, a.cfg, text, password, named); err != nil || t.Refused != "" {
		return err
	}
	if r.held, err = r.identities.Read(ctx); err != nil {
		return err
	}
	if r.held.InstalledErr != nil {
		level := rotation.Warn
		if !named { // nobody reads it
			level = rotation.Debug
		}
		r.note(level, "installed keystore", "the agent cannot read a keystore of its own, and replaces it", "error", r.held.InstalledErr)
	}
	if r.held.StagedErr != nil {
		r.note(rotation.Warn, "staged keystore", "the agent cannot read a keystore of its own, and replaces it", "error", r.held.StagedErr)
	}
	t.Asked = r.held.Requested
	if a.cfg.TLSMode == "files" {
		next, err := identity.ReadPEM(ctx, a.cfg.TLSFilesDir, a.cfg.QuietMin)
		if t.Err = err; err == nil {
			r.next = &next
		}
	} else {
		ca, err := identity.ReadCA(a.cfg.TLSCACertFile, a.cfg.TLSCAKeyFile)
		t.Err = err
		r.spec = identity.Spec{Names: append([]string{a.cfg.ServerName}, a.cfg.TLSNames...), Key: identity.KeyKind(a.cfg.TLSKey),
			Validity: a.cfg.TLSValidity, RenewBefore: a.cfg.TLSRenewBefore, CA: ca}
	}
	t.Installed, t.Staged, t.Files = r.light(r.held.Installed), r.light(r.held.Staged), r.light(r.next)
	return ctx.Err()
}

// light is what decisions need of an identity.
func (r *reading) light(i *identity.Identity) *rotation.Identity {
	if i == nil {
		return nil
	}
	l := &rotation.Identity{Leaf: r.of(i.Leaf()), Missing: i.Missing([]string{r.agent.cfg.ServerName})}
	if ca, ok := i.Issuer(); ok {
		l.Issuer = r.of(ca).Fingerprint
	}
	for _, c := range i.Chain {
		l.Chain += c.Fingerprint().String()
	}
	if r.snapshot.TLS.Err == nil && r.agent.cfg.TLSMode == "issue" {
		l.Stale, l.RenewAt = i.Stale(r.spec, r.snapshot.Now), i.RenewAt(r.spec.RenewBefore)
	}
	return l
}

// settings reads what is needed of deployment.toml, and what it has.
func (r *reading) settings(ctx context.Context) (err error) {
	a, d := r.agent, &r.snapshot.Deployment
	if a.cfg.Settings == "none" {
		d.Closing = server.ClosingOf(d.Text, nil)
	} else {
		if r.needs, err = a.needs(d.Text); err != nil {
			return err
		}
		r.needs.KeepAllScopes = !a.upgrade.open.Load()
		if t := r.snapshot.TLS; t.Refused != "" || t.Counts(r.snapshot.Own.Certificates) {
			r.needs.TLS = server.TLSKeystoreOf(r.identities.Password)
		}
		var changes []server.Change
		if changes, d.Pending, err = a.settingsFile().Plan(ctx, r.needs, a.cfg.Settings == "override"); err != nil {
			return err
		}
		d.Closing = server.ClosingOf(d.Text, changes)
		for _, c := range changes {
			switch c.Action {
			case server.Kept, server.Settled:
				d.Kept = append(d.Kept, rotation.KeptSetting{Setting: c.Setting, Line: c.Line, Secret: c.Secret, Is: c.Was, Needed: c.Now, Settled: c.Action == server.Settled})
			case server.Waits:
				r.waits = append(r.waits, c)
			}
		}
	}
	d.Closing.Handler = a.cfg.Product == config.IS && artifact.HasRevocationHandler(a.cfg.ArtifactDir, a.cfg.ConfigDir, a.cfg.ServerHome)
	return nil
}

// primary reads the certificate of the primary key, as it is and as it is remembered.
func (r *reading) primary(ctx context.Context) error {
	a, records := r.agent, &r.snapshot.Records
	if r.snapshot.Deployment.Text == nil {
		return nil
	}
	primary, err := server.ReadPrimary(a.cfg.Product, r.snapshot.Deployment.Text)
	if err != nil {
		r.note(rotation.Debug, "primary", "the agent does not watch the primary keystore", "error", err)
		return nil
	}
	leaf, err := trust.OwnLeaf(ctx, a.cfg.StorePaths(primary.File), primary.Password, primary.Alias)
	if errors.Is(err, javacert.ErrRefused) { // the server does not start
		return err
	}
	if err != nil {
		r.note(rotation.Debug, "primary", "the agent does not watch the primary keystore", "error", err)
		return nil
	}
	before, err := file.Read(a.primaryPath(), 1024)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	records.Primary, records.PrimaryNow, records.PrimaryFile = strings.TrimSpace(string(before)), leaf.Fingerprint().String(), primary.File
	return nil
}

func (a Agent) primaryPath() string { return filepath.Join(ControlDir(a.cfg), "primary") }

// keystore reads the keystore that the next start reads, and the agent's copies of it.
func (r *reading) keystore(ctx context.Context) error {
	a, k := r.agent, &r.snapshot.Keystore
	own, err := trust.OwnLeaf(ctx, a.cfg.KeystorePaths(), a.cfg.KeystorePass, a.cfg.KeystoreAlias)
	if k.Err = err; err == nil {
		k.Own = r.of(own)
	}
	if r.own, k.Path = a.ownKeystore(); k.Path == "" {
		return ctx.Err()
	}
	copies := r.own.Read()
	k.NextAt, k.NextErr, k.Mine, k.Fresh, k.IsBack = r.own.NextPath(), copies.NextErr, copies.Mine, copies.Fresh, copies.IsBack
	if copies.Served != nil {
		served := r.of(*copies.Served)
		k.Served = &served
	}
	if copies.Next != nil {
		next := r.of(*copies.Next)
		k.Next = &next
	}
	return ctx.Err()
}

// ownKeystore is the keystore that a start reads, if its path is on the config volume; elsewhere path is empty.
func (a Agent) ownKeystore() (own identity.Own, path string) {
	path = a.cfg.KeystorePaths()[0]
	if _, err := os.Stat(path); err != nil || !strings.HasPrefix(path, filepath.Clean(a.cfg.ConfigDir)+string(filepath.Separator)) {
		return own, ""
	}
	return identity.Own{Path: path, WorkDir: ControlDir(a.cfg), Password: a.cfg.KeystorePass, Alias: a.cfg.KeystoreAlias}, path
}

// records reads what agents remember on the config volume.
func (r *reading) records(context.Context) (err error) {
	a, records := r.agent, &r.snapshot.Records
	if records.Rotation, err = trust.LoadRotation(ControlDir(a.cfg)); err != nil {
		return err
	}
	if records.Refusals, err = trust.LoadRefusals(a.cfg.WorkDir()); err != nil {
		return err
	}
	records.RefusalsAt = trust.RefusalsPath(a.cfg.WorkDir())
	records.Histories = trust.LoadHistories(a.cfg.WorkDir())
	records.Edition, err = trust.Edition(a.cfg.WorkDir())
	return err
}

// settingsText is the server's deployment.toml; nil if the config volume has none and none is needed.
func (a Agent) settingsText(ctx context.Context) ([]byte, error) {
	text, err := a.settingsFile().Read(ctx)
	if errors.Is(err, fs.ErrNotExist) && a.cfg.Settings == "none" {
		return nil, nil
	}
	return text, err
}
