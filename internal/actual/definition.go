package actual

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"wso2agent/internal/desired"
	"wso2agent/internal/file"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// definitions reads the definitions of APIs, each once.
type definitions struct {
	caFile   string
	client   *http.Client // made for the first address
	read     map[string]plan.Definition
	known    map[string][]plan.Mistake
	problems desired.Problems
	failed   error // of sites that another try may reach
	offline  bool  // leave out addresses
}

func newDefinitions(caFile string) *definitions {
	return &definitions{caFile: caFile, read: map[string]plan.Definition{}, known: map[string][]plan.Mistake{}}
}

// CheckDefinitions returns the mistakes in the definitions that a file names by their paths. It asks no site and no server.
func CheckDefinitions(f *desired.File) desired.Problems {
	d := newDefinitions("")
	d.offline = true
	d.readAll(context.Background(), f)
	return d.problems
}

// readAll reads the definitions that a file names.
func (d *definitions) readAll(ctx context.Context, f *desired.File) {
	defer func() {
		if d.client != nil {
			d.client.CloseIdleConnections()
		}
	}()
	for _, item := range f.APIs.Value {
		field, name, ok := plan.DefinitionOf(item.Value)
		isAddress := strings.Contains(name.Value, "://")
		if !ok || isAddress && d.offline {
			continue
		}
		key := plan.DefinitionKey(name)
		if _, known := d.known[key]; !known {
			text, ok := d.text(ctx, field, name, isAddress)
			if !ok {
				continue
			}
			read := plan.ReadOpenAPI
			if field == "schema" {
				read = plan.ReadGraphQL
			}
			d.read[key], d.known[key] = read(text)
		}
		for _, m := range d.known[key] {
			d.problems.Add(name.At, m.Hint, "%s: %s%s", field, placeOf(name, m), m.Text)
		}
		if field == "schema" && len(d.known[key]) == 0 {
			for _, op := range plan.UndefinedOperations(item.Value, d.read[key]) {
				d.problems.Add(op.At, "remove it, or add it to the schema", "the schema has no operation %s %s", op.Value.Verb.Shown(), op.Value.Target.Shown())
			}
		}
	}
}

// placeOf returns where a mistake is in a definition.
func placeOf(name desired.Text, m plan.Mistake) string {
	switch {
	case m.Line == 0:
		return shown(name) + ": "
	case m.Column == 0:
		return fmt.Sprintf("%s:%d: ", shown(name), m.Line)
	}
	return fmt.Sprintf("%s:%d:%d: ", shown(name), m.Line, m.Column)
}

// shown returns the path or the address of a definition without a password and without a query, which may have a key.
func shown(name desired.Text) string {
	source, _, _ := strings.Cut(desired.Hidden(name.Shown()), "?")
	return source
}

// text returns the bytes of a definition. It notes a failure.
func (d *definitions) text(ctx context.Context, field string, name desired.Text, isAddress bool) ([]byte, bool) {
	if !isAddress {
		text, err := file.Read(desired.PathOf(name), wso2.MaxUpload)
		if err != nil {
			d.problems.Add(name.At, "name a file that is there and that this user may read", "the agent cannot read %s: %v", field, err)
		}
		return text, err == nil
	}
	if d.client == nil {
		roots, err := wso2.Roots(d.caFile)
		if err != nil {
			d.failed = errors.Join(d.failed, err)
			return nil, false
		}
		d.client = newSiteClient(roots)
	}
	text, err := fetch(ctx, d.client, name.Value)
	var refused refusal
	switch {
	case errors.As(err, &refused):
		d.problems.Add(name.At, refused.hint, "the agent cannot fetch %s %s: %v", field, shown(name), err)
	case err != nil:
		d.failed = errors.Join(d.failed, remedy.Add(fmt.Errorf("%s: fetch %s %s: %w", name.At, field, shown(name), err),
			"try again later, or put the definition into a file next to the configuration"))
	}
	return text, err == nil
}
