package wso2sim

import (
	"context"
	"net/http"
	"strings"
	"time"
)

func (am *AM) createAPI(w http.ResponseWriter, r *http.Request) error {
	dto := newAPIDTO()
	if err := readJSON(r, &dto); err != nil {
		return err
	}
	if err := dto.checkSchema(); err != nil {
		return err
	}
	switch {
	case dto.Policies == nil:
		return errInternal // null, which is not the same as none
	case dto.Provider != nil && *dto.Provider != am.admin:
		return &fault{status: 400, code: 900700, message: "Parameter value missing",
			description: "Some of the mandatory parameter values were missing"}
	}
	sent := dto
	a, err := am.addAPI(r.Context(), dto)
	if err != nil {
		return err
	}
	am.wrote(w, a, &sent)
	return nil
}

// wrote answers 201 with an API that was sent.
func (am *AM) wrote(w http.ResponseWriter, a *api, sent *apiDTO) {
	am.mu.Lock()
	defer am.mu.Unlock()
	w.Header().Set("Location", am.url(am.port)+"/api/am/publisher/apis/"+a.id())
	// The answer to a creation is not yet what reading the API gives: lists that are empty have an empty string in them.
	view := am.freshViewOf(a.dto)
	view.Tags = javaSet(sent.Tags)
	view.Operations = withoutPolicyTypes(view.Operations)
	if value(view.GatewayVendor) == externalGateway {
		view.GatewayVendor = ptr(strings.ToLower(value(view.GatewayType)))
	}
	view.VisibleRoles, view.SubscriptionAvailableTenants = orBlank(view.VisibleRoles), orBlank(view.SubscriptionAvailableTenants)
	view.AsyncTransportProtocols = orBlank(view.AsyncTransportProtocols)
	view.LastUpdatedTime, view.LastUpdatedTimestamp = nil, nil
	writeJSON(w, http.StatusCreated, view)
}

func orBlank(list []string) []string {
	if len(list) == 0 {
		return []string{""}
	}
	return list
}

// addAPI checks and stores a new API. It takes the lock itself, and calls the key managers without it.
func (am *AM) addAPI(ctx context.Context, dto apiDTO) (*api, error) {
	am.mu.Lock()
	if err := am.checkBeside(&dto); err != nil {
		am.mu.Unlock()
		return nil, err
	}
	managers, change := am.connected(), am.scopesOfNew(dto.Scopes)
	am.mu.Unlock()
	if len(dto.Scopes) > 0 {
		if err := am.tellScopes(ctx, managers, change); err != nil {
			return nil, err
		}
	}
	am.mu.Lock()
	defer am.mu.Unlock()
	if err := am.checkNew(&dto); err != nil { // another request may have come first
		return nil, err
	}
	return am.store(dto), nil
}

func (am *AM) checkBeside(dto *apiDTO) error {
	if err := am.checkKeyManagers(dto); err != nil {
		return err
	}
	if err := am.checkNew(dto); err != nil {
		return err
	}
	if err := am.check(dto); err != nil {
		return err
	}
	if err := dto.resolvePolicies(map[string]string{}); err != nil {
		return err
	}
	return am.checkReferences(dto)
}

// store gives a new API its id and times.
func (am *AM) store(dto apiDTO) *api {
	if len(dto.Operations) == 0 {
		dto.Operations = dto.defaultOperations()
	}
	dto.EndpointConfig = madeEndpoints(dto.EndpointConfig)
	dto.normalize()
	am.settleScopes(&dto)
	a := &api{dto: dto, created: time.Now()}
	a.history = []lifecycleStep{{"CREATED", a.created}}
	a.dto.ID, a.dto.Provider, a.dto.LifeCycleStatus = newUUID(), ptr(am.admin), "CREATED"
	a.dto.AdvertiseInfo.APIOwner = ptr(am.admin)
	a.dto.CreatedTime = ptr(millis(a.created))
	a.touch(a.created)
	am.apis[a.id()] = a
	am.lookup.addAPI(a)
	am.changed("api", a.id())
	am.reindex(a)
	return a
}
