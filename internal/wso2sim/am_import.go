package wso2sim

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// project is an archive in the format of WSO2's own command line tool.
type project struct {
	data        object // of api.yaml
	definition  []byte // Definitions/swagger.yaml, or nil
	deployments []projectDeployment
}

type projectDeployment struct {
	Environment string `yaml:"deploymentEnvironment"`
	Vhost       string `yaml:"deploymentVhost"`
	Shown       *bool  `yaml:"displayOnDevportal"`
}

// readProject opens an archive, which must have one root folder.
func readProject(raw []byte) (project, error) {
	var p project
	archive, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return p, &fault{status: 500, code: 903229, message: "Error extracting and processing the directory",
			description: "Error extracting and processing the directory to be imported"}
	}
	files := map[string][]byte{}
	for _, f := range archive.File {
		_, below, rooted := strings.Cut(f.Name, "/")
		if !rooted || f.FileInfo().IsDir() {
			continue
		}
		if files[below], err = readZipped(f); err != nil {
			return p, err
		}
	}
	var doc struct{ Data object }
	definition := slices.IndexFunc([]string{"api.yaml", "api.json"}, func(name string) bool { return files[name] != nil })
	if definition < 0 {
		return p, &fault{status: 400, code: 900909, message: "Cannot find the definition file of the project",
			description: "Cannot find the yaml/json file with the project definition."}
	}
	if err := yaml.Unmarshal(files[[]string{"api.yaml", "api.json"}[definition]], &doc); err != nil {
		return p, fmt.Errorf("read the API of the project: %w", err)
	}
	var where struct{ Data []projectDeployment }
	if err := yaml.Unmarshal(files["deployment_environments.yaml"], &where); err != nil {
		return p, fmt.Errorf("read the deployments of the project: %w", err)
	}
	p.data, p.definition, p.deployments = doc.Data, files["Definitions/swagger.yaml"], where.Data
	return p, nil
}

func readZipped(f *zip.File) ([]byte, error) {
	in, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("read %s of the project: %w", f.Name, err)
	}
	defer in.Close()
	return io.ReadAll(io.LimitReader(in, maxBody))
}

// dto takes the data as it is. What an import over an existing API leaves out is not the default of a new one: the
// gateway then looks for a token in the header "null".
func (p project) dto(update bool) (apiDTO, error) {
	dto := newAPIDTO()
	if update {
		dto.AuthorizationHeader, dto.GatewayVendor, dto.GatewayType = nil, ptr("external"), nil
	}
	text, err := json.Marshal(p.data)
	if err != nil {
		return dto, fmt.Errorf("read the API of the project: %w", err)
	}
	ignore := func(string) error { return nil }
	if text, err = withoutUnknownValues(text, reflect.TypeFor[apiDTO](), ignore); err == nil {
		err = json.Unmarshal(text, &dto)
	}
	if err != nil {
		return dto, fmt.Errorf("read the API of the project: %w", err)
	}
	if dto.Provider == nil {
		return dto, fmt.Errorf("the API of the project has no provider: %w", errInternal)
	}
	if len(dto.Operations) == 0 && p.definition != nil {
		if dto.Operations, err = definedOperations(p.definition); err != nil {
			return dto, err
		}
	}
	return dto, dto.checkSchema()
}

// importArchive creates or updates an API, makes a revision, deploys it and takes it to its state in one request. It
// looks the API up in the database, not in the index.
func (am *AM) importArchive(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseMultipartForm(maxBody); err != nil {
		return badRequest("The body is no multipart form")
	}
	raw, err := formFile(r)
	if err != nil {
		return err
	}
	p, err := readProject(raw)
	if err != nil {
		return err
	}
	a, err := am.importAPI(r, p)
	if err != nil {
		return err
	}
	am.mu.Lock()
	defer am.mu.Unlock()
	revision, err := am.deployProject(a, p, r.URL.Query().Get("rotateRevision") == "true")
	if err != nil {
		return err
	}
	if target, _ := p.data["lifeCycleStatus"].(string); target != "" {
		if err := am.reach(a, target); err != nil {
			return err
		}
	}
	if r.Header.Get("Accept") == "application/json" {
		writeJSON(w, http.StatusOK, object{"id": a.id(), "revision": revision})
		return nil
	}
	w.Header().Set("Content-Type", "text/plain")
	_, _ = io.WriteString(w, "API imported successfully.")
	return nil
}

// importAPI writes the API itself.
func (am *AM) importAPI(r *http.Request, p project) (*api, error) {
	name, _ := p.data["name"].(string)
	version := fmt.Sprint(p.data["version"])
	am.mu.Lock()
	var existing *api
	for _, a := range am.lookup.versions(name) {
		if a.name() == name && a.version() == version {
			existing = a
		}
	}
	managers := am.connected()
	am.mu.Unlock()
	if existing != nil && r.URL.Query().Get("overwrite") != "true" {
		return nil, &fault{status: 409, code: 900300, message: "The API already exists.", description: "The API already exists"}
	}
	dto, err := p.dto(existing != nil)
	if err != nil {
		return nil, err
	}
	am.mu.Lock()
	change := am.scopesOfNew(dto.Scopes)
	if existing != nil {
		change = am.scopesOfUpdate(existing, dto.Scopes)
	}
	am.mu.Unlock()
	if err := am.tellScopes(r.Context(), managers, change); err != nil {
		return nil, err
	}
	if existing == nil {
		return am.addAPI(context.WithoutCancel(r.Context()), dto)
	}
	am.mu.Lock()
	defer am.mu.Unlock()
	return existing, am.replace(existing, dto)
}

// deployProject makes and deploys a revision where the project says so; the answer names it, or null.
func (am *AM) deployProject(a *api, p project, rotate bool) (any, error) {
	if len(p.deployments) == 0 {
		return nil, nil
	}
	am.changed("api", a.id())
	if rotate && len(a.revisions) >= maxRevisions {
		at := max(0, slices.IndexFunc(a.revisions, func(rev *revision) bool { return len(rev.environments) == 0 }))
		a.revisions = slices.Delete(a.revisions, at, at+1)
	}
	rev, err := a.addRevision(ptr(""))
	if err != nil {
		return nil, err
	}
	var targets []revisionDeployment
	for _, d := range p.deployments {
		targets = append(targets, revisionDeployment{Name: &d.Environment, Vhost: &d.Vhost, DisplayOnDevportal: d.Shown == nil || *d.Shown})
	}
	am.deploy(a, rev, targets)
	return rev.id, nil
}

// reach takes an API to a state, if there is a step to it.
func (am *AM) reach(a *api, target string) error {
	if a.dto.LifeCycleStatus == target {
		return nil
	}
	for _, t := range transitions(a.dto.LifeCycleStatus) {
		if t.state == target {
			return am.move(a, t.event, "")
		}
	}
	return badRequest("The lifecycle has no step from " + a.dto.LifeCycleStatus + " to " + target)
}
