package actual

import (
	"context"

	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
)

// identities returns a job for each user, group and role that the file names. A search by name costs one request, and a list of all
// users could be long.
func (r *reader) identities() (jobs []job) {
	if r.SCIM == nil {
		return nil // Want has refused a file that needs IS
	}
	is := r.want.File.IdentityServer.Value
	for _, u := range is.Users.Value {
		jobs = append(jobs, r.find(wso2.SCIMUsers, u.Value.Username.Value, r.have.Users))
	}
	for _, g := range is.Groups.Value {
		jobs = append(jobs, r.find(wso2.SCIMGroups, g.Value.Name.Value, r.have.Groups))
	}
	for _, role := range is.Roles.Value {
		jobs = append(jobs, r.find(wso2.SCIMRoles, role.Value.Name.Value, r.have.Roles))
	}
	return jobs
}

// find finds an object by its name. A search shows it whole.
func (r *reader) find(kind wso2.SCIMKind, name string, into map[string]plan.Object) job {
	return func(ctx context.Context) error {
		o, exists, err := r.SCIM.Find(ctx, kind, name)
		if err != nil || !exists {
			return err
		}
		r.note(func(*plan.Have) { into[name] = o.Fields })
		return nil
	}
}
