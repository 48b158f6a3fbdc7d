package upgrade

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

const programsVariable = "UPGRADE_TEST_PROGRAMS"

// TestMain builds the agent and the stand-ins of this tree, once for all tests.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "upgrade-test-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		unlock, err := lockPorts()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer unlock()
		build := exec.Command("go", "build", "-trimpath", "-o", dir+string(filepath.Separator), "wso2agent/cmd/agent", "wso2agent/cmd/wso2sim")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build the programs: %v\n%s\n", err, out)
			return 1
		}
		if err := os.Setenv(programsVariable, dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// lockPorts waits until no other run of these tests on this machine uses the ports of the states.
func lockPorts() (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(os.TempDir(), "wso2agent-upgrade-test.lock"), os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

// before builds the programs of the version that made the volumes.
var before = sync.OnceValues(func() (dir string, err error) {
	commit, err := os.ReadFile("testdata/COMMIT")
	if err != nil {
		return "", err
	}
	dir = filepath.Join(os.Getenv(programsVariable), "before")
	_, err = Build(context.Background(), strings.TrimSpace(string(commit)), dir)
	return dir, err
})

// earlierAgent is the agent of the version that made the volumes. The test is skipped where this copy of the repository does
// not have that commit.
func earlierAgent(t *testing.T) string {
	t.Helper()
	commit, err := os.ReadFile("testdata/COMMIT")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("git", "cat-file", "-e", strings.TrimSpace(string(commit))+"^{commit}").CombinedOutput(); err != nil {
		t.Skipf("the earlier version cannot be built, because its commit %.7s is not here: %v %s", commit, err, out)
	}
	dir, err := before()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "agent")
}

// place is a test's copy of the volumes of a state.
type place struct {
	*World
	t     *testing.T
	found map[string]string // the files on the volumes, as the version before has left them
}

// inUse has a lock for each state, by its name: two tests of one state would use the same ports.
var inUse sync.Map

// unpacked returns the installation of a state, with its volumes as they are in testdata.
func unpacked(t *testing.T, s State) place {
	t.Helper()
	ports, _ := inUse.LoadOrStore(s.Name, &sync.Mutex{})
	ports.(*sync.Mutex).Lock()
	t.Cleanup(ports.(*sync.Mutex).Unlock) // after the processes have ended
	dir, programs := t.TempDir(), os.Getenv(programsVariable)
	p := place{World: s.World(dir, filepath.Join(programs, "agent"), filepath.Join(programs, "wso2sim")), t: t}
	p.must(Unpack(s.Archive(), dir))
	p.found = p.files()
	t.Cleanup(func() {
		p.Stop()
		if !t.Failed() {
			return
		}
		for _, side := range p.Sides() {
			text, _ := os.ReadFile(side.Log())
			t.Logf("--- log of %s\n%s", side.Name, text)
		}
	})
	return p
}

func (p place) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p place) until(what string, not func() string) {
	p.t.Helper()
	p.must(p.Until(p.t.Context(), what, not))
}

// ready waits until both sidecars are.
func (p place) ready() {
	p.t.Helper()
	p.until("both agents are ready", p.AllReady)
}

func (p place) init() {
	p.t.Helper()
	p.must(p.Init(p.t.Context()))
}

func (p place) run() {
	p.t.Helper()
	p.must(p.Run())
}

// servers starts both servers, and no sidecar, without an init container before.
func (p place) servers() {
	p.t.Helper()
	for _, s := range p.Sides() {
		p.must(s.StartServer())
	}
}

// serving waits until agent exec says that both servers serve.
func (p place) serving(sides ...*Side) {
	p.t.Helper()
	p.until("the servers serve", func() string {
		for _, s := range sides {
			if now := p.started(s); now.Serves != "yes" || now.Since == p.startedThen(s).Since {
				return s.Name + " does not"
			}
		}
		return ""
	})
}

func (p place) agents() {
	p.t.Helper()
	for _, s := range p.Sides() {
		p.must(s.StartAgent())
	}
}

// files are the contents of all files on the volumes, by their paths. What agents and servers keep nothing in is left out:
// logs, locks and the servers' homes.
func (p place) files() map[string]string {
	p.t.Helper()
	all := map[string]string{}
	p.must(filepath.WalkDir(p.Dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(p.Dir, path)
		if e.IsDir() {
			if e.Name() == "home" || e.Name() == "logs" {
				return fs.SkipDir
			}
			return nil
		}
		data, err := os.ReadFile(path)
		all[name] = string(data)
		return err
	}))
	return all
}

// wantKept compares the files on the volumes with those that the version before has left: none is gone, none has another
// content but those whose names end as changing says, and one that is new is an agent's own. The file with the keys keeps its fields, and
// gains some.
func (p place) wantKept(changing ...string) {
	p.t.Helper()
	now := p.files()
	for name, was := range p.found {
		text, there := now[name]
		if !there {
			p.t.Errorf("%s is gone", name)
		} else if text != was && !(name == "output/application-keys.json" && keepsFields(was, text)) && !slices.ContainsFunc(changing, func(end string) bool { return strings.HasSuffix(name, end) }) {
			p.t.Errorf("%s has changed: %s", name, differs(was, text))
		}
	}
	for name := range now {
		if _, there := p.found[name]; !there && name != "output/km-user.json" && !strings.Contains(name, "/.agent/") && !strings.HasPrefix(name, "exchange/") {
			p.t.Errorf("%s is new, and no working file of an agent", name)
		}
	}
}

// keepsFields reports whether a JSON object has all fields of another one, with the same values.
func keepsFields(was, is string) bool {
	var before, now map[string]any
	if json.Unmarshal([]byte(was), &before) != nil || json.Unmarshal([]byte(is), &now) != nil || len(before) == 0 {
		return false
	}
	for name, value := range before {
		if !reflect.DeepEqual(now[name], value) {
			return false
		}
	}
	return true
}

func differs(was, is string) string {
	if strings.ContainsFunc(was+is, func(r rune) bool { return r == 0 || r == '\uFFFD' }) {
		return fmt.Sprintf("it had %d bytes and has %d", len(was), len(is))
	}
	return fmt.Sprintf("it was\n%s\nand is\n%s", was, is)
}

// wantStarts compares how often a server has started since it had started before times.
func (p place) wantStarts(s *Side, before, want int) {
	p.t.Helper()
	if got := s.Starts() - before; got != want {
		p.t.Errorf("%s has started %d times with the new version, want %d", s.Name, got, want)
	}
}

// startsSoFar are the starts of both servers, API-M's first.
func (p place) startsSoFar() (am, is int) { return p.AM.Starts(), p.IS.Starts() }

// started is what agent exec has said of a server.
type started struct {
	Generation string
	Serves     string
	Since      string
}

func (p place) started(s *Side) (v started) {
	p.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.Volume(), ".agent/started.json"))
	p.must(err)
	p.must(json.Unmarshal(data, &v))
	return v
}

// startedThen is what started was in the volumes that the version before has left.
func (p place) startedThen(s *Side) (v started) {
	p.t.Helper()
	p.must(json.Unmarshal([]byte(p.found[s.Product+"/volume/.agent/started.json"]), &v))
	return v
}

// published are the fingerprints of a server's certificates on the exchange volume, the one in use first.
func (p place) published(s *Side) []string {
	p.t.Helper()
	data, err := os.ReadFile(filepath.Join(p.Exchange(), s.Name, "certs.pem"))
	p.must(err)
	return fingerprints(data)
}

// publishedThen are those in the volumes that the version before has left.
func (p place) publishedThen(s *Side) []string {
	return fingerprints([]byte(p.found["exchange/"+s.Name+"/certs.pem"]))
}

func fingerprints(data []byte) (all []string) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		all = append(all, fingerprint(block.Bytes))
	}
	return all
}

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return strings.ReplaceAll(fmt.Sprintf("% X", sum), " ", ":")
}

// presents is the fingerprint of the certificate that a running server shows.
func (p place) presents(s *Side) (f string) {
	conn, err := tls.Dial("tcp", "localhost:"+s.Port, &tls.Config{
		InsecureSkipVerify: true, // the test compares the certificate itself
		VerifyConnection: func(state tls.ConnectionState) error {
			f = fingerprint(state.PeerCertificates[0].Raw)
			return nil
		},
	})
	if err != nil {
		return err.Error()
	}
	conn.Close()
	return f
}

// trusts reports whether a server's truststore holds a certificate.
func (p place) trusts(s *Side, fingerprint string) bool {
	p.t.Helper()
	stores, err := filepath.Glob(filepath.Join(s.Volume(), "repository/resources/security/client-truststore.*"))
	if err != nil || len(stores) != 1 {
		p.t.Fatal(stores, err)
	}
	out, err := exec.Command(p.Agent, "certs", "list", "--json", "--store", stores[0]).Output()
	p.must(err)
	var entries []struct {
		Fingerprint string `json:"sha256"`
	}
	p.must(json.Unmarshal(out, &entries))
	return slices.ContainsFunc(entries, func(e struct {
		Fingerprint string `json:"sha256"`
	}) bool {
		return e.Fingerprint == fingerprint
	})
}

// truststore is the content of a server's truststore.
func (p place) truststore(s *Side) string {
	p.t.Helper()
	for name, text := range p.files() {
		if strings.HasPrefix(name, s.Product+"/volume/repository/resources/security/client-truststore.") {
			return text
		}
	}
	p.t.Fatalf("%s has no truststore", s.Name)
	return ""
}

// lines are the lines of an agent's log that hold all of the parts.
func (p place) lines(s *Side, parts ...string) (found []string) {
	p.t.Helper()
	text, err := os.ReadFile(s.Log())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		if !slices.ContainsFunc(parts, func(part string) bool { return !bytes.Contains(line, []byte(part)) }) {
			found = append(found, strings.TrimSpace(string(line)))
		}
	}
	return found
}

// withoutErrors fails for every error that an agent has logged, but for those that hold one of the given texts.
func (p place) withoutErrors(but ...string) {
	p.t.Helper()
	for _, s := range p.Sides() {
		for _, line := range p.lines(s, `"level":"ERROR"`) {
			if slices.ContainsFunc(but, func(text string) bool { return strings.Contains(line, text) }) {
				continue
			}
			p.t.Errorf("%s: %s", s.Name, line)
		}
	}
}

// remove removes a file from a volume.
func (p place) remove(path string) {
	p.t.Helper()
	p.must(os.Remove(path))
}

func missing(holds bool, sentence string) string {
	if holds {
		return ""
	}
	return sentence
}
