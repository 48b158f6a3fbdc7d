package artifact

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"wso2agent/internal/yamlfile"
)

// ErrList is wrapped by every error of [Load]: the file must be changed.
var ErrList = errors.New("the list of artifacts is not usable")

// digestForm matches a SHA-256 as sha256sum prints it.
var digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Load reads a list of artifacts: a YAML mapping with one key, artifacts. Each entry has url or file, destination, and
// optionally sha256 and contains. The error wraps ErrList and names all mistakes, each with its line. name is the path of
// the list: messages contain it, and a relative "file" counts from its folder.
func Load(data []byte, name string) ([]Artifact, error) {
	root, err := yamlfile.Parse(data, "artifacts")
	if err != nil {
		return nil, fmt.Errorf("read %s: %w: %w", name, ErrList, err)
	}
	r := &reader{yamlfile.Reader{File: name}, map[string]int{}}
	var list []Artifact
	r.Mapping(root, "the file", yamlfile.Fields{
		"artifacts": func(n *yaml.Node) { list, _ = yamlfile.List(&r.Reader, n, "artifacts", r.artifact) },
	})
	if err := r.Problems(ErrList); err != nil {
		return nil, err
	}
	return list, nil
}

// reader reads the entries of a list and remembers their destinations.
type reader struct {
	yamlfile.Reader
	lines map[string]int // line of each destination so far
}

// artifact reads one entry of the list.
func (r *reader) artifact(n *yaml.Node) (a Artifact) {
	before := r.Mistakes()
	seen := r.Mapping(n, "an artifact", yamlfile.Fields{
		"url":         func(n *yaml.Node) { a.URL = r.text(n, "url", checkURL) },
		"file":        func(n *yaml.Node) { a.File = r.text(n, "file", notEmpty) },
		"sha256":      func(n *yaml.Node) { a.SHA256 = strings.ToLower(r.text(n, "sha256", checkDigest)) },
		"destination": func(n *yaml.Node) { a.Destination = r.text(n, "destination", checkDestination) },
		"contains":    func(n *yaml.Node) { a.Contains = r.text(n, "contains", notEmpty) },
	})
	if seen == nil || r.Mistakes() > before {
		return a
	}
	switch {
	case (a.URL == "") == (a.File == ""):
		r.Report(n, "an artifact needs either url or file")
	case a.Destination == "":
		r.Report(n, "the artifact %s has no destination", a.source())
	case r.lines[a.Destination] > 0:
		r.Report(n, "destination %s appears twice, first on line %d", a.Destination, r.lines[a.Destination])
	case a.SHA256 == "" && a.URL != "" && !a.isArchive():
		r.Report(n, "the artifact %s has no sha256: it is no .jar, .war or .zip, so only a digest tells it from an error page", a.source())
	case a.Contains != "" && !a.isArchive():
		r.Report(n, "the artifact %s has contains, but it is no .jar, .war or .zip: remove contains", a.source())
	}
	r.lines[a.Destination] = n.Line
	if a.File != "" && !filepath.IsAbs(a.File) {
		a.File = filepath.Join(filepath.Dir(r.File), a.File)
	}
	return a
}

func (r *reader) text(n *yaml.Node, what string, check func(string) error) string {
	return r.Text(n, what, func(value string) string { return value }, check)
}

func notEmpty(value string) error {
	if strings.TrimSpace(value) == "" {
		return errors.New("is empty")
	}
	return nil
}

// checkURL does not repeat the value in its errors, because the value may hold a password.
func checkURL(value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
		return errors.New("must be an address that begins with https://, without a user or a fragment")
	}
	if base := path.Base(u.Path); base == "." || base == "/" || strings.HasSuffix(u.Path, "/") {
		return errors.New("names no file: its path must end with a file name")
	}
	return nil
}

func checkDigest(value string) error {
	if !digestForm.MatchString(strings.ToLower(value)) {
		return fmt.Errorf("%q is no SHA-256: 64 hexadecimal digits, as sha256sum prints them", value)
	}
	return nil
}

// checkDestination refuses a path outside the home, a dot file at the top of the volume, which the products' entrypoints
// do not copy, and files of the config volume: the entrypoints copy the artifact volume later, so it would win.
func checkDestination(value string) error {
	first, _, deeper := strings.Cut(value, "/")
	switch {
	case !filepath.IsLocal(value) || path.Clean(value) != value:
		return fmt.Errorf("%q must be a file's path below the home, such as repository/components/dropins/name.jar", value)
	case !deeper:
		return fmt.Errorf("%q has no folder: use one below the home, such as repository/components/dropins", value)
	case strings.HasPrefix(first, "."):
		return fmt.Errorf("%q begins with a dot: the products' entrypoints do not copy it", value)
	case value == "repository/conf/deployment.toml", strings.HasPrefix(value, "repository/resources/security/"):
		return fmt.Errorf("%q belongs to the config volume, which the artifact volume would override: put it there", value)
	}
	return nil
}
