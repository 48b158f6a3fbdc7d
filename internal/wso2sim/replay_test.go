package wso2sim

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/testenv"
	"wso2agent/internal/wso2sim/speccheck"
)

// The recordings are what servers of these versions answered, step by step. Every request is sent to the stand-in, and
// its answer must have the same status, the same code, the same keys in every object and the same JSON types. Steps
// that cannot be held against the stand-in are named with the reason.

func TestReplayOfISWithStockSettings(t *testing.T) {
	p := newPair(t)
	p.startIS()
	replay(t, "is-7.1.0.har", map[string]string{"https://localhost:9443": p.is.url(p.is.port)}, nil, hooks{})
}

func TestReplayOfISWithSettingsForAPIManager(t *testing.T) {
	p := newPair(t)
	p.appendSettings(p.isHome, `
[oauth]
authorize_all_scopes = true
[[resource.access_control]]
context = "(.*)/scim2/Me"
secure = true
http_method = "GET"
cross_tenant = true
permissions = []
scopes = []
[role_mgt]
allow_system_prefix_for_role = true
`)
	p.startIS()
	// API Manager's connector had used the recorded server before.
	send(t, "POST", p.is.URL()+resourcesPath, admin, object{"name": "User-defined OAuth2 Resource", "identifier": resourceIdentifier}).want(t, 201)
	replay(t, "is-7.1.0-for-apim.har", map[string]string{"https://localhost:9463": p.is.url(p.is.port)}, nil, hooks{})
}

// Both servers of these recordings had the stock settings for scopes and access control.

func TestReplayOfISWithAuthorizedAPIs(t *testing.T) {
	p := newPair(t)
	p.startIS()
	at := p.is.url(p.is.port)
	hosts := map[string]string{"https://localhost:9444": at, "https://wso2is:9443": at}
	if steps := replay(t, "is-7.1.0-authorized-apis.har", hosts, nil, hooks{}); steps != 88 {
		t.Errorf("the replay had %d steps, want 88", steps)
	}
}

func TestReplayOfISWithSCIM11(t *testing.T) {
	p := newPair(t)
	p.startIS()
	at := p.is.url(p.is.port)
	hosts := map[string]string{"https://localhost:9444": at, "https://wso2is:9443": at}
	if steps := replay(t, "is-7.1.0-scim1.har", hosts, nil, hooks{}); steps != 20 {
		t.Errorf("the replay had %d steps, want 20", steps)
	}
}

// What a user of IS may do with each right missing in turn: the part of the recording in which API-M has no share.
func TestReplayOfRightsInIS(t *testing.T) {
	p := newPair(t)
	p.startIS()
	// API Manager's connector had used the recorded server before.
	send(t, "POST", p.is.URL()+resourcesPath, admin, object{"name": "User-defined OAuth2 Resource", "identifier": resourceIdentifier}).want(t, 201)
	at := p.is.url(p.is.port)
	values := map[string]string{"https://localhost:39444": at, "https://wso2is:9443": at}
	for _, name := range strings.Fields(systemScopeNames) {
		values[name] = name // lists of rights come in another order, and one right must not stand for another
	}
	r, steps := newReplayer(values, nil), 0
	for _, e := range recorded(t, "is-7.1.0-privilege.har") {
		if strings.HasPrefix(e.Request.URL, "https://localhost:39443") {
			break
		}
		t.Run(e.Comment, func(t *testing.T) { r.step(t, e) })
		steps++
	}
	if steps != 358 {
		t.Errorf("the replay had %d steps, want 358", steps)
	}
}

func TestReplayOfAPIManager(t *testing.T) {
	p := newPair(t)
	never := Span{time.Hour, time.Hour}
	p.delays = Delays{Index: never, KeyManager: never, Deploy: never, Revocation: never}
	p.exchange()
	p.startAM()
	p.listener("WSO2-IS")
	p.startIS()
	replay(t, "apim-4.5.0.har", map[string]string{
		"https://localhost:9453": p.am.url(p.am.port), "https://localhost:8253": p.am.url(p.am.gatewayPort),
		"https://localhost:9463": p.is.url(p.is.port), "http://127.0.0.1:19999": p.backend.URL(),
	}, p.multipartSteps(t), hooks{ // what had come about by then
		"keys of IS, try 0":                      p.loadKeyManagers,
		"gateway call, try 2":                    p.deliverDeployments,
		"gateway call with revoked token, try 1": p.deliverRevocations,
	})
}

// multipartSteps are the bodies that are not in the recording, only their lengths, made anew.
func (p *pair) multipartSteps(t *testing.T) map[string]map[string]string {
	imported := p.apiBody("Rec Imported", "/rec-imported")
	at := object{"url": p.backend.URL()}
	imported["endpointConfig"] = object{"endpoint_type": "http", "production_endpoints": at, "sandbox_endpoints": at}
	data := p.apiBody("Rec Archive", "/rec-archive")
	maps.Copy(data, object{"provider": "admin", "lifeCycleStatus": "PUBLISHED"})
	ownerless := maps.Clone(data)
	delete(ownerless, "provider")
	properties, err := json.Marshal(imported)
	if err != nil {
		t.Fatal(err)
	}
	full := map[string]string{"file": archive(t, "rec/", data, true)}
	return map[string]map[string]string{
		"import-openapi": {
			"inlineAPIDefinition": "openapi: 3.0.1\ninfo: {title: Imp, version: 1.0.0}\npaths:\n  /ping:\n    get: {}\n", "additionalProperties": string(properties),
		},
		"archive import, new, published": full, "archive import again": full, "archive import, exists, no overwrite": full,
		"archive import, Accept */*": full, "archive import, no root folder": {"file": archive(t, "", data, true)},
		"archive import, no zip": {"file": "no zip"}, "archive import, no provider": {"file": archive(t, "rec/", ownerless, true)},
		"key manager discover": {"url": p.is.url(p.is.port) + "/oauth2/token/.well-known/openid-configuration", "type": typeIS7},
	}
}

// deliverDeployments has the gateway get everything that is deployed, now and from now on.
func (p *pair) deliverDeployments() {
	p.am.mu.Lock()
	defer p.am.mu.Unlock()
	p.am.delays.Deploy = Span{}
	for _, a := range p.am.apis {
		if a.deployed != nil {
			a.deployed.from = p.am.started
		}
	}
}

// deliverRevocations has the gateway refuse what was revoked, now and as soon as a notice comes.
func (p *pair) deliverRevocations() {
	p.am.mu.Lock()
	defer p.am.mu.Unlock()
	p.am.delays.Revocation = Span{}
	for jti := range p.am.revoked {
		p.am.revoked[jti] = p.am.started
	}
}

// loadKeyManagers has every key manager loaded now.
func (p *pair) loadKeyManagers() {
	p.am.mu.Lock()
	defer p.am.mu.Unlock()
	for _, k := range p.am.keyManagers {
		k.loadedAt = p.am.started
	}
}

// hooks run before a step.
type hooks map[string]func()

// harFile is the part of an HTTP Archive that a replay needs.
type harFile struct {
	Log struct {
		Entries []harEntry `json:"entries"`
	} `json:"log"`
}

type harEntry struct {
	Comment string `json:"comment"`
	Request struct {
		Method   string      `json:"method"`
		URL      string      `json:"url"`
		Headers  []harHeader `json:"headers"`
		PostData *struct {
			Text string `json:"text"`
		} `json:"postData"`
	} `json:"request"`
	Response struct {
		Status  int         `json:"status"`
		Headers []harHeader `json:"headers"`
		Content struct {
			Text string `json:"text"`
		} `json:"content"`
	} `json:"response"`
}

type harHeader struct{ Name, Value string }

// redirect is where the recorded server redirects to; nil: it does not.
func (e harEntry) redirect() *url.URL {
	for _, h := range e.Response.Headers {
		if to, err := url.Parse(h.Value); err == nil && e.Response.Status == http.StatusFound && strings.EqualFold(h.Name, "Location") {
			return to
		}
	}
	return nil
}

var attempt = regexp.MustCompile(`^(.*), try \d+$`)

// recorded are the steps of a recording.
func recorded(t *testing.T, file string) []harEntry {
	t.Helper()
	raw, err := os.ReadFile(testenv.Shared(t, "recordings", file))
	if err != nil {
		t.Fatal(err)
	}
	var har harFile
	if err := json.Unmarshal(raw, &har); err != nil {
		t.Fatal(err)
	}
	return har.Log.Entries
}

// replay says how many steps the recording has.
func replay(t *testing.T, file string, hosts map[string]string, forms map[string]map[string]string, before hooks) (steps int) {
	t.Helper()
	r := newReplayer(hosts, forms)
	for _, e := range recorded(t, file) {
		if f := before[e.Comment]; f != nil {
			f()
		}
		t.Run(e.Comment, func(t *testing.T) { r.step(t, e) })
		steps++
	}
	if steps == 0 {
		t.Fatal("the recording has no steps")
	}
	if missing := len(forms) - len(r.sent); missing > 0 {
		t.Errorf("%d of the forms belong to no step of the recording", missing)
	}
	return steps
}

func newReplayer(values map[string]string, forms map[string]map[string]string) *replayer {
	return &replayer{values: maps.Clone(values), forms: forms, sent: map[string]bool{}}
}

// replayer sends recorded requests, with the values that the recorded server made replaced by those of this one.
type replayer struct {
	values map[string]string                    // recorded value to the one of this replay
	forms  map[string]map[string]string         // by step: fields of the forms that are not in the recording
	sent   map[string]bool                      // those that were needed
	bodies strings.Builder                      // what the recorded client sent so far
	more   func(e harEntry, got reply) []string // what else an answer has to have; may be nil
}

func (r *replayer) step(t *testing.T, e harEntry) {
	want := decoded(e.Response.Content.Text)
	var got reply
	var problems []string
	try := func() bool {
		got = do(t, r.request(t, e))
		problems = append(compare(e, got, want), r.compareRedirect(e.redirect(), got)...)
		if r.more != nil {
			problems = append(problems, r.more(e, got)...)
		}
		return len(problems) == 0
	}
	if attempt.MatchString(e.Comment) {
		eventually(t, e.Comment, try)
	} else if !try() {
		t.Errorf("%s\nrecorded %d %.600s\nanswered %d %.600s", strings.Join(problems, "\n"),
			e.Response.Status, e.Response.Content.Text, got.status, got.text)
	}
	if e.Request.PostData != nil {
		r.bodies.WriteString(e.Request.PostData.Text)
	}
	r.learn(want, got.body)
	r.learnRedirect(e.redirect(), got)
}

// learnRedirect notes the keys of sessions and the codes of clients, which only redirects carry.
func (r *replayer) learnRedirect(recorded *url.URL, got reply) {
	to, err := url.Parse(got.header.Get("Location"))
	if recorded == nil || err != nil {
		return
	}
	for _, name := range []string{"sessionDataKey", "code"} {
		if value := recorded.Query().Get(name); value != "" {
			r.values[value] = to.Query().Get(name)
		}
	}
}

// compareRedirect lists what a redirect has other than the recorded one: the address, and what it says about a mistake.
func (r *replayer) compareRedirect(recorded *url.URL, got reply) (problems []string) {
	if recorded == nil {
		return nil
	}
	to, err := url.Parse(got.header.Get("Location"))
	if err != nil {
		return []string{err.Error()}
	}
	address := func(u url.URL) string { u.RawQuery = ""; return u.String() }
	if want := r.translate(address(*recorded)); address(*to) != want {
		problems = append(problems, fmt.Sprintf("redirects to %s, recorded %s", address(*to), want))
	}
	for _, name := range []string{"error", "error_description", "state", "oauthErrorCode", "oauthErrorMsg", "authFailure", "authFailureMsg"} {
		if is, want := to.Query().Get(name), recorded.Query().Get(name); is != want {
			problems = append(problems, fmt.Sprintf("redirects with %s %q, recorded %q", name, is, want))
		}
	}
	return problems
}

func decoded(text string) any {
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return nil
	}
	return v
}

func (r *replayer) request(t *testing.T, e harEntry) *http.Request {
	t.Helper()
	var body string
	if e.Request.PostData != nil {
		body = r.translate(e.Request.PostData.Text)
	}
	fields, isForm := r.forms[e.Comment]
	formType := ""
	if isForm {
		r.sent[e.Comment] = true
		body, formType = multipartBody(t, fields)
	}
	req, err := http.NewRequestWithContext(t.Context(), e.Request.Method, r.translate(e.Request.URL), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range e.Request.Headers {
		v := h.Value
		if encoded, ok := strings.CutPrefix(v, "Basic "); ok {
			if plain, err := base64.StdEncoding.DecodeString(encoded); err == nil {
				v = "Basic " + base64.StdEncoding.EncodeToString([]byte(r.translate(string(plain))))
			}
		}
		req.Header.Set(h.Name, r.translate(v))
	}
	if isForm {
		req.Header.Set("Content-Type", formType)
	}
	if e.Response.Status >= http.StatusBadRequest || e.Comment == "keys, validityTime a number" {
		req.Header.Set(speccheck.WrongHeader, "as recorded")
	}
	return req
}

// translate replaces recorded values, the longest first: one may be part of another.
func (r *replayer) translate(s string) string {
	for _, recorded := range slices.SortedFunc(maps.Keys(r.values), func(a, b string) int { return len(b) - len(a) }) {
		s = strings.ReplaceAll(s, recorded, r.values[recorded])
	}
	return s
}

// learn notes which value of this replay stands for which recorded one. What the client itself had sent stands for
// itself: lists come in another order, and one name must not become another.
func (r *replayer) learn(recorded, got any) {
	switch recorded := recorded.(type) {
	case map[string]any:
		if got, ok := got.(map[string]any); ok {
			for name := range recorded {
				if code, short := recorded[name].(string); short && name == "user_code" {
					r.values[code], _ = got[name].(string)
				}
				r.learn(recorded[name], got[name])
			}
		}
	case []any:
		if got, ok := got.([]any); ok {
			for i := range min(len(recorded), len(got)) {
				r.learn(recorded[i], got[i])
			}
		}
	case string:
		if got, ok := got.(string); ok && r.makes(recorded) && recorded != got && r.values[recorded] == "" {
			r.values[recorded] = got
		}
	}
}

// makes reports whether a recorded value looks like one that the server made.
func (r *replayer) makes(recorded string) bool {
	return len(recorded) >= 12 && !strings.Contains(recorded, " ") && (r.more == nil || uuidForm.MatchString(recorded)) &&
		!strings.Contains(r.bodies.String(), recorded)
}

// compare lists what an answer has other than the recorded one.
func compare(e harEntry, got reply, want any) []string {
	var problems []string
	if got.status != e.Response.Status {
		problems = append(problems, fmt.Sprintf("status %d, recorded %d", got.status, e.Response.Status))
	}
	if (got.text == "") != (e.Response.Content.Text == "") {
		problems = append(problems, fmt.Sprintf("a body of %d bytes, recorded %d", len(got.text), len(e.Response.Content.Text)))
	}
	if want == nil {
		return problems
	}
	if w, ok := want.(map[string]any); ok && w["code"] != nil {
		if g, _ := got.body.(map[string]any); g["code"] != w["code"] {
			problems = append(problems, fmt.Sprintf("code %v, recorded %v", g["code"], w["code"]))
		}
	}
	if w, ok := want.(map[string]any); ok && w["error_description"] != nil {
		if g, _ := got.body.(map[string]any); g["error"] != w["error"] {
			problems = append(problems, fmt.Sprintf("error %v, recorded %v", g["error"], w["error"]))
		}
	}
	return append(problems, differences("", want, got.body)...)
}

// differences compares keys and types, at every depth. The length of a list may differ, but not that it is empty, and
// each item has to look like one of the recorded ones.
func differences(path string, want, got any) []string {
	if kind(want) != kind(got) {
		return []string{fmt.Sprintf("%s is %s, recorded %s", path, kind(got), kind(want))}
	}
	var out []string
	switch want := want.(type) {
	case map[string]any:
		got := got.(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(want)) {
			if _, has := got[name]; !has {
				out = append(out, path+"."+name+" is missing")
				continue
			}
			out = append(out, differences(path+"."+name, want[name], got[name])...)
		}
		for _, name := range slices.Sorted(maps.Keys(got)) {
			if _, has := want[name]; !has {
				out = append(out, path+"."+name+" is not in the recording")
			}
		}
	case []any:
		got := got.([]any)
		if (len(want) == 0) != (len(got) == 0) {
			return []string{fmt.Sprintf("%s has %d items, recorded %d", path, len(got), len(want))}
		}
		for i, item := range got {
			var closest []string
			for at, recorded := range want {
				d := differences(fmt.Sprintf("%s[%d]", path, i), recorded, item)
				if at == 0 || len(d) < len(closest) {
					closest = d
				}
			}
			out = append(out, closest...)
		}
	}
	return out
}

func kind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	}
	return "a number"
}
