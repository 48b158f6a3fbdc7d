package converge

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wso2agent/internal/actual"
	"wso2agent/internal/apply"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/desired"
	"wso2agent/internal/keystore"
	"wso2agent/internal/lease"
	"wso2agent/internal/owned"
	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
	"wso2agent/internal/wso2sim/speccheck"
)

// certificates are two certificates of backends, in PEM.
var certificates = [2]string{certificate(1), certificate(2)}

func certificate(serial int64) string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"b"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// homes are those of both stand-ins, which trust each other. They are unpacked once, because their keys take longest.
var homes = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "converge")
	if err != nil {
		return "", err
	}
	stores := map[string][2]string{
		wso2sim.ProductIS: {"wso2carbon.p12", "client-truststore.p12"}, wso2sim.ProductAM: {"wso2carbon.jks", "client-truststore.jks"},
	}
	path := func(product string, i int) string {
		return filepath.Join(dir, product, "repository/resources/security", stores[product][i])
	}
	for product := range stores {
		if err := wso2sim.UnpackWith(filepath.Join(dir, product), product, wso2sim.UnpackOptions{Rounds: 10}); err != nil {
			return dir, err
		}
	}
	for product, peer := range map[string]string{wso2sim.ProductIS: wso2sim.ProductAM, wso2sim.ProductAM: wso2sim.ProductIS} {
		if err := trust(path(product, 1), path(peer, 0)); err != nil {
			return dir, err
		}
	}
	return dir, nil
})

// trust puts the leaf of a keystore into a truststore.
func trust(truststore, keys string) error {
	open := func(path string) (*keystore.Store, error) {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		return keystore.Open(data, "wso2carbon")
	}
	from, err := open(keys)
	if err != nil {
		return err
	}
	leaf, err := from.Leaf("")
	if err != nil {
		return err
	}
	into, err := open(truststore)
	if err != nil {
		return err
	}
	if err := into.SetTrusted("peer", leaf, time.Time{}); err != nil {
		return err
	}
	data, err := into.Encode()
	if err != nil {
		return err
	}
	return os.WriteFile(truststore, data, 0o600)
}

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := homes(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is both servers with what files name and do not make, and what the agent needs to reach them.
type world struct {
	*testing.T
	am       *wso2sim.AM
	is       wso2sim.Server
	client   *http.Client
	settings bootstrap.Settings
	clients  []client // of IS, that no application uses
	empty    saved    // the servers as they are when they have nothing of a file
	record   *owned.Record
	declared *attributes
	log      *serverLog
}

// serverLog keeps what both stand-ins log as errors.
type serverLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *serverLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

// take returns the errors since the last call, with a word of introduction.
func (l *serverLog) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.text.Reset()
	return "\nthe servers logged:\n" + l.text.String()
}

// saved is the state of both servers.
type saved struct {
	am, is     []byte
	attributes map[string]any
	record     string // the path of the agent's own
}

// start starts the stand-ins. Every request is held against the products' specifications.
func start(t *testing.T) *world {
	t.Helper()
	return startIn(t, speccheck.Wrap(t))
}

// startIn starts the stand-ins with something around their handlers.
func startIn(t *testing.T, wrap func(http.Handler) http.Handler) *world {
	t.Helper()
	dir, err := homes()
	must(t, err)
	w := &world{T: t, declared: &attributes{stored: map[string]any{}}, record: owned.New(), log: &serverLog{}}
	options := func(product string) wso2sim.Options {
		home := filepath.Join(t.TempDir(), product)
		must(t, os.CopyFS(home, os.DirFS(filepath.Join(dir, product))))
		return wso2sim.Options{Home: home, Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0", Wrap: wrap,
			Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelError}))}
	}
	w.is, err = wso2sim.StartIS(t.Context(), options(wso2sim.ProductIS))
	must(t, err)
	t.Cleanup(func() { w.is.Close() })
	o := options(wso2sim.ProductAM)
	o.Wrap = w.declared.wrap(o.Wrap)
	w.am, err = wso2sim.StartAM(t.Context(), o)
	must(t, err)
	t.Cleanup(func() { w.am.Close() })
	must(t, w.is.Wait(t.Context()))
	must(t, w.am.Wait(t.Context()))
	// The stand-ins' certificates are not what these tests are about.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: 32} // of this test's own stand-ins
	t.Cleanup(transport.CloseIdleConnections)
	w.client = &http.Client{Transport: transport}
	account := wso2.Credentials{User: "admin", Password: "admin"}
	w.settings = bootstrap.Settings{
		AMURL: w.am.URL(), GatewayURL: w.am.GatewayURL(), ISURL: w.is.URL(), KMName: "WSO2-IS", KeyManagerName: "WSO2-IS",
		AMCredentials: account, ISCredentials: account, ISPublicURL: "https://login.example",
	}
	w.prepare()
	return w
}

// prepare makes what files name and do not make.
func (w *world) prepare() {
	w.Helper()
	w.post("/api/am/admin/v4/environments", tree{"name": "east", "displayName": "east", "provider": "wso2", "gatewayType": "Regular", "type": "hybrid",
		"vhosts": []any{tree{"host": "east.example", "httpPort": 8280, "httpsPort": 8243, "wsPort": 9099, "wssPort": 8099}}})
	for _, name := range []string{"People", "Money"} {
		w.post("/api/am/admin/v4/api-categories", tree{"name": name, "description": ""})
	}
	for i := range 4 {
		id, secret, err := bootstrap.Connect(w.client, w.settings).IS.RegisterClient(w.Context(), fmt.Sprint("existing", i))
		must(w, err)
		w.clients = append(w.clients, client{id, string(secret)})
	}
	w.empty = w.save()
}

func (w *world) post(path string, body tree) {
	w.Helper()
	text, err := json.Marshal(body)
	must(w, err)
	r, err := http.NewRequestWithContext(w.Context(), http.MethodPost, w.am.URL()+path, bytes.NewReader(text))
	must(w, err)
	r.SetBasicAuth("admin", "admin")
	r.Header.Set("Content-Type", "application/json")
	answer, err := w.client.Do(r)
	must(w, err)
	defer answer.Body.Close()
	if text, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusCreated {
		w.Fatalf("POST %s: %d %s %v", path, answer.StatusCode, text, err)
	}
}

func (w *world) save() saved {
	w.Helper()
	var am, is bytes.Buffer
	must(w, w.am.SaveState(&am))
	must(w, w.is.SaveState(&is))
	record := filepath.Join(w.TempDir(), "applied.json")
	must(w, w.record.Save(record))
	return saved{am.Bytes(), is.Bytes(), w.declared.save(), record}
}

func (w *world) load(s saved) {
	w.Helper()
	must(w, w.am.LoadState(bytes.NewReader(s.am)))
	must(w, w.is.LoadState(bytes.NewReader(s.is)))
	w.declared.load(s.attributes)
	var err error
	w.record, _, err = owned.Load(s.record)
	must(w, err)
}

// attributes keeps the attributes of applications, as an API-M whose configuration declares them. The stand-in drops them, as API-M
// does without a declaration.
type attributes struct {
	mu     sync.Mutex
	stored map[string]any // by the name of the application
}

func (a *attributes) save() map[string]any {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.stored)
}

func (a *attributes) load(stored map[string]any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stored = maps.Clone(stored)
}

func (a *attributes) wrap(within func(http.Handler) http.Handler) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return within(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			path, is := strings.CutPrefix(r.URL.Path, "/api/am/devportal/v3/applications")
			if !is || strings.Count(path, "/") > 1 || path == "" && r.Method == http.MethodGet {
				next.ServeHTTP(w, r)
				return
			}
			var sent, shown tree
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			json.Unmarshal(body, &sent)
			answer := httptest.NewRecorder()
			next.ServeHTTP(answer, r)
			text := answer.Body.Bytes()
			if json.Unmarshal(text, &shown) == nil && shown["applicationId"] != nil {
				a.mu.Lock()
				if sent != nil {
					a.stored[shown["name"].(string)] = sent["attributes"]
				}
				shown["attributes"] = a.stored[shown["name"].(string)]
				a.mu.Unlock()
				text, _ = json.Marshal(shown)
			}
			maps.Copy(w.Header(), answer.Header())
			w.WriteHeader(answer.Code)
			w.Write(text)
		}))
	}
}

// parse reads a desired state as agent validate does.
func (w *world) parse(s state) (*desired.File, error) {
	w.Helper()
	folder := w.TempDir()
	for name, text := range s.files {
		must(w, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	source := desired.FromSystem(func(string) (string, bool) { return "", false }, func(string) bool { return false })
	f, err := desired.Parse(source, desired.Input{Name: filepath.Join(folder, "file.yaml"), Data: s.text()})
	if err != nil {
		return f, err
	}
	return f, actual.CheckDefinitions(f).Err()
}

// want returns a desired state that has no mistakes, with what it names.
func (w *world) want(s state) plan.Wanted {
	w.Helper()
	f, err := w.parse(s)
	if err != nil {
		w.Fatalf("%v\n%s", err, s.text())
	}
	want, err := actual.Want(w.Context(), f, w.settings)
	must(w, err)
	return want
}

func (w *world) connect(transport http.RoundTripper) actual.Clients {
	return actual.Connect(&http.Client{Transport: transport}, w.settings)
}

// run applies a desired state.
func (w *world) run(ctx context.Context, want plan.Wanted, transport http.RoundTripper) (apply.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute) // so that the failure says what it waits for; a busy machine needs long for many at once
	defer cancel()
	return apply.Run(ctx, slog.New(slog.DiscardHandler), w.connect(transport), want,
		apply.Options{Record: w.record, RetryFirst: time.Millisecond, RetryMax: 5 * time.Millisecond, EventWait: 50 * time.Millisecond})
}

// failures returns what a run did not make.
func failures(report apply.Report, err error) (all []string) {
	if err != nil {
		all = append(all, err.Error())
	}
	for _, o := range report.Outcomes {
		if o.Err != nil {
			all = append(all, fmt.Sprintf("%s %s %s of %q: %v", o.Change.Action, o.Change.Kind, o.Change.Name, o.Change.Of, o.Err))
		}
	}
	for _, p := range report.Problems {
		all = append(all, "problem: "+p.String())
	}
	return all
}

// differences returns a line for each change of the plan, except for differences in some fields.
func (w *world) differences(want plan.Wanted, except ...string) (lines []string) {
	w.Helper()
	have, err := actual.Read(w.Context(), w.connect(w.client.Transport), want)
	must(w, err)
	changes, problems := plan.Make(want, have)
	for _, c := range changes {
		counts := func(d plan.Difference) bool { return !slices.Contains(except, d.Path) }
		if c.Action == plan.Update && !slices.ContainsFunc(c.Fields, counts) {
			continue
		}
		line := fmt.Sprintf("%s %s %s of %q", c.Action, c.Kind, c.Name, c.Of)
		for _, d := range c.Fields {
			line += fmt.Sprintf("\n      %s: %#v -> %#v", d.Path, d.Have, d.Want)
		}
		lines = append(lines, line)
	}
	for _, p := range problems {
		lines = append(lines, "problem: "+p.String())
	}
	return lines
}

// changing are the fields that differ from one run to another.
var changing = []string{
	"id", "applicationId", "documentId", "keyMappingId", "subscriptionId", "apiId", "revisionId", "revisionedApiId", "policyId", "value", "$ref", "location",
	"consumerKey", "consumerSecret", "token", "createdTime", "updatedTime", "lastUpdatedTime", "lastUpdatedTimestamp", "lastUpdated", "createdTimestamp", "meta", "usageCount",
	"workflowStatus", "enable_token_hash", // which any PUT drops
}

// objects returns all that the servers have of a desired state, field by field, without what differs from one run to another: a line for
// each field. An object that is there twice has its lines twice.
func (w *world) objects(want plan.Wanted) []string {
	w.Helper()
	ctx, c := w.Context(), w.connect(w.client.Transport)
	have, err := actual.Read(ctx, c, want)
	must(w, err)
	var lines []string
	add := func(what string, object any) {
		w.Helper()
		text, err := json.Marshal(object)
		must(w, err)
		var o any
		must(w, json.Unmarshal(text, &o))
		lines = append(lines, fields(what, o)...)
	}
	for name, o := range have.KeyManagers {
		add("key manager "+name, o)
	}
	for name, o := range have.Scopes {
		add("scope "+name, o)
	}
	for kind, all := range map[string]map[string]plan.Object{"user": have.Users, "group": have.Groups, "role": have.Roles} {
		for name, o := range all {
			add(kind+" "+name, o)
		}
	}
	for alias, o := range have.Certificates {
		add("certificate "+alias, o)
	}
	for name, api := range have.APIs {
		add("API "+name.String(), api.Object)
		add("deployments of API "+name.String(), api.Deployments)
		add("definition of API "+name.String(), string(api.Definition))
		for document, o := range api.Documents {
			add("document "+document+" of "+name.String(), o)
		}
		revisions, err := c.Publisher.Revisions(ctx, fmt.Sprint(api.Object["id"]))
		must(w, err)
		if !secured(api.Object) {
			add("number of revisions of "+name.String(), len(revisions))
		} else if len(revisions) > mostRevisions { // no server shows whether a revision of a run that was cut has a new secret
			w.Errorf("%s has %d revisions", name, len(revisions))
		}
		for _, r := range revisions {
			if len(r.Deployments) > 0 {
				on, err := c.Publisher.APIObject(ctx, r.ID)
				must(w, err)
				if secured(api.Object) { // it may be made again after the lifecycle has changed, and has the state of that moment
					delete(on.Fields, "lifeCycleStatus")
				}
				add("deployed revision of "+name.String(), on.Fields)
			}
		}
	}
	for _, v := range have.Versions {
		add("API in the list", []string{v.Name, v.Version, v.Context, v.State})
	}
	versions := map[string]string{}
	for _, v := range have.Versions {
		versions[v.ID] = v.Name + " " + v.Version
	}
	for _, name := range have.Names {
		if name != lease.Application {
			add("application in the list", name)
		}
	}
	for name, app := range have.Applications {
		add("application "+name, app.Object)
		for id, s := range app.Subscriptions {
			add("subscription of "+name+" to "+versions[id], s)
		}
		for _, k := range app.Keys {
			add("key of "+name, k)
		}
		rows, err := c.DevPortal.KeyObjects(ctx, fmt.Sprint(app.Object["applicationId"]))
		must(w, err)
		add("rows of keys of "+name, len(rows))
	}
	page, err := bootstrap.Connect(w.client, w.settings).Scopes.Applications(ctx, "name co admin_", 0)
	must(w, err)
	add("clients in IS", len(page.Applications))
	slices.Sort(lines)
	return lines
}

// mostRevisions is how many revisions an API has after a first run, one that was cut, and another one.
const mostRevisions = 3

// secured reports whether an API has secrets for its backends.
func secured(api plan.Object) bool {
	endpoints, _ := api["endpointConfig"].(tree)
	_, is := endpoints["endpoint_security"]
	return is
}

// fields returns a line for each field of a value, without what differs from one run to another. The order of a list does not count.
func fields(path string, v any) (lines []string) {
	switch v := v.(type) {
	case tree:
		for key, value := range v {
			if !slices.Contains(changing, key) {
				lines = append(lines, fields(path+"."+key, value)...)
			}
		}
	case []any:
		lines = append(lines, fmt.Sprintf("%s: %d entries", path, len(v)))
		for _, value := range v {
			if o, is := value.(tree); is { // its fields belong together
				inner := fields("", o)
				slices.Sort(inner)
				lines = append(lines, path+"[]: "+strings.Join(inner, ", "))
				continue
			}
			lines = append(lines, fields(path+"[]", value)...)
		}
	default:
		lines = append(lines, fmt.Sprintf("%s: %v", path, v))
	}
	return lines
}

// different returns the lines that only one of two has.
func different(got, want []string) (lines []string) {
	for _, line := range got {
		if !slices.Contains(want, line) {
			lines = append(lines, "got  "+line)
		}
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			lines = append(lines, "want "+line)
		}
	}
	if len(lines) == 0 && len(got) != len(want) {
		lines = append(lines, fmt.Sprintf("%d objects instead of %d", len(got), len(want)))
	}
	return lines
}

// in returns the world for a subtest.
func (w *world) in(t *testing.T) *world {
	within := *w
	within.T = t
	return &within
}
