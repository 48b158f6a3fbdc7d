// Command apply measures agent apply next to bare clients, on one stand-in of API-M. Run by bench/apply.sh.
//
//	apply AGENT APIS LATENCY COST OPERATIONS
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"wso2agent/internal/wso2sim"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// bench has the stand-in, and what clients need to reach it.
type bench struct {
	agent, dir string
	apis       int
	operations int // of each API; 0: those that the agent gives an API without any
	am         *wso2sim.AM
	log        *wso2sim.RequestLog
	empty      []byte // the state of the stand-in without APIs
	env        []string
	client     *http.Client
}

func run(args []string) error {
	if len(args) != 5 {
		return errors.New("usage: apply AGENT APIS LATENCY COST OPERATIONS")
	}
	apis, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	latency, err := time.ParseDuration(args[2])
	if err != nil {
		return err
	}
	cost, err := strconv.ParseFloat(args[3], 64)
	if err != nil {
		return err
	}
	operations, err := strconv.Atoi(args[4])
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench-apply")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{agent: args[0], dir: dir, apis: apis, operations: operations, log: wso2sim.NewRequestLog()}
	if err := b.start(wso2sim.Delays{Latency: latency, Cost: cost}); err != nil {
		return err
	}
	defer b.am.Close()
	fmt.Printf("%d APIs, %s for each request on its way, %g times the work of a real server\n\n", apis, latency, cost)
	return b.compare()
}

// start starts a stand-in, and publishes its certificate as its agent would.
func (b *bench) start(delays wso2sim.Delays) (err error) {
	home := filepath.Join(b.dir, "am")
	if err := wso2sim.Unpack(home, wso2sim.ProductAM); err != nil {
		return err
	}
	ctx := context.Background()
	if b.am, err = wso2sim.StartAM(ctx, wso2sim.Options{Home: home, Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0", Delays: delays, Requests: b.log}); err != nil {
		return err
	}
	if err := b.am.Wait(ctx); err != nil {
		return err
	}
	u, err := url.Parse(b.am.URL())
	if err != nil {
		return err
	}
	conn, err := tls.Dial("tcp", u.Host, &tls.Config{InsecureSkipVerify: true}) // of this command's own stand-in
	if err != nil {
		return err
	}
	leaf := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: conn.ConnectionState().PeerCertificates[0].Raw})
	conn.Close()
	exchange := filepath.Join(b.dir, "exchange")
	if err := os.MkdirAll(filepath.Join(exchange, "wso2am"), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(exchange, "wso2am", "certs.pem"), leaf, 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(b.file(), b.desired(), 0o644); err != nil {
		return err
	}
	b.env = append(os.Environ(), "PRODUCT=am", "PEERS=none", "EXCHANGE_DIR="+exchange, "AM_HOST="+u.Hostname(), "AM_PORT="+u.Port(),
		"KEY_MANAGER_NAME=Resident Key Manager", "KEYS_FILE="+filepath.Join(b.output(), "keys.json"), "LOG_LEVEL=error")
	b.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: 8}}
	var state bytes.Buffer
	err = b.am.SaveState(&state)
	b.empty = state.Bytes()
	return err
}

func (b *bench) file() string { return filepath.Join(b.dir, "apis.yaml") }

// output is the folder of the keys, in which the agent keeps what the next run needs.
func (b *bench) output() string { return filepath.Join(b.dir, "output") }

// desired is a file of simple APIs, as many people have.
func (b *bench) desired() []byte {
	var text bytes.Buffer
	text.WriteString("apis:\n")
	for i := range b.apis {
		fmt.Fprintf(&text, "  - {name: API %d, version: 1.0.0, context: /a%d, backend_url: 'http://b%d:8080', description: What API %d is for, tags: [bench]", i, i, i, i)
		for o := range b.operations {
			text.WriteString(map[bool]string{true: ",\n     operations: [", false: ", "}[o == 0])
			fmt.Fprintf(&text, "{target: /o%d, verb: GET}", o)
		}
		if b.operations > 0 {
			text.WriteString("]")
		}
		text.WriteString("}\n")
	}
	return text.Bytes()
}

// result is what a client needed.
type result struct {
	who      string
	took     time.Duration
	requests int
	peak     int64 // bytes; 0: not measured
	apis     int   // that it made
	counts   map[string]int
}

func (b *bench) compare() error {
	var all []result
	few := min(b.apis, 50) // of one client at a time, which takes long
	for _, c := range []struct {
		who   string
		fresh bool
		apis  int
		do    func(*result) error
	}{
		{"bare client, 8 at a time", true, b.apis, func(*result) error { return b.bare(b.apis, 8) }},
		{"bare client, one at a time", true, few, func(*result) error { return b.bare(few, 1) }},
		{"curl script, 8 at a time", true, b.apis, func(*result) error { return b.curl(b.apis, 8) }},
		{"curl script, one at a time", true, few, func(*result) error { return b.curl(few, 1) }},
		{apictl + "8 at a time", true, b.apis, func(*result) error { return b.apictl(b.apis, 8) }},
		{apictl + "one at a time", true, few, func(*result) error { return b.apictl(few, 1) }},
		{"agent apply, first run", true, b.apis, b.run("apply")},
		{"agent apply, after the first run", false, b.apis, b.run("apply")},
		{"agent apply, nothing changed", false, b.apis, b.run("apply")},
		{"agent plan, nothing changed", false, b.apis, b.run("plan")},
		{"agent validate", false, b.apis, b.run("validate")},
	} {
		if os.Getenv("APICTL") == "" && strings.HasPrefix(c.who, apictl) {
			continue
		}
		if os.Getenv("BENCH_ONLY") == "agent" && !strings.HasPrefix(c.who, "agent ") {
			continue
		}
		if c.fresh {
			if err := b.am.LoadState(bytes.NewReader(b.empty)); err != nil {
				return err
			}
			if err := os.RemoveAll(b.output()); err != nil {
				return err
			}
			if err := os.Mkdir(b.output(), 0o755); err != nil { // without the folder the agent keeps nothing for the next run
				return err
			}
		}
		b.log.Reset()
		r := result{who: c.who, apis: c.apis}
		began := time.Now()
		if err := c.do(&r); err != nil {
			return fmt.Errorf("%s: %w", c.who, err)
		}
		r.took, r.counts = time.Since(began), b.log.Counts()
		for _, n := range r.counts {
			r.requests += n
		}
		if err := b.check(c.apis); err != nil {
			return fmt.Errorf("%s: %w", c.who, err)
		}
		all = append(all, r)
	}
	return show(os.Stdout, all)
}

// run returns a function that runs a command of the agent, and measures its memory.
func (b *bench) run(command string) func(*result) error {
	return func(r *result) error { return b.agentRuns(r, command) }
}

func (b *bench) agentRuns(r *result, command string) error {
	cmd := exec.Command(b.agent, command, b.file())
	var out bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = b.env, &out, &out
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	measured := make(chan struct{})
	go func() { // the peak that the kernel keeps is gone when the process ends
		defer close(measured)
		for {
			r.peak = max(r.peak, peakOf(cmd.Process.Pid))
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	err := cmd.Wait()
	close(done)
	<-measured
	if err != nil {
		text := out.String()
		return fmt.Errorf("%w\n%s", err, text[max(0, len(text)-2000):])
	}
	return nil
}

// peakOf returns VmHWM of a process in bytes; 0 if it has ended.
func peakOf(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if kib, is := strings.CutPrefix(line, "VmHWM:"); is {
			n, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kib), "kB")), 10, 64)
			return n << 10
		}
	}
	return 0
}

// bare makes the APIs with the requests that there must be, over connections that stay open.
func (b *bench) bare(apis, atOnce int) error {
	var group sync.WaitGroup
	var mu sync.Mutex
	var failed error
	next := make(chan int)
	for range atOnce {
		group.Go(func() {
			for i := range next {
				if err := b.publish(i); err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
				}
			}
		})
	}
	for i := range apis {
		next <- i
	}
	close(next)
	group.Wait()
	return failed
}

const publisher = "/api/am/publisher/v4"

// publish makes one API, and publishes it.
func (b *bench) publish(i int) error {
	id, err := b.post(publisher+"/apis", b.body(i))
	if err != nil {
		return err
	}
	revision, err := b.post(publisher+"/apis/"+id+"/revisions", []byte(`{"description":"bench"}`))
	if err != nil {
		return err
	}
	if _, err := b.post(publisher+"/apis/"+id+"/deploy-revision?revisionId="+revision, []byte(`[{"name":"Default","vhost":"localhost","displayOnDevportal":true}]`)); err != nil {
		return err
	}
	_, err = b.post(publisher+"/apis/change-lifecycle?action=Publish&apiId="+id, nil)
	return err
}

// body is an API as the agent sends it.
func (b *bench) body(i int) []byte {
	operations := []any{}
	add := func(target, verb string) {
		operations = append(operations, map[string]any{"target": target, "verb": verb, "authType": "Application & Application User", "throttlingPolicy": "Unlimited"})
	}
	for o := range b.operations {
		add(fmt.Sprintf("/o%d", o), "GET")
	}
	if b.operations == 0 {
		for _, verb := range []string{"GET", "PUT", "POST", "DELETE", "PATCH"} {
			add("/*", verb)
		}
	}
	endpoint := map[string]any{"url": fmt.Sprintf("http://b%d:8080", i)}
	text, _ := json.Marshal(map[string]any{
		"name": fmt.Sprintf("API %d", i), "version": "1.0.0", "context": fmt.Sprintf("/a%d", i), "type": "HTTP", "description": fmt.Sprintf("What API %d is for", i), "tags": []string{"bench"},
		"policies": []string{"Unlimited"}, "endpointConfig": map[string]any{"endpoint_type": "http", "production_endpoints": endpoint, "sandbox_endpoints": endpoint}, "operations": operations,
	})
	return text
}

func (b *bench) post(path string, body []byte) (id string, err error) {
	r, err := http.NewRequest(http.MethodPost, b.am.URL()+path, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	r.SetBasicAuth("admin", "admin")
	r.Header.Set("Content-Type", "application/json")
	answer, err := b.client.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= 300 {
		return "", fmt.Errorf("POST %s: %d %s %w", path, answer.StatusCode, text, err)
	}
	var object struct{ ID string }
	if err := json.Unmarshal(text, &object); err != nil && len(text) > 0 && text[0] == '{' {
		return "", err
	}
	return object.ID, nil
}

// script publishes the API of a number with curl. It fails if a request does. It uses -k, because it only talks to this command's own stand-in.
const script = `set -eu
ask() { curl -sSfk -u admin:admin -H 'Content-Type: application/json' -X POST "$@"; }
api=$(ask -d @"$BODIES/$1.json" "$AM/apis" | sed -n 's/^{"id":"\([^"]*\)".*/\1/p')
revision=$(ask -d '{"description":"bench"}' "$AM/apis/$api/revisions" | sed -n 's/.*"id":"\([^"]*\)".*/\1/p')
ask -d '[{"name":"Default","vhost":"localhost","displayOnDevportal":true}]' "$AM/apis/$api/deploy-revision?revisionId=$revision" >/dev/null
ask "$AM/apis/change-lifecycle?action=Publish&apiId=$api" >/dev/null
`

// curl makes the APIs with a shell script.
func (b *bench) curl(apis, atOnce int) error {
	bodies := filepath.Join(b.dir, "bodies")
	if err := os.MkdirAll(bodies, 0o755); err != nil {
		return err
	}
	var numbers strings.Builder
	for i := range apis {
		if err := os.WriteFile(filepath.Join(bodies, fmt.Sprint(i)+".json"), b.body(i), 0o644); err != nil {
			return err
		}
		fmt.Fprintln(&numbers, i)
	}
	cmd := exec.Command("xargs", "-n", "1", "-P", fmt.Sprint(atOnce), "sh", "-c", script, "publish")
	cmd.Env = append(os.Environ(), "BODIES="+bodies, "AM="+b.am.URL()+publisher)
	cmd.Stdin = strings.NewReader(numbers.String())
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out[max(0, len(out)-1000):])
	}
	return nil
}

// apictl begins the name of measurements of WSO2's own client, the program that the variable APICTL names.
const apictl = "apictl import, "

// apictl makes the APIs with WSO2's own client: an import of a project for each.
func (b *bench) apictl(apis, atOnce int) error {
	projects := filepath.Join(b.dir, "projects")
	var numbers strings.Builder
	for i := range apis {
		api := map[string]any{}
		if err := json.Unmarshal(b.body(i), &api); err != nil {
			return err
		}
		api["provider"], api["lifeCycleStatus"], api["transport"], api["keyManagers"] = "admin", "PUBLISHED", []string{"http", "https"}, []string{"all"}
		for path, content := range map[string]any{
			"api.yaml":                     map[string]any{"type": "api", "version": "v4.5.0", "data": api},
			"deployment_environments.yaml": map[string]any{"type": "deployment_environments", "version": "v4.5.0", "data": []any{map[string]any{"displayOnDevportal": true, "deploymentEnvironment": "Default", "deploymentVhost": "localhost"}}},
			"Definitions/swagger.yaml":     definitionOf(api),
		} {
			text, err := json.Marshal(content) // which is YAML too
			if err != nil {
				return err
			}
			file := filepath.Join(projects, fmt.Sprint(i), path)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(file, text, 0o644); err != nil {
				return err
			}
		}
		fmt.Fprintln(&numbers, i)
	}
	// It keeps the environment and the password in the home folder.
	cmd := exec.Command("sh", "-c", `set -eu
"$APICTL" add env bench --apim "$AM" --token "$AM/oauth2/token" >/dev/null 2>&1 || true
"$APICTL" login bench -u admin -p admin -k >/dev/null 2>&1
xargs -n 1 -P "$0" sh -c '"$APICTL" import api -f "$1" -e bench -k --update=true' import`, fmt.Sprint(atOnce))
	cmd.Dir, cmd.Env, cmd.Stdin = projects, append(os.Environ(), "HOME="+b.dir, "AM="+b.am.URL()), strings.NewReader(numbers.String())
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out[max(0, len(out)-1000):])
	}
	return nil
}

// definitionOf returns the OpenAPI definition of an API, which a project has to have.
func definitionOf(api map[string]any) map[string]any {
	paths := map[string]map[string]any{}
	for _, item := range api["operations"].([]any) {
		op := item.(map[string]any)
		target := op["target"].(string)
		if paths[target] == nil {
			paths[target] = map[string]any{}
		}
		paths[target][strings.ToLower(op["verb"].(string))] = map[string]any{"responses": map[string]any{"200": map[string]any{"description": "OK"}}}
	}
	return map[string]any{"openapi": "3.0.1", "info": map[string]any{"title": api["name"], "version": api["version"]}, "paths": paths}
}

// check fails unless API-M has the APIs, all published.
func (b *bench) check(apis int) error {
	r, err := http.NewRequest(http.MethodGet, b.am.URL()+publisher+"/apis?limit=5000&query=status:PUBLISHED", nil)
	if err != nil {
		return err
	}
	r.SetBasicAuth("admin", "admin")
	answer, err := b.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	var list struct{ Count int }
	if err := json.NewDecoder(answer.Body).Decode(&list); err != nil {
		return err
	}
	if list.Count != apis {
		return fmt.Errorf("API-M has %d published APIs, and should have %d", list.Count, apis)
	}
	return nil
}

// show prints a table, and what the agent asked for.
func show(w io.Writer, all []result) error {
	table := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	fmt.Fprintln(table, "| who\t| APIs\t| time\t| for each API\t| requests\t| for each API\t| peak memory\t|")
	fmt.Fprintln(table, "|---\t|---\t|---\t|---\t|---\t|---\t|---\t|")
	for _, r := range all {
		peak := ""
		if r.peak > 0 {
			peak = fmt.Sprintf("%.1f MiB", float64(r.peak)/(1<<20))
		}
		fmt.Fprintf(table, "| %s\t| %d\t| %.2f s\t| %.0f ms\t| %d\t| %.2f\t| %s\t|\n", r.who, r.apis, r.took.Seconds(),
			float64(r.took.Milliseconds())/float64(r.apis), r.requests, float64(r.requests)/float64(r.apis), peak)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, r := range all {
		if !strings.HasPrefix(r.who, "agent ") || r.requests == 0 {
			continue
		}
		fmt.Fprintf(w, "\nThe requests of %s:\n", r.who)
		for _, name := range slices.Sorted(maps.Keys(r.counts)) {
			fmt.Fprintf(w, "  %6d %s\n", r.counts[name], name)
		}
	}
	return nil
}
