package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/trust"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
)

// Two agents on two machines share no lock, and API-M lets both make what each of them misses.
func TestTwoBootstrapsAtOnceEndWellAndLeaveOneOfEverything(t *testing.T) {
	p := newPlace(t)
	const ms = time.Millisecond
	p.delays = wso2sim.Delays{
		Racing: 30 * ms, Index: wso2sim.Span{Min: 20 * ms, Max: 200 * ms}, KeyManager: wso2sim.Span{Max: 300 * ms},
		Deploy: wso2sim.Span{Max: 50 * ms}, Client: wso2sim.Span{Max: 20 * ms}, Revocation: wso2sim.Span{Max: 20 * ms},
	}
	p.initBoth()
	p.startServers()
	p.acknowledge()
	var newAM, newIS bytes.Buffer
	if err := errors.Join(p.am.SaveState(&newAM), p.is.SaveState(&newIS)); err != nil {
		t.Fatal(err)
	}
	const rounds = 4 // 5 s each; -count=10 makes more
	for round := range rounds {
		if err := errors.Join(p.is.LoadState(bytes.NewReader(newIS.Bytes())), p.am.LoadState(bytes.NewReader(newAM.Bytes()))); err != nil {
			t.Fatal(err)
		}
		var runs sync.WaitGroup
		errs, keys := make([]error, 2), make([]string, 2)
		for i := range errs {
			keys[i] = filepath.Join(p.dir, "output", "machine-"+string(rune('a'+i)), "application-keys.json")
			os.RemoveAll(filepath.Dir(keys[i]))
			if err := os.Mkdir(filepath.Dir(keys[i]), 0o755); err != nil {
				t.Fatal(err)
			}
			a := p.agent(config.AM)
			a.cfg.Bootstrap.KeysFile = keys[i]
			runs.Go(func() { errs[i] = a.Bootstrap(t.Context()) })
		}
		runs.Wait()
		for i, err := range errs {
			if err != nil {
				t.Fatalf("round %d, run %d: %v", round, i, err)
			}
		}
		first, _ := os.ReadFile(keys[0])
		if second, _ := os.ReadFile(keys[1]); !bytes.Equal(first, second) {
			t.Errorf("round %d: the keys are %s and %s", round, first, second)
		}
		if names := p.names("/api/am/admin/v4/key-managers"); strings.Join(names, ",") != "WSO2-IS,Resident Key Manager" {
			t.Errorf("round %d: key managers %q", round, names)
		}
		if names := p.names("/api/am/devportal/v3/applications"); strings.Join(names, ",") != "Agent Application,DefaultApplication" {
			t.Errorf("round %d: applications %q", round, names)
		}
	}
}

func TestTwoAgentsWithOneKeysFileWorkOneAfterTheOther(t *testing.T) {
	p := newPlace(t)
	p.delays = wso2sim.Delays{KeyManager: wso2sim.Span{Min: 300 * time.Millisecond, Max: 300 * time.Millisecond}}
	p.initBoth()
	p.startServers()
	p.acknowledge()
	var runs sync.WaitGroup
	errs := make([]error, 2)
	for i := range errs {
		a := p.agent(config.AM)
		a.waitInVain = 4 * time.Second // a wait is told of after three
		runs.Go(func() { errs[i] = a.Bootstrap(t.Context()) })
	}
	runs.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	log := p.log.String()
	if n := strings.Count(log, `for="another agent that brings the servers to the desired state"`); n != 1 {
		t.Errorf("%d agents waited", n)
	}
	reached := regexp.MustCompile(`the desired state is reached" .*changes=(\d+)`).FindAllStringSubmatch(log, -1)
	if len(reached) != 2 || reached[0][1] == "0" || reached[1][1] != "0" {
		t.Errorf("changes %q", reached)
	}
}

func TestABootstrapWaitsForAnotherNoLongerThanItsTime(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.startServers()
	p.acknowledge()
	unlock, err := file.Lock(t.Context(), filepath.Join(p.dir, "output", file.WorkDir, "bootstrap.lock"), func() {})
	if err != nil {
		t.Fatal(err)
	}
	p.set(config.AM, func(c *config.Config) { c.Bootstrap.Timeout = time.Second })
	if err := p.agent(config.AM).Bootstrap(t.Context()); !errors.Is(err, ErrTimeout) || !strings.Contains(err.Error(), "another agent holds it") {
		t.Errorf("error = %v", err)
	}
	unlock()
	p.set(config.AM, func(c *config.Config) { c.Bootstrap.Timeout = time.Minute })
	if err := p.agent(config.AM).Bootstrap(t.Context()); err != nil {
		t.Error(err)
	}
}

// names are those of a list of API-M.
func (p *place) names(path string) (names []string) {
	p.t.Helper()
	hc := wso2.NewHTTPClient(trust.PinsOf(p.agent(config.AM).cfg), nil)
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.am.URL()+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	req.SetBasicAuth("admin", "admin")
	resp, err := hc.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	var list struct{ List []struct{ Name string } }
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		p.t.Fatal(err)
	}
	for _, entry := range list.List {
		names = append(names, entry.Name)
	}
	return names
}
