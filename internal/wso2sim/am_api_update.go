package wso2sim

import (
	"net/http"
	"time"
)

// updateAPI replaces what may change: name, version, context, provider, state and type of the body are not looked at,
// and what is absent is emptied.
func (am *AM) updateAPI(w http.ResponseWriter, r *http.Request) error {
	dto := updatedAPIDTO()
	if err := readJSON(r, &dto); err != nil {
		return err
	}
	am.mu.Lock()
	a, rev := am.apiWithID(r.PathValue("id"))
	managers, change := am.connected(), scopeChange{}
	var err error
	switch {
	case a == nil:
		err = notFound("API", r.PathValue("id"))
	case rev != nil:
		err = errGeneral // a revision does not change
	default:
		err = am.checkUpdate(a, &dto)
		change = am.scopesOfUpdate(a, dto.Scopes)
	}
	am.mu.Unlock()
	if err != nil {
		return err
	}
	if err := am.tellScopes(r.Context(), managers, change); err != nil {
		return err
	}
	am.mu.Lock()
	defer am.mu.Unlock()
	if err := am.replace(a, dto); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, am.viewOf(a.dto))
	return nil
}

// checkUpdate gives an update the names that it cannot change, and checks the rest. The lock is held.
func (am *AM) checkUpdate(a *api, dto *apiDTO) error {
	if err := dto.checkSchema(); err != nil {
		return err
	}
	dto.Type, dto.Name, dto.Version = a.dto.Type, a.dto.Name, a.dto.Version
	if len(dto.Operations) == 0 {
		return errNoOperations
	}
	if err := am.check(dto); err != nil {
		return err
	}
	if err := dto.resolvePolicies(a.dto.policyCopies()); err != nil {
		return err
	}
	return am.checkReferences(dto)
}

var errNoOperations = &fault{status: 404, code: 900763, message: "No resources found", description: "API must have at least one resource defined"}

func (am *AM) replace(a *api, dto apiDTO) error {
	if _, ok := dto.KeyManagers.([]any); !ok {
		dto.KeyManagers = nil
	}
	if err := am.checkKeyManagers(&dto); err != nil {
		return err
	}
	was := a.dto
	dto.ID, dto.Name, dto.Version, dto.Context, dto.Provider = was.ID, was.Name, was.Version, was.Context, was.Provider
	dto.LifeCycleStatus, dto.Type, dto.CreatedTime = was.LifeCycleStatus, was.Type, was.CreatedTime
	if len(dto.Policies) == 0 {
		dto.Policies = []string{subscriptionless}
	}
	dto.EndpointConfig = updatedEndpoints(was.EndpointConfig, dto.EndpointConfig)
	dto.normalize()
	am.settleScopes(&dto)
	a.dto = dto
	a.touch(time.Now())
	am.changed("api", a.id())
	am.reindex(a)
	return nil
}
