package apply

import (
	"maps"

	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
)

// served returns what calls of the APIs of the file depend on, as they are after the round.
func (r *round) served() map[plan.APIName]plan.Served {
	all := map[plan.APIName]plan.Served{}
	for name, api := range r.have.APIs {
		all[name] = plan.ServedOf(api.Object, api.Revisions)
	}
	for name, api := range r.have.Agreed {
		all[name] = api.Served
	}
	maps.Copy(all, r.saved)
	return all
}

// operationsOf returns the operations of an API for its verification.
func operationsOf(s plan.Served) (all []wso2.Operation) {
	for _, op := range s.Operations {
		all = append(all, wso2.Operation{Target: op.Target, Verb: op.Verb, Scopes: op.Scopes, Open: op.Open})
	}
	return all
}
