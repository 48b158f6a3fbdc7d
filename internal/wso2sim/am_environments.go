package wso2sim

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

const environmentsPath = "/api/am/admin/v4/environments"

var (
	scopesEnvironmentView  = []string{"apim:admin", "apim:admin_operations", "apim:environment_read", "apim:environment_manage"}
	scopesEnvironmentWrite = []string{"apim:admin", "apim:admin_operations", "apim:environment_manage"}
)

// environmentDTO is a gateway that APIs are deployed to, as the Admin API has it. Those of deployment.toml are read-only.
type environmentDTO struct {
	ID                   *string        `json:"id"`
	Name                 *string        `json:"name"`
	DisplayName          *string        `json:"displayName"`
	Provider             *string        `json:"provider"`
	Type                 *string        `json:"type"`
	GatewayType          *string        `json:"gatewayType"`
	Description          *string        `json:"description"`
	IsReadOnly           *bool          `json:"isReadOnly"`
	VHosts               []virtualHost  `json:"vhosts"`
	EndpointURIs         []any          `json:"endpointURIs"`
	AdditionalProperties []any          `json:"additionalProperties"`
	Permissions          *kmPermissions `json:"permissions"`
}

type virtualHost struct {
	Host        string  `json:"host"`
	HTTPContext *string `json:"httpContext"`
	HTTPPort    *int    `json:"httpPort"`
	HTTPSPort   *int    `json:"httpsPort"`
	WSPort      *int    `json:"wsPort"`
	WSHost      *string `json:"wsHost"`
	WSSPort     *int    `json:"wssPort"`
	WSSHost     *string `json:"wssHost"`
}

func (e *environmentDTO) has(host string) bool {
	return slices.ContainsFunc(e.VHosts, func(v virtualHost) bool { return v.Host == host })
}

// readEnvironments are those of deployment.toml.
func readEnvironments(s settings) []*environmentDTO {
	var out []*environmentDTO
	for _, table := range s.tables("apim.gateway.environment") {
		endpoint := strings.TrimPrefix(table.text("https_endpoint", "https://localhost"), "https://")
		host, _, _ := strings.Cut(endpoint, ":")
		out = append(out, configuredEnvironment(table.text("name", "Default"), host))
	}
	if out == nil {
		out = append(out, configuredEnvironment("Default", "localhost"))
	}
	return out
}

func configuredEnvironment(name, host string) *environmentDTO {
	e := &environmentDTO{
		ID: &name, Name: &name, DisplayName: &name, Provider: ptr("wso2"), IsReadOnly: ptr(true),
		Description: ptr("This is a hybrid gateway that handles both production and sandbox token traffic."),
		VHosts:      []virtualHost{{Host: host, HTTPPort: ptr(8280), HTTPSPort: ptr(8243), WSPort: ptr(9099), WSSPort: ptr(8099)}},
	}
	e.normalize()
	return e
}

// normalize fills in what absent fields become.
func (e *environmentDTO) normalize() {
	for _, field := range []struct {
		at   **string
		text string
	}{{&e.Type, "hybrid"}, {&e.GatewayType, "Regular"}} {
		if *field.at == nil {
			*field.at = ptr(field.text)
		}
	}
	e.EndpointURIs, e.AdditionalProperties = orEmpty(e.EndpointURIs), orEmpty(e.AdditionalProperties)
	if e.Permissions == nil || e.Permissions.PermissionType == nil {
		e.Permissions = &kmPermissions{PermissionType: ptr("PUBLIC")}
	}
	e.Permissions.Roles = orEmpty(e.Permissions.Roles)
}

// stored is an environment as it is read back, where no context is an empty one.
func (e environmentDTO) stored() environmentDTO {
	e.VHosts = slices.Clone(e.VHosts)
	for i := range e.VHosts {
		if e.VHosts[i].HTTPContext == nil {
			e.VHosts[i].HTTPContext = ptr("")
		}
	}
	return e
}

func (am *AM) environmentRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET "+environmentsPath, am.locked(scopesEnvironmentView, func(w http.ResponseWriter, _ *http.Request) error {
		list := []environmentDTO{}
		for _, e := range am.environments {
			list = append(list, e.stored())
		}
		writeJSON(w, http.StatusOK, object{"count": len(list), "list": list})
		return nil
	}))
	mux.HandleFunc("POST "+environmentsPath, am.locked(scopesEnvironmentWrite, am.createEnvironment))
	mux.HandleFunc("GET "+environmentsPath+"/{id}", am.locked(scopesEnvironmentView, am.withEnvironment(false, func(w http.ResponseWriter, _ *http.Request, at int) error {
		writeJSON(w, http.StatusOK, am.environments[at].stored())
		return nil
	})))
	mux.HandleFunc("PUT "+environmentsPath+"/{id}", am.locked(scopesEnvironmentWrite, am.withEnvironment(true, am.updateEnvironment)))
	mux.HandleFunc("DELETE "+environmentsPath+"/{id}", am.locked(scopesEnvironmentWrite, am.withEnvironment(true, func(w http.ResponseWriter, r *http.Request, at int) error {
		am.environments = slices.Delete(am.environments, at, at+1) // in use or not
		am.changed("environment", r.PathValue("id"))
		w.WriteHeader(http.StatusOK)
		return nil
	})))
}

// withEnvironment finds the environment of the path, by its place in the list.
func (am *AM) withEnvironment(writing bool, op func(http.ResponseWriter, *http.Request, int) error) operation {
	return func(w http.ResponseWriter, r *http.Request) error {
		id := r.PathValue("id")
		at := am.environmentWithID(id)
		switch {
		case at < 0:
			return &fault{status: 404, code: 900506, message: "Gateway Environment not found", description: "Gateway Environment with UUID '" + id + "' not found"}
		case writing && am.environments[at].configured():
			return &fault{status: 400, code: 900508, message: "Gateway Environment is read only", description: "A Gateway Environment with UUID '" + id + "' is read only"}
		}
		return op(w, r, at)
	}
}

// configured reports whether an environment comes from deployment.toml: those have their name as id.
func (e *environmentDTO) configured() bool { return *e.ID == *e.Name }

func (am *AM) environmentWithID(id string) int {
	return slices.IndexFunc(am.environments, func(e *environmentDTO) bool { return *e.ID == id })
}

var environmentName = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

// readEnvironment reads and checks a body. Without a provider it cannot be written.
func readEnvironment(r *http.Request) (environmentDTO, error) {
	var dto environmentDTO
	if err := readJSON(r, &dto); err != nil {
		return dto, err
	}
	switch {
	case dto.Name == nil:
		return dto, invalid("name", "must not be null")
	case !environmentName.MatchString(*dto.Name):
		return dto, invalid("name", `must match "`+environmentName.String()+`"`)
	case len(dto.VHosts) == 0:
		return dto, invalid("vhosts", "size must be between 1 and 2147483647")
	case dto.Provider == nil:
		return dto, errGeneral
	}
	return dto, nil
}

func (am *AM) createEnvironment(w http.ResponseWriter, r *http.Request) error {
	dto, err := readEnvironment(r)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(am.environments, func(e *environmentDTO) bool { return *e.Name == *dto.Name }) {
		return &fault{status: 400, code: 900507, message: "Gateway Environment already exists",
			description: "A Gateway Environment with name '" + *dto.Name + "' already exists"}
	}
	dto.normalize()
	dto.ID, dto.IsReadOnly = ptr(newUUID()), ptr(false)
	am.environments = append(am.environments, &dto)
	am.changed("environment", *dto.ID)
	w.Header().Set("Location", am.url(am.port)+"/api/am/admin/environments/"+*dto.ID)
	writeJSON(w, http.StatusCreated, dto)
	return nil
}

func (am *AM) updateEnvironment(w http.ResponseWriter, r *http.Request, at int) error {
	dto, err := readEnvironment(r)
	if err != nil {
		return err
	}
	was := am.environments[at]
	if *dto.Name != *was.Name {
		return &fault{status: 400, code: 900510, message: "Names of Gateway Environment cannot be changed", description: "Name of the gateway is read only"}
	}
	dto.ID = was.ID
	asked := dto.Permissions
	dto.normalize()
	kept := dto
	kept.IsReadOnly = was.IsReadOnly
	am.environments[at] = &kept
	am.changed("environment", *was.ID)
	dto.Permissions = asked
	writeJSON(w, http.StatusOK, dto) // which says of isReadOnly and permissions what the request did
	return nil
}

func (am *AM) environmentRecord(id string) any {
	if at := am.environmentWithID(id); at >= 0 && !am.environments[at].configured() {
		return *am.environments[at]
	}
	return nil
}

// restoreEnvironments adds those of the database to those of deployment.toml.
func (am *AM) restoreEnvironments(held map[string][]entry) error {
	am.environments = readEnvironments(am.settings)
	return decode(held, "environment", func(_ string, e environmentDTO) { am.environments = append(am.environments, &e) })
}
