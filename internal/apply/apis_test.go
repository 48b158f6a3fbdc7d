package apply

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"maps"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/actual"
	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
)

// allAPIs has all that belongs to APIs, and fields that the servers store in another form.
const allAPIs = `
scopes:
  - {name: "orders:read", display_name: Read orders, description: May read, roles: [admin, Internal/creator]}
apis:
  - name: Orders
    version: 1.0.0
    context: /orders
    description: Takes orders
    tags: [b, a]
    business_information: {business_owner: Anna, technical_owner: Tom}
    additional_properties: [{name: team, value: sales, display: true}]
    visibility: RESTRICTED
    visible_roles: [Internal/subscriber]
    access_control: RESTRICTED
    access_control_roles: [Internal/creator]
    rate_limits: {production: 100, unit: MINUTE}
    response_caching: {enabled: true, timeout: 60}
    cors: {enabled: true, allow_origins: ['https://b', 'https://a']}
    scopes: ["orders:read", {name: "orders:write", local: true, roles: [admin]}]
    operations: [{target: /z, verb: POST, scopes: ["orders:write", "orders:read"]}, {target: /a, verb: GET, auth: None}]
    endpoints:
      production: {url: 'http://a:1', timeout: 30s, security: {type: BASIC, username: u, password: throwAway1}}
      sandbox: {url: 'http://s:1'}
    environments: [{name: Default, vhost: localhost}]
    lifecycle: DEPRECATED
    documents:
      - {name: Guide, summary: How, content: "# Orders", format: MARKDOWN}
      - {name: File, summary: More, file: guide.txt}
      - {name: Elsewhere, summary: Far, url: "https://docs.example/orders", type: SAMPLES}
    endpoint_certificates: [{alias: orders, endpoint: "https://a:1", file: backend.pem}]
  - name: Orders
    version: 2.0.0
    context: /orders
    copy_of: 1.0.0
    default_version: true
    endpoints: {production: {url: 'http://a:2'}}
    documents: [{name: Guide, summary: Other, content: "# Orders 2"}]
  - {name: Orders, version: 3.0.0, context: /orders, backend_url: "http://a:3", lifecycle: CREATED}
  - {name: Chat, version: "1", context: /chat, type: WS, backend_url: "ws://a:1", lifecycle: BLOCKED}
  - {name: Feed, version: "1", context: /feed, type: SSE, backend_url: "http://a:1"}
  - {name: Draft, version: "1", context: /draft, lifecycle: PROTOTYPED}
  - {name: Old, version: "1", context: /old, backend_url: "http://a:1", lifecycle: RETIRED}
`

// onlyAPIs starts the stand-ins for a file without key managers.
func onlyAPIs(t *testing.T) *servers {
	t.Helper()
	s := start(t, nil)
	s.settings.SkipKeyManager, s.settings.KeyManagerName = true, "Resident Key Manager"
	return s
}

// files makes the files that the example names, and returns their folder.
func files(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "guide.txt"), []byte("How to order"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "backend.pem"), certificate(t), 0o600))
	return dir
}

// certificate makes a certificate in PEM.
func certificate(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"a"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// made applies a file, and fails the test unless all changes are made.
func (s *servers) made(want plan.Wanted) Report {
	s.t.Helper()
	report := s.apply(want, Options{})
	for _, o := range report.Outcomes {
		if o.Err != nil {
			s.t.Errorf("%s %s %s: %v", o.Change.Action, o.Change.Kind, o.Change.Name, o.Err)
		}
	}
	return report
}

// writes returns the requests that API-M got and that change something, in their order. It forgets them.
func (s *servers) writes() (all []string) {
	for _, r := range s.amRequests.List() {
		if r.Method != http.MethodGet && r.Method != http.MethodHead && !strings.HasSuffix(r.Path, "/validate") {
			all = append(all, strings.NewReplacer(" /api/am/publisher/v4", "", "/{id}", "", "/{document}", "").Replace(
				r.Operation[:len(r.Method)]+r.Operation[len(r.Method):]))
		}
	}
	s.amRequests.Reset()
	return all
}

func (s *servers) publisher() *wso2.Publisher {
	return actual.Connect(s.client, s.settings).Publisher
}

// current fails the test unless the deployed revision of each API is what the API is, and no API is there twice.
func (s *servers) current(want plan.Wanted) {
	s.t.Helper()
	ctx, p, names := s.t.Context(), s.publisher(), map[plan.APIName]bool{}
	list, err := p.APIs(ctx)
	must(s.t, err)
	if len(list) != len(want.File.APIs.Value) {
		s.t.Errorf("there are %d APIs, the file has %d", len(list), len(want.File.APIs.Value))
	}
	for _, api := range list {
		names[plan.APIName{Name: api.Name, Version: api.Version}] = true
		now, err := p.APIObject(ctx, api.ID)
		must(s.t, err)
		revisions, err := p.Revisions(ctx, api.ID)
		must(s.t, err)
		deployed := 0
		for _, r := range revisions {
			if len(r.Deployments) == 0 {
				continue
			}
			deployed++
			on, err := p.APIObject(ctx, r.ID)
			must(s.t, err)
			if was, is := gatewayPart(on.Fields), gatewayPart(now.Fields); !reflect.DeepEqual(was, is) {
				s.t.Errorf("the deployed revision of %s %s is behind:\n%v\n%v", api.Name, api.Version, was, is)
			}
			if !strings.HasPrefix(r.Description, "wso2agent ") {
				s.t.Errorf("the revision of %s %s does not say who made it: %q", api.Name, api.Version, r.Description)
			}
		}
		if deployed != 1 {
			s.t.Errorf("%s %s has %d deployed revisions", api.Name, api.Version, deployed)
		}
	}
	if len(names) != len(list) {
		s.t.Errorf("an API is there twice: %v", list)
	}
}

// gatewayPart returns an API without what tells a revision from its API, and without what portals show.
func gatewayPart(o map[string]any) map[string]any {
	part := maps.Clone(o)
	for _, key := range []string{
		"id", "isRevision", "revisionId", "revisionedApiId", "lifeCycleStatus", "lastUpdatedTime", "lastUpdatedTimestamp", "isDefaultVersion", "description", "tags",
	} {
		delete(part, key)
	}
	return part
}

func TestAllKindsOfAPIs(t *testing.T) {
	s := onlyAPIs(t)
	want := s.read(allAPIs, files(t))
	report := s.made(want)
	s.planned(want)
	s.current(want)
	if n := len(report.IDs.APIs); n != 7 {
		t.Errorf("the report has the ids of %d APIs: %v", n, report.IDs.APIs)
	}
	s.writes()
	s.made(want)
	if w := s.writes(); len(w) > 0 {
		t.Errorf("a second run writes %v", w)
	}
	have := s.have(want)
	if document := have.APIs[plan.APIName{Name: "Orders", Version: "2.0.0"}].Documents["Guide"]; string(document.Content) != "# Orders 2" {
		t.Errorf("the document of the copy is %q", document.Content)
	}
	if production := have.APIs[plan.APIName{Name: "Orders", Version: "2.0.0"}].Object["tags"]; !reflect.DeepEqual(production, []any{"a", "b"}) {
		t.Errorf("the copy has the tags %v", production)
	}
	for alias, c := range have.Certificates {
		if c.Fingerprint == "" || c.Object["endpoint"] != "https://a:1" {
			t.Errorf("certificate %s is %v", alias, c)
		}
	}
}

const simple = "apis: [{name: Orders, version: '1', context: /orders, backend_url: 'http://a:1'}]\n"

func TestANewAPICostsFourRequests(t *testing.T) {
	s := onlyAPIs(t)
	want := s.read(simple, t.TempDir())
	s.made(want)
	if n := s.amRequests.Counts()["POST /api/am/publisher/v4/apis/validate"]; n != 0 {
		t.Errorf("API-M was asked %d times whether it has the API", n)
	}
	if w := s.writes(); !slices.Equal(w, []string{"POST/apis", "POST/apis/revisions", "POST/apis/deploy-revision", "POST/apis/change-lifecycle"}) {
		t.Errorf("it took %v", w)
	}
	s.made(want)
	counts := map[string]int{
		"GET /api/am/publisher/v4/apis": 1, "GET /api/am/publisher/v4/apis/{id}": 1, "GET /api/am/publisher/v4/apis/{id}/revisions": 1,
	}
	if got := s.amRequests.Counts(); !maps.Equal(got, counts) {
		t.Errorf("an unchanged API costs %v", got)
	}
}

// Each change makes the requests that it needs, and no others.
func TestAChangeMakesOnlyWhatItNeeds(t *testing.T) {
	s := onlyAPIs(t)
	s.environment("Second", "second.example")
	save, revise, deploy, undeploy, step := "PUT/apis", "POST/apis/revisions", "POST/apis/deploy-revision", "POST/apis/undeploy-revision", "POST/apis/change-lifecycle"
	at := ", environments: [Default, {name: Second, vhost: second.example}]"
	for _, tt := range []struct {
		name, fields string
		requests     []string
	}{
		{"a new API", ", backend_url: 'http://a:1'", []string{"POST/apis", revise, deploy, step}},
		{"a description", ", backend_url: 'http://a:1', description: Text", []string{save}},
		{"a backend", ", backend_url: 'http://a:2'", []string{save, revise, deploy}},
		{"a further environment gets the revision that is deployed", ", backend_url: 'http://a:2'" + at, []string{deploy}},
		{"a backend, in both environments", ", backend_url: 'http://a:3'" + at, []string{save, revise, deploy}},
		{"an environment that the file does not name any more", ", backend_url: 'http://a:3', environments: [Default]", []string{undeploy}},
		{"without a list, nothing is undeployed", ", backend_url: 'http://a:3'", nil},
		{"another environment", ", backend_url: 'http://a:3', environments: [{name: Second, vhost: second.example}]", []string{deploy, undeploy}},
		{"a state", ", backend_url: 'http://a:3', environments: [{name: Second, vhost: second.example}], lifecycle: BLOCKED", []string{step}},
		{"a state that is two steps away", ", backend_url: 'http://a:3', environments: [{name: Second, vhost: second.example}], lifecycle: RETIRED", []string{step, step}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.t = t
			want := s.read("apis: [{name: Orders, version: '1', context: /orders"+tt.fields+"}]\n", t.TempDir())
			s.writes()
			s.made(want)
			if w := s.writes(); !slices.Equal(w, tt.requests) {
				t.Errorf("it took %v, not %v", w, tt.requests)
			}
			s.planned(want)
		})
	}
}

// environment makes a gateway environment.
func (s *servers) environment(name, host string) {
	s.t.Helper()
	body, err := json.Marshal(map[string]any{"name": name, "displayName": name, "provider": "wso2", "gatewayType": "Regular", "type": "hybrid",
		"vhosts": []any{map[string]any{"host": host, "httpPort": 8280, "httpsPort": 8243, "wsPort": 9099, "wssPort": 8099}}})
	must(s.t, err)
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.am.URL()+"/api/am/admin/v4/environments", bytes.NewReader(body))
	must(s.t, err)
	r.SetBasicAuth("admin", "admin")
	r.Header.Set("Content-Type", "application/json")
	answer, err := s.client.Do(r)
	must(s.t, err)
	defer answer.Body.Close()
	if text, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusCreated {
		s.t.Fatalf("%d %s %v", answer.StatusCode, text, err)
	}
}

// A file brings a new version, and deprecates the old one.
func TestANewVersionDeprecatesTheOldOne(t *testing.T) {
	s := onlyAPIs(t)
	s.made(s.read(simple, t.TempDir()))
	want := s.read(`
apis:
  - {name: Orders, version: "1", context: /orders, backend_url: "http://a:1", lifecycle: DEPRECATED}
  - {name: Orders, version: "2", context: /orders, backend_url: "http://a:2", default_version: true}
`, t.TempDir())
	s.made(want)
	s.planned(want)
	s.current(want)
}

// A copy of a version brings its documents, which the plan did not expect.
func TestTheDocumentsOfACopy(t *testing.T) {
	s := onlyAPIs(t)
	first := `
apis:
  - {name: Orders, version: "1", context: /orders, backend_url: "http://a:1", documents: [{name: Guide, summary: How, content: One}]}
`
	s.made(s.read(first, t.TempDir()))
	want := s.read(first+`  - {name: Orders, version: "2", context: /orders, copy_of: "1", documents: [{name: Guide, summary: How, content: Two}], backend_url: "http://a:1"}
`, t.TempDir())
	s.made(want)
	s.planned(want)
}

// A copy needs the version that it copies.
func TestACopyOfNothingIsAnError(t *testing.T) {
	s := onlyAPIs(t)
	want := s.read("apis: [{name: Orders, version: '2', context: /orders, backend_url: 'http://a:1', copy_of: '1'}]\n", t.TempDir())
	report := s.apply(want, Options{})
	if report.Failed() != 1 || !strings.Contains(report.Outcomes[0].Err.Error(), "copy API Orders 1: API-M does not have it; correct copy_of at ") {
		t.Errorf("%+v", report.Outcomes)
	}
}

func (s *servers) apiID(want plan.Wanted, name, version string) string {
	s.t.Helper()
	id, _ := s.have(want).APIs[plan.APIName{Name: name, Version: version}].Object["id"].(string)
	if id == "" {
		s.t.Fatalf("API %s %s is not there", name, version)
	}
	return id
}

// An API never has more revisions than API-M allows. The deployed one stays until the next one is deployed.
func TestTheSixthRevisionFindsRoom(t *testing.T) {
	s := onlyAPIs(t)
	var want plan.Wanted
	for i := range 8 {
		want = s.read(strings.ReplaceAll(simple, "http://a:1", "http://a:1"+strings.Repeat("1", i)), t.TempDir())
		s.made(want)
	}
	s.current(want)
	if w := strings.Join(s.writes(), " "); strings.Count(w, "DELETE/apis/revisions/{revision}") != 3 || strings.Contains(w, "undeploy") {
		t.Errorf("it took %s", w)
	}
	// Now the oldest revision is deployed somewhere.
	ctx, p, id := t.Context(), s.publisher(), s.apiID(want, "Orders", "1")
	deploy := func(r wso2.Revision, name string) {
		s.environment(name, "more.example")
		must(t, p.DeployRevision(ctx, id, r.ID, wso2.Deployment{Environment: name, VHost: "more.example"}))
	}
	revisions, err := p.Revisions(ctx, id)
	must(t, err)
	deploy(revisions[0], "First")
	s.made(s.read(strings.ReplaceAll(simple, "http://a:1", "http://b:1"), t.TempDir()))
	if w := strings.Join(s.writes(), " "); strings.Count(w, "DELETE/apis/revisions/{revision}") != 1 || strings.Contains(w, "undeploy") {
		t.Errorf("it took %s", w)
	}
	// Now each revision is.
	revisions, err = p.Revisions(ctx, id)
	must(t, err)
	for i, r := range revisions[1:4] {
		deploy(r, "More"+strings.Repeat("e", i))
	}
	want = s.read(strings.ReplaceAll(simple, "http://a:1", "http://c:1"), t.TempDir())
	s.writes()
	s.made(want)
	s.planned(want)
	if w := s.writes(); !slices.Equal(w, []string{
		"PUT/apis", "POST/apis/revisions", "POST/apis/undeploy-revision", "DELETE/apis/revisions/{revision}", "POST/apis/revisions", "POST/apis/deploy-revision",
	}) {
		t.Errorf("it took %v", w)
	}
}

// What somebody saves in the Publisher reaches the gateway if it matters there.
func TestARevisionThatIsBehindIsReplaced(t *testing.T) {
	s := onlyAPIs(t)
	want := s.read(simple, t.TempDir())
	s.made(want)
	ctx, p, id := t.Context(), s.publisher(), s.apiID(want, "Orders", "1")
	save := func(fields string) {
		t.Helper()
		object, err := p.APIObject(ctx, id)
		must(t, err)
		must(t, json.Unmarshal([]byte(fields), &object.Fields))
		_, err = p.UpdateAPIObject(ctx, id, object.Fields)
		must(t, err)
	}
	save(`{"description":"Other","tags":["a"],"policies":["Gold","Unlimited"]}`)
	s.planned(want)
	save(`{"responseCachingEnabled":true,"apiThrottlingPolicy":"10KPerMin"}`)
	s.planned(want, `update API Orders 1: revision "lacks response_caching.enabled, throttling_policy" -> "the saved API"`)
	s.writes()
	s.made(want)
	if w := s.writes(); !slices.Equal(w, []string{"POST/apis/revisions", "POST/apis/deploy-revision"}) {
		t.Errorf("it took %v", w)
	}
	s.planned(want)
	s.current(want)
	// A revision of a run that ended before the deployment is deployed, and no other one is made.
	save(`{"responseCachingEnabled":false}`)
	object, err := p.APIObject(ctx, id)
	must(t, err)
	_, err = p.CreateRevision(ctx, id, plan.Stamp(object.Fields))
	must(t, err)
	s.writes()
	s.made(want)
	if w := s.writes(); !slices.Equal(w, []string{"POST/apis/deploy-revision"}) {
		t.Errorf("it took %v", w)
	}
	s.planned(want)
}

// A change that somebody must approve is an error with what to do, and is not asked for again.
func TestAChangeOfTheLifecycleThatWaitsForApproval(t *testing.T) {
	s := onlyAPIs(t)
	s.client.Transport = pendingWorkflow{s.client.Transport}
	want := s.read(simple, t.TempDir())
	for _, steps := range []int{1, 0} {
		s.writes()
		report := s.apply(want, Options{})
		if report.Failed() != 1 || !strings.Contains(report.Outcomes[0].Err.Error(),
			"API Orders 1: the change of the lifecycle from CREATED to PUBLISHED waits for approval; approve it in API-M's Admin Portal") {
			t.Errorf("%+v", report.Outcomes)
		}
		if w := strings.Join(s.writes(), " "); strings.Count(w, "change-lifecycle") != steps {
			t.Errorf("it took %s", w)
		}
	}
}

// pendingWorkflow answers as an API-M on which a change of the lifecycle needs approval.
type pendingWorkflow struct{ http.RoundTripper }

func (p pendingWorkflow) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := p.RoundTripper.RoundTrip(r)
	if err != nil || !strings.Contains(r.URL.Path, "/apis/") {
		return answer, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	for old, now := range map[string]string{
		`"workflowStatus":"APPROVED"`: `"workflowStatus":"CREATED"`, `"lifeCycleStatus":"PUBLISHED"`: `"lifeCycleStatus":"CREATED"`,
		`"workflowStatus":null`: `"workflowStatus":"CREATED"`,
	} {
		text = bytes.ReplaceAll(text, []byte(old), []byte(now))
	}
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	answer.Header.Del("Content-Length")
	return answer, err
}

// A state that the server does not offer is an error of this API.
func TestAStepThatTheServerDoesNotOffer(t *testing.T) {
	s := onlyAPIs(t)
	s.client.Transport = noTransitions{s.client.Transport}
	report := s.apply(s.read(simple, t.TempDir()), Options{})
	if report.Failed() != 1 || !strings.Contains(report.Outcomes[0].Err.Error(), "the server offers no action, perhaps because a change waits for approval") {
		t.Errorf("%+v", report.Outcomes)
	}
}

// noTransitions answers as an API-M that offers no action.
type noTransitions struct{ http.RoundTripper }

func (n noTransitions) RoundTrip(r *http.Request) (*http.Response, error) {
	text, status := "", http.StatusOK
	switch {
	case strings.HasSuffix(r.URL.Path, "/change-lifecycle"):
		text, status = `{"code":903234,"message":"Unsupported state change action"}`, http.StatusBadRequest
	case strings.HasSuffix(r.URL.Path, "/lifecycle-state"):
		text = `{"state":"Created","availableTransitions":[]}`
	default:
		return n.RoundTripper.RoundTrip(r)
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
}

func TestScopesCertificatesAndDocumentsChange(t *testing.T) {
	s := onlyAPIs(t)
	folder := files(t)
	text := allAPIs[:strings.Index(allAPIs, "  - name: Orders\n    version: 2.0.0")]
	s.made(s.read(text, folder))
	put := "PUT/apis/documents"
	for _, tt := range []struct {
		name     string
		replace  []string
		requests []string
	}{
		{"a scope", []string{"Read orders", "Read all orders"}, []string{"PUT/scopes"}},
		{"the endpoint of a certificate", []string{`endpoint: "https://a:1"`, `endpoint: "https://a:2"`}, []string{"DELETE/endpoint-certificates/{alias}", "POST/endpoint-certificates"}},
		{"a text", []string{`"# Orders"`, `"# More"`}, []string{"POST/apis/documents/content"}},
		{"a format", []string{", format: MARKDOWN", ", format: INLINE"}, []string{put, "POST/apis/documents/content"}},
		{"a summary", []string{"summary: More", "summary: Less"}, []string{put}},
		{"an address becomes a text", []string{`url: "https://docs.example/orders"`, `content: Here`}, []string{put, "POST/apis/documents/content"}},
		{"a text becomes an address", []string{`content: "# Orders", format: MARKDOWN`, `url: "https://docs.example/orders"`}, []string{put}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.t = t
			s.made(s.read(text, folder)) // what the test before has changed
			s.planned(s.read(text, folder))
			want := s.read(strings.ReplaceAll(text, tt.replace[0], tt.replace[1]), folder)
			s.writes()
			s.made(want)
			if w := s.writes(); !slices.Equal(w, tt.requests) {
				t.Errorf("it took %v, not %v", w, tt.requests)
			}
			s.planned(want)
		})
	}
	s.t = t
	must(t, os.WriteFile(filepath.Join(folder, "backend.pem"), append([]byte("Some words before\n"), certificate(t)...), 0o600))
	must(t, os.WriteFile(filepath.Join(folder, "guide.txt"), []byte("How to order more"), 0o600))
	want := s.read(text, folder)
	s.made(s.read(text, folder))
	s.planned(want)
	w := s.writes()
	if !slices.Contains(w, "PUT/endpoint-certificates/{alias}") || !slices.Contains(w, "POST/apis/documents/content") {
		t.Errorf("it took %v", w)
	}
}

// An API that API-M has and does not list yet is not made again.
func TestAnAPIThatTheListLacksIsAwaited(t *testing.T) {
	s := start(t, func(o *wso2sim.Options) {
		o.Delays.Index = wso2sim.Span{Min: 3 * time.Second, Max: 3 * time.Second} // longer than a run takes
	})
	s.settings.SkipKeyManager, s.settings.KeyManagerName = true, "Resident Key Manager"
	want := s.read(simple, t.TempDir())
	s.made(want)
	s.made(want) // the list is behind
	if n := s.amRequests.Counts()["POST /api/am/publisher/v4/apis"]; n < 2 {
		t.Errorf("the list was not behind: %d creations were tried", n)
	}
	s.planned(want)
	s.current(want)
}
