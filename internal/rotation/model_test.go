package rotation

import (
	"cmp"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"wso2agent/internal/trust"
)

// The model is a world of servers, as far as rotation is concerned: what their volumes hold, what their processes have read, and
// what their agents are about to do. Decide is the real one; everything that surrounds it is modelled: package agent's reading and
// executing, agent exec, and the servers.

// Times of the model. Certificates outlive everything.
const (
	modelTimeout = 10 * time.Minute
	modelGrace   = time.Hour
	modelWindow  = 5 * time.Hour // from the start until windows open
)

var modelStart = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// phase is how far a server's process is.
type phase int

const (
	down     phase = iota
	launched       // agent exec has noted the generation, and the server has read nothing yet
	started        // it has read its files, and does not serve yet
	serving
	stopping // agent exec has said that it stops
)

func (p phase) String() string {
	return []string{"down", "launched", "started", "serving", "stopping"}[p]
}

// modelServer is a server with its volumes and its agent.
type modelServer struct {
	name       string
	supervised bool
	tlsMode    string
	ahead      int       // TLS_SUCCESSORS; a server with any loads a new certificate while it runs
	opens      time.Time // when its maintenance window opens; zero: it has none

	// On the config volume.
	key             string // certificate in the server's own keystore
	installed       string // in the keystore that the agent makes, "" for none
	staged          string
	pool            []string // issued in advance
	pem             string   // in TLS_FILES_DIR
	named           bool     // deployment.toml names the agent's keystore
	asked, stolen   bool     // for a new identity, and to throw away the pool
	served, next    string   // copies of the own keystore
	entries         []trust.Entry
	edition         int
	record          trust.Rotation
	histories       trust.Histories
	undone          trust.Undone
	running, onDisk string // the wish that agent exec finds

	// On the exchange volume.
	published  []string
	successors []string
	trusts     trust.Trusts
	turn       trust.Turn
	backup     *modelServer // whose statement somebody can restore; nil: nobody can

	// The process.
	phase     phase
	says      phase     // what agent exec has last reported: serving, or started for a server that does not serve
	gen       string    // with which it started
	shows     string    // certificate
	second    string    // certificate of another port, which loads a new one at another time
	home      string    // certificate in the keystore that the process loads again and again
	stuck     bool      // the other port loads none any more
	request   Load      // to agent exec
	placed    Placed    // its answer
	loading   []string  // what it has placed, and not noted as served
	found     []string  // the agent's fingerprints in the truststore before the start
	presented string    // certificate that the start was to present
	knows     []string  // fingerprints of what it trusts
	since     time.Time // when it started
	starts    int
	byAgent   bool // it is down because its agent has asked for a restart

	// The agent.
	memory  Memory
	pending []Action // of the pass that is going on
	words   []string // that describe them
	again   bool
	pressed bool // this pass switches though not every peer trusts the new certificate
	hurried bool // this pass takes the turn to restart though a peer has not finished
	wake    time.Time
}

// model is a state of the world.
type model struct {
	now         time.Time
	servers     []*modelServer
	decideBy    func(Snapshot) Decision // Decide, unless a test tries another one
	issued      int                     // certificates so far
	excused     map[string]bool         // certificates that a server may present though a peer refuses them
	byHand      map[string]bool         // certificates that somebody has put in place
	generations map[string]generation   // what each stands for; all states share it
	outside     string                  // server that has restarted outside of its maintenance window
	shared      bool                    // an agent has taken the turn to restart at the end of a peer's time for it
}

// generation is what a server's generation stands for.
type generation struct {
	server  int
	edition int
	own     string
	named   bool
}

func (m *model) clone() *model {
	c := *m
	c.servers = make([]*modelServer, len(m.servers))
	for i, s := range m.servers {
		t := *s
		c.servers[i] = &t // slices and maps are replaced, never changed
	}
	return &c
}

func (m *model) certificate() string {
	m.issued++
	return fmt.Sprintf("%02X:00:00:%02X:EE", m.issued, m.issued)
}

// newModel is a world at rest: each server runs and trusts the others.
func newModel(modes ...string) *model {
	m := &model{now: modelStart, decideBy: Decide, excused: map[string]bool{}, byHand: map[string]bool{}, generations: map[string]generation{}}
	for i, mode := range modes {
		mode, without := strings.CutSuffix(mode, " without agent exec")
		mode, restored := strings.CutSuffix(mode, " restored")
		mode, closed := strings.CutSuffix(mode, " closed")
		mode, ahead := strings.CutSuffix(mode, " ahead")
		s := &modelServer{name: string(rune('a' + i)), supervised: !without, tlsMode: mode, key: m.certificate()}
		if ahead {
			s.ahead = 1
		}
		if restored {
			s.backup = &modelServer{}
		}
		if closed {
			s.opens = modelStart.Add(modelWindow)
		}
		s.entries = []trust.Entry{{Alias: "foreign", Fingerprint: "FF:FF:FF:FF"}, {Alias: "key"}}
		if mode == "files" {
			s.pem = m.certificate()
		}
		m.servers = append(m.servers, s)
	}
	m.boot()
	return m
}

// boot runs all inits and starts all servers.
func (m *model) boot() {
	for range 8 {
		for i := range m.servers {
			m.wholePass(i, true)
		}
	}
	for i := range m.servers {
		m.start(i)
	}
	if err := m.settle(); err != nil {
		panic(fmt.Sprint("the model does not come up: ", err))
	}
	for _, s := range m.servers {
		s.starts = 0
		if s.backup != nil {
			s.backup = &modelServer{published: s.published, successors: s.successors, trusts: s.trusts, turn: s.turn}
		}
	}
}

// own is the certificate that a start presents.
func (s *modelServer) own() *string {
	if s.named {
		return &s.installed
	}
	return &s.key
}

func modelCertificate(fingerprint string) Certificate {
	return Certificate{Fingerprint: fingerprint, NotBefore: modelStart.AddDate(-1, 0, 0), NotAfter: modelStart.AddDate(100, 0, 0)}
}

func modelCertificates(list []string) (certs []Certificate) {
	for _, f := range list {
		certs = append(certs, modelCertificate(f))
	}
	return certs
}

func modelIdentity(fingerprint string) *Identity {
	if fingerprint == "" {
		return nil
	}
	return &Identity{Leaf: modelCertificate(fingerprint), Chain: fingerprint, RenewAt: modelStart.AddDate(99, 0, 0)}
}

func (s *modelServer) text() []byte { return fmt.Appendf(nil, "named = %t\n", s.named) }

// snapshot is what package agent would read.
func (m *model) snapshot(i int, init bool) Snapshot {
	s := m.servers[i]
	snap := Snapshot{
		Now: m.now, Memory: s.memory,
		Settings: Settings{Server: s.name, Init: init, Supervised: s.supervised, TLSMode: s.tlsMode, Successors: s.ahead, Reload: s.ahead > 0, RotateTimeout: modelTimeout, RotateGrace: modelGrace,
			Pace: PaceOf(1_000_000, time.Hour)},
		Server: Server{Runs: !init || s.phase != down, Known: s.supervised && s.starts+len(s.gen) > 0, Generation: s.gen, Process: s.phase != down, Since: s.since,
			Starting: s.says != serving, Wish: Wish{s.running, s.onDisk}, Trusts: s.found, Presented: s.presented, Reloads: s.ahead > 0, Placed: s.placed, Loading: s.loading},
		Deployment: Deployment{Text: s.text()},
		TLS: TLS{Named: s.named, Installed: modelIdentity(s.installed), Staged: modelIdentity(s.staged), IsStaged: s.staged != "", Files: modelIdentity(s.pem),
			Asked: s.asked, Stolen: s.stolen},
		Keystore:   Keystore{Own: modelCertificate(*s.own()), Path: "keystore", Fresh: s.served == *s.own(), IsBack: s.served == *s.own(), Mine: true},
		Truststore: Truststore{Entries: s.entries},
		Own:        Own{Certificates: modelCertificates(s.published), Successors: modelCertificates(s.successors), Trusts: s.trusts, Turn: s.turn},
		Records:    Records{Records: trust.Records{Rotation: s.record, Histories: s.histories, Edition: s.edition, Undone: s.undone}},
		Peers:      map[string]Peer{},
	}
	if m.now.Before(s.opens) {
		snap.Maintenance.Opens = s.opens
	}
	for _, f := range s.pool {
		snap.TLS.Successors = append(snap.TLS.Successors, modelIdentity(f))
	}
	for _, e := range s.entries {
		if owner := trust.Owner(e, []string{s.name}); owner != "" {
			snap.Truststore.Own = append(snap.Truststore.Own, modelCertificate(e.Fingerprint))
		}
	}
	if s.memory.Reload.Generation != "" && s.phase >= started {
		snap.Server.Listeners = []Listener{{"one", s.shows}, {"other", s.second}}
	}
	if !s.supervised {
		snap.Server = Server{Runs: snap.Server.Runs}
	}
	if s.served != "" {
		served := modelCertificate(s.served)
		snap.Keystore.Served = &served
	}
	if s.next != "" {
		next := modelCertificate(s.next)
		snap.Keystore.Next = &next
	}
	snap.Deployment.Pending = s.tlsMode != "none" && !s.named && snap.TLS.Counts(snap.Own.Certificates)
	for j, peer := range m.servers {
		if j == i {
			continue
		}
		snap.Settings.Peers = append(snap.Settings.Peers, peer.name)
		snap.Peers[peer.name] = Peer{Certificates: modelCertificates(peer.published), Silent: len(peer.published) == 0, Successors: modelCertificates(peer.successors), Trusts: peer.trusts, Turn: peer.turn}
	}
	return snap
}

// decide begins a pass.
func (m *model) decide(i int, init bool) {
	s := m.servers[i]
	if !s.again { // a new round
		s.memory.Trouble, s.memory.Issued, s.memory.Ahead = nil, false, 0
	}
	d := m.decideBy(m.snapshot(i, init))
	if d.Err != nil {
		panic(fmt.Sprintf("%s: %v", s.name, d.Err))
	}
	for _, own := range []string{*s.own(), s.served} {
		m.generations[Generation(s.edition, modelCertificate(own), s.text())] = generation{i, s.edition, own, s.named}
	}
	s.memory, s.pending, s.again, s.wake = d.Memory, d.Actions, d.Again, d.Wake
	s.words = nil
	for _, a := range d.Actions {
		s.words = append(s.words, Describe(a))
	}
	s.pressed = slices.ContainsFunc(d.Messages, func(m Message) bool { return m.Topic == "pressed" })
	for j, peer := range m.servers {
		if s.pressed && !d.Rotation.Hurry && j != i && m.now.Before(peer.trusts.After) && !slices.Contains(peer.trusts.Fingerprints, d.Rotation.Announced) {
			panic(fmt.Sprintf("%s switches though %s has said that its restart waits", s.name, peer.name))
		}
	}
	s.hurried = slices.ContainsFunc(d.Messages, func(m Message) bool { return strings.Contains(m.Text, "has not finished its restart") })
}

// act executes the next action of a pass.
func (m *model) act(i int) (done Action) {
	s := m.servers[i]
	done, s.pending, s.words = s.pending[0], s.pending[1:], s.words[1:]
	switch do := done.(type) {
	case Issue:
		s.staged, s.asked, s.stolen = m.certificate(), false, false
	case IssueSuccessor:
		s.pool = append(slices.Clone(s.pool), m.certificate())
	case StageSuccessor:
		s.staged, s.asked, s.stolen = do.Fingerprint, false, false
		s.dropSuccessor(do.Fingerprint)
	case DropSuccessor:
		s.dropSuccessor(do.Fingerprint)
	case Stage:
		s.staged, s.asked = s.pem, false
	case DropStaged:
		s.staged = ""
	case Install:
		s.installed = s.staged
		m.excuse(s.pressed, s.staged)
	case MakeSettings:
		s.named = true
	case PutBack:
		s.next, *s.own() = *s.own(), s.served
	case InstallReplaced:
		m.excuse(s.pressed, s.next)
		*s.own(), s.next = s.next, ""
	case DropReplaced:
		s.next = ""
	case KeepServed:
		s.served = *s.own()
	case Publish:
		s.published = do.Fingerprints
	case PublishSuccessors:
		s.successors = do.Fingerprints
	case RaiseEdition:
		s.edition++
	case Load:
		s.request = do
	case SaveRotation:
		s.record = do.Rotation
	case SaveHistories:
		s.histories = do.Histories
	case SaveUndone:
		s.undone = do.Undone
	case Import:
		s.importChanges(do.Changes)
	case Acknowledge:
		s.trusts = do.Trusts
	case SayTurn:
		s.turn = do.Turn
		m.shared = m.shared || s.hurried
	case Request:
		if s.supervised {
			s.running, s.onDisk = do.Generation, do.Generation
		}
		m.excuse(s.pressed, *s.own()) // the switch to a keystore that lies in place is this restart
	case Hold:
		if s.supervised {
			s.running, s.onDisk = do.Running, do.OnDisk
		}
	case Note:
	default:
		panic(fmt.Sprintf("the model has no way to do %s", Describe(done)))
	}
	return done
}

func (s *modelServer) dropSuccessor(fingerprint string) {
	s.pool = slices.DeleteFunc(slices.Clone(s.pool), func(f string) bool { return f == fingerprint })
}

func (m *model) excuse(pressed bool, certificate string) {
	if pressed {
		m.excused = maps.Clone(m.excused)
		m.excused[certificate] = true
	}
}

func (s *modelServer) importChanges(changes []trust.Change) {
	entries := slices.Clone(s.entries)
	for _, c := range changes {
		entries = slices.DeleteFunc(entries, func(e trust.Entry) bool { return e.Alias == c.Alias })
		if c.Action != trust.Removed {
			entries = append(entries, trust.Entry{Alias: c.Alias, Fingerprint: c.Fingerprint})
		}
	}
	if slices.ContainsFunc(changes, func(c trust.Change) bool { return c.Fresh && !c.Spare }) {
		s.edition++
	}
	slices.SortFunc(entries, func(a, b trust.Entry) int { return cmp.Compare(a.Alias, b.Alias) })
	s.entries = entries
}

// wholePass does passes until none follows at once.
func (m *model) wholePass(i int, init bool) {
	s := m.servers[i]
	for n := 0; ; n++ {
		m.decide(i, init)
		for len(s.pending) > 0 {
			m.act(i)
		}
		if !s.again {
			return
		}
		if n == 50 {
			panic(s.name + " does passes without end")
		}
	}
}

// due reports whether agent exec is to restart the server.
func (s *modelServer) due() bool {
	return s.supervised && s.running != "" && s.running == s.onDisk && s.running != s.gen
}

// advance lets agent exec and the server do their next step; ok is false if there is none.
func (m *model) advance(i int) (what string, ok bool) {
	s := m.servers[i]
	switch {
	case s.phase == down && s.supervised && s.says == serving:
		s.says, s.since = started, m.now
		return "agent exec says that the server starts", true
	case s.phase == down && s.supervised && len(s.pending) > 0:
		return "", false // agent exec waits until the agent has ended its pass
	case s.phase == down:
		s.gen, s.phase, s.says, s.since = s.onDisk, launched, started, m.now
		s.starts++
		s.found, s.presented, s.request, s.placed, s.loading, s.stuck = s.owned(m), *s.own(), Load{}, Placed{}, nil, false
		return "agent exec notes the generation of a start", true
	case s.phase == launched:
		s.read()
		s.phase = started
		return "the server reads its files", true
	case s.phase == started:
		s.phase, s.says, s.byAgent = serving, serving, false
		return "the server serves", true
	case s.phase == serving && s.due():
		s.phase, s.says = stopping, started
		return "agent exec says that the server stops", true
	case s.phase == stopping && s.due():
		s.phase, s.byAgent = down, true
		// Not in its window is also a restart that crosses with a load: somebody restores a keystore at the moment in which agent exec notes
		// that the server serves another one.
		crossed := s.ahead > 0 && m.byHand[*s.own()]
		if m.now.Before(s.opens) && !s.record.Hurry && !crossed {
			m.outside = s.name
		}
		return "agent exec stops the server", true
	case s.phase == stopping:
		s.phase, s.says = serving, serving
		return "agent exec sees that the restart is no longer wanted", true
	}
	return "", false
}

// load lets agent exec place a keystore, and the running server load it; ok is false if there is nothing to load.
func (m *model) load(i int) (what string, ok bool) {
	s := m.servers[i]
	r := s.request
	open := r.Generation != "" && (r.Generation != s.gen || len(s.loading) > 0)
	switch {
	case s.phase != serving || s.ahead == 0:
	case open && !r.Served && s.placed.Generation != r.Generation:
		s.placed = Placed{Generation: r.Generation, Certificate: r.Certificate}
		if *s.own() != r.Certificate {
			s.placed.Err = "another certificate is in place"
		} else {
			s.home = r.Certificate
			if !slices.Contains(s.loading, s.home) {
				s.loading = append(slices.Clone(s.loading), s.home)
			}
		}
		return "agent exec places its keystore", true
	case s.shows != s.home:
		s.shows = s.home
		m.loaded(s)
		return "it loads its keystore", true
	case s.second != s.home && !s.stuck:
		s.second = s.home
		m.loaded(s)
		return "its other port loads the keystore", true
	case open && r.Served && s.placed.Generation == r.Generation && s.placed.Err == "":
		s.gen, s.loading = r.Generation, nil
		return "agent exec notes that it serves the new certificate", true
	}
	return "", false
}

// loaded panics if a server has loaded a certificate that it does not trust itself.
func (m *model) loaded(s *modelServer) {
	if !slices.Contains(s.knows, s.home) {
		panic(fmt.Sprintf("%s loads %s, which it does not trust itself", s.name, short(s.home)))
	}
}

// owned are the fingerprints of the agent's entries in the truststore.
func (s *modelServer) owned(m *model) []string {
	owned := []string{}
	for _, e := range s.entries {
		if e.Alias != "foreign" && e.Fingerprint != "" {
			owned = append(owned, e.Fingerprint)
		}
	}
	return owned
}

func (s *modelServer) read() {
	s.shows, s.second, s.home, s.knows = *s.own(), *s.own(), *s.own(), nil
	for _, e := range s.entries {
		if e.Fingerprint != "" {
			s.knows = append(s.knows, e.Fingerprint)
		}
	}
}

// start starts a server whole.
func (m *model) start(i int) {
	for m.servers[i].phase != serving {
		m.advance(i)
	}
}

// settle lets all come to rest: agents do their passes, servers restart, and time passes.
func (m *model) settle() error {
	for range 2000 {
		more, err := m.settleStep()
		if err != nil || !more {
			return err
		}
	}
	return fmt.Errorf("it does not come to rest: %s", m)
}

// settleStep does the next step on the way to rest; more is false at rest.
func (m *model) settleStep() (more bool, err error) {
	for i, s := range m.servers {
		if len(s.pending) > 0 {
			m.act(i)
			return true, m.fault()
		}
	}
	for i, s := range m.servers {
		before := s.state(m)
		if m.decide(i, false); s.again || s.state(m) != before {
			return true, nil
		}
	}
	for i := range m.servers {
		if _, ok := m.load(i); ok {
			return true, m.fault()
		}
		if _, ok := m.advance(i); ok {
			return true, m.fault()
		}
	}
	if m.tick() {
		return true, nil
	}
	return false, m.rest()
}

func (m *model) fault() error {
	m.forgive()
	if bad := m.check(); bad != "" {
		return errors.New(bad)
	}
	return nil
}

// tick lets the clock pass the next deadline within some hours; ok is false if there is none.
func (m *model) tick() (ok bool) {
	var next time.Time
	for _, s := range m.servers {
		next = earliest(next, s.wake)
	}
	if next.IsZero() || next.Sub(m.now) > 6*time.Hour {
		return false
	}
	m.now = later(m.now, next).Add(time.Second)
	return true
}

// forgive ends what excuses servers, as soon as its reason is gone.
func (m *model) forgive() {
	all := true // serve, and nobody claims a turn
	for _, s := range m.servers {
		all = all && s.phase == serving && s.turn.Wants == "" && s.memory.Asked == "" && len(s.pending) == 0 && !s.due()
	}
	if all {
		m.shared = false
	}
	for f := range m.excused {
		known := !slices.ContainsFunc(m.servers, func(s *modelServer) bool { // what nobody can say of a server stays unknown
			shown := s.shows == f || s.second == f
			return !shown && !slices.Contains(s.knows, f) || shown && !s.supervised
		})
		if known {
			m.excused = maps.Clone(m.excused)
			delete(m.excused, f)
		}
	}
}

// check returns what must never be, or "".
func (m *model) check() string {
	for _, s := range m.servers {
		if s.phase < started {
			continue
		}
		for _, peer := range m.servers {
			for _, shown := range []string{s.shows, s.second} {
				if peer != s && peer.phase >= started && !slices.Contains(peer.knows, shown) && !m.excused[shown] {
					return fmt.Sprintf("%s presents %s, which the running %s refuses", s.name, short(shown), peer.name)
				}
			}
		}
		for _, shown := range []string{s.shows, s.second} {
			if _, retires := s.record.Retired[shown]; retires && s.supervised {
				return fmt.Sprintf("%s retires %s, which a port of it still presents", s.name, short(shown))
			}
		}
		if s.entries[slices.IndexFunc(s.entries, func(e trust.Entry) bool { return e.Alias == "foreign" })].Fingerprint != "FF:FF:FF:FF" {
			return s.name + " has changed an entry of somebody else's"
		}
	}
	if m.outside != "" {
		return m.outside + " restarts outside of its maintenance window"
	}
	byAgents := 0
	for _, s := range m.servers {
		if s.byAgent {
			byAgents++
		}
	}
	if byAgents > 1 && !m.shared {
		return "two agents restart their servers at a time"
	}
	return ""
}

// rest returns an error unless everything is at rest as it should be.
func (m *model) rest() error {
	for _, s := range m.servers {
		if s.supervised && (s.phase != serving || s.gen != s.running || s.trusts.Generation != s.gen) {
			return fmt.Errorf("%s in the end: %s with %s, wanted %s, acknowledged %s", s.name, s.phase, s.gen, s.running, s.trusts.Generation)
		}
		if s.supervised && s.second != s.shows {
			return fmt.Errorf("the ports of %s present %s and %s in the end", s.name, short(s.shows), short(s.second))
		}
		if len(s.pool) != s.ahead {
			return fmt.Errorf("%s has %d certificates in advance in the end", s.name, len(s.pool))
		}
		if s.supervised && s.shows != s.published[0] {
			return fmt.Errorf("%s presents %s in the end, and has published %v", s.name, short(s.shows), shorts(s.published))
		}
		if !s.trusts.After.IsZero() {
			return fmt.Errorf("%s says in the end that its restart waits", s.name)
		}
		if s.turn.Wants != "" {
			return fmt.Errorf("%s still claims the turn to restart in the end", s.name)
		}
		if s.staged != "" || s.next != "" {
			return fmt.Errorf("%s has a certificate waiting in the end", s.name)
		}
		for _, peer := range m.servers {
			if peer != s && !slices.Contains(peer.knows, s.shows) && (peer.supervised && s.supervised || !m.excused[s.shows]) {
				return fmt.Errorf("%s is not trusted by the running %s in the end", s.name, peer.name)
			}
		}
	}
	return nil
}

var modelSeed, otherSeed = maphash.MakeSeed(), maphash.MakeSeed()

// key identifies a state. States that differ only in the names of certificates, in how often truststores were changed before, and
// in what the clock shows are one: nothing that follows depends on these.
func (m *model) key() [2]uint64 {
	t := text{b: make([]byte, 0, 2000), now: m.now, model: m, names: map[string]byte{}}
	for _, s := range m.servers { // first those whose order says what they are
		t.certs(s.key, s.installed, s.staged, s.pem, s.served, s.next, s.shows, s.record.Announced)
		t.certs(s.pool...)
		t.certs(s.published...)
	}
	for _, s := range m.servers {
		if s.backup != nil {
			t.certs(s.backup.published...)
			t.certs(s.backup.successors...)
		}
	}
	for _, s := range m.servers {
		s.write(&t)
	}
	t.common()
	return [2]uint64{maphash.Bytes(modelSeed, t.b), maphash.Bytes(otherSeed, t.b)}
}

func (m *model) String() string {
	t := text{now: m.now, model: m}
	for _, s := range m.servers {
		if s.backup != nil {
			t.certs(s.backup.published...)
			t.certs(s.backup.successors...)
		}
	}
	for _, s := range m.servers {
		s.write(&t)
	}
	t.common()
	return string(t.b)
}

// text appends words of a state.
type text struct {
	b     []byte
	now   time.Time
	model *model
	names map[string]byte // of certificates, in the order in which they appear; nil: their own names
}

func (t *text) add(words ...string) {
	for _, w := range words {
		t.b = append(append(t.b, ' '), w...)
	}
}

// certs appends fingerprints, which in the model are unique in their first two digits.
func (t *text) certs(fingerprints ...string) {
	for _, f := range fingerprints {
		t.b = append(append(t.b, ' '), t.name(f)...)
	}
}

func (t *text) name(fingerprint string) string {
	switch {
	case fingerprint == "":
		return "-"
	case t.names == nil:
		return fingerprint[:2]
	}
	n, ok := t.names[fingerprint]
	if !ok {
		n = byte(len(t.names))
		t.names[fingerprint] = n
	}
	return string([]byte{'A' + n/26, 'a' + n%26})
}

// set appends fingerprints whose order does not matter.
func (t *text) set(fingerprints []string) {
	var names [32]string
	all := names[:0]
	for _, f := range fingerprints {
		all = append(all, t.name(f))
	}
	slices.Sort(all)
	t.add(all...)
}

// generations appends what generations stand for, or else they themselves.
func (t *text) generations(list ...string) {
	for _, g := range list {
		made, ok := t.model.generations[g]
		if t.names == nil || !ok {
			t.add(g)
			continue
		}
		t.b = strconv.AppendInt(append(t.b, ' '), int64(made.edition-t.model.servers[made.server].edition), 10)
		t.certs(made.own)
		t.flags(made.named)
	}
}

func (t *text) flags(flags ...bool) {
	t.b = append(t.b, ' ')
	for _, f := range flags {
		if f {
			t.b = append(t.b, '1')
		} else {
			t.b = append(t.b, '0')
		}
	}
}

func (t *text) ago(at time.Time) {
	if at.IsZero() {
		t.add("never")
		return
	}
	t.b = strconv.AppendInt(append(t.b, ' '), int64(t.now.Sub(at)/time.Second), 10)
}

// common appends the state that belongs to no server.
func (t *text) common() {
	t.add("shared")
	t.flags(t.model.shared)
	t.add("excused")
	t.set(slices.Collect(maps.Keys(t.model.excused)))
}

func (t *text) rotation(r trust.Rotation) {
	t.add("rotation")
	t.flags(r.Hurry)
	t.certs(r.Announced)
	t.ago(r.Since)
	for _, f := range slices.Sorted(maps.Keys(r.Retired)) {
		t.certs(f)
		t.ago(r.Retired[f])
	}
}

func (t *text) turn(turn trust.Turn) {
	t.add("turn")
	t.generations(turn.Wants)
	t.flags(turn.Has)
	t.ago(turn.Since)
}

func (t *text) histories(all trust.Histories) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.add("history", name)
		t.certs(all[name].Known...)
	}
}

func (t *text) undone(all trust.Undone) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.add("undone", name)
		t.set(all[name])
	}
}

// alias appends an alias of the agent's without the digits of its certificate.
func (t *text) alias(alias, fingerprint string) {
	name, _ := strings.CutSuffix(alias, "-"+short(fingerprint))
	t.add(name)
	t.flags(name != alias)
	t.certs(fingerprint)
}

func (t *text) load(l Load) {
	t.generations(l.Generation)
	t.certs(l.Certificate)
	t.flags(l.Served)
}

// action appends what an agent is about to do.
func (t *text) action(a Action) {
	t.add("then", strings.TrimPrefix(fmt.Sprintf("%T", a), "rotation."))
	switch do := a.(type) {
	case Publish:
		t.certs(do.Fingerprints...)
	case PublishSuccessors:
		t.certs(do.Fingerprints...)
	case StageSuccessor:
		t.certs(do.Fingerprint)
	case DropSuccessor:
		t.certs(do.Fingerprint)
	case Load:
		t.load(do)
	case SaveRotation:
		t.rotation(do.Rotation)
	case SaveHistories:
		t.histories(do.Histories)
	case SaveUndone:
		t.undone(do.Undone)
	case Import:
		for _, c := range do.Changes {
			t.add(c.Action)
			t.alias(c.Alias, c.Fingerprint)
			t.flags(c.Fresh, c.Spare)
		}
	case Acknowledge:
		t.generations(do.Trusts.Generation)
		t.set(do.Trusts.Fingerprints)
		t.flags(do.Trusts.After.IsZero())
	case SayTurn:
		t.turn(do.Turn)
	case Request:
		t.generations(do.Generation)
	case Hold:
		t.generations(do.Running, do.OnDisk)
	case Note:
		t.generations(do.Generation)
	}
}

// state is all of a server that decides what can happen next.
func (s *modelServer) state(m *model) string {
	t := text{b: make([]byte, 0, 800), now: m.now, model: m}
	s.write(&t)
	return string(t.b)
}

func (s *modelServer) write(t *text) {
	t.add(s.name, "certificates")
	t.certs(s.key, s.installed, s.staged, s.pem, s.served, s.next, s.shows)
	t.flags(t.model.byHand[s.key], t.model.byHand[s.installed], t.model.byHand[s.served], t.model.byHand[s.next])
	t.flags(s.named, s.asked, s.memory.Starts, s.memory.Issued, s.again, s.pressed, s.hurried, s.byAgent)
	if t.names == nil {
		t.add("edition", strconv.Itoa(s.edition))
	}
	t.rotation(s.record)
	t.add("entries")
	for _, e := range s.entries {
		t.alias(e.Alias, e.Fingerprint)
	}
	t.add("wish")
	t.generations(s.running, s.onDisk)
	t.add("published")
	t.certs(s.published...)
	if s.ahead > 0 {
		t.add("pool")
		t.certs(s.pool...)
		t.flags(s.stolen, s.stuck, s.memory.Reload.Failed, s.memory.Reload.Served, s.placed.Err != "")
		t.certs(s.second, s.home, s.placed.Certificate)
		t.load(s.request)
		t.add("loading")
		t.set(s.loading)
		t.add("raised")
		t.set(s.memory.Raised)
		t.flags(s.memory.Ahead > 0)
		t.generations(s.placed.Generation, s.memory.Reload.Generation)
		t.ago(s.memory.Reload.Since)
	}
	t.add("ahead")
	t.certs(s.successors...)
	t.add("found")
	t.set(s.found)
	t.certs(s.presented)
	t.add("trusts")
	t.generations(s.trusts.Generation)
	t.set(s.trusts.Fingerprints)
	if !s.opens.IsZero() {
		t.ago(s.opens)
		t.ago(s.trusts.After)
	}
	t.turn(s.turn)
	t.add(s.phase.String(), "says", s.says.String(), "runs")
	t.generations(s.gen)
	t.add("knows")
	t.set(s.knows)
	if s.phase == started {
		t.ago(s.since)
	}
	t.add("memory")
	t.generations(s.memory.Wish.Running, s.memory.Wish.OnDisk, s.memory.Asked)
	t.ago(s.memory.Queued)
	for _, name := range slices.Sorted(maps.Keys(s.memory.Claims)) {
		c := s.memory.Claims[name]
		t.add(name)
		t.turn(c.Turn)
		t.ago(c.Since)
	}
	t.histories(s.histories)
	t.undone(s.undone)
	for _, a := range s.pending {
		t.action(a)
	}
	t.b = append(t.b, '\n')
}
