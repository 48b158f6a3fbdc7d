package scopes

import (
	"context"

	"wso2agent/internal/wso2"
)

// Owned is an application with the user that owns its client in IS. A token without scopes acts as that user in SCIM 1.1 and in
// /scim2/Me. The owner is the user that the key manager had when the client was made, and nobody can change it.
type Owned struct {
	wso2.ISApplication
	Owner string // such as admin@carbon.super
}

// Owners lists the managed applications with their owners, the newest first. missing has the clients that IS does not have.
func Owners(ctx context.Context, is *wso2.Authorization, registration *wso2.Identity, clients []string) (list []Owned, missing []string, err error) {
	newest, err := is.Applications(ctx, connectorFilter, 0)
	if err != nil {
		return nil, nil, err
	}
	apps, missing, err := managed(ctx, is, glance{newest: newest}, clients)
	if err != nil {
		return nil, nil, err
	}
	list = make([]Owned, len(apps))
	err = inFlight(ctx, len(apps), func(ctx context.Context, i int) (err error) {
		list[i].ISApplication = apps[i]
		list[i].Owner, err = registration.ClientOwner(ctx, apps[i].ClientID)
		return err
	})
	return list, missing, err
}
