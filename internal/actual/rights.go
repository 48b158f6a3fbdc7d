package actual

import "wso2agent/internal/plan"

// Rights are the scopes of tokens with which this package reads the servers. API-M has no scope that only reads key managers, nor one that
// only reads applications.
type Rights struct{ AM, IS []string }

// AllRights are those for everything that both servers have.
func AllRights() Rights {
	return Rights{
		AM: []string{"apim:api_view", "apim:keymanagers_manage", "apim:subscribe"},
		IS: []string{"internal_user_mgt_list", "internal_group_mgt_view", "internal_role_mgt_view"},
	}
}

// RightsFor returns the scopes for what [Read] reads of a desired state. What the agent has made can be of any kind.
func RightsFor(want plan.Wanted) Rights {
	all := AllRights()
	if len(want.Owned) > 0 {
		return all
	}
	r := Rights{AM: all.AM[:1:1], IS: all.IS}
	applications := len(want.File.Applications.Value) > 0
	if applications || want.Own.Name.Set || len(want.File.KeyManagers.Value) > 0 {
		r.AM = append(r.AM, all.AM[1])
	}
	if applications {
		r.AM = append(r.AM, all.AM[2])
	}
	return r
}
