package server

import (
	"slices"
	"testing"
	"time"

	"wso2agent/internal/trust"
)

// ready is a server whose peers and that itself trust the successor A, and that loads it while it runs.
func ready() Prospect {
	a := []string{"A"}
	own := trust.Trusting{Server: "wso2is", Fingerprints: a}
	peers := []trust.Trusting{{Server: "wso2am", Fingerprints: a}, {Server: "other", Fingerprints: a}}
	until := time.Date(2029, 1, 31, 0, 0, 0, 0, time.UTC)
	return Prospect{Server: "wso2is", Own: own, Peers: peers, Supervised: true, Started: true, Reloads: true,
		Pool: trust.PoolOf([]trust.Successor{{Fingerprint: "A", NotAfter: until}}, append(peers, own), 0, time.Time{})}
}

func TestARotationCostsARestartOnlyForAReason(t *testing.T) {
	thrown := "the agent makes a certificate that no server trusts yet, because the successors are thrown away"
	for name, c := range map[string]struct {
		change func(*Prospect)
		want   []string // server: reason
		lasts  string
	}{
		"all trust the successor": {func(*Prospect) {}, nil, "next rotations without a restart: 1, until 2029-01-31"},
		"a peer does not": {func(p *Prospect) {
			p.Peers[0].Fingerprints, p.Pool.Rotations = nil, 0
		}, []string{"wso2am: it does not trust the next certificate yet"}, "next rotations without a restart: 0"},
		"the own server does not": {func(p *Prospect) { p.Own.Fingerprints = []string{"B"} },
			[]string{"wso2is: it does not trust the next certificate yet"}, "next rotations without a restart: 1, until 2029-01-31"},
		"RELOAD is off": {func(p *Prospect) { p.ReloadOff = true }, []string{"wso2is: RELOAD is off"},
			"next rotations without a restart of a peer: 1, until 2029-01-31; wso2is restarts, because RELOAD is off"},
		"RESTART is docker": {func(p *Prospect) { p.Elsewhere, p.Reloads = "docker", false },
			[]string{"wso2is: RESTART is docker, so no agent exec hands it the certificate while it runs"}, "next rotations without a restart of a peer: 1, until 2029-01-31; wso2is restarts, because RESTART is docker, so no agent exec hands it the certificate while it runs"},
		"RESTART is none": {func(p *Prospect) { p.Supervised = false },
			[]string{"wso2is: RESTART is none, so no agent exec hands it the certificate while it runs"}, "next rotations without a restart of a peer: 1, until 2029-01-31; wso2is restarts, because RESTART is none, so no agent exec hands it the certificate while it runs"},
		"no start was reported": {func(p *Prospect) { p.Started = false }, []string{"wso2is: agent exec has not reported a start of it"},
			"next rotations without a restart of a peer: 1, until 2029-01-31; wso2is restarts, because agent exec has not reported a start of it"},
		"an older start": {func(p *Prospect) { p.Reloads = false }, []string{"wso2is: it was started without the settings with which it loads a certificate while it runs"},
			"next rotations without a restart of a peer: 1, until 2029-01-31; wso2is restarts, because it was started without the settings with which it loads a certificate while it runs"},
		"the pool is thrown away": {func(p *Prospect) { p.Compromised = true }, []string{"wso2am: " + thrown, "other: " + thrown, "wso2is: " + thrown},
			"next rotations without a restart: 1, until 2029-01-31"},
		"there are no successors": {func(p *Prospect) { p.Pool, p.NoPool = trust.Pool{}, "TLS_SUCCESSORS is 0" }, []string{
			"wso2am: the agent makes a certificate that no server trusts yet, because TLS_SUCCESSORS is 0",
			"other: the agent makes a certificate that no server trusts yet, because TLS_SUCCESSORS is 0",
			"wso2is: the agent makes a certificate that no server trusts yet, because TLS_SUCCESSORS is 0"},
			"next rotations without a restart: 0, because TLS_SUCCESSORS is 0"},
		"the pool is used up, and there is no peer": {func(p *Prospect) { p.Pool, p.Peers = trust.Pool{}, nil },
			[]string{"wso2is: the agent makes a certificate that no server trusts yet, because there is no successor yet"}, "next rotations without a restart: 0"},
		"all trust the CA":                     {func(p *Prospect) { p.CA = "A" }, nil, "a CA signs the certificates, so no successors are needed"},
		"after a theft all still trust the CA": {func(p *Prospect) { p.CA, p.Compromised = "A", true }, nil, "a CA signs the certificates, so no successors are needed"},
		"a peer trusts another CA": {func(p *Prospect) { p.CA, p.Peers[1].Fingerprints = "A", []string{"B"} },
			[]string{"other: it does not trust the CA of the next certificate yet"}, "a CA signs the certificates, so no successors are needed"},
	} {
		p := ready()
		c.change(&p)
		var got []string
		for _, r := range p.Cost() {
			got = append(got, r.Server+": "+r.Because)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: it costs %q, want %q", name, got, c.want)
		}
		if lasts := p.Lasts(); lasts != c.lasts {
			t.Errorf("%s: %q, want %q", name, lasts, c.lasts)
		}
	}
}
