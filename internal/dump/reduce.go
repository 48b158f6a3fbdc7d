package dump

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
)

// reduce leaves out of the tree what the reader of files refuses, and what a plan would change, until nothing of both is left. So a file
// is always one that the agent takes, and that changes nothing.
func (d *dump) reduce(tree branch, have plan.Have) error {
	for {
		body, err := encode(tree)
		if err != nil {
			return err
		}
		places, err := placesOf(body)
		if err != nil {
			return err
		}
		found := d.faults(body, have)
		if len(found) == 0 {
			return nil
		}
		left := false
		for _, f := range found {
			at := owner(places[f.at])
			if len(at) == 0 {
				d.leaveOut("%s", f.why) // of no entry of the file
				continue
			}
			d.leaveOut("%s: %s", title(tree, at), f.why)
			mark(tree, at)
			left = true
		}
		if !left {
			return nil
		}
		compact(tree)
	}
}

// fault is something at a place of the file that has to be left out.
type fault struct {
	at  place
	why string
}

type place struct{ line, column int }

func placeOf(p desired.Place) place { return place{p.Line, p.Column} }

// schemaExtension ends the names of GraphQL schemas.
const schemaExtension = ".graphql"

// throwaway is a value for every variable. It fits the rules for passwords.
const throwaway = "throwAway1"

// faults returns what the reader refuses; if that is nothing, what a plan would change.
func (d *dump) faults(body []byte, have plan.Have) (found []fault) {
	source := desired.Source{
		Env: func(string) (string, bool) { return throwaway, true },
		ReadFile: func(path string) ([]byte, error) {
			data, known := d.files[path]
			if !known {
				return nil, fmt.Errorf("no file %s", path)
			}
			return data, nil
		},
	}
	add := func(problems desired.Problems) {
		for _, p := range problems {
			found = append(found, fault{placeOf(p.At), strings.ReplaceAll(p.Message, FileName+":", "line ")})
		}
	}
	f, err := desired.Parse(source, configuration(body))
	if err != nil {
		var problems desired.Problems
		if !errors.As(err, &problems) {
			return []fault{{why: err.Error()}}
		}
		add(problems)
		return found
	}
	want := d.want
	want.File, want.Contents, want.Fingerprints, want.Definitions = f, d.files, map[string]string{}, map[string]plan.Definition{}
	for path, data := range d.files {
		want.Fingerprints[path] = string(data)
		if strings.HasSuffix(path, schemaExtension) {
			want.Definitions[path], _ = plan.ReadGraphQL(data) // a mistake in it is a difference
		}
	}
	changes, problems := plan.Make(want, have)
	add(problems)
	for _, c := range changes {
		var paths []string
		for _, field := range c.Fields {
			paths = append(paths, field.Path)
		}
		why := fmt.Sprintf("a plan would %s the %s %s", c.Action, c.Kind, c.Name)
		switch {
		case c.Kind == plan.KindKeyManager && c.Action == plan.Create:
			why = fmt.Sprintf("key manager %s: API-M does not have it, so a plan of any file creates it", c.Name)
		case len(paths) > 0:
			why = "a plan would change " + strings.Join(paths, ", ")
		}
		found = append(found, fault{placeOf(namePlace(c.Want)), why})
	}
	return found
}

// namePlace returns the place of the name of what a change is for.
func namePlace(want any) desired.Place {
	switch w := want.(type) {
	case desired.API:
		return w.Name.At
	case desired.Document:
		return w.Name.At
	case desired.EndpointCertificate:
		return w.Alias.At
	case desired.Scope:
		return w.Name.At
	case desired.Application:
		return w.Name.At
	case plan.WantedSubscription:
		return w.Want.APIName.At
	case desired.Key:
		return w.Type.At
	case desired.KeyManager:
		return w.Name.At
	case desired.User:
		return w.Username.At
	case desired.Users:
		return w.Name.At
	case desired.Role:
		return w.Name.At
	}
	return desired.Place{}
}

// placesOf returns the ways to the values of a file by their places. A way has keys and positions.
func placesOf(body []byte) (map[place][]any, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(body, &root); err != nil {
		return nil, fmt.Errorf("read the file that the dump has made: %w", err)
	}
	places := map[place][]any{}
	var walk func(n *yaml.Node, way []any)
	walk = func(n *yaml.Node, way []any) {
		if at := (place{n.Line, n.Column}); places[at] == nil {
			places[at] = way
		}
		switch n.Kind {
		case yaml.MappingNode:
			for i := 0; i < len(n.Content); i += 2 {
				walk(n.Content[i+1], append(slices.Clone(way), n.Content[i].Value))
			}
		case yaml.SequenceNode:
			for i, item := range n.Content {
				walk(item, append(slices.Clone(way), i))
			}
		}
	}
	walk(root.Content[0], nil)
	return places, nil
}

// apart are the lists whose entries are objects of their own. An entry of any other list cannot be left out alone: a plan would remove
// it from the server.
var apart = []string{
	"apis", "scopes", "applications", "key_managers", "users", "groups", "roles",
	"documents", "endpoint_certificates", "subscriptions", "keys",
}

// decisive are the fields without which the rest of a group means something else.
var decisive = []string{"name", "version", "context", "type", "api_name", "alias", "username", "target", "verb", "remote", "local", "visibility", "access_control", "enabled"}

// owner returns the way to what has to be left out because of the value at a way.
func owner(way []any) []any {
	for len(way) > 0 {
		switch last := way[len(way)-1].(type) {
		case int:
			section, _ := way[len(way)-2].(string)
			// scopes, groups and roles are objects at the top and in identity_server, and names elsewhere.
			top := len(way) == 2 || way[0] == "identity_server" && len(way) == 3
			if slices.Contains(apart, section) && (top || !slices.Contains([]string{"scopes", "groups", "roles"}, section)) {
				return way
			}
		case string:
			if len(way) == 1 || !slices.Contains(decisive, last) {
				return way
			}
		}
		way = way[:len(way)-1]
	}
	return nil
}

// kinds are the words for an entry of a list whose entries are objects.
var kinds = map[string]string{
	"apis": plan.KindAPI, "scopes": "scope", "applications": plan.KindApplication, "key_managers": plan.KindKeyManager,
	"users": plan.KindUser, "groups": plan.KindGroup, "roles": plan.KindRole,
	"documents": plan.KindDocument, "endpoint_certificates": plan.KindCertificate, "subscriptions": plan.KindSubscription, "keys": plan.KindKey,
}

// title names what is at a way for people, such as "API Orders 1.0.0, endpoints.production.timeout".
func title(tree branch, way []any) string {
	var parts, fields []string
	var at any = tree
	for _, step := range way {
		switch step := step.(type) {
		case string:
			on, _ := at.(branch)
			at, fields = on[step], append(fields, step)
		case int:
			list, _ := at.([]any)
			if step >= len(list) { // gone already
				return strings.Join(parts, ", ")
			}
			at = list[step]
			parts, fields = append(parts, kinds[fields[len(fields)-1]]+" "+nameOf(at)), nil
		}
	}
	if len(fields) > 0 {
		parts = append(parts, strings.Join(fields, "."))
	}
	return strings.Join(parts, ", ")
}

// nameOf returns what identifies an entry, for people.
func nameOf(entry any) string {
	on, _ := entry.(branch)
	var words []string
	for _, key := range []string{"name", "alias", "api_name", "username", "type"} {
		if text, is := on[key].(string); is {
			words = append(words, text)
			break
		}
	}
	for _, key := range []string{"version", "key_manager"} {
		if text, is := on[key].(string); is {
			words = append(words, text)
		}
	}
	return strings.Join(words, " ")
}

// gone stands for what is left out.
type gone struct{}

// mark replaces what is at a way by gone. A part of what is already gone stays gone.
func mark(tree branch, way []any) {
	var at any = tree
	for i, step := range way {
		last := i == len(way)-1
		switch on := at.(type) {
		case branch:
			key := step.(string)
			if last {
				on[key] = gone{}
			}
			at = on[key]
		case []any:
			if last {
				on[step.(int)] = gone{}
			}
			at = on[step.(int)]
		default:
			return
		}
	}
}

// compact removes what is gone, and lists and groups that are empty then. An application without keys says so.
func compact(b branch) {
	for _, key := range slices.Collect(maps.Keys(b)) {
		switch v := b[key].(type) {
		case gone:
			delete(b, key)
		case branch:
			if compact(v); len(v) == 0 {
				delete(b, key)
			}
		case []any:
			kept := slices.DeleteFunc(v, func(item any) bool { return item == gone{} })
			for _, item := range kept {
				if inner, is := item.(branch); is {
					compact(inner)
				}
			}
			if b[key] = kept; len(kept) == 0 && key != "keys" {
				delete(b, key)
			}
		}
	}
}
