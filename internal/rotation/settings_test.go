package rotation

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/trust"
)

func TestSettingsAreMadeOrReported(t *testing.T) {
	decides(t, []situation{
		{"some are needed", nil, func(s *Snapshot) { s.Deployment.Pending = true; s.Deployment.Kept = []KeptSetting{{Setting: "x"}} }, `
			do MakeSettings
			again`},
		{"somebody else has made one", nil, func(s *Snapshot) {
			s.Deployment.Kept = []KeptSetting{{Setting: "server.hostname", Line: 3, Is: "x", Needed: "y"}}
		}, `
			WARN setting server.hostname`},
		{"one waits for the applications", nil, func(s *Snapshot) { s.Deployment.Closing.AllScopes = trust.AllScopesWaits }, `
			INFO all scopes`},
		{"TLS_MODE is none again, and one is still staged", nil, func(s *Snapshot) { s.TLS.IsStaged = true }, `
			do DropStaged`},
	})
}

func TestASettingThatIsKeptIsReportedWithoutSecrets(t *testing.T) {
	kept := KeptSetting{Setting: "keystore.tls.password", Line: 7, Is: "present", Needed: "wanted"}
	secret, settled := kept, kept
	secret.Secret, settled.Settled = true, true
	for name, c := range map[string]struct {
		kept      KeptSetting
		text      string
		hasValues bool
	}{
		"a setting":                {kept, "SETTINGS=override", true},
		"a secret":                 {secret, "SETTINGS=override", false},
		"one of the administrator": {settled, "docs/operating.md", true},
	} {
		s := atRest()
		s.Deployment.Kept = []KeptSetting{c.kept}
		messages := Decide(s).Messages
		if len(messages) != 1 {
			t.Fatalf("%s: %d messages", name, len(messages))
		}
		m := messages[0]
		values := fmt.Sprint(m.Args...)
		if !strings.Contains(m.Text, c.text) || !strings.Contains(values, "keystore.tls.password") || !strings.Contains(values, "7") ||
			strings.Contains(values, "present") != c.hasValues || strings.Contains(values, "wanted") != c.hasValues {
			t.Errorf("%s: %s %s", name, m.Text, values)
		}
	}
}

func TestAPrimaryKeyThatChangesIsReported(t *testing.T) {
	decides(t, []situation{
		{"it is seen for the first time", nil, func(s *Snapshot) { s.Records.PrimaryNow = "P1" }, `
			do SavePrimary{Fingerprint:P1}`},
		{"it is the same", nil, func(s *Snapshot) { s.Records.Primary, s.Records.PrimaryNow = "P1", "P1" }, nothing},
		{"it is another one", nil, func(s *Snapshot) { s.Records.Primary, s.Records.PrimaryNow = "P1", "P2" }, `
			ERROR the server's PRIMARY keystore has another key than before*
			do SavePrimary{Fingerprint:P2}`},
		{"nobody watches it any more", nil, func(s *Snapshot) { s.Records.Primary = "P1" }, nothing},
	})
}

func TestTheMessageOfAChangedPrimaryKeyIsShortAndHasARemedy(t *testing.T) {
	s := atRest()
	s.Records.Primary, s.Records.PrimaryNow, s.Records.PrimaryFile = "P1", "P2", "primary.jks"
	for _, m := range Decide(s).Messages {
		if !strings.Contains(m.Text, "PRIMARY") {
			continue
		}
		if len(m.Text) > 120 || strings.Contains(m.Text, ". ") {
			t.Errorf("the text has %d bytes, and is not one short sentence: %s", len(m.Text), m.Text)
		}
		args := fmt.Sprint(m.Args...)
		for _, want := range []string{"primary.jks", "P1", "P2", "remedy", "put the old keystore back"} {
			if !strings.Contains(args, want) {
				t.Errorf("the attributes %s lack %s", args, want)
			}
		}
		return
	}
	t.Error("there is no message")
}

func TestAnISSaysWhatBecomesOfItsClosing(t *testing.T) {
	is := func() Snapshot {
		s := atRest()
		s.Settings.TellsClosing = true
		return s
	}
	said := func(s *Snapshot) { s.Own.HasClosing = true }
	decides(t, []situation{
		{"for the first time", is, nil, `
			do SayClosing{Closing:{AllScopes: SCIM11:false Handler:false CertificateUser:false Restart:}}`},
		{"it has said so", is, said, nothing},
		{"a restart is due", is, func(s *Snapshot) {
			said(s)
			s.Deployment.Closing.SCIM11 = true
			s.due()
			s.Memory.Asked = "x"
			s.Server.Starting = true
			s.Server.Since = s.Now
		}, `
			do SayClosing{Closing:{AllScopes: SCIM11:true Handler:false CertificateUser:false Restart:due}}
			do Hold{Running:running OnDisk:disk}
			not ready restart: a restart is due, and waits until the server serves
			wish {running disk}
			asked nothing
			wake after 10m0s`},
		{"somebody has to restart it", is, func(s *Snapshot) { said(s); s.Settings.Supervised, s.Server = false, Server{Runs: true} }, `
			do SayClosing{Closing:{AllScopes: SCIM11:false Handler:false CertificateUser:false Restart:by hand}}
			do Request{Generation:disk}
			ready restart: not known, since RESTART is none*
			asked disk`},
		{"no server runs", is, func(s *Snapshot) { s.stopped(); said(s) }, `
			do Request{Generation:disk}`},
	})
}

func TestTheAgentHoldsARestartUntilAllApplicationsAreAuthorized(t *testing.T) {
	waiting := func() Snapshot {
		s := atRest()
		s.Deployment.Closing.AllScopes = trust.AllScopesWaits
		s.due()
		return s
	}
	decides(t, []situation{
		{"it begins to wait", waiting, nil, `
			INFO all scopes
			do Hold{Running:running OnDisk:disk}
			not ready restart: a restart is due, and waits until all applications are authorized for the scopes of APIs
			wish {running disk}
			upgrade now
			wake after 10m0s`},
		{"it goes on waiting", waiting, func(s *Snapshot) { s.Memory.Upgrade = t0.Add(-9 * time.Minute) }, `
			INFO all scopes
			do Hold{Running:running OnDisk:disk}
			not ready restart: a restart is due, and waits until all applications are authorized for the scopes of APIs
			wish {running disk}
			wake after 1m0s`},
		{"the clock was put back", waiting, func(s *Snapshot) { s.Memory.Upgrade = t0.Add(time.Hour) }, `
			INFO all scopes
			do Hold{Running:running OnDisk:disk}
			not ready restart: a restart is due, and waits until all applications are authorized for the scopes of APIs
			wish {running disk}
			upgrade now
			wake after 10m0s`},
		{"it has waited long enough", waiting, func(s *Snapshot) { s.Memory.Upgrade = t0.Add(-10 * time.Minute) }, `
			INFO all scopes
			do SayTurn{Turn:{Wants:disk Has:false Since:now}}
			queued now
			again`},
		{"all are authorized now", waiting, func(s *Snapshot) { s.Memory.Upgrade = t0.Add(-time.Minute); s.Deployment.Closing.AllScopes = "" }, `
			do SayTurn{Turn:{Wants:disk Has:false Since:now}}
			upgrade never
			queued now
			again`},
		{"no server runs yet", waiting, func(s *Snapshot) { s.Server = Server{Runs: true} }, `
			INFO all scopes
			INFO no start of the server is reported yet
			do Hold{Running: OnDisk:disk}
			not ready restart: the server has not started yet, or not under agent exec*
			wish { disk}
			upgrade now`},
		{"the server is down", waiting, func(s *Snapshot) { s.Server.Process = false }, `
			INFO all scopes
			do SayTurn{Turn:{Wants:disk Has:false Since:now}}
			upgrade now
			queued now
			again`},
		{"people restart the server", waiting, func(s *Snapshot) { s.Settings.Supervised, s.Server = false, Server{Runs: true} }, `
			INFO all scopes
			not ready restart: a restart is due, and waits until all applications are authorized for the scopes of APIs
			ready restart: a restart by hand is due when all applications are authorized for the scopes of APIs
			wish { disk}
			upgrade now
			wake after 10m0s`},
	})
}
