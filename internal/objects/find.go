// Package objects is what a person does with one object on the servers by a command: find it by its name, read what goes with it, make it,
// change it, delete it. Nothing here asks who has made the object. What package apply can do to an object is done there.
package objects

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/remedy"
	"wso2agent/internal/suggest"
	"wso2agent/internal/wso2"
)

// Pick returns the object of a list that has a name. kind names the objects for the error, such as "application". An unknown name, and
// one that several objects have, is an error that wraps [bootstrap.ErrPermanent].
func Pick[T any](kind, name string, list []T, nameOf func(T) string) (found T, err error) {
	var names []string
	for _, o := range list {
		names = append(names, nameOf(o))
	}
	at, err := pick(kind, name, names)
	if err != nil {
		return found, err
	}
	return list[at], nil
}

// pick returns the place of a name, which one name has.
func pick(kind, name string, names []string) (at int, err error) {
	matches := 0
	for i, n := range names {
		if n == name {
			at = i
			matches++
		}
	}
	switch matches {
	case 1:
		return at, nil
	case 0:
		return 0, unknown(kind, name, names, names)
	}
	return 0, bootstrap.Permanent(fmt.Errorf("there are %d of %s %q", matches, kind, name))
}

// unknown is the error for a name that no object has. It suggests the nearest one of words, or else names what there is.
func unknown(kind, name string, words, known []string) error {
	err := bootstrap.Permanent(fmt.Errorf("there is no %s %q", kind, name))
	if near := suggest.Nearest(name, words); near != "" {
		return remedy.Add(err, "did you mean %q?", near)
	}
	if len(known) == 0 {
		return remedy.Add(err, "there is none at all")
	}
	return remedy.Add(err, "known: %s", some(known))
}

// shownNames is how many names an error lists at most.
const shownNames = 10

// some quotes the first names of a list, and says how many others there are.
func some(names []string) string {
	names = slices.Clone(names)
	slices.Sort(names)
	var quoted []string
	for _, n := range names[:min(len(names), shownNames)] {
		quoted = append(quoted, strconv.Quote(n))
	}
	text := strings.Join(quoted, ", ")
	if others := len(names) - len(quoted); others > 0 {
		text += fmt.Sprintf(" and %d others", others)
	}
	return text
}

// PickAPI returns the API that text names: NAME, or NAME:VERSION. A name may have a colon in it. Errors are as those of [Pick]; the error
// for a name with several versions lists them.
func PickAPI(text string, list []wso2.API) (wso2.API, error) {
	var matches []wso2.API
	var words, known, versions []string // versions are those of the API whose version does not exist
	for _, a := range list {
		words, known = append(words, a.Name, APIName(a)), append(known, APIName(a))
		if strings.HasPrefix(text, a.Name+":") {
			versions = append(versions, APIName(a))
		}
		if a.Name == text || APIName(a) == text {
			matches = append(matches, a)
		}
	}
	switch len(matches) {
	case 0:
		if len(versions) > 0 {
			return wso2.API{}, remedy.Add(bootstrap.Permanent(fmt.Errorf("there is no API %q", text)), "known: %s", some(versions))
		}
		return wso2.API{}, unknown("API", text, words, known)
	case 1:
		return matches[0], nil
	}
	versions = nil
	for _, a := range matches {
		versions = append(versions, APIName(a))
	}
	slices.Sort(versions)
	return wso2.API{}, remedy.Add(bootstrap.Permanent(fmt.Errorf("several APIs have the name %q", text)), "name one of them: %s", strings.Join(versions, ", "))
}

// APIName returns the name and the version of an API as commands take them: NAME:VERSION.
func APIName(a wso2.API) string { return a.Name + ":" + a.Version }
