package objects

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"wso2agent/internal/lease"
	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
)

// ClientServers are what the clients of IS and their use in API-M are read from.
type ClientServers struct {
	Applications *wso2.Authorization // of IS
	Registration *wso2.Identity      // of IS
	DevPortal    *wso2.DevPortal
	User         string // with which the agent calls API-M
}

// Client is an OAuth client of IS. It has no secret.
type Client struct {
	ID          string `json:"id"` // of the application of IS
	Name        string `json:"name"`
	ClientID    string `json:"clientId"`
	Owner       string `json:"owner"`       // such as admin@carbon.super; "" if IS does not say
	Application string `json:"application"` // of API-M, that uses it; "" if none is known
	System      bool   `json:"system"`      // it belongs to IS itself
}

// Clients lists the clients of IS, in the order of their names, with their owners and the applications of API-M that use them.
func Clients(ctx context.Context, s ClientServers) (all []Client, err error) {
	list, err := s.Applications.AllApplications(ctx)
	if err != nil {
		return nil, err
	}
	used, err := usesOf(ctx, s.DevPortal)
	if err != nil {
		return nil, err
	}
	for _, app := range list {
		if app.ClientID != "" { // else it is an application without a client, such as one with SAML
			all = append(all, Client{ID: app.ID, Name: app.Name, ClientID: app.ClientID, Application: used.application(app, s.User), System: system(app)})
		}
	}
	sortBy(all, func(c Client) []string { return []string{c.Name, c.ClientID} })
	return all, each(ctx, len(all), func(i int) (err error) {
		if !all[i].System { // whose registration belongs to nobody
			all[i].Owner, err = s.Registration.ClientOwner(ctx, all[i].ClientID)
		}
		return err
	})
}

// system reports whether an application belongs to IS itself. IS marks the Console as READ and My Account as WRITE (recorded). Their
// clients have fixed ids (AppPortalConstants.AppPortal of wso2/identity-apps).
func system(app wso2.ISApplication) bool {
	return app.Access == "READ" || app.ClientID == "CONSOLE" || app.ClientID == "MY_ACCOUNT"
}

// atOnce is how many requests of a list run at the same time.
const atOnce = 8

// each calls do for 0 to n-1, several at a time, and returns the first error.
func each(ctx context.Context, n int, do func(i int) error) error {
	free := make(chan struct{}, atOnce)
	errs := make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		free <- struct{}{}
		group.Go(func() {
			defer func() { <-free }()
			if errs[i] = ctx.Err(); errs[i] == nil {
				errs[i] = do(i)
			}
		})
	}
	group.Wait()
	return cmp.Or(errs...)
}

// uses is how the applications of the user in API-M use clients.
type uses struct {
	names   map[string]string // of the applications, by id
	clients map[string]string // application and type of the keys, by consumer key
}

// usesOf reads which clients the applications of the user have, also those that API-M has not made.
func usesOf(ctx context.Context, portal *wso2.DevPortal) (uses, error) {
	u := uses{map[string]string{}, map[string]string{}}
	list, err := portal.ApplicationObjects(ctx)
	if err != nil {
		return u, err
	}
	list = slices.DeleteFunc(list, func(o wso2.Object) bool { return o.Name == lease.Application })
	var mu sync.Mutex
	return u, each(ctx, len(list), func(i int) error {
		keys, err := portal.Keys(ctx, list[i].ID)
		mu.Lock()
		defer mu.Unlock()
		u.names[list[i].ID] = list[i].Name
		for _, k := range keys {
			if k.ConsumerKey != "" {
				u.clients[k.ConsumerKey] = fmt.Sprintf("%s (%s)", list[i].Name, k.KeyType)
			}
		}
		return err
	})
}

// made is the name that API-M's connector gives a client: owner and id of the application of API-M, and the type of the keys.
var made = regexp.MustCompile(`^(.+)_([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})_(PRODUCTION|SANDBOX)$`)

// Deleted is what Client.Application is if API-M has made the client for an application of the user that is gone.
const Deleted = "(deleted)"

// application returns the application of API-M that uses a client. API-M does not show keys of a key manager that is disabled, and no
// applications of other users, so the name of the client also counts.
func (u uses) application(client wso2.ISApplication, user string) string {
	if known := u.clients[client.ClientID]; known != "" {
		return known
	}
	parts := made.FindStringSubmatch(client.Name)
	if parts == nil {
		return ""
	}
	owner, id, kind := parts[1], parts[2], parts[3]
	switch name := u.names[id]; {
	case name != "":
		return fmt.Sprintf("%s (%s)", name, kind)
	case owner == user:
		return Deleted
	}
	return fmt.Sprintf("one of %s (%s)", owner, kind)
}

// UsersOf returns what names the application of API-M that uses a client of IS, by the client's id and name; "" if none is known. user is the
// one with which the agent calls API-M.
func UsersOf(ctx context.Context, portal *wso2.DevPortal, user string) (func(id, name string) string, error) {
	used, err := usesOf(ctx, portal)
	return func(id, name string) string {
		return used.application(wso2.ISApplication{ClientID: id, Name: name}, user)
	}, err
}

// FindClient finds a client by its id or its name.
func FindClient(ctx context.Context, s ClientServers, name string) (Client, error) {
	list, err := Clients(ctx, s)
	if err != nil {
		return Client{}, err
	}
	if i := slices.IndexFunc(list, func(c Client) bool { return c.ClientID == name }); i >= 0 {
		return list[i], nil
	}
	return Pick("client", name, list, func(c Client) string { return c.Name })
}

// RemoveClient returns what to know before a client is deleted. It refuses a client of IS itself, such as the Console's, and those in
// kept, by their ids, which the agent needs.
func RemoveClient(ctx context.Context, s ClientServers, name string, kept map[string]string) (Removal, error) {
	client, err := FindClient(ctx, s, name)
	if err != nil {
		return Removal{}, err
	}
	setting := kept[client.ClientID]
	switch {
	case client.System:
		return Removal{}, refuse("IS needs it", "client %q belongs to IS itself", client.Name)
	case setting != "":
		return Removal{}, refuse("set "+setting+" to another client first", "client %q is the one that %s names", client.Name, setting)
	}
	r := Removal{OwnedObject: plan.OwnedObject{Kind: "client", Name: client.Name, ID: client.ClientID}, Title: "client " + client.ClientID + " in IS",
		With: []string{"its tokens end, and it gets no more"}}
	if client.Application != "" && client.Application != Deleted {
		// A client that is deleted in IS: oauth-keys leaves it out, generate-keys is 409, DELETE 500, and only clean-up helps (recorded).
		r.Warning = fmt.Sprintf("application %s of API-M uses the client. Without the client, API-M neither shows nor makes these keys until somebody cleans them up. "+
			"The Developer Portal deletes keys together with their client", client.Application)
	}
	r.Do = func(ctx context.Context) ([]string, error) {
		if err := s.Applications.DeleteApplication(ctx, client.ID); err != nil {
			return nil, err
		}
		left, err := s.Registration.HasClient(ctx, client.ClientID) // IS answers 204 in any case (recorded)
		if err == nil && left {
			err = refuse("delete it in the Console of IS", "IS still has client %s", client.ClientID)
		}
		return nil, err
	}
	return r, nil
}

// ReadClient reads a client with its secret.
func ReadClient(ctx context.Context, s ClientServers, name string) (client Client, registered wso2.Registered, err error) {
	if client, err = FindClient(ctx, s, name); err != nil {
		return client, registered, err
	}
	registered, found, err := s.Registration.Registered(ctx, client.ClientID)
	if err == nil && !found {
		err = refuse("see it in the Console of IS", "IS does not show the registration of client %s", client.ClientID)
	}
	registered.Callbacks = slices.DeleteFunc(registered.Callbacks, func(c string) bool { return strings.TrimSpace(c) == "" })
	return client, registered, err
}
