package rotation

import (
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/trust"
)

// closed is waitingFor with a maintenance window that opens in an hour.
func closed() Snapshot {
	s := waitingFor()
	s.Maintenance.Opens = t0.Add(time.Hour)
	return s
}

// manual is waitingFor with restarts that a person has to approve.
func manual() Snapshot {
	s := waitingFor()
	s.Maintenance.Manual = true
	return s
}

// says gives a person's answer to the restart that is due.
func (s *Snapshot) says(answer trust.Answer) {
	s.Records.Approval = trust.Approval{Generation: Generation(1, s.Keystore.Own, s.Deployment.Text), Answer: answer}
}

const asks = `
	do Request{Generation:disk}
	INFO restart of the server asked for
	not ready restart: the agent has asked for a restart, which is not done yet
	wish {disk disk}
	asked disk`

const waitsForWindow = `
	do Acknowledge running[a1 b1 c1]
	INFO maintenance
	do Hold{Running:running OnDisk:disk}
	ready restart: a restart is due: it waits for the maintenance window that opens at 2026-01-02T04:04:05Z
	wish {running disk}
	wake after 1h0m0s
	again`

const waitsForAPerson = `
	do Acknowledge running[a1 b1 c1]
	INFO maintenance
	do Hold{Running:running OnDisk:disk}
	ready restart: a restart is due: it waits until a person approves it
	wish {running disk}
	again`

func TestARestartWaitsForItsMaintenanceWindow(t *testing.T) {
	decides(t, []situation{
		{"one that is closed", closed, nil, waitsForWindow},
		{"it was said before", closed, func(s *Snapshot) {
			s.Own.Turn = trust.Turn{}
			s.Own.Trusts.After = s.Maintenance.Opens
			s.Server.Wish = Wish{s.Server.Generation, Generation(1, s.Keystore.Own, s.Deployment.Text)}
			s.Memory.Wish = s.Server.Wish
		}, `
			INFO maintenance
			ready restart: a restart is due: it waits for the maintenance window that opens at 2026-01-02T04:04:05Z
			wake after 1h0m0s`},
		{"what was acknowledged cannot be read", closed, func(s *Snapshot) { s.Own.TrustsErr, s.Own.Turn = errTest, trust.Turn{} }, `
			INFO maintenance
			do Hold{Running:running OnDisk:disk}
			ready restart: a restart is due: it waits for the maintenance window that opens at 2026-01-02T04:04:05Z
			wish {running disk}
			wake after 1h0m0s`},
		{"it is approved, and still waits for the window", closed, func(s *Snapshot) { s.says(trust.Approved) }, waitsForWindow},
		{"a person wants it at once", closed, func(s *Snapshot) { s.says(trust.Now) }, asks},
		{"a person has wanted another one at once", closed, func(s *Snapshot) { s.Records.Approval = trust.Approval{Generation: "another", Answer: trust.Now} }, waitsForWindow},
		{"a person has denied it", waitingFor, func(s *Snapshot) { s.says(trust.Denied) }, `
			do Acknowledge running[a1 b1 c1]
			INFO maintenance
			do Hold{Running:running OnDisk:disk}
			ready restart: a restart is due: a person has denied it
			wish {running disk}
			again`},
		{"nobody has approved it", manual, nil, waitsForAPerson},
		{"a person has approved another one", manual, func(s *Snapshot) { s.Records.Approval = trust.Approval{Generation: "another", Answer: trust.Approved} }, waitsForAPerson},
		{"it is approved", manual, func(s *Snapshot) { s.says(trust.Approved) }, asks},
		{"it is wanted at once", manual, func(s *Snapshot) { s.says(trust.Now) }, asks},
		{"the file with an answer cannot be read", manual, func(s *Snapshot) { s.Records.ApprovalErr = errTest }, strings.Replace(waitsForAPerson, "\tdo Ack", "\tWARN approval\n\tdo Ack", 1)},
		{"somebody may have the key in use", closed, func(s *Snapshot) {
			s.TLS.Stolen = true // of a mode that issues nothing: only the record counts here
			s.Records.Rotation.Hurry = true
		}, asks},
		{"the window is open, and closes", waitingFor, func(s *Snapshot) { s.Maintenance.Closes = t0.Add(time.Minute) }, asks + "\nwake after 1m0s"},
		{"the restart was asked for in a window that has closed since", closed, func(s *Snapshot) {
			s.Memory.Asked = s.Own.Turn.Wants
			s.Memory.Wish = Wish{s.Own.Turn.Wants, s.Own.Turn.Wants}
			s.Server.Wish = s.Memory.Wish
		}, strings.Replace(waitsForWindow, "wake", "asked nothing\n\twake", 1)},
		{"no restart is due", nil, func(s *Snapshot) { s.Maintenance.Manual = true; s.Maintenance.Opens = t0.Add(time.Hour) }, nothing},
		{"the restart that waited is not due any more", nil, func(s *Snapshot) { s.Own.Trusts.After = t0.Add(time.Hour) }, `
			do Acknowledge disk[a1 b1 c1]
			INFO the running server trusts what is on disk`},
		{"the running server refuses a peer meanwhile", closed, func(s *Snapshot) {
			s.Own.Turn = trust.Turn{}
			s.Server.Trusts = []string{"B1", "C1"}
		}, `
			do Acknowledge running[a1 b1 c1]
			ERROR maintenance
			do Hold{Running:running OnDisk:disk}
			not ready restart: a restart is due: it waits for the maintenance window that opens at 2026-01-02T04:04:05Z, and the running server refuses the certificate of a
			wish {running disk}
			wake after 1h0m0s`},
	})
}

func TestAnExpiryOverrulesMaintenance(t *testing.T) {
	// The switch to B2 is made, and the running server still presents B1.
	switching := func(left time.Duration) func(*Snapshot) {
		return func(s *Snapshot) {
			announced(s)
			s.trusting("B2", "a", "c")
			s.Keystore.Own = Certificate{Fingerprint: "B2"}
			for i := range s.Own.Certificates {
				s.Own.Certificates[i].NotAfter = t0.Add(left)
			}
			s.Truststore.Entries = append(slices.Clone(s.Truststore.Entries), trust.Entry{Alias: "b-b2", Fingerprint: "B2"})
		}
	}
	// a has announced A2, which the running server does not trust.
	peer := func(left time.Duration) func(*Snapshot) {
		return func(s *Snapshot) {
			s.peer("a", func(p *Peer) {
				p.Certificates = []Certificate{{Fingerprint: "A1", NotAfter: t0.Add(left)}, {Fingerprint: "A2"}}
			})
			s.Truststore.Entries = append(slices.Clone(s.Truststore.Entries), trust.Entry{Alias: "a-a2", Fingerprint: "A2"})
			s.Records.Histories["a"] = trust.History{Known: []string{"A1", "A2"}}
			s.Server.Trusts = []string{"A1", "B1", "C1"}
		}
	}
	restart := func(d Decision) bool {
		return slices.ContainsFunc(d.Actions, func(a Action) bool {
			said, is := a.(SayTurn)
			_, asked := a.(Request)
			return asked || is && said.Turn.Wants != ""
		})
	}
	for _, c := range []struct {
		name string
		from func() Snapshot
		with func(*Snapshot)
		goes bool
		wake time.Duration // 0: not looked at
	}{
		{"the own certificate ends after the window opens", closed, switching(2 * time.Hour), false, time.Hour},
		{"the own certificate ends before the window opens", closed, switching(50 * time.Minute), false, 39 * time.Minute},
		{"the own certificate is about to end", closed, switching(11 * time.Minute), true, 0},
		{"the own certificate had ended before", closed, switching(-24 * time.Hour), false, time.Hour},
		{"the own certificate is about to end, and nobody has approved the restart", manual, switching(10 * time.Minute), true, 0},
		{"the own certificate ends later, and nobody has approved the restart", manual, switching(time.Hour), false, 49 * time.Minute},
		{"a person has denied the restart", manual, func(s *Snapshot) { switching(10 * time.Minute)(s); s.says(trust.Denied) }, false, 0},
		{"a peer's certificate ends after the window opens", closed, peer(2 * time.Hour), false, time.Hour},
		{"a peer's certificate ends before the window opens", closed, peer(50 * time.Minute), false, 39 * time.Minute},
		{"a peer's certificate is about to end", closed, peer(11 * time.Minute), true, 0},
		{"a peer's certificate has ended", closed, peer(-time.Minute), false, time.Hour},
		{"a peer's certificate is about to end, and the server trusts the next one", closed, func(s *Snapshot) {
			peer(time.Minute)(s)
			s.Server.Trusts = append(s.Server.Trusts, "A2")
		}, false, time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := c.from()
			s.Own.Turn = trust.Turn{}
			c.with(&s)
			d := Decide(s)
			if restart(d) != c.goes {
				t.Errorf("it restarts: %t, want %t: %v", !c.goes, c.goes, outcome(s, d))
			}
			if wake := d.Wake.Sub(s.Now); c.wake != 0 && wake != c.wake {
				t.Errorf("it looks again after %s, want %s", wake, c.wake)
			}
			if loud := slices.ContainsFunc(d.Messages, func(m Message) bool { return m.Level == Error && m.Topic == "maintenance" }); c.goes && !loud {
				t.Error("it does not say that it overrules the maintenance window")
			}
		})
	}
}

func TestASwitchWaitsForAPeerWhoseRestartWaitsForPeople(t *testing.T) {
	after := func(d time.Duration) func(*Snapshot) {
		return func(s *Snapshot) {
			s.trusting("B2", "c")
			s.peer("a", func(p *Peer) { p.Trusts.After = t0.Add(d) })
		}
	}
	for _, c := range []struct {
		name  string
		with  func(*Snapshot)
		until time.Duration // 0: the switch is made
		ready bool
	}{
		{"it waits for nobody's window", after(-100 * time.Hour), 9 * time.Minute, false},
		{"its window opens tomorrow", after(24 * time.Hour), 24*time.Hour + 30*time.Minute, true},
		{"its window has opened, and it takes its turn", after(-20 * time.Minute), 10 * time.Minute, false},
		{"its window opened long ago", func(s *Snapshot) { after(-30 * time.Minute)(s); s.Records.Rotation.Since = t0.Add(-time.Hour) }, 0, false},
		{"its restart waits for an approval", after(trust.Never.Sub(t0)), 15*24*time.Hour - time.Minute, true},
		{"its restart waits for an approval, and the certificate in use has ended before", func(s *Snapshot) {
			after(trust.Never.Sub(t0))(s)
			s.TLS.Installed.Leaf.NotAfter = t0.Add(-time.Hour)
			s.Keystore.Own.NotAfter = s.TLS.Installed.Leaf.NotAfter
		}, 15*24*time.Hour - time.Minute, true},
		{"its window opens tomorrow, and somebody may have the key in use", func(s *Snapshot) {
			after(24 * time.Hour)(s)
			s.Records.Rotation.Hurry = true
		}, 9 * time.Minute, true},
		{"the certificate in use ends before its window opens", func(s *Snapshot) {
			after(24 * time.Hour)(s)
			s.TLS.Installed.Leaf.NotAfter = t0.Add(2 * time.Hour)
			s.Keystore.Own.NotAfter = s.TLS.Installed.Leaf.NotAfter
		}, 119 * time.Minute, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := staging()
			s.due()
			c.with(&s)
			d := Decide(s)
			installs := slices.Contains(d.Actions, Action(Install{}))
			if installs != (c.until == 0) {
				t.Fatalf("it switches: %t: %v", installs, outcome(s, d))
			}
			if installs {
				return
			}
			var limit string
			for _, m := range d.Messages {
				if m.Topic == "waits" {
					limit = m.Args[len(m.Args)-1].(string)
				}
			}
			if want := utc(t0.Add(c.until)); limit != want {
				t.Errorf("it waits until %s, want %s", limit, want)
			}
			for _, condition := range d.Conditions {
				if condition.Name == RestartCondition && condition.OK != c.ready {
					t.Errorf("ready: %t, want %t: %s", condition.OK, c.ready, condition.Text)
				}
			}
		})
	}
}

func TestMaintenanceIsAsTheSettingsSay(t *testing.T) {
	for _, c := range []struct {
		windows, approval string
		want              Maintenance
	}{
		{"", "auto", Maintenance{}},
		{"Fri 03:00-04:00", "auto", Maintenance{Closes: time.Date(2026, 1, 2, 4, 0, 0, 0, time.UTC)}}, // t0 is in it
		{"00:00-24:00", "auto", Maintenance{}},
		{"Sat 03:00-04:00", "manual", Maintenance{Opens: time.Date(2026, 1, 3, 3, 0, 0, 0, time.UTC), Manual: true}},
	} {
		var cfg config.Config
		cfg.Restart.Windows, cfg.Restart.Approval = c.windows, c.approval
		if got := MaintenanceOf(cfg, t0); got != c.want {
			t.Errorf("%q, %s: %+v, want %+v", c.windows, c.approval, got, c.want)
		}
	}
}
