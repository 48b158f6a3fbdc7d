package rotation

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/trust"
)

// The tables of the tests of Decide: each case changes little of a snapshot at rest, and has what follows from it, line by line.

// atRest is the server b, which runs with what is on disk, and whose peers a and c trust it and are trusted.
func atRest() Snapshot {
	own := Certificate{Fingerprint: "B1"}
	text := []byte("[server]\n")
	generation := Generation(1, own, text)
	trusted := []string{"A1", "B1", "C1"}
	peer := func(name, fingerprint string) Peer {
		return Peer{Certificates: []Certificate{{Fingerprint: fingerprint}}, Trusts: trust.Trusts{Generation: "of " + name, Fingerprints: trusted}}
	}
	return Snapshot{
		Now: t0,
		Settings: Settings{Server: "b", Peers: []string{"a", "c"}, Supervised: true, TLSMode: "none", RotateTimeout: 10 * time.Minute, RotateGrace: time.Hour,
			Pace: PaceOf(5, 10*time.Minute)},
		Server:     Server{Runs: true, Known: true, Generation: generation, Process: true, Since: t0.Add(-24 * time.Hour), Wish: Wish{generation, generation}},
		Deployment: Deployment{Text: text},
		Keystore:   Keystore{Own: own, Path: "own.p12", Served: &own, Fresh: true, NextAt: "next.p12", Mine: true},
		Truststore: Truststore{Path: "trust.p12", Entries: []trust.Entry{
			{Alias: "a", Fingerprint: "A1"}, {Alias: "b", Fingerprint: "B1"}, {Alias: "c", Fingerprint: "C1"}, {Alias: "somebody's", Fingerprint: "F1"}, {Alias: "key"},
		}},
		Own:     Own{Certificates: []Certificate{own}, Trusts: trust.Trusts{Generation: generation, Fingerprints: trusted}},
		Peers:   map[string]Peer{"a": peer("a", "A1"), "c": peer("c", "C1")},
		Records: Records{Records: trust.Records{Histories: trust.Histories{"a": {Known: []string{"A1"}}, "c": {Known: []string{"C1"}}}, Edition: 1}},
		Memory:  Memory{Wish: Wish{generation, generation}},
	}
}

// issuing is a snapshot at rest with TLS_MODE=issue. The agent has issued the certificate in use.
func issuing() Snapshot {
	s := atRest()
	s.Settings.TLSMode = "issue"
	s.TLS = TLS{Named: true, Installed: &Identity{Leaf: s.Keystore.Own, Chain: "B1"}}
	return s
}

// staging is issuing with another identity that is staged. The agent has announced it a minute ago.
func staging() Snapshot {
	s := issuing()
	s.TLS.Staged, s.TLS.IsStaged = &Identity{Leaf: Certificate{Fingerprint: "B2"}, Chain: "B2"}, true
	announced(&s)
	return s
}

// announced is what the record and the publication of b are a minute after it has announced B2.
func announced(s *Snapshot) {
	s.Own.Certificates = []Certificate{{Fingerprint: "B1"}, {Fingerprint: "B2"}}
	s.Records.Rotation = trust.Rotation{Announced: "B2", Since: t0.Add(-time.Minute)}
}

// peer changes what a peer has published.
func (s *Snapshot) peer(name string, change func(*Peer)) {
	p := s.Peers[name]
	change(&p)
	s.Peers[name] = p
}

// trusting makes the running servers of peers trust more certificates.
func (s *Snapshot) trusting(fingerprint string, names ...string) {
	for _, name := range names {
		s.peer(name, func(p *Peer) { p.Trusts.Fingerprints = append(slices.Clone(p.Trusts.Fingerprints), fingerprint) })
	}
}

// due makes a restart due: the settings have changed.
func (s *Snapshot) due() { s.Deployment.Text = []byte("[server]\nname = 1\n") }

// unreported makes the server one of which no start was reported, while agent exec was told what a start reads.
func (s *Snapshot) unreported() {
	s.Memory.Wish.Running = ""
	s.Server = Server{Runs: true, Wish: s.Memory.Wish}
}

// stopped makes the snapshot one of an init: no server runs.
func (s *Snapshot) stopped() {
	s.Settings.Init = true
	s.Server = Server{Wish: s.Server.Wish}
	s.Memory = Memory{}
}

// outcome is what follows from a snapshot, a line for each action, message, condition and change of the memory, in the order in
// which they happen. The generations are called "disk" and "running", the time is called "now".
func outcome(s Snapshot, d Decision) (lines []string) {
	names := strings.NewReplacer(cmp.Or(d.Generation, "no generation"), "disk", cmp.Or(s.Server.Generation, "no generation"), "running",
		fmt.Sprint(s.Now), "now", fmt.Sprint(time.Time{}), "never")
	add := func(format string, args ...any) { lines = append(lines, names.Replace(fmt.Sprintf(format, args...))) }
	for i := range len(d.Actions) + 1 {
		for _, m := range d.Messages {
			if m.After == i {
				add("%s %s", m.Level, cmp.Or(m.Topic, m.Text))
			}
		}
		for _, c := range d.Conditions {
			if c.After == i && (!c.OK || !strings.Contains(atRestIs, c.Text)) {
				add("%s %s: %s", map[[2]bool]string{{true, false}: "ready", {false, false}: "not ready", {true, true}: "fine", {false, true}: "advice"}[[2]bool{c.OK, c.Advisory}], c.Name, c.Text)
			}
		}
		if i < len(d.Actions) {
			add("do %s", Describe(d.Actions[i]))
		}
	}
	if len(d.Missing) > 0 {
		add("missing %v", d.Missing)
	}
	before, after := s.Memory, d.Memory
	if before.Wish != after.Wish {
		add("wish %v", after.Wish)
	}
	if before.Asked != after.Asked {
		add("asked %s", cmp.Or(after.Asked, "nothing"))
	}
	if before.Starts != after.Starts {
		add("starts %t", after.Starts)
	}
	if !before.Upgrade.Equal(after.Upgrade) {
		add("upgrade %v", after.Upgrade)
	}
	if !before.Queued.Equal(after.Queued) {
		add("queued %v", after.Queued)
	}
	if b, a := slices.Sorted(maps.Keys(before.Claims)), slices.Sorted(maps.Keys(after.Claims)); !slices.Equal(a, b) {
		add("claims %v", a)
	}
	if !slices.Equal(before.Paced, after.Paced) {
		add("paced %v", after.Paced)
	}
	if before.Reload != after.Reload {
		r := after.Reload
		add("reload %s since %v, served %t, failed %t", cmp.Or(r.Generation, "nothing"), r.Since, r.Served, r.Failed)
	}
	if before.Issued != after.Issued {
		add("issued %t", after.Issued)
	}
	if !d.Wake.IsZero() {
		add("wake after %s", d.Wake.Sub(s.Now))
	}
	if d.Trouble != nil {
		add("trouble: %v", d.Trouble)
	}
	if d.Err != nil {
		add("error: %v", d.Err)
	}
	if d.Again {
		add("again")
	}
	return lines
}

// atRestIs has the texts of conditions that a server at rest has anyway.
const atRestIs = `own certificate published, 3 trusted
own certificate published, 4 trusted
own certificate published, 5 trusted
all running servers trust 2 successors of the certificate: so many rotations need no restart of a peer, until 2029-01-01T03:04:05Z
every port serves the certificate in use
every certificate that peers publish is imported
the server runs with what is on disk
TLS_MODE is none: the server presents the certificate of its own keystore
the server's certificate is as TLS_MODE says`

// nothing is what follows if no line does.
const nothing = ""

// situation is a case of a table.
type situation struct {
	name string
	from func() Snapshot // atRest, if it is nil
	with func(*Snapshot)
	want string // lines; one that ends with * needs only to begin so
}

func (c situation) snapshot() Snapshot {
	s := atRest()
	if c.from != nil {
		s = c.from()
	}
	if c.with != nil {
		c.with(&s)
	}
	return s
}

// decides compares what follows from each situation with what is expected. A decision changes nothing of its snapshot, and the same
// snapshot always leads to the same decision.
func decides(t *testing.T, cases []situation) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := c.snapshot()
			d := Decide(s)
			if !reflect.DeepEqual(s, c.snapshot()) {
				t.Errorf("the decision has changed its snapshot to %+v", s)
			}
			if again := Decide(s); !reflect.DeepEqual(again, d) {
				t.Errorf("the same snapshot leads to %+v and then to %+v", d, again)
			}
			got := outcome(s, d)
			var want []string
			for line := range strings.Lines(strings.TrimSpace(c.want)) {
				want = append(want, strings.TrimSpace(line))
			}
			if !slices.EqualFunc(got, want, func(got, want string) bool {
				begins, part := strings.CutSuffix(want, "*")
				return got == want || part && strings.HasPrefix(got, begins)
			}) {
				t.Errorf("it decides\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
			}
		})
	}
}

func TestAServerAtRestIsLeftAlone(t *testing.T) {
	decides(t, []situation{
		{"with the certificate of its own keystore", nil, nil, nothing},
		{"with one that the agent has issued", issuing, nil, nothing},
		{"without a server that could be restarted", nil, func(s *Snapshot) {
			s.Settings.Supervised, s.Server = false, Server{Runs: true}
			s.Memory.Asked = s.Memory.Wish.OnDisk
		}, `
			ready restart: not known, since RESTART is none*`},
		{"as far as the one who took the snapshot says", nil, func(s *Snapshot) { s.Notes = []Message{{Topic: "note"}} }, `
			INFO note`},
	})
}

func TestAServerAtRestIsReady(t *testing.T) {
	for name, c := range map[string]struct {
		s    Snapshot
		want string
	}{
		"with its own keystore": {atRest(), "TLS_MODE is none: the server presents the certificate of its own keystore"},
		"with an issued one":    {issuing(), "the server's certificate is as TLS_MODE says"},
	} {
		want := []Condition{
			{Name: IdentityCondition, OK: true, Text: c.want},
			{Name: TrustCondition, OK: true, Text: "own certificate published, 3 trusted"},
			{Name: ImportsCondition, OK: true, Text: "every certificate that peers publish is imported", Advisory: true},
			{Name: RestartCondition, OK: true, Text: "the server runs with what is on disk"},
		}
		if got := Decide(c.s).Conditions; !slices.Equal(got, want) {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}
