package rotation

import (
	"slices"
	"testing"
	"time"

	"wso2agent/internal/trust"
)

// loading is a server with a pool that has just switched to its first successor: the keystore on disk has B2, the server runs with
// B1, and nothing else differs.
func loading() Snapshot {
	s := ahead()
	s.TLS.Installed, s.TLS.Successors = s.TLS.Successors[0], []*Identity{s.TLS.Successors[1], {Leaf: lasting("B4", 4), Chain: "B4"}}
	s.Keystore.Own, s.Keystore.Fresh = lasting("B2", 2), false
	s.Own.Certificates = append(s.Own.Certificates, lasting("B2", 2))
	s.Own.Successors = []Certificate{{Fingerprint: "B2"}, {Fingerprint: "B3"}, {Fingerprint: "B4"}}
	s.Records.Rotation = trust.Rotation{Announced: "B2", Since: t0.Add(-time.Minute)}
	s.entry("b-b4", "B4")
	s.trusting("B4", "a", "c")
	s.knows("A1", "B1", "B2", "B3", "B4", "C1")
	s.Truststore.Own = append(slices.Clone(s.Truststore.Own), lasting("B4", 4))
	return s
}

// asking is loading for a while already.
func asking(since time.Duration) func() Snapshot {
	return func() Snapshot {
		s := loading()
		disk := Generation(1, s.Keystore.Own, s.Deployment.Text)
		s.Memory.Reload = Reload{Generation: disk, Since: t0.Add(-since)}
		s.Memory.Wish = Wish{s.Server.Generation, disk}
		s.Server.Wish = s.Memory.Wish
		s.Server.Listeners = []Listener{{"9443", "B1"}, {"8243", "B1"}}
		return s
	}
}

// placed is the answer of agent exec.
func (s *Snapshot) placed(err string) {
	s.Server.Placed = Placed{s.Memory.Reload.Generation, "B2", err}
}

func (s *Snapshot) serve(fingerprints ...string) {
	s.Server.Listeners = nil
	for i, f := range fingerprints {
		s.Server.Listeners = append(s.Server.Listeners, Listener{[]string{"9443", "8243"}[i], f})
	}
}

func TestARunningServerLoadsTheNewCertificate(t *testing.T) {
	decides(t, []situation{
		{"it has just switched", loading, nil, `
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			do Hold{Running:running OnDisk:disk}
			INFO the running server loads the new certificate, without a restart
			do Load{Generation:disk Certificate:B2 Served:false}
			ready restart: the running server loads the new certificate
			wish {running disk}
			reload disk since now, served false, failed false
			wake after 1s`},
		{"agent exec was asked", asking(time.Second), nil, `
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			ready restart: the running server loads the new certificate
			wake after 1s`},
		{"agent exec has placed the keystore", asking(time.Second), func(s *Snapshot) { s.placed("") }, `
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			ready restart: the running server loads the new certificate
			wake after 1s`},
		{"agent exec has placed one for another request", asking(time.Second), func(s *Snapshot) { s.placed(""); s.serve("B2", "B2"); s.Server.Placed.Generation = "other" }, `
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			ready restart: the running server loads the new certificate
			wake after 1s`},
		{"agent exec has placed another one", asking(time.Second), func(s *Snapshot) { s.placed(""); s.serve("B2", "B2"); s.Server.Placed.Certificate = "B3" }, `
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			ready restart: the running server loads the new certificate
			wake after 1s`},
		{"one port serves it", asking(time.Second), func(s *Snapshot) { s.placed(""); s.serve("B2", "B1") }, `
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			ready restart: the running server loads the new certificate
			wake after 1s`},
		{"all ports serve it", asking(time.Second), func(s *Snapshot) { s.placed(""); s.serve("B2", "B2") }, `
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			do Load{Generation:disk Certificate:B2 Served:true}
			ready restart: the running server loads the new certificate
			reload disk since 2026-01-02 03:04:04 +0000 UTC, served true, failed false
			wake after 1s`},
		{"all ports serve it, and agent exec was told", asking(time.Second), func(s *Snapshot) { s.placed(""); s.serve("B2", "B2"); s.Memory.Reload.Served = true }, `
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			ready restart: the running server loads the new certificate
			wake after 1s`},
		{"a port has served it, and does not any more", asking(time.Second), func(s *Snapshot) { s.placed(""); s.serve("B2", ""); s.Memory.Reload.Served = true }, `
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			do Load{Generation:disk Certificate:B2 Served:false}
			ready restart: the running server loads the new certificate
			reload disk since 2026-01-02 03:04:04 +0000 UTC, served false, failed false
			wake after 1s`},
		{"nobody has asked the ports", asking(time.Second), func(s *Snapshot) { s.placed(""); s.serve() }, `
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			ready restart: the running server loads the new certificate
			wake after 1s`},
		{"agent exec has confirmed it", asking(time.Second), func(s *Snapshot) {
			s.placed("")
			s.Server.Generation, s.Memory.Reload.Served = s.Memory.Reload.Generation, true
			s.serve("B2", "B2")
		}, `
			do Publish[b2 b1]
			INFO own certificate published
			do SaveRotation{Rotation:{Announced: Since:never Retired:map[B1:now] Hurry:false}}
			do Import[removed b-b2 b2 replaced b b2 added b-b1 b1]
			INFO trusted certificate in use now
			wake after 1h0m0s
			again`},
		{"the agent has the turn to restart for something else, which it leaves", loading, func(s *Snapshot) {
			s.Own.Turn = trust.Turn{Wants: "other", Since: t0.Add(-time.Minute)}
		}, `
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			do Hold{Running:running OnDisk:disk}
			INFO the running server loads the new certificate, without a restart
			do Load{Generation:disk Certificate:B2 Served:false}
			ready restart: the running server loads the new certificate
			do SayTurn{Turn:{Wants: Has:false Since:never}}
			wish {running disk}
			reload disk since now, served false, failed false
			wake after 1s`},
		{"the clock was put back", asking(-time.Hour), func(s *Snapshot) { s.placed("") }, `
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			ready restart: the running server loads the new certificate
			reload disk since now, served false, failed false
			wake after 1s`},
		{"another certificate follows meanwhile", asking(time.Minute), func(s *Snapshot) { s.Memory.Reload.Generation = "before" }, `
			INFO the running server loads the new certificate, without a restart
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			do Load{Generation:disk Certificate:B2 Served:false}
			ready restart: the running server loads the new certificate
			reload disk since now, served false, failed false
			wake after 1s`},
		{"a restart waits for missing peers, and is not needed", loading, func(s *Snapshot) {
			s.silent("a")
			s.knows("B1", "B2", "B3", "B4", "C1")
			s.Memory.Patience = t0.Add(time.Minute)
		}, `
			DEBUG peer a
			not ready trust: waiting for the certificate of a
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			do Hold{Running:running OnDisk:disk}
			INFO the running server loads the new certificate, without a restart
			do Load{Generation:disk Certificate:B2 Served:false}
			ready restart: the running server loads the new certificate
			missing [a]
			wish {running disk}
			reload disk since now, served false, failed false
			wake after 1s`},
		{"the server is just starting", loading, func(s *Snapshot) { s.Server.Starting, s.Server.Since = true, t0.Add(-time.Minute) }, `
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			do Hold{Running:running OnDisk:disk}
			not ready restart: a restart is due, and waits until the server serves
			wish {running disk}
			wake after 9m0s`},
	})
}

func TestAServerThatDoesNotLoadTheCertificateRestartsInTurn(t *testing.T) {
	decides(t, []situation{
		{"agent exec refuses the keystore", asking(time.Second), func(s *Snapshot) { s.placed("its key does not fit") }, `
			ERROR the running server does not load the new certificate, and has to restart for it
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			do SayTurn{Turn:{Wants:disk Has:false Since:now}}
			queued now
			reload disk since 2026-01-02 03:04:04 +0000 UTC, served false, failed true
			wake after 8040h0m0s
			again`},
		{"agent exec has refused an earlier one", asking(time.Second), func(s *Snapshot) { s.placed("its key does not fit"); s.Server.Placed.Generation = "before" }, `
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			ready restart: the running server loads the new certificate
			wake after 1s`},
		{"agent exec does not answer", asking(90 * time.Second), nil, `
			ERROR the running server does not load the new certificate, and has to restart for it
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			do SayTurn{Turn:{Wants:disk Has:false Since:now}}
			queued now
			reload disk since 2026-01-02 03:02:35 +0000 UTC, served false, failed true
			wake after 8040h0m0s
			again`},
		{"agent exec does not answer yet", asking(90*time.Second - 1), nil, `
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			ready restart: the running server loads the new certificate
			wake after 1s`},
		{"ports do not serve it", asking(90 * time.Second), func(s *Snapshot) { s.placed(""); s.serve("", "B1") }, `
			ERROR the running server does not load the new certificate, and has to restart for it
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			do SayTurn{Turn:{Wants:disk Has:false Since:now}}
			queued now
			reload disk since 2026-01-02 03:02:35 +0000 UTC, served false, failed true
			wake after 8040h0m0s
			again`},
		{"agent exec does not confirm it", asking(100 * time.Second), func(s *Snapshot) { s.placed(""); s.serve("B2", "B2"); s.Memory.Reload.Served = true }, `
			ERROR the running server does not load the new certificate, and has to restart for it
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			do SayTurn{Turn:{Wants:disk Has:false Since:now}}
			queued now
			reload disk since 2026-01-02 03:02:25 +0000 UTC, served true, failed true
			wake after 8040h0m0s
			again`},
		{"it has failed", asking(time.Minute), func(s *Snapshot) { s.Memory.Reload.Failed = true }, `
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			do SayTurn{Turn:{Wants:disk Has:false Since:now}}
			queued now
			wake after 8040h0m0s
			again`},
		{"it has failed, and the server has restarted", asking(time.Minute), func(s *Snapshot) {
			s.Memory.Reload.Failed = true
			s.Server.Generation, s.Server.Presented = s.Memory.Reload.Generation, "B2"
		}, `
			do Publish[b2 b1]
			INFO own certificate published
			do SaveRotation{Rotation:{Announced: Since:never Retired:map[B1:now] Hurry:false}}
			do Import[removed b-b2 b2 replaced b b2 added b-b1 b1]
			INFO trusted certificate in use now
			wake after 1h0m0s
			again`},
	})
}

func TestTheReasonOfARestartIsLogged(t *testing.T) {
	for want, c := range map[string]struct {
		since time.Duration
		with  func(*Snapshot)
	}{
		"its key does not fit":                                      {time.Second, func(s *Snapshot) { s.placed("its key does not fit") }},
		"agent exec has not placed its keystore":                    {90 * time.Second, func(s *Snapshot) { s.serve("B2", "B2") }},
		"it is not served by 9443 (no answer), 8243 (it serves b1)": {90 * time.Second, func(s *Snapshot) { s.placed(""); s.serve("", "B1") }},
		"it is not served by 8243 (it serves b1)":                   {90 * time.Second, func(s *Snapshot) { s.placed(""); s.serve("B2", "B1") }},
		"it is not served by any port":                              {90 * time.Second, func(s *Snapshot) { s.placed(""); s.serve() }},
		"agent exec has not confirmed it":                           {100 * time.Second, func(s *Snapshot) { s.placed(""); s.serve("B2", "B2"); s.Memory.Reload.Served = true }},
	} {
		s := situation{from: asking(c.since), with: c.with}.snapshot()
		var because []any
		for _, m := range Decide(s).Messages {
			if i := slices.Index(m.Args, "because"); i >= 0 {
				because = append(because, m.Args[i+1])
			}
		}
		if !slices.Equal(because, []any{want}) {
			t.Errorf("logged are %q, want %q", because, want)
		}
	}
}

func TestAServerThatCannotLoadTheCertificateRestartsInTurn(t *testing.T) {
	decides(t, []situation{
		{"RELOAD is off", loading, func(s *Snapshot) { s.Settings.Reload = false }, `
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			do SayTurn{Turn:{Wants:disk Has:false Since:now}}
			queued now
			wake after 8040h0m0s
			again`},
		{"RELOAD is off now, while it loads one", asking(time.Second), func(s *Snapshot) { s.Settings.Reload = false }, `
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			do SayTurn{Turn:{Wants:disk Has:false Since:now}}
			queued now
			reload nothing since never, served false, failed false
			wake after 8040h0m0s
			again`},
		{"people restart it", loading, func(s *Snapshot) { s.Settings.Supervised = false }, `
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			do Request{Generation:disk}
			ready restart: not known, since RESTART is none: the log says when a restart by hand is due
			wish {disk disk}
			asked disk
			wake after 8040h0m0s`},
		{"it has no listener for that, or agent exec is older", loading, func(s *Snapshot) { s.Server.Reloads = false }, `
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			do SayTurn{Turn:{Wants:disk Has:false Since:now}}
			queued now
			wake after 8040h0m0s
			again`},
		{"deployment.toml does not name the keystore", loading, func(s *Snapshot) { s.TLS.Named = false }, `
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			do SayTurn{Turn:{Wants:disk Has:false Since:now}}
			queued now
			wake after 8040h0m0s
			again`},
		{"the keystore on disk is a person's", loading, func(s *Snapshot) {
			s.TLS.Installed = &Identity{Leaf: lasting("B7", 7), Chain: "B7"}
			s.Own.Successors[0] = Certificate{Fingerprint: "B7"}
			s.entry("b-b7", "B7")
			s.knows("A1", "B1", "B2", "B3", "B4", "B7", "C1")
		}, `
			ready trust: own certificate published, 7 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			do SayTurn{Turn:{Wants:disk Has:false Since:now}}
			queued now
			wake after 8040h0m0s
			again`},
		{"TLS_MODE is none", loading, func(s *Snapshot) { s.Settings.TLSMode, s.Settings.Successors, s.TLS = "none", 0, TLS{Named: true} }, `
			do PublishSuccessors[]
			do Import[removed b-b3 b3 removed b-b4 b4]
			INFO trusted certificate removed
			INFO trusted certificate removed
			again`},
		{"its settings have changed, too", loading, (*Snapshot).due, `
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			do SayTurn{Turn:{Wants:disk Has:false Since:now}}
			queued now
			wake after 8040h0m0s
			again`},
		{"it must trust more, too", loading, func(s *Snapshot) { s.Records.Edition = 2 }, `
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			do SayTurn{Turn:{Wants:disk Has:false Since:now}}
			queued now
			wake after 8040h0m0s
			again`},
		{"it does not trust the certificate itself", loading, func(s *Snapshot) { s.knows("A1", "B1", "B3", "B4", "C1") }, `
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			do SayTurn{Turn:{Wants:disk Has:false Since:now}}
			queued now
			wake after 8040h0m0s
			again`},
		{"it does not trust the certificate itself, but its CA", loading, func(s *Snapshot) {
			s.knows("A1", "B1", "B3", "B4", "C1", "CA")
			s.TLS.Installed.Issuer, s.Own.CA = "CA", "CA"
		}, `
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			do Hold{Running:running OnDisk:disk}
			INFO the running server loads the new certificate, without a restart
			do Load{Generation:disk Certificate:B2 Served:false}
			ready restart: the running server loads the new certificate
			wish {running disk}
			reload disk since now, served false, failed false
			wake after 1s`},
	})
}

// takenBack is loading, with the keystore of before on disk again. Any port may serve B2.
func takenBack() Snapshot {
	s := loading()
	s.Keystore.Own, s.Keystore.Fresh = lasting("B1", 1), true
	s.TLS.Installed = &Identity{Leaf: lasting("B1", 1), Chain: "B1"}
	s.Own.Successors = []Certificate{{Fingerprint: "B1"}, {Fingerprint: "B3"}, {Fingerprint: "B4"}}
	s.Server.Loading = []string{"B2"}
	s.Server.Placed = Placed{"other", "B2", ""}
	s.Records.Rotation = trust.Rotation{}
	return s
}

// askedBack is takenBack after agent exec was asked for the keystore of before.
func askedBack(since time.Duration, change func(*Snapshot)) func(*Snapshot) {
	return func(s *Snapshot) {
		disk := s.Server.Generation
		s.Memory.Reload = Reload{Generation: disk, Since: t0.Add(-since)}
		s.Memory.Wish = Wish{disk, disk}
		s.Server.Wish = s.Memory.Wish
		s.Server.Placed = Placed{disk, "B1", ""}
		s.Server.Loading = []string{"B2", "B1"}
		change(s)
	}
}

func TestACertificateThatPortsMayServeDoesNotRetire(t *testing.T) {
	decides(t, []situation{
		{"a keystore was taken back while the server loads it", takenBack, nil, `
			INFO the running server loads the new certificate, without a restart
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			do Load{Generation:disk Certificate:B1 Served:false}
			ready restart: the running server loads the new certificate
			reload disk since now, served false, failed false
			wake after 1s`},
		{"what the server had published is lost", takenBack, func(s *Snapshot) { s.Own.Certificates = nil }, `
			do Publish[b1 b2]
			INFO own certificate published
			INFO the running server loads the new certificate, without a restart
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			do Load{Generation:disk Certificate:B1 Served:false}
			ready restart: the running server loads the new certificate
			reload disk since now, served false, failed false
			wake after 1s`},
		{"it has begun to retire", takenBack, func(s *Snapshot) { s.Records.Rotation.Retired = map[string]time.Time{"B2": t0.Add(-2 * time.Hour)} }, `
			do SaveRotation{Rotation:{Announced: Since:never Retired:map[] Hurry:false}}
			INFO the running server loads the new certificate, without a restart
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			do Load{Generation:disk Certificate:B1 Served:false}
			ready restart: the running server loads the new certificate
			reload disk since now, served false, failed false
			wake after 1s`},
		{"the files of TLS_FILES_DIR were taken back", asking(time.Second), func(s *Snapshot) {
			s.Settings.TLSMode, s.Settings.Successors, s.Own.Successors = "files", 0, nil
			s.TLS.Staged = &Identity{Leaf: lasting("B1", 1), Chain: "B1"}
			s.TLS.Files, s.TLS.IsStaged, s.TLS.Successors = s.TLS.Staged, true, nil
			s.Truststore.Entries = s.Truststore.Entries[:len(s.Truststore.Entries)-2]
			s.placed("")
			s.Server.Loading = []string{"B2"}
			s.serve("B1", "B2")
		}, `
			ready restart: the running server loads the new certificate
			wake after 1s`},
		{"one port serves the certificate of before", takenBack, askedBack(time.Second, func(s *Snapshot) { s.serve("B1", "B2") }), `
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			ready restart: the running server loads the new certificate
			wake after 1s`},
		{"all ports serve it", takenBack, askedBack(time.Second, func(s *Snapshot) { s.serve("B1", "B1") }), `
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			do Load{Generation:disk Certificate:B1 Served:true}
			ready restart: the running server loads the new certificate
			reload disk since 2026-01-02 03:04:04 +0000 UTC, served true, failed false
			wake after 1s`},
		{"agent exec has confirmed it", takenBack, askedBack(time.Second, func(s *Snapshot) { s.serve("B1", "B1"); s.Memory.Reload.Served, s.Server.Loading = true, nil }), `
			do SaveRotation{Rotation:{Announced: Since:never Retired:map[B2:now] Hurry:false}}
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			reload nothing since never, served false, failed false
			wake after 1h0m0s`},
		{"a port does not serve it in time", takenBack, askedBack(91*time.Second, func(s *Snapshot) { s.serve("B1", "B2") }), `
			ERROR the running server does not load the new certificate, and has to restart for it
			WARN the server has to restart, because some ports may serve a certificate whose keystore is not on disk any more
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			do RaiseEdition{Reason:some ports may serve a certificate whose keystore is not on disk any more}
			reload disk since 2026-01-02 03:02:34 +0000 UTC, served false, failed true
			wake after 8040h0m0s
			again`},
		{"the server cannot load one any more", takenBack, func(s *Snapshot) { s.Server.Reloads = false }, `
			WARN the server has to restart, because some ports may serve a certificate whose keystore is not on disk any more
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			do RaiseEdition{Reason:some ports may serve a certificate whose keystore is not on disk any more}
			wake after 8040h0m0s
			again`},
		{"the server starts", takenBack, func(s *Snapshot) { s.Server.Starting = true }, `
			ready trust: own certificate published, 6 trusted
			fine successors: all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2030-01-01T03:04:05Z
			not ready restart: the server has started with what is on disk, and does not serve yet
			starts true
			wake after 8040h0m0s`},
	})
}
