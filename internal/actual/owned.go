package actual

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
)

// unnamed finds what the servers still have of the owned objects that the file does not name. Lists that a read makes anyway say it, and
// one list more for each kind that the file does not name. APIs, certificates, users, groups and roles cost a request each.
type unnamed struct {
	all    []plan.OwnedObject
	exists map[plan.OwnedObject]plan.Left
	unsure map[plan.OwnedObject]bool // the agent cannot find out whether the server has it
}

func unnamedOf(all []plan.OwnedObject) unnamed {
	return unnamed{all, map[plan.OwnedObject]plan.Left{}, map[plan.OwnedObject]bool{}}
}

func (u unnamed) has(kind string) bool {
	return slices.ContainsFunc(u.all, func(o plan.OwnedObject) bool { return o.Kind == kind })
}

// of returns the objects of a kind that belong to another one.
func (u unnamed) of(kind, of string) []plan.OwnedObject {
	return slices.DeleteFunc(slices.Clone(u.all), func(o plan.OwnedObject) bool { return o.Kind != kind || o.Of != of })
}

// still notes an object that a server has. Only one with the name and the id of the record is the agent's: settleUnnamed picks it.
func (r *reader) still(kind, name, of, id, parent string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := plan.OwnedObject{Kind: kind, Name: name, Of: of, ID: id}
	r.unnamed.exists[o] = plan.Left{OwnedObject: o, Parent: parent}
}

// children notes what is in the list of a parent: subscriptions and keys of an application, documents of an API.
func (r *reader) children(kind, of, parent string, ids []string) {
	for _, o := range r.unnamed.of(kind, of) {
		if slices.Contains(ids, o.ID) {
			r.still(kind, o.Name, of, o.ID, parent)
		}
	}
}

// unnamedJobs returns the jobs of the second round for objects that no list shows well enough.
func (r *reader) unnamedJobs() (jobs []job) {
	for _, o := range r.unnamed.all {
		switch o.Kind {
		case plan.KindAPI:
			jobs = append(jobs, func(ctx context.Context) error { return r.unnamedAPI(ctx, o) })
		case plan.KindCertificate:
			if r.aliases[o.Name] {
				jobs = append(jobs, func(ctx context.Context) error { return r.unnamedCertificate(ctx, o) })
			}
		case plan.KindUser, plan.KindGroup, plan.KindRole:
			if r.SCIM == nil { // the settings name no IS now
				r.unnamed.unsure[o] = true
				continue
			}
			jobs = append(jobs, func(ctx context.Context) error {
				found, exists, err := r.SCIM.Find(ctx, SCIMKind(o.Kind), o.Name)
				if exists {
					r.still(o.Kind, o.Name, "", found.ID, "")
				}
				return err
			})
		case plan.KindKey: // API-M does not list a key whose key manager it has not loaded, or whose client IS refuses
			r.unnamed.unsure[o] = true
		}
	}
	return jobs
}

// SCIMKind returns IS's kind for a kind of object.
func SCIMKind(kind string) wso2.SCIMKind {
	return map[string]wso2.SCIMKind{plan.KindUser: wso2.SCIMUsers, plan.KindGroup: wso2.SCIMGroups, plan.KindRole: wso2.SCIMRoles}[kind]
}

// unnamedAPI reads an API by its id: the list of APIs is behind after a change.
func (r *reader) unnamedAPI(ctx context.Context, o plan.OwnedObject) error {
	if o.ID == "" {
		return nil
	}
	api, err := r.Publisher.APIObject(ctx, o.ID)
	if IsGone(err) {
		return nil
	}
	if err != nil {
		return about("API "+o.Name, err)
	}
	left := plan.Left{OwnedObject: o}
	version, _ := api.Fields["version"].(string)
	left.State, _ = api.Fields["lifeCycleStatus"].(string)
	if api.Name+" "+version != o.Name {
		return nil
	}
	if r.want.Prune {
		list, err := r.Publisher.Subscribers(ctx, o.ID)
		if err != nil {
			return about("the subscriptions of API "+o.Name, err)
		}
		for _, s := range list {
			left.Subscribers = append(left.Subscribers, plan.Subscriber{
				Subscription: s.Subscription, ApplicationID: s.Application.ID, Application: s.Application.Name, Owner: s.Application.Owner,
			})
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unnamed.exists[o] = left
	return nil
}

// unnamedCertificate compares the content of a certificate, because an alias does not identify it.
func (r *reader) unnamedCertificate(ctx context.Context, o plan.OwnedObject) error {
	der, err := r.Publisher.EndpointCertificate(ctx, o.Name)
	if IsGone(err) {
		return nil
	}
	if err != nil {
		return about(fmt.Sprintf("endpoint certificate %q", o.Name), err)
	}
	r.still(o.Kind, o.Name, "", plan.CertificateID(o.Name, fingerprint(der)), "")
	return nil
}

// IsGone reports whether a server has answered that it does not have the object.
func IsGone(err error) bool {
	return wso2.HasStatus(err, http.StatusNotFound) && wso2.IsPermanent(err) || wso2.HasCode(err, wso2.CodeKeyManagerGone)
}

// settleUnnamed notes which of the objects exist, in the order in which they would be removed. What belongs to an object that exists is
// neither left alone nor gone.
func (r *reader) settleUnnamed() {
	for _, o := range r.unnamed.all {
		left, exists := r.unnamed.exists[o]
		switch {
		case exists:
			r.have.Left = append(r.have.Left, left)
		case r.unnamed.unsure[o], r.parentExists(o):
		default:
			r.have.Gone = append(r.have.Gone, o)
		}
	}
}

// parentExists reports whether an object belongs to an unnamed one that exists.
func (r *reader) parentExists(o plan.OwnedObject) bool {
	return slices.ContainsFunc(r.unnamed.all, func(parent plan.OwnedObject) bool {
		_, exists := r.unnamed.exists[parent]
		return exists && parent.Of == "" && o.Of == parent.Kind+" "+parent.Name
	})
}
