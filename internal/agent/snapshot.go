package agent

import (
	"context"
	"slices"
	"time"

	"wso2agent/internal/artifact"
	"wso2agent/internal/config"
	"wso2agent/internal/identity"
	"wso2agent/internal/notify"
	"wso2agent/internal/rotation"
	"wso2agent/internal/server"
	"wso2agent/internal/trust"
	"wso2agent/internal/verify"
)

// reading is what one pass has read. The snapshot has what decisions need. The rest is what their actions need.
type reading struct {
	agent      Agent // with the stores that deployment.toml names
	snapshot   rotation.Snapshot
	catalog    rotation.Catalog
	identities identity.Files
	found      identity.Found // the TLS identity
	needs      server.Needs
	waits      []server.Change // settings that wait for something else
	own        identity.Own    // the keystore that a start reads
}

// read takes the snapshot of a pass. started is what the server started with, the zero value if nobody can say, and nil if no
// server runs. known says that agent exec has reported it. The caller holds the lock (see alone).
func (a Agent) read(ctx context.Context, started *notify.Started, known bool, memory rotation.Memory) (*reading, error) {
	r := &reading{catalog: rotation.Catalog{}}
	s := &r.snapshot
	s.Now, s.Memory = time.Now(), memory
	s.Settings, s.Maintenance = rotation.SettingsOf(a.cfg), rotation.MaintenanceOf(a.cfg, s.Now)
	if started != nil {
		s.Server = rotation.Server{Runs: true, Known: known, Generation: started.Generation, Process: started.IsProcess(), Since: started.Since, Starting: started.Serves == notify.ServesNot,
			Trusts: started.Trusts, Presented: started.Certificate, Reloads: started.Reloads, Loading: started.Loading, Trouble: started.Trouble}
		if p := started.Placed; p != nil {
			s.Server.Placed = rotation.Placed{Generation: p.Generation, Certificate: p.Certificate, Err: p.Error}
		}
	}
	text, err := server.ReadOwn(ctx, a.cfg)
	if err != nil {
		return nil, err
	}
	if r.agent, err = a.withStores(text); err != nil {
		return nil, err
	}
	s.Deployment.Text = text
	for _, step := range []func(context.Context) error{r.published, r.identity, r.settings, r.primary, r.keystore, r.records} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	s.Truststore.Path = r.agent.cfg.TruststorePath()
	s.Truststore.Entries, s.Truststore.Err = r.agent.truststore().Entries(ctx, append(slices.Clone(a.cfg.Trust.Peers), a.cfg.Server.Name))
	s.Truststore.Own = r.catalog.Entries(s.Truststore.Entries, a.cfg.Server.Name)
	if load := memory.Reload; load.Generation != "" && !load.Failed {
		for _, l := range verify.Listeners(ctx, a.cfg, a.log) {
			s.Server.Listeners = append(s.Server.Listeners, rotation.Listener{Name: l.Address, Certificate: l.Certificate})
		}
	}
	return r, ctx.Err()
}

// note adds a message for the log, unless err is nil.
func (r *reading) note(level rotation.Level, topic, text string, err error) {
	if err != nil {
		r.snapshot.Notes = append(r.snapshot.Notes, rotation.Message{Level: level, Text: text, Args: []any{"error", err}, Topic: topic})
	}
}

// published reads what this agent and those of the peers have published.
func (r *reading) published(ctx context.Context) error {
	cfg, e, s := r.agent.cfg, r.agent.exchange(), &r.snapshot
	s.Own = r.catalog.Own(e.Statement(ctx, cfg.Server.Name))
	s.Own.Closing, s.Own.HasClosing, _ = e.Closing(ctx, cfg.Server.Name)
	s.Peers = map[string]rotation.Peer{}
	for _, name := range cfg.Trust.Peers {
		s.Peers[name] = r.catalog.Peer(e.Statement(ctx, name), trust.PeerPins(cfg.Trust.Pins), cfg.Trust.Mode == "ca")
	}
	return nil
}

// identity reads the TLS identity: what is installed, what is staged, and what should be.
func (r *reading) identity(ctx context.Context) (err error) {
	a, t, text := r.agent, &r.snapshot.TLS, r.snapshot.Deployment.Text
	r.identities, r.identities.Decoded = identity.FilesOf(a.cfg, ""), a.decoded
	if t.IsStaged, err = r.identities.IsStaged(); err != nil || a.cfg.TLS.Mode == "none" {
		return err
	}
	if r.identities.Password, t.Named, err = server.TLSPassword(a.cfg, text); err != nil {
		return err
	}
	if t.Refused, err = server.TLSRefused(ctx, a.cfg, text, r.identities.Password, t.Named); err != nil || t.Refused != "" {
		return err
	}
	if r.found, err = identity.Find(ctx, a.cfg, r.identities); err != nil {
		return err
	}
	level := rotation.Warn
	if !t.Named { // nobody reads it
		level = rotation.Debug
	}
	const unreadable = "the agent cannot read a keystore of its own, and replaces it"
	r.note(level, "installed keystore", unreadable, r.found.InstalledErr)
	r.note(rotation.Warn, "staged keystore", unreadable, r.found.StagedErr)
	r.note(rotation.Warn, "successors", "the agent cannot read a successor of the certificate, and issues another one", r.found.SuccessorsErr)
	t.Folder = a.cfg.TLS.FilesDir
	r.catalog.Identities(t, r.found, a.cfg.Server.Name, r.snapshot.Now)
	return nil
}

// settings reads what is needed of deployment.toml, and what it has.
func (r *reading) settings(ctx context.Context) (err error) {
	a, d := r.agent, &r.snapshot.Deployment
	if a.cfg.Settings.Mode == "none" {
		d.Closing = server.ClosingOf(d.Text, nil)
	} else {
		if r.needs, err = a.needs(d.Text); err != nil {
			return err
		}
		r.needs.KeepAllScopes = !a.upgrade.open.Load()
		r.needs.KeepReload = r.snapshot.Server.Runs
		if t := r.snapshot.TLS; t.Refused != "" || t.Counts(r.snapshot.Own.Certificates) {
			r.needs.TLS = server.TLSKeystoreOf(r.identities.Password)
		}
		var changes []server.Change
		if changes, d.Pending, err = a.settingsFile().Plan(d.Text, r.needs, a.cfg.Settings.Mode == "override"); err != nil {
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
	d.Closing.CertificateUser = a.cfg.Release.Known && a.cfg.Release.CertificateUser
	d.Closing.Handler = a.cfg.Server.Product == config.IS && artifact.HasRevocationHandler(a.cfg.Release, a.cfg.Artifacts.Dir, a.cfg.Server.ConfigDir, a.cfg.Server.Home)
	return nil
}

// primary reads the certificate of the primary key, as it is and as it is remembered.
func (r *reading) primary(ctx context.Context) error {
	if r.snapshot.Deployment.Text == nil {
		return nil
	}
	k, unwatched, err := server.ReadPrimaryKey(ctx, r.agent.cfg, r.snapshot.Deployment.Text)
	r.note(rotation.Debug, "primary", "the agent does not watch the primary keystore", unwatched)
	records := &r.snapshot.Records
	records.Primary, records.PrimaryNow, records.PrimaryFile = k.Remembered, k.Now, k.File
	return err
}

// keystore reads the keystore that the next start reads, and the agent's copies of it.
func (r *reading) keystore(ctx context.Context) error {
	cfg, k := r.agent.cfg, &r.snapshot.Keystore
	leaf, err := trust.OwnLeaf(ctx, cfg.KeystorePaths(), cfg.Keystore.Pass, cfg.Keystore.Alias)
	if k.Err = err; err == nil {
		k.Own = r.catalog.Of(leaf)
	}
	var ok bool
	if r.own, ok = identity.OwnOf(cfg); ok {
		k.Path, k.NextAt = r.own.Path, r.own.NextPath()
		r.catalog.Copies(k, r.own.Read())
	}
	return ctx.Err()
}

// records reads what agents remember on the config volume.
func (r *reading) records(context.Context) (err error) {
	cfg := r.agent.cfg
	r.snapshot.Records.Records, err = trust.LoadRecords(notify.ControlOf(cfg).Dir, cfg.WorkDir())
	return err
}
