package wso2sim

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const maxRevisions = 5

// revision is an API as it was when the revision was made.
type revision struct {
	id           string
	description  *string
	number       int
	created      time.Time
	dto          apiDTO
	environments []revisionDeployment
}

// revisionDeployment is a revision in an environment.
type revisionDeployment struct {
	RevisionUUID        string  `json:"revisionUuid"`
	Name                *string `json:"name"`
	Status              string  `json:"status" enum:"CREATED|APPROVED|REJECTED"`
	Vhost               *string `json:"vhost"`
	DisplayOnDevportal  bool    `json:"displayOnDevportal"`
	DeployedTime        any     `json:"deployedTime"`
	SuccessDeployedTime any     `json:"successDeployedTime"`
}

// deployment is what the gateway has of an API, from a moment on.
type deployment struct {
	dto    apiDTO
	from   time.Time
	missed bool // the gateway could not fetch it, and asks again only when the server starts
}

// there reports whether the gateway has it.
func (d *deployment) there(now time.Time) bool {
	return d != nil && !d.missed && !now.Before(d.from)
}

func (am *AM) revisionRoutes(mux *http.ServeMux) {
	one := publisherPath + "/apis/{id}"
	handle := func(pattern string, scopes []string, op func(http.ResponseWriter, *http.Request, *api) error) {
		mux.HandleFunc(pattern, am.locked(scopes, am.withAPI(op)))
	}
	change := func(pattern string, scopes []string, unknown func(id string) *fault, op func(http.ResponseWriter, *http.Request, *api) error) {
		mux.HandleFunc(pattern, am.locked(scopes, func(w http.ResponseWriter, r *http.Request) error {
			a := am.apis[r.PathValue("id")]
			if a == nil {
				return unknown(r.PathValue("id"))
			}
			return op(w, r, a)
		}))
	}
	mux.HandleFunc("GET "+one+"/revisions", am.locked(scopesRevisionView, func(w http.ResponseWriter, r *http.Request) error {
		a := am.apis[r.PathValue("id")]
		if a == nil {
			a = &api{} // one that is not there has none
		}
		writeJSON(w, http.StatusOK, a.revisionList(r.URL.Query().Get("query")))
		return nil
	}))
	change("POST "+one+"/revisions", scopesRevision, noAPIForRevision, am.createRevision)
	handle("GET "+one+"/revisions/{revision}", scopesRevisionView, func(w http.ResponseWriter, _ *http.Request, _ *api) error {
		writeJSON(w, http.StatusNotImplemented, object{"code": 501, "message": "Not Implemented",
			"description": "The requested resource has not been implemented", "moreInfo": nil, "error": []any{}})
		return nil
	})
	change("DELETE "+one+"/revisions/{revision}", scopesRevision, noAPI, am.deleteRevision)
	change("POST "+one+"/deploy-revision", scopesAPIWrite, noAPI, am.deployRevision)
	change("POST "+one+"/undeploy-revision", scopesRevision, noAPI, am.undeployRevision)
	change("POST "+one+"/restore-revision", scopesRevision, noAPI, am.restoreRevision)
	handle("GET "+one+"/deployments", scopesRevisionView, func(w http.ResponseWriter, _ *http.Request, a *api) error {
		writeJSON(w, http.StatusOK, a.deployments())
		return nil
	})
}

// What changes revisions has codes of its own for what it does not find (ExceptionCodes of carbon-apimgt), and making
// one fails with 500 whatever the reason.
func noAPI(id string) *fault {
	return &fault{status: 404, code: 900308, message: "API Not Found", description: "Requested API with id '" + id + "' not found"}
}

func noRevision(id string) *fault {
	return &fault{status: 404, code: 900347, message: "API Revision Not Found", description: "Requested API Revision with id " + id + " not found"}
}

func noAPIForRevision(id string) *fault {
	return &fault{status: 500, code: 500, message: "Internal server error", description: "Error while adding new API Revision for API : " + id}
}

func (a *api) revision(id string) *revision {
	for _, rev := range a.revisions {
		if rev.id == id {
			return rev
		}
	}
	return nil
}

func (a *api) revisionView(rev *revision) object {
	return object{
		"displayName": "Revision " + strconv.Itoa(rev.number), "id": rev.id, "description": rev.description,
		"createdTime": seconds(rev.created), "apiInfo": object{"id": a.id()}, "deploymentInfo": orEmpty(rev.environments),
	}
}

// seconds is a time in milliseconds of which the product keeps whole seconds.
func seconds(t time.Time) int64 { return t.Unix() * 1000 }

// revisionList knows the queries "deployed:true" and "deployed:false".
func (a *api) revisionList(query string) object {
	list := []object{}
	for _, rev := range a.revisions {
		want, filtered := strings.CutPrefix(query, "deployed:")
		if !filtered || (want == "true") == (len(rev.environments) > 0) {
			list = append(list, a.revisionView(rev))
		}
	}
	return object{"count": len(list), "list": list}
}

// deployments are those of all revisions.
func (a *api) deployments() []revisionDeployment {
	out := []revisionDeployment{}
	for _, rev := range a.revisions {
		out = append(out, rev.environments...)
	}
	return out
}

// revisionRequest takes the whole schema of a revision and uses its description.
type revisionRequest struct {
	DisplayName    *string              `json:"displayName"`
	ID             *string              `json:"id"`
	Description    *string              `json:"description"`
	CreatedTime    any                  `json:"createdTime"`
	APIInfo        object               `json:"apiInfo"`
	DeploymentInfo []revisionDeployment `json:"deploymentInfo"`
}

func (am *AM) createRevision(w http.ResponseWriter, r *http.Request, a *api) error {
	var body revisionRequest
	if err := readRequired(r, &body); err != nil {
		return err
	}
	if len(value(body.Description)) > 255 {
		return invalid("description", "size must be between 0 and 255")
	}
	rev, err := a.addRevision(body.Description)
	if err != nil {
		return err
	}
	am.changed("api", a.id())
	w.Header().Set("Location", am.url(am.port)+"/api/am/publisher/apis/"+a.id()+"/revisions/"+rev.id)
	writeJSON(w, http.StatusCreated, a.revisionView(rev))
	return nil
}

func (a *api) addRevision(description *string) (*revision, error) {
	if len(a.revisions) >= maxRevisions {
		return nil, &fault{status: 400, code: 900351, message: "Can not create API Revision ",
			description: "Maximum number of revisions per API has reached.Need to remove any revision to create a new Revision for API with API UUID: " + a.id()}
	}
	a.made++
	rev := &revision{id: newUUID(), description: description, number: a.made, created: time.Now(), dto: a.dto}
	a.revisions = append(a.revisions, rev)
	return rev, nil
}

func (am *AM) deleteRevision(w http.ResponseWriter, r *http.Request, a *api) error {
	rev := a.revision(r.PathValue("revision"))
	if rev == nil {
		return noRevision(r.PathValue("revision"))
	}
	if len(rev.environments) > 0 {
		return &fault{status: 400, code: 900348, message: "Can not delete API Revision ",
			description: "Couldn't delete API revision since API revision is currently deployed to a gateway. " +
				"You need to undeploy the API Revision from the gateway before attempting deleting API Revision: " + rev.id + " "}
	}
	a.revisions = slices.DeleteFunc(a.revisions, func(other *revision) bool { return other == rev })
	am.changed("api", a.id())
	writeJSON(w, http.StatusOK, a.revisionList(""))
	return nil
}

// deployRevision puts the revision of the query into the environments of the body, where it replaces any other. An id
// in the body is not looked at.
func (am *AM) deployRevision(w http.ResponseWriter, r *http.Request, a *api) error {
	targets, err := am.readTargets(r)
	if err != nil {
		return err
	}
	id := r.URL.Query().Get("revisionId")
	if id == "" {
		return errInternal // a NullPointerException in the product
	}
	rev := a.revision(id)
	if rev == nil {
		return noRevision(id)
	}
	for _, target := range targets {
		if slices.ContainsFunc(rev.environments, func(d revisionDeployment) bool { return value(d.Name) == value(target.Name) }) {
			return errGeneral // it is there already
		}
	}
	am.deploy(a, rev, targets)
	writeJSON(w, http.StatusCreated, a.deployments())
	return nil
}

// readTargets reads and checks the environments of a deployment.
func (am *AM) readTargets(r *http.Request) ([]revisionDeployment, error) {
	var targets []revisionDeployment
	if err := readRequired(r, &targets); err != nil {
		return nil, err
	}
	for _, target := range targets {
		known := slices.IndexFunc(am.environments, func(e *environmentDTO) bool { return *e.Name == value(target.Name) })
		switch {
		case known < 0:
			return nil, &fault{status: 400, code: 900504, message: "Invalid Gateway Environment",
				description: "Gateway Environment with name 'name '" + value(target.Name) + "'' not found"}
		case target.Vhost == nil:
			return nil, &fault{status: 400, code: 900511, message: "Gateway Environment virtual hosts name not provided",
				description: "Gateway Environment VHOST name not provided"}
		case !am.environments[known].has(*target.Vhost):
			return nil, &fault{status: 400, code: 900512, message: "Invalid virtual host name provided",
				description: "Virtual host with provided vhost name does not exist"}
		}
	}
	return targets, nil
}

func (am *AM) deploy(a *api, rev *revision, targets []revisionDeployment) {
	am.changed("api", a.id())
	now := time.Now()
	for _, target := range targets {
		a.withdraw(*target.Name)
		target.RevisionUUID, target.Status, target.DisplayOnDevportal = rev.id, "APPROVED", true
		target.DeployedTime, target.SuccessDeployedTime = seconds(now), nil
		rev.environments = append(rev.environments, target)
	}
	if a.deployed.there(now) {
		a.leaving = a.deployed
	}
	if am.loading.Before(now) {
		am.loading = now
	}
	am.loading = am.loading.Add(scale(am.eventWait, am.delays.EventWait) + am.delays.Deploy.pick())
	a.deployed = &deployment{dto: rev.dto, from: am.loading, missed: !am.trust.trusts(*am.management.leaf.Load())}
	if a.deployed.missed {
		am.log.Error("the gateway does not get a deployment: this server does not trust the certificate that it presents now", "api", value(a.dto.Name), "error", errPKIX)
	}
}

// readEventWait is how long the gateway waits before it takes up a deployment: api-manager.xml has 5000 ms where
// deployment.toml says nothing.
func readEventWait(s settings) time.Duration {
	ms := 5000
	if given := s.at("apim.sync_runtime_artifacts.gateway.event_waiting_time"); given != nil {
		ms, _ = strconv.Atoi(fmt.Sprint(given)) // the template writes a number and a text alike
	}
	return time.Duration(ms) * time.Millisecond
}

// withdraw takes whatever is deployed out of an environment.
func (a *api) withdraw(environment string) {
	for _, rev := range a.revisions {
		rev.environments = slices.DeleteFunc(rev.environments, func(d revisionDeployment) bool { return value(d.Name) == environment })
	}
}

func (am *AM) undeployRevision(w http.ResponseWriter, r *http.Request, a *api) error {
	targets, err := am.readTargets(r)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	at := slices.IndexFunc(a.revisions, func(rev *revision) bool {
		return rev.id == query.Get("revisionId") || strconv.Itoa(rev.number) == query.Get("revisionNumber")
	})
	if at < 0 {
		return noRevision(query.Get("revisionId"))
	}
	rev := a.revisions[at]
	rev.environments = slices.DeleteFunc(rev.environments, func(d revisionDeployment) bool {
		return query.Get("allEnvironments") == "true" ||
			slices.ContainsFunc(targets, func(t revisionDeployment) bool { return value(t.Name) == value(d.Name) })
	})
	am.changed("api", a.id())
	if len(a.deployments()) == 0 {
		a.deployed, a.leaving = nil, nil
	}
	writeJSON(w, http.StatusCreated, []any{}) // not what is left
	return nil
}

// restoreRevision makes the API what it was when a revision was made, save for its state.
func (am *AM) restoreRevision(w http.ResponseWriter, r *http.Request, a *api) error {
	rev := a.revision(r.URL.Query().Get("revisionId"))
	if rev == nil {
		return noRevision(r.URL.Query().Get("revisionId"))
	}
	was := a.dto
	a.dto = rev.dto
	a.dto.LifeCycleStatus, a.dto.IsDefaultVersion = was.LifeCycleStatus, was.IsDefaultVersion
	a.touch(time.Now())
	am.changed("api", a.id())
	am.reindex(a)
	writeJSON(w, http.StatusCreated, am.freshViewOf(a.dto))
	return nil
}

// onGateway is what the gateway has of the API now; nil if nothing.
func (a *api) onGateway(now time.Time) *apiDTO {
	switch {
	case a.deployed.there(now):
		a.leaving = nil
		return &a.deployed.dto
	case a.leaving != nil:
		return &a.leaving.dto
	}
	return nil
}
