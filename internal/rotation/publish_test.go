package rotation

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"wso2agent/internal/trust"
)

// byCA makes the CA the issuer of the installed identity, and publishes it (TRUST=ca).
func byCA() Snapshot {
	s := issuing()
	s.Settings.TrustCA = true
	s.TLS.Installed.Issuer, s.Own.CA = "CA", "CA"
	return s
}

func TestTheCAIsPublishedWhilePeersMayTrustItInPlaceOfTheCertificates(t *testing.T) {
	stage := func(s *Snapshot, issuer string) {
		s.TLS.Staged, s.TLS.IsStaged = &Identity{Leaf: Certificate{Fingerprint: "B2"}, Issuer: issuer}, true
		announced(s)
	}
	decides(t, []situation{
		{"it is published", byCA, nil, nothing},
		{"it is not published yet", byCA, func(s *Snapshot) { s.Own.CA = "" }, `
			do PublishCA{Fingerprint:CA}`},
		{"what is published cannot be read", byCA, func(s *Snapshot) { s.Own.CA = "unreadable" }, `
			do PublishCA{Fingerprint:CA}`},
		{"nobody has given one", byCA, func(s *Snapshot) { s.TLS.Installed.Issuer = "" }, `
			do PublishCA{Fingerprint:}`},
		{"the server's own keystore is in use", nil, func(s *Snapshot) { s.Own.CA = "CA" }, `
			do PublishCA{Fingerprint:}`},
		{"a start presents another certificate than the installed one", byCA, func(s *Snapshot) { s.TLS.Installed = &Identity{Leaf: Certificate{Fingerprint: "B9"}, Issuer: "CA"} }, `
			do PublishCA{Fingerprint:}`},
		{"it has signed the next certificate, too, and the peers trust it", byCA, func(s *Snapshot) { stage(s, "CA"); s.trusting("CA", "a", "c") }, `
			do Install
			again`},
		{"it has signed the next certificate, too, and one peer does not trust it", byCA, func(s *Snapshot) { stage(s, "CA"); s.trusting("CA", "a") }, `
			INFO waits
			wake after 9m0s`},
		{"another one has signed the next certificate", byCA, func(s *Snapshot) { stage(s, "other CA"); s.trusting("CA", "a", "c") }, `
			do PublishCA{Fingerprint:}
			INFO waits
			wake after 9m0s`},
		{"somebody has put a keystore in place that waits for the switch", byCA, func(s *Snapshot) {
			s.Keystore.Next = &Certificate{Fingerprint: "B2"}
			announced(s)
			s.trusting("CA", "a", "c")
		}, `
			do PublishCA{Fingerprint:}
			INFO waits
			wake after 9m0s`},
	})
}

func TestTheOwnCertificatesArePublished(t *testing.T) {
	decides(t, []situation{
		{"before the first start", nil, func(s *Snapshot) { s.stopped(); s.Own = Own{} }, `
			do Publish[b1]
			INFO own certificate published
			do Request{Generation:disk}`},
		{"what was published cannot be read", nil, func(s *Snapshot) { s.Own.Certificates, s.Own.Err = nil, errTest }, `
			WARN published
			do Publish[b1]
			INFO own certificate published`},
		{"what was published is lost, while the server runs with another one than is on disk", replacedByHand, func(s *Snapshot) { s.Own.Certificates = nil }, `
			do Publish[b1 b2]
			INFO own certificate published
			INFO waits
			do Hold{Running:running OnDisk:disk}
			not ready restart: a restart is due, and waits for the new certificate to be trusted by a, c
			wish {running disk}
			wake after 4m0s`},
		{"and the keystore with which it runs is lost as well", replacedByHand, func(s *Snapshot) { s.Own.Certificates, s.Keystore.Served = nil, nil }, `
			do Publish[b2]
			INFO own certificate published
			do SaveRotation{Rotation:{Announced: Since:never Retired:map[] Hurry:false}}
			do Import[removed b-b2 b2 replaced b b2]
			INFO trusted certificate replaced
			again`},
		{"nobody knows what a server presents that people restart", replacedByHand, func(s *Snapshot) { s.Settings.Supervised, s.Server = false, Server{Runs: true} }, `
			INFO waits
			not ready restart: a restart is due, and waits for the new certificate to be trusted by a, c
			wish { disk}
			wake after 4m0s`},
		{"nobody knows what a server presents that people restart, and an identity waits for the switch", staging, func(s *Snapshot) {
			s.Settings.Supervised, s.Server = false, Server{Runs: true}
			s.Own.Certificates[0] = Certificate{Fingerprint: "B0"}
			s.trusting("B0", "a", "c")
			s.Truststore.Entries[1].Fingerprint = "B0"
			s.Memory.Asked = s.Memory.Wish.OnDisk
		}, `
			INFO waits
			ready restart: not known, since RESTART is none*
			wake after 9m0s`},
		{"a server is not restarted yet with the certificate on disk, and an identity waits for the switch", staging, func(s *Snapshot) {
			s.Own.Certificates = []Certificate{{Fingerprint: "B0"}}
			s.Server.Generation = Generation(1, s.Own.Certificates[0], s.Deployment.Text)
			s.Truststore.Entries[1].Fingerprint = "B0"
			s.Truststore.Entries = append(s.Truststore.Entries, trust.Entry{Alias: "b-b1", Fingerprint: "B1"})
		}, `
			do Publish[b0 b1]
			INFO the agent announces a new certificate to the peers
			do SaveRotation{Rotation:{Announced:B1 Since:now Retired:map[] Hurry:false}}
			do SayTurn{Turn:{Wants:disk Has:false Since:now}}
			queued now
			again`},
		{"the server starts with the one on disk, whatever was published, where people start it", nil, func(s *Snapshot) {
			s.stopped()
			s.Settings.Supervised = false
			s.Own.Certificates[0].Fingerprint = "B9"
			s.Truststore.Entries = append(s.Truststore.Entries, trust.Entry{Alias: "b-b9", Fingerprint: "B9"})
		}, `
			do Publish[b1 b9]
			INFO own certificate published
			do SaveRotation{Rotation:{Announced: Since:never Retired:map[B9:now] Hurry:false}}
			do Note{Generation:disk}
			wake after 1h0m0s`},
		{"the server starts with the one on disk, whatever was published, where no start was reported yet", nil, func(s *Snapshot) {
			s.unreported()
			s.Own.Certificates[0].Fingerprint = "B9"
			s.Truststore.Entries = append(s.Truststore.Entries, trust.Entry{Alias: "b-b9", Fingerprint: "B9"})
		}, `
			do Publish[b1 b9]
			INFO own certificate published
			do SaveRotation{Rotation:{Announced: Since:never Retired:map[B9:now] Hurry:false}}
			not ready restart: the server has not started yet*
			wake after 1h0m0s`},
		{"what was published is lost, and the copy is of another keystore than the server runs with", replacedByHand, func(s *Snapshot) {
			s.Own.Certificates, s.Keystore.Served, s.Records.Rotation = nil, &Certificate{Fingerprint: "B9"}, trust.Rotation{}
			s.Truststore.Entries = append(slices.Clone(s.Truststore.Entries[:5]), trust.Entry{Alias: "b", Fingerprint: "B2"})
			s.Truststore.Entries = slices.Delete(s.Truststore.Entries, 1, 2)
		}, `
			do Publish[b2]
			INFO own certificate published
			do SayTurn{Turn:{Wants:disk Has:false Since:now}}
			queued now
			again`},
		{"and it keeps what it has published", nil, func(s *Snapshot) {
			s.Settings.Supervised, s.Server = false, Server{Runs: true}
			s.Own.Certificates = append(s.Own.Certificates, Certificate{Fingerprint: "B0"})
			s.Truststore.Entries = append(s.Truststore.Entries, trust.Entry{Alias: "b-b0", Fingerprint: "B0"})
			s.Memory.Asked = s.Memory.Wish.OnDisk
		}, `
			ready restart: not known, since RESTART is none*`},
	})
}

func TestARetiredCertificateGoesAfterItsGracePeriod(t *testing.T) {
	retired := func(since time.Time) func(*Snapshot) {
		return func(s *Snapshot) {
			s.Own.Certificates = append(s.Own.Certificates, Certificate{Fingerprint: "B0"})
			s.Truststore.Entries = append(s.Truststore.Entries, trust.Entry{Alias: "b-b0", Fingerprint: "B0"})
			s.Own.Trusts.Fingerprints = []string{"A1", "B0", "B1", "C1"}
			if !since.IsZero() {
				s.Records.Rotation.Retired = map[string]time.Time{"B0": since}
			}
		}
	}
	decides(t, []situation{
		{"the server has just switched", nil, retired(time.Time{}), `
			do SaveRotation{Rotation:{Announced: Since:never Retired:map[B0:now] Hurry:false}}
			wake after 1h0m0s`},
		{"half an hour later", nil, retired(t0.Add(-30 * time.Minute)), `
			wake after 30m0s`},
		{"at the very end", nil, retired(t0.Add(-time.Hour + time.Millisecond)), `
			wake after 1s`},
		{"after an hour", nil, retired(t0.Add(-time.Hour)), `
			do Publish[b1]
			INFO own certificate published
			do SaveRotation{Rotation:{Announced: Since:never Retired:map[] Hurry:false}}
			do Import[removed b-b0 b0]
			INFO trusted certificate removed
			again`},
		{"the clock was put back", nil, retired(t0.Add(time.Hour)), `
			do SaveRotation{Rotation:{Announced: Since:never Retired:map[B0:now] Hurry:false}}
			wake after 1h0m0s`},
		{"after an hour, where people restart the server", nil, func(s *Snapshot) {
			retired(t0.Add(-time.Hour))(s)
			s.Settings.Supervised, s.Server = false, Server{Runs: true}
		}, `
			do Publish[b1]
			INFO own certificate published
			do SaveRotation{Rotation:{Announced: Since:never Retired:map[] Hurry:false}}
			do Import[removed b-b0 b0]
			INFO trusted certificate removed
			again`},
		{"the server has just switched, as agent exec says, where people restart it", nil, func(s *Snapshot) { retired(time.Time{})(s); s.Settings.Supervised = false }, `
			do SaveRotation{Rotation:{Announced: Since:never Retired:map[B0:now] Hurry:false}}
			wake after 1h0m0s`},
		{"the record names one that nobody publishes", nil, func(s *Snapshot) { s.Records.Rotation.Retired = map[string]time.Time{"B8": t0} }, `
			do SaveRotation{Rotation:{Announced: Since:never Retired:map[] Hurry:false}}`},
	})
}

func TestAServerPublishesNoMoreCertificatesThanPeersRead(t *testing.T) {
	var before []Certificate
	for i := range 2 * maxPublished {
		before = append(before, Certificate{Fingerprint: fmt.Sprint("B0", i)})
	}
	inUse, next := Certificate{Fingerprint: "B1"}, Certificate{Fingerprint: "B2"}
	record, published := nextRecord(trust.Rotation{}, inUse, next, before, presentsNone, t0, time.Hour)
	if want := append([]Certificate{inUse, next}, before[:maxPublished-2]...); !slices.Equal(published, want) || len(record.Retired) != maxPublished-2 {
		t.Errorf("it publishes %v and retires %v", published, record.Retired)
	}
}

func TestTwoRecordsAreTheSameIfNothingInThemDiffers(t *testing.T) {
	base := trust.Rotation{Announced: "B2", Since: t0, Retired: map[string]time.Time{"B0": t0}}
	for name, c := range map[string]struct {
		change func(*trust.Rotation)
		same   bool
	}{
		"the same time in another zone": {func(r *trust.Rotation) { r.Since = t0.In(time.FixedZone("", 3600)) }, true},
		"another certificate":           {func(r *trust.Rotation) { r.Announced = "B3" }, false},
		"another time":                  {func(r *trust.Rotation) { r.Since = t0.Add(1) }, false},
		"one more retired":              {func(r *trust.Rotation) { r.Retired = map[string]time.Time{"B0": t0, "B8": t0} }, false},
		"another one retired":           {func(r *trust.Rotation) { r.Retired = map[string]time.Time{"B8": t0} }, false},
		"retired at another time":       {func(r *trust.Rotation) { r.Retired = map[string]time.Time{"B0": t0.Add(1)} }, false},
	} {
		other := base
		c.change(&other)
		if sameRecord(base, other) != c.same || sameRecord(other, base) != c.same {
			t.Errorf("%s: the same %t, want %t", name, !c.same, c.same)
		}
	}
}
