package bootstrap_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/keysfile"
	"wso2agent/internal/lease"
)

type object = map[string]any

// fake imitates both servers as far as these tests need them, in memory and without a network. So the agent's waits pass in the time
// of testing/synctest. It answers like the products in the recordings.
type fake struct {
	dir      string     // of the files that runs leave for the next one
	mu       sync.Mutex // held during a request
	log      []string   // every request that is no GET
	gets     int
	nextID   int
	issuer   string // of IS
	resident string // issuer of API-M
	indexLag time.Duration
	kmDelay  time.Duration // until a key manager is usable after its event
	loseKM   int           // so many events of key managers are lost
	upAt     time.Time     // the gateway is healthy then
	limit    int           // revisions per API

	kms       []object
	kmReady   map[string]time.Time
	apis      []object
	indexed   map[string]time.Time
	revisions map[string][]object
	snapshots map[string]object // APIs by the ids of their revisions
	apps      []object
	subs      []object
	rows      map[string][]object // key mappings by application
	clients   map[string]string   // of IS: name to id

	// intercept answers a request in place of the fake, if it returns a status.
	intercept func(r *http.Request) (status int, body string)
}

func newFake() *fake {
	return &fake{
		issuer: "https://is.example:9443/oauth2/token", resident: "https://am.example:9443/oauth2/token", limit: 5,
		kms:     []object{{"id": "resident", "name": bootstrap.ResidentKeyManager, "type": "default", "enabled": true}},
		kmReady: map[string]time.Time{"resident": {}}, indexed: map[string]time.Time{},
		revisions: map[string][]object{}, snapshots: map[string]object{}, rows: map[string][]object{}, clients: map[string]string{},
	}
}

// RoundTrip answers a request without a wait.
func (f *fake) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Context().Err() != nil {
		return nil, r.Context().Err()
	}
	if r.Body == nil {
		r = r.Clone(r.Context())
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.serve(w, r)
	return w.Result(), nil
}

// files are the files of agents that share a folder.
func (f *fake) files() bootstrap.Files {
	return bootstrap.Files{Keys: keysfile.Files{JSON: filepath.Join(f.dir, "keys.json")}}
}

func (f *fake) id(kind string) string {
	f.nextID++
	return fmt.Sprintf("%s-%d", kind, f.nextID)
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var in object
	json.Unmarshal(body, &in)
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case r.Method == http.MethodGet, strings.HasSuffix(r.URL.Path, "/apis/validate"):
		f.gets++
	case in["name"] == lease.Application, find(f.apps, "applicationId", path[len(path)-1])["name"] == lease.Application:
		f.serveDevPortal(w, r, path[4:], in) // the lease of the run is not what these tests are about
		return
	default:
		f.log = append(f.log, r.Method+" "+r.URL.RequestURI())
	}
	if f.intercept != nil {
		if status, body := f.intercept(r); status != 0 {
			w.WriteHeader(status)
			io.WriteString(w, body)
			return
		}
	}
	switch {
	case r.URL.Host == "is.example:9443":
		f.serveIS(w, r)
	case strings.HasSuffix(r.URL.Path, "openid-configuration"):
		reply(w, 200, object{"issuer": f.resident})
	case strings.HasSuffix(r.URL.Path, "server-startup-healthcheck"):
		if time.Now().Before(f.upAt) {
			fail(w, 500, 500)
		}
	case path[2] == "admin":
		f.serveAdmin(w, r, path[4:], in)
	case path[2] == "publisher":
		f.servePublisher(w, r, path[4:], in, body)
	default:
		f.serveDevPortal(w, r, path[4:], in)
	}
}

func reply(w http.ResponseWriter, status int, v any) {
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func fail(w http.ResponseWriter, status, code int) {
	reply(w, status, object{"code": code, "message": "as the product does", "description": "", "moreInfo": "", "error": []any{}})
}

func replyList(w http.ResponseWriter, list []object) {
	if list == nil {
		list = []object{}
	}
	reply(w, 200, object{"count": len(list), "list": list})
}

func find(list []object, field string, value any) object {
	for _, o := range list {
		if o[field] == value {
			return o
		}
	}
	return nil
}

func (f *fake) serveIS(w http.ResponseWriter, r *http.Request) {
	id := strings.TrimPrefix(r.URL.Path, "/api/identity/oauth2/dcr/v1.1/register/")
	switch {
	case strings.HasSuffix(r.URL.Path, "openid-configuration"):
		reply(w, 200, object{"issuer": f.issuer})
	case r.Method == http.MethodDelete:
		maps.DeleteFunc(f.clients, func(_, v string) bool { return v == id })
		w.WriteHeader(204)
	case !strings.HasSuffix(r.URL.Path, "/register") && !slices.Contains(slices.Collect(maps.Values(f.clients)), id):
		w.WriteHeader(401)
	case !strings.HasSuffix(r.URL.Path, "/register"):
		reply(w, 200, object{"client_id": id})
	case f.clients[r.FormValue("client_name")] == "":
		w.WriteHeader(401)
	default:
		reply(w, 200, object{"client_id": f.clients[r.FormValue("client_name")]})
	}
}

func (f *fake) serveAdmin(w http.ResponseWriter, r *http.Request, path []string, in object) {
	sendEvent := func(id string) {
		if f.loseKM > 0 {
			f.loseKM--
			return
		}
		f.kmReady[id] = time.Now().Add(f.kmDelay)
	}
	switch {
	case r.Method == http.MethodGet && len(path) == 1:
		for _, km := range f.kms {
			km["isUsed"] = f.used(km["id"].(string))
		}
		replyList(w, f.kms)
	case r.Method == http.MethodPost:
		if find(f.kms, "name", in["name"]) != nil {
			fail(w, 409, 901402)
			return
		}
		in["id"] = f.id("km")
		in["later"] = object{"unknown": nil}
		in["additionalProperties"].(object)["self_validate_jwt"] = true
		f.kms = append([]object{in}, f.kms...)
		sendEvent(in["id"].(string))
		reply(w, 201, in)
	case r.Method == http.MethodPut:
		i := slices.IndexFunc(f.kms, func(o object) bool { return o["id"] == path[1] })
		f.kms[i] = in
		sendEvent(path[1])
		reply(w, 200, in)
	case r.Method == http.MethodDelete && find(f.kms, "id", path[1]) == nil:
		fail(w, 404, 901411)
	case r.Method == http.MethodDelete && f.used(path[1]):
		fail(w, 412, 902015)
	case r.Method == http.MethodDelete:
		f.kms = slices.DeleteFunc(f.kms, func(o object) bool { return o["id"] == path[1] })
	case find(f.kms, "id", path[1]) == nil:
		fail(w, 404, 901411)
	default:
		km := maps.Clone(find(f.kms, "id", path[1]))
		if props, ok := km["additionalProperties"].(object); ok {
			props = maps.Clone(props)
			props["Password"] = "*****"
			km["additionalProperties"] = props
		}
		reply(w, 200, km)
	}
}

// used reports whether an application has keys of a key manager. Rows have the name of the key manager, and "of" if two share a name.
func (f *fake) used(id string) bool {
	for _, rows := range f.rows {
		for _, row := range rows {
			if row["of"] == id || row["of"] == nil && row["keyManager"] == find(f.kms, "id", id)["name"] {
				return true
			}
		}
	}
	return false
}

func (f *fake) servePublisher(w http.ResponseWriter, r *http.Request, path []string, in object, body []byte) {
	if bad := unknownPolicy(in["policies"]); bad {
		fail(w, 400, 900305)
		return
	}
	switch {
	case path[0] == "throttling-policies":
		replyList(w, []object{{"name": "Gold"}, {"name": "Silver"}, {"name": "Unlimited"}})
	case len(path) == 1 && r.Method == http.MethodGet:
		var list []object
		for _, api := range f.apis {
			if !time.Now().Before(f.indexed[api["id"].(string)]) {
				list = append(list, api)
			}
		}
		replyList(w, list)
	case len(path) == 1:
		if find(f.apis, "name", in["name"]) != nil {
			fail(w, 409, 900300)
			return
		}
		in["id"], in["lifeCycleStatus"], in["workflowStatus"], in["later"] = f.id("api"), "CREATED", nil, 7
		f.apis = append(f.apis, in)
		f.indexed[in["id"].(string)] = time.Now().Add(f.indexLag)
		reply(w, 201, in)
	case path[1] == "validate":
		name, _ := strings.CutPrefix(r.FormValue("query"), "name:")
		if find(f.apis, "name", name) == nil {
			w.WriteHeader(404)
		}
	case path[1] == "change-lifecycle":
		api := find(f.apis, "id", r.FormValue("apiId"))
		if r.FormValue("action") != "Publish" || api["lifeCycleStatus"] == "PUBLISHED" {
			fail(w, 400, 903234)
			return
		}
		api["lifeCycleStatus"] = "PUBLISHED"
		reply(w, 200, object{"workflowStatus": "APPROVED"})
	case len(path) == 2 && r.Method == http.MethodGet:
		if api := find(f.apis, "id", path[1]); api != nil {
			reply(w, 200, api)
		} else if api := f.snapshots[path[1]]; api != nil {
			reply(w, 200, api)
		} else {
			fail(w, 404, 404)
		}
	case len(path) == 2:
		i := slices.IndexFunc(f.apis, func(o object) bool { return o["id"] == path[1] })
		f.apis[i] = in
		reply(w, 200, in)
	case path[2] == "lifecycle-state":
		state := find(f.apis, "id", path[1])["lifeCycleStatus"].(string)
		transitions := []object{{"event": "Block", "targetState": "Blocked"}}
		if state == "CREATED" {
			transitions = []object{{"event": "Publish", "targetState": "Published"}}
		}
		reply(w, 200, object{"state": state[:1] + strings.ToLower(state[1:]), "availableTransitions": transitions})
	default:
		f.serveRevisions(w, r, path, in, body)
	}
}

func unknownPolicy(policies any) bool {
	list, _ := policies.([]any)
	return slices.Contains(list, any("Platinum"))
}

func (f *fake) serveRevisions(w http.ResponseWriter, r *http.Request, path []string, in object, body []byte) {
	api, id := path[1], r.FormValue("revisionId")
	var targets []any
	json.Unmarshal(body, &targets)
	switch {
	case path[2] == "deploy-revision":
		for _, rev := range f.revisions[api] { // the environment's deployment moves
			rev["deploymentInfo"] = slices.DeleteFunc(rev["deploymentInfo"].([]any), func(d any) bool {
				return d.(object)["name"] == targets[0].(object)["name"]
			})
		}
		rev := find(f.revisions[api], "id", id)
		rev["deploymentInfo"] = append(rev["deploymentInfo"].([]any), targets...)
		reply(w, 201, targets)
	case path[2] == "undeploy-revision":
		find(f.revisions[api], "id", id)["deploymentInfo"] = []any{}
		reply(w, 201, []any{})
	case r.Method == http.MethodGet:
		replyList(w, f.revisions[api])
	case r.Method == http.MethodDelete:
		if len(find(f.revisions[api], "id", path[3])["deploymentInfo"].([]any)) > 0 {
			fail(w, 400, 900348)
			return
		}
		f.revisions[api] = slices.DeleteFunc(f.revisions[api], func(o object) bool { return o["id"] == path[3] })
		replyList(w, f.revisions[api])
	case len(f.revisions[api]) >= f.limit:
		fail(w, 400, 900351)
	default:
		rev := object{"id": f.id("rev"), "description": in["description"], "deploymentInfo": []any{}, "createdTime": time.Now().UnixMilli()}
		f.revisions[api] = append(f.revisions[api], rev)
		f.snapshots[rev["id"].(string)] = maps.Clone(find(f.apis, "id", api))
		reply(w, 201, rev)
	}
}

func (f *fake) serveDevPortal(w http.ResponseWriter, r *http.Request, path []string, in object) {
	switch {
	case in["throttlingPolicy"] == "Platinum" && path[0] == "applications":
		fail(w, 400, 900305)
	case path[0] == "throttling-policies":
		replyList(w, []object{{"name": "10PerMin"}, {"name": "Unlimited"}})
	case path[0] == "subscriptions":
		f.serveSubscriptions(w, r, path, in)
	case len(path) == 1 && r.Method == http.MethodGet:
		var list []object
		for _, app := range f.apps {
			if strings.Contains(strings.ToLower(app["name"].(string)), strings.ToLower(r.FormValue("query"))) {
				list = append(list, app)
			}
		}
		replyList(w, list)
	case len(path) == 1:
		if find(f.apps, "name", in["name"]) != nil {
			fail(w, 409, 409)
			return
		}
		in["applicationId"], in["owner"], in["status"] = f.id("app"), "admin", "APPROVED"
		f.apps = append(f.apps, in)
		reply(w, 201, in)
	case len(path) == 2 && r.Method == http.MethodGet && find(f.apps, "applicationId", path[1]) == nil:
		fail(w, 404, 404)
	case len(path) == 2 && r.Method == http.MethodGet:
		reply(w, 200, find(f.apps, "applicationId", path[1]))
	case len(path) == 2 && r.Method == http.MethodPut:
		app := find(f.apps, "applicationId", path[1])
		maps.Copy(app, in)
		reply(w, 200, app)
	case len(path) == 2:
		f.apps = slices.DeleteFunc(f.apps, func(o object) bool { return o["applicationId"] == path[1] })
		delete(f.rows, path[1])
	case path[2] == "generate-keys":
		f.generateKeys(w, path[1], in["keyManager"].(string))
	case len(path) == 3:
		var list []object
		for _, row := range f.rows[path[1]] {
			if row["hidden"] == nil {
				list = append(list, row)
			}
		}
		replyList(w, list)
	default: // delete, or POST …/clean-up, of one row
		row := find(f.rows[path[1]], "keyMappingId", path[3])
		if r.Method == http.MethodDelete {
			maps.DeleteFunc(f.clients, func(_, v string) bool { return v == row["consumerKey"] })
		}
		f.rows[path[1]] = slices.DeleteFunc(f.rows[path[1]], func(o object) bool { return o["keyMappingId"] == path[3] })
	}
}

func (f *fake) serveSubscriptions(w http.ResponseWriter, r *http.Request, path []string, in object) {
	switch r.Method {
	case http.MethodDelete:
		f.subs = slices.DeleteFunc(f.subs, func(o object) bool { return o["subscriptionId"] == path[1] })
	case http.MethodPost:
		api := find(f.apis, "id", in["apiId"])
		if !slices.Contains(api["policies"].([]any), in["throttlingPolicy"]) || api["lifeCycleStatus"] != "PUBLISHED" {
			fail(w, 403, 902002)
			return
		}
		in["subscriptionId"], in["status"] = f.id("sub"), "UNBLOCKED"
		f.subs = append(f.subs, in)
		reply(w, 201, in)
	case http.MethodPut:
		sub := find(f.subs, "subscriptionId", path[1])
		sub["throttlingPolicy"] = in["requestedThrottlingPolicy"]
		reply(w, 200, sub)
	default:
		if len(path) == 2 {
			reply(w, 200, find(f.subs, "subscriptionId", path[1]))
			return
		}
		replyList(w, f.subs)
	}
}

func (f *fake) generateKeys(w http.ResponseWriter, app, km string) {
	if find(f.kms, "id", km) == nil {
		fail(w, 400, 901403)
		return
	}
	name := find(f.kms, "id", km)["name"]
	if find(f.rows[app], "keyManager", name) != nil {
		fail(w, 409, 901409)
		return
	}
	row := object{"keyMappingId": f.id("row"), "of": km, "keyManager": name, "keyType": "PRODUCTION", "consumerKey": nil, "consumerSecret": nil}
	f.rows[app] = append(f.rows[app], row)
	client := "admin_" + app + "_PRODUCTION"
	ready, loaded := f.kmReady[km]
	if !loaded || time.Now().Before(ready) || km != "resident" && f.clients[client] != "" {
		fail(w, 500, 900967)
		return
	}
	row["consumerKey"], row["consumerSecret"] = f.id("client"), "the-secret"
	if km != "resident" {
		f.clients[client] = row["consumerKey"].(string)
	}
	answer := maps.Clone(row)
	answer["keyManager"] = km
	reply(w, 200, answer)
}
