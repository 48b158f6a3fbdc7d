package bootstrap

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"wso2agent/internal/suggest"
)

// ErrConfig is wrapped by every error of [Load]: the file must be changed.
var ErrConfig = errors.New("the API configuration is not usable")

// Load reads an api-config.yaml and checks it against the servers' rules. All mistakes are reported together, each
// with its line and column; name is the file's name in the messages.
func Load(data []byte, name string) (*Desired, error) {
	root, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w: %w", name, ErrConfig, err)
	}
	r := &reader{file: name}
	desired := r.document(root)
	if err := r.problems(); err != nil {
		return nil, err
	}
	return desired, nil
}

// parse reads the one document of a file.
func parse(data []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF), err == nil && isNull(doc.Content[0]):
		return nil, errors.New("it is empty: it needs rest_apis, application and subscriptions")
	case err != nil:
		return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, errors.New("it holds more than one document: keep one, without a line of ---")
	}
	return doc.Content[0], nil
}

// document reads the whole file: the sections of the shape that has rest_apis, application and subscriptions.
func (r *reader) document(root *yaml.Node) *Desired {
	d := &Desired{}
	var apis, subscriptions []*yaml.Node
	seen := r.mapping(root, "the file", fields{
		"rest_apis":     func(n *yaml.Node) { d.APIs, apis = list(r, n, "rest_apis", r.api) },
		"application":   func(n *yaml.Node) { d.Application = r.application(n) },
		"subscriptions": func(n *yaml.Node) { d.Subscriptions, subscriptions = list(r, n, "subscriptions", r.subscription) },
	})
	for _, section := range []string{"rest_apis", "application", "subscriptions"} {
		if seen != nil && !seen[section] {
			r.report(root, "section %s is missing", section)
		}
	}
	if seen["rest_apis"] && len(d.APIs) == 0 && r.clean() {
		r.report(root, "rest_apis lists no API")
	}
	r.duplicateAPIs(d.APIs, apis)
	r.checkSubscriptions(d, subscriptions)
	return d
}

func (r *reader) api(n *yaml.Node) API {
	var a API
	seen := r.mapping(n, "an API", fields{
		"name":        func(n *yaml.Node) { a.Name = r.checked(n, "name", singleSpaced, checkName) },
		"context":     func(n *yaml.Node) { a.Context = r.checked(n, "context", withSlash, checkContext) },
		"version":     func(n *yaml.Node) { a.Version = r.checked(n, "version", strings.TrimSpace, checkVersion) },
		"backend_url": func(n *yaml.Node) { a.BackendURL = r.checked(n, "backend_url", strings.TrimSpace, checkBackendURL) },
		"description": func(n *yaml.Node) { a.Description = r.checked(n, "description", asIs, checkDescription) },
		"tags":        func(n *yaml.Node) { a.Tags, _ = list(r, n, "tags", r.tag) },
	})
	r.require(n, seen, "the API", a.Name, "name", "context", "version", "backend_url")
	return a
}

func (r *reader) tag(n *yaml.Node) string {
	return r.checked(n, "tag", strings.TrimSpace, checkTag)
}

func (r *reader) application(n *yaml.Node) Application {
	a := Application{ThrottlingPolicy: defaultPolicy}
	seen := r.mapping(n, "application", fields{
		"name": func(n *yaml.Node) { a.Name = r.checked(n, "name", strings.TrimSpace, checkApplicationName) },
		"throttling_policy": func(n *yaml.Node) {
			a.ThrottlingPolicy = r.checked(n, "throttling_policy", strings.TrimSpace, checkPolicy)
		},
	})
	r.require(n, seen, "the application", a.Name, "name")
	return a
}

func (r *reader) subscription(n *yaml.Node) Subscription {
	s := Subscription{ThrottlingPolicy: defaultPolicy}
	seen := r.mapping(n, "a subscription", fields{
		"api_name": func(n *yaml.Node) { s.APIName = r.checked(n, "api_name", singleSpaced, checkName) },
		"throttling_policy": func(n *yaml.Node) {
			s.ThrottlingPolicy = r.checked(n, "throttling_policy", strings.TrimSpace, checkSubscriptionPolicy)
		},
	})
	r.require(n, seen, "the subscription", s.APIName, "api_name")
	return s
}

// duplicateAPIs finds APIs that exclude each other on a server.
func (r *reader) duplicateAPIs(apis []API, at []*yaml.Node) {
	for i, a := range apis {
		for j, b := range apis[:i] {
			if a.Name == "" || b.Name == "" {
				continue
			}
			line := at[j].Line
			switch same := a.Name == b.Name; {
			case same && a.Version == b.Version:
				r.report(at[i], "API %q %s stands twice, first on line %d", a.Name, a.Version, line)
			case !same && strings.EqualFold(a.Name, b.Name):
				r.report(at[i], "API %q differs only in letter case from %q on line %d, which API-M refuses", a.Name, b.Name, line)
			case same && a.Context != b.Context:
				r.report(at[i], "API %q has the context %s here and %s on line %d: all versions of an API share one", a.Name, a.Context, b.Context, line)
			case !same && a.Context != "" && a.Context == b.Context:
				r.report(at[i], "API %q has the context %s, which API %q on line %d has", a.Name, a.Context, b.Name, line)
			default:
				continue
			}
			break
		}
	}
}

// checkSubscriptions finds subscriptions to APIs that the file does not list, and double ones.
func (r *reader) checkSubscriptions(d *Desired, at []*yaml.Node) {
	var names []string
	for _, a := range d.APIs {
		names = append(names, a.Name)
	}
	first := map[string]int{}
	for i, s := range d.Subscriptions {
		if s.APIName == "" {
			continue
		}
		if line, twice := first[s.APIName]; twice {
			r.report(at[i], "the subscription to %q stands twice, first on line %d", s.APIName, line)
			continue
		}
		first[s.APIName] = at[i].Line
		if !contains(names, s.APIName) {
			r.report(at[i], "the subscription is to %q, which rest_apis does not list%s", s.APIName, suggest.Hint(s.APIName, names))
		}
	}
}
