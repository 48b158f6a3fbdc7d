package main

import (
	"strings"
	"testing"
	"time"

	"wso2agent/internal/server"
	"wso2agent/internal/trust"
)

func TestThePoolIsListedWithWhoTrustsItAndHowLongItLasts(t *testing.T) {
	until := func(year int) time.Time { return time.Date(year, 1, 31, 23, 0, 0, 0, time.UTC) }
	var out strings.Builder
	if err := printPool(&out, poolReport{Summary: "next rotations without a restart: 0"}); err != nil || out.String() != "next rotations without a restart: 0\n" {
		t.Errorf("an empty pool: %q, %v", out.String(), err)
	}
	out.Reset()
	report := poolReport{Summary: "next rotations without a restart: 1, until 2029-01-01", Pool: trust.Pool{Successors: []trust.Successor{
		{Fingerprint: "AA:BB", NotAfter: until(2029), TrustedBy: []string{"wso2is", "wso2am"}},
		{Fingerprint: "CC:DD", NotAfter: until(2030), TrustedBy: []string{"wso2is"}, NotYetBy: []string{"wso2am"}},
		{Fingerprint: "EE:FF", NotAfter: until(2031), NotYetBy: []string{"wso2is", "wso2am"}},
	}}}
	want := `SHA-256  EXPIRES     TRUSTED BY      NOT YET BY
AA:BB    2029-01-31  wso2is, wso2am  -
CC:DD    2030-01-31  wso2is          wso2am
EE:FF    2031-01-31  -               wso2is, wso2am
next rotations without a restart: 1, until 2029-01-01
`
	if err := printPool(&out, report); err != nil || out.String() != want {
		t.Errorf("printed, %v:\n%swant:\n%s", err, out.String(), want)
	}
}

func TestRotateSaysWhatItCostsAndWhatFollows(t *testing.T) {
	restarts := []server.Restart{{Server: "wso2am", Because: "it does not trust it"}, {Server: "wso2is", Because: "RELOAD is off"}}
	for name, c := range map[string]struct {
		p    server.Prospect
		cost []server.Restart
		want string
	}{
		"no restart": {server.Prospect{Server: "wso2is", Supervised: true}, nil, `no restart: all servers trust the next certificate, and wso2is loads it while it runs
a new certificate for wso2is is requested; the agent next to it installs it, and the server serves it after about a minute
`},
		"restarts": {server.Prospect{Server: "wso2is", Supervised: true}, restarts, `these servers restart, one after the other: wso2am, wso2is
  wso2am: it does not trust it
  wso2is: RELOAD is off
a new certificate for wso2is is requested; the agent next to it announces it, and switches when every peer trusts it
`},
		"restarts by hand": {server.Prospect{Server: "wso2is"}, restarts[1:], `RESTART is none: no agent restarts wso2is, so restart it by hand when the log of its agent says so
  wso2is: RELOAD is off
a new certificate for wso2is is requested; the agent next to it announces it, and switches when every peer trusts it
`},
		"restarts by hand, and of a peer": {server.Prospect{Server: "wso2is"}, restarts, `RESTART is none: no agent restarts wso2is, so restart it by hand when the log of its agent says so
these peers restart on their own, one after the other; if RESTART is none next to a peer, restart it by hand: wso2am
  wso2am: it does not trust it
  wso2is: RELOAD is off
a new certificate for wso2is is requested; the agent next to it announces it, and switches when every peer trusts it
`},
		"after a theft": {server.Prospect{Server: "wso2is", Supervised: true, Compromised: true}, restarts[1:], `these servers restart, one after the other: wso2is
  wso2is: RELOAD is off
a new certificate for wso2is is requested; the agent next to it throws the successors away, announces it, and switches when every peer trusts it
`},
	} {
		var out strings.Builder
		printCost(&out, c.cost, c.p)
		printNext(&out, c.cost, c.p)
		if out.String() != c.want {
			t.Errorf("%s:\n%swant:\n%s", name, out.String(), c.want)
		}
	}
}
