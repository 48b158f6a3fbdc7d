package desired

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"wso2agent/internal/yamlfile"
)

// text reads a text, brings it into its form and checks it. The report of a mistake quotes the text as it stands in the file.
func (r *reader) text(n *yaml.Node, c column) string {
	node := yamlfile.Resolve(n)
	raw := node.Value
	switch f := r.forms[c.form]; { // quotes are the remedy only if the text then has the form
	case node.Tag == "!!bool" && c.values != nil:
		r.Report(n, "%s must be one of %s, not the truth value %s", c.name, c.choices(), raw)
		return ""
	case node.Tag == "!!bool" && !f.takes(raw):
		r.Report(n, "%s must be a text, not the truth value %s", c.name, raw)
		return ""
	}
	var failed error
	value := r.Text(n, c.name, func(s string) string {
		s, failed = r.source.expand(s, filepath.Dir(r.File), true)
		return s
	}, func(string) error {
		if failed != nil {
			return fmt.Errorf("%q %w", Shown(raw), failed)
		}
		return nil
	})
	if failed != nil || node.Kind != yaml.ScalarNode || node.Tag == "!!null" || node.Tag == "!!bool" {
		return "" // reported
	}
	if c.values != nil {
		is, ok := c.spelled(value)
		if !ok {
			r.Report(n, "%s %q is none of %s", c.name, Shown(raw), c.choices())
		}
		return is
	}
	f, ok := r.forms[c.form]
	if !ok {
		panic("no form " + c.form)
	}
	tidy, err := f.apply(value)
	if err != nil {
		quoted := raw
		if !hasVariable(raw) {
			quoted = tidy
		}
		r.Report(n, "%s %q %s", c.name, Shown(quoted), err)
		return tidy
	}
	if c.form == "source" && !strings.Contains(tidy, "://") || c.form == "file" {
		r.exists(n, c, tidy)
	}
	return tidy
}

// exists reports a file that the agent cannot read.
func (r *reader) exists(n *yaml.Node, c column, path string) {
	_, err := r.source.ReadFile(pathFrom(r.File, path))
	if err == nil {
		return
	}
	if raw := yamlfile.Resolve(n).Value; hasVariable(raw) { // the error has the path
		r.Report(n, "%s %q names a file that the agent cannot read", c.name, Shown(raw))
		return
	}
	r.Report(n, "%s names a file that the agent cannot read: %s", c.name, err)
}

// pathFrom returns the path of a file that a file of the configuration names.
func pathFrom(configuration, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(configuration), path)
}

// PathOf returns the path of a file that the configuration names: it is relative to the file that has the name.
func PathOf(name Text) string { return pathFrom(name.At.File, name.Value) }

// secret reads a text that no message repeats.
func (r *reader) secret(n *yaml.Node, c column) Secret {
	node := yamlfile.Resolve(n)
	switch {
	case node.Tag == "!!bool":
		r.Report(n, "%s must be a text, not a truth value (put it in quotes)", c.name) // without the value
		return Secret{}
	case node.Kind != yaml.ScalarNode || node.Tag == "!!null":
		r.Text(n, c.name, func(s string) string { return s }, func(string) error { return nil })
		return Secret{}
	}
	value, from, err := node.Value, "", error(nil)
	if strings.Contains(value, "${") {
		value, err = r.source.expand(value, filepath.Dir(r.File), false)
		from = names(node.Value)
	}
	if err == nil && value == "" {
		err = fmt.Errorf("must not be empty")
	}
	if err == nil {
		_, err = r.forms[c.form].apply(value)
	}
	if err != nil {
		r.Report(n, "%s %s", c.name, err)
	}
	return Secret{value, from}
}

// expanded returns a scalar as it is, or a node with its variables expanded and the kind that the value then has.
func (r *reader) expanded(n *yaml.Node, c column, tag string) (*yaml.Node, bool) {
	node := yamlfile.Resolve(n)
	if node.Kind != yaml.ScalarNode || !strings.Contains(node.Value, "${") {
		return n, true
	}
	value, err := r.source.expand(node.Value, filepath.Dir(r.File), true)
	if err != nil {
		r.Report(n, "%s %q %s", c.name, Shown(node.Value), err)
		return nil, false
	}
	plain := &yaml.Node{Kind: yaml.ScalarNode, Value: strings.TrimSpace(value)}
	if plain.ShortTag() != tag {
		r.Report(n, "%s %q does not stand for %s", c.name, Shown(node.Value), map[string]string{"!!bool": "true or false", "!!int": "a whole number"}[tag])
		return nil, false
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: plain.Value, Line: n.Line, Column: n.Column}, true
}

func (r *reader) int(n *yaml.Node, c column) int {
	node, ok := r.expanded(n, c, "!!int")
	if !ok {
		return 0
	}
	value, ok := r.Int(node, c.name)
	if ok && (value < c.min || c.max > 0 && value > c.max) {
		r.Report(n, "%s must be %s", c.name, c.bounds())
	}
	return value
}

// bounds words the bounds of a number.
func (c column) bounds() string {
	if c.max == 0 {
		return fmt.Sprintf("at least %d", c.min)
	}
	return fmt.Sprintf("from %d to %d", c.min, c.max)
}

// spanForm is what a span looks like. [spanPattern] also has the bounds, for the schema.
var spanForm = regexp.MustCompile(`^[1-9][0-9]*(ms|s|m|h)$`)

const (
	longestSpan = 24 * time.Hour
	spanPattern = `^(([1-9][0-9]{0,6}|[1-7][0-9]{7}|8[0-5][0-9]{6}|86[0-3][0-9]{5}|86400000)ms` +
		`|([1-9][0-9]{0,3}|[1-7][0-9]{4}|8[0-5][0-9]{3}|86[0-3][0-9]{2}|86400)s` +
		`|([1-9][0-9]{0,2}|1[0-3][0-9]{2}|14[0-3][0-9]|1440)m|([1-9]|1[0-9]|2[0-4])h)$`
	spanSays = "must be a number of milliseconds, or a time such as 30s, from 1ms to 24h"
)

// span reads a time such as 30s. A number is one of milliseconds, as in the servers' own files.
func (r *reader) span(n *yaml.Node, c column) time.Duration {
	node := yamlfile.Resolve(n)
	text, err := node.Value, error(nil)
	if node.Kind == yaml.ScalarNode {
		text, err = r.source.expand(text, filepath.Dir(r.File), true)
		if err != nil {
			r.Report(n, "%s %q %s", c.name, Shown(node.Value), err)
			return 0
		}
	}
	if (&yaml.Node{Kind: yaml.ScalarNode, Value: text}).ShortTag() == "!!int" {
		text += "ms"
	}
	value, err := time.ParseDuration(text)
	if node.Kind != yaml.ScalarNode || err != nil || !spanForm.MatchString(text) || value > longestSpan {
		r.Report(n, "%s %s", c.name, spanSays)
		return 0
	}
	return value
}
