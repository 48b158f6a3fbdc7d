package rotation

import (
	"slices"
	"testing"
	"time"

	"wso2agent/internal/trust"
)

// putBack is a snapshot of a server with which the agent waits for the switch to a keystore that somebody has put in place.
func putBack() Snapshot {
	s := atRest()
	s.Keystore.Next, s.Keystore.IsBack = &Certificate{Fingerprint: "B2"}, true
	announced(&s)
	return s
}

func TestAKeystoreThatWaitsForTheSwitchIsLookedAfter(t *testing.T) {
	decides(t, []situation{
		{"the peers do not trust it yet", putBack, nil, `
			INFO waits
			wake after 9m0s`},
		{"the peers trust it", putBack, func(s *Snapshot) { s.trusting("B2", "a", "c") }, `
			do InstallReplaced
			again`},
		{"what b has published is lost, and the peers trust it: they learn of it first", putBack, func(s *Snapshot) { s.Own.Certificates = nil; s.trusting("B2", "a", "c") }, `
			do Publish[b1 b2]
			INFO own certificate published
			do InstallReplaced
			again`},
		{"no server runs, and the peers trust it", putBack, func(s *Snapshot) { s.stopped(); s.trusting("B2", "a", "c") }, `
			do InstallReplaced
			again`},
		{"no server runs, and one peer does not trust it", putBack, func(s *Snapshot) { s.stopped(); s.trusting("B2", "a") }, `
			do Request{Generation:disk}`},
		{"it cannot be opened", putBack, func(s *Snapshot) {
			s.Keystore.Next, s.Keystore.NextErr = nil, errTest
			s.Own.Certificates, s.Records.Rotation = s.Own.Certificates[:1], atRest().Records.Rotation
		}, `
			WARN next keystore`},
		{"neither it nor the one in place can be opened", putBack, func(s *Snapshot) { s.Keystore.Next, s.Keystore.NextErr, s.Keystore.Err = nil, errTest, errTest }, `
			WARN next keystore
			error: the test says so`},
		{"the settings are for it already", putBack, func(s *Snapshot) { s.Keystore.Err, s.Keystore.Own = errTest, Certificate{} }, `
			do InstallReplaced
			again`},
		{"somebody is just putting another one in place", putBack, func(s *Snapshot) { s.Keystore.Err, s.Keystore.IsBack, s.Keystore.Own = errTest, false, Certificate{} }, `
			error: the test says so`},
		{"somebody has put the same one in place again", putBack, func(s *Snapshot) { s.Keystore.Own, s.Keystore.IsBack = *s.Keystore.Next, false }, `
			do DropReplaced
			do Import[added b-b2 b2]
			INFO trusted certificate added
			again`},
		{"somebody has put yet another one in place", putBack, func(s *Snapshot) { s.Keystore.Own, s.Keystore.IsBack = Certificate{Fingerprint: "B3"}, false }, `
			INFO somebody has put another keystore in place*
			do DropReplaced
			do Publish[b1 b3 b2]
			INFO the agent announces a new certificate to the peers
			do SaveRotation{Rotation:{Announced:B3 Since:now Retired:map[B2:now] Hurry:false}}
			do Import[added b-b3 b3]
			INFO trusted certificate added
			wake after 1h0m0s
			again`},
		{"nobody knows with which one the server runs", putBack, func(s *Snapshot) { s.Keystore.Served = nil }, `
			INFO somebody has put another keystore in place*
			do DropReplaced
			do SaveRotation{Rotation:{Announced: Since:never Retired:map[B2:now] Hurry:false}}
			wake after 1h0m0s`},
		{"none waits, and the one in place cannot be read", nil, func(s *Snapshot) { s.Keystore.Err = errTest }, `
			error: the test says so`},
		{"none waits, and the keystore elsewhere cannot be read", nil, func(s *Snapshot) { s.Keystore = Keystore{Err: errTest} }, `
			error: the test says so`},
	})
}

// replacedByHand is a snapshot of a server that runs with B1, and in whose keystore somebody has put B2 a minute ago.
func replacedByHand() Snapshot {
	s := atRest()
	s.Keystore.Own, s.Keystore.Fresh = Certificate{Fingerprint: "B2"}, false
	s.Truststore.Entries = append(s.Truststore.Entries, trust.Entry{Alias: "b-b2", Fingerprint: "B2"})
	s.Records.Edition++
	announced(&s)
	return s
}

// distrusting makes the running server b not trust a peer's certificate that is on disk.
func (s *Snapshot) distrusting(fingerprint string) {
	s.Own.Trusts.Fingerprints = slices.DeleteFunc(slices.Clone(s.Own.Trusts.Fingerprints), func(f string) bool { return f == fingerprint })
}

func TestTheSwitchToAKeystoreThatSomebodyHasPutInPlaceWaitsForThePeers(t *testing.T) {
	decides(t, []situation{
		{"it is announced", nil, func(s *Snapshot) { s.Keystore.Own, s.Keystore.Fresh = Certificate{Fingerprint: "B2"}, false }, `
			do Publish[b1 b2]
			INFO the agent announces a new certificate to the peers
			do SaveRotation{Rotation:{Announced:B2 Since:now Retired:map[] Hurry:false}}
			do Import[added b-b2 b2]
			INFO trusted certificate added
			again`},
		{"no peer trusts it", replacedByHand, nil, `
			INFO waits
			do Hold{Running:running OnDisk:disk}
			not ready restart: a restart is due, and waits for the new certificate to be trusted by a, c
			wish {running disk}
			wake after 4m0s`},
		{"the agent says so again", replacedByHand, func(s *Snapshot) { s.Own.Turn = trust.Turn{Wants: "x"} }, `
			INFO waits
			do Hold{Running:running OnDisk:disk}
			not ready restart: a restart is due, and waits for the new certificate to be trusted by a, c
			do SayTurn{Turn:{Wants: Has:false Since:never}}
			wish {running disk}
			wake after 4m0s`},
		{"halfway through the time for it nothing else is due", replacedByHand, func(s *Snapshot) { s.Records.Rotation.Since = t0.Add(-5 * time.Minute) }, `
			INFO waits
			do Hold{Running:running OnDisk:disk}
			not ready restart: a restart is due, and waits for the new certificate to be trusted by a, c
			wish {running disk}
			wake after 5m0s`},
		{"halfway the server must restart for a peer's certificate, with the old keystore", replacedByHand, func(s *Snapshot) { s.Records.Rotation.Since = t0.Add(-5 * time.Minute); s.distrusting("C1") }, `
			INFO waits
			do Hold{Running:running OnDisk:19f3d1b5c46ed4ac0356795e-b1}
			do PutBack
			INFO the server must restart before its peers trust its new keystore*
			wish {running 19f3d1b5c46ed4ac0356795e-b1}
			wake after 5m0s
			again`},
		{"the server must restart for a peer's certificate, and only a peer of a later name waits", replacedByHand, func(s *Snapshot) { s.trusting("B2", "a"); s.distrusting("A1") }, `
			INFO waits
			do Hold{Running:running OnDisk:19f3d1b5c46ed4ac0356795e-b1}
			do PutBack
			INFO the server must restart before its peers trust its new keystore*
			wish {running 19f3d1b5c46ed4ac0356795e-b1}
			wake after 9m0s
			again`},
		{"the server must restart for a peer's certificate, and a peer of an earlier name waits, too", replacedByHand, func(s *Snapshot) { s.distrusting("A1") }, `
			INFO waits
			do Hold{Running:running OnDisk:disk}
			not ready restart: a restart is due, and waits for the new certificate to be trusted by a, c
			wish {running disk}
			wake after 4m0s`},
		{"what the server trusts is not known", replacedByHand, func(s *Snapshot) { s.trusting("B2", "a"); s.Own.TrustsErr = errTest }, `
			INFO waits
			do Hold{Running:running OnDisk:19f3d1b5c46ed4ac0356795e-b1}
			do PutBack
			INFO the server must restart before its peers trust its new keystore*
			wish {running 19f3d1b5c46ed4ac0356795e-b1}
			wake after 9m0s
			again`},
		{"there is no copy of the old keystore", replacedByHand, func(s *Snapshot) { s.trusting("B2", "a"); s.distrusting("A1"); s.Keystore.Served = nil }, `
			INFO waits
			do Hold{Running:running OnDisk:disk}
			not ready restart: a restart is due, and waits for the new certificate to be trusted by c
			wish {running disk}
			wake after 9m0s`},
		{"the copy is of another keystore", replacedByHand, func(s *Snapshot) {
			s.trusting("B2", "a")
			s.distrusting("A1")
			s.Keystore.Served = &Certificate{Fingerprint: "B9"}
		}, `
			INFO waits
			do Hold{Running:running OnDisk:disk}
			not ready restart: a restart is due, and waits for the new certificate to be trusted by c
			wish {running disk}
			wake after 9m0s`},
		{"the agent may not write the keystore", replacedByHand, func(s *Snapshot) { s.trusting("B2", "a"); s.distrusting("A1"); s.Keystore.Mine = false }, `
			INFO waits
			do Hold{Running:running OnDisk:disk}
			not ready restart: a restart is due, and waits for the new certificate to be trusted by c
			wish {running disk}
			wake after 9m0s`},
		{"the keystore is not on the config volume", replacedByHand, func(s *Snapshot) { s.trusting("B2", "a"); s.distrusting("A1"); s.Keystore.Path = "" }, `
			INFO waits
			do Hold{Running:running OnDisk:disk}
			not ready restart: a restart is due, and waits for the new certificate to be trusted by c
			wish {running disk}
			wake after 9m0s`},
		{"people restart the server", replacedByHand, func(s *Snapshot) {
			s.Settings.Supervised, s.Server = false, Server{Runs: true}
			s.Records.Rotation.Since = t0.Add(-5 * time.Minute)
			s.distrusting("A1")
		}, `
			INFO waits
			not ready restart: a restart is due, and waits for the new certificate to be trusted by a, c
			wish { disk}
			wake after 5m0s`},
		{"the peers trust it", replacedByHand, func(s *Snapshot) { s.trusting("B2", "a", "c") }, `
			do SayTurn{Turn:{Wants:disk Has:false Since:now}}
			queued now
			again`},
		{"a peer does not trust it in time", replacedByHand, func(s *Snapshot) { s.Records.Rotation.Since = t0.Add(-10 * time.Minute); s.trusting("B2", "a") }, `
			ERROR pressed
			do SayTurn{Turn:{Wants:disk Has:false Since:now}}
			queued now
			again`},
	})
}
