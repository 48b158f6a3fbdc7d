package wso2sim

import (
	"net/http"
	"slices"
	"strings"
)

var scopesOperationPolicyView = []string{"apim:common_operation_policy_view", "apim:common_operation_policy_manage", "apim:api_view", "apim:api_manage"}

// operationPolicies are what requests, answers and faults pass through.
type operationPolicies struct {
	Request  []appliedPolicy `json:"request"`
	Response []appliedPolicy `json:"response"`
	Fault    []appliedPolicy `json:"fault"`
}

// appliedPolicy names one of the common policies. The server adds the type, and the id of a copy of its own.
type appliedPolicy struct {
	PolicyName    string  `json:"policyName"`
	PolicyVersion *string `json:"policyVersion"`
	PolicyType    *string `json:"policyType"`
	PolicyID      *string `json:"policyId"`
	Parameters    object  `json:"parameters"`
}

// complete has a list for each flow. Where nothing may stay null it is null.
func (p *operationPolicies) complete(null bool) *operationPolicies {
	if null {
		return nil
	}
	if p == nil {
		p = &operationPolicies{}
	}
	return &operationPolicies{orEmpty(p.Request), orEmpty(p.Response), orEmpty(p.Fault)}
}

// commonPolicy is one that every installation has.
type commonPolicy struct {
	id, name, version, title, description string
	flows                                 []string
	types                                 []any
	attributes                            []policyAttribute
}

type policyAttribute struct{ name, title, description, pattern, kind, otherwise string }

// required reports whether a parameter has no default.
func (a policyAttribute) required() bool { return a.otherwise == "" }

// commonPolicies are the first of the 32 that the product has, in its order, and addHeader.
func commonPolicies() []commonPolicy {
	http := []any{"HTTP"}
	anyText := "^.+$"
	return []commonPolicy{
		{"3a1d26a4-55fa-4fd7-8ab5-6d18a4b4f001", "regexPolicy", "v1", "Regex Policy", "Validates content against a pattern", []string{"request"}, http, nil},
		{"3a1d26a4-55fa-4fd7-8ab5-6d18a4b4f002", "jsonFault", "v1", "JSON Fault", "Writes a fault as JSON", []string{"fault"}, http, nil},
		{"3a1d26a4-55fa-4fd7-8ab5-6d18a4b4f003", "rewriteResourcePath", "v3", "Rewrite Resource Path", "Rewrites the path of a request", []string{"request"}, http, []policyAttribute{
			{"newResourcePath", "New Resource Path", "Name of the new resource path", `^/?([a-zA-Z0-9!@#\$%\^\&*\)\(+=._\-~:,\?{}/]*)$`, "String", ""},
			{"includeQueryParams", "Include Query Parameters", "Whether to keep the query", "^(true|false)$", "Boolean", "true"},
		}},
		{"3a1d26a4-55fa-4fd7-8ab5-6d18a4b4f004", "modelFailover", "v1", "Model Failover", "Goes to another model", []string{"request"}, []any{object{"subType": "AIAPI", "apiType": "HTTP"}}, []policyAttribute{
			{"failoverConfigs", "Failover Configurations", "Configurations of the policy", anyText, "String", ""},
		}},
		{"3a1d26a4-55fa-4fd7-8ab5-6d18a4b4f005", "addLogMessage", "v1", "Log Policy", "Logs a request", []string{"request", "response", "fault"}, http, nil},
		{"3a1d26a4-55fa-4fd7-8ab5-6d18a4b4f006", "addHeader", "v2", "Add Header", "Adds a header", []string{"request", "response", "fault"}, http, []policyAttribute{
			{"headerName", "Header Name", "Name of the header to be added", anyText, "String", ""},
			{"headerValue", "Header Value", "Value of the header", anyText, "String", ""},
		}},
	}
}

func (p commonPolicy) view() object {
	attributes := []object{}
	for _, a := range p.attributes {
		var otherwise any
		if !a.required() {
			otherwise = a.otherwise
		}
		attributes = append(attributes, object{
			"name": a.name, "displayName": a.title, "description": a.description, "validationRegex": a.pattern, "type": a.kind,
			"required": a.required(), "defaultValue": otherwise, "allowedValues": []any{},
		})
	}
	return object{
		"category": "Mediation", "id": p.id, "name": p.name, "version": p.version, "displayName": p.title, "description": p.description,
		"applicableFlows": p.flows, "supportedGateways": []string{"Synapse"}, "supportedApiTypes": p.types, "isAPISpecific": false,
		"md5": `{"hash":"` + strings.ReplaceAll(p.id, "-", "") + `","algorithm":"SHA-256"}`, "policyAttributes": attributes,
	}
}

func (am *AM) operationPolicyRoutes(mux *http.ServeMux) {
	all := publisherPath + "/operation-policies"
	mux.HandleFunc("GET "+all, am.locked(scopesOperationPolicyView, func(w http.ResponseWriter, r *http.Request) error {
		list := []object{}
		name, filtered := strings.CutPrefix(r.URL.Query().Get("query"), "name:")
		for _, p := range commonPolicies() {
			if !filtered || p.name == name {
				list = append(list, p.view())
			}
		}
		writePolicies(w, r, list)
		return nil
	}))
	mux.HandleFunc("GET "+all+"/{policy}", am.locked(scopesOperationPolicyView, func(w http.ResponseWriter, r *http.Request) error {
		for _, p := range commonPolicies() {
			if p.id == r.PathValue("policy") {
				writeJSON(w, http.StatusOK, p.view())
				return nil
			}
		}
		return notFound("operation-policies", r.PathValue("policy"))
	}))
	mux.HandleFunc("GET "+publisherPath+"/apis/{id}/operation-policies", am.locked(scopesOperationPolicyView, am.withAPI(func(w http.ResponseWriter, r *http.Request, _ *api) error {
		writePolicies(w, r, nil) // no API has policies of its own
		return nil
	})))
}

// writePolicies shows a page without links.
func writePolicies(w http.ResponseWriter, r *http.Request, list []object) {
	total := len(list)
	limit := number(r.URL.Query(), "limit", 25)
	if r.URL.Query().Get("query") != "" {
		limit = total // as the product says it
	}
	list = orEmpty(list[:min(limit, total)])
	writeJSON(w, http.StatusOK, object{"count": len(list), "list": list, "pagination": object{
		"offset": 0, "limit": limit, "total": total, "next": nil, "previous": nil,
	}})
}

var (
	errNoPolicy = &fault{status: 400, code: 902005, message: "Cannot find the selected api policy", description: "Selected api policy is not found"}
	// The placeholders are the product's.
	errNoParameter = &fault{status: 400, code: 902009, message: "Missing mandatory api policy attribute",
		description: "Required attributes(s) %s for api policy specification %s are either missing or empty"}
	errWrongFlow = &fault{status: 400, code: 902008, message: "API policy is not allowed in the applied flow",
		description: "%s policy is not allowed in response flow"}
)

// appliedPolicies are the policies of an API and of its operations.
func (dto *apiDTO) appliedPolicies() []*operationPolicies {
	all := []*operationPolicies{dto.APIPolicies}
	for i := range dto.Operations {
		all = append(all, dto.Operations[i].OperationPolicies)
	}
	return slices.DeleteFunc(all, func(p *operationPolicies) bool { return p == nil })
}

// policyCopies are the ids of an API's own copies, by the name of the policy.
func (dto *apiDTO) policyCopies() map[string]string {
	copies := map[string]string{}
	for _, p := range dto.appliedPolicies() {
		for _, applied := range slices.Concat(p.Request, p.Response, p.Fault) {
			copies[applied.PolicyName] = value(applied.PolicyID)
		}
	}
	return copies
}

// resolvePolicies checks the policies of an API and of its operations, and gives each the id of the API's copy, which
// stays the same as long as the API has the policy.
func (dto *apiDTO) resolvePolicies(copies map[string]string) error {
	for _, p := range dto.appliedPolicies() {
		for flow, list := range map[string][]appliedPolicy{"request": p.Request, "response": p.Response, "fault": p.Fault} {
			for i := range list {
				if err := list[i].resolve(flow, copies); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (p *appliedPolicy) resolve(flow string, copies map[string]string) error {
	known := commonPolicies()
	at := slices.IndexFunc(known, func(k commonPolicy) bool { return k.name == p.PolicyName && k.version == value(p.PolicyVersion) })
	if at < 0 {
		return errNoPolicy
	}
	if !slices.Contains(known[at].flows, flow) {
		return errWrongFlow
	}
	for _, a := range known[at].attributes {
		if v, _ := p.Parameters[a.name].(string); a.required() && v == "" {
			return errNoParameter
		}
	}
	if copies[p.PolicyName] == "" {
		copies[p.PolicyName] = newUUID()
	}
	p.PolicyType, p.PolicyID = ptr("common"), ptr(copies[p.PolicyName])
	return nil
}

// withoutPolicyTypes is a copy of operations whose policies have no type, which only a later answer shows.
func withoutPolicyTypes(ops []apiOperation) []apiOperation {
	untyped := func(list []appliedPolicy) []appliedPolicy {
		list = slices.Clone(list)
		for i := range list {
			list[i].PolicyType = nil
		}
		return list
	}
	ops = slices.Clone(ops)
	for i, op := range ops {
		if p := op.OperationPolicies; p != nil {
			ops[i].OperationPolicies = &operationPolicies{untyped(p.Request), untyped(p.Response), untyped(p.Fault)}
		}
	}
	return ops
}
