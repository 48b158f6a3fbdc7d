package rotation

import (
	"errors"
	"testing"
	"time"
)

var errTest = errors.New("the test says so")

func identityOf(fingerprint string) *Identity {
	return &Identity{Leaf: Certificate{Fingerprint: fingerprint}, Chain: fingerprint}
}

func TestAnIdentityIsIssuedWhenItIsDue(t *testing.T) {
	decides(t, []situation{
		{"TLS_MODE has no effect", issuing, func(s *Snapshot) { s.TLS.Refused = "it has a listener of its own" }, `
			WARN TLS_MODE
			ready identity: TLS_MODE has no effect on this server: it has a listener of its own`},
		{"there is none yet", issuing, func(s *Snapshot) { s.stopped(); s.TLS = TLS{} }, `
			do Issue{Reason:there is none yet}
			issued true
			again`},
		{"there is none yet, and somebody asks for one", issuing, func(s *Snapshot) { s.stopped(); s.TLS = TLS{Asked: true} }, `
			do Issue{Reason:there is none yet}
			issued true
			again`},
		{"the first one waits and is stale", issuing, func(s *Snapshot) {
			s.stopped()
			s.TLS = TLS{Staged: identityOf("B2"), IsStaged: true}
			s.TLS.Staged.Stale = "lacks a name"
		}, `
			do Issue{Reason:there is none yet}
			issued true
			again`},
		{"one waits, and somebody asks for another one", staging, func(s *Snapshot) { s.TLS.Asked = true }, `
			do Issue{Reason:somebody requested another one}
			issued true
			again`},
		{"the latest one is stale", issuing, func(s *Snapshot) { s.TLS.Installed.Stale = "is 60 days old" }, `
			do Issue{Reason:the previous certificate is 60 days old}
			issued true
			again`},
		{"one that was issued in this round is stale, too", issuing, func(s *Snapshot) { s.TLS.Installed.Stale = "is 60 days old"; s.Memory.Issued = true }, nothing},
		{"the staged one is stale, and so is the installed one", staging, func(s *Snapshot) { s.TLS.Staged.Stale, s.TLS.Installed.Stale = "lacks a name", "lacks two names" }, `
			do Issue{Reason:the previous certificate lacks two names}
			issued true
			again`},
		{"the staged one is stale, and the installed one is not", staging, func(s *Snapshot) { s.TLS.Staged.Stale = "lacks a name" }, `
			do DropStaged
			do SaveRotation{Rotation:{Announced: Since:never Retired:map[B2:now] Hurry:false}}
			wake after 1h0m0s`},
		{"the staged one is not stale, and the installed one is", staging, func(s *Snapshot) { s.TLS.Installed.Stale = "lacks a name"; s.trusting("B2", "a", "c") }, `
			do Install
			again`},
		{"the staged one is stale, too, and could be installed", staging, func(s *Snapshot) {
			s.stopped()
			s.trusting("B2", "a", "c")
			s.TLS.Staged.Stale, s.TLS.Installed.Stale = "lacks a name", "lacks two names"
		}, `
			do Issue{Reason:the previous certificate lacks two names}
			issued true
			again`},
		{"somebody asks for another one", issuing, func(s *Snapshot) { s.TLS.Asked = true }, `
			do Issue{Reason:somebody requested another one}
			issued true
			again`},
		{"an earlier TLS_MODE has left one that deployment.toml does not name", issuing, func(s *Snapshot) { s.TLS.Named, s.TLS.Installed = false, identityOf("B9") }, `
			do Issue{Reason:there is none yet}
			issued true
			again`},
		{"deployment.toml does not name one that the peers were told of", issuing, func(s *Snapshot) { s.TLS.Named = false }, nothing},
		{"what the peers were told is lost", issuing, func(s *Snapshot) { s.Own.Certificates = nil }, `
			do Publish[b1]
			INFO own certificate published`},
		{"the first one is installed, and the settings do not name it yet", issuing, func(s *Snapshot) {
			s.stopped()
			s.TLS = TLS{Installed: identityOf("B2"), Staged: identityOf("B2"), IsStaged: true}
			s.Deployment.Pending = true
		}, `
			do MakeSettings
			again`},
		{"the time to renew it has passed", issuing, func(s *Snapshot) { s.TLS.Installed.RenewAt = t0.Add(-time.Hour) }, nothing},
		{"it is to be renewed later", issuing, func(s *Snapshot) { s.TLS.Installed.RenewAt = t0.Add(90 * time.Hour) }, `
			wake after 90h0m0s`},
	})
}

func TestAnIdentityThatCannotBeHadKeepsARunningServerAsItIs(t *testing.T) {
	decides(t, []situation{
		{"the CA cannot be read", issuing, func(s *Snapshot) { s.TLS.Err = errTest }, `
			ERROR identity
			not ready identity: the test says so
			trouble: the test says so`},
		{"the issuing has failed in this round", issuing, func(s *Snapshot) { s.TLS.Installed.Stale, s.Memory.Trouble = "is old", errTest }, `
			ERROR identity
			not ready identity: the test says so
			trouble: the test says so`},
		{"none is installed, and the server runs with its own keystore", issuing, func(s *Snapshot) { s.TLS = TLS{Err: errTest} }, `
			ERROR identity
			not ready identity: the test says so
			trouble: the test says so`},
		{"none is installed, and the server runs with a keystore that is gone", issuing, func(s *Snapshot) { s.TLS = TLS{Err: errTest, Named: true} }, `
			error: the test says so`},
		{"none is installed, and no server runs", issuing, func(s *Snapshot) { s.stopped(); s.TLS = TLS{Err: errTest} }, `
			error: the test says so`},
		{"the issuing has failed in this round before the first start", issuing, func(s *Snapshot) { s.stopped(); s.TLS = TLS{}; s.Memory.Trouble = errTest }, `
			error: the test says so`},
		{"one is installed, and no server runs", issuing, func(s *Snapshot) { s.stopped(); s.TLS.Err = errTest }, `
			ERROR identity
			not ready identity: the test says so
			do Request{Generation:disk}
			trouble: the test says so`},
		{"one waits for the switch", staging, func(s *Snapshot) { s.TLS.Err = errTest }, `
			ERROR identity
			INFO waits
			not ready identity: the test says so
			wake after 9m0s
			trouble: the test says so`},
	})
}

// fromFiles is issuing with the same certificate from TLS_FILES_DIR.
func fromFiles() Snapshot {
	s := issuing()
	s.Settings.TLSMode = "files"
	s.TLS.Files, s.TLS.Folder = identityOf("B1"), "/tls"
	return s
}

func TestAnIdentityIsTakenFromFiles(t *testing.T) {
	decides(t, []situation{
		{"it is installed", fromFiles, nil, nothing},
		{"it is installed, and nobody renews it but its owner", fromFiles, func(s *Snapshot) { s.TLS.Installed.RenewAt = t0.Add(time.Hour) }, nothing},
		{"it has changed", fromFiles, func(s *Snapshot) { s.TLS.Files = identityOf("B2") }, `
			do Stage
			again`},
		{"only its chain has changed", fromFiles, func(s *Snapshot) { s.TLS.Files.Chain = "B1 CA" }, `
			do CompleteChain
			INFO the chain of the server's certificate has changed*
			again`},
		{"only the chain of the staged one has changed", fromFiles, func(s *Snapshot) {
			s.TLS.Staged, s.TLS.IsStaged, s.TLS.Files = identityOf("B2"), true, &Identity{Leaf: Certificate{Fingerprint: "B2"}, Chain: "B2 CA"}
		}, `
			do Stage
			again`},
		{"it is staged, and the peers trust it", fromFiles, func(s *Snapshot) {
			announced(s)
			s.trusting("B2", "a", "c")
			s.TLS.Staged, s.TLS.IsStaged, s.TLS.Files = identityOf("B2"), true, identityOf("B2")
		}, `
			do Install
			again`},
		{"it is again the installed one", fromFiles, func(s *Snapshot) { s.TLS.Staged, s.TLS.IsStaged = identityOf("B2"), true }, `
			do DropStaged`},
		{"it lacks a name", fromFiles, func(s *Snapshot) { s.TLS.Files.Missing = []string{"b.example.com"} }, `
			WARN names`},
		{"somebody asks for another one", fromFiles, func(s *Snapshot) { s.TLS.Asked = true }, nothing},
	})
}

func TestAnIdentityIsInstalledAtOnceIfNoPeerRefusesIt(t *testing.T) {
	first := func(s *Snapshot) { // the staged identity is the first one
		s.stopped()
		s.TLS = TLS{Staged: identityOf("B2"), IsStaged: true}
		s.Own, s.Records.Rotation.Announced = Own{}, ""
	}
	decides(t, []situation{
		{"it is the first one, and no server runs", staging, first, `
			do Install
			again`},
		{"it is the first one, and a server runs with its own keystore", staging, func(s *Snapshot) { s.TLS.Named, s.TLS.Installed = false, nil }, `
			INFO waits
			wake after 9m0s`},
		{"it is the first one, and deployment.toml names its place", staging, func(s *Snapshot) { s.TLS.Installed = nil }, `
			do Install
			again`},
		{"no server runs, and the peers trust it", staging, func(s *Snapshot) { s.stopped(); s.trusting("B2", "a", "c") }, `
			do Install
			again`},
		{"no server runs, and one peer does not trust it", staging, func(s *Snapshot) { s.stopped(); s.trusting("B2", "a") }, `
			do Request{Generation:disk}`},
		{"no server runs, and the peers trust the CA that has signed it", staging, func(s *Snapshot) { s.stopped(); s.TLS.Staged.Issuer = "CA"; s.trusting("CA", "a", "c") }, `
			do Install
			again`},
		{"no server runs, and the server of a peer has never run", staging, func(s *Snapshot) {
			s.stopped()
			s.trusting("B2", "a")
			s.peer("c", func(p *Peer) { p.Trusts.Generation = "" })
		}, `
			do Install
			again`},
		{"no server runs, and a peer says that it trusts a certificate without a fingerprint", staging, func(s *Snapshot) { s.stopped(); s.trusting("", "a", "c") }, `
			do Request{Generation:disk}`},
		{"no server runs, and nobody knows what a peer trusts", staging, func(s *Snapshot) {
			s.stopped()
			s.trusting("B2", "a", "c")
			s.peer("c", func(p *Peer) { p.TrustsErr = errTest })
		}, `
			do Request{Generation:disk}`},
		{"a server runs, and the peers trust it: the switch does it later in the pass", staging, func(s *Snapshot) { s.trusting("B2", "a", "c") }, `
			do Install
			again`},
		{"a server runs, and the peers trust the CA that has signed it: they learn of it first", issuing, func(s *Snapshot) {
			s.TLS.Installed.Issuer, s.Own.CA = "CA", "CA"
			s.TLS.Staged, s.TLS.IsStaged = &Identity{Leaf: Certificate{Fingerprint: "B2"}, Chain: "B2", Issuer: "CA"}, true
			s.trusting("CA", "a", "c")
		}, `
			do Publish[b1 b2]
			INFO the agent announces a new certificate to the peers
			do SaveRotation{Rotation:{Announced:B2 Since:now Retired:map[] Hurry:false}}
			do Install
			again`},
		{"it is the installed one already", issuing, func(s *Snapshot) { s.TLS.Staged, s.TLS.IsStaged = s.TLS.Installed, true }, `
			do DropStaged`},
	})
}
