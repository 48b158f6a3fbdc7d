package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"wso2agent/internal/suggest"
)

// ErrArtifactList is wrapped by every error of [LoadArtifacts]: the file must be changed.
var ErrArtifactList = errors.New("the list of artifacts is not usable")

// digestForm is a SHA-256 as sha256sum prints it.
var digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// LoadArtifacts reads a list of artifacts: a YAML mapping with one key, artifacts, whose entries have url or file,
// destination, and maybe sha256 and contains. All mistakes are told together, each with its line. name is the file's
// path: it stands in the messages, and a relative "file" is looked for beside it.
func LoadArtifacts(data []byte, name string) ([]Artifact, error) {
	root, err := parseArtifacts(data)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w: %w", name, ErrArtifactList, err)
	}
	r := &artifactReader{name: name, lines: map[string]int{}}
	var list []Artifact
	r.mapping(root, "the file", map[string]func(*yaml.Node){
		"artifacts": func(n *yaml.Node) {
			if n.Kind != yaml.SequenceNode {
				r.report(n, "artifacts must be a list (lines that begin with -)")
				return
			}
			for _, item := range n.Content {
				list = append(list, r.artifact(item))
			}
		},
	})
	if len(r.found) > 0 {
		return nil, errors.Join(append([]error{fmt.Errorf("read %s: %w", name, ErrArtifactList)}, r.found...)...)
	}
	return list, nil
}

// parseArtifacts returns the one document of a file.
func parseArtifacts(data []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, errors.New("it is empty: it needs artifacts")
	case err != nil:
		return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, errors.New("it holds more than one document: keep one, without a line of ---")
	}
	return doc.Content[0], nil
}

// artifactReader collects what is wrong with a list.
type artifactReader struct {
	name  string
	found []error
	lines map[string]int // of the destinations so far
}

func (r *artifactReader) report(n *yaml.Node, format string, args ...any) {
	r.found = append(r.found, fmt.Errorf("%s:%d:%d: %s", r.name, n.Line, n.Column, fmt.Sprintf(format, args...)))
}

// mapping reads a mapping by what reads each of its keys. It is false where n is no mapping.
func (r *artifactReader) mapping(n *yaml.Node, what string, known map[string]func(*yaml.Node)) bool {
	if n.Kind != yaml.MappingNode {
		r.report(n, "%s must be a mapping (key: value)", what)
		return false
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		read, ok := known[key.Value]
		switch {
		case !ok:
			r.report(key, "unknown key %q in %s%s", key.Value, what, suggest.Hint(key.Value, slices.Sorted(maps.Keys(known))))
		case seen[key.Value]:
			r.report(key, "key %q stands twice in %s", key.Value, what)
		default:
			seen[key.Value] = true
			read(value)
		}
	}
	return true
}

// artifact reads one entry.
func (r *artifactReader) artifact(n *yaml.Node) (a Artifact) {
	before := len(r.found)
	ok := r.mapping(n, "an artifact", map[string]func(*yaml.Node){
		"url":         func(n *yaml.Node) { a.URL = r.text(n, "url", checkArtifactURL) },
		"file":        func(n *yaml.Node) { a.File = r.text(n, "file", notEmpty) },
		"sha256":      func(n *yaml.Node) { a.SHA256 = strings.ToLower(r.text(n, "sha256", checkArtifactDigest)) },
		"destination": func(n *yaml.Node) { a.Destination = r.text(n, "destination", checkArtifactDestination) },
		"contains":    func(n *yaml.Node) { a.Contains = r.text(n, "contains", notEmpty) },
	})
	if !ok || len(r.found) > before {
		return a
	}
	switch {
	case (a.URL == "") == (a.File == ""):
		r.report(n, "an artifact needs either url or file")
	case a.Destination == "":
		r.report(n, "the artifact %s has no destination", a.source())
	case r.lines[a.Destination] > 0:
		r.report(n, "destination %s stands twice, first on line %d", a.Destination, r.lines[a.Destination])
	case a.SHA256 == "" && a.URL != "" && !a.isArchive():
		r.report(n, "the artifact %s has no sha256: it is no .jar, .war or .zip, so nothing else could tell it from the page of an error", a.source())
	case a.Contains != "" && !a.isArchive():
		r.report(n, "the artifact %s has contains, and is no .jar, .war or .zip: leave it out", a.source())
	}
	r.lines[a.Destination] = n.Line
	if a.File != "" && !filepath.IsAbs(a.File) {
		a.File = filepath.Join(filepath.Dir(r.name), a.File)
	}
	return a
}

// text reads a text that check accepts.
func (r *artifactReader) text(n *yaml.Node, what string, check func(string) error) string {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		r.report(n, "%s must be a text", what)
		return ""
	}
	if err := check(n.Value); err != nil {
		r.report(n, "%s %s", what, err)
	}
	return n.Value
}

func notEmpty(value string) error {
	if strings.TrimSpace(value) == "" {
		return errors.New("is empty")
	}
	return nil
}

// checkArtifactURL does not repeat the value: it may hold a password.
func checkArtifactURL(value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
		return errors.New("must be an address that begins with https://, without a user or a fragment")
	}
	if base := path.Base(u.Path); base == "." || base == "/" || strings.HasSuffix(u.Path, "/") {
		return errors.New("names no file: its path must end in one")
	}
	return nil
}

func checkArtifactDigest(value string) error {
	if !digestForm.MatchString(strings.ToLower(value)) {
		return fmt.Errorf("%q is no SHA-256: 64 hexadecimal digits, as sha256sum prints them", value)
	}
	return nil
}

// checkArtifactDestination refuses what would lead out of the home, what the entrypoints leave behind (dot files at the
// top of the volume), and what belongs to the config volume: the artifact volume is copied after it and would win.
func checkArtifactDestination(value string) error {
	first, _, deeper := strings.Cut(value, "/")
	switch {
	case !filepath.IsLocal(value) || path.Clean(value) != value:
		return fmt.Errorf("%q must be a file's path below the home, such as repository/components/dropins/name.jar", value)
	case !deeper:
		return fmt.Errorf("%q has no folder: name one below the home, such as repository/components/dropins", value)
	case strings.HasPrefix(first, "."):
		return fmt.Errorf("%q begins with a dot: the products' entrypoints do not copy it", value)
	case value == "repository/conf/deployment.toml", strings.HasPrefix(value, "repository/resources/security/"):
		return fmt.Errorf("%q belongs to the config volume, which the artifact volume would override: put it there", value)
	}
	return nil
}
