package bootstrap

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"wso2agent/internal/config"
	"wso2agent/internal/desired"
)

// ErrConfig says that a person must change the file. Every error of [Load] wraps it.
var ErrConfig = desired.ErrInvalid

// Load reads an api-config.yaml, checks it against the servers' rules, and refuses what the agent does not apply. The error reports all
// mistakes together, each with its line and column. name is the file's name in the messages.
func Load(data []byte, name string) (*Desired, error) {
	f, err := desired.Parse(desired.FromSystem(os.LookupEnv, config.IsSecret), desired.Input{Name: name, Data: data})
	d, err := FromLoad(f, err)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return d, nil
}

// FromLoad is [FromFile] for what [desired.Load] returned. The error has the mistakes of both.
func FromLoad(f *desired.File, err error) (*Desired, error) {
	var problems desired.Problems
	if err != nil && !errors.As(err, &problems) || f == nil {
		return nil, err
	}
	d, more := FromFile(f)
	problems = append(problems, more...)
	return d, f.Sorted(problems).Err()
}

// applied are the fields that the agent applies, as [desired.File.Walk] names them without the numbers of entries.
var applied = regexp.MustCompile(`^(apis(\[\]|\[\]\.(name|version|context|description|endpoints|endpoints\.production|endpoints\.production\.url|tags(\[\])?))?` +
	`|applications(\[\]|\[\]\.(name|throttling_policy|subscriptions(\[\]|\[\]\.(api_name|throttling_policy))?))?)$`)

// resets are the fields whose default the agent applies if a file resets them.
var resets = regexp.MustCompile(`^(apis|apis\[\]\.(tags|type|lifecycle)|applications|applications\[\]\.(throttling_policy|subscriptions|subscriptions\[\]\.throttling_policy))$`)

// named returns the field as the file has it. section is the section of the file with the entry that has the field.
func named(f *desired.File, field, section string, at desired.Place) string {
	list, inner, entry := strings.Cut(field, "[].")
	if !entry {
		return f.Word(at, strings.TrimSuffix(field, "[]"))
	}
	word := f.Word(at, strings.ReplaceAll(inner, "[]", ""))
	switch own, _, _ := strings.Cut(word, "."); own {
	case "defaults", "global_settings", "endpoint_config": // not in the entry
		return word
	case section: // which gives its entries the field
		return section
	}
	return cmp.Or(section, list) + "." + word
}

var number = regexp.MustCompile(`\[\d+\]`)

// FromFile returns what the agent applies of a file, and a mistake for everything else that the file has, so that nothing is dropped.
// The result is of use only if neither reading the file nor FromFile found a mistake.
func FromFile(f *desired.File) (*Desired, desired.Problems) {
	var problems desired.Problems
	d := &Desired{}
	section := "" // with the entry that Walk is in
	f.Walk(func(path string, at desired.Place, null bool, value any) bool {
		field := number.ReplaceAllString(path, "[]")
		if field == "apis[]" || field == "applications[]" || field == "key_managers[]" {
			section = f.Word(at, strings.TrimSuffix(field, "[]"))
		}
		known := applied.MatchString(field)
		switch field {
		case "apis[].type":
			known = value == "HTTP" || value == "" // null, or reported
		case "apis[].lifecycle":
			known = value == "PUBLISHED" || value == ""
		}
		switch {
		case !known:
			problems.Add(at, "remove it, and set it in the portals", "the agent does not apply %s yet", named(f, field, section, at))
		case null && !resets.MatchString(field):
			problems.Add(at, "remove it, or give it a value", "the agent cannot reset %s yet", named(f, field, section, at))
		}
		return known && !null
	})
	missing := func(section string) {
		if f.Whole() {
			problems.Add(f.Begin(), "", "section %s is missing", section)
		}
	}
	if !f.APIs.Set {
		missing("rest_apis")
	}
	for _, a := range f.APIs.Value {
		if !a.Set {
			continue // reported
		}
		d.APIs = append(d.APIs, api(a, &problems))
	}
	if len(f.Applications.Value) == 0 {
		missing("application")
		return d, problems
	}
	for _, more := range f.Applications.Value[1:] {
		problems.Add(more.At, "remove it, and make it in the Developer Portal", "the agent does not apply a second application yet")
	}
	app := f.Applications.Value[0].Value
	d.Application = Application{Name: app.Name.Value, ThrottlingPolicy: app.ThrottlingPolicy.Or(defaultPolicy), PolicyAt: placeOf(app.ThrottlingPolicy)}
	if !app.Subscriptions.Set {
		missing("subscriptions")
	}
	for _, s := range app.Subscriptions.Value {
		policy := s.Value.ThrottlingPolicy
		d.Subscriptions = append(d.Subscriptions, Subscription{APIName: s.Value.APIName.Value, ThrottlingPolicy: policy.Or(defaultPolicy), PolicyAt: placeOf(policy)})
	}
	return d, problems
}

func api(a desired.Field[desired.API], problems *desired.Problems) API {
	url := a.Value.Endpoints.Value.Production.Value.URL
	made := API{Name: a.Value.Name.Value, Version: a.Value.Version.Value, Context: a.Value.Context.Value, Description: a.Value.Description.Value, BackendURL: url.Value}
	if !a.Value.Endpoints.Set {
		what := "the API"
		if made.Name != "" {
			what = fmt.Sprintf("the API %q", a.Value.Name.Shown())
		}
		problems.Add(a.At, "", "%s has no backend_url", what)
	}
	if a.Value.Tags.Set {
		made.Tags = []string{}
	}
	for _, t := range a.Value.Tags.Value {
		made.Tags = append(made.Tags, t.Value)
	}
	return made
}

// placeOf returns the place of a text as a message has it, or nothing if the file does not have the text.
func placeOf(t desired.Text) string {
	if !t.Set {
		return ""
	}
	return t.At.String()
}
