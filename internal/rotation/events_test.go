package rotation

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/history"
	"wso2agent/internal/keystore"
	"wso2agent/internal/trust"
)

func TestTheTrailSaysWhatWasDoneAndWhy(t *testing.T) {
	due := func() Snapshot { s := atRest(); s.due(); return s }
	for _, c := range []struct {
		name   string
		from   func() Snapshot
		with   func(*Snapshot)
		action Action
		want   string
	}{
		{"an identity is issued", nil, nil, Issue{"there is none"}, "issued because there is none"},
		{"a successor is issued", nil, nil, IssueSuccessor{2}, "issued because a later rotation needs one that peers trust by then"},
		{"a successor is next", nil, nil, StageSuccessor{"B2", "somebody asked"}, "chosen B2 because somebody asked"},
		{"a successor is thrown away", nil, nil, DropSuccessor{"B2", "it is stale"}, "dropped B2 because it is stale"},
		{"certificates are published", nil, nil, Publish{[]string{"B1", "B2"}}, "published B2"},
		{"the next certificate is installed", staging, nil, Install{}, "switched B2 was B1"},
		{"the keystore of somebody is installed", nil, func(s *Snapshot) { s.Keystore.Next = &Certificate{Fingerprint: "B2"} }, InstallReplaced{}, "switched B2 was B1"},
		{"the keystore of somebody waits", nil, func(s *Snapshot) { s.Keystore.Own = Certificate{Fingerprint: "B2"} }, PutBack{},
			"keystore put back B1 was B2 because the server must restart before its peers trust the new one"},
		{"the server is to load a certificate", nil, nil, Load{Generation: "g", Certificate: "B2"}, "loads B2 g"},
		{"the server has loaded it", nil, nil, Load{Generation: "g", Certificate: "B2", Served: true}, ""},
		{"settings are made", nil, nil, MakeSettings{}, "settings"},
		{"the primary key is seen first", nil, nil, SavePrimary{"P1"}, ""},
		{"the primary key is another one", nil, func(s *Snapshot) { s.Records.Primary = "P1" }, SavePrimary{"P2"}, "primary key P2 was P1"},
		{"the truststore changes", nil, nil, Import{[]trust.Change{
			{Action: trust.Added, Alias: "a-a2", Fingerprint: "A2", Owner: "a"}, {Action: trust.Replaced, Alias: "a", Fingerprint: "A2", Was: "A1", Owner: "a"}, {Action: trust.Removed, Alias: "a-a3", Fingerprint: "A3", Owner: "a"}}},
			"trusted a-a2 a A2; replaced a a A2 was A1; no longer trusted a-a3 a A3"},
		{"certificates are refused", nil, func(s *Snapshot) { s.Records.Refusals.Refused = map[string][]string{"a": {"A0"}} },
			SaveRefusals{trust.Refusals{Refused: map[string][]string{"c": {"C2"}, "a": {"A0", "A2"}}}}, "refused a A2 because the server did not start with it; refused c C2 because the server did not start with it"},
		{"the truststore is to be read again", nil, nil, RaiseEdition{"a uses A2"}, "restart requested because a uses A2"},
		{"settings want a restart", due, nil, Request{"g"}, "restart requested g because the settings or the truststore have changed since the server's start"},
		{"a certificate wants a restart", due, func(s *Snapshot) { s.Keystore.Own = Certificate{Fingerprint: "B2"} }, Request{"g"}, "restart requested g because the server presents another certificate than is on disk"},
		{"trust wants a restart", due, func(s *Snapshot) { s.Server.Trusts = []string{"A1", "B1"} }, Request{"g"}, "restart requested g because the truststore has certificates that the running server does not trust"},
		{"a server of before wants a restart", due, func(s *Snapshot) { s.Server.Generation = "" }, Request{"g"}, "restart requested g because nobody knows what the server runs with"},
		{"a person is to restart the server", due, func(s *Snapshot) { s.Settings.Supervised, s.Server = false, Server{Runs: true} }, Request{"g"}, "restart requested g because nobody knows what the server runs with"},
		{"a wish is withdrawn", nil, func(s *Snapshot) { s.Settings.Supervised = false }, Request{"g"}, "restart requested g"},
		{"the server runs with what it ran with", nil, nil, Request{Generation(1, Certificate{Fingerprint: "B1"}, []byte("[server]\n"))}, ""},
		{"the server runs with what is on disk", nil, nil, Acknowledge{trust.Trusts{Generation: "g"}}, "runs B1 g"},
		{"the server trusts more", nil, func(s *Snapshot) { s.Own.Trusts.Generation = "g" }, Acknowledge{trust.Trusts{Generation: "g"}}, ""},
		{"a restart waits before the first start", nil, nil, Acknowledge{trust.Trusts{After: t0}}, ""},
		{"a restart is held", nil, nil, Hold{"g", "h"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := situation{from: c.from, with: c.with}.snapshot()
			d := Decide(s)
			var got []string
			for _, e := range d.Events(c.action, s) {
				if !e.At.Equal(t0) || e.Server != "b" {
					t.Errorf("%+v is not of b and now", e)
				}
				got = append(got, words(e))
			}
			if text := strings.Join(got, "; "); text != c.want {
				t.Errorf("%s: %q, want %q", Describe(c.action), text, c.want)
			}
		})
	}
}

func TestAnEventHasTheCertificateThatLeavesTheTruststore(t *testing.T) {
	s := atRest()
	s.Truststore.Entries[0].Certificate, s.Truststore.Entries[2].Certificate = &keystore.Certificate{DER: []byte("of a")}, &keystore.Certificate{DER: []byte("of c")}
	s.Truststore.Entries = append(s.Truststore.Entries, trust.Entry{Alias: "refused", Certificate: &keystore.Certificate{DER: []byte("refused")}, Refused: true})
	events := Decision{}.Events(Import{[]trust.Change{
		{Action: trust.Added, Alias: "a-a2", Fingerprint: "A2", Owner: "a"}, {Action: trust.Replaced, Alias: "A", Fingerprint: "A2", Was: "A1", Owner: "a"}, {Action: trust.Removed, Alias: "c", Fingerprint: "C1", Owner: "c"},
		{Action: trust.Removed, Alias: "gone", Fingerprint: "D1"}, {Action: trust.Removed, Alias: "refused", Fingerprint: "D2"}}}, s)
	var got []string
	for _, e := range events {
		der, err := base64.StdEncoding.DecodeString(e.Certificate)
		if err != nil {
			t.Error(err)
		}
		got = append(got, string(der))
	}
	if want := []string{"", "of a", "of c", "", ""}; !slices.Equal(got, want) {
		t.Errorf("the events have %q, want %q", got, want)
	}
}

func words(e history.Event) string {
	out := []string{string(e.What)}
	for _, value := range []string{e.Alias, e.Peer, e.Fingerprint} {
		if value != "" {
			out = append(out, value)
		}
	}
	if e.Was != "" {
		out = append(out, "was "+e.Was)
	}
	if e.Generation != "" {
		out = append(out, e.Generation)
	}
	if e.Because != "" {
		out = append(out, "because "+e.Because)
	}
	return strings.Join(out, " ")
}
