package plan

import (
	"slices"
	"strings"

	"wso2agent/internal/desired"
	"wso2agent/internal/sorting"
)

// APIFields returns the fields of an API that are in the Publisher's object. Documents, endpoint certificates and environments are
// objects of their own.
func APIFields(have Object) Fields {
	kind := textAt(have, "type", "HTTP")
	base := NewAPI(kind)
	delete(base, "type")
	all := fieldsOf(apiTable, have, base)
	if state := textAt(have, "lifeCycleStatus", ""); state != "PUBLISHED" {
		all["lifecycle"] = state
	}
	for _, group := range []string{"response_caching", "cors"} { // API-M drops the rest of one that is off
		if all[group+".enabled"] != true {
			all.drop(group)
		}
	}
	all.change("security_schemes", func(value any) any {
		return slices.DeleteFunc(value.([]string), func(scheme string) bool { return scheme == alwaysScheme })
	})
	all.change("operations", operationList)
	all.change("scopes", scopeList)
	all.change("additional_properties", func(value any) any {
		return entriesOf(value.(map[string]any), "name", func(p, entry Fields) {
			entry["value"] = p["value"]
			if p["display"] == true {
				entry["display"] = true
			}
		})
	})
	all.endpoints(have, kind)
	return all
}

// entriesOf returns a map as a list of entries, in the order of their names. A value that is no object adds nothing.
func entriesOf(all map[string]any, name string, fill func(value, entry Fields)) []Fields {
	list := []Fields{}
	for _, key := range sortedKeys(all) {
		entry := Fields{name: key}
		value, _ := all[key].(map[string]any)
		fill(value, entry)
		list = append(list, entry)
	}
	return list
}

// operationList returns operations in the order of their targets, without what a new one has.
func operationList(value any) any {
	list := []Fields{}
	for _, key := range sortedKeys(value.(map[string]any)) {
		o := value.(map[string]any)[key].(map[string]any)
		verb, target, _ := strings.Cut(key, " ")
		entry := Fields{"target": target, "verb": verb}
		if o["auth"] != anyToken {
			entry["auth"] = o["auth"]
		}
		if o["throttling_policy"] != unlimited {
			entry["throttling_policy"] = o["throttling_policy"]
		}
		if scopes := o["scopes"].([]string); len(scopes) > 0 {
			entry["scopes"] = scopes
		}
		list = append(list, entry)
	}
	sorting.By(list, func(a, b Fields) int { return strings.Compare(a["target"].(string), b["target"].(string)) })
	if len(list) == 0 {
		return nil
	}
	return list
}

// scopeList returns the scopes of an API. A shared one has only its name.
func scopeList(value any) any {
	list := entriesOf(value.(map[string]any), "name", func(s, entry Fields) {
		if s == nil {
			return
		}
		entry["local"] = true
		if s["display_name"] != entry["name"] {
			entry["display_name"] = s["display_name"]
		}
		if s["description"] != "" {
			entry["description"] = s["description"]
		}
		if roles := s["roles"].([]string); len(roles) > 0 {
			entry["roles"] = roles
		}
	})
	if len(list) == 0 {
		return nil
	}
	return list
}

// endpoints brings the fields of endpoints into the form of a file.
func (f Fields) endpoints(have Object, kind string) {
	for _, side := range sides {
		path := "endpoints." + side
		f.security(path+".security", have, side)
		for _, span := range []string{".timeout", ".retry_delay", ".suspend.initial", ".suspend.maximum"} {
			f.change(path+span, plainSpan)
		}
		f.change(path+".retry_codes", numbers)
		f.change(path+".suspend.codes", numbers)
		if f[path+".timeout"] != nil && f[path+".timeout_action"] == "fault" { // which a time-out brings
			delete(f, path+".timeout_action")
		}
	}
	production, sandbox := f.within("endpoints.production"), f.within("endpoints.sandbox")
	switch {
	case len(production) == 0: // nothing that the sandbox would follow
	case len(sandbox) == 0:
		f["endpoints.sandbox"] = nil
	case equal(production, sandbox) && production["security.type"] == nil: // secrets can differ
		f.drop("endpoints.sandbox")
	}
	e := desired.Endpoints{}
	e.Production.Value.URLs.Set = f["endpoints.production.urls"] != nil
	e.Sandbox.Value.URLs.Set = f["endpoints.sandbox.urls"] != nil
	if f["endpoints.type"] == e.Kind(kind) {
		delete(f, "endpoints.type")
	}
}

// security adds the secrets that the authentication of a side needs, and removes what an authentication that is off has left.
func (f Fields) security(path string, have Object, side string) {
	kind := authAt(have, side)
	if kind == nil {
		f.drop(path)
		return
	}
	f[path+".type"] = kind
	switch kind {
	case "BASIC":
		f[path+".password"] = Hidden{}
	case "OAUTH":
		f[path+".client_secret"] = Hidden{}
		if f[path+".grant_type"] == "PASSWORD" {
			f[path+".password"] = Hidden{}
		}
	case "APIKEY":
		f[path+".key_value"] = Hidden{}
	}
}

// EnvironmentFields returns where an API is deployed, in the order of the names; none if that is where the agent deploys an API whose file
// says nothing. vhost is the host of an environment for which the file names none.
func EnvironmentFields(deployments []Object, vhost string) (list []Fields) {
	for _, on := range deployments {
		entry := Fields{"name": textAt(on, "name", "")}
		if host := textAt(on, "vhost", ""); host != "" && host != vhost {
			entry["vhost"] = host
		}
		if on["displayOnDevportal"] == false {
			entry["display_on_devportal"] = false
		}
		list = append(list, entry)
	}
	sorting.By(list, func(a, b Fields) int { return strings.Compare(a["name"].(string), b["name"].(string)) })
	if len(list) == 1 && equal(list[0], Fields{"name": defaultEnvironment}) {
		return nil
	}
	return list
}
