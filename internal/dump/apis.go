package dump

import (
	"cmp"
	"encoding/pem"
	"maps"
	"net/url"
	"path"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"wso2agent/internal/actual"
	"wso2agent/internal/plan"
	"wso2agent/internal/sorting"
	"wso2agent/internal/wso2"
)

// apis returns the APIs with their documents, deployments and certificates.
func (d *dump) apis(all actual.Everything, secrets *names) (list []any, err error) {
	sorting.By(all.Others, func(a, b wso2.API) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version)) })
	for _, other := range all.Others {
		d.leaveOut("API %s %s: a file has no APIs of type %s", other.Name, other.Version, other.Type)
	}
	given, limited := map[string]bool{}, limitedAPIs(all)
	order := slices.Collect(maps.Keys(all.APIs))
	sorting.By(order, func(a, b plan.APIName) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
	})
	for _, name := range order {
		api := all.APIs[name]
		if subtype := subtypeOf(api.Object); subtype != "" {
			d.leaveOut("API %s: a file has no APIs of subtype %s", name, subtype)
			continue
		}
		fields := plan.APIFields(api.Object)
		if policies, _ := fields["policies"].([]string); len(policies) == 0 || slices.Contains(policies, wso2.SubscriptionLess) {
			d.leaveOut("API %s: a file cannot say that an API needs no subscription", name)
			continue
		}
		if equal(fields["policies"], []string{"Unlimited"}) && !limited[name.Name] {
			delete(fields, "policies") // an API whose file names none offers it
		}
		entry := grown(fields)
		secrets.hide(entry, name.Name, name.Version)
		shorten(entry)
		if list := d.documents(name, api); len(list) > 0 {
			entry["documents"] = list
		}
		if list := plan.EnvironmentFields(api.Deployments, d.want.VHost); len(list) > 0 {
			entry["environments"] = value(list)
		}
		certificates, err := d.certificates(all, fields, given)
		if err != nil {
			return nil, err
		}
		if len(certificates) > 0 {
			entry["endpoint_certificates"] = certificates
		}
		if schema, has := all.Schemas[name]; has && d.Save != nil {
			file := path.Join("schemas", segment(name.Name+"-"+name.Version)+schemaExtension)
			if err := d.save(file, []byte(schema), []byte(schema)); err != nil {
				return nil, err
			}
			entry["schema"] = file
		}
		if api.Object["type"] == "GRAPHQL" && entry["schema"] == nil {
			d.leaveOut("API %s: its schema is a file: add --out", name)
			continue
		}
		list = append(list, entry)
	}
	if d.whole() {
		for _, alias := range slices.Sorted(maps.Keys(all.DER)) {
			if !given[alias] {
				d.leaveOut("endpoint certificate %s: no API of the file has the backend %v", alias, all.Certificates[alias].Object["endpoint"])
			}
		}
	}
	return list, nil
}

// limitedAPIs returns the names of APIs to which an application subscribes with a policy of its own. A file that leaves out the policies
// of such an API adds that one.
func limitedAPIs(all actual.Everything) map[string]bool {
	limited := map[string]bool{}
	for _, v := range all.Versions {
		for _, app := range all.Applications {
			if s, has := app.Subscriptions[v.ID]; has && s["throttlingPolicy"] != "Unlimited" {
				limited[v.Name] = true
			}
		}
	}
	return limited
}

// shorten writes backends that are only an address in their short form.
func shorten(api branch) {
	endpoints, _ := api["endpoints"].(branch)
	for key := range endpoints {
		side, _ := endpoints[key].(branch)
		if _, has := side["url"]; len(side) != 1 || !has || key != "production" && key != "sandbox" {
			return
		}
	}
	for short, side := range map[string]string{"backend_url": "production", "sandbox_url": "sandbox"} {
		if on, has := endpoints[side].(branch); has {
			api[short] = on["url"]
		}
	}
	delete(api, "endpoints")
}

func equal(a, b any) bool { return reflect.DeepEqual(a, b) }

func (d *dump) whole() bool { return len(d.APIs) == 0 && len(d.Applications) == 0 }

// subtypeOf returns the subtype of an API that is of a special kind, such as AIAPI for one that calls a language model; "" for any other.
func subtypeOf(api plan.Object) string {
	configuration, _ := api["subtypeConfiguration"].(map[string]any)
	if subtype, _ := configuration["subtype"].(string); subtype != "DEFAULT" {
		return subtype
	}
	return ""
}

// documents returns the documents of an API. A text is in the file itself.
func (d *dump) documents(name plan.APIName, api plan.API) (list []any) {
	for _, title := range slices.Sorted(maps.Keys(api.Documents)) {
		document := api.Documents[title]
		entry := grown(plan.DocumentFields(document.Object))
		switch source := document.Object["sourceType"]; {
		case source == "URL":
		case source == "FILE" && d.Save == nil:
			d.leaveOut("document %s of API %s: it is a file: add --out", title, name)
			continue
		case source == "FILE":
			entry["file"] = documentPath(name, document.Object)
		case !utf8.Valid(document.Content):
			d.leaveOut("document %s of API %s: it is no text", title, name)
			continue
		default:
			entry["content"] = string(document.Content)
		}
		list = append(list, entry)
	}
	return list
}

// certificates returns the certificates of the backends of an API. API-M does not say to which API one belongs, so the first API with the
// backend has it. given has the aliases that an API has.
func (d *dump) certificates(all actual.Everything, fields plan.Fields, given map[string]bool) (list []any, err error) {
	backends := map[string]bool{}
	for _, field := range []string{"endpoints.production.url", "endpoints.production.urls", "endpoints.sandbox.url", "endpoints.sandbox.urls"} {
		switch v := fields[field].(type) {
		case string:
			backends[hostOf(v)] = true
		case []string:
			for _, address := range v {
				backends[hostOf(address)] = true
			}
		}
	}
	for _, alias := range slices.Sorted(maps.Keys(all.DER)) {
		endpoint, _ := all.Certificates[alias].Object["endpoint"].(string)
		if host := hostOf(endpoint); given[alias] || host == "" || !backends[host] {
			continue
		}
		given[alias] = true
		if d.Save == nil {
			d.leaveOut("endpoint certificate %s: it is a file: add --out", alias)
			continue
		}
		file := path.Join("certificates", segment(alias)+".pem")
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: all.DER[alias]})
		if err := d.save(file, text, []byte(all.Certificates[alias].Fingerprint)); err != nil {
			return nil, err
		}
		list = append(list, branch{"alias": alias, "endpoint": endpoint, "file": file})
	}
	return list, nil
}

// hostOf returns the host and the port of an address with TLS; "" for any other one.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if scheme := strings.ToLower(address); err != nil || !strings.HasPrefix(scheme, "https:") && !strings.HasPrefix(scheme, "wss:") {
		return ""
	}
	return strings.ToLower(u.Hostname()) + ":" + cmp.Or(u.Port(), "443")
}
