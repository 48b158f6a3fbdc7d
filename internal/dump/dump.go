// Package dump writes what both servers have as a file of the desired state. A plan of that file has no difference: what a file cannot
// say is left out, and reported.
package dump

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"wso2agent/internal/actual"
	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/suggest"
)

// FileName is the name of the file in a folder. The paths of other files are relative to it.
const FileName = "api-config.yaml"

// Options say what a dump has.
type Options struct {
	// APIs and Applications are names; without any, everything counts. An application brings the APIs to which it subscribes.
	APIs, Applications []string
	// Identity adds the users, groups and roles of IS.
	Identity bool
	// Administrator is the user of IS that the dump leaves out, because the agent works with it; empty: the one of its key manager.
	Administrator string
	// Save writes a file that the configuration names. The path is relative, with slashes. Several calls may be made at a time. If it
	// is nil, what needs a file is left out.
	Save func(path string, data []byte) error
	// Taken reports whether a variable has another meaning, so that no secret may have its name. Nil: none has.
	Taken func(variable string) bool
}

// Result is a file of the desired state.
type Result struct {
	YAML      []byte
	Variables []string // that the file needs, in its order: the servers show no secret
	LeftOut   []string // what the file cannot say, and why: a sentence each
}

// From reads both servers and returns what they have. want has what the agent makes of an empty file: its key manager, and the defaults
// for keys and hosts. A name in the options that the servers do not have is an error that wraps [ErrUnknown].
func From(ctx context.Context, c actual.Clients, want plan.Wanted, o Options) (Result, error) {
	d := &dump{Options: o, want: want, files: map[string][]byte{}}
	selection := actual.Selection{APIs: o.APIs, Applications: o.Applications, Identity: o.Identity, Kinds: []string{"HTTP", "GRAPHQL", "WS", "SSE"}}
	if o.Save != nil {
		selection.File = d.saveDocument
	}
	all, err := actual.All(ctx, c, selection)
	if err != nil {
		return Result{}, err
	}
	if err := o.unknown(all); err != nil {
		return Result{}, err
	}
	return d.write(all)
}

// dump makes one file.
type dump struct {
	Options
	want plan.Wanted

	mu    sync.Mutex        // guards files while the servers are read
	files map[string][]byte // what the plan compares of the files, by their paths

	leftOut []string
}

func (d *dump) leaveOut(format string, args ...any) {
	if text := printable(fmt.Sprintf(format, args...)); !slices.Contains(d.leftOut, text) {
		d.leftOut = append(d.leftOut, text)
	}
}

// printable returns a text in one line, without characters that a terminal acts on.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text)
}

// write returns the file with everything that a file can say.
func (d *dump) write(all actual.Everything) (Result, error) {
	tree, err := d.tree(all)
	if err != nil {
		return Result{}, err
	}
	if err := d.reduce(tree, all.Have); err != nil {
		return Result{}, err
	}
	body, err := encode(tree)
	if err != nil {
		return Result{}, err
	}
	result := Result{LeftOut: d.leftOut}
	if result.Variables, err = variables(body); err != nil {
		return Result{}, err
	}
	result.YAML = append(header(result), body...)
	return result, nil
}

// header returns the comment at the top of the file. The schema is for editors.
func header(r Result) []byte {
	var b bytes.Buffer
	fmt.Fprintln(&b, "# yaml-language-server: $schema=api-config.schema.json")
	fmt.Fprintln(&b, "# What the servers had when \"agent dump\" read them.")
	if len(r.Variables) > 0 {
		fmt.Fprintln(&b, "#\n# The servers show no secret. Set these variables:")
		for _, name := range r.Variables {
			fmt.Fprintf(&b, "#   %s\n", name)
		}
	}
	if len(r.LeftOut) > 0 {
		fmt.Fprintln(&b, "#\n# Left out:")
		for _, text := range r.LeftOut {
			fmt.Fprintf(&b, "#   %s\n", text)
		}
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// ErrUnknown: no server has an object of a name that the options have.
var ErrUnknown = fmt.Errorf("the servers do not have it")

// unknown returns an error for a name that selects nothing.
func (o Options) unknown(all actual.Everything) error {
	apis := []string{}
	for _, v := range all.Versions {
		apis = append(apis, v.Name)
	}
	for _, list := range []struct {
		kind          string
		names, server []string
	}{{plan.KindAPI, o.APIs, apis}, {plan.KindApplication, o.Applications, all.Names}} {
		for _, name := range list.names {
			if slices.Contains(list.server, name) {
				continue
			}
			err := fmt.Errorf("dump %s %q: %w", list.kind, name, ErrUnknown)
			if near := suggest.Nearest(name, list.server); near != "" {
				return remedy.Add(err, "did you mean %q?", near)
			}
			return remedy.Add(err, "write the name as API-M has it")
		}
	}
	return nil
}

// save writes a file, and notes what the plan compares of it.
func (d *dump) save(path string, data, compared []byte) error {
	if err := d.Save(path, data); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files[path] = compared
	return nil
}

func (d *dump) saveDocument(api plan.APIName, document plan.Object, content []byte) error {
	return d.save(documentPath(api, document), content, actual.ContentSum(content))
}

// documentPath returns where the file of a document goes. It ends with the name that the server has for the file.
func documentPath(api plan.APIName, document plan.Object) string {
	name, _ := document["name"].(string)
	fileName, _ := document["fileName"].(string)
	if fileName = path.Base(fileName); fileName == "." || fileName == "/" { // the server shows a path of its own
		fileName = name
	}
	return path.Join("documents", segment(api.Name+"-"+api.Version), segment(name), segment(fileName))
}

// segment returns a name as one part of a path. Different names have different parts.
func segment(name string) string {
	if name == "" {
		return "%"
	}
	var b strings.Builder
	for i, r := range []byte(name) {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.' && i > 0, r == ' ' && i > 0 && i < len(name)-1, r >= 0x80:
			b.WriteByte(r)
		default:
			fmt.Fprintf(&b, "%%%02X", r)
		}
	}
	return b.String()
}

// configuration is the file, for the reader.
func configuration(body []byte) desired.Input { return desired.Input{Name: FileName, Data: body} }
