//go:build compose

package compose

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// facts are what the agent relies on, and what can be asked from outside. Each says what it has seen if the fact does not hold, and
// "" if it does. They come in this order, and a later one may use what an earlier one has made.
var facts = []struct {
	says string
	ask  func(*servers) string
}{
	// Answers of API-M's REST APIs.
	{"no credentials: 401 with code 401", func(s *servers) string {
		return s.am("GET", "/api/am/publisher/v4/apis", nil, anonymous).want(401, "401")
	}},
	{"a wrong password: 401 with code 401", func(s *servers) string {
		return s.am("GET", "/api/am/admin/v4/key-managers", nil, basic("admin", "wrong")).want(401, "401")
	}},
	{"the Publisher shows its settings to anybody", func(s *servers) string {
		return s.am("GET", "/api/am/publisher/v4/settings", nil, anonymous).want(200, "")
	}},
	{"an unknown field: 400", func(s *servers) string {
		return s.am("POST", "/api/am/devportal/v3/applications", object{"name": s.name, "throttlingPolicy": "Unlimited", "x": 1}).want(400, "")
	}},
	{"a list has count, list and pagination", func(s *servers) string {
		return s.am("GET", "/api/am/publisher/v4/apis?limit=1", nil).has("count", "list", "pagination")
	}},
	{"the health check of the gateway answers 200 with an empty body", func(s *servers) string {
		a := s.am("GET", "/api/am/gateway/v2/server-startup-healthcheck", nil, anonymous)
		if len(a.body) > 0 {
			return a.seen()
		}
		return a.want(200, "")
	}},
	{"the health check of the gateway refuses wrong credentials", func(s *servers) string {
		return s.am("GET", "/api/am/gateway/v2/server-startup-healthcheck", nil, basic("admin", "wrong")).want(401, "")
	}},

	// Key managers.
	{"the list of key managers ends with the resident one", func(s *servers) string {
		a := s.am("GET", "/api/am/admin/v4/key-managers", nil)
		if list := a.list(); len(list) == 0 || list[len(list)-1]["name"] != "Resident Key Manager" {
			return a.seen()
		}
		return ""
	}},
	{"the list of key managers has no connector's properties", func(s *servers) string {
		a := s.am("GET", "/api/am/admin/v4/key-managers", nil)
		for _, km := range a.list() {
			if properties, _ := km["additionalProperties"].(map[string]any); len(properties) > 0 {
				return a.seen()
			}
			if km["name"] == "WSO2-IS" {
				s.keyManager, _ = km["id"].(string)
			}
		}
		return a.want(200, "")
	}},
	{"a key manager is shown with a masked password", func(s *servers) string {
		a := s.am("GET", "/api/am/admin/v4/key-managers/"+s.keyManager, nil)
		s.manager = a.object()
		if properties, _ := s.manager["additionalProperties"].(map[string]any); properties["Password"] != "*****" {
			return "HTTP " + fmt.Sprint(a.status) + ", and the password is not masked"
		}
		return ""
	}},
	{"a key manager with the name of another: 409 with code 901402", func(s *servers) string {
		return s.am("POST", "/api/am/admin/v4/key-managers", s.manager).want(409, "901402")
	}},
	{"a key manager of an unknown type: 400 with code 901400", func(s *servers) string {
		other := object{}
		for k, v := range s.manager {
			other[k] = v
		}
		other["name"], other["type"] = s.name, "unknown"
		delete(other, "id")
		return s.am("POST", "/api/am/admin/v4/key-managers", other).want(400, "901400")
	}},
	{"an unknown key manager: 404 with code 901411", func(s *servers) string {
		return s.am("GET", "/api/am/admin/v4/key-managers/00000000-0000-0000-0000-000000000000", nil).want(404, "901411")
	}},

	// APIs.
	{"a new API: 201, and it can be read at once", func(s *servers) string {
		a := s.am("POST", "/api/am/publisher/v4/apis", s.api(s.name, "/"+s.name))
		s.id, _ = a.object()["id"].(string)
		if says := a.want(201, ""); says != "" {
			return says
		}
		return s.am("GET", "/api/am/publisher/v4/apis/"+s.id, nil).want(200, "")
	}},
	{"an API with the name and version of another: 409 with code 900300", func(s *servers) string {
		return s.am("POST", "/api/am/publisher/v4/apis", s.api(s.name, "/other"+s.name)).want(409, "900300")
	}},
	{"an API with the name of another in capitals: 409 with code 900250", func(s *servers) string {
		return s.am("POST", "/api/am/publisher/v4/apis", s.api(strings.ToUpper(s.name), "/other"+s.name)).want(409, "900250")
	}},
	{"an API with the context of another: 409 with code 900251", func(s *servers) string {
		return s.am("POST", "/api/am/publisher/v4/apis", s.api("other"+s.name, "/"+s.name)).want(409, "900251")
	}},
	{"an API with & in its name: 400", func(s *servers) string {
		return s.am("POST", "/api/am/publisher/v4/apis", s.api("a&b", "/other"+s.name)).want(400, "")
	}},
	{"a lifecycle action in capitals: 400 with code 903234", func(s *servers) string {
		return s.am("POST", "/api/am/publisher/v4/apis/change-lifecycle?action=PUBLISH&apiId="+s.id, nil).want(400, "903234")
	}},
	{"a revision: 201", func(s *servers) string {
		a := s.am("POST", "/api/am/publisher/v4/apis/"+s.id+"/revisions", object{"description": "facts"})
		s.revision, _ = a.object()["id"].(string)
		return a.want(201, "")
	}},
	{"a deployment in an unknown environment: 400 with code 900504", func(s *servers) string {
		return s.deploy("Unknown").want(400, "900504")
	}},
	{"a deployment: 201 with all deployments of the API", func(s *servers) string {
		a := s.deploy("Default")
		if !bytes.HasPrefix(bytes.TrimSpace(a.body), []byte("[")) {
			return a.seen()
		}
		return a.want(201, "")
	}},
	{"Publish answers with the state Published", func(s *servers) string {
		a := s.am("POST", "/api/am/publisher/v4/apis/change-lifecycle?action=Publish&apiId="+s.id, nil)
		if state, _ := a.object()["lifecycleState"].(map[string]any); state["state"] != "Published" {
			return a.seen()
		}
		return a.want(200, "")
	}},
	{"a published API has the status PUBLISHED", func(s *servers) string {
		a := s.am("GET", "/api/am/publisher/v4/apis/"+s.id, nil)
		if a.object()["lifeCycleStatus"] != "PUBLISHED" {
			return a.seen()
		}
		return ""
	}},

	// Applications, subscriptions and keys.
	{"a new application: 201", func(s *servers) string {
		a := s.am("POST", "/api/am/devportal/v3/applications", s.application())
		s.app, _ = a.object()["applicationId"].(string)
		return a.want(201, "")
	}},
	{"an application with the name of another: 409 with code 409", func(s *servers) string {
		return s.am("POST", "/api/am/devportal/v3/applications", s.application()).want(409, "409")
	}},
	{"applications are found by a part of their names, in any letter case", func(s *servers) string {
		a := s.am("GET", "/api/am/devportal/v3/applications?query="+url.QueryEscape(strings.ToUpper(s.name[:len(s.name)-1])), nil)
		if len(a.list()) != 1 {
			return a.seen()
		}
		return ""
	}},
	{"new keys: 200 with a consumer key and the state APPROVED", func(s *servers) string {
		var a answer
		for deadline := time.Now().Add(patience(time.Minute)); ; time.Sleep(time.Second) { // the key manager may be loading
			a = s.am("POST", "/api/am/devportal/v3/applications/"+s.app+"/generate-keys", s.keys())
			if a.status == 200 || time.Now().After(deadline) {
				break
			}
		}
		keys := a.object()
		s.consumerKey, _ = keys["consumerKey"].(string)
		s.consumerSecret, _ = keys["consumerSecret"].(string)
		s.mapping, _ = keys["keyMappingId"].(string)
		if s.consumerKey == "" || s.consumerSecret == "" || keys["keyState"] != "APPROVED" {
			return fmt.Sprintf("HTTP %d, state %v, and a consumer key: %v", a.status, keys["keyState"], s.consumerKey != "")
		}
		return ""
	}},
	{"keys for the second time: 409 with code 901409", func(s *servers) string {
		return s.am("POST", "/api/am/devportal/v3/applications/"+s.app+"/generate-keys", s.keys()).want(409, "901409")
	}},
	{"keys are listed with the name of their key manager, and the state COMPLETED", func(s *servers) string {
		a := s.am("GET", "/api/am/devportal/v3/applications/"+s.app+"/oauth-keys", nil)
		if list := a.list(); len(list) != 1 || list[0]["keyManager"] != "WSO2-IS" || list[0]["keyState"] != "COMPLETED" {
			return fmt.Sprintf("HTTP %d, and %d keys", a.status, len(list))
		}
		return ""
	}},
	{"a subscription with a tier that the API does not have: 403 with code 902002", func(s *servers) string {
		return s.am("POST", "/api/am/devportal/v3/subscriptions", object{"applicationId": s.app, "apiId": s.id, "throttlingPolicy": "Gold"}).want(403, "902002")
	}},

	// The gateway and tokens of IS.
	{"the gateway knows no such context: 404", func(s *servers) string {
		return s.gateway("/unknown-"+s.name+"/1.0.0/", "none").want(404, "")
	}},
	{"the gateway refuses a wrong token: 401 with code 900901", func(s *servers) string {
		var a answer
		for deadline := time.Now().Add(patience(30 * time.Second)); ; time.Sleep(time.Second) { // it loads the API some seconds after the deployment
			a = s.gateway("/"+s.name+"/1.0.0/", "wrong")
			if a.status != 404 || time.Now().After(deadline) {
				break
			}
		}
		return a.want(401, "900901")
	}},
	{"the gateway wants a token: 401 with code 900902 and WWW-Authenticate", func(s *servers) string {
		a := s.gateway("/"+s.name+"/1.0.0/", "")
		if a.header.Get("WWW-Authenticate") == "" {
			return a.seen()
		}
		return a.want(401, "900902")
	}},
	{"IS gives a token that is a JWT of type at+jwt, for azp and with the issuer of its discovery document", func(s *servers) string {
		issuer := s.is("GET", "/oauth2/token/.well-known/openid-configuration", nil, anonymous).object()["issuer"]
		header, claims, says := s.fetchToken()
		if says != "" {
			return says
		}
		if header["typ"] != "at+jwt" || claims["azp"] != s.consumerKey || claims["iss"] != issuer {
			return fmt.Sprintf("typ %v, azp is the client: %v, iss %v, issuer %v", header["typ"], claims["azp"] == s.consumerKey, claims["iss"], issuer)
		}
		return ""
	}},
	{"the gateway refuses the token of a client without a subscription: 403 with code 900908", func(s *servers) string {
		return s.gateway("/"+s.name+"/1.0.0/", s.token).want(403, "900908")
	}},
	{"a subscription: 201, and the gateway serves the API", func(s *servers) string {
		a := s.am("POST", "/api/am/devportal/v3/subscriptions", object{"applicationId": s.app, "apiId": s.id, "throttlingPolicy": "Unlimited"})
		s.subscription, _ = a.object()["subscriptionId"].(string)
		if says := a.want(201, ""); says != "" {
			return says
		}
		var called answer
		for deadline := time.Now().Add(patience(30 * time.Second)); ; time.Sleep(500 * time.Millisecond) {
			called = s.gateway("/"+s.name+"/1.0.0/", s.token)
			if called.status == 200 || time.Now().After(deadline) {
				return called.want(200, "")
			}
		}
	}},
	{"an API with a subscription cannot be deleted: 409 with code 409", func(s *servers) string {
		return s.am("DELETE", "/api/am/publisher/v4/apis/"+s.id, nil).want(409, "409")
	}},
	{"a new token ends the one before it", func(s *servers) string {
		first := s.token
		time.Sleep(time.Second) // two tokens of one second may be one
		if _, _, says := s.fetchToken(); says != "" {
			return says
		}
		if a := s.introspect(first); a.object()["active"] != false {
			return a.seen()
		}
		return ""
	}},

	// Identity Server.
	{"IS asks whoever wants an unknown page to log in: 302", func(s *servers) string {
		return s.is("GET", "/unknown-"+s.name, nil, anonymous).want(302, "")
	}},
	{"IS has no client of that id: 401 with an empty body and no WWW-Authenticate", func(s *servers) string {
		a := s.is("GET", "/api/identity/oauth2/dcr/v1.1/register/unknown-"+s.name, nil)
		if len(a.body) > 0 || a.header.Get("WWW-Authenticate") != "" {
			return a.seen()
		}
		return a.want(401, "")
	}},
	{"IS refuses the wrong secret of a client: 401 with invalid_client", func(s *servers) string {
		a := s.is("POST", "/oauth2/token", url.Values{"grant_type": {"client_credentials"}}, basic(s.consumerKey, "wrong"))
		if a.object()["error"] != "invalid_client" {
			return a.seen()
		}
		return a.want(401, "")
	}},
	{"IS says of any text that it is no active token, if its administrator asks", func(s *servers) string {
		a := s.introspect("garbage")
		if a.object()["active"] != false {
			return a.seen()
		}
		return a.want(200, "")
	}},
	{"IS says nothing of tokens to a client: 401", func(s *servers) string {
		return s.is("POST", "/oauth2/introspect", url.Values{"token": {s.token}}, basic(s.consumerKey, s.consumerSecret)).want(401, "")
	}},
	{"IS takes back any token of its client: 200", func(s *servers) string {
		return s.is("POST", "/oauth2/revoke", url.Values{"token": {"garbage"}}, basic(s.consumerKey, s.consumerSecret)).want(200, "")
	}},
	{"IS speaks TLS 1.2 on 9443", func(s *servers) string {
		conn, err := tls.Dial("tcp", s.w.address("wso2is", "9443"), &tls.Config{RootCAs: s.w.ahead(), ServerName: "wso2is"})
		if err != nil {
			return err.Error()
		}
		defer conn.Close()
		if version := conn.ConnectionState().Version; version != tls.VersionTLS12 {
			return tls.VersionName(version)
		}
		return ""
	}},
	{"no server restarts on request: ServerAdmin answers 200 with false", func(s *servers) string {
		const envelope = `<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body><restartGracefully xmlns="http://org.apache.axis2/xsd"/></soapenv:Body></soapenv:Envelope>`
		a := s.am("POST", "/services/ServerAdmin", soap{"urn:restartGracefully", envelope})
		if !bytes.Contains(a.body, []byte(">false</")) {
			return a.seen()
		}
		return a.want(200, "")
	}},

	// Taking things away.
	{"keys can be deleted: 200, and IS has lost the client", func(s *servers) string {
		if says := s.am("DELETE", "/api/am/devportal/v3/applications/"+s.app+"/oauth-keys/"+s.mapping, nil).want(200, ""); says != "" {
			return says
		}
		return s.is("GET", "/api/identity/oauth2/dcr/v1.1/register/"+s.consumerKey, nil).want(401, "")
	}},
}

// TestFactsThatTheAgentReliesOn asks both servers, and prints which facts hold. It shows whether images of another version, or real ones,
// answer as the agent expects. With stand-ins it holds them to that.
func TestFactsThatTheAgentReliesOn(t *testing.T) {
	w := newWorld(t)
	w.up()
	s := &servers{w: w, name: "facts" + strings.ToLower(rand.Text()[:8])}
	s.client = &http.Client{Timeout: patience(30 * time.Second), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer s.remove()
	held := 0
	for _, fact := range facts {
		if seen := fact.ask(s); seen != "" {
			t.Errorf("does NOT hold: %s; seen: %s", fact.says, seen)
			continue
		}
		t.Logf("holds: %s", fact.says)
		held++
	}
	t.Logf("%d of %d facts hold", held, len(facts))
}

// servers are both servers of a world, and what the facts have made on them.
type servers struct {
	w      *world
	client *http.Client
	name   string // of all that is made

	keyManager, id, revision, app, mapping, subscription string
	manager                                              object
	consumerKey, consumerSecret, token                   string
}

type object = map[string]any

// soap is a request to a SOAP service.
type soap struct{ action, envelope string }

// answer is what a server has answered.
type answer struct {
	status int
	header http.Header
	body   []byte
	err    error
}

// credentials put something into a request.
type credentials func(*http.Request)

func anonymous(*http.Request) {}

func basic(user, password string) credentials {
	return func(r *http.Request) { r.SetBasicAuth(user, password) }
}

func (s *servers) am(method, path string, body any, as ...credentials) answer {
	return s.ask("wso2am", "9443", method, path, body, as...)
}

func (s *servers) is(method, path string, body any, as ...credentials) answer {
	return s.ask("wso2is", "9443", method, path, body, as...)
}

// ask sends a request to a port of a server, as its administrator unless something else is said.
func (s *servers) ask(service, port, method, path string, body any, as ...credentials) (a answer) {
	s.w.t.Helper()
	var data []byte
	kind := ""
	switch b := body.(type) {
	case nil:
	case url.Values:
		data, kind = []byte(b.Encode()), "application/x-www-form-urlencoded"
	case soap:
		data, kind = []byte(b.envelope), "text/xml; charset=utf-8"
	default:
		data, kind = mustJSON(body), "application/json"
	}
	request, err := http.NewRequestWithContext(s.w.t.Context(), method, "https://"+s.w.address(service, port)+path, bytes.NewReader(data))
	if err != nil {
		return answer{err: err}
	}
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	if b, ok := body.(soap); ok {
		request.Header.Set("SOAPAction", b.action)
	}
	if len(as) == 0 {
		as = []credentials{basic("admin", "admin")}
	}
	for _, c := range as {
		c(request)
	}
	client := *s.client
	client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.w.ahead(), ServerName: service}, DisableKeepAlives: true}
	resp, err := client.Do(request)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	a = answer{status: resp.StatusCode, header: resp.Header}
	a.body, a.err = io.ReadAll(resp.Body)
	return a
}

func mustJSON(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // it is made of texts and numbers
	}
	return data
}

func (s *servers) gateway(path, token string) answer {
	return s.ask("wso2am", "8243", "GET", path, nil, func(r *http.Request) {
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
	})
}

func (s *servers) introspect(token string) answer {
	return s.is("POST", "/oauth2/introspect", url.Values{"token": {token}})
}

func (s *servers) api(name, context string) object {
	endpoint := object{"url": "http://payment-service:8080"}
	return object{
		"name": name, "context": context, "version": "1.0.0", "type": "HTTP", "policies": []string{"Unlimited"},
		"endpointConfig": object{"endpoint_type": "http", "production_endpoints": endpoint, "sandbox_endpoints": endpoint},
		"operations":     []object{{"target": "/*", "verb": "GET", "authType": "Application & Application User", "throttlingPolicy": "Unlimited"}},
	}
}

func (s *servers) application() object {
	return object{"name": s.name, "throttlingPolicy": "Unlimited", "tokenType": "JWT"}
}

func (s *servers) keys() object {
	return object{
		"keyType": "PRODUCTION", "keyManager": s.keyManager, "grantTypesToBeSupported": []string{"client_credentials"}, "callbackUrl": "",
		"scopes": []string{"am_application_scope", "default"}, "validityTime": "3600", "additionalProperties": object{},
	}
}

func (s *servers) deploy(environment string) answer {
	return s.am("POST", "/api/am/publisher/v4/apis/"+s.id+"/deploy-revision?revisionId="+s.revision,
		[]object{{"name": environment, "vhost": "localhost", "displayOnDevportal": true}})
}

// fetchToken gets a token of IS for the application, and returns its header and its claims, or what it has seen instead.
func (s *servers) fetchToken() (header, claims object, seen string) {
	a := s.is("POST", "/oauth2/token", url.Values{"grant_type": {"client_credentials"}}, basic(s.consumerKey, s.consumerSecret))
	s.token, _ = a.object()["access_token"].(string)
	parts := strings.Split(s.token, ".")
	if len(parts) != 3 {
		return nil, nil, fmt.Sprintf("HTTP %d, and no JWT", a.status)
	}
	for i, into := range []*object{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			return nil, nil, err.Error()
		}
	}
	return header, claims, ""
}

// remove takes away what the facts have made.
func (s *servers) remove() {
	if s.app != "" {
		s.am("DELETE", "/api/am/devportal/v3/applications/"+s.app, nil)
	}
	if s.id != "" {
		if a := s.am("DELETE", "/api/am/publisher/v4/apis/"+s.id, nil); a.status != 200 {
			s.w.t.Errorf("the API of the test cannot be deleted: %s", a.seen())
		}
	}
}

// want says what was seen if an answer has another status, or another code in its body; code may be empty.
func (a answer) want(status int, code string) string {
	if a.err != nil || a.status != status || code != "" && fmt.Sprint(a.object()["code"]) != code {
		return a.seen()
	}
	return ""
}

// has says what was seen if an answer is not 200, or lacks one of these fields.
func (a answer) has(fields ...string) string {
	o := a.object()
	for _, f := range fields {
		if _, there := o[f]; !there {
			return a.seen()
		}
	}
	return a.want(200, "")
}

func (a answer) seen() string {
	if a.err != nil {
		return a.err.Error()
	}
	return fmt.Sprintf("HTTP %d, %.300s", a.status, a.body)
}

func (a answer) object() (o object) {
	json.Unmarshal(a.body, &o) // anything else has no fields
	return o
}

func (a answer) list() (all []object) {
	list, _ := a.object()["list"].([]any)
	for _, e := range list {
		o, _ := e.(object)
		all = append(all, o)
	}
	return all
}
