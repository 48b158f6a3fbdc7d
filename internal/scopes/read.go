package scopes

import (
	"context"
	"fmt"
	"net/http"

	"wso2agent/internal/wso2"
)

// connectorFilter selects the applications whose names end like those of the connector. Managed then checks them exactly.
const connectorFilter = "name ew _PRODUCTION or name ew _SANDBOX"

// maxPages bounds the cost of a list that does not end. It is enough for a hundred thousand applications.
const maxPages = 1000

// glance is what a poll reads: enough to see whether a scope or an application is new.
type glance struct {
	resource string
	scopes   []wso2.Scope
	newest   wso2.ApplicationPage // IS lists the newest applications first
}

// look reads a glance. resource is the id of the API resource; empty if not known.
func look(ctx context.Context, is *wso2.Authorization, resource string) (g glance, err error) {
	if resource != "" {
		g.resource = resource
		g.scopes, err = is.Scopes(ctx, resource)
	}
	if resource == "" || wso2.HasStatus(err, http.StatusNotFound) { // not known, or deleted and perhaps created again
		g = glance{}
		if g.resource, err = is.FindResource(ctx, Resource); err != nil || g.resource == "" {
			return g, err
		}
		g.scopes, err = is.Scopes(ctx, g.resource)
	}
	if err != nil || len(g.scopes) == 0 {
		return g, err
	}
	g.newest, err = is.Applications(ctx, connectorFilter, 0)
	return g, err
}

// sameScopes reports whether both glances have the same scopes. A scope that was created again has another id.
func (g glance) sameScopes(other glance) bool {
	if g.resource != other.resource || len(g.scopes) != len(other.scopes) {
		return false
	}
	seen := ids(other.scopes)
	for _, s := range g.scopes {
		if !seen[s.ID] {
			return false
		}
	}
	return true
}

// same reports whether nothing is new since the other glance.
func (g glance) same(other glance) bool {
	if !g.sameScopes(other) || g.newest.Total != other.newest.Total || len(g.newest.Applications) != len(other.newest.Applications) {
		return false
	}
	for i, app := range g.newest.Applications {
		if app.ID != other.newest.Applications[i].ID {
			return false
		}
	}
	return true
}

func ids(scopes []wso2.Scope) map[string]bool {
	set := map[string]bool{}
	for _, s := range scopes {
		set[s.ID] = true
	}
	return set
}

// managed reads all managed applications: every page of the connector's, and the given clients. missing has the clients that IS
// does not have.
func managed(ctx context.Context, is *wso2.Authorization, g glance, clients []string) (apps []wso2.ISApplication, missing []string, err error) {
	known := map[string]bool{}
	add := func(page wso2.ApplicationPage) {
		for _, app := range page.Applications {
			if !known[app.ID] && Managed(app, clients) {
				known[app.ID] = true
				apps = append(apps, app)
			}
		}
	}
	page := g.newest
	add(page)
	for offset, pages := len(page.Applications), 1; len(page.Applications) > 0 && offset < page.Total; offset, pages = offset+len(page.Applications), pages+1 {
		if pages == maxPages {
			return nil, nil, fmt.Errorf("list applications of IS: more than %d pages of %d", maxPages, wso2.ApplicationPageSize)
		}
		if page, err = is.Applications(ctx, connectorFilter, offset); err != nil {
			return nil, nil, err
		}
		add(page)
	}
	for _, client := range clients {
		page, err := is.Applications(ctx, "clientId eq "+client, 0)
		if err != nil {
			return nil, nil, err
		}
		if len(page.Applications) == 0 {
			missing = append(missing, client)
		}
		add(page)
	}
	return apps, missing, nil
}

// Read reads the whole state, and changes nothing. missing has the clients that IS does not have.
func Read(ctx context.Context, is *wso2.Authorization, clients []string) (s State, missing []string, err error) {
	g, err := look(ctx, is, "")
	if err != nil || len(g.scopes) == 0 {
		return State{Resource: g.resource}, nil, err
	}
	apps, missing, err := managed(ctx, is, g, clients)
	if err != nil {
		return State{}, nil, err
	}
	read, err := authorized(ctx, is, g.resource, apps)
	return State{Resource: g.resource, Scopes: g.scopes, Applications: read}, missing, err
}

// authorized reads the scopes for which each of the applications is authorized, several at the same time.
func authorized(ctx context.Context, is *wso2.Authorization, resource string, apps []wso2.ISApplication) ([]Application, error) {
	read := make([]Application, len(apps))
	err := inFlight(ctx, len(apps), func(ctx context.Context, i int) (err error) {
		read[i].ISApplication = apps[i]
		read[i].Scopes, read[i].Authorized, err = is.Authorized(ctx, apps[i].ID, resource)
		return err
	})
	return read, err
}
