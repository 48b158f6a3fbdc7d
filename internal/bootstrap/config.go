package bootstrap

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"wso2agent/internal/suggest"
	"wso2agent/internal/yamlfile"
)

// ErrConfig says that a person must change the file. Every error of [Load] wraps it.
var ErrConfig = errors.New("the API configuration is not usable")

// Load reads an api-config.yaml and checks it against the servers' rules. The error reports all mistakes together, each with its
// line and column. name is the file's name in the messages.
func Load(data []byte, name string) (*Desired, error) {
	root, err := yamlfile.Parse(data, "rest_apis, application and subscriptions")
	if err != nil {
		return nil, fmt.Errorf("read %s: %w: %w", name, ErrConfig, err)
	}
	r := &reader{yamlfile.Reader{File: name}}
	desired := r.document(root)
	if err := r.Problems(ErrConfig); err != nil {
		return nil, err
	}
	return desired, nil
}

// reader reads the sections of an API configuration.
type reader struct{ yamlfile.Reader }

// document reads the whole file, which has the sections rest_apis, application and subscriptions.
func (r *reader) document(root *yaml.Node) *Desired {
	d := &Desired{}
	var apis, subscriptions []*yaml.Node
	seen := r.Mapping(root, "the file", yamlfile.Fields{
		"rest_apis":   func(n *yaml.Node) { d.APIs, apis = yamlfile.List(&r.Reader, n, "rest_apis", r.api) },
		"application": func(n *yaml.Node) { d.Application = r.application(n) },
		"subscriptions": func(n *yaml.Node) {
			d.Subscriptions, subscriptions = yamlfile.List(&r.Reader, n, "subscriptions", r.subscription)
		},
	})
	for _, section := range []string{"rest_apis", "application", "subscriptions"} {
		if seen != nil && !seen[section] {
			r.Report(root, "section %s is missing", section)
		}
	}
	if seen["rest_apis"] && len(d.APIs) == 0 && r.Clean() {
		r.Report(root, "rest_apis lists no API")
	}
	r.duplicateAPIs(d.APIs, apis)
	r.checkSubscriptions(d, subscriptions)
	return d
}

func (r *reader) api(n *yaml.Node) API {
	var a API
	seen := r.Mapping(n, "an API", yamlfile.Fields{
		"name":        func(n *yaml.Node) { a.Name = r.checked(n, "name", singleSpaced, checkName) },
		"context":     func(n *yaml.Node) { a.Context = r.checked(n, "context", withSlash, checkContext) },
		"version":     func(n *yaml.Node) { a.Version = r.checked(n, "version", strings.TrimSpace, checkVersion) },
		"backend_url": func(n *yaml.Node) { a.BackendURL = r.checked(n, "backend_url", strings.TrimSpace, checkBackendURL) },
		"description": func(n *yaml.Node) { a.Description = r.checked(n, "description", asIs, checkDescription) },
		"tags":        func(n *yaml.Node) { a.Tags, _ = yamlfile.List(&r.Reader, n, "tags", r.tag) },
	})
	r.Require(n, seen, "the API", a.Name, "name", "context", "version", "backend_url")
	return a
}

func (r *reader) tag(n *yaml.Node) string {
	return r.checked(n, "tag", strings.TrimSpace, checkTag)
}

func (r *reader) application(n *yaml.Node) Application {
	a := Application{ThrottlingPolicy: defaultPolicy}
	seen := r.Mapping(n, "application", yamlfile.Fields{
		"name": func(n *yaml.Node) { a.Name = r.checked(n, "name", strings.TrimSpace, checkApplicationName) },
		"throttling_policy": func(n *yaml.Node) {
			a.ThrottlingPolicy = r.checked(n, "throttling_policy", strings.TrimSpace, checkPolicy)
			a.PolicyAt = r.Place(n)
		},
	})
	r.Require(n, seen, "the application", a.Name, "name")
	return a
}

func (r *reader) subscription(n *yaml.Node) Subscription {
	s := Subscription{ThrottlingPolicy: defaultPolicy}
	seen := r.Mapping(n, "a subscription", yamlfile.Fields{
		"api_name": func(n *yaml.Node) { s.APIName = r.checked(n, "api_name", singleSpaced, checkName) },
		"throttling_policy": func(n *yaml.Node) {
			s.ThrottlingPolicy = r.checked(n, "throttling_policy", strings.TrimSpace, checkSubscriptionPolicy)
			s.PolicyAt = r.Place(n)
		},
	})
	r.Require(n, seen, "the subscription", s.APIName, "api_name")
	return s
}

// duplicateAPIs reports APIs that cannot both be on a server.
func (r *reader) duplicateAPIs(apis []API, at []*yaml.Node) {
	for i, a := range apis {
		for j, b := range apis[:i] {
			if a.Name == "" || b.Name == "" {
				continue
			}
			line := at[j].Line
			switch same := a.Name == b.Name; {
			case same && a.Version == b.Version:
				r.Report(at[i], "API %q %s appears twice, first on line %d", a.Name, a.Version, line)
			case !same && strings.EqualFold(a.Name, b.Name):
				r.Report(at[i], "API %q differs only in letter case from %q on line %d, which API-M refuses", a.Name, b.Name, line)
			case same && a.Context != b.Context:
				r.Report(at[i], "API %q has the context %s here and %s on line %d: all versions of an API share one", a.Name, a.Context, b.Context, line)
			case !same && a.Context != "" && a.Context == b.Context:
				r.Report(at[i], "API %q has the context %s, which API %q on line %d has", a.Name, a.Context, b.Name, line)
			default:
				continue
			}
			break
		}
	}
}

// checkSubscriptions reports subscriptions to APIs that the file does not list, and second subscriptions to an API.
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
			r.Report(at[i], "the subscription to %q appears twice, first on line %d", s.APIName, line)
			continue
		}
		first[s.APIName] = at[i].Line
		if !slices.Contains(names, s.APIName) {
			r.Report(at[i], "the subscription is to %q, which rest_apis does not list%s", s.APIName, suggest.Hint(s.APIName, names))
		}
	}
}

// checked reads a text and checks it. The report of a mistake quotes the text.
func (r *reader) checked(n *yaml.Node, what string, form func(string) string, check func(string) error) string {
	return r.Text(n, what, form, func(value string) error {
		if err := check(value); err != nil {
			return fmt.Errorf("%q %w", shown(value), err)
		}
		return nil
	})
}

// The part of an address that may contain a password, with a scheme and without. A password may contain a slash or an @.
var (
	userinfo = regexp.MustCompile(`://\S*@`)
	bareUser = regexp.MustCompile(`^[^\s@]*:\S*@`)
)

// shown returns a value for a message, without a password.
func shown(value string) string {
	if strings.Contains(value, "://") {
		return userinfo.ReplaceAllString(value, "://(hidden)@")
	}
	return bareUser.ReplaceAllString(value, "(hidden)@")
}
